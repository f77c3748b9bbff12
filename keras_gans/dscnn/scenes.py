"""Scenes: linear images with the colour of their light, whatever they were read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from keras_gans.data.images import bit_depth
from keras_gans.data.reading import reading
from keras_gans.errors import InputError, printable


@dataclass(frozen=True)
class Scenes:
    """A set of photographs with known illuminants.

    Attributes:
        name: name of the set, printed beside every figure measured on it.
        images: sequence of float32 arrays (H, W, 3): linear camera RGB, black level
            subtracted, 1.0 is the white level (clipped), colour-chart pixels zero. May
            read a file at every access.
        illuminants: float32 (N, 3), unit norm: the RGB direction of each scene's light.
        folds: int (N,): the fold in which a scene is held out.
        cameras: str (N,): scenes of one camera share a colour space.
        sets: str (N,): the set each scene came from; cameras of one set may share scenes.
        names: N names, for messages and tables.
    """

    name: str
    images: Sequence
    illuminants: np.ndarray
    folds: np.ndarray
    cameras: np.ndarray
    sets: np.ndarray
    names: Sequence[str]

    def __len__(self):
        return len(self.names)

    def take(self, indices) -> "Scenes":
        """The scenes of the given indices, their images still read at every access."""
        return Scenes(
            self.name,
            _Selection(self.images, indices),
            self.illuminants[indices],
            self.folds[indices],
            self.cameras[indices],
            self.sets[indices],
            [self.names[i] for i in indices],
        )


class _Selection(Sequence):
    def __init__(self, items, indices):
        self._items, self._indices = items, indices

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, position):
        return self._items[self._indices[position]]


def joined(sets: Sequence[Scenes]) -> Scenes:
    """Several sets as one; names and sets are told apart (raises `InputError` if not)."""
    if len(sets) == 1:
        return sets[0]
    names = [each.name for each in sets]
    if len(set(names)) < len(names):
        raise InputError(f"--data: two sets of one name among {', '.join(names)}: rename one")
    images = _Joined([each.images for each in sets])
    return Scenes(
        " + ".join(names),
        images,
        *(
            np.concatenate([getattr(each, field) for each in sets])
            for field in ("illuminants", "folds", "cameras", "sets")
        ),
        [f"{each.name}/{name}" for each in sets for name in each.names],
    )


class _Joined(Sequence):
    def __init__(self, parts):
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self):
        return int(self._ends[-1])

    def __getitem__(self, position):
        part = int(np.searchsorted(self._ends, position, side="right"))
        return self._parts[part][position - self._ends[part]]


class LazyImages(Sequence):
    """Images that are read from their files at every access."""

    def __init__(self, paths, read):
        self.paths = paths
        self.read = read

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = self.read(index)
        if not image.any():
            raise InputError(f"{self.paths[index]}: all black: leave it and its label out")
        return image


def find_files(path: Path, pattern: str) -> list[Path]:
    """Files under a folder at any depth, without what macOS leaves in archives."""
    return sorted(
        file
        for file in path.rglob(pattern)
        if not file.name.startswith(".") and "__MACOSX" not in file.parts
    )


def only_file(path: Path, pattern: str, what: str) -> Path:
    """The one file under a folder (raises `InputError` if there are none or several)."""
    files = find_files(path, pattern)
    if len(files) != 1:
        received = ", ".join(map(str, files)) or "none"
        raise InputError(f"{path}: one file with {what}, expected, got {received}")
    return files[0]


def check_file(path: Path) -> None:
    """Depth from the header, and that the file's end is there: both without decoding."""
    if bit_depth(path) < 16:
        raise InputError(
            f"{path}: an 8-bit image, linear 16-bit is expected: develop it again from the "
            "raw file as 16-bit linear RGB (PNG or TIFF)"
        )
    with open(path, "rb") as file:
        is_png = file.read(4) == b"\x89PNG"
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        complete = b"IEND\xaeB`\x82" in file.read()
    if not is_png:
        with reading(path, "TIFF"), tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            ends = [start + n for start, n in zip(page.dataoffsets, page.databytecounts)]
            complete = max(ends, default=size + 1) <= size
    if not complete:
        raise InputError(f"{path}: truncated: replace it by a sound copy or leave it out")


def check_unique(names: Sequence[str], sources: Sequence[Path]) -> None:
    """Raises `InputError` for a name that stands for two images."""
    seen = {}
    for name, source in zip(names, sources):
        if name in seen:
            raise InputError(f"{source}: a second image named {name} (the first: {seen[name]})")
        seen[name] = source


def folds_in_runs(cameras: Sequence[str], folds: int = 3) -> np.ndarray:
    """Cuts every camera's scenes, in their order, into runs of equal length."""
    cameras = np.asarray(cameras)
    result = np.zeros(len(cameras), int)
    for camera in np.unique(cameras):
        mine = np.flatnonzero(cameras == camera)
        result[mine] = np.arange(len(mine)) * folds // len(mine)
    return result


def checked_scenes(name, images, illuminants, folds, cameras, names, source) -> Scenes:
    """The checked set; `source` is the file that an error about labels names."""
    illuminants = np.asarray(illuminants, np.float64)
    # the squares of all that passes are finite and positive, too
    sound = (illuminants > 1e-100) & (illuminants < 1e100)
    bad = np.flatnonzero(~sound.all(axis=1))
    if len(bad):
        colour = ", ".join(f"{value:g}" for value in illuminants[bad[0]])
        raise InputError(
            f"{source}: the illuminant of {names[bad[0]]} is ({colour}), every channel "
            "must be positive and finite: correct it or leave the image out"
        )
    if len(np.unique(folds)) < 2:
        raise InputError(
            f"{source}: {len(names)} image(s) in {len(np.unique(folds))} fold(s), at "
            "least two folds are needed to test on images held out"
        )
    illuminants = illuminants / np.linalg.norm(illuminants, axis=1, keepdims=True)
    name = printable(name)
    return Scenes(
        name=name,
        images=images,
        illuminants=illuminants.astype(np.float32),
        folds=np.asarray(folds, int),
        cameras=np.asarray(cameras, str),
        sets=np.full(len(names), name),
        names=[printable(each) for each in names],
    )
