import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.dscnn import confidence
from keras_gans.dscnn.estimate import estimate
from keras_gans.dscnn.lite import scene_light
from keras_gans.dscnn.networks import build_dscnn

SIZE = 16
WEIGHTS = [-2.0, -0.3, -0.5, -0.2, 0.1]


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return build_dscnn(SIZE, 1, encoding="gamma")


@pytest.fixture(scope="module")
def scene_estimate(network):
    return confidence.scene_estimate(network, WEIGHTS)


@pytest.fixture
def scenes():
    light = np.array([0.9, 1.0, 0.5], np.float32)
    return light * np.random.default_rng(0).uniform(0, 1, (4, SIZE, SIZE, 3)).astype(np.float32)


def test_however_the_camera_was_held(scene_estimate, scenes):
    expected = {name: value.numpy() for name, value in scene_estimate(scenes).items()}
    for view in (scenes[:, ::-1], scenes[:, :, ::-1], scenes.transpose(0, 2, 1, 3)):
        for name, value in scene_estimate(view).items():
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_numpy_equals_the_graph(network, scene_estimate, scenes):
    expected = scene_estimate(scenes)

    def votes_of(image):
        return estimate(network, image[None])["local_map"][0].numpy()

    for index, scene in enumerate(scenes):
        illuminant, sure = scene_light(votes_of, scene, WEIGHTS)
        np.testing.assert_allclose(illuminant, expected["illuminant"][index], atol=1e-5)
        assert sure == pytest.approx(float(expected["confidence"][index]), abs=1e-4)
    assert scene_light(votes_of, scenes[0])[1] is None


def test_grey_stays_grey(network, scene_estimate, scenes):
    grey = scenes[..., :1].repeat(3, axis=-1)
    np.testing.assert_allclose(scene_estimate(grey)["illuminant"], 3**-0.5, rtol=1e-6)


@pytest.mark.parametrize(
    "norm, pixels", [(1, [0.2, 0.6]), (np.inf, [0.1, 0.6]), (6, [0.3, 0.3])]
)
def test_minkowski_by_hand(norm, pixels):
    mean = {1: 0.4, np.inf: 0.6, 6: 0.3}[norm]
    scene = np.zeros((1, 1, 2, 3), np.float32)
    scene[..., 0] = pixels
    scene[..., 1:] = mean
    np.testing.assert_allclose(confidence.minkowski(scene, norm), [[3**-0.5] * 3], rtol=1e-5)


def test_confidences_keep_their_word():
    """The chance of a small error falls with one of the doubts, which is what is learned."""
    rng = np.random.default_rng(0)
    doubts = rng.normal(size=(4000, 5)).astype(np.float32)
    right = rng.random(4000) < 1 / (1 + np.exp(2 * doubts[:, 1] - 0.5))
    errors = np.where(right, 1.0, 6.0)
    parts = np.arange(4000) % 3
    sure = confidence.crossed(doubts, errors, parts)
    tenths = confidence.by_tenth(sure, errors)
    assert len(tenths) == 10
    for row in tenths:
        assert row["within"] == pytest.approx(row["confidence"], abs=0.08)
    assert tenths[0]["mean"] > 5 and tenths[-1]["mean"] < 1.5
    weights = confidence.fit(doubts, errors)
    given = confidence.confidence(tf.constant(doubts), weights)
    np.testing.assert_allclose(given, sure, atol=0.05)


@pytest.mark.parametrize("error", [1.0, 9.0])
def test_a_set_without_two_sides(error):
    weights = confidence.fit(np.zeros((8, 5), np.float32), np.full(8, error))
    sure = float(confidence.confidence(tf.zeros((1, 5)), weights)[0])
    assert sure == pytest.approx(0.9 if error < 3 else 0.1)


def test_photos_that_were_right_are_hardly_moved():
    found = np.tile([0.8, 0.55, 0.25], (100, 1)) / np.linalg.norm([0.8, 0.55, 0.25])
    sure = np.repeat([0.1, 0.6], 50)
    white = np.full((100, 3), 3**-0.5)
    limit = confidence.fit_sure(found, white, sure)
    moved = confidence.angular_errors(white, found ** np.minimum(sure / limit, 1)[:, None])
    assert np.percentile(moved, 95) <= confidence.HARM or limit == 1.0
    assert confidence.fit_sure(white, white, sure) == 0.02  # no harm, full strength
    assert confidence.fit_sure(found, found, sure) == 0  # none was right: nothing to judge by


def test_a_choice_by_confidence_takes_the_better_where_it_is_unsure():
    sure = np.tile([0.1, 0.9], 60)
    errors = {
        "DSCNN": np.where(sure < 0.5, 8.0, 1.0),
        "grey-world": np.full(120, 4.0),
        "white-patch": np.full(120, 5.0),
    }
    chosen = confidence.chosen(errors, sure, np.arange(120) // 40)
    np.testing.assert_array_equal(chosen, np.where(sure < 0.5, 4.0, 1.0))


def test_scenes_larger_than_their_one_patch(network, scenes):
    wide = np.pad(scenes, [(0, 0), (0, 0), (0, 5), (0, 0)], mode="edge")
    lights, doubts = confidence.estimate_scenes(network, list(wide))
    expected = estimate(network, wide, turned=True)
    np.testing.assert_allclose(lights, expected["illuminant"], atol=1e-5)
    assert doubts.shape == (len(scenes), 4)
