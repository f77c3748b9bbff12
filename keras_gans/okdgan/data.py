"""From crops to batches, as a function of the step."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.on_disk import OnDisk
from keras_gans.data.order import endless_order
from keras_gans.data.pipeline import gatherer


def crop_batches(
    images: np.ndarray | OnDisk,
    batch_size: int,
    seed: int,
    labels: np.ndarray | None = None,
    mirror: bool = False,
) -> Callable:
    """Batches of images: all in turn, each pass in a new order.

    Args:
        images: uint8 (N, S, S, C).
        batch_size: may be larger than N.
        seed: the order and the mirroring are functions of it and of the step.
        labels: (N,) or (N, K); `None` for images alone.
        mirror: whether half of the images, at random, are mirrored left to right.

    Returns:
        function of a step's number to images float32 (B, S, S, C) in [-1, 1]; with `labels` to
        (images, labels (B,) or (B, K), of their own type).

    Raises:
        ValueError: no images, or not as many labels.
    """
    if not len(images) or labels is not None and len(labels) != len(images):
        raise ValueError(
            "`images` must not be empty, `labels` as many. "
            f"Received: {len(images)}, {None if labels is None else len(labels)}"
        )
    gather = gatherer(images)
    classes = None if labels is None else tf.constant(labels)

    def batch(step):
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = endless_order(positions, len(images), [seed, 0])
        x = gather(indices)
        if mirror:
            key = tf.stack([tf.constant(seed, tf.int64), step])
            turned = tf.random.stateless_uniform([batch_size, 1, 1, 1], key) < 0.5
            x = tf.where(turned, x[:, :, ::-1], x)
        x = to_float(x)
        return x if classes is None else (x, tf.gather(classes, indices))

    return batch
