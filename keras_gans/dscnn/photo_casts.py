"""Ordinary photographs, saved anew as a camera with a wrong white balance would have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_gans.data.folders import in_threads
from keras_gans.data.images import SUFFIXES, bit_depth
from keras_gans.data.pixels import as_linear
from keras_gans.data.squares import area_average, read_levels
from keras_gans.dscnn.rendering import draw_rendering, save
from keras_gans.dscnn.scenes import Scenes, checked_scenes
from keras_gans.errors import InputError

TRAINING, HELD_OUT, VALIDATION = 0, 1, 2  # folds
RENDERINGS = 5  # of a photo to train on; of others 2
AT_LEAST = 2000  # pictures of a folder to train on, so that a small one counts


class Thumbnails(Sequence):
    """Linear images, float32 (S, S, 3), held in half the memory: `levels`, uint16."""

    def __init__(self, levels):
        self.levels = levels

    def __len__(self):
        return len(self.levels)

    def __getitem__(self, index):
        return as_linear(self.levels[index])


def load_photos(
    paths: Path | Sequence[Path], size: int = 64, seed: int = 0, renderings: int = RENDERINGS
) -> Scenes:
    """Makes scenes of ordinary photographs by saving them anew under colour casts.

    For white-balancing finished photographs (8-bit, sRGB), whose colours are no camera's
    raw ones: there the light of a good picture is white. Every photo is taken to be well
    balanced and rendered several times, a third of the times without a cast, see
    `rendering`; the file that this gives is read and averaged to `size` x `size`. The light to
    be found is the colour that a neutral grey has in it.

    Args:
        paths: folder of 8-bit photos, at any depth, or several; grey photos are left out.
        size: side of the thumbnails in pixels.
        seed: int; the renderings are a function of it.
        renderings: of a photo to train on; more in a folder of few photos, 2 of the others.

    Returns:
        `Scenes` named after the folders. Of each folder the last fifth of the photos, by name,
        is fold 1 (held out), the tenth before it fold 2 (for validation), the rest fold 0.

    Raises:
        InputError: no photos, fewer than ten in colour; a photo that cannot be read, is
            smaller than `size` or deeper than 8 bits.
    """
    paths = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    work = []
    for number, path in enumerate(paths):
        files = photos_in(path)
        folds = folds_of(len(files))
        training = max(renderings, -(-AT_LEAST // len(files)))
        for place, (file, fold) in enumerate(zip(files, folds)):
            times = training if fold == TRAINING else min(renderings, 2)
            work.append((file, fold, times, [seed, number, place]))
    done = in_threads(lambda item: render_photo(item[0], item[2], item[3], size), work)
    found = [(item, pictures) for item, pictures in zip(work, done) if pictures]
    if len(found) < 10:
        listed = " ".join(map(str, paths))
        raise InputError(f"{listed}: {len(found)} photos in colour, at least 10 are needed")
    levels = np.stack([level for _, pictures in found for level, _ in pictures])
    lights = [light for _, pictures in found for _, light in pictures]
    folds = [item[1] for item, pictures in found for _ in pictures]
    names = [f"{item[0].name} ({i + 1})" for item, made in found for i in range(len(made))]
    name = "+".join(path.absolute().name for path in paths)
    cameras = ["sRGB"] * len(names)
    return checked_scenes(name, Thumbnails(levels), lights, folds, cameras, names, paths[0])


def photos_in(path: Path) -> list[Path]:
    """The photos in a folder and the folders in it, sorted by their own names."""
    if not path.is_dir():
        raise InputError(f"{path}: a folder of photos is expected")
    files = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise InputError(f"{path}: no images in this folder ({' '.join(SUFFIXES)} are read)")
    return sorted(files, key=lambda file: (file.name, str(file)))


def folds_of(count: int) -> np.ndarray:
    """Folds of `count` photos: the last fifth held out, the tenth before it validates."""
    place = np.arange(count) * 10 // count
    return np.select([place >= 8, place == 7], [HELD_OUT, VALIDATION], TRAINING)


def read_colour(file: Path, size: int) -> np.ndarray | None:
    """A photo, uint8 (H, W, 3), sRGB; `None` if it is grey.

    Raises:
        InputError: cannot be read, smaller than `size`, deeper than 8 bits.
    """
    if bit_depth(file) > 8:
        raise InputError(f"{file}: deeper than 8 bits a channel: save it as 8-bit sRGB")
    photo = read_levels(file)
    if min(photo.shape[:2]) < size:
        raise InputError(
            f"{file}: {photo.shape[1]} x {photo.shape[0]} pixels, at least {size} x {size} "
            "are needed: leave it out"
        )
    small = area_average(photo, size, size)
    return photo if np.ptp(small, axis=-1).mean() > 0.005 else None


def render_photo(file: Path, count: int, seed: list[int], size: int = 64) -> list[tuple]:
    """Renders a photo several times.

    Returns:
        `count` of (uint16 (size, size, 3), linear; light (3,)), none of a grey photo.
    """
    photo = read_colour(file, size)
    if photo is None:
        return []
    pictures = []
    for number in range(count):
        rng = np.random.default_rng([*seed, number])
        rendering = draw_rendering(rng, photo.shape, max(96, size))
        picture = thumbnail(save(photo, rendering), size)
        pictures.append((np.rint(picture * 65535).astype(np.uint16), rendering.light))
    return pictures


def thumbnail(picture: np.ndarray, size: int = 64) -> np.ndarray:
    """What the network sees of a file: float32 (size, size, 3), linear, 1 the largest value."""
    small = area_average(picture, size, size)
    return small / max(small.max(), 1e-6)
