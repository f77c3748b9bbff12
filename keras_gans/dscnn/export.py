"""DSCNN as files: SavedModel for a server, TFLite for a phone. Whole images in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gans.data.squares import area_average
from keras_gans.dscnn.confidence import scene_estimate
from keras_gans.dscnn.estimate import estimate, estimate_images, gains_of, unit_lights
from keras_gans.dscnn.lite import WITHIN
from keras_gans.dscnn.served import served_dscnn
from keras_gans.export.checks import BRIGHTEST, DARKEST, nan_unless, within
from keras_gans.export.flatbuffer import metadata
from keras_gans.export.parity import compare
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import PRECISIONS, convert, rounded_network, write_models
from keras_gans.export.warmup import picture_examples
from keras_gans.metrics.angular import angular_errors

FORMS = ("images", "thumbnail", "network")  # of TFLite files


def export_dscnn(
    network: keras.Model,
    base: Path,
    metadata: dict,
    representative_images: Sequence[np.ndarray],
) -> dict[str, Path]:
    """Exports a network together with the estimate for whole images.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout. The signatures take
      `images`, float32 (N, H, W, 3), linear RGB in [0, 1], H and W at least S, bring them
      to the view that the model was trained on themselves (see `estimate_view`), and give
      what `estimate` describes: `serving_default` all of it; `illuminant`, `local_map` and
      `corrected` one output each; `native` the first two of the images as they are. They
      refuse other images, see `checked_pixels`. `bytes` takes `image_bytes`, string (N,),
      JPEG and PNG, of 8 bits (sRGB) or PNG of 16 bits (linear), and gives `illuminant` and
      `corrected_bytes`, string (N,), the photos in full size: JPEG, or PNG of 16 bits.
      Highlights of 8 bits that are clipped in all channels stay white.
    - `base/dscnn-float32.tflite`, `-float16`, `-int8`: `images` (1, H, W, 3) of any size
      from S up to `illuminant` and `gains` (1, 3) and `confidence` (1,), which are NaN for
      other images.
      Where the model's view is "whole" they average them into a thumbnail themselves.
    - `base/dscnn-S-float32.tflite` and so on, S in digits: the same for `images` of the one
      size (1, S, S, 3), for runtimes that know fixed sizes alone.
    - `base/dscnn-network-float32.tflite` and so on: the network alone, which a GPU takes
      whole, from such `images` to `directions` (1, 3), of any length, unchecked.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        base: folder, made if missing.
        metadata: what can be written as JSON (what it was trained on, its errors). Its `view`,
            "native" if there is none, is that of the signatures; `confidence` the weights of
            `scene_estimate`, with which models of view "whole" tell how sure they are, and
            `sure`, see there.
        representative_images: sequence of float32 (H, W, 3), what a user's images are like;
            int8 measures its ranges on them. A hundred or two are enough.

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
    """
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    view = metadata.get("view", "native")
    trust = metadata.get("confidence"), metadata.get("sure", 0.0)
    names = {"images": "", "thumbnail": f"-{network.input_shape[1]}", "network": "-network"}
    models = {
        f"dscnn{names[form]}-{precision}": convert_dscnn(
            network, precision, representative_images, form, view, trust
        )
        for form in FORMS
        for precision in PRECISIONS
    }
    endpoints = served_dscnn(network, view, *trust)
    examples = picture_examples(network.input_shape[1], 3, np.float32)
    version = export_saved_model(base, network, endpoints, metadata, examples=examples)
    return {"saved_model": version, **write_models(models, version, metadata)}


def convert_dscnn(
    network: keras.Model,
    precision: str,
    representative_images: Sequence[np.ndarray] | None = None,
    form: Literal["images", "thumbnail", "network"] = "images",
    view: str | int = "native",
    trust: tuple[Sequence[float] | None, float] = (None, 0.0),
) -> bytes:
    """Converts a network, alone or with the estimate for one image, to TFLite: bytes.

    In int8 only the network's convolutions and pooling are 8-bit. The gamma encoding before
    them, the average, the norms and the median after them stay float: linear values in 256
    steps would leave nothing of the shadows.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        precision: `"float32"`, `"float16"` or `"int8"`.
        representative_images: see `export_dscnn`; needed for int8.
        form: what the file takes and gives, see `export_dscnn`: `images` of any size, a
            `thumbnail` of the network's, or the `network` alone.
        view: of `images`: "whole" if they are to be reduced to a thumbnail first.
        trust: weights and sure of such scenes, see `scene_estimate`.
    """
    if precision == "int8":
        network = rounded_network(network)
    size = network.input_shape[1]

    def of_patch(images):
        if view == "whole":
            return scene_estimate(network, *trust)(images)
        # the median of one vote is that vote
        return lights(unit_lights(unit_lights(network(images, training=False))))

    def lights(illuminant):
        return {"illuminant": illuminant, "gains": gains_of(illuminant)}

    def of_images(images):
        height, width = tf.unstack(tf.shape(images)[1:3])
        valid = tf.minimum(height, width) >= size
        missing = [[0, tf.maximum(size - side, 0)] for side in (height, width)]
        padded = tf.pad(images, [[0, 0], *missing, [0, 0]])
        if view == "whole":
            light = of_patch(_area_averaged(padded, size))
        else:
            light = lights(tf.reshape(estimate(network, padded)["illuminant"], [1, 3]))
        return _checked(images, light, valid)

    function = {
        "images": of_images,
        "thumbnail": lambda images: _checked(images, of_patch(images)),
        "network": lambda images: {"directions": network(images, training=False)},
    }[form]
    side = None if form == "images" else size
    inputs = representative_images
    if inputs is not None and form != "images":
        inputs = [patch for image in inputs for patch in _patches(image, size, view)]
    return convert(
        function,
        [tf.TensorSpec([1, side, side, 3], tf.float32, name="images")],
        _about(form, size, view, trust[0]),
        precision,
        None if inputs is None else [{"images": image[None]} for image in inputs],
    )


def _checked(images, light, valid=True):
    valid &= within(images, DARKEST, BRIGHTEST)
    return {name: nan_unless(valid, value) for name, value in light.items()}


def _about(form, size, view, weights):
    """What a file says of itself, see `flatbuffer.metadata`."""
    shown = f"a scene of any size from {size}x{size}"
    if form != "images":
        shown = "a whole scene averaged over areas" if view == "whole" else "a patch of a scene"
    light = {"values": "RGB of the light, of any length; the input is not checked"}
    if form != "network":
        small = f"H or W is below {size}, or " if form == "images" else ""
        wrong = f"{small}a value is not finite or out of range"
        light = {"values": f"RGB of the light, of unit norm; NaN where {wrong}"}
    gains = "of linear RGB, green's is 1; a model for photos corrects less where it is unsure"
    outputs = {"illuminant": light, "gains": {"values": gains}}
    if weights is not None and view == "whole":
        chance = f"chance that the light is within {WITHIN:g} degrees; NaN as illuminant"
        outputs["confidence"] = {"values": chance}
    return {
        "task": "white balance",
        "inputs": {"images": {"values": f"{shown}, linear RGB, 0 to 1", "range": [0, 1]}},
        "outputs": {"directions": light} if form == "network" else outputs,
    }


def _area_averaged(images, size):
    """The means of size x size areas of one image (1, H, W, 3), by products of matrices."""

    def weights(side):
        side = tf.cast(side, tf.float32)
        start = tf.range(size, dtype=tf.float32)[:, None] * (side / size)
        left = tf.range(side)
        covered = tf.minimum(start + side / size, left + 1) - tf.maximum(start, left)
        return tf.nn.relu(covered) * (size / side)

    height, width = tf.unstack(tf.shape(images)[1:3])
    rows = weights(height) @ tf.reshape(images, [height, 3 * width])
    return (weights(width) @ tf.reshape(rows, [size, width, 3]))[None]


def _patches(image, size, view):
    """What of an image the network is shown at a time."""
    if view == "whole":
        yield area_average(image, size, size)
        return
    height, width = image.shape[:2]
    for top in range(0, height - size + 1, size):
        for left in range(0, width - size + 1, size):
            yield image[top : top + size, left : left + size]


def compare_dscnn(
    network: keras.Model, paths: dict[str, Path], images: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Size, latency and drift of TFLite files against the Keras model.

    Args:
        network: the model that was exported.
        paths: dict name -> path of a TFLite file; those of one size see the first patch,
            or where that is their view a thumbnail.
        images: sequence of float32 (H, W, 3).

    Returns:
        `pandas.DataFrame` as `keras_gans.export.parity.compare` gives it; `mean` and `max`
        are angles in degrees.
    """
    size = network.input_shape[1]

    def rows(name, path):
        about = metadata(path)
        shown, view = images, about.get("view", "native")
        if view == "whole" or about["inputs"]["images"]["shape"][1] == size:
            shown = [next(_patches(image, size, view)) for image in images]
        given = images if about["inputs"]["images"]["shape"][1] is None else shown
        return compare(
            {name: path},
            [{"images": image[None]} for image in given],
            estimate_images(network, shown, turned=view == "whole" and "-network" not in name)[
                0
            ],
            lambda expected, outputs: angular_errors(
                expected, outputs.get("illuminant", outputs.get("directions"))
            ),
        )

    return pd.concat([rows(*each) for each in paths.items()], ignore_index=True)
