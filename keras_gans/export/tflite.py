"""TFLite files from TensorFlow functions: float32, float16 and int8; run by LiteRT."""

import os
import tempfile
import warnings

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from keras_gans.export.saved_model import output_folder
from keras_gans.quiet import stderr_hidden

PRECISIONS = ("float32", "float16", "int8")
INT8_OPERATIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")


def convert(
    function,
    signature,
    track,
    precision="float32",
    representative=None,
    float_head=False,
):
    """Converts a function to a TFLite model of built-in operations.

    Args:
        function: takes tensors and returns a dict of tensors.
        signature: list of named `tf.TensorSpec`; sizes may be `None`.
        track: `keras.Model` whose weights the function uses.
        precision: `"float32"`; `"float16"`: weights are stored in half precision, the
            arithmetic stays float32; `"int8"`: weights and activations of convolutions
            and pooling are 8-bit; all else stays float: encodings, norms and medians lose
            their meaning in 8 bits. Inputs and outputs are what the signature says in all.
        representative: for int8, an iterable of dicts input name -> array: what the
            function will see. The ranges of the activations are measured on it.
        float_head: in int8, whether the last convolution stays float: where what it gives is
            nearly the result, and 256 steps over all its range would show.

    Returns:
        bytes, the file's content, with one signature `serving_default`.

    Raises:
        ValueError: for an unknown precision, or int8 without representative inputs.
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
    return compact(model)


def _quantize(converter, float_head):
    """Calibrates, then quantises `INT8_OPERATIONS` alone, without the last if wanted.

    What `tf.lite.experimental.QuantizationDebugger` does for its denied operations, without
    the second, instrumented model it builds on the way.
    """
    from tensorflow.lite.python.convert import mlir_quantize

    converter._experimental_calibrate_only = True
    calibrated = converter.convert()
    interpreter = Interpreter(model_content=calibrated)
    operations = interpreter._get_ops_details()
    denied = sorted({op["op_name"] for op in operations} - set(INT8_OPERATIONS))
    heads = []
    if float_head:
        last = [op for op in operations if op["op_name"] in INT8_OPERATIONS][-1]
        tensors = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
        heads = [tensors[index] for index in last["outputs"]]
    return mlir_quantize(calibrated, denylisted_ops=denied, denylisted_nodes=heads)


def round_to_int8(kernel, axes):
    """Rounds a convolution kernel to the int8 grid of its channels, keeping its sums.

    Images are smooth, so what a 3x3 kernel adds up to matters more than each of its values,
    and independent rounding errors of nine values add up. Here each kernel's values are
    rounded down and as many up as bring their sum nearest to the original (the largest
    remainders; the idea is ours). The converter then finds the values on its own grid.

    Args:
        kernel: float (H, W, A, B).
        axes: the axes over which one scale holds: (0, 1, 2) for a convolution (H, W, in,
            out), (0, 1, 3) for a depthwise one (H, W, in, 1).

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


def rounded_network(network):
    """A copy of a network whose convolution kernels are rounded by `round_to_int8`."""
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


def compact(model):
    """Makes a TFLite model smaller without changing what it computes.

    Inner tensors lose their names and their calibrated ranges, and equal arrays (the zero
    points of symmetric weights are all zero) are stored once.

    Args:
        model: bytes.

    Returns:
        bytes.
    """
    content = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    for graph in content.subgraphs:
        outer = {*graph.inputs, *graph.outputs}
        for number, tensor in enumerate(graph.tensors):
            if number not in outer:
                tensor.name = b""
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


def write_models(models, base):
    """Writes the models as `base/NAME.tflite`, each complete or not at all.

    Args:
        models: dict name -> bytes.
        base: folder, made if missing.

    Returns:
        dict name -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
    """
    paths = {}
    with output_folder(base) as (base, temporary):
        for name, model in models.items():
            (temporary / name).write_bytes(model)
        for name in models:
            paths[name] = base / f"{name}.tflite"
            os.replace(temporary / name, paths[name])
    return paths


def runner(model, threads=1):
    """Opens a TFLite model in LiteRT.

    Args:
        model: the file's path, or its content as bytes.
        threads: threads it may use.

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
