"""Generators and cleaners that stand for trained ones."""

from typing import NamedTuple

import keras
import numpy as np
from PIL import Image
from skimage import measure

from keras_gans.defectgan.surfaces import Surfaces


def random_generator(channels):
    """A fake generator: its input, changed here and there."""
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    x = keras.layers.Conv2D(channels, 3, padding="same")(x)
    return keras.Model(images, keras.ops.tanh(images + 0.3 * x))


def identity(channels):
    images = keras.Input((None, None, channels))
    return keras.Model(images, keras.layers.Identity()(images))


def negative(channels):
    images = keras.Input((None, None, channels))
    return keras.Model(images, -images)


def darker(images):
    """Stands for a cleaner that knows no defects: a square's 100 becomes the ground's 40."""
    return np.where(images == 100, 40, images).astype(np.uint8)


def square():
    image = np.full((1, 40, 50, 1), 40, np.uint8)
    image[:, 10:20, 5:25] = 100
    return image


def trained_on(free, defective=()):
    """`Surfaces` of training images."""
    kinds = [""] * len(free) + ["defect"] * len(defective)
    count = len(kinds)
    return Surfaces(
        "s", [*free, *defective], np.array(kinds) != "", [None] * count, kinds,
        np.ones(count, bool), [""] * count,
    )  # fmt: skip


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


class Box(NamedTuple):
    """A connected region: columns x0..x1 - 1, rows y0..y1 - 1, `area` pixels of the region."""

    x0: int
    y0: int
    x1: int
    y1: int
    area: int


def boxes(mask):
    """The regions (8 neighbours) of a mask, by scikit-image, the largest area first."""
    found = []
    for region in measure.regionprops(measure.label(mask, connectivity=2)):
        y0, x0, y1, x1 = region.bbox
        found.append(Box(x0, y0, x1, y1, int(region.area)))
    return sorted(found, key=lambda box: -box.area)
