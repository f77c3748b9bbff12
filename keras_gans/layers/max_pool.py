"""Max pooling with a gradient that XLA has for a GPU where runs are to be repeatable."""

import functools

import keras
import tensorflow as tf

SLICED = bool(tf.config.list_physical_devices("GPU"))


def max_pooling(
    size: int, strides: int | None = None, padding: str = "valid"
) -> keras.layers.MaxPooling2D:
    """Keras' layer; with a GPU, the one that can train there."""
    kind = SlicedMaxPooling2D if SLICED else keras.layers.MaxPooling2D
    return kind(size, strides, padding)


@keras.saving.register_keras_serializable(package="keras_gans")
class SlicedMaxPooling2D(keras.layers.MaxPooling2D):
    """`keras.layers.MaxPooling2D` by `max_pool`. Input: (N, H, W, C)."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        return max_pool(inputs, self.pool_size, self.strides, self.padding, training)


def max_pool(
    x: tf.Tensor, size: tuple, strides: tuple, padding: str, training: bool | None
) -> tf.Tensor:
    """`tf.nn.max_pool2d`; where a GPU trains, by one slice for each place in the window.

    XLA refuses the gradient of TensorFlow's operation where operations are deterministic. Of
    equal values the first counts, row by row, in both.

    Args:
        x: (N, H, W, C).
        size, strides: (vertical, horizontal).
        padding: "same" or "valid".
        training: whether a gradient will be taken.
    """
    if not (training and SLICED) or None in x.shape[1:3]:
        return tf.nn.max_pool2d(x, size, strides, padding.upper())
    rows, top, below = _windows(x.shape[1], size[0], strides[0], padding)
    columns, left, right = _windows(x.shape[2], size[1], strides[1], padding)
    x = tf.pad(x, [(0, 0), (top, below), (left, right), (0, 0)], constant_values=x.dtype.min)
    places = [
        x[:, i : i + rows * strides[0] : strides[0], j : j + columns * strides[1] : strides[1]]
        for i in range(size[0])
        for j in range(size[1])
    ]
    return functools.reduce(tf.maximum, places)


def _windows(side, size, stride, padding):
    """Windows along a side, and pixels to pad before it and behind."""
    count = -(-side // stride) if padding == "same" else (side - size) // stride + 1
    padded = max((count - 1) * stride + size - side, 0)
    return count, padded // 2, padded - padded // 2
