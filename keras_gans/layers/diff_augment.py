"""Differentiable augmentation (Zhao et al. 2020, https://arxiv.org/abs/2006.10738), for GANs
from few images: the critic sees real and generated images through the same random changes, and
the generator learns through them. Not in the paper."""

from collections.abc import Sequence

import tensorflow as tf

from keras_gans import replicas


def color(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Random brightness, saturation and contrast of each image.

    Brightness adds up to 0.5 to all values, saturation scales by up to 2 what distinguishes the
    channels of a pixel, contrast by 0.5 to 1.5 what distinguishes the values of an image.

    Args:
        images: float (N, S, S, C).
        key: int32 (2,), of which the draw is a function.

    Returns:
        images of the same shape, not clipped to a range.
    """
    draws = replicas.share(
        lambda count: tf.random.stateless_uniform([3, count, 1, 1, 1], key),
        tf.shape(images)[0],
        axis=1,
    )
    brightness, saturation, contrast = tf.unstack(tf.cast(draws, images.dtype))
    images += brightness - 0.5
    mean = tf.reduce_mean(images, axis=3, keepdims=True)
    images = mean + 2 * saturation * (images - mean)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (contrast + 0.5) * (images - mean)


def translation(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Moves each image by up to an eighth of its side, each way; what comes in is 0.

    Args and returns as for `color`.
    """
    size = images.shape[1]
    most = round(size / 8)
    shifts = _pairs(images, key, -most, most + 1)
    # row i of a matrix of shifts has its one at i + shift, or none if that is outside
    rows, columns = tf.unstack(tf.one_hot(tf.range(size) + shifts, size, dtype=images.dtype))
    images = tf.einsum("nij,njwc->niwc", rows, images)
    return tf.einsum("nij,nhjc->nhic", columns, images)


def cutout(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Sets a square of half the side to 0, its centre anywhere in the image.

    Args and returns as for `color`.
    """
    size = images.shape[1]
    centres = _pairs(images, key, 0, size + 1)
    first = centres - size // 4
    inside = (tf.range(size) >= first) & (tf.range(size) < first + size // 2)
    rows, columns = tf.unstack(inside)
    cut = rows[:, :, None, None] & columns[:, None, :, None]
    return tf.where(cut, tf.zeros([], images.dtype), images)


def _pairs(images, key, low, high):
    """Two integers in [low, high) for each image, int32 (2, N, 1)."""

    def draw(count):
        return tf.random.stateless_uniform([2, count, 1], key, low, high, dtype=tf.int32)

    return replicas.share(draw, tf.shape(images)[0], axis=1)


AUGMENTATIONS = {"color": color, "translation": translation, "cutout": cutout}


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of augmentations, a tuple; ValueError if they are others."""
    if isinstance(names, str) or not set(names) <= AUGMENTATIONS.keys():
        raise ValueError(
            f"`augmentations` must be some of {tuple(AUGMENTATIONS)}. Received: {names!r}"
        )
    return tuple(names)


def augment(
    images: tf.Tensor, key: tf.Tensor, names: tuple[str, ...] = tuple(AUGMENTATIONS)
) -> tf.Tensor:
    """Puts augmentations on each image, one after the other, each at random.

    Args:
        images: float (N, S, S, C).
        key: int32 (2,), of which the draw is a function.
        names: of `AUGMENTATIONS`.

    Returns:
        (N, S, S, C), differentiable in the images.
    """
    for number, name in enumerate(names):
        images = AUGMENTATIONS[name](images, key + [0, number])
    return images
