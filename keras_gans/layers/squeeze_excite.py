"""Squeeze and excitation (Hu et al. 2017, https://arxiv.org/abs/1709.01507)."""

import keras
import tensorflow as tf
from keras import layers, ops


@keras.saving.register_keras_serializable(package="keras_gans")
class SqueezeExcite(keras.layers.Layer):
    """Scales every channel of an image by a weight between 0 and 1, computed from the image.

    FR-GAN's equations 10 to 12: `z` is the mean of every channel, `s = sigmoid(W2 relu(W1 z))`,
    the output `s x`. The two layers have no bias.

    Inputs and outputs: (N, H, W, C).

    Args:
        reduction: `W1` has C / reduction rows (at least one), 16 in the paper.

    Example:

    >>> x = keras.layers.Conv2D(128, 3)(images)
    >>> x = SqueezeExcite()(x)
    """

    def __init__(self, reduction: int = 16, **kwargs) -> None:
        if reduction < 1:
            raise ValueError(f"`reduction` must be at least 1. Received: reduction={reduction}")
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, input_shape: tuple) -> None:
        channels = input_shape[-1]
        hidden = max(1, channels // self.reduction)
        self.squeeze, self.excite = (
            layers.Dense(units, activation, False, name=name, dtype=self.dtype_policy)
            for units, activation, name in (
                (hidden, "relu", "squeeze"), (channels, "sigmoid", "excite")
            )
        )  # fmt: skip
        self.squeeze.build((None, channels))
        self.excite.build((None, hidden))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        weights = self.excite(self.squeeze(ops.mean(inputs, axis=(1, 2))))
        return inputs * weights[:, None, None, :]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "reduction": self.reduction}
