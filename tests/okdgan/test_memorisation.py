import numpy as np
import pytest
from scipy import ndimage

from keras_gans.okdgan import memorisation
from keras_gans.okdgan.memorisation import (
    AndMirrored,
    copy_threshold,
    diversity,
    nearest_crops,
)


def photo(seed, size=96):
    """Clouds and grain, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    clouds = ndimage.gaussian_filter(rng.normal(size=(size, size)), 5)
    values = 128 + 30 * clouds / clouds.std() + 8 * rng.normal(size=(size, size))
    return np.repeat(np.clip(values, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def cut(image, x, y, size=64):
    return image[y : y + size, x : x + size]


@pytest.fixture(scope="module")
def crops():
    """Five crops of each of eight photos that overlap by all but a few pixels; their photos."""
    places = [(10, 10), (12, 10), (10, 14), (14, 14), (8, 6)]
    images = np.stack([cut(photo(seed), *place) for seed in range(8) for place in places])
    return images, np.repeat(np.arange(8), 5)


def test_what_a_copy_may_change(crops):
    images, _ = crops
    new = np.random.default_rng(0)
    moved = cut(photo(3), 13, 7).astype(float)  # 3 pixels from a crop, each way
    darker = 0.5 * moved + 20
    coloured = moved * [1.0, 0.8, 0.6]
    grainy = moved + new.normal(0, 15, moved.shape)
    blurred = ndimage.gaussian_filter(moved, (1.5, 1.5, 0))
    changed = np.clip([moved, darker, coloured, grainy, blurred], 0, 255).astype(np.uint8)
    correlations, indices = nearest_crops(changed, images)
    assert set(indices // 5) == {3}
    assert correlations.min() > 0.97 and correlations.max() <= 1 + 1e-5
    assert correlations.min() > copy_threshold(*crops) > 0.2
    exact, same = nearest_crops(images, images)
    np.testing.assert_allclose(exact, 1, atol=1e-5)
    np.testing.assert_array_equal(same, np.arange(40))
    far = np.roll(changed, 32, axis=2)
    assert nearest_crops(far, images)[0].max() < 0.9


def test_crops_of_one_photo_do_not_make_the_threshold(crops, monkeypatch):
    images, photos = crops
    correlations, indices = nearest_crops(images, images, photos, photos)
    assert not np.any(indices // 5 == photos)
    threshold = copy_threshold(images, [f"photo {number}" for number in photos])
    assert threshold == pytest.approx(np.quantile(correlations, 0.99), abs=1e-6)
    assert threshold < 0.9 < nearest_crops(images[::5], images[1::5])[0].min()
    assert copy_threshold(images, ["one"] * 40) is None
    # in small blocks: the same
    monkeypatch.setattr(memorisation, "IMAGES", 7)
    monkeypatch.setattr(memorisation, "CROPS", 9)
    blocks = nearest_crops(images, images, photos, photos)
    np.testing.assert_allclose(blocks[0], correlations, atol=1e-5)
    np.testing.assert_array_equal(blocks[1], indices)


def test_flat_images_are_no_copies():
    images = np.full((3, 16, 16, 3), 90, np.uint8)
    images[2] = photo(0)[:16, :16]
    correlations, _ = nearest_crops(images, images)
    np.testing.assert_allclose(correlations, [0, 0, 1], atol=1e-5)


def test_diversity_by_hand():
    real = np.array([[0.0, 0], [3, 4], [0, 0]])  # distances 5, 0, 5
    assert memorisation.pairwise_distance(real) == pytest.approx(10 / 3)
    assert diversity(real, real) == pytest.approx(1)
    assert diversity(0.5 * real + 7, real) == pytest.approx(0.5)
    assert diversity(np.ones((4, 2)), real) == 0
    assert np.isnan(diversity(real, np.ones((3, 2))))


def test_crops_and_then_the_same_mirrored():
    crops = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    expected, both = np.concatenate([crops, crops[:, :, ::-1]]), AndMirrored(crops)
    assert len(both) == 10
    for chosen in (slice(None), slice(3, 8), np.array([9, 0, 6])):
        np.testing.assert_array_equal(both[chosen], expected[chosen])
    np.testing.assert_array_equal(crops, expected[:5])
