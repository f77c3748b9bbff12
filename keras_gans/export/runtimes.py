"""TFLite files in the runtimes that read them; see `docs/runtimes.md`. No TensorFlow.

Each function opens a file and returns a function from named arrays to a dict of arrays. Sizes
that the file leaves open may change from call to call. OpenVINO and ONNX Runtime come with
`pip install "keras_gans[runtimes]"`; without them ImportError is raised.
"""

import os
import warnings
from collections.abc import Callable

import numpy as np

from keras_gans.stderr import stderr_hidden

SIGNATURE = "serving_default"


def runner(model: bytes | str | os.PathLike, threads: int = 1) -> Callable:
    """LiteRT's interpreter, of a file's path or its content."""
    from ai_edge_litert.interpreter import Interpreter

    if isinstance(model, bytes):
        source = {"model_content": model}
    else:
        source = {"model_path": os.fspath(model)}
    with stderr_hidden():
        return Interpreter(**source, num_threads=threads).get_signature_runner()


def compiled(path: str | os.PathLike, threads: int = 1) -> Callable:
    """LiteRT's current API, on the processor. It is told the sizes that a file leaves open."""
    from ai_edge_litert.compiled_model import (
        CompiledModel,
        CpuOptions,
        HardwareAccelerator,
        Options,
    )

    options = Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=threads),
    )
    with stderr_hidden():
        model = CompiledModel.from_file(os.fspath(path), options=options)
    taken = model.get_input_tensor_details(SIGNATURE)

    def run(**arrays):
        inputs = {}
        for name, array in arrays.items():
            if tuple(taken[name]["shape"]) != array.shape:
                model.resize_input_tensor_by_name(SIGNATURE, name, array.shape)
            inputs[name] = model.create_input_buffer_by_name(SIGNATURE, name)
            inputs[name].write(np.ascontiguousarray(array))
        given = model.get_output_tensor_details(SIGNATURE)
        outputs = {name: model.create_output_buffer_by_name(SIGNATURE, name) for name in given}
        model.run_by_name(SIGNATURE, inputs, outputs)
        result = {}
        for name, buffer in outputs.items():
            shape, dtype = given[name]["shape"], given[name]["dtype"]
            result[name] = buffer.read(int(np.prod(shape)), dtype).reshape(shape)
        return result

    return run


def openvino(path: str | os.PathLike, threads: int = 1) -> Callable:
    """OpenVINO, on the processor, in float32."""
    import openvino as ov

    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    model = ov.Core().compile_model(os.fspath(path), "CPU", options)
    names = [output.get_any_name() for output in model.outputs]

    def run(**arrays):
        outputs = model(arrays)
        return {name: outputs[name] for name in names}

    return run


def onnx(path: str | os.PathLike, threads: int = 1) -> Callable:
    """ONNX Runtime, on the processor, of what tf2onnx makes of the file."""
    import tf2onnx

    with stderr_hidden(), warnings.catch_warnings():
        # it looks at sizes by tf.lite's own interpreter, which announces its successor
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        model, _ = tf2onnx.convert.from_tflite(os.fspath(path), opset=18)
    return onnx_session(model, threads)


def onnx_session(model, threads: int = 1) -> Callable:
    """ONNX Runtime, on the processor, of an ONNX model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return lambda **arrays: dict(zip(names, session.run(names, arrays), strict=True))
