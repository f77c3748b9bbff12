"""Images of any size through a generator that knows one size: overlapping, blended tiles.

The generator normalises over the whole image it is given (instance normalisation), so it
must see pieces of the size it was trained with; a larger picture at once is another input.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gans.errors import InputError

TILES_AT_ONCE = 4  # through the generator; bounds the memory of its activations


def clean_in_tiles(
    generator: keras.Model, images: tf.Tensor, tile: int, overlap: int | None = None
) -> tf.Tensor:
    """Applies a generator to images of any size, tile by tile.

    Tiles lie `tile - overlap` apart; where two meet, one fades into the other along a raised
    cosine, so that no seam shows. The weights add up to 1 in every pixel. Where the tiles
    reach beyond the image it is continued by reflection (the border pixel twice), half
    before and half after it; an image of exactly one tile goes through as it is.

    Beside the images and the result a few copies of one image are held, and the activations
    of `TILES_AT_ONCE` tiles.

    Args:
        generator: model from (N, tile, tile, C) to the same shape.
        images: float32 (N, H, W, C) in [-1, 1], H and W from 1, C known.
        tile: side of a tile in pixels, that of the images in training.
        overlap: pixels that neighbours share, at most half a tile; `None` for a quarter.

    Raises:
        InputError: another overlap.
    """
    overlap = tile // 4 if overlap is None else overlap
    if not 0 <= overlap <= tile // 2:
        raise InputError(
            f"overlap must be from 0 to half of the tile of {tile} pixels. Received: {overlap}"
        )
    stride = tile - overlap
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    channels = images.shape[3]
    row_pixels, row_weights, top = _cover(height, tile, overlap)
    column_pixels, column_weights, left = _cover(width, tile, overlap)

    def clean_strip(strip):
        tiles = tf.transpose(tf.gather(strip, column_pixels, axis=1), [1, 0, 2, 3])
        tiles = _in_batches(generator, tiles) * column_weights[:, None, :, None]
        joined = tf.signal.overlap_and_add(tf.transpose(tiles, [1, 3, 0, 2]), stride)
        return tf.transpose(joined[..., left : left + width], [0, 2, 1])

    def clean_image(image):
        def add_strip(above, strip):
            pixels, weights = strip
            strip = clean_strip(tf.gather(image, pixels)) * weights[:, None, None]
            _, shared = above
            strip += tf.pad(shared, [[0, stride], [0, 0], [0, 0]])
            return strip[:stride], strip[stride:]

        nothing = tf.zeros([tile, width, channels])
        done, shared = tf.scan(
            add_strip,
            (row_pixels, row_weights),
            initializer=(nothing[:stride], nothing[stride:]),
            parallel_iterations=1,
        )
        done = tf.reshape(done, [-1, width, channels])
        return tf.concat([done, shared[-1]], axis=0)[top : top + height]

    return tf.map_fn(clean_image, images, parallel_iterations=1)


def mirrored(size: tf.Tensor | int, before: tf.Tensor | int, length: int) -> tf.Tensor:
    """Positions that continue an axis by reflection, any number of times over.

    The border pixel comes twice: `d c b a | a b c d | d c b a` (`tf.pad`'s SYMMETRIC, SciPy's
    "reflect"), but an axis may be continued by more than its own length.

    Args:
        size: int tensor, length of the axis.
        before: positions to put in front of the axis.
        length: of the result, int32 in 0..size - 1.
    """
    positions = tf.math.floormod(tf.range(length) - before, 2 * size)
    return tf.minimum(positions, 2 * size - 1 - positions)


def cut_tiles(images: Sequence[np.ndarray], size: int) -> np.ndarray:
    """Cuts one tile out of each image, at places that are always the same.

    Args:
        images: uint8 (H, W, C); smaller ones are continued by reflection.
        size: side of a tile in pixels.

    Returns:
        float32 (N, size, size, C) in [-1, 1].
    """
    rng = np.random.default_rng(0)
    tiles = []
    for image in images:
        starts = [rng.integers(max(length - size, 0) + 1) for length in image.shape[:2]]
        rows, columns = (
            mirrored(length, -start, size) for length, start in zip(image.shape, starts)
        )
        tiles.append(image[rows][:, columns].astype(np.float32) / 127.5 - 1)
    return np.stack(tiles)


def _cover(size, tile, overlap):
    """Tiles along one axis: their pixels and weights, (count, tile), and how many pixels of
    the first lie before the image."""
    stride = tile - overlap
    count = tf.maximum((size - overlap + stride - 1) // stride, 1)
    length = count * stride + overlap
    before = (length - size) // 2
    pixels = tf.gather(mirrored(size, before, length), _frames(count, stride, tile))

    ramp = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2
    rising = np.concatenate([ramp, np.ones(stride)]).astype(np.float32)
    falling = np.concatenate([np.ones(stride), 1 - ramp]).astype(np.float32)
    number = tf.range(count)[:, None]
    weights = tf.where(number > 0, rising, 1.0) * tf.where(number < count - 1, falling, 1.0)
    return pixels, weights, before


def _frames(count, stride, tile):
    return tf.range(count)[:, None] * stride + tf.range(tile)[None]


def _in_batches(generator, tiles):
    shape = tiles.shape[1:]
    done = tf.TensorArray(
        tf.float32, 0, dynamic_size=True, infer_shape=False, element_shape=[None, *shape]
    )

    def step(start, done):
        batch = generator(tiles[start : start + TILES_AT_ONCE], training=False)
        batch = tf.ensure_shape(batch, [None, *shape])
        return start + TILES_AT_ONCE, done.write(start // TILES_AT_ONCE, batch)

    _, done = tf.while_loop(
        lambda start, done: start < tf.shape(tiles)[0], step, (0, done), parallel_iterations=1
    )
    return tf.ensure_shape(done.concat(), [None, *shape])
