"""What spectral and weight normalisation share: a kernel that is computed from weights."""

import keras
from keras import ops


class NormalizedKernel:
    """Mixin for Conv2D, Conv2DTranspose and Dense: `kernel` is computed at every use.

    The stored weight stays as the optimizer left it; `kernel` is a differentiable
    function of it, so that gradients, gradient penalties and several calls in one loss
    see one function. Regularizers and constraints act on the stored weight. A class that
    mixes this in defines `normalize(kernel)`: the normalised kernel for the stored one, which
    comes in at least float32.
    """

    # axis of the kernel that holds the output channels: -2 in Conv2DTranspose
    output_axis = -1

    @property
    def kernel(self):
        return ops.cast(self.normalize(self.stored_kernel), self._kernel.dtype)

    # for Conv2DTranspose.build; the others assign `_kernel` themselves
    @kernel.setter
    def kernel(self, variable):
        self._kernel = variable

    @property
    def stored_kernel(self):
        """The stored kernel, in at least float32 under mixed precision as well."""
        return ops.cast(self._kernel, keras.backend.result_type(self._kernel.dtype, "float32"))

    # Conv2D and Dense would store the normalised kernel and the bias, and nothing else
    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)
