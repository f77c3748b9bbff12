"""Convolutional LSTM with peepholes (Shi et al. 2015, https://arxiv.org/abs/1506.04214)."""

import functools

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
class PeepholeConvLSTM2D(keras.layers.Layer):
    """An LSTM over a sequence of maps, with maps as its memory.

    Equations of the text-to-image report, section 5 (6): `*` is a convolution, `.` the product
    of values and s the sigmoid.

        i_t = s(W_xi * x_t + W_hi * h_(t-1) + W_ci . c_(t-1) + b_i)
        f_t = s(W_xf * x_t + W_hf * h_(t-1) + W_cf . c_(t-1) + b_f)
        c_t = f_t . c_(t-1) + i_t . tanh(W_xc * x_t + W_hc * h_(t-1) + b_c)
        o_t = s(W_xo * x_t + W_ho * h_(t-1) + W_co . c_t + b_o)
        h_t = o_t . tanh(c_t)

    The peepholes W_ci, W_cf and W_co have a weight for every position and channel, so height
    and width are fixed. They start at zero; the layer then is `keras.layers.ConvLSTM2D`, with
    the same weights in the same order. All convolutions of a step are computed as one.

    Inputs: sequences (N, T, H, W, C), and optionally `mask`, bool (N, T). Where it is false, c
    and h stay as they are: zero before the first true step.
    Output: h_t of every step, (N, T, H, W, filters).

    Args:
        filters: channels of c and h.
        kernel_size: side of the kernels W_x and W_h; the convolutions are padded.
        unroll: write out the steps in the graph instead of a loop. T must be known then.

    Raises:
        ValueError: unknown height or width, or, with `unroll`, unknown T.

    Example:

    >>> h = PeepholeConvLSTM2D(8)(maps, mask=mask)
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, unroll: bool = False, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.filters = filters
        self.kernel_size = kernel_size
        self.unroll = unroll

    def build(self, input_shape: tuple) -> None:
        steps, height, width, channels = input_shape[1:]
        if None in (height, width):
            raise ValueError(f"height and width must be known. Received: {input_shape}")
        if self.unroll and steps is None:
            raise ValueError(f"`unroll` needs the number of steps. Received: {input_shape}")
        size, gates = (self.kernel_size, self.kernel_size), 4 * self.filters
        self.kernel = self.add_weight(name="kernel", shape=(*size, channels, gates))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(*size, self.filters, gates),
            initializer="orthogonal",
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=_forget_nothing)
        self.peepholes = [
            self.add_weight(
                name=f"peephole_{gate}",
                shape=(height, width, self.filters),
                initializer="zeros",
            )
            for gate in "ifo"
        ]

    def call(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        x = ops.transpose(sequences, (1, 0, 2, 3, 4))  # a step is one piece of memory
        inputs = [x]
        if mask is not None:
            inputs.append(ops.cast(ops.transpose(mask), x.dtype)[:, :, None, None, None])
        zeros = ops.zeros((*ops.shape(x)[1:-1], self.filters), x.dtype)
        kernel = ops.concatenate([self.kernel, self.recurrent_kernel], axis=2)
        run = self._run_unrolled if self.unroll else self._run_in_loop
        outputs = run(functools.partial(self._step, kernel), inputs, zeros)
        return ops.transpose(outputs, (1, 0, 2, 3, 4))

    def _run_unrolled(self, step, inputs, zeros):
        c = h = zeros
        outputs = []
        for at_step in zip(*(ops.unstack(values) for values in inputs)):
            c, h = step(c, h, *at_step)
            outputs.append(h)
        return ops.stack(outputs)

    def _run_in_loop(self, step, inputs, zeros):
        steps = ops.shape(inputs[0])[0]
        arrays = [tf.TensorArray(v.dtype, steps).unstack(v) for v in inputs]
        outputs = tf.TensorArray(zeros.dtype, steps, element_shape=zeros.shape)

        def body(t, c, h, outputs):
            c, h = step(c, h, *(array.read(t) for array in arrays))
            return t + 1, c, h, outputs.write(t, h)

        *_, outputs = tf.while_loop(
            lambda t, *_: t < steps,
            body,
            (0, zeros, zeros, outputs),
            maximum_iterations=steps,
        )
        return outputs.stack()

    def _step(self, kernel, c, h, x, is_step=None):
        peephole_i, peephole_f, peephole_o = self.peepholes
        gates = ops.conv(ops.concatenate([x, h], axis=-1), kernel, padding="same")
        i, f, new, o = ops.split(gates + self.bias, 4, axis=-1)
        i = ops.sigmoid(i + peephole_i * c)
        f = ops.sigmoid(f + peephole_f * c)
        next_c = f * c + i * ops.tanh(new)
        o = ops.sigmoid(o + peephole_o * next_c)
        next_h = o * ops.tanh(next_c)
        if is_step is None:
            return next_c, next_h
        # 1 or 0: exact, and on a CPU faster with its gradient than `where`
        return (
            is_step * next_c + (1 - is_step) * c,
            is_step * next_h + (1 - is_step) * h,
        )

    def compute_output_shape(
        self, sequences_shape: tuple, mask_shape: tuple | None = None
    ) -> tuple:
        return (*sequences_shape[:-1], self.filters)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "unroll": self.unroll,
        }


def _forget_nothing(shape, dtype=None):
    """Bias of the gates i, f, c, o: 1 for f (Jozefowicz et al. 2015), else 0."""
    filters = shape[0] // 4
    return ops.concatenate(
        [ops.full((n * filters,), value, dtype) for n, value in ((1, 0.0), (1, 1.0), (2, 0.0))]
    )
