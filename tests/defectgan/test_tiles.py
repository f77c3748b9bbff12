import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan import tiles
from keras_gans.defectgan.tiles import clean_in_tiles, cut_tiles, mirrored
from keras_gans.errors import InputError
from keras_gans.layers import InstanceNormalization

SIZES = [(32, 32), (1, 1), (5, 40), (31, 33), (32, 57), (100, 77)]


def network(function, channels=1):
    images = keras.Input((None, None, channels))
    return keras.Model(images, function(images))


def identity(channels=1):
    return network(keras.layers.Identity(), channels)


def random_images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("overlap", [None, 0, 1, 16])
def test_identity_gives_the_images_back(overlap):
    run = tf.function(
        lambda images: clean_in_tiles(identity(3), images, 32, overlap),
        input_signature=[tf.TensorSpec([None, None, None, 3])],
    )
    for height, width in SIZES:
        images = random_images(2, height, width, 3)
        np.testing.assert_allclose(run(images), images, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(31, 33), (32, 64)])
def test_eager_is_the_same(size):
    images = random_images(1, *size, 1)
    np.testing.assert_allclose(clean_in_tiles(identity(), images, 32), images, atol=1e-6)


def test_an_image_of_one_tile_goes_through_as_it_is():
    generator = network(
        lambda x: InstanceNormalization()(keras.layers.Conv2D(1, 3, padding="same")(x))
    )
    images = random_images(3, 32, 32, 1)
    np.testing.assert_allclose(
        clean_in_tiles(generator, images, 32), generator(images), atol=1e-5
    )


def test_the_generator_sees_only_whole_tiles_a_few_at_once():
    seen = []

    def generator(batch, training):
        seen.append(tuple(batch.shape))
        return batch

    clean_in_tiles(generator, tf.zeros([2, 20, 200, 1]), 32)
    assert {shape[1:] for shape in seen} == {(32, 32, 1)}
    assert max(shape[0] for shape in seen) == tiles.TILES_AT_ONCE
    assert sum(shape[0] for shape in seen) == 2 * 8  # 24 n + 8 >= 200


def test_no_seam_between_tiles_that_come_out_different():
    """Every tile becomes a constant, its mean: the result goes from one to the next in small
    steps, and keeps to the values of the tile at the border."""
    generator = network(lambda x: 0 * x + keras.ops.mean(x, axis=(1, 2), keepdims=True))
    height, width, tile, overlap = 80, 128, 32, 16
    ramp = np.linspace(-1, 1, width, dtype=np.float32)[None, None, :, None]
    result = np.array(clean_in_tiles(generator, np.repeat(ramp, height, 1), tile, overlap))
    means = [
        ramp[0, 0, x : x + tile].mean() for x in range(0, width - tile + 1, tile - overlap)
    ]
    np.testing.assert_allclose(result, result[:, :1].repeat(height, 1), atol=1e-6)
    line = result[0, 0, :, 0]
    np.testing.assert_allclose(line[[0, -1]], [means[0], means[-1]], atol=1e-6)
    steps = np.diff(line)
    assert steps.min() > -1e-6
    # the steepest of a raised cosine is pi / 2 of the straight line's
    assert steps.max() < np.diff(means).max() / overlap * np.pi / 2 * 1.01


def test_images_do_not_touch_each_other():
    generator = network(lambda x: keras.ops.tanh(InstanceNormalization()(x)))
    images = random_images(3, 50, 40, 1)
    together = clean_in_tiles(generator, images, 32)
    for number in range(3):
        alone = clean_in_tiles(generator, images[number : number + 1], 32)
        np.testing.assert_array_equal(together[number], alone[0])


@pytest.mark.parametrize("size, before, after", [(1, 3, 3), (3, 7, 10), (5, 0, 0), (4, 2, 0)])
def test_mirrored_is_numpys_symmetric(size, before, after):
    expected = np.pad(np.arange(size), (before, after), mode="symmetric")
    found = mirrored(tf.constant(size), before, size + before + after)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("overlap", [-1, 17])
def test_overlap_out_of_range(overlap):
    with pytest.raises(InputError, match=f"from 0 to half .* Received: {overlap}"):
        clean_in_tiles(identity(), tf.zeros([1, 8, 8, 1]), 32, overlap)


def test_cut_tiles():
    images = [np.arange(30 * 50, dtype=np.uint8).reshape(30, 50, 1), np.full((5, 40, 1), 255)]
    tiles = cut_tiles(images, 16)
    assert tiles.shape == (2, 16, 16, 1) and tiles.dtype == np.float32
    np.testing.assert_array_equal(tiles, cut_tiles(images, 16))
    pixels = np.rint((tiles[0] + 1) * 127.5)
    views = np.lib.stride_tricks.sliding_window_view(images[0], (16, 16, 1))
    assert (views[..., 0, :, :, :] == pixels).all(axis=(-1, -2, -3)).any()
    assert (tiles[1] == 1).all()
    whole = cut_tiles([images[0][:16, :16]], 16)[0]
    np.testing.assert_allclose(127.5 * (whole + 1), images[0][:16, :16], atol=1e-4)
