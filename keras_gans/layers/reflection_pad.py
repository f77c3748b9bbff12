"""Reflection padding whose exported form TFLite's XNNPACK knows."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="keras_gans")
class ReflectionPadding2D(keras.layers.Layer):
    """Continues images by their reflection: the border pixel is not repeated.

    TFLite runs `MIRROR_PAD` outside of XNNPACK, value by value, and each one breaks the network
    in two. Where nothing is trained the border is joined from slices instead, which takes a
    generator half the time there. Values are the same.

    Inputs: images (N, H, W, C), H and W above `border`. Output: (N, H + 2 border,
    W + 2 border, C).

    Args:
        border: pixels on each side, at least 1.

    Raises:
        ValueError: a border below 1, or one that images of known size are too small for.
    """

    def __init__(self, border: int, **kwargs) -> None:
        if border < 1:
            raise ValueError(f"`border` must be at least 1. Received: {border}")
        super().__init__(**kwargs)
        self.border = border

    def build(self, input_shape: tuple) -> None:
        self._check(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        self._check(inputs.shape)
        if training:
            sides = (self.border, self.border)
            return tf.pad(inputs, ((0, 0), sides, sides, (0, 0)), "REFLECT")
        return self._continued(self._continued(inputs, 1), 2)

    def _check(self, shape):
        sides = tuple(shape[1:3])
        if any(side is not None and side <= self.border for side in sides):
            raise ValueError(
                f"height and width must be above the border, {self.border}. Received: {sides}"
            )

    def _continued(self, x, axis):
        def line(number):
            stop = number + 1 or None  # -1 is the last line
            return x[:, number:stop] if axis == 1 else x[:, :, number:stop]

        before = [line(number) for number in range(self.border, 0, -1)]
        after = [line(-1 - number) for number in range(1, self.border + 1)]
        # three at once: XNNPACK joins five at most
        return tf.concat([tf.concat(before, axis), x, tf.concat(after, axis)], axis)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        count, *sides, channels = input_shape
        return count, *(side and side + 2 * self.border for side in sides), channels

    def get_config(self) -> dict:
        return {**super().get_config(), "border": self.border}
