"""Which items of a set: passes without state, each in an order of its own; an even spread."""

import numpy as np
import tensorflow as tf


def endless_order(positions: tf.Tensor, count: int, seed: list[int]) -> tf.Tensor:
    """Which item is drawn at each position of an endless sequence.

    Positions 0 to count - 1 are the first pass, the next `count` the second, and so on. Every
    item is drawn once in each pass; the passes have different orders. Each index is a
    function of (seed, position) alone, so a run that is resumed goes on as it would have.

    Args:
        positions: int64 tensor of any shape, not negative.
        count: number of items, at least 1.
        seed: list of two ints.

    Returns:
        int64 tensor, shaped as `positions`, values in [0, count - 1].
    """
    flat = tf.reshape(tf.cast(positions, tf.int64), [-1])
    turn = flat // count
    # the raw op: tf.random.experimental.index_shuffle mispads a seed per element
    zero = tf.zeros_like(turn)
    indices = tf.raw_ops.RandomIndexShuffle(
        index=flat % count,
        seed=tf.stack([zero + seed[0], turn, zero + seed[1]], axis=1),
        max_index=tf.constant(count - 1, tf.int64),
        rounds=8,  # with the default of 4, small sets are hardly shuffled
    )
    return tf.reshape(indices, tf.shape(positions))


def spread(length: int, count: int) -> np.ndarray:
    """Indices of at most `count` of `length` things, evenly spread."""
    return np.unique(np.linspace(0, length - 1, count).astype(int))
