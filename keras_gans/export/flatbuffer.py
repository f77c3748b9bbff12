"""TFLite files as data: what they hold and say of themselves, written small. No TensorFlow."""

import copy
import json
import os
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

METADATA = b"keras_gans.json"  # the buffer's name
_OPERATIONS, _TYPES = (
    {number: name for name, number in vars(names).items() if name.isupper()}
    for names in (schema.BuiltinOperator, schema.TensorType)
)


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
    content = _parsed(model)
    result = []
    for graph in content.subgraphs:
        for op in graph.operators:
            result.append(
                Operation(
                    _kind(op, content),
                    [_TYPES[graph.tensors[n].type] for n in op.inputs if n >= 0],
                    [graph.tensors[n].name.decode() for n in op.outputs],
                )
            )
    return result


def description(model: bytes | str | os.PathLike) -> str:
    """What a TFLite model, a file's path or its content, says of itself to a reader."""
    return _parsed(model).description.decode()


def metadata(model: bytes | str | os.PathLike) -> dict:
    """What a TFLite model, a file's path or its content, says of itself to a program.

    Returns:
        dict: `task`, `inputs` and `outputs` (name -> dict of `values`, what they are; `type`
        and `shape`, `None` where any size will do; perhaps `range`), and of exported files
        `name`, `version` (the SavedModel's), `license`, `trained_on` and, of dscnn, `view`.
        Empty if the file has none of ours.
    """
    content = _parsed(model)
    for entry in content.metadata or []:
        if entry.name == METADATA:
            return json.loads(bytes(content.buffers[entry.buffer].data))
    return {}


def described(model: bytes, **facts) -> bytes:
    """A model of which `metadata` tells these facts, too; its description follows them."""
    content = _parsed(model)
    facts = {**metadata(model), **facts}
    graph, (signature,) = content.subgraphs[0], content.signatureDefs
    lines = [facts["task"]]
    for kind, verb in (("inputs", "takes"), ("outputs", "gives")):
        for end in getattr(signature, kind):
            tensor, about = graph.tensors[end.tensorIndex], facts[kind][end.name.decode()]
            shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
            about["type"] = _TYPES[tensor.type].lower()
            about["shape"] = [None if size < 0 else int(size) for size in shape]
            sizes = ", ".join("any" if size is None else str(size) for size in about["shape"])
            name = end.name.decode()
            lines.append(f"{verb} {name}, {about['type']} ({sizes}): {about['values']}")
    content.description = "; ".join(lines).encode()
    data = np.frombuffer(json.dumps(facts, ensure_ascii=False).encode(), np.uint8)
    entries = [entry for entry in content.metadata or [] if entry.name == METADATA]
    if entries:
        content.buffers[entries[0].buffer].data = data
    else:
        entry, buffer = schema.MetadataT(), schema.BufferT()
        entry.name, entry.buffer, buffer.data = METADATA, len(content.buffers), data
        content.buffers.append(buffer)
        content.metadata = [*(content.metadata or []), entry]
    return _packed(content)


def compact(model: bytes) -> bytes:
    """Makes a TFLite model smaller without changing what it computes.

    Inputs and outputs are named as in the signature; inner tensors by a number (OpenVINO and
    tf2onnx tell tensors apart by their names), and they lose their calibrated ranges. The ReLU
    of a transposed convolution becomes a step of its own, as OpenVINO 2026 forgets it inside.
    What the converter rounds to 8 bits and takes back at once stays float. Equal arrays, such
    as the zero points of symmetric weights, are stored once.
    """
    content = _parsed(model)
    for graph in content.subgraphs:
        steps = [part for step in graph.operators for part in _split(step, graph, content)]
        graph.operators = _unrounded(steps, graph, content)
        for number, tensor in enumerate(graph.tensors):
            tensor.name = b"%d" % number
            ranges = tensor.quantization
            if ranges is not None:
                ranges.min = ranges.max = None
                if ranges.scale is None:
                    tensor.quantization = None
    for signature in content.signatureDefs:
        for end in (*signature.inputs, *signature.outputs):
            content.subgraphs[signature.subgraphIndex].tensors[end.tensorIndex].name = end.name
    return _packed(content)


def _kind(step, content):
    code = content.operatorCodes[step.opcodeIndex]
    # codes above 127 stand in the newer of two fields
    return _OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]


def _unrounded(steps, graph, content):
    """The steps without those that make a value 8-bit for others that make it float again."""
    kinds = [_kind(step, content) for step in steps]
    others = set(graph.outputs)  # what is used otherwise than by DEQUANTIZE
    for step, kind in zip(steps, kinds):
        others |= set() if kind == "DEQUANTIZE" else set(step.inputs)
    source, result = {}, []
    for step, kind in zip(steps, kinds):
        step.inputs = np.array([source.get(n, n) for n in step.inputs], np.int32)
        taken, made = step.inputs[:1], step.outputs[0]
        floats = kind == "QUANTIZE" and _TYPES[graph.tensors[taken[0]].type] == "FLOAT32"
        if floats and made not in others:
            source[made] = taken[0]
        elif kind == "DEQUANTIZE" and _TYPES[graph.tensors[taken[0]].type] == "FLOAT32":
            source[made] = taken[0]
        else:
            result.append(step)
    return result


def _split(step, graph, content):
    """A step without ReLU inside and, if it had one, that as another step."""
    options = step.builtinOptions
    fused = isinstance(options, schema.TransposeConvOptionsT) and (
        options.fusedActivationFunction == schema.ActivationFunctionType.RELU
    )
    if not fused:
        return [step]
    options.fusedActivationFunction = schema.ActivationFunctionType.NONE
    relu, code = schema.OperatorT(), schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
    code.version = 1
    relu.opcodeIndex, relu.outputs = len(content.operatorCodes), step.outputs
    content.operatorCodes.append(code)
    graph.tensors.append(copy.copy(graph.tensors[step.outputs[0]]))
    step.outputs = relu.inputs = np.array([len(graph.tensors) - 1], np.int32)
    return [step, relu]


def _parsed(model):
    model = model if isinstance(model, bytes) else Path(model).read_bytes()
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def _packed(content):
    builder = _SharingBuilder(1 << 20)
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
