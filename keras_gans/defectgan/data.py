"""From surfaces to batches: random crops, as functions of seed and step.

Of an image that is no larger than a crop, every crop is the whole image.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.order import endless_order
from keras_gans.defectgan.surfaces import Surfaces

MIRRORS = {  # chances of: top to bottom, left to right, transposition
    "none": (0.0, 0.0, 0.0),
    "horizontal": (0.0, 0.5, 0.0),  # as CycleGAN
    "both": (0.5, 0.5, 0.0),
    "turn": (0.5, 0.5, 0.5),
}


def unpaired_batches(
    ng: Sequence[np.ndarray],
    p: Sequence[np.ndarray],
    size: int,
    batch_size: int,
    seed: int,
    mirror: str = "horizontal",
    relight: float = 0.0,
    bag: int = 1,
) -> Callable:
    """Batches for DefectGAN: crops of defective and of defect-free images, unpaired.

    Args:
        ng, p: uint8 (H, W, C), defective and defect-free images.
        size: side of a crop in pixels.
        batch_size: crops of each kind in a batch.
        seed: with the step's number it decides all that is random.
        mirror: one of `MIRRORS`.
        relight: strength of `relit`, so that the light does not tell the classes apart.
        bag: crops of each image, a divisor of `batch_size`; see `Crops.draw`.

    Returns:
        function of a step's number to (ng, p), float32 (B, S, S, C) in [-1, 1]; see
        `step_dataset`.
    """
    sources = [Crops(ng, size, mirror), Crops(p, size, mirror)]

    def batch(step):
        crops = [
            to_float(source.draw(step, batch_size, [seed, kind], bag))
            for kind, source in enumerate(sources)
        ]
        if relight:
            crops = [
                relit(x, relight, tf.stack([tf.constant(2 * seed + kind, tf.int64), ~step]))
                for kind, x in enumerate(crops)
            ]
        return tuple(crops)

    return batch


def labelled_batches(
    surfaces: Surfaces,
    size: int,
    batch_size: int,
    seed: int,
    mirror: str = "horizontal",
    relight: float = 0.0,
    masks: bool = False,
) -> Callable:
    """Batches for the baselines: half of each from defective images.

    Args:
        surfaces: with `masks` all defective ones have one.
        size, seed, mirror, relight: see `unpaired_batches`.
        batch_size: even, crops of both kinds together.
        masks: whether the target is the mask, for SegNet, or the label, for CAM.

    Returns:
        function of a step's number to images float32 (B, S, S, C) in [-1, 1] and targets
        float32, masks (B, S, S, 1) or labels (B, 1); 1 is defective.
    """
    sources = []
    for kind in (True, False):
        chosen = np.flatnonzero(surfaces.defective == kind)
        images = [surfaces.images[i] for i in chosen]
        if masks:  # as one more channel they are cut like the image
            drawn = [surfaces.masks[i] if kind else np.zeros(surfaces.images[i].shape[:2])
                     for i in chosen]  # fmt: skip
            images = [
                np.dstack([image, np.where(mask, 255, 0).astype(np.uint8)])
                for image, mask in zip(images, drawn)
            ]
        sources.append(Crops(images, size, mirror))
    half = batch_size // 2
    labels = tf.constant([[1.0]] * half + [[0.0]] * half)

    def batch(step):
        crops = [source.draw(step, half, [seed, kind]) for kind, source in enumerate(sources)]
        pixels = tf.concat(crops, axis=0)
        x = to_float(pixels[..., :-1] if masks else pixels)
        if relight:
            x = relit(x, relight, tf.stack([tf.constant(seed, tf.int64), ~step]))
        return x, tf.cast(pixels[..., -1:] > 0, tf.float32) if masks else labels

    return batch


class Crops:
    """Random crops of images of several sizes, drawn in the graph without Python.

    All images lie in one buffer, one after the other; a crop gathers its pixels from there.

    Args:
        images: uint8 (H, W, C). Smaller ones than a crop are continued by their mirror image.
        size: side of a crop in pixels.
        mirror: one of `MIRRORS`.
    """

    def __init__(self, images: Sequence[np.ndarray], size: int, mirror: str = "none"):
        images = [extended(image, size) for image in images]
        shapes = np.array([image.shape[:2] for image in images], np.int64)
        areas = shapes.prod(axis=1)
        channels = images[0].shape[2]
        self.pixels = tf.constant(
            np.concatenate([image.reshape(-1, channels) for image in images])
        )
        self.starts = tf.constant(np.cumsum(areas) - areas)
        self.shapes = tf.constant(shapes)
        self.count = len(images)
        self.size = size
        self.chances = tf.constant(MIRRORS[mirror])

    def draw(
        self, step: tf.Tensor, batch_size: int, seed: list[int], bag: int = 1
    ) -> tf.Tensor:
        """The crops of one step, uint8 (B, S, S, C): a function of (seed, step).

        Every image is drawn once before any is drawn again.

        Args:
            step: int64 scalar.
            batch_size: crops wanted.
            seed: two ints.
            bag: so many crops, one after the other, are of one image, each from its own part of
                the image's longer side.
        """
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        indices = endless_order(positions // bag, self.count, seed)
        key = tf.stack([tf.constant(2 * seed[0] + seed[1], tf.int64), step])
        numbers = tf.random.stateless_uniform([batch_size, 5], key)
        places = numbers[:, :2]
        if bag > 1:
            shapes = tf.gather(self.shapes, indices)
            longer = tf.one_hot(tf.argmax(shapes, axis=1), 2, on_value=True, off_value=False)
            parts = (tf.cast(positions % bag, tf.float32)[:, None] + places) / bag
            places = tf.where(longer, parts, places)
        return self.cut(indices, places, numbers[:, 2:] < self.chances)

    def cut(self, indices: tf.Tensor, places: tf.Tensor, mirrored: tf.Tensor) -> tf.Tensor:
        """Cuts a crop out of each chosen image, uint8 (B, S, S, C).

        Args:
            indices: int64 (B,).
            places: float32 (B, 2) in [0, 1): where in the image, from the top and the left.
            mirrored: bool (B, 3): top to bottom, left to right, transposed.
        """
        shapes = tf.gather(self.shapes, indices)
        room = tf.cast(shapes - self.size + 1, tf.float32)
        corner = tf.cast(places * room, tf.int64)
        steps = tf.range(self.size, dtype=tf.int64)[None]
        rows, columns = (
            corner[:, axis, None] + tf.where(mirrored[:, axis, None], steps[:, ::-1], steps)
            for axis in (0, 1)
        )
        rows = rows * shapes[:, 1, None] + tf.gather(self.starts, indices)[:, None]
        places = rows[:, :, None] + columns[:, None, :]
        turned = tf.transpose(places, [0, 2, 1])
        return tf.gather(self.pixels, tf.where(mirrored[:, 2, None, None], turned, places))


def extended(image: np.ndarray, size: int) -> np.ndarray:
    """Continues an image by its mirror image where it is smaller than `size`; centred."""
    missing = np.maximum(size - np.array(image.shape[:2]), 0)
    if not missing.any():
        return image
    before = missing // 2
    return np.pad(image, [*zip(before, missing - before), (0, 0)], mode="symmetric")


def relit(images: tf.Tensor, strength: float, key: tf.Tensor) -> tf.Tensor:
    """Changes the light of images at random: its strength, and a slope of it over the image.

    Values in [0, 1] are multiplied by `2^(strength a)` and by a plane that falls or rises by up
    to `strength / 2` from the middle to the border in each direction; a is uniform in [-1, 1].

    Args:
        images: float32 (N, H, W, C) in [-1, 1].
        strength: in [0, 1].
        key: int64 (2,), of which the draw is a function.

    Returns:
        float32 (N, H, W, C), clipped to [-1, 1].
    """
    draw = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], key, -1.0, 1.0)
    rows = tf.linspace(-1.0, 1.0, tf.shape(images)[1])[:, None, None]
    columns = tf.linspace(-1.0, 1.0, tf.shape(images)[2])[:, None]
    slope = 1 + strength * (draw[1] * rows + draw[2] * columns) / 2
    return tf.clip_by_value((images + 1) * 2 ** (strength * draw[0]) * slope - 1, -1.0, 1.0)
