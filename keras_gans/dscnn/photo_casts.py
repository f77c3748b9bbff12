"""Ordinary photographs, saved anew as a camera with a wrong white balance would have."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from keras_gans.data.folders import in_threads
from keras_gans.data.images import SUFFIXES, bit_depth
from keras_gans.data.pixels import as_linear
from keras_gans.data.squares import area_average, read_levels
from keras_gans.dscnn.rendering import Rendering, draw_rendering, save, white_balanced
from keras_gans.dscnn.scene_arrays import load_npz
from keras_gans.dscnn.scenes import Scenes, checked_scenes
from keras_gans.errors import InputError

TRAINING, HELD_OUT, VALIDATION = 0, 1, 2  # folds
RENDERINGS = 4  # of a photo to train on; of others 2
AT_LEAST = 2000  # pictures of a folder to train on, so that a small one counts


class Thumbnails(Sequence):
    """Linear images, float32 (S, S, 3), held in half the memory: `levels`, uint16."""

    def __init__(self, levels):
        self.levels = levels

    def __len__(self):
        return len(self.levels)

    def __getitem__(self, index):
        return as_linear(self.levels[index])


@dataclass(frozen=True)
class Source:
    """A picture to render.

    Attributes:
        name: for messages.
        fold: `TRAINING`, `HELD_OUT` or `VALIDATION`.
        read: function without arguments, to the picture: uint8 (H, W, 3), sRGB, of a finished
            photo; float32, linear, white-balanced, of a camera's; `None` for a grey one.
    """

    name: str
    fold: int
    read: Callable

    def rendering(
        self, picture: np.ndarray, rng: np.random.Generator, smallest: int = 96
    ) -> tuple[np.ndarray, Rendering]:
        """The picture as a photo, uint8 (H, W, 3), and how to save it."""
        if picture.dtype == np.uint8:
            return picture, draw_rendering(rng, picture.shape, smallest)
        drawn = draw_rendering(rng, picture.shape, smallest)
        return white_balanced(picture, rng), replace(drawn, first=None)  # it was no JPEG


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
        paths: folder of 8-bit photos, at any depth, or an .npz of camera scenes with measured
            lights, see `load_npz`, which are white-balanced first; or several of them. Grey
            photos are left out.
        size: side of the thumbnails in pixels.
        seed: int; the renderings are a function of it.
        renderings: of a picture to train on; more of a set of few, at most 2 of the others.

    Returns:
        `Scenes` named after the sets. Of each folder the last fifth of the photos, by name,
        is fold 1 (held out), the tenth before it fold 2 (for validation), the rest fold 0;
        of camera scenes their last fold is fold 1.

    Raises:
        InputError: no photos, fewer than ten in colour; a photo that cannot be read, is
            smaller than `size` or deeper than 8 bits; as `load_npz`.
    """
    paths = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    work = []
    for number, path in enumerate(paths):
        sources = sources_of(path, size)
        training = max(renderings, -(-AT_LEAST // len(sources)))
        for place, source in enumerate(sources):
            times = training if source.fold == TRAINING else min(renderings, 2)
            work.append((source, times, [seed, number, place]))
    done = in_threads(lambda item: render(*item, size), work)
    found = [(item[0], pictures) for item, pictures in zip(work, done) if pictures]
    if len(found) < 10:
        listed = " ".join(map(str, paths))
        raise InputError(f"{listed}: {len(found)} photos in colour, at least 10 are needed")
    levels = np.stack([level for _, pictures in found for level, _ in pictures])
    lights = [light for _, pictures in found for _, light in pictures]
    folds = [source.fold for source, pictures in found for _ in pictures]
    names = [f"{source.name} ({i + 1})" for source, made in found for i in range(len(made))]
    name = "+".join(path.absolute().stem for path in paths)
    cameras = ["sRGB"] * len(names)
    return checked_scenes(name, Thumbnails(levels), lights, folds, cameras, names, paths[0])


def sources_of(path: Path, size: int = 64) -> list[Source]:
    """The pictures of a folder, sorted by their own names, or of an .npz.

    Raises:
        InputError: none there; as `load_npz`.
    """
    if path.suffix.lower() == ".npz" and path.is_file():
        scenes = load_npz(path)
        folds = np.where(scenes.folds == scenes.folds.max(), HELD_OUT, TRAINING)
        reads = [partial(_without_light, scenes, i) for i in range(len(scenes))]
        return [Source(*each) for each in zip(scenes.names, folds, reads)]
    if not path.is_dir():
        raise InputError(f"{path}: a folder of photos is expected")
    files = [file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise InputError(f"{path}: no images in this folder ({' '.join(SUFFIXES)} are read)")
    files.sort(key=lambda file: (file.name, str(file)))
    place = np.arange(len(files)) * 10 // len(files)
    folds = np.select([place >= 8, place == 7], [HELD_OUT, VALIDATION], TRAINING)
    reads = [partial(read_colour, file, size) for file in files]
    return [Source(file.name, *each) for file, *each in zip(files, folds, reads)]


def _without_light(scenes, index):
    light = scenes.illuminants[index]
    return scenes.images[index] / (light / light.max())


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


def render(source: Source, count: int, seed: list[int], size: int = 64) -> list[tuple]:
    """Renders a picture several times.

    Returns:
        `count` of (uint16 (size, size, 3), linear; light (3,)), none of a grey photo.
    """
    picture = source.read()
    if picture is None:
        return []
    made = []
    for number in range(count):
        rng = np.random.default_rng([*seed, number])
        photo, rendering = source.rendering(picture, rng, max(96, size))
        small = thumbnail(save(photo, rendering), size)
        made.append((np.rint(small * 65535).astype(np.uint16), rendering.light))
    return made


def thumbnail(picture: np.ndarray, size: int = 64) -> np.ndarray:
    """What the network sees of a file: float32 (size, size, 3), linear, 1 the largest value."""
    small = area_average(picture, size, size)
    return small / max(small.max(), 1e-6)
