"""From crops to batches, as functions of a seed."""

import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.order import endless_order


def batches(images, batch_size, seed, steps, first_step=0, labels=None, mirror=False):
    """Batches of images: all in turn, each pass in a new order.

    Step `i` is a function of (seed, i) alone, so a run that is resumed at step `i` sees what it
    would have seen.

    Args:
        images: uint8 (N, S, S, C).
        batch_size: int; may be larger than N.
        seed: int.
        steps: number of the last step plus one.
        first_step: number of the first step.
        labels: (N,) or (N, K); `None` for images alone.
        mirror: whether half of the images, at random, are mirrored left to right.

    Returns:
        `tf.data.Dataset` of images float32 (B, S, S, C) in [-1, 1], with `labels` of (images,
        labels (B,) or (B, K), of their own type).

    Raises:
        ValueError: no images, or not as many labels.
    """
    if not len(images) or labels is not None and len(labels) != len(images):
        raise ValueError(
            "`images` must not be empty, `labels` as many. "
            f"Received: {len(images)}, {None if labels is None else len(labels)}"
        )
    pixels = tf.constant(images)
    classes = None if labels is None else tf.constant(labels)

    def batch(step):
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = endless_order(positions, len(images), [seed, 0])
        x = tf.gather(pixels, indices)
        if mirror:
            key = tf.stack([tf.constant(seed, tf.int64), step])
            turned = tf.random.stateless_uniform([batch_size, 1, 1, 1], key) < 0.5
            x = tf.where(turned, x[:, :, ::-1], x)
        x = to_float(x)
        return x if classes is None else (x, tf.gather(classes, indices))

    return (
        tf.data.Dataset.range(first_step, steps)
        .map(batch, num_parallel_calls=2, deterministic=True)
        .prefetch(4)
    )
