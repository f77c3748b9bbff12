import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from keras_gans.errors import InputError
from keras_gans.okdgan import synthetic
from keras_gans.okdgan.synthetic import BACKGROUND, DEFECTS, synthetic_concrete


@pytest.fixture(scope="module")
def concrete():
    return synthetic_concrete(303, seed=4, background=True)


def test_what_the_set_is(concrete):
    assert concrete.name == "synthetic concrete"
    assert concrete.classes == (*DEFECTS, BACKGROUND)
    assert concrete.images.shape == (303, 64, 64, 3) and concrete.images.dtype == np.uint8
    assert concrete.labels.dtype == np.int64
    np.testing.assert_array_equal(np.bincount(concrete.labels), [51, 51, 51, 50, 50, 50])
    assert (np.diff(concrete.labels) < 0).sum() > 75  # not in order
    assert len(set(concrete.sources)) == 303 and concrete.places is None
    assert 90 < concrete.images.mean() < 170
    assert len({image.tobytes() for image in concrete.images}) == 303


def test_it_is_a_function_of_the_seed():
    first, again, other = (synthetic_concrete(6, seed, size=32) for seed in (1, 1, 2))
    assert first.classes == DEFECTS
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert (first.images != other.images).any()


def means(images):
    """Mean colours, contrast and roughness in parts of the images, (N, F)."""
    parts = images.reshape(len(images), 8, 8, 8, 8, 3).astype(float)
    colours = parts.mean(axis=(2, 4)).reshape(len(images), 64, 3)
    warm = colours[..., 0] - colours[..., 2]
    rough = parts.std(axis=(2, 4)).reshape(len(images), 64, 3)[..., 0]
    order = [np.sort(each, axis=1)[:, ::7] for each in (warm, rough, colours[..., 1])]
    return np.concatenate(order, axis=1)


def test_the_classes_can_be_told_apart(concrete):
    x = means(concrete.images)
    forest = RandomForestClassifier(200, random_state=0).fit(x[:200], concrete.labels[:200])
    assert forest.score(x[200:], concrete.labels[200:]) > 0.75  # chance: 1 / 6


def test_the_defects_look_as_they_should(concrete):
    images = concrete.images.astype(float)
    of = {name: images[concrete.labels == i] for i, name in enumerate(concrete.classes)}
    grey = {name: each.mean(axis=3) for name, each in of.items()}
    warm = {name: each[..., 0] - each[..., 2] for name, each in of.items()}

    def median(values):  # over images of the most extreme pixels
        return np.median(values)

    # rust is brown: some of the picture is much warmer than the rest
    warmest = {
        name: median(np.quantile(each, 0.95, axis=(1, 2)) - np.median(each, axis=(1, 2)))
        for name, each in warm.items()
    }
    assert min(warmest["corrosion stain"], warmest["exposed bar"]) > 30
    assert max(warmest["crack"], warmest["efflorescence"], warmest[BACKGROUND]) < 15
    # a crack is much darker than the surface and thin, salt is much brighter
    middle = {name: np.median(each, axis=(1, 2)) for name, each in grey.items()}
    dark = {
        name: (each < 0.6 * middle[name][:, None, None]).mean(axis=(1, 2))
        for name, each in grey.items()
    }
    assert 0.01 < median(dark["crack"]) < 0.15 and median(dark[BACKGROUND]) < 0.01
    bright = np.quantile(grey["efflorescence"], 0.97, axis=(1, 2)) - middle["efflorescence"]
    plain = np.quantile(grey[BACKGROUND], 0.97, axis=(1, 2)) - middle[BACKGROUND]
    assert median(bright) > 50 > 35 > median(plain)
    # broken concrete is rougher than its surface
    rough = {
        name: median(np.abs(np.diff(each[:, 24:40, 24:40], axis=2)).mean(axis=(1, 2)))
        for name, each in grey.items()
    }
    assert rough["spallation"] > 1.3 * rough[BACKGROUND]


def test_stains_and_salt_flow_down(concrete):
    """Below the middle of what is there, it reaches further than above."""
    images = concrete.images[concrete.labels == 3].astype(float)
    warm = images[..., 0] - images[..., 2]
    rows = np.clip(warm - np.median(warm, axis=(1, 2), keepdims=True) - 10, 0, None).sum(axis=2)
    rows = rows.mean(axis=0)
    assert rows[:6].mean() < rows[10:40].mean() and rows[55:].mean() < rows[10:40].mean()


def test_sizes():
    for size in (32, 100):
        assert synthetic_concrete(5, size=size).images.shape == (5, size, size, 3)


def test_shadows_lie_on_the_side_of_the_light():
    hole = np.zeros((1, 20, 20), np.float32)
    hole[:, 5:15, 5:15] = 1
    walled = hole * (1 - synthetic._moved(hole, np.array([[0.0, -1.0]]), 2))
    assert walled[0, 5:7, 5:15].all() and walled.sum() == 20  # the light comes from above


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 4}, "at least 5 images, one of each class. Received: 4"),
        ({"count": 5, "background": True}, "at least 6 images"),
        ({"count": 9, "size": 20}, "size is 32 to 256. Received: 20"),
        ({"count": 9, "seed": -1}, "seed must not be negative"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        synthetic_concrete(**arguments)
