"""TFLite files from TensorFlow functions: float32, float16 and int8; run by LiteRT."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, SignatureRunner

from keras_gans.export.saved_model import output_folder
from keras_gans.quiet import stderr_hidden

PRECISIONS = ("float32", "float16", "int8")
INT8_OPERATIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
_OPERATIONS, _TYPES = (
    {number: name for name, number in vars(names).items() if name.isupper()}
    for names in (schema.BuiltinOperator, schema.TensorType)
)


def convert(
    function: Callable[..., dict[str, tf.Tensor]],
    signature: Sequence[tf.TensorSpec],
    track: keras.Model,
    precision: Literal["float32", "float16", "int8"] = "float32",
    representative: Iterable[dict[str, np.ndarray]] | None = None,
    float_head: bool = False,
    description: str = "",
) -> bytes:
    """Converts a function to a TFLite model of built-in operations.

    Args:
        function: takes tensors and returns named tensors.
        signature: named; sizes may be `None`.
        track: the model whose weights the function uses.
        precision: `"float16"` stores weights in half precision and computes in float32.
            `"int8"` has 8-bit weights and activations in convolutions and pooling alone:
            encodings, norms and medians lose their meaning in 8 bits. Inputs and outputs
            are always what the signature says.
        representative: for int8, inputs as the function will see them. The ranges of the
            activations are measured on them.
        float_head: in int8, keeps the last convolution in float, for where its output is
            nearly the result and 256 steps would show.
        description: what the file says of itself, for whoever looks into it.

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
        archive.track(track)
        archive.add_endpoint("serving_default", function, signature)
        archive.write_out(folder, verbose=False)
        # from_concrete_functions with a Keras model gives NaN; the SavedModel does not
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
    return compact(model, description)


def _quantize(converter, float_head):
    """Calibrates, then quantises `INT8_OPERATIONS` alone, without the last if wanted."""
    others = sorted(set(_OPERATIONS.values()) - set(INT8_OPERATIONS))
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


@dataclass(frozen=True)
class Operation:
    """A step of a TFLite model.

    Attributes:
        name: as in TFLite's schema, such as `CONV_2D`; `CUSTOM` if it is not built in.
        types: of the inputs, such as `INT8` or `FLOAT32`.
        outputs: names of the tensors it makes.
    """

    name: str
    types: list[str]
    outputs: list[str]


def operations(model: bytes | str | os.PathLike) -> list[Operation]:
    """The operations of a TFLite model, a file's path or its content, in their order."""
    content = _parsed(_content(model))
    result = []
    for graph in content.subgraphs:
        for op in graph.operators:
            code = content.operatorCodes[op.opcodeIndex]
            result.append(
                Operation(
                    # codes above 127 stand in the newer of two fields
                    _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)],
                    [_TYPES[graph.tensors[n].type] for n in op.inputs if n >= 0],
                    [graph.tensors[n].name.decode() for n in op.outputs],
                )
            )
    return result


def description(model: bytes | str | os.PathLike) -> str:
    """What a TFLite model, a file's path or its content, says of itself."""
    return _parsed(_content(model)).description.decode()


def _content(model):
    return model if isinstance(model, bytes) else Path(model).read_bytes()


def _parsed(model):
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


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


def compact(model: bytes, description: str = "") -> bytes:
    """Makes a TFLite model smaller without changing what it computes.

    Inner tensors get short names (OpenVINO and tf2onnx tell tensors apart by them) and lose
    their calibrated ranges. Equal arrays, such as the zero
    points of symmetric weights, are stored once. A description replaces the converter's.
    """
    content = _parsed(model)
    if description:
        content.description = description.encode()
    for graph in content.subgraphs:
        outer = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in outer:
                tensor.name = b"%d" % number
            ranges = tensor.quantization
            if ranges is not None:
                ranges.min = ranges.max = None
                if ranges.scale is None:
                    tensor.quantization = None
    builder = _SharingBuilder(len(model))
    builder.Finish(content.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _SharingBuilder(flatbuffers.Builder):
    """Stores equal arrays once, and bytes (weights) aligned to 16 as the schema asks."""

    def __init__(self, size):
        super().__init__(size)
        self._stored = {}

    def CreateNumpyVector(self, x):
        key = (x.dtype.str, x.tobytes())
        if key not in self._stored:
            if x.dtype == np.uint8 and x.size:
                self.StartVector(1, x.size, 16)
                self.head -= x.size
                self.Bytes[self.head : self.head + x.size] = x.tobytes()
                self._stored[key] = self.EndVector()
            else:
                self._stored[key] = super().CreateNumpyVector(x)
        return self._stored[key]


def write_models(models: dict[str, bytes], base: str | os.PathLike) -> dict[str, Path]:
    """Writes models as `base/NAME.tflite`, each complete or not at all.

    The folder is made if missing. Gives name -> path.

    Raises:
        InputError: `base` cannot be written.
    """
    paths = {}
    with output_folder(base) as (base, temporary):
        for name, model in models.items():
            (temporary / name).write_bytes(model)
        for name in models:
            paths[name] = base / f"{name}.tflite"
            os.replace(temporary / name, paths[name])
    return paths


def runner(model: bytes | str | os.PathLike, threads: int = 1) -> SignatureRunner:
    """Opens a TFLite model, a file's path or its content, in LiteRT.

    Returns:
        function from named arrays to a dict of arrays. Sizes that the signature leaves open
        may change from call to call.
    """
    if isinstance(model, bytes):
        source = {"model_content": model}
    else:
        source = {"model_path": os.fspath(model)}
    with stderr_hidden():
        return Interpreter(**source, num_threads=threads).get_signature_runner()
