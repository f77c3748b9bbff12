"""A generator as files: images from latent vectors, or from a seed alone."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from keras_gans.data.levels import to_levels
from keras_gans.export.checks import (
    checked_batch,
    checked_label,
    checked_latent,
    checked_numbers,
)
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import convert, write_models
from keras_gans.export.warmup import zero_examples

PRECISIONS = ("float32", "float16")  # the rounding of int8 would show in the images
COLOURS = {1: "grey", 3: "sRGB"}
DISTRIBUTIONS = ("uniform", "normal")  # of z


def export_generator(
    generator: keras.Model,
    base: str | os.PathLike,
    metadata: dict,
    distribution: Literal["uniform", "normal"] = "uniform",
    classes: Sequence[str] = (),
) -> dict[str, Path]:
    """Exports a generator of images.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout, with three signatures.
      `serving_default` makes `images`, uint8 (N, S, S, C), of `z`, float32 (N, latent).
      `from_seed` makes images number `first` to `first + count - 1` of a `seed` (int64, int32
      and int64 scalars), with z by `draw_latent`. They are made one by one, so that an image
      depends on its number and seed alone, to the bit on one machine. `bytes` makes the same
      as files: `image_bytes`, PNG, string (N,), of `seed` and `number`, int64 (N,). All refuse
      what is out of range, NaN and empty batches, see `keras_gans.export.checks`.
      `assets.extra/model.json` holds `metadata` and `latent`, `image_size` (S), `channels`
      (C), `distribution` if it is not uniform, and `classes` if there are any.
    - `base/NAME-float32.tflite` and `-float16`, NAME being the last part of `base`: from
      `z` (1, latent) to `images` (1, S, S, C), uint8.

    With classes all take `label` too, int32 below K: (N,), or a scalar for `from_seed`. To that
    and to `bytes` -1 means that a class is drawn for each image by `draw_label`. The first two
    signatures then also give `labels`, int32 (N,).

    Args:
        generator: model from z (N, latent), with classes from [z, label (N,)], to images
            (N, S, S, C) in [-1, 1].
        base: folder, made if missing.
        metadata: what can be written as JSON (what it was trained on, its figures).
        distribution: of z, see `draw_latent`.
        classes: names of the K classes.

    Returns:
        `saved_model` and the names of the TFLite files (without suffix) -> path.

    Raises:
        InputError: `base` cannot be written.
        ValueError: unknown distribution; classes where the generator takes none, or none
            where it does.
    """
    if distribution not in DISTRIBUTIONS or (len(generator.inputs) == 2) != bool(classes):
        raise ValueError(
            f"`distribution` must be one of {DISTRIBUTIONS}, `classes` as the generator takes "
            f"them. Received: {distribution!r}, {len(classes)} classes, "
            f"{len(generator.inputs)} inputs"
        )
    base = Path(base)
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    latent = generator.inputs[0].shape[1]
    shape = generator.output_shape[1:]

    def inputs(count):
        signature = [tf.TensorSpec([count, latent], tf.float32, name="z")]
        labels = [tf.TensorSpec([count], tf.int32, name="label")] if classes else []
        return signature + labels

    normal = "standard normal" if distribution == "normal" else "uniform from -1 to 1"
    about = {
        "task": "image generation",
        "inputs": {"z": {"values": f"latent vector, {normal}", "distribution": distribution}},
        "outputs": {"images": {"values": f"{COLOURS[shape[2]]}, 0 to 255", "range": [0, 255]}},
    }
    if classes:
        about["inputs"]["label"] = {"values": "number of the class", "classes": list(classes)}

    def generate(z, label=None):
        images = generator(z if label is None else [z, label], training=False)
        return {"images": to_levels(images)}

    generate_any = tf.function(generate, inputs(None), autograph=False)  # of all endpoints

    def serve(z, label=None):
        z = checked_latent(z)
        if label is None:
            return generate_any(z)
        label = checked_label(label, 0, len(classes))
        return {**generate_any(z, label), "labels": label}

    def one(seed, number, label):
        z = draw_latent(seed, number, latent, distribution)[None]
        if label is None:
            return {"images": generate_any(z)["images"][0]}
        chosen = tf.where(label < 0, draw_label(seed, number, len(classes)), label)
        return {"images": generate_any(z, chosen[None])["images"][0], "labels": chosen}

    def checked(label):
        return None if label is None else checked_label(label, -1, len(classes))

    specs = {"images": tf.TensorSpec(shape, tf.uint8)}
    specs |= {"labels": tf.TensorSpec([], tf.int32)} if classes else {}

    def from_seed(first, count, seed, label=None):
        numbers, label = checked_numbers(first, count), checked(label)
        return tf.map_fn(
            lambda number: one(seed, number, label), numbers, fn_output_signature=specs
        )

    def as_files(seed, number, label=None):
        number = checked_numbers(checked_batch(number), 1)

        def encoded(row):
            made = one(*row) if classes else one(*row, None)
            return tf.io.encode_png(made["images"])

        rows = (seed, number, checked(label)) if classes else (seed, number)
        png = tf.TensorSpec([], tf.string)
        return {"image_bytes": tf.map_fn(encoded, rows, fn_output_signature=png)}

    models = {
        f"{base.name}-{precision}": convert(generate, inputs(1), about, precision)
        for precision in PRECISIONS
    }
    labels = {"label": tf.int32} if classes else {}
    scalars = {"first": tf.int64, "count": tf.int32, "seed": tf.int64} | labels
    columns = {"seed": tf.int64, "number": tf.int64} | labels
    scalars, columns = (
        [tf.TensorSpec(shape, dtype, name=name) for name, dtype in each.items()]
        for each, shape in ((scalars, []), (columns, [None]))
    )
    endpoints = {
        "serving_default": (serve, inputs(None)),
        "from_seed": (from_seed, scalars),
        "bytes": (as_files, columns),
    }
    metadata = {
        **metadata,
        "latent": latent,
        "image_size": shape[0],
        "channels": shape[2],
    }
    if distribution != "uniform":
        metadata["distribution"] = distribution
    if classes:
        metadata["classes"] = list(classes)
    examples = zero_examples(endpoints, "serving_default", "bytes")
    version = export_saved_model(base, generator, endpoints, metadata, examples=examples)
    return {"saved_model": version, **write_models(models, version, metadata)}


def draw_latent(
    seed: int | tf.Tensor,
    number: int | tf.Tensor,
    latent: int,
    distribution: Literal["uniform", "normal"] = "uniform",
) -> tf.Tensor:
    """The z of image `number` of a seed, both int64 scalars: float32 (latent,).

    `"uniform"` is in [-1, 1), `"normal"` standard. The same on every machine, the normal one
    but for the rounding of logarithm and sine.
    """
    options = {"alg": tf.random.Algorithm.PHILOX}
    if distribution == "normal":
        return tf.random.stateless_normal([latent], [seed, number], **options)
    return tf.random.stateless_uniform([latent], [seed, number], -1, 1, **options)


def draw_label(seed: int | tf.Tensor, number: int | tf.Tensor, classes: int) -> tf.Tensor:
    """The class of image `number` of a seed, int64 scalars: int32 scalar, uniform in [0, K).

    `number` is not negative.
    """
    key = [seed, -1 - number]  # of no image's z
    return tf.random.stateless_uniform(
        [], key, 0, classes, dtype=tf.int32, alg=tf.random.Algorithm.PHILOX
    )
