"""DefectGAN as files: the detector for a server, the generator for a phone."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.served import served_defectgan
from keras_gans.defectgan.tiles import cut_tiles
from keras_gans.export.parity import compare
from keras_gans.export.runtimes import runner
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import PRECISIONS, convert, write_models
from keras_gans.export.warmup import picture_examples


def export_defectgan(
    cleaner: Cleaner,
    calibration: Calibration,
    base: Path,
    card: dict,
    representative: Sequence[np.ndarray],
) -> dict[str, Path]:
    """Exports a cleaner: with the detection around it, and its generator alone for phones.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout. The signatures take
      `images`, uint8 (N, H, W, C) of any size, and give what `build_detection_graph`
      describes: `serving_default` all of it; `mask`, `score` and `cleaned` one output each.
      They refuse empty batches and images, see `checked_pixels`. `bytes` takes
      `image_bytes`, string (N,), JPEG and PNG, and gives what `keras-gans detect` writes, as
      PNG: `overlay_bytes` and `mask_bytes`, string (N,); `score`; and `defective`, bool (N,).
      `tile` gives all of `images` (1, tile * reduce, tile * reduce, C), without a loop, for
      ONNX.
      `assets.extra/model.json` holds the card, and beside it `calibration` (a dict), `tile`,
      `reduce`, `flatten` and `channels`.
    - `base/defectgan-float32.tflite`, `-float16`, `-int8`: the generator alone, from `images`
      (1, tile, tile, C) in [-1, 1], already flattened and reduced, to `cleaned`, the same.

    Args:
        cleaner, calibration: see `build_detection_graph`.
        base: folder, made if missing.
        card: see `model_card`.
        representative: uint8 (H, W, C), training images of both kinds, flattened and reduced;
            int8 measures its ranges on one tile of each. A few dozen are enough.

    Returns:
        `saved_model` and the names of the TFLite files (without suffix) -> path.

    Raises:
        InputError: `base` cannot be written.
    """
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    generator, view = cleaner.generator, cleaner.view
    models = {
        f"defectgan-{precision}": convert_generator(
            generator, precision, view.tile, representative
        )
        for precision in PRECISIONS
    }
    card = {
        **card,
        "calibration": asdict(calibration),
        "tile": view.tile,
        "reduce": view.reduce,
        "flatten": view.flatten,
        "channels": cleaner.channels,
    }
    endpoints = served_defectgan(cleaner, calibration)
    examples = picture_examples(view.tile, cleaner.channels)
    version = export_saved_model(base, generator, endpoints, card, examples=examples)
    return {"saved_model": version, **write_models(models, version, card)}


def convert_generator(
    generator: keras.Model,
    precision: str,
    tile: int,
    representative: Sequence[np.ndarray] | None = None,
) -> bytes:
    """Converts a generator of one tile to TFLite.

    In int8 the convolutions are 8-bit, but for the last, whose 256 steps would be those of the
    picture; and of the two transposed ones the kernels alone: with fixed ranges for what these
    work on, too, the drift from the Keras model was several times as large. What normalises,
    adds and pads stays float.

    Args:
        generator, tile: see `Cleaner`.
        precision: "float32", "float16" or "int8".
        representative: see `export_defectgan`; int8 needs it.
    """
    channels = generator.input_shape[3]
    colour = f"{'grey' if channels == 1 else 'sRGB'}, flattened and reduced, -1 to 1"
    images = tf.TensorSpec([1, tile, tile, channels], tf.float32, name="images")
    return convert(
        lambda images: {"cleaned": generator(images, training=False)},
        [images],
        {
            "task": "defect detection: the picture without its defects",
            "inputs": {"images": {"values": f"a tile, {colour}", "range": [-1, 1]}},
            "outputs": {"cleaned": {"values": f"the tile, {colour}", "range": [-1, 1]}},
        },
        precision,
        representative and [{"images": x[None]} for x in cut_tiles(representative, tile)],
        float_head=True,
    )


def compare_defectgan(
    generator: keras.Model, paths: dict[str, Path], images: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Size, latency and drift of TFLite files against the Keras model; see `parity.compare`.

    Args:
        generator: the model that was exported.
        paths: name -> TFLite file.
        images: uint8 (H, W, C), of each of which one tile is compared, in grey levels 0..255.
    """
    first = runner(next(iter(paths.values())))
    size = int(first.get_input_details()["images"]["shape"][1])
    tiles = cut_tiles(images, size)[:, None]
    return compare(
        paths,
        [{"images": x} for x in tiles],
        [np.asarray(generator(x, training=False)) for x in tiles],
        lambda expected, outputs: 127.5 * np.abs(expected - outputs["cleaned"]),
    )
