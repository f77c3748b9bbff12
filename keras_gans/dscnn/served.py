"""What an exported DSCNN answers: the functions of its signatures."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.srgb import srgb_to_linear
from keras_gans.dscnn.confidence import scene_estimate
from keras_gans.dscnn.estimate import gains_of, traced_estimate
from keras_gans.dscnn.view import estimate_view
from keras_gans.export.checks import after, checked_pixels
from keras_gans.export.encoded import (
    QUALITY,
    checked_file,
    decoded,
    decoded_deep,
    map_files,
    srgb_curve,
)

OUTPUTS = ("illuminant", "local_map", "corrected")  # with a signature of their own


def served_dscnn(
    network: keras.Model,
    view: str | int,
    weights: Sequence[float] | None = None,
    sure: float = 0.0,
) -> dict[str, tuple[Callable, list]]:
    """The endpoints of a network; see `export_dscnn`. They share one graph of it.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        view: see `estimate_view`.
        weights: of the confidence, see `scene_estimate`.
        sure: see `scene_estimate`.

    Returns:
        signature name -> (function, list of `tf.TensorSpec`).
    """
    size = network.input_shape[1]
    traced, of_scene = (
        traced_estimate(network),
        tf.function(scene_estimate(network, weights, sure)),
    )
    images = [tf.TensorSpec([None, None, None, 3], tf.float32, name="images")]
    light = dict(LIGHT)
    if weights is None or view != "whole":
        del light["confidence"]

    @tf.function(input_signature=images)
    def viewed(images):
        found = estimate_view(traced, images, size, view, of_scene)
        found = {"gains": gains_of(found["illuminant"]), **found}
        return {name: found[name] for name in ("local_map", *light)}

    @tf.function(input_signature=images)
    def serve(images):
        images = checked_pixels(images, size)
        found = viewed(images)
        corrected = tf.clip_by_value(images * found["gains"][:, None, None], 0, 1)
        return {**found, "corrected": corrected}

    def native(images):
        found = traced(checked_pixels(images, size))
        return {name: found[name] for name in ("illuminant", "local_map")}

    def light_of(photo):
        lit = [(tf.reduce_max(photo) > 0, "images must not be all black: they show no light")]
        found = viewed(after(photo, lit)[None])
        return {name: found[name][0] for name in light}

    def finished(file):
        levels = decoded(file)
        found = light_of(tf.gather(LINEAR, tf.cast(levels, tf.int32)))
        corrected = corrected_levels(levels, found["gains"])
        return found | {"corrected_bytes": tf.io.encode_jpeg(corrected, "rgb", quality=QUALITY)}

    def linear(file):
        photo = tf.cast(decoded_deep(file), tf.float32) / 65535
        found = light_of(photo)
        corrected = tf.clip_by_value(photo * found["gains"], 0, 1)
        corrected = tf.cast(tf.round(65535 * corrected), tf.uint16)
        return found | {"corrected_bytes": tf.io.encode_png(corrected)}

    def photo(content):
        file = checked_file(content, size)
        return tf.cond(file.bits > 8, lambda: linear(file), lambda: finished(file))

    def serve_bytes(image_bytes):
        return map_files(photo, image_bytes, {**light, **CORRECTED})

    files = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    return {
        "serving_default": (serve, images),
        **{name: (_only(serve, name), images) for name in OUTPUTS},
        "native": (native, images),
        "bytes": (serve_bytes, files),
    }


LIGHT = {
    "illuminant": tf.TensorSpec([3], tf.float32),
    "gains": tf.TensorSpec([3], tf.float32),
    "confidence": tf.TensorSpec([], tf.float32),
}
CORRECTED = {"corrected_bytes": tf.TensorSpec([], tf.string)}
LINEAR = srgb_to_linear(np.arange(256) / 255)  # of sRGB levels
WHITENESS = np.clip(10 * LINEAR - 9, 0, 1)  # of a pixel whose darkest channel has the level
GREYEST = np.flatnonzero(WHITENESS)[0] - 1  # the last level that has none


def corrected_levels(levels: tf.Tensor, gains: tf.Tensor) -> tf.Tensor:
    """Divides the light out of a finished photo; what is clipped in all channels stays white.

    Looked up in a table of all levels, as `keras_gans.data.photo.Levels` does.

    Args:
        levels: uint8 (H, W, 3), sRGB.
        gains: float32 (3,), of linear RGB.

    Returns:
        uint8 (H, W, 3), sRGB.
    """
    corrected = LINEAR[:, None] * gains
    white = tf.constant(WHITENESS[GREYEST:, None, None], tf.float32)
    table = tf.clip_by_value(corrected + white * (1 - corrected), 0, 1)
    table = tf.cast(tf.round(255 * srgb_curve(table)), tf.uint8)  # (whiteness, level, channel)
    levels = tf.cast(levels, tf.int32)
    least = tf.maximum(tf.reduce_min(levels, axis=2, keepdims=True) - GREYEST, 0)
    return tf.gather(tf.reshape(table, [-1]), (256 * least + levels) * 3 + [0, 1, 2])


def _only(serve, name):
    return lambda images: {name: serve(images)[name]}
