"""The same bits from the same seed, in whichever order the kernels of a step are done."""

import functools

import tensorflow as tf
from tensorflow.python.ops import gen_math_ops

_add_n = gen_math_ops.add_n


def make_repeatable() -> None:
    """Lets TensorFlow compute the same bits again, from now on in this process.

    Its own switch leaves out `AddN`, of which it makes the sums of gradients: that begins with
    the first input whose memory is free for the sum, which depends on what else is done by
    then. So three or more are added two at a time, and the optimizer of graphs may not put
    them together again. Steps of all rooms take as long as before.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    gen_math_ops.add_n = added_in_order  # there is no public way to add up gradients otherwise


def added_in_order(inputs: list[tf.Tensor], name: str | None = None) -> tf.Tensor:
    """`AddN`, but of numbers the sum from left to right."""
    if not inputs[0].dtype.is_floating:  # lists of tensors, as loops have them
        return _add_n(inputs, name=name)
    return functools.reduce(tf.add, inputs)
