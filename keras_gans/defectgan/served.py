"""What an exported DefectGAN answers: the functions of its signatures."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.export.checks import after, checked_pixels
from keras_gans.export.encoded import checked_file, decoded, map_files

OUTPUTS = ("mask", "score", "cleaned")  # with a signature of their own
MOST_PIXELS = 2**24  # of a file; the detector holds some ten float pictures
FILE_OUTPUTS = {
    "overlay_bytes": tf.TensorSpec([], tf.string),
    "mask_bytes": tf.TensorSpec([], tf.string),
    "score": tf.TensorSpec([], tf.float32),
    "defective": tf.TensorSpec([], tf.bool),
}
OUTLINE, TINT = (255, 40, 40), 0.3  # as `keras-gans detect` draws defects


def served_defectgan(
    cleaner: Cleaner, calibration: Calibration
) -> dict[str, tuple[Callable, list]]:
    """The endpoints of a detector; see `export_defectgan`. All but `tile` share one graph.

    Returns:
        signature name -> (function, list of `tf.TensorSpec`).
    """
    images, side = cleaner.signature, cleaner.view.tile * cleaner.view.reduce
    tile = tf.TensorSpec([1, side, side, cleaner.channels], tf.uint8, name="images")
    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    detect = build_detection_graph(cleaner, calibration)
    detector = tf.function(lambda images: detect(checked_pixels(images)), [images])

    def examine(content):
        pixels = _surface(checked_file(content, most=MOST_PIXELS))
        found = detector(pixels[None, ..., : cleaner.channels])
        score = found["score"][0]
        mask = (found["mask"][0] > 0) & (score > calibration.limit)
        overlay = draw_overlay(pixels, mask)
        return {
            "overlay_bytes": tf.io.encode_png(overlay),
            "mask_bytes": tf.io.encode_png(tf.cast(mask, tf.uint8)[..., None] * 255),
            "score": score,
            "defective": tf.reduce_any(mask),
        }

    def _surface(file):
        alpha = "image_bytes must be grey or RGB, without transparency"
        pixels = after(decoded(file), [((file.channels == 1) | (file.channels == 3), alpha)])
        if cleaner.channels == 1:
            grey = tf.reduce_all(tf.equal(pixels, pixels[..., :1]))
            pixels = after(pixels, [(grey, "image_bytes must be grey, as the model is")])
        return pixels

    return {
        "serving_default": (detector, [images]),
        **{name: (_only(detector, name), [images]) for name in OUTPUTS},
        "tile": (build_detection_graph(cleaner, calibration, tiled=False), [tile]),
        "bytes": (lambda image_bytes: map_files(examine, image_bytes, FILE_OUTPUTS), [files]),
    }


def draw_overlay(pixels: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Draws defects into an image: tinted red, with a red line around them.

    The same picture as `keras_gans.commands.overlay.draw_overlay` makes.

    Args:
        pixels: uint8 (H, W, 3).
        mask: bool (H, W).

    Returns:
        uint8 (H, W, 3).
    """
    tints = np.rint((1 - TINT) * np.arange(256)[:, None] + TINT * np.array(OUTLINE))
    tinted = tf.constant(tints.ravel(), tf.uint8)
    tinted = tf.gather(tinted, 3 * tf.cast(pixels, tf.int32) + [0, 1, 2])
    width = tf.maximum(tf.cast(tf.round(tf.reduce_max(tf.shape(mask)) / 500), tf.int32), 1)
    line = tf.cast(tf.constant(OUTLINE), tf.uint8)
    outlined = tf.where(_near(mask, width)[..., None], line, pixels)
    return tf.where(mask[..., None], tinted, outlined)


def _near(mask, width):
    """Whether a pixel of a mask (H, W) lies within so many to every side and diagonally."""
    for axis in (0, 1):
        size = tf.shape(mask)[axis]
        place = tf.range(size)
        sums = tf.cumsum(tf.cast(mask, tf.int32), axis)
        sums = tf.pad(sums, [[1 - axis, 0], [axis, 0]])
        before = tf.gather(sums, tf.maximum(place - width, 0), axis=axis)
        mask = tf.gather(sums, tf.minimum(place + width + 1, size), axis=axis) > before
    return mask


def _only(detector, name):
    return lambda images: {name: detector(images)[name]}
