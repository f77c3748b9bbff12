"""What the replicas of a distributed training do together, in the midst of a step.

A replica has its share of the global batch. These functions make what it computes that of the
global batch. In every other training, and when a model is used, they change nothing: they give
back what they are given.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

_thread = threading.local()  # each replica of this process has one
_ALONE = tf.distribute.get_strategy()  # the default one, of no distribution


@contextlib.contextmanager
def replica(number: int, phase: int = 0) -> Iterator[None]:
    """Inside `Strategy.run`: a step as replica `number`.

    Only the functions below know of the others. To Keras it is an ordinary step: its optimizers
    and losses would add up over replicas what is a mean here.
    """
    _thread.context, _thread.phase = (tf.distribute.get_replica_context(), number), phase
    try:
        with tf.distribute.ReplicaContext(_ALONE, 0):
            yield
    finally:
        del _thread.context


def several() -> bool:
    """Whether this is the step of one replica of several."""
    return hasattr(_thread, "context")


def count() -> int:
    """How many there are."""
    return _thread.context[0].num_replicas_in_sync if several() else 1


def phase() -> int:
    """The kind of step, known while it is traced: replicas cannot meet inside a `tf.cond`."""
    return _thread.phase


def total(value: tf.Tensor) -> tf.Tensor:
    """The sum over all replicas, with its gradient."""
    return _reduced(tf.distribute.ReduceOp.SUM, value) if several() else value


def mean(value: tf.Tensor) -> tf.Tensor:
    """The mean over all replicas, with its gradient."""
    return _reduced(tf.distribute.ReduceOp.MEAN, value) if several() else value


def mean_gradients(gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
    """The mean over all replicas of each gradient, sent together."""
    if not several():
        return gradients
    present = [tf.identity(each) for each in gradients if each is not None]
    context, _ = _thread.context
    with context:
        reduced = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, present))
    return [None if each is None else next(reduced) for each in gradients]


def gather(values: tf.Tensor) -> tf.Tensor:
    """The values (n, ...) of all replicas, one after the other (without gradient)."""
    if not several():
        return values
    sent = tf.stop_gradient(tf.cast(values, tf.int32) if values.dtype == tf.bool else values)
    _, number = _thread.context
    nothing = tf.zeros_like(sent)
    parts = [sent if each == number else nothing for each in range(count())]
    return tf.cast(total(tf.concat(parts, 0)), values.dtype)


@contextlib.contextmanager
def stacked(*counts) -> Iterator[None]:
    """Inside, batches are stacks of parts, each a share of a part of the global batch.

    A network that is called on images and others at once draws its noise accordingly.

    Args:
        counts: of each part, int or scalar tensor.
    """
    _thread.counts = counts
    try:
        yield
    finally:
        del _thread.counts


def share(draw: Callable[[tf.Tensor], tf.Tensor], items, axis: int = 0) -> tf.Tensor:
    """What `draw(items)` gives; of a replica, its share of what the global batch draws.

    Args:
        draw: function of a number of items to as many random values along `axis`. All replicas
            have the same seeds, and draw for all items.
        items: of this replica, int or scalar tensor.
    """
    if not several():
        return draw(items)
    context, number = _thread.context
    everyone, first, rows = context.num_replicas_in_sync, 0, []
    for part in getattr(_thread, "counts", (items,)):
        rows.append(first * everyone + number * part + tf.range(part))
        first += part
    return tf.gather(draw(items * everyone), tf.concat(rows, 0), axis=axis)


def before_and_all(items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How many the replicas before this one have, and all together."""
    _, number = _thread.context
    counts = total(tf.one_hot(number, count(), dtype=items.dtype) * items)
    return tf.reduce_sum(counts[:number]), tf.reduce_sum(counts)


def _reduced(operation, value):
    context, _ = _thread.context

    @tf.custom_gradient
    def reduce(value):
        with context:
            reduced = context.all_reduce(operation, tf.identity(value))  # on its device
        return reduced, lambda slope: _reduced(operation, slope)

    return reduce(value)
