"""From scenes to batches: patches (section 4.2) and augmentation, as functions of a seed."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_gans.errors import InputError

MIN_LIT = 0.5  # a patch in which fewer pixels than this carry light is not drawn (ours)


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


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training patch, all of them ours: the paper has none.

    Attributes:
        crop: smallest side of the random square crop, as a share of the patch; the crop is
            scaled back to the patch's size. 1 means no crops.
        flip: mirror at random in both directions; transpose whole batches at random.
        relight: share of the patches whose light is replaced: from its own to a random
            geometric mix of two lights of the training set, seen by the same camera.
        jitter: standard deviation of the log of each channel of the new light.
        brighten: largest factor by which a patch is brightened at random and clipped at
            white; 1 means none. For scenes whose clipped highlights would otherwise show
            the light that was put on them.
    """

    crop: float = 0.5
    flip: bool = True
    relight: float = 0.7
    jitter: float = 0.03
    brighten: float = 1.0

    def __post_init__(self):
        within = {"crop": (0.05, 1), "relight": (0, 1), "jitter": (0, 1), "brighten": (1, 100)}
        for name, (low, high) in within.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(
                    f"--augmentation.{name} must be from {low} to {high}. Received: {value}"
                )


def cut_patches(image, size):
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


def draw_patches(scenes, selection, count, size, seed):
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


def split_patches(patches, validation_share, seed):
    """Splits patches at random into training and validation (2/3 and 1/3 in section 4.2)."""
    order = np.random.default_rng([seed, 1]).permutation(len(patches))
    held = round(len(patches) * validation_share)
    return patches[order[held:]], patches[order[:held]]


def training_batches(patches, batch_size, steps, seed, augmentation=None, first_step=0):
    """Batches for `fit`: pass after pass over the patches, each in an order of its own.

    Step `i` is a function of (seed, i) alone, so a run that is resumed at step `i` sees
    what it would have seen. Needs no Python after it is built.

    Args:
        patches: `Patches`.
        batch_size: patches in a batch.
        steps: number of the last step plus one.
        seed: int.
        augmentation: an `Augmentation`, or `None` for the patches as they are.
        first_step: number of the first step.

    Returns:
        `tf.data.Dataset` of (patches float32 (B, S, S, 3) in [0, 1], illuminants (B, 3)).
    """
    pixels = tf.constant(patches.pixels)
    illuminants = tf.constant(patches.illuminants)
    cameras = tf.constant(patches.cameras)
    count = len(patches)

    def batch(step):
        position = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        turn = position // count
        # the raw op: tf.random.experimental.index_shuffle mispads a seed per element
        seeds = tf.stack([tf.zeros_like(turn) + seed, turn, tf.zeros_like(turn)], axis=1)
        index = tf.raw_ops.RandomIndexShuffle(
            index=position % count, seed=seeds, max_index=tf.constant(count - 1, tf.int64)
        )
        x = tf.cast(tf.gather(pixels, index), tf.float32) / 65535
        y = tf.gather(illuminants, index)
        if augmentation is not None:
            key = tf.stack([tf.constant(seed, tf.int64), step])
            x, y = _augment(
                x, y, tf.gather(cameras, index), illuminants, cameras, augmentation, key
            )
        return x, y

    return (
        tf.data.Dataset.range(first_step, steps)
        .map(batch, num_parallel_calls=2, deterministic=True)
        .prefetch(4)
    )


def evaluation_batches(patches, batch_size):
    """The patches once, in order: `tf.data.Dataset` as `training_batches` gives."""

    def scale(x, y):
        return tf.cast(x, tf.float32) / 65535, y

    dataset = tf.data.Dataset.from_tensor_slices((patches.pixels, patches.illuminants))
    return dataset.batch(batch_size).map(scale).prefetch(2)


def _augment(x, y, cameras, lights, light_cameras, augmentation, key):
    keys = tf.random.experimental.stateless_split(key, 7)
    if augmentation.crop < 1 or augmentation.flip:
        x = _crop_and_flip(x, augmentation, keys[0])
    if augmentation.relight > 0:
        x, y = _relight(x, y, cameras, lights, light_cameras, augmentation, keys[1:6])
    if augmentation.brighten > 1:
        exponent = tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1], keys[6])
        x = tf.minimum(x * augmentation.brighten**exponent, 1.0)
    return x, y


def _crop_and_flip(x, augmentation, key):
    count, size = tf.shape(x)[0], x.shape[1]
    draw = tf.random.stateless_uniform([6, count], key)
    side = augmentation.crop + (1 - augmentation.crop) * draw[0]
    top, left = (1 - side) * draw[1], (1 - side) * draw[2]
    bottom, right = top + side, left + side
    if augmentation.flip:  # a box whose end lies before its start is mirrored
        up, over = draw[3] < 0.5, draw[4] < 0.5
        top, bottom = tf.where(up, bottom, top), tf.where(up, top, bottom)
        left, right = tf.where(over, right, left), tf.where(over, left, right)
        x = tf.cond(draw[5, 0] < 0.5, lambda: tf.transpose(x, [0, 2, 1, 3]), lambda: x)
    boxes = tf.stack([top, left, bottom, right], axis=1)
    return tf.image.crop_and_resize(x, boxes, tf.range(count), (size, size))


def _relight(x, y, cameras, lights, light_cameras, augmentation, keys):
    """Replaces the light of a share of the patches by one their camera might have met."""
    count = tf.shape(x)[0]
    other_camera = tf.cast(cameras[:, None] != light_cameras[None], tf.float32)

    def draw(key):
        # the largest of uniform numbers is a fair choice among the lights of the same camera
        score = tf.random.stateless_uniform(tf.shape(other_camera), key) - other_camera
        return tf.math.log(tf.gather(lights, tf.argmax(score, axis=1)))

    mix = tf.random.stateless_uniform([count, 1], keys[2])
    noise = tf.random.stateless_normal([count, 3], keys[3], stddev=augmentation.jitter)
    new = tf.exp(mix * draw(keys[0]) + (1 - mix) * draw(keys[1]) + noise)
    chosen = tf.random.stateless_uniform([count, 1], keys[4]) < augmentation.relight
    new = tf.where(chosen, new / tf.norm(new, axis=1, keepdims=True), y)
    gains = new / y
    gains /= tf.reduce_max(gains, axis=1, keepdims=True)
    return x * gains[:, None, None], new
