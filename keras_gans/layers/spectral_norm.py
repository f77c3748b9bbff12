"""Spectral normalisation (Miyato et al. 2018, https://arxiv.org/abs/1802.05957)."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.layers.normalized_kernel import NormalizedKernel, layers_within

EPSILON = 1e-12


def _unit(v):
    """`v / |v|`; a network's `u` takes hundreds of them before its first step."""
    return v * tf.minimum(tf.math.rsqrt(tf.reduce_sum(v * v)), 1 / EPSILON)


class SpectralNorm(NormalizedKernel):
    """Mixin that divides the kernel by its largest singular value sigma.

    `sigma = |W u|`. `W` is the kernel as a matrix (kernel height x width x input channels,
    output channels). The unit vector `u`, a non-trainable weight, follows the first right
    singular vector by power iteration. The gradient of sigma is the paper's, in which `u` and
    `v = W u / |W u|` are constants: `v u^T`.

    **A call never changes the layer.** The training step advances `u` once, before the critic's
    update, by `update_spectral_norms(model)`. `u` starts after 15 iterations on the initial
    kernel. So the critic stays one function throughout a step and the gradient passes through
    sigma, unlike in `keras.layers.SpectralNormalization`, which overwrites its kernel at every
    training call.
    """

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.u = self.add_weight(
            name="u",
            shape=(1, self._kernel.shape[self.output_axis]),
            initializer=self._initial_u,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    def _initial_u(self, shape, dtype=None):
        u = keras.initializers.RandomNormal()(shape, dtype)
        return ops.cast(self._power_iteration(u, 15), dtype)

    @property
    def matrix(self) -> tf.Tensor:
        """The stored kernel as `W`."""
        kernel = ops.moveaxis(self.stored_kernel, self.output_axis, -1)
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def _power_iteration(self, u, iterations):
        matrix = self.matrix
        transposed = tf.transpose(matrix)
        for _ in range(iterations):
            u = _unit(_unit(u @ transposed) @ matrix)
        return u

    def update_u(self, iterations: int = 1) -> None:
        """Advances `u` by power iteration on the stored kernel."""
        self.u.assign(self._power_iteration(self.u, iterations))

    @property
    def sigma(self) -> tf.Tensor:
        """Estimate of the largest singular value, from below; shape ()."""
        wu = ops.matmul(self.matrix, ops.transpose(self.u))
        return ops.sqrt(ops.maximum(ops.sum(ops.square(wu)), EPSILON))

    def normalize(self, kernel: tf.Tensor) -> tf.Tensor:
        return kernel / self.sigma


def update_spectral_norms(model: keras.Model, iterations: int = 1) -> None:
    """Calls `update_u` on every spectrally normalised layer of `model`, nested ones too.

    A layer that holds such layers has to give them as `layers`, like `SelfAttention`.
    """
    for layer in layers_within(model):
        if isinstance(layer, SpectralNorm):
            layer.update_u(iterations)


@keras.saving.register_keras_serializable(package="keras_gans")
class SpectralConv2D(SpectralNorm, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with spectral normalisation; the same arguments.

    Example:

    >>> critic = keras.Sequential([SpectralConv2D(8, 3), SpectralDense(1)])
    >>> update_spectral_norms(critic)  # in train_step, once, before the critic's tape
    """


@keras.saving.register_keras_serializable(package="keras_gans")
class SpectralConv2DTranspose(SpectralNorm, keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with spectral normalisation; the same arguments.

    The matrix has one column for each output channel, as in PyTorch.
    """

    output_axis = -2


@keras.saving.register_keras_serializable(package="keras_gans")
class SpectralDense(SpectralNorm, keras.layers.Dense):
    """`keras.layers.Dense` with spectral normalisation; the same arguments."""
