"""Batches as a function of their step: a run that is resumed sees what it would have seen."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_gans.data.on_disk import OnDisk

_share, _listed = (0, 1), None  # see `reading`


def step_dataset(
    batch: Callable, first_step: int, steps: int, prefetch: int = 4
) -> tf.data.Dataset:
    """The batches of steps `first_step` to `steps - 1`.

    Args:
        batch: function of the step's number (int64 scalar) to a batch, and of nothing else. It
            is traced as it stands: tensors decide in `tf.cond`, not in `if`.
        first_step: int.
        steps: int, the number of the last step plus one.
        prefetch: batches made ahead.

    Returns:
        `tf.data.Dataset`.
    """
    as_it_stands = tf.autograph.experimental.do_not_convert(batch)
    return (
        tf.data.Dataset.range(first_step, steps)
        .map(as_it_stands, num_parallel_calls=2, deterministic=True)
        .prefetch(prefetch)
    )


def gatherer(pictures: np.ndarray | OnDisk) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from places, int (B, ...), to these of the pictures, uint8 (B, ..., H, W, C).

    Of pictures on disk those of the batch are read, or, inside `reading`, those of a share of
    it; the others are black then.
    """
    if not isinstance(pictures, OnDisk):
        pixels = tf.constant(pictures)
        return lambda places: tf.gather(pixels, places)

    def gather(places):
        if _listed is not None:
            _listed[id(pictures)] = pictures
        number, of = _share

        def read(places):
            first, last = (len(places) * each // of for each in (number, number + 1))
            found = np.zeros((*places.shape, *pictures.shape[1:]), np.uint8)
            found[first:last] = pictures[places[first:last]]
            return found

        found = tf.numpy_function(read, [places], tf.uint8, stateful=False)
        return tf.ensure_shape(found, (*places.shape, *pictures.shape[1:]))

    return gather


@contextlib.contextmanager
def reading(number: int, of: int) -> Iterator[dict]:
    """Inside, batches are traced that read but one share of their pictures on disk.

    Args:
        number: which, from 0. The shares follow each other along the batch's first axis.
        of: how many there are.

    Yields:
        a dict whose values are the pictures on disk that were traced.
    """
    global _share, _listed
    _share, _listed = (number, of), {}
    try:
        yield _listed
    finally:
        _share, _listed = (0, 1), None
