"""FR-GAN's classifier as files: SavedModel for a server, TFLite for a phone."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.srgb import srgb_to_linear
from keras_gans.export.checks import checked_pixels
from keras_gans.export.encoded import checked_file, decoded, map_files, srgb_curve
from keras_gans.export.parity import compare, print_parity
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import PRECISIONS, convert, write_models
from keras_gans.export.warmup import picture_examples


def export_classifier(
    discriminator: keras.Model,
    classes: Sequence[str],
    base: Path,
    metadata: dict,
    representative: np.ndarray,
    test_images: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
) -> dict[str, Path]:
    """Exports the discriminator as what it is after training: a classifier.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout. `serving_default` takes
      `images`, uint8 (N, H, W, 3) of any size, which `fit_size` brings to the network's, and
      gives `probabilities`, float32 (N, K); `classes`, string (N, K), the names of the
      classes in that order, in every row alike (a server that answers row by row wants a row
      an image of each output); and `label`, string (N,), the name of the likeliest. It
      refuses empty batches and images, see `checked_pixels`. `bytes` gives the same of
      `image_bytes`, string (N,), JPEG and PNG, see `keras_gans.export.encoded.decoded`.
      `assets.extra/model.json` holds `metadata`, and beside it `classes` and `image_size`.
    - `base/NAME-float32.tflite`, `-float16`, `-int8`, where NAME is the last part of `base`:
      from `images` (1, S, S, 3), float32 in [-1, 1], as the network takes them, to
      `probabilities` (1, K). Weight normalisation is worked out beforehand: the files hold
      the kernels alone.

    Args:
        discriminator: model from images (N, S, S, 3) in [-1, 1] to logits (N, K).
        classes: sequence of K names.
        base: folder, made if missing.
        metadata: dict of what can be written as JSON (what it was trained on, its figures).
        representative: uint8 (M, S, S, 3), training images; int8 measures its ranges on them.
            A hundred or two are enough.
        test_images, test_labels: uint8 (M, S, S, 3) and int (M,); if given, what
            `compare_classifier` finds on them is printed.

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
        ValueError: if there are not as many classes as logits.
    """
    base, classes = Path(base), list(classes)
    if len(classes) != discriminator.output_shape[1]:
        raise ValueError(
            f"The network has {discriminator.output_shape[1]} logits. Received: {classes}"
        )
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    models = {
        f"{base.name}-{precision}": convert_classifier(
            discriminator, precision, representative, classes
        )
        for precision in PRECISIONS
    }
    size = discriminator.input_shape[1]

    @tf.function(input_signature=[tf.TensorSpec([None, size, size, 3], tf.uint8)])
    def classify(images):
        logits = discriminator(to_float(images), training=False)
        probabilities = tf.nn.softmax(logits)
        names = tf.constant(classes)
        return {
            "probabilities": probabilities,
            "classes": tf.tile(names[None], [tf.shape(images)[0], 1]),
            "label": tf.gather(names, tf.argmax(probabilities, axis=1)),
        }

    def serve(images):
        return classify(fit_size(checked_pixels(images), size))

    def square(content):
        return {"images": fit_size(decoded(checked_file(content))[None], size)[0]}

    def serve_bytes(image_bytes):
        spec = tf.TensorSpec([size, size, 3], tf.uint8)
        return classify(map_files(square, image_bytes, {"images": spec})["images"])

    images = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
    files = tf.TensorSpec([None], tf.string, name="image_bytes")
    metadata = {**metadata, "classes": classes, "image_size": size}
    endpoints = {"serving_default": (serve, [images]), "bytes": (serve_bytes, [files])}
    examples = picture_examples(size, 3)
    version = export_saved_model(base, discriminator, endpoints, metadata, examples=examples)
    paths = write_models(models, version, metadata)
    if test_images is not None:
        print_classifiers(compare_classifier(discriminator, paths, test_images, test_labels))
    return {"saved_model": version, **paths}


def fit_size(images: tf.Tensor, size: int) -> tf.Tensor:
    """Brings images to the network's size, as the loader of folders does with its photographs.

    The largest square of the middle is reduced or enlarged in linear light by Lanczos' filter,
    as wide as the reduction asks for, so that fine patterns do not alias. Images that have the
    size pass unchanged.

    Args:
        images: uint8 tensor (N, H, W, 3), sRGB.
        size: S.

    Returns:
        uint8 (N, S, S, 3).
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    levels = tf.constant(srgb_to_linear(np.arange(256) / 255))

    def resized():
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = images[:, top : top + side, left : left + side]
        linear = tf.gather(levels, tf.cast(square, tf.int32))
        linear = tf.image.resize(linear, [size, size], "lanczos3", antialias=True)
        return tf.cast(tf.round(255 * srgb_curve(linear)), tf.uint8)

    fits = tf.logical_and(tf.equal(height, size), tf.equal(width, size))
    result = tf.cond(fits, lambda: images, resized)
    return tf.ensure_shape(result, [None, size, size, 3])


def convert_classifier(
    discriminator: keras.Model,
    precision: str,
    representative: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> bytes:
    """Converts the classifier, for one image at a time, to TFLite.

    In int8 the convolutions and the pooling are 8-bit; the recalibration, the dense layers and
    the softmax stay float.

    Args:
        discriminator, representative: see `export_classifier`; int8 needs the last.
        precision: `"float32"`, `"float16"` or `"int8"`.
        classes: their names, for the file's metadata.
    """
    size = discriminator.input_shape[1]

    def classify(images):
        return {"probabilities": tf.nn.softmax(discriminator(images, training=False))}

    return convert(
        classify,
        [tf.TensorSpec([1, size, size, 3], tf.float32, name="images")],
        {
            "task": "classification",
            "inputs": {"images": {"values": "sRGB, -1 to 1", "range": [-1, 1]}},
            "outputs": {"probabilities": {"values": "one a class", "classes": list(classes)}},
        },
        precision,
        None if representative is None else _single(representative),
    )


def compare_classifier(
    discriminator: keras.Model, paths: dict[str, Path], images: np.ndarray, labels: np.ndarray
) -> pd.DataFrame:
    """Size, latency, drift and accuracy of TFLite files against the Keras model.

    Args:
        discriminator: the model that was exported.
        paths: dict name -> path of a TFLite file.
        images: uint8 (M, S, S, 3).
        labels: int (M,).

    Returns:
        `pandas.DataFrame` as `keras_gans.export.parity.compare` gives it; `mean` and `max` are
        differences of probabilities in percentage points. Beside it `accuracy` in percent and
        `change`, how many points it is above the Keras model's.
    """
    logits = discriminator.predict(to_float(images), batch_size=100, verbose=0)
    expected = tf.nn.softmax(logits).numpy()
    right = np.mean(expected.argmax(axis=1) == labels)

    def accuracy(outputs):
        found = np.array([each["probabilities"][0].argmax() for each in outputs])
        found = np.mean(found == labels)
        return {"accuracy": 100 * found, "change": 100 * (found - right)}

    return compare(
        paths,
        _single(images),
        expected,
        lambda expected, outputs: 100 * np.abs(expected - outputs["probabilities"][0]),
        more=accuracy,
    )


def print_classifiers(rows: pd.DataFrame) -> None:
    """Prints what `compare_classifier` gives: the table, then a line a file."""
    print_parity(rows, "exported; probabilities against Keras, in percent", "points")
    for row in rows.itertuples():
        print(f"{row.name}: {row.accuracy:.2f} % ({row.change:+.2f} points)")


def _single(images):
    return [{"images": image} for image in to_float(images).numpy()[:, None]]
