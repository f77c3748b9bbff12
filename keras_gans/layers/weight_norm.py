"""Weight normalisation (Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868)."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_gans.layers.normalized_kernel import NormalizedKernel, layers_within


class WeightNorm(NormalizedKernel):
    """Mixin with the kernel `g v / |v|`: length `g`, direction `v` of each output channel.

    `v` is stored in place of the kernel. `g`, of shape (output channels,), starts as `|v|`: a
    new layer computes what the plain one does. `initialize_from_data` sets `g` and the bias
    from a batch, as the paper does before training.
    """

    _initialize_at_call = False

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.g = self.add_weight(
            name="g",
            shape=(self._kernel.shape[self.output_axis],),
            initializer=lambda shape, dtype=None: ops.cast(self._lengths(), dtype),
            autocast=False,
        )

    @property
    def v(self) -> keras.Variable:
        """The stored directions, of the kernel's shape."""
        return self.weight

    def _lengths(self):
        kernel = ops.moveaxis(self.stored_kernel, self.output_axis, -1)
        axes = tuple(range(len(kernel.shape) - 1))
        return ops.sqrt(ops.maximum(ops.sum(ops.square(kernel), axes), 1e-12))

    def normalize(self, kernel: tf.Tensor) -> tf.Tensor:
        scale = self.g / self._lengths()
        if self.output_axis == -2:
            scale = ops.expand_dims(scale, -1)
        return kernel * scale

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self._initialize_at_call:
            self.initialize_from_data(inputs)
        return super().call(inputs)

    def initialize_from_data(self, x: tf.Tensor | np.ndarray) -> None:
        """Sets `g` and the bias from a batch (equations 5 and 6 of the paper).

        Before the activation, the outputs of this batch then have mean 0 and variance 1 in
        each channel; without a bias, variance 1 only. The layer must be built. Not for use in
        a `tf.function`.
        """
        self.g.assign(ops.ones_like(self.g))
        if self.use_bias:
            self.bias.assign(ops.zeros_like(self.bias))
        activation, self.activation = self.activation, None
        try:
            t = ops.cast(super().call(x), self.g.dtype)
        finally:
            self.activation = activation

        # the channels of an image are its second axis in the other data format
        channels = 1 if getattr(self, "data_format", None) == "channels_first" else -1
        t = ops.moveaxis(t, channels, -1)
        mean, variance = ops.moments(t, axes=tuple(range(len(t.shape) - 1)))
        scale = ops.rsqrt(variance + 1e-10)
        self.g.assign(scale)
        if self.use_bias:
            self.bias.assign(-mean * scale)


def initialize_from_data(model: keras.Model, x: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Initialises every weight-normalised layer of a built model from one batch.

    In one pass: each layer is set before its output goes on to the next. Gives the model's
    output.
    """
    layers = [layer for layer in layers_within(model) if isinstance(layer, WeightNorm)]
    for layer in layers:
        layer._initialize_at_call = True
    try:
        return model(x, training=True)
    finally:
        for layer in layers:
            layer._initialize_at_call = False


@keras.saving.register_keras_serializable(package="keras_gans")
class WeightNormConv2D(WeightNorm, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with weight normalisation; the same arguments.

    Example:

    >>> generator = keras.Sequential([keras.Input((8, 8, 3)), WeightNormConv2D(4, 3)])
    >>> initialize_from_data(generator, first_batch)
    """


@keras.saving.register_keras_serializable(package="keras_gans")
class WeightNormConv2DTranspose(WeightNorm, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with weight normalisation; the same arguments."""

    output_axis = -2


@keras.saving.register_keras_serializable(package="keras_gans")
class WeightNormDense(WeightNorm, keras.layers.Dense):
    """`keras.layers.Dense` with weight normalisation; the same arguments."""
