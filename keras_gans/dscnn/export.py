"""DSCNN as files: SavedModel for a server, TFLite for a phone. Whole images in."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gans.dscnn.estimate import estimate, estimate_images
from keras_gans.export.checks import BRIGHTEST, checked_pixels, nan_unless, within
from keras_gans.export.parity import compare
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import PRECISIONS, convert, rounded_network, write_models
from keras_gans.metrics.angular import angular_errors

OUTPUTS = ("illuminant", "local_map", "corrected")
DESCRIPTION = (
    "illuminant (1, 3), unit norm, of images (1, H, W, 3), linear RGB from 0 to 1; NaN where H "
    "or W is below {size}, or a value is not finite or out of range"
)


def export_dscnn(
    network: keras.Model,
    base: Path,
    metadata: dict,
    representative_images: Sequence[np.ndarray],
) -> dict[str, Path]:
    """Exports a network together with the estimate for whole images.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout. The signatures take
      `images`, float32 (N, H, W, 3), linear RGB in [0, 1], H and W at least S, and give
      what `estimate` describes: `serving_default` all of it; `illuminant`, `local_map` and
      `corrected` one output each. They refuse other images, see `checked_pixels`.
    - `base/dscnn-float32.tflite`, `-float16`, `-int8`: `images` (1, H, W, 3) of any size
      from S up to `illuminant` (1, 3), which is NaN for other images.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        base: folder, made if missing.
        metadata: what can be written as JSON (what it was trained on, its errors).
        representative_images: sequence of float32 (H, W, 3), what a user's images are like;
            int8 measures its ranges on them. A hundred or two are enough.

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
    """
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    models = {
        f"dscnn-{precision}": convert_dscnn(network, precision, representative_images)
        for precision in PRECISIONS
    }
    images = tf.TensorSpec([None, None, None, 3], tf.float32, name="images")
    endpoints = {name: (_estimator(network, [name]), [images]) for name in OUTPUTS}
    endpoints["serving_default"] = _estimator(network, OUTPUTS), [images]
    version = export_saved_model(base, network, endpoints, metadata)
    return {"saved_model": version, **write_models(models, base)}


def convert_dscnn(
    network: keras.Model,
    precision: str,
    representative_images: Sequence[np.ndarray] | None = None,
) -> bytes:
    """Converts a network and the estimate for one whole image to TFLite: bytes.

    In int8 only the network's convolutions and pooling are 8-bit. The gamma encoding before
    them, the average, the norms and the median after them stay float: linear values in 256
    steps would leave nothing of the shadows.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        precision: `"float32"`, `"float16"` or `"int8"`.
        representative_images: see `export_dscnn`; needed for int8.
    """
    if precision == "int8":
        network = rounded_network(network)
    images = tf.TensorSpec([1, None, None, 3], tf.float32, name="images")
    representative = None
    if representative_images is not None:
        representative = ({"images": image[None]} for image in representative_images)
    size = network.input_shape[1]

    def run(images):
        height, width = tf.unstack(tf.shape(images)[1:3])
        valid = (tf.minimum(height, width) >= size) & within(images, 0, BRIGHTEST)
        missing = [[0, tf.maximum(size - side, 0)] for side in (height, width)]
        images = tf.pad(images, [[0, 0], *missing, [0, 0]])
        return {"illuminant": nan_unless(valid, estimate(network, images)["illuminant"])}

    description = DESCRIPTION.format(size=size)
    return convert(run, [images], network, precision, representative, description=description)


def compare_dscnn(
    network: keras.Model, paths: dict[str, Path], images: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Size, latency and drift of TFLite files against the Keras model.

    Args:
        network: the model that was exported.
        paths: dict name -> path of a TFLite file.
        images: sequence of float32 (H, W, 3).

    Returns:
        `pandas.DataFrame` as `keras_gans.export.parity.compare` gives it; `mean` and `max`
        are angles in degrees.
    """
    illuminants, _ = estimate_images(network, images)
    return compare(
        paths,
        [{"images": image[None]} for image in images],
        illuminants,
        lambda expected, outputs: angular_errors(expected, outputs["illuminant"][0]),
    )


def _estimator(network, outputs):
    size = network.input_shape[1]

    def run(images):
        result = estimate(network, checked_pixels(images, size))
        return {name: result[name] for name in outputs}

    return run
