"""Requests with which TensorFlow Serving warms up a model before it serves it."""

from pathlib import Path

import numpy as np
import tensorflow as tf


def write_warmup(path: Path, model: str, requests: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes requests as records of tensorflow-serving-api's `PredictionLog`.

    They are a few nested messages, written here by themselves, so that an export does not
    need that package.

    Args:
        path: the model's `assets.extra/tf_serving_warmup_requests`.
        model: name of the model.
        requests: signature name -> inputs by name. Arrays of one value, whatever their shape,
            take a few bytes.
    """
    if not requests:
        return
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in requests.items():
            spec = _field(1, model.encode()) + _field(3, signature.encode())
            request = _field(1, spec)
            for name, value in inputs.items():
                tensor = _constant(np.asarray(value)).SerializeToString()
                request += _field(2, _field(1, name.encode()) + _field(2, tensor))
            file.write(_field(6, _field(1, request)))


def picture_examples(side: int, channels: int, dtype: type = np.uint8) -> dict:
    """One grey picture for the signatures `serving_default` and `bytes`.

    Args:
        side: in pixels.
        channels: of `images`.
        dtype: of `images`; of floats 1 is white.

    Returns:
        signature name -> inputs by name.
    """
    images = np.full((1, side, side, channels), 128 if dtype is np.uint8 else 0.5, dtype)
    picture = tf.io.encode_jpeg(np.full((side, side, 1), 128, np.uint8)).numpy()
    return {
        "serving_default": {"images": images},
        "bytes": {"image_bytes": np.array([picture], object)},
    }


def zero_examples(endpoints: dict, *names: str) -> dict:
    """One row of zeros for the signatures of some names.

    Args:
        endpoints: signature name -> (function, list of `tf.TensorSpec`).

    Returns:
        signature name -> inputs by name.
    """
    return {
        name: {
            spec.name: np.zeros([1, *spec.shape[1:]], spec.dtype.as_numpy_dtype)
            for spec in endpoints[name][1]
        }
        for name in names
    }


def _constant(value):
    """The message of an array; one of equal values holds the value once."""
    equal = value.size > 1 and (value == value.flat[0]).all()
    content = value.flat[0] if equal else value
    return tf.make_tensor_proto(content, tf.as_dtype(value.dtype), value.shape)


def _field(number, content):
    """A message's field of bytes: its number, its length and itself."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size % 128 + 128])
        size //= 128
    return bytes([8 * number + 2]) + length + bytes([size]) + content
