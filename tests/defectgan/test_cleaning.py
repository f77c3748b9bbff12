import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from keras_gans.defectgan.cleaning import cleaning_distance
from keras_gans.defectgan.surfaces import Surfaces

BLOB = np.zeros((64, 80), bool)
BLOB[20:40, 30:50] = True


def texture(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(64, 80)), 1)
    values = rng.uniform(90, 150) + 12 * noise / noise.std()
    return np.clip(values, 0, 255).astype(np.uint8)[..., None]


@pytest.fixture
def blobs():
    """Textures of different grey; the last 4 of 20 have a bright blob. Every other trains."""
    rng = np.random.default_rng(0)
    images, defective = [texture(rng) for _ in range(20)], np.arange(20) >= 16
    for image in images[16:]:
        image[BLOB] += 60
    return Surfaces(
        "blobs",
        images,
        defective,
        [BLOB if bad else None for bad in defective],
        ["blob" if bad else "" for bad in defective],
        np.arange(20) % 2 == 0,
        [str(number) for number in range(20)],
    )


def test_nothing_cleaned_nothing_nearer(blobs):
    found = cleaning_distance(blobs, lambda images: images)
    assert found["defective"] == found["defective_cleaned"] > 2 * found["free"]
    assert found["free"] == found["free_cleaned"] == pytest.approx(1.88, abs=0.3)
    assert found["closed"] == 0
    assert (found["defective_images"], found["free_images"]) == (2, 8)


def test_the_blob_taken_off_is_clean(blobs):
    spoilt = {image.tobytes() for image in blobs.images[16:]}

    def clean(images):
        repaired = images.copy()
        repaired[0, BLOB] -= 60
        return repaired if images.tobytes() in spoilt else images

    found = cleaning_distance(blobs, clean)
    assert found["defective_cleaned"] < 2.3 and found["closed"] > 0.9
    assert found["free"] == found["free_cleaned"]


def test_a_patch_without_texture_is_not_clean(blobs):
    def smear(images):
        flat = images.copy()
        flat[0, BLOB] = int(np.median(images))
        return flat

    found = cleaning_distance(blobs, smear)
    assert found["closed"] < 0.5 and found["defective_cleaned"] > 2 * found["free"]
    assert found["free_cleaned"] > 1.5 * found["free"]


def test_distance_of_a_shift_by_hand(blobs):
    """A surface whose windows differ in nothing but grey: distances in deviations of it."""
    rng = np.random.default_rng(0)
    levels = rng.integers(90, 110, (10, 4, 4))
    images = [np.kron(level, np.ones((16, 16)))[..., None].astype(np.uint8) for level in levels]
    flat = dataclasses.replace(
        blobs.take(np.arange(10)), images=images, train=np.arange(10) < 8
    )
    # windows of 16 every 16 pixels are the flat squares: no texture inside
    relative = [level - np.median(level) for level in levels.reshape(10, 16)]
    trained = np.ravel(relative[:8])
    tested = np.array([relative[8:], relative[8:]]) + [[[0]], [[7]]]  # as taken, brighter
    expected = np.abs(tested - trained.mean()).mean(axis=(1, 2)) / trained.std(ddof=1)
    found = cleaning_distance(flat, lambda images: images + np.uint8(7), stride=16)
    assert found["free"] == pytest.approx(expected[0], rel=1e-4)
    assert found["free_cleaned"] == pytest.approx(expected[1], rel=1e-4)
    assert np.isnan(found["defective"]) and np.isnan(found["closed"])
    assert found["defective_images"] == 0


def test_a_small_defect_counts_by_the_window_that_shows_most(blobs):
    spot = np.zeros((64, 80), bool)
    spot[30:33, 40:43] = True  # less than a tenth of any window
    for image in blobs.images[16:]:
        image[BLOB] -= 60
        image[spot] += 90
    small = dataclasses.replace(blobs, masks=[spot if bad else None for bad in blobs.defective])
    found = cleaning_distance(small, lambda images: images, most=3)
    assert found["defective"] > 1.5 * found["free"]
    assert (found["defective_images"], found["free_images"]) == (2, 3)
