"""Sends pictures to TensorFlow Serving by gRPC and writes the pictures that come back.

pip install tensorflow-serving-api
python client.py dscnn-photos photo.jpg          -> photo_corrected.jpg, its light
python client.py defectgan part.png              -> part_overlay.png, part_mask.png, score
python client.py frgan-classifier digit.png      -> its label
"""

import argparse
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MOST_BYTES = 2**28  # of a message; gRPC's own limit is 4 MB


def predict(channel, model: str, signature: str, seconds: float = 60, **inputs) -> dict:
    """Calls a signature.

    Args:
        channel: a `grpc.Channel`.
        model, signature: names.
        seconds: to wait.
        **inputs: what `tf.make_tensor_proto` takes.

    Returns:
        dict of NumPy arrays.

    Raises:
        grpc.RpcError: with INVALID_ARGUMENT for what the model refuses.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    outputs = stub.Predict(request, seconds).outputs
    return {name: tf.make_ndarray(value) for name, value in outputs.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--server", default="localhost:8500")
    given = parser.parse_args(arguments)
    sizes = [(f"grpc.max_{way}_message_length", MOST_BYTES) for way in ("send", "receive")]
    with grpc.insecure_channel(given.server, sizes) as channel:
        for path in given.pictures:
            try:
                found = predict(channel, given.model, "bytes", image_bytes=[path.read_bytes()])
            except grpc.RpcError as error:
                parser.exit(2, f"{path}: {error.code().name}: {error.details()}\n")
            for name, (value,) in found.items():
                if name.endswith("_bytes"):
                    suffix = ".jpg" if value.startswith(b"\xff\xd8") else ".png"
                    value, content = f"{path.stem}_{name.removesuffix('_bytes')}{suffix}", value
                    path.with_name(value).write_bytes(content)
                print(f"{path}: {name}: {value}")


if __name__ == "__main__":
    main()
