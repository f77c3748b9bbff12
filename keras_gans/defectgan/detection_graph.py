"""Detection as TensorFlow operations, for the exported model: the numbers of `detection`."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import LUMA, STEPS, Calibration, gaussian_weights, on_grid
from keras_gans.defectgan.flatten import flattened
from keras_gans.defectgan.tiles import mirrored


def build_detection_graph(
    cleaner: Cleaner, calibration: Calibration, tiled: bool = True
) -> Callable:
    """Detection as a function that runs eagerly and in graphs.

    With `cleaner.view.flatten` the images are flattened first, and the difference is that of
    the flattened images; what is cleaned has the light of the images as they are.

    Args:
        cleaner, calibration: what to clean with, and when a difference is a defect.
        tiled: whether images are cut into tiles. If not, each must be one tile (reduced), and
            of images whose size is known the graph has no loop, as ONNX wants it.

    Returns:
        function from uint8 (N, H, W, C), any N, H and W, to a dict of

        - `cleaned`: uint8 (N, H, W, C).
        - `difference`: float32 (N, H, W), denoised, in grey levels 0..255.
        - `mask`: uint8 (N, H, W), 255 where the defects are, else 0.
        - `score`: float32 (N,), the mean of the largest `score_pixels` of `difference`.
    """
    flatten = cleaner.view.flatten

    def run(taken):
        images, scale = flattened(taken, flatten) if flatten else (taken, None)
        cleaned = cleaner.clean(images, tiled)
        values = _difference(images, cleaned, calibration.bias, calibration.sigma)
        peaks = _largest_near(values, calibration.reach)
        found = values > tf.maximum(peaks * calibration.share, calibration.threshold)
        found = tf.cast(found & (peaks > calibration.peak), tf.float32)
        found = _largest_near(found, calibration.dilation)
        if flatten:
            change = tf.cast(cleaned, tf.float32) - tf.cast(images, tf.float32)
            restored = tf.round(tf.cast(taken, tf.float32) + change * scale)
            cleaned = tf.cast(tf.clip_by_value(restored, 0, 255), tf.uint8)
        return {
            "cleaned": cleaned,
            "difference": values,
            "mask": tf.cast(255 * found, tf.uint8),
            "score": _score(values, calibration.score_pixels),
        }

    return run


def _score(values, pixels):
    if pixels == 1:
        return tf.reduce_max(values, axis=[1, 2])
    values = tf.reshape(values, [tf.shape(values)[0], -1])
    count = tf.minimum(tf.shape(values)[1], int(pixels))
    return tf.reduce_mean(tf.math.top_k(values, count, sorted=False)[0], axis=1)


def _difference(images, cleaned, bias, sigma):
    """`difference` in TensorFlow: the same numbers."""
    values = _grid(_grey(images) - _grey(cleaned)) - np.float32(on_grid(bias))
    values = tf.minimum(tf.abs(values), 255)
    weights = gaussian_weights(sigma)
    for axis in (1, 2):
        size = values.shape[axis] or tf.shape(values)[axis]
        inside = mirrored(size, len(weights) // 2, size + len(weights) - 1)
        values = _grid(_correlate(tf.gather(values, inside, axis=axis), weights, axis, size))
    return values


def _correlate(padded, weights, axis, size):
    """One tap after the other: little memory, and no rounding as in a GPU's convolutions."""

    def add(total, tap):
        shift, weight = tap
        place = (slice(None),) * axis + (slice(shift, shift + size),)
        return total + weight * padded[place]

    shape = tf.concat([tf.shape(padded)[:axis], [size], tf.shape(padded)[axis + 1 :]], axis=0)
    if isinstance(size, int):
        return functools.reduce(add, enumerate(weights), tf.zeros(shape))
    taps = tf.range(len(weights)), tf.constant(weights)
    return tf.foldl(add, taps, initializer=tf.zeros(shape), parallel_iterations=1)


def _largest_near(values, radius):
    """The largest of values (N, H, W) within so many pixels to every side and diagonally."""
    values = values[..., None]
    size = 2 * int(radius) + 1
    for window in ((size, 1), (1, size)):
        values = tf.nn.max_pool2d(values, window, strides=1, padding="SAME")
    return values[..., 0]


def _grey(images):
    images = tf.cast(images, tf.float32)
    if images.shape[3] == 1:
        return images[..., 0]
    return sum(images[..., c] * LUMA[c] for c in range(3))


def _grid(values):
    return tf.round(values * STEPS) / STEPS
