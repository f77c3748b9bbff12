import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.dscnn.data import cut_patches
from keras_gans.dscnn.estimate import (
    FLOOR,
    correct,
    estimate,
    estimate_images,
    masked_median,
    unit_lights,
)

SIZE = 8


@pytest.fixture(scope="module")
def patch_mean():
    """A network that takes a patch's mean colour for its light."""
    patches = keras.Input((SIZE, SIZE, 3))
    return keras.Model(patches, keras.layers.GlobalAveragePooling2D()(patches))


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def random_images(*shape):
    return np.random.default_rng(0).uniform(0.1, 1, (*shape, 3)).astype(np.float32)


def flat_image(colours):
    """An image of one row of patches, each of one colour."""
    colours = np.asarray(colours, np.float32)
    return np.repeat(np.repeat(colours[None], SIZE, axis=0), SIZE, axis=1)


def test_median_by_hand(patch_mean):
    # unit vectors (0.6, 0.8, 0), (0, 0.6, 0.8), (0.8, 0, 0.6) but for the floor at 0
    image = flat_image([(0.3, 0.4, 0), (0, 0.3, 0.4), (0.4, 0, 0.3)])
    result = estimate(patch_mean, image[None])
    np.testing.assert_allclose(result["illuminant"], [[1 / 3**0.5] * 3], atol=1e-4)
    np.testing.assert_allclose(result["local_map"][0, 0, 0], [0.6, 0.8, FLOOR], atol=1e-4)


@pytest.mark.parametrize("height,width", [(8, 8), (16, 24), (19, 31), (8, 47)])
def test_equals_numpy(patch_mean, height, width):
    images = random_images(2, height, width)
    result = estimate(patch_mean, images)
    for index, image in enumerate(images):
        local_map = unit(cut_patches(image, SIZE).mean(axis=(2, 3)))
        illuminant = unit(np.median(local_map.reshape(-1, 3), axis=0))
        np.testing.assert_allclose(result["local_map"][index], local_map, atol=1e-6)
        np.testing.assert_allclose(result["illuminant"][index], illuminant, atol=1e-6)
    assert result["corrected"].shape == images.shape


def test_dark_patches_do_not_vote(patch_mean):
    colours = [
        (0.2, 0.4, 0.4),
        (0.2, 0.4, 0.4),
        (0.9, 0.1, 0.1),
        (0.9, 0.1, 0.1),
        (0, 0, 0),
    ]
    image = flat_image(colours)
    image[:5, 2 * SIZE : 4 * SIZE] = 0  # 3 of 8 rows are lit: less than half
    result = estimate(patch_mean, image[None])
    np.testing.assert_allclose(result["illuminant"], [[1 / 3, 2 / 3, 2 / 3]], atol=1e-6)
    assert result["local_map"].shape == (1, 1, 5, 3)


def test_every_patch_votes_where_none_is_lit_enough(patch_mean):
    image = flat_image([(0.2, 0.4, 0.4)] * 2)
    image[3:] = 0
    result = estimate(patch_mean, image[None])
    np.testing.assert_allclose(result["illuminant"], [[1 / 3, 2 / 3, 2 / 3]], atol=1e-6)


def test_masked_median_of_even_and_odd_counts():
    votes = np.array([[[0.1], [0.9], [0.3], [0.5]]] * 3, np.float32)
    mask = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0]], bool)
    median = masked_median(tf.constant(votes), tf.constant(mask))
    np.testing.assert_allclose(median, [[0.4], [0.3], [0.4]], atol=1e-7)


def test_images_of_a_batch_do_not_touch_each_other(patch_mean):
    images = random_images(3, 17, 25)
    together = estimate(patch_mean, images)
    for index in range(3):
        alone = estimate(patch_mean, images[index : index + 1])
        for name, value in together.items():
            np.testing.assert_allclose(value[index], alone[name][0], atol=1e-6)


def test_lights_are_positive_and_of_unit_norm():
    directions = tf.constant([[0.0, 0, 0], [1, -5, 1], [3, 4, 12], [1e-3, 1, 1]])
    lights = unit_lights(directions).numpy()
    np.testing.assert_allclose(np.linalg.norm(lights, axis=1), 1, atol=1e-6)
    assert lights.min() > 0.9 * FLOOR
    np.testing.assert_allclose(lights[0], [1 / 3**0.5] * 3, atol=1e-6)
    np.testing.assert_allclose(lights[2], [3 / 13, 4 / 13, 12 / 13], atol=1e-6)  # as it is


def test_correction_by_hand():
    image = np.array([[[[0.2, 0.4, 0.1], [0.9, 0.5, 0.2]]]], np.float32)
    light = np.array([[0.5, 1.0, 0.25]], np.float32)
    corrected = correct(tf.constant(image), tf.constant(unit(light)))
    np.testing.assert_allclose(corrected, [[[[0.4, 0.4, 0.4], [1, 0.5, 0.8]]]], atol=1e-6)


@pytest.mark.parametrize("height,width", [(7, 30), (30, 7)])
def test_images_smaller_than_a_patch_raise(patch_mean, height, width):
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 8x8"):
        estimate(patch_mean, random_images(1, height, width))
    with pytest.raises(ValueError, match=f"at least 8x8. Received: {height}x{width}"):
        estimate_images(patch_mean, [random_images(height, width)])


def test_estimate_images_of_several_sizes(patch_mean):
    images = [random_images(*s) for s in [(8, 8), (8, 8), (20, 33), (8, 8), (600, 8)]]
    illuminants, maps = estimate_images(patch_mean, images)
    assert illuminants.shape == (5, 3)
    for image, illuminant, local_map in zip(images, illuminants, maps, strict=True):
        alone = estimate(patch_mean, image[None])
        np.testing.assert_allclose(illuminant, alone["illuminant"][0], atol=1e-6)
        np.testing.assert_allclose(local_map, alone["local_map"][0], atol=1e-6)


def test_estimate_images_of_none(patch_mean):
    illuminants, maps = estimate_images(patch_mean, [])
    assert illuminants.shape == (0, 3) and maps == []
