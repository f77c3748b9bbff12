"""A generator as files: pictures from numbers, or from a seed alone."""

from pathlib import Path

import tensorflow as tf

from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import convert, write_models

PRECISIONS = ("float32", "float16")  # in int8 the noise of rounding would be in the picture


def export_generator(generator, base, metadata):
    """Exports a generator of images.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout, with two signatures:
      `serving_default` makes `images`, uint8 (N, S, S, C), of `z`, float32 (N, latent) in
      [-1, 1]; `from_seed` makes images number `first` to `first + count - 1` of a `seed`
      (int64, int32 and int64 scalars), with z as `draw_latent` draws it. Image number i of a
      seed is always the same one, to the bit on one machine, whatever `first` and `count`:
      the images are made one by one. `assets.extra/model.json` holds `metadata`, and beside
      it `latent`, `image_size` (S) and `channels` (C).
    - `base/NAME-float32.tflite` and `-float16`, where NAME is the last part of `base`: from
      `z` (1, latent) to `images` (1, S, S, C), uint8.

    Args:
        generator: `keras.Model` from z (N, latent) to images (N, S, S, C) in [-1, 1].
        base: folder, made if missing.
        metadata: dict of what can be written as JSON (what it was trained on, its figures).

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
    """
    base = Path(base)
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    latent = generator.input_shape[1]
    shape = generator.output_shape[1:]

    def generate(z):
        images = (generator(z, training=False) + 1) * 127.5
        return {"images": tf.cast(tf.clip_by_value(tf.round(images), 0, 255), tf.uint8)}

    def from_seed(first, count, seed):
        def one(number):
            return generate(draw_latent(seed, number, latent)[None])["images"][0]

        numbers = first + tf.range(tf.cast(count, tf.int64))
        spec = tf.TensorSpec(shape, tf.uint8)
        return {"images": tf.map_fn(one, numbers, fn_output_signature=spec)}

    models = {
        f"{base.name}-{precision}": convert(
            generate, [tf.TensorSpec([1, latent], tf.float32, name="z")], generator, precision
        )
        for precision in PRECISIONS
    }
    endpoints = {
        "serving_default": (generate, [tf.TensorSpec([None, latent], tf.float32, name="z")]),
        "from_seed": (
            from_seed,
            [
                tf.TensorSpec([], tf.int64, name="first"),
                tf.TensorSpec([], tf.int32, name="count"),
                tf.TensorSpec([], tf.int64, name="seed"),
            ],
        ),
    }
    metadata = {
        **metadata,
        "latent": latent,
        "image_size": shape[0],
        "channels": shape[2],
    }
    version = export_saved_model(base, generator, endpoints, metadata)
    return {"saved_model": version, **write_models(models, base)}


def draw_latent(seed, number, latent):
    """The z of image `number` of a seed: float32 (latent,), uniform in [-1, 1).

    A function of its arguments alone, the same on every machine.

    Args:
        seed, number: int64 scalars.
        latent: int, length of z.
    """
    return tf.random.stateless_uniform(
        [latent], [seed, number], -1, 1, alg=tf.random.Algorithm.PHILOX
    )
