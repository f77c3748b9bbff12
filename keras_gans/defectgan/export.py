"""DefectGAN as files: the detector for a server, the generator for a phone."""

from dataclasses import asdict

import numpy as np
import tensorflow as tf

from keras_gans.defectgan.detect import build_detection_graph
from keras_gans.defectgan.tiles import mirrored
from keras_gans.export.parity import compare
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import PRECISIONS, convert, runner, write_models

OUTPUTS = ("mask", "score", "cleaned")  # with a signature of their own


def export_defectgan(
    generator, calibration, tile, base, metadata, representative, reduce=1, flatten=0
):
    """Exports a generator: with the detection around it, and alone for phones.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout. The signatures take
      `images`, uint8 (N, H, W, C) of any size, and give what `build_detection_graph`
      describes: `serving_default` all of it; `mask`, `score` and `cleaned` one output each.
      `assets.extra/model.json` holds `metadata`, and beside it `calibration` (a dict),
      `tile`, `reduce`, `flatten` and `channels`.
    - `base/defectgan-float32.tflite`, `-float16`, `-int8`: the generator alone, from `images`
      (1, tile, tile, C) in [-1, 1] to `cleaned`, the same.

    Args:
        generator: model from images (N, tile, tile, C) in [-1, 1] to such images.
        calibration: `Calibration`.
        tile: side in pixels of what the generator sees at once, a multiple of 4.
        base: folder, made if missing.
        metadata: dict of what can be written as JSON (what it was trained on, its figures).
        representative: sequence of uint8 (H, W, C), training images of both kinds; int8
            measures its ranges on one tile of each. A few dozen are enough. Already
            flattened and reduced.
        reduce: see `traced_cleaner`; the TFLite files take images already reduced.
        flatten: see `build_detection_graph`; the TFLite files take images already flattened.

    Returns:
        dict: `saved_model` and the names of the TFLite files (without suffix) -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
    """
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    models = {
        f"defectgan-{precision}": convert_generator(generator, precision, tile, representative)
        for precision in PRECISIONS
    }
    channels = generator.input_shape[3]
    metadata = {
        **metadata,
        "calibration": asdict(calibration),
        "tile": tile,
        "reduce": reduce,
        "flatten": flatten,
        "channels": channels,
    }
    images = tf.TensorSpec([None, None, None, channels], tf.uint8, name="images")
    detector = build_detection_graph(
        generator, calibration, tile, reduce=reduce, flatten=flatten
    )
    detector = tf.function(detector, input_signature=[images])  # one graph for all endpoints
    endpoints = {name: (_only(detector, name), [images]) for name in OUTPUTS}
    endpoints["serving_default"] = detector, [images]
    version = export_saved_model(base, generator, endpoints, metadata)
    return {"saved_model": version, **write_models(models, base)}


def convert_generator(generator, precision, tile, representative=None):
    """Converts a generator of one tile to TFLite: bytes.

    In int8 the convolutions are 8-bit, but for the last, whose 256 steps would be those of the
    picture; and of the two transposed ones the kernels alone: with fixed ranges for what these
    work on, too, the drift from the Keras model was several times as large. What normalises,
    adds and pads stays float. Kernels whose sums are kept (`round_to_int8`) made no
    difference, so the generator is taken as it is.

    Args:
        generator, tile, representative: see `export_defectgan`; int8 needs the last.
        precision: `"float32"`, `"float16"` or `"int8"`.
    """
    channels = generator.input_shape[3]
    images = tf.TensorSpec([1, tile, tile, channels], tf.float32, name="images")
    return convert(
        lambda images: {"cleaned": generator(images, training=False)},
        [images],
        generator,
        precision,
        representative and [{"images": x} for x in cut_tiles(representative, tile)],
        float_head=True,
    )


def compare_defectgan(generator, paths, images):
    """Size, latency and drift of TFLite files against the Keras model.

    Args:
        generator: the model that was exported.
        paths: dict name -> path of a TFLite file.
        images: sequence of uint8 (H, W, C), of each of which one tile is compared.

    Returns:
        `pandas.DataFrame` as `keras_gans.export.parity.compare` gives it; `mean` and `max`
        are over all pixels and channels, in grey levels 0..255.
    """
    first = runner(next(iter(paths.values())))
    tiles = cut_tiles(images, int(first.get_input_details()["images"]["shape"][1]))
    return compare(
        paths,
        [{"images": x} for x in tiles],
        [np.asarray(generator(x, training=False)) for x in tiles],
        lambda expected, outputs: 127.5 * np.abs(expected - outputs["cleaned"]),
    )


def cut_tiles(images, size):
    """Cuts one tile out of each image, at places that are always the same.

    Args:
        images: sequence of uint8 (H, W, C); smaller ones are continued by reflection.
        size: side of a tile in pixels.

    Returns:
        list of float32 (1, size, size, C) in [-1, 1].
    """
    rng = np.random.default_rng(0)
    tiles = []
    for image in images:
        starts = [rng.integers(max(length - size, 0) + 1) for length in image.shape[:2]]
        rows, columns = (
            mirrored(length, -start, size) for length, start in zip(image.shape, starts)
        )
        tiles.append(image[None, rows][:, :, columns].astype(np.float32) / 127.5 - 1)
    return tiles


def _only(detector, name):
    return lambda images: {name: detector(images)[name]}
