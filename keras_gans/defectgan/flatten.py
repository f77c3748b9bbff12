"""Flat-field correction: exposure, shading and strength of the texture out of the images.

What every local mark is seen against is made the same everywhere: the mean of the surroundings
is taken off, and their standard deviation divided by. The same TensorFlow operations serve
training and the exported detector, so both see the same bytes.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gans.defectgan.lite import FLOOR, GAIN, MIDDLE, WHOLE
from keras_gans.defectgan.surfaces import Surfaces

LOCAL = 16  # pixels, of `chosen_radius`


def flattened(images: tf.Tensor | np.ndarray, radius: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Flattens images: `128 + 32 (x - m) / (s + 2)`, rounded and clipped to bytes.

    m is the local mean of each channel, s the local standard deviation over all channels; both
    are means over squares that reach `radius` pixels to every side, taken twice, of which the
    part inside the image counts. The outer `radius // 2` pixels are neutral: most of their
    surroundings are unknown, and margins would be the strongest marks of all.

    Args:
        images: uint8 (N, H, W, C).
        radius: whole pixels, some times the width of the marks to be seen. From `WHOLE` on the
            mean and deviation are those of all pixels of an image, and no pixel is neutral.

    Returns:
        uint8 (N, H, W, C), and float32 (N, H, W, 1): how many grey levels of the image one of
        the flattened image's stands for.
    """
    pixels = tf.cast(images, tf.float32)
    if radius >= WHOLE:
        rest = pixels - tf.reduce_mean(pixels, axis=(1, 2), keepdims=True)
        spread = tf.sqrt(tf.reduce_mean(tf.square(rest), axis=(1, 2, 3), keepdims=True))
        scale = (spread + FLOOR) / GAIN * tf.ones_like(rest[..., :1])
        return _in_bytes(rest / scale), scale
    rest = pixels - _local_mean(pixels, radius)
    squares = tf.reduce_mean(tf.square(rest), axis=-1, keepdims=True)
    scale = (tf.sqrt(_local_mean(squares, radius)) + FLOOR) / GAIN
    inside = tf.ones_like(rest[:, :, :, :1])
    for axis in (1, 2):
        place = tf.range(tf.shape(rest)[axis])
        near = tf.minimum(place, place[::-1]) >= radius // 2
        inside *= tf.reshape(tf.cast(near, tf.float32), [-1, 1, 1] if axis == 1 else [-1, 1])
    rest *= inside
    return _in_bytes(rest / scale), scale


def flattened_surfaces(surfaces: Surfaces, radius: int) -> Surfaces:
    """The same `Surfaces` with flattened images; see `flattened`."""
    shape = [1, None, None, surfaces.channels]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def run(image):
        return flattened(image, radius)[0]

    images = [np.asarray(run(image[None]))[0] for image in surfaces.images]
    return dataclasses.replace(surfaces, images=images)


def chosen_radius(surfaces: Surfaces, most: int = 60) -> int:
    """The radius for the images of `surfaces`: 16 where their light is uneven, else `WHOLE`.

    Uneven is light that makes more than half of the variance of the median defect-free image:
    that of the means over squares which reach 16 pixels to every side.
    """
    shares = []
    for image in surfaces.spread(most, defective=False).images:
        pixels = image[None].astype(np.float32)
        light = np.var(_local_mean(pixels, LOCAL))
        shares.append(light / max(np.var(pixels), 1e-6))
    return LOCAL if np.median(shares) > 0.5 else WHOLE


def _in_bytes(values):
    return tf.cast(tf.clip_by_value(tf.round(MIDDLE + values), 0, 255), tf.uint8)


def _local_mean(values, radius):
    size = 2 * radius + 1
    for window in 2 * ((size, 1), (1, size)):
        values = tf.nn.avg_pool2d(values, window, strides=1, padding="SAME")
    return values
