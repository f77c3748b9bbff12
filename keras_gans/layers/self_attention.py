"""Self-attention on feature maps (Zhang et al. 2019, https://arxiv.org/abs/1805.08318)."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.layers.spectral_norm import SpectralDense


@keras.saving.register_keras_serializable(package="keras_gans")
class SelfAttention(keras.layers.Layer):
    """Adds to every position of an image a weighted sum over all its positions.

    OKD-SAGAN's equations 1 to 4. `f`, `g` and `h` are 1x1 convolutions of the input x without
    bias, spectrally normalised as in SAGAN. Position i has in the output at position j the
    weight

        beta_ij = exp(s_ij) / sum_i exp(s_ij),  s_ij = f(x_i) . g(x_j),

    and the output is `y_j = gamma o_j + x_j` with `o_j = sum_i beta_ij h(x_i)`. This is SAGAN's
    equation, whose weights add up to one; equation 3 as printed sums over j. The number `gamma`
    starts at 0: a new layer passes its input on.

    Inputs and outputs: (N, H, W, C), H and W known. Memory and time grow with (H W)^2.

    Args:
        reduction: f and g have C / reduction channels (at least one), 8 in the paper; h has C.

    Raises:
        ValueError: `reduction` below 1, unknown height or width.

    Example:

    >>> x = keras.layers.Conv2D(64, 3)(images)
    >>> x = SelfAttention()(x)
    """

    def __init__(self, reduction: int = 8, **kwargs) -> None:
        if reduction < 1:
            raise ValueError(f"`reduction` must be at least 1. Received: reduction={reduction}")
        super().__init__(**kwargs)
        self.reduction = reduction

    def build(self, input_shape: tuple) -> None:
        height, width, channels = input_shape[1:]
        if None in (height, width):
            raise ValueError(f"height and width must be known. Received: {input_shape}")
        fewer = max(1, channels // self.reduction)
        self.f, self.g, self.h = (
            SpectralDense(units, use_bias=False, name=name, dtype=self.dtype_policy)
            for name, units in (("f", fewer), ("g", fewer), ("h", channels))
        )
        for layer in self.layers:
            layer.build((None, height * width, channels))
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    @property
    def layers(self) -> list[keras.Layer]:
        return [self.f, self.g, self.h]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        height, width, channels = inputs.shape[1:]
        x = ops.reshape(inputs, (-1, height * width, channels))
        scores = ops.matmul(self.g(x), ops.transpose(self.f(x), (0, 2, 1)))  # (N, j, i)
        outputs = ops.matmul(ops.softmax(scores, axis=-1), self.h(x))
        return inputs + self.gamma * ops.reshape(outputs, (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "reduction": self.reduction}
