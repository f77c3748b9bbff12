"""From surfaces to batches: random crops at native scale, as functions of a seed."""

import numpy as np
import tensorflow as tf

AUTOTUNE_THREADS = 2


class Crops:
    """Random crops of images of several sizes, drawn in the graph without Python.

    All images lie in one buffer, one after the other; a crop gathers its pixels from there.
    Images smaller than a crop are continued by reflection.

    Args:
        images: list of arrays (H, W, C), uint8 or bool.
        size: side of a crop in pixels.
    """

    def __init__(self, images, size):
        images = [reflect_to(image, size) for image in images]
        shapes = np.array([image.shape[:2] for image in images], np.int64)
        areas = shapes.prod(axis=1)
        channels = images[0].shape[2]
        self.pixels = tf.constant(
            np.concatenate([image.reshape(-1, channels) for image in images])
        )
        self.starts = tf.constant(np.cumsum(areas) - areas)
        self.shapes = tf.constant(shapes)
        self.size = size

    def cut(self, indices, places, flips):
        """Cuts a crop out of each chosen image.

        Args:
            indices: int64 (B,).
            places: float32 (B, 2) in [0, 1): where in the image, from the top and the left.
            flips: bool (B, 2): mirror top to bottom, left to right.

        Returns:
            (B, S, S, C) of the images' type.
        """
        shapes = tf.gather(self.shapes, indices)
        room = tf.cast(shapes - self.size + 1, tf.float32)
        corner = tf.cast(places * room, tf.int64)
        steps = tf.range(self.size, dtype=tf.int64)[None]
        rows, columns = (
            corner[:, axis, None] + tf.where(flips[:, axis, None], steps[:, ::-1], steps)
            for axis in (0, 1)
        )
        start = tf.gather(self.starts, indices)
        width = shapes[:, 1]
        flat = (
            start[:, None, None] + rows[:, :, None] * width[:, None, None] + columns[:, None]
        )
        return tf.gather(self.pixels, flat)


def reflect_to(image, size):
    """Continues an image by reflection where it is smaller than `size`; centred."""
    missing = np.maximum(size - np.array(image.shape[:2]), 0)
    if not missing.any():
        return image
    before = missing // 2
    return np.pad(
        image, [*zip(before, missing - before), (0, 0)], mode="symmetric"
    )


def unpaired_batches(ng, p, size, batch_size, seed, steps, first_step=0):
    """Batches for `DefectGAN.fit`: crops of defective and of defect-free images, unpaired.

    Pass after pass over both kinds of images, each in an order of its own. Step `i` is a
    function of (seed, i) alone, so a run that is resumed at step `i` sees what it would have
    seen.

    Args:
        ng, p: lists of uint8 (H, W, C), defective and defect-free images.
        size: side of a crop in pixels.
        batch_size: crops of each kind in a batch.
        seed: int.
        steps: number of the last step plus one.
        first_step: number of the first step.

    Returns:
        `tf.data.Dataset` of (ng, p), float32 (B, S, S, C) in [-1, 1].
    """
    kinds = [Crops(ng, size), Crops(p, size)]
    counts = [len(ng), len(p)]

    def batch(step):
        crops = []
        for kind, (source, count) in enumerate(zip(kinds, counts)):
            indices, places, flips = draw(step, batch_size, count, [seed, kind])
            crops.append(to_float(source.cut(indices, places, flips)))
        return tuple(crops)

    return (
        tf.data.Dataset.range(first_step, steps)
        .map(batch, num_parallel_calls=AUTOTUNE_THREADS, deterministic=True)
        .prefetch(4)
    )


def draw(step, batch_size, count, seed):
    """Which images a step takes, and which crops of them: a function of (seed, step).

    Args:
        step: int64 scalar tensor.
        batch_size: images wanted.
        count: images there are; every one is drawn once before any is drawn again.
        seed: list of two ints.

    Returns:
        indices int64 (B,), places float32 (B, 2) in [0, 1), flips bool (B, 2).
    """
    position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    turn = position // count
    # the raw op: tf.random.experimental.index_shuffle mispads a seed per element
    seeds = tf.stack([tf.zeros_like(turn) + seed[0], turn, tf.zeros_like(turn) + seed[1]], 1)
    indices = tf.raw_ops.RandomIndexShuffle(
        index=position % count, seed=seeds, max_index=tf.constant(count - 1, tf.int64)
    )
    key = tf.stack([tf.constant(2 * seed[0] + seed[1], tf.int64), step])
    numbers = tf.random.stateless_uniform([batch_size, 4], key)
    return indices, numbers[:, :2], numbers[:, 2:] < 0.5


def to_float(pixels):
    """uint8 0..255 to float32 [-1, 1]."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1
