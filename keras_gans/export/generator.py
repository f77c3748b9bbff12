"""A generator as files: pictures from numbers, or from a seed alone."""

from pathlib import Path

import tensorflow as tf

from keras_gans.data.levels import to_levels
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import convert, write_models

PRECISIONS = ("float32", "float16")  # in int8 the noise of rounding would be in the picture
DISTRIBUTIONS = ("uniform", "normal")  # of z


def export_generator(generator, base, metadata, distribution="uniform", classes=()):
    """Exports a generator of images.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout, with two signatures:
      `serving_default` makes `images`, uint8 (N, S, S, C), of `z`, float32 (N, latent);
      `from_seed` makes images number `first` to `first + count - 1` of a `seed`
      (int64, int32 and int64 scalars), with z as `draw_latent` draws it. Image number i of a
      seed is always the same one, to the bit on one machine, whatever `first` and `count`:
      the images are made one by one. `assets.extra/model.json` holds `metadata`, and beside
      it `latent`, `image_size` (S) and `channels` (C), `distribution` if it is not uniform,
      and `classes` if there are any.
    - `base/NAME-float32.tflite` and `-float16`, where NAME is the last part of `base`: from
      `z` (1, latent) to `images` (1, S, S, C), uint8.

    With classes all take `label` too, int32, a number below K: (N,), for `from_seed` a scalar,
    which may also be -1: each image has a class drawn at random, as `draw_label` does. Then
    the SavedModel also gives `labels`, int32 (N,).

    Args:
        generator: `keras.Model` from z (N, latent), with classes from [z, label (N,)], to
            images (N, S, S, C) in [-1, 1].
        base: folder, made if missing.
        metadata: dict of what can be written as JSON (what it was trained on, its figures).
        distribution: of z, see `draw_latent`.
        classes: names of the K classes.

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
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

    def generate(z, label=None):
        images = generator(z if label is None else [z, label], training=False)
        return {"images": to_levels(images)}

    def serve_classes(z, label):
        with tf.control_dependencies([_known(label, 0, len(classes))]):
            return {**generate(tf.identity(z), label), "labels": tf.identity(label)}

    def from_seed(first, count, seed):
        def one(number):
            z = draw_latent(seed, number, latent, distribution)
            return generate(z[None])["images"][0]

        numbers = first + tf.range(tf.cast(count, tf.int64))
        spec = tf.TensorSpec(shape, tf.uint8)
        return {"images": tf.map_fn(one, numbers, fn_output_signature=spec)}

    def from_seed_classes(first, count, seed, label):
        def one(number):
            z = draw_latent(seed, number, latent, distribution)
            chosen = tf.where(label < 0, draw_label(seed, number, len(classes)), label)
            return generate(z[None], chosen[None])["images"][0], chosen

        spec = tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([], tf.int32)
        with tf.control_dependencies([_known(label, -1, len(classes))]):
            numbers = first + tf.range(tf.cast(count, tf.int64))
            images, labels = tf.map_fn(one, numbers, fn_output_signature=spec)
        return {"images": images, "labels": labels}

    def inputs(count):
        signature = [tf.TensorSpec([count, latent], tf.float32, name="z")]
        labels = [tf.TensorSpec([count], tf.int32, name="label")] if classes else []
        return signature + labels

    models = {
        f"{base.name}-{precision}": convert(generate, inputs(1), generator, precision)
        for precision in PRECISIONS
    }
    scalars = {"first": tf.int64, "count": tf.int32, "seed": tf.int64}
    scalars |= {"label": tf.int32} if classes else {}
    scalars = [tf.TensorSpec([], dtype, name=name) for name, dtype in scalars.items()]
    endpoints = {
        "serving_default": (serve_classes if classes else generate, inputs(None)),
        "from_seed": (from_seed_classes if classes else from_seed, scalars),
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
    version = export_saved_model(base, generator, endpoints, metadata)
    return {"saved_model": version, **write_models(models, base)}


def draw_latent(seed, number, latent, distribution="uniform"):
    """The z of image `number` of a seed: float32 (latent,).

    A function of its arguments alone, the same on every machine (normal ones but for the
    rounding of logarithm and sine).

    Args:
        seed, number: int64 scalars.
        latent: int, length of z.
        distribution: `"uniform"` in [-1, 1), or `"normal"`, standard.
    """
    options = {"alg": tf.random.Algorithm.PHILOX}
    if distribution == "normal":
        return tf.random.stateless_normal([latent], [seed, number], **options)
    return tf.random.stateless_uniform([latent], [seed, number], -1, 1, **options)


def draw_label(seed, number, classes):
    """The class of image `number` of a seed: int32 scalar below `classes`, all alike.

    Args:
        seed, number: int64 scalars, `number` not negative.
        classes: int.
    """
    key = [seed, -1 - number]  # of no image's z
    return tf.random.stateless_uniform(
        [], key, 0, classes, dtype=tf.int32, alg=tf.random.Algorithm.PHILOX
    )


def _known(label, low, classes):
    """Fails where a label is none."""
    inside = tf.reduce_all((label >= low) & (label < classes))
    return tf.debugging.Assert(inside, [f"label must be from {low} to {classes - 1}:", label])
