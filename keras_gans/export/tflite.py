"""TFLite files from TensorFlow functions: float32, float16 and int8; run by LiteRT."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from keras_gans.export.card import write_card
from keras_gans.export.flatbuffer import compact, described, operations
from keras_gans.export.saved_model import output_folder
from keras_gans.quiet import stderr_hidden

PRECISIONS = ("float32", "float16", "int8")
INT8_OPERATIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
FACTS = ("license", "trained_on", "view")  # of a SavedModel that its files tell, too
LICENSE = "MIT; the data has its own terms"  # where the metadata names none


def convert(
    function: Callable[..., dict[str, tf.Tensor]],
    signature: Sequence[tf.TensorSpec],
    about: dict,
    precision: Literal["float32", "float16", "int8"] = "float32",
    representative: Iterable[dict[str, np.ndarray]] | None = None,
    float_head: bool = False,
) -> bytes:
    """Converts a function to a TFLite model of built-in operations.

    Args:
        function: takes tensors and returns named tensors.
        signature: named; sizes may be `None`.
        about: what `flatbuffer.metadata` tells of it: `task`, and in `inputs` and `outputs`
            the `values` of each.
        precision: `"float16"` stores weights in half precision and computes in float32.
            `"int8"` has 8-bit weights and activations in convolutions and pooling alone:
            encodings, norms and medians lose their meaning in 8 bits. Inputs and outputs
            are always what the signature says.
        representative: for int8, inputs as the function will see them. The ranges of the
            activations are measured on them.
        float_head: in int8, keeps the last convolution in float, for where its output is
            nearly the result and 256 steps would show.

    Returns:
        The file's content, with one signature `serving_default`.

    Raises:
        ValueError: unknown precision, or int8 without representative inputs.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}. Received: {precision!r}")
    if precision == "int8" and representative is None:
        raise ValueError("int8 needs representative inputs. Received: None")
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        stderr_hidden(),
    ):
        # calibration runs in tf.lite's own interpreter, which announces its successor
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        archive = keras.export.ExportArchive()
        archive.add_endpoint("serving_default", function, signature)
        archive.write_out(folder, verbose=False)
        # from_concrete_functions gives NaN with a Keras model, and no signature without
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = lambda: iter(representative)
            model = _quantize(converter, float_head)
        else:
            model = converter.convert()
    return described(compact(model), **about)


def _quantize(converter, float_head):
    """Calibrates, then quantises `INT8_OPERATIONS` alone, without the last if wanted."""
    names = {name for name in vars(schema.BuiltinOperator) if name.isupper()}
    others = sorted(names - set(INT8_OPERATIONS))
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=others)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_options=options
    )
    if float_head:
        graph = operations(debugger.calibrated_model)
        options.denylisted_nodes = [op for op in graph if op.name in INT8_OPERATIONS][
            -1
        ].outputs
    return debugger.get_nondebug_quantized_model()


def round_to_int8(kernel: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """Rounds a convolution kernel to the int8 grid of its channels, keeping its sums.

    Images are smooth, so the sum of a 3x3 kernel matters more than each of its values, and
    nine independent rounding errors add up. So all values are rounded down, and those with
    the largest remainders up, as many as bring the sum nearest to the original (our idea).
    The converter then finds the values on its own grid.

    Args:
        kernel: float (H, W, A, B).
        axes: the axes that share a scale: (0, 1, 2) for a convolution (H, W, in, out),
            (0, 1, 3) for a depthwise one (H, W, in, 1).

    Returns:
        float32 array of the same shape.
    """
    scale = np.maximum(np.abs(kernel).max(axes, keepdims=True), 1e-30) / 127
    grid = np.asarray(kernel, np.float64) / scale
    down = np.floor(grid)
    remainder = (grid - down).reshape(-1, *kernel.shape[2:])
    ups = np.round(remainder.sum(axis=0))
    rank = remainder.argsort(axis=0)[::-1].argsort(axis=0)
    return ((down + (rank < ups).reshape(kernel.shape)) * scale).astype(np.float32)


def rounded_network(network: keras.Model) -> keras.Model:
    """A copy of a network with its convolution kernels rounded by `round_to_int8`."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    for layer in copy.layers:
        weights = layer.get_weights()
        if isinstance(layer, keras.layers.SeparableConv2D | keras.layers.DepthwiseConv2D):
            weights[0] = round_to_int8(weights[0], (0, 1, 3))
        elif type(layer) is keras.layers.Conv2D:
            weights[0] = round_to_int8(weights[0], (0, 1, 2))
        else:
            continue
        layer.set_weights(weights)
    return copy


def write_models(models: dict[str, bytes], version: Path, metadata: dict) -> dict[str, Path]:
    """Writes models beside a SavedModel, as `NAME.tflite`, and the model card.

    Each is written completely or not at all.

    Args:
        models: name -> what `convert` gave.
        version: the SavedModel's folder.
        metadata: the SavedModel's; what it was trained on is written into the files, see
            `flatbuffer.metadata`.

    Returns:
        name -> path.

    Raises:
        InputError: the folder cannot be written.
    """
    facts = {"version": int(version.name), "license": LICENSE}
    facts |= {key: metadata[key] for key in FACTS if key in metadata}
    paths = {}
    with output_folder(version.parent) as (base, temporary):
        for name, model in models.items():
            (temporary / name).write_bytes(described(model, name=name, **facts))
        for name in models:
            paths[name] = base / f"{name}.tflite"
            os.replace(temporary / name, paths[name])
    write_card(version, metadata, paths.values())
    return paths
