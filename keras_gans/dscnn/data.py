"""From scenes to batches of patches (section 4.2), as functions of a seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_gans.data.order import endless_order
from keras_gans.dscnn.augment import Lights, augment
from keras_gans.dscnn.config import Augmentation
from keras_gans.dscnn.lite import MIN_LIT
from keras_gans.dscnn.scenes import Scenes
from keras_gans.errors import InputError


@dataclass(frozen=True)
class Patches:
    """Square patches of linear scenes, with what their scenes are known by.

    Attributes:
        pixels: uint16 (N, S, S, 3), linear RGB, 65535 is the white level.
        illuminants: float32 (N, 3), unit norm.
        cameras: int32 (N,), one number a camera.
    """

    pixels: np.ndarray
    illuminants: np.ndarray
    cameras: np.ndarray

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, selection):
        return Patches(
            self.pixels[selection], self.illuminants[selection], self.cameras[selection]
        )


def cut_patches(image: np.ndarray, size: int) -> np.ndarray:
    """Cuts an image (H, W, C) into its non-overlapping patches (rows, columns, S, S, C).

    What is left over at the right and the bottom is not used.

    Raises:
        ValueError: if the image is smaller than a patch.
    """
    height, width, channels = image.shape
    rows, columns = height // size, width // size
    if not rows or not columns:
        raise ValueError(f"image must be at least {size}x{size}. Received: {height}x{width}")
    grid = image[: rows * size, : columns * size]
    return grid.reshape(rows, size, columns, size, channels).swapaxes(1, 2)


def draw_patches(
    scenes: Scenes, selection: np.ndarray, count: int, size: int, seed: int
) -> Patches:
    """Draws `count` patches at random from the grids of the selected scenes (section 4.2).

    Every scene gives as many as any other, as far as it has them; patches that are mostly
    black (a blanked colour chart) are left out.

    Args:
        scenes: `Scenes`.
        selection: indices of the scenes to draw from.
        count: patches wanted in all; a set of small scenes may have fewer.
        size: side of a patch in pixels.
        seed: int; the draw is a function of it.

    Raises:
        InputError: if a scene is smaller than a patch, or no scene has a lit patch.
    """
    camera_numbers = {name: i for i, name in enumerate(sorted(set(scenes.cameras)))}
    pixels, owners = [], []
    for position, index in enumerate(selection):
        image = scenes.images[index]
        if min(image.shape[:2]) < size:
            raise InputError(
                f"{scenes.names[index]}: the image is {image.shape[1]}x{image.shape[0]}, "
                f"smaller than a patch of {size}x{size}; leave it out or choose a smaller "
                "--patch-size"
            )
        patches = cut_patches(image, size).reshape(-1, size, size, 3)
        lit = (patches.max(axis=3) > 0).mean(axis=(1, 2)) >= MIN_LIT
        patches = patches[lit]
        share = (count * (position + 1)) // len(selection) - (count * position) // len(
            selection
        )
        rng = np.random.default_rng([seed, 2, int(index)])
        chosen = rng.permutation(len(patches))[:share]
        pixels.append(np.round(patches[chosen] * 65535).astype(np.uint16))
        owners.extend([index] * len(chosen))
    if not owners:
        raise InputError(f"{scenes.name}: no patch of {size}x{size} has light in it")
    return Patches(
        np.concatenate(pixels),
        scenes.illuminants[owners].astype(np.float32),
        np.array([camera_numbers[scenes.cameras[i]] for i in owners], np.int32),
    )


def halved(patches: Patches) -> Patches:
    """The patches averaged to half their side."""
    count, size = patches.pixels.shape[:2]
    blocks = patches.pixels.reshape(count, size // 2, 2, size // 2, 2, 3)
    pixels = np.concatenate(  # in parts, for little memory
        [part.mean((2, 4)).round().astype(np.uint16) for part in np.array_split(blocks, 64)]
    )
    return Patches(pixels, patches.illuminants, patches.cameras)


def split_patches(
    patches: Patches, validation_share: float, seed: int
) -> tuple[Patches, Patches]:
    """Splits patches at random into training and validation (2/3 and 1/3 in section 4.2)."""
    order = np.random.default_rng([seed, 1]).permutation(len(patches))
    held = round(len(patches) * validation_share)
    return patches[order[held:]], patches[order[:held]]


def training_batches(
    patches: Patches, batch_size: int, seed: int, augmentation: Augmentation | None = None
) -> Callable:
    """Batches for training: pass after pass over the patches, each in an order of its own.

    Args:
        patches: `Patches`.
        batch_size: patches in a batch.
        seed: order and augmentation are functions of it and of the step.
        augmentation: `None` for the patches as they are.

    Returns:
        function of a step's number to (patches float32 (B, S, S, 3) in [0, 1], illuminants
        (B, 3)).
    """
    pixels = tf.constant(patches.pixels)
    illuminants = tf.constant(patches.illuminants)
    cameras = tf.constant(patches.cameras)

    def batch(step):
        positions = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        index = endless_order(positions, len(patches), [seed, 0])
        x = tf.cast(tf.gather(pixels, index), tf.float32) / 65535
        y = tf.gather(illuminants, index)
        if augmentation is not None:
            key = tf.stack([tf.constant(seed, tf.int64), step])
            met = Lights(illuminants, cameras)
            x, y = augment(x, y, tf.gather(cameras, index), met, augmentation, key)
        return x, y

    return batch


def evaluation_batches(patches: Patches, batch_size: int) -> tf.data.Dataset:
    """The patches once, in order: batches as those of `training_batches`."""

    def scale(x, y):
        return tf.cast(x, tf.float32) / 65535, y

    dataset = tf.data.Dataset.from_tensor_slices((patches.pixels, patches.illuminants))
    return dataset.batch(batch_size).map(scale).prefetch(2)
