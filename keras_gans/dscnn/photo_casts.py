"""Ordinary photographs, on which lights are put."""

from pathlib import Path

import numpy as np

from keras_gans.data.folders import list_images
from keras_gans.data.images import read_srgb
from keras_gans.data.squares import area_average
from keras_gans.dscnn.scenes import Scenes, checked_scenes
from keras_gans.errors import InputError


def load_photos(path: Path, size: int = 64, seed: int = 0) -> Scenes:
    """Makes scenes of ordinary photographs by putting colour casts on them.

    For white-balancing finished photographs (8-bit, sRGB), whose colours are no camera's
    raw ones: there the light of a good picture is white. Every photo is taken to be well
    balanced, averaged to `size` x `size` and multiplied by a cast, which is the light to be
    found: a random amount from blue to orange, with a little green or magenta; a quarter of
    the photos keep none. Photos that are held out are brightened and clipped as well, since
    the colour of a clipped highlight would give the cast away. (All of this is ours.)

    Args:
        path: folder of 8-bit photos; grey ones are left out.
        size: side of the thumbnails in pixels.
        seed: int; the casts are a function of it.

    Returns:
        `Scenes` named after the folder. The last fifth of the photos, by name, is fold 1,
        the rest fold 0.

    Raises:
        InputError: no photos, fewer than ten in colour; a photo that cannot be read, is
            smaller than `size` or deeper than 8 bits.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: a folder of photos is expected")
    rng = np.random.default_rng(seed)
    thumbnails, names = [], []
    for file in list_images(path):
        photo = read_srgb(file)
        if min(photo.shape[:2]) < size:
            raise InputError(
                f"{file}: {photo.shape[1]} x {photo.shape[0]} pixels, at least {size} x {size} "
                "are needed: leave it out"
            )
        small = area_average(photo, size, size)
        if np.ptp(small, axis=-1).mean() > 0.005:
            thumbnails.append(small / small.max())
            names.append(file.name)
    if len(names) < 10:
        raise InputError(f"{path}: {len(names)} photos in colour, at least 10 are needed")
    folds = (np.arange(len(names)) >= len(names) * 4 // 5).astype(int)
    casts = _casts(rng, len(names))
    images = np.stack(thumbnails) * (casts / casts.max(axis=1, keepdims=True))[:, None, None]
    for index in np.flatnonzero(folds):
        brightest = casts[index].max() / casts[index].min() * 1.2
        images[index] = np.minimum(images[index] * brightest ** rng.uniform(), 1)
    images = images.astype(np.float32)
    return checked_scenes(
        path.absolute().name, images, casts, folds, ["sRGB"] * len(names), names, path
    )


def _casts(rng, count):
    """Colours of lights around sRGB's white: (count, 3), unit norm."""
    warmth = rng.uniform(-0.45, 0.6, (count, 1)) * [1.0, 0.1, -1.1]
    tint = rng.normal(0, 0.06, (count, 1)) * [-0.5, 1.0, -0.5]
    casts = np.exp(np.where(rng.random((count, 1)) < 0.25, 0, warmth + tint))
    return casts / np.linalg.norm(casts, axis=1, keepdims=True)
