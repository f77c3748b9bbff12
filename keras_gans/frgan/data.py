"""From images to batches: random views of them, as functions of the step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.on_disk import OnDisk, subset
from keras_gans.data.order import endless_order
from keras_gans.data.pipeline import gatherer
from keras_gans.layers.diff_augment import augment

STRONG = ("color", "cutout")  # of `AUGMENTATIONS`


@dataclass(frozen=True)
class Views:
    """Random views of images.

    Attributes:
        count: views of each unlabelled image: 2, or 1 without the consistency term.
        translate: pixels by which an image is moved at most, each way in each direction.
        mirror: whether images are mirrored left to right at random (not for digits).
        strong: whether labelled images, and the second view of the others, get other colours
            and a hole as well, see `STRONG`. The first view, which the generator's
            images are told from, does not.
    """

    count: int = 2
    translate: int = 2
    mirror: bool = False
    strong: bool = False


def semi_supervised_batches(
    images: np.ndarray | OnDisk,
    labelled: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    views: Views = Views(),
) -> Callable:
    """Batches for `FRGAN`: labelled images, and views of unlabelled ones.

    All images are drawn as unlabelled ones, with or without a label.

    Args:
        images: uint8 (N, S, S, C), all training images.
        labelled: int64 (M,), indices of those whose label may be used.
        labels: int64 (M,), their labels.
        batch_size: labelled images, and unlabelled images, in a batch.
        seed: the draw is a function of it and of the step.
        views: of every image.

    Returns:
        function of a step's number to ((labelled float32 (B, S, S, C), labels (B,)), views
        float32 (V, B, S, S, C)), in [-1, 1].
    """
    draw_labelled = _drawer(subset(images, labelled), batch_size, [seed, 0])
    draw_unlabelled = _drawer(images, batch_size, [seed, 1])
    labels = tf.constant(labels)

    def batch(step):
        x, chosen = draw_labelled(step)
        x = _view(x, views, _key(seed, step, 0), views.strong)
        unlabelled, _ = draw_unlabelled(step)
        both = [
            _view(unlabelled, views, _key(seed, step, i + 1), views.strong and i == 1)
            for i in range(views.count)
        ]
        return (x, tf.gather(labels, chosen)), tf.stack(both)

    return batch


def labelled_batches(
    images: np.ndarray | OnDisk,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    views: Views = Views(),
) -> Callable:
    """Batches for the baseline: the labelled half of `semi_supervised_batches`.

    Args:
        images: uint8 (M, S, S, C), labelled.
        labels: int64 (M,).
        batch_size, seed, views: see there.

    Returns:
        function of a step's number to images float32 (B, S, S, C) in [-1, 1] and labels (B,).
    """
    draw = _drawer(images, batch_size, [seed, 0])
    labels = tf.constant(labels)

    def batch(step):
        x, chosen = draw(step)
        x = _view(x, views, _key(seed, step, 0), views.strong)
        return x, tf.gather(labels, chosen)

    return batch


def view(images: tf.Tensor, translate: int, mirror: bool, key: tf.Tensor) -> tf.Tensor:
    """Moves every image by some whole pixels, and mirrors some (the function f of section 2).

    What moves in from beyond the border is the image's mirror image.

    Args:
        images: (N, S, S, C).
        translate: pixels, at most, each way in each direction; S or less.
        mirror: whether half of the images are mirrored left to right.
        key: int64 (2,), of which the draw is a function.

    Returns:
        (N, S, S, C), of the same type.
    """
    count, size = tf.shape(images)[0], images.shape[1]
    shifts = tf.random.stateless_uniform(
        [2, count, 1], key, -translate, translate + 1, dtype=tf.int32
    )
    rows, columns = tf.unstack(_reflected(tf.range(size) + shifts, size))
    if mirror:
        other_key = key + [0, 1 << 40]  # no step's
        turned = tf.random.stateless_uniform([count, 1], other_key) < 0.5
        columns = tf.where(turned, columns[:, ::-1], columns)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _view(images, views, key, strongly):
    """A random view, float32 in [-1, 1]."""
    images = to_float(view(images, views.translate, views.mirror, key))
    return augment(images, key + [0, 1 << 42], STRONG) if strongly else images


def _reflected(indices, size):
    """Indices beyond 0..size-1 back into it, mirrored at the border."""
    indices = tf.where(indices < 0, -1 - indices, indices)
    return tf.where(indices >= size, 2 * size - 1 - indices, indices)


def _drawer(images, batch_size, seed):
    """A function step -> (images, their indices): all in turn, each pass in a new order."""
    gather = gatherer(images)

    def draw(step):
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = endless_order(positions, len(images), seed)
        return gather(indices), indices

    return draw


def _key(seed, step, use):
    return tf.stack([tf.constant(4 * seed + use, tf.int64), step])
