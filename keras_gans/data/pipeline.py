"""Batches as a function of their step: a run that is resumed sees what it would have seen."""

from collections.abc import Callable

import tensorflow as tf


def step_dataset(
    batch: Callable, first_step: int, steps: int, prefetch: int = 4
) -> tf.data.Dataset:
    """The batches of steps `first_step` to `steps - 1`.

    Args:
        batch: function of the step's number (int64 scalar) to a batch, and of nothing else.
        first_step: int.
        steps: int, the number of the last step plus one.
        prefetch: batches made ahead.

    Returns:
        `tf.data.Dataset`.
    """
    return (
        tf.data.Dataset.range(first_step, steps)
        .map(batch, num_parallel_calls=2, deterministic=True)
        .prefetch(prefetch)
    )
