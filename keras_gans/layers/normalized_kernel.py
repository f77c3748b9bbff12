"""What spectral and weight normalisation share: a kernel that is computed from weights."""

from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import ops


class NormalizedKernel:
    """Mixin for Conv2D, Conv2DTranspose and Dense: computes `kernel` at every use.

    `kernel` is a differentiable function of the stored weight, which only the optimizer
    changes. So gradients, gradient penalties and several calls in one loss see one function.
    Regularizers and constraints act on the stored weight. A subclass defines
    `normalize(kernel)`, from the stored kernel, in at least float32, to the normalised one.
    """

    # axis of the kernel that holds the output channels: -2 in Conv2DTranspose
    output_axis = -1

    @property
    def kernel(self) -> tf.Tensor:
        return ops.cast(self.normalize(self.stored_kernel), self._kernel.dtype)

    # for Conv2DTranspose.build; the others assign `_kernel` themselves
    @kernel.setter
    def kernel(self, variable: keras.Variable) -> None:
        self._kernel = variable

    @property
    def weight(self) -> keras.Variable:
        """The stored weight, of the kernel's shape."""
        return self._kernel

    @property
    def stored_kernel(self) -> tf.Tensor:
        """The stored weight in at least float32, also under mixed precision."""
        return ops.cast(self._kernel, keras.backend.result_type(self._kernel.dtype, "float32"))

    # Conv2D and Dense would store the normalised kernel and the bias, and nothing else
    def save_own_variables(self, store: dict) -> None:
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: dict) -> None:
        keras.layers.Layer.load_own_variables(self, store)


def layers_within(layer: keras.Layer) -> Iterator[keras.Layer]:
    """A layer or model and, where it has `layers`, all within them."""
    yield layer
    for part in getattr(layer, "layers", ()):
        yield from layers_within(part)
