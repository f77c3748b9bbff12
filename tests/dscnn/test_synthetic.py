import numpy as np
import pytest

from keras_gans.dscnn.synthetic import (
    CAMERAS,
    blackbody,
    daylight,
    fluorescent,
    sensor_response,
    synthetic_scenes,
)


@pytest.fixture(scope="module")
def scenes():
    return synthetic_scenes(60, seed=3)


def angles(a, b):
    """Degrees between the rows of two arrays."""
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(cross, (a * b).sum(axis=-1)))


def test_what_the_images_are(scenes):
    assert scenes.name == "synthetic" and len(scenes) == 60
    for image in scenes.images:
        assert image.shape == (128, 192, 3) and image.dtype == np.float32
        assert image.min() >= 0 and image.max() <= 1
        np.testing.assert_allclose(image * 4095, np.round(image * 4095), atol=1e-3)
        assert 0.01 < image.mean() < 0.8
    np.testing.assert_allclose(np.linalg.norm(scenes.illuminants, axis=1), 1, rtol=1e-6)
    assert set(scenes.cameras) == set(CAMERAS)
    assert len(set(scenes.names)) == 60


def test_last_quarter_is_held_out(scenes):
    assert scenes.folds.tolist() == [0] * 45 + [1] * 15


def test_a_scene_is_a_function_of_seed_and_index(scenes):
    shorter = synthetic_scenes(2, seed=3)
    np.testing.assert_array_equal(shorter.images[1], scenes.images[1])
    np.testing.assert_array_equal(shorter.illuminants, scenes.illuminants[:2])


def test_seeds_share_no_scene(scenes):
    other = synthetic_scenes(10, seed=4)
    lights = np.concatenate([scenes.illuminants, other.illuminants])
    assert len(np.unique(lights, axis=0)) == 70
    codes = {image.tobytes() for image in [*scenes.images, *other.images]}
    assert len(codes) == 70


def test_other_sizes():
    assert synthetic_scenes(1, size=(64, 100)).images[0].shape == (64, 100, 3)


@pytest.mark.parametrize("camera", CAMERAS)
def test_grey_surface_has_the_colour_of_the_light(camera):
    for light in (blackbody(2800), daylight(6500), fluorescent(0.5, narrow=True)):
        white = sensor_response(np.ones(31), light, CAMERAS[camera])
        grey = sensor_response(np.full((5, 31), 0.18), light, CAMERAS[camera])
        assert white.max() == pytest.approx(1)
        np.testing.assert_allclose(grey, np.tile(0.18 * white, (5, 1)), rtol=1e-12)


def test_daylight_is_d65():
    # CIE standard illuminant D65, relative power at 400, 500, 600 and 700 nm (100 at 560).
    expected = [0.8275, 1.0935, 0.9001, 0.7161]
    np.testing.assert_allclose(daylight(6504)[[0, 10, 20, 30]], expected, atol=0.002)


def test_blackbody_is_illuminant_a():
    # CIE standard illuminant A (2856 K) at 400, 500, 600 and 700 nm, 100 at 560.
    expected = [0.1471, 0.5986, 1.2904, 1.9826]
    np.testing.assert_allclose(blackbody(2856)[[0, 10, 20, 30]], expected, atol=0.002)


def test_lights_are_spread(scenes):
    mean = scenes.illuminants.mean(axis=0)
    assert angles(scenes.illuminants, mean).mean() > 5
    ratio = scenes.illuminants[:, 0] / scenes.illuminants[:, 2]
    assert ratio.min() < 0.9 and ratio.max() > 2


def test_some_highlights_clip(scenes):
    clipped = np.array([(image == 1).any(axis=-1).mean() for image in scenes.images])
    assert 0.2 < (clipped > 0).mean() < 0.9
    assert 0.0005 < clipped.mean() < 0.03 and clipped.max() < 0.2


def test_the_world_is_not_grey(scenes):
    means = np.stack([image.mean(axis=(0, 1)) for image in scenes.images])
    errors = angles(means, scenes.illuminants)
    assert 5 < errors.mean() < 10
    assert errors.min() < 2
