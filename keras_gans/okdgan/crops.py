"""Square crops of photographs: the container, parts by photo, labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gans.data.on_disk import OnDisk, sha256, subset
from keras_gans.errors import InputError

CLASSIFIER_HOLD_OUT = 0.2  # of the photos, for the accuracy of a classifier trained on the rest


@dataclass(frozen=True)
class Area:
    """Where a crop may be drawn.

    Attributes:
        file: `Path` of the photo.
        photo: (width, height) of it in pixels.
        box: (x, y, width, height) of the area in pixels.
        labels: tuple of class names.
        source: what the photo is called; `None` for the file's name.
        part: of the data set's own split; `None` if it has none.
        listed: `None`, or, if the area is itself the crop, what names it in messages.
    """

    file: Path
    photo: tuple
    box: tuple
    labels: tuple
    source: str | None = None
    part: str | None = None
    listed: str | None = None


@dataclass(frozen=True)
class Crops:
    """Square crops of photographs.

    Attributes:
        name: what to call the set where its figures are given.
        classes: the names of the K classes, tuple of str; () if there are none.
        images: uint8 (N, S, S, 3), sRGB.
        labels: int64 (N,), 0 to K - 1; or bool (N, K), if a crop may have several classes;
            `None` without classes. See `single_labels`.
        sources: N str, the photo that each crop is of. Crops of one photo look alike, so a
            split has to be one of photos; see `split`.
        places: int64 (N, 3): x, y, side, in pixels of the photo; `None` if there is no photo.
        parts: N str, what the data set's own split calls each crop's part, such as "train"; ""
            where it says nothing. `None` if it has no split.
        files: N str, the files, relative to the set's folder; `None` if there are none.
    """

    name: str
    classes: tuple
    images: np.ndarray | OnDisk
    labels: np.ndarray | None
    sources: tuple
    places: np.ndarray | None = None
    parts: tuple | None = None
    files: tuple | None = None

    def __len__(self):
        return len(self.images)

    def hold_out(self, share: float, seed: int) -> tuple["Crops", "Crops | None"]:
        """The crops to train on, and those of the photos held out; `None` for a share of 0."""
        if not share:
            return self, None
        return tuple(map(self.take, split(self, share, seed)))

    def take(self, selection) -> "Crops":
        """The crops that `selection` (indices or bool (N,)) chooses."""
        chosen = np.arange(len(self))[selection]

        def of(values):
            if values is None or not isinstance(values, tuple):
                return None if values is None else subset(values, chosen)
            return tuple(values[i] for i in chosen)

        return Crops(
            self.name,
            self.classes,
            *map(of, (self.images, self.labels, self.sources)),
            *map(of, (self.places, self.parts, self.files)),
        )


def split(crops: Crops, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Divides crops by photo: those of one photo are all in one part.

    Args:
        crops: `Crops`.
        share: of the photos, 0 to 1, how much the second part has; at least one photo is in
            each.
        seed: int; the parts are a function of (sources, share, seed).

    Returns:
        (first, second): int64, indices into the crops, ascending.

    Raises:
        InputError: fewer than two photos.
        ValueError: another `share`.
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be between 0 and 1. Received: {share}")
    photos, index = np.unique(np.asarray(crops.sources), return_inverse=True)
    if len(photos) < 2:
        raise InputError(
            f"{crops.name}: all crops are of one photo, {photos[0]}: a part to measure on "
            "needs photos of its own; add some"
        )
    second = min(max(round(share * len(photos)), 1), len(photos) - 1)
    held = np.random.default_rng(seed).permutation(len(photos))[:second]
    inside = np.isin(index, held)
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def single_labels(crops: Crops, seed: int = 0) -> np.ndarray:
    """One class for each crop, as networks with a class label take it.

    Args:
        crops: `Crops`. Of a crop with several classes one is drawn.
        seed: int; the draw is a function of it and of the labels.

    Returns:
        int64 (N,), 0 to K - 1.

    Raises:
        InputError: crops without classes.
    """
    if crops.labels is None:
        raise InputError(
            f"{crops.name}: photos without classes: sort them into a folder per class"
        )
    if crops.labels.ndim == 1:
        return crops.labels
    luck = np.random.default_rng(seed).random(crops.labels.shape)
    return np.where(crops.labels, luck, -1).argmax(axis=1).astype(np.int64)


def digest(crops: Crops) -> str:
    """SHA-256 of pixels, classes and labels, as hex digits."""
    content = sha256(crops.images)
    content.update(" ".join(crops.classes).encode())
    if crops.labels is not None:
        content.update(np.ascontiguousarray(crops.labels))
    return content.hexdigest()


def describe(crops: Crops) -> str:
    """One line on a set: its classes, crops and photos."""
    count, size = crops.images.shape[:2]
    line = f"{crops.name}: {count} crops of {size}x{size} from {len(set(crops.sources))} photos"
    if crops.labels is None:
        return line + ", no classes"
    numbers = crops.labels.sum(axis=0) if crops.labels.ndim == 2 else np.bincount(
        crops.labels, minlength=len(crops.classes)
    )  # fmt: skip
    shown = [f"{name} {number}" for name, number in zip(crops.classes, numbers)]
    shown = shown if len(shown) <= 8 else [*shown[:6], "...", shown[-1]]
    several = ", a crop may have several" if crops.labels.ndim == 2 else ""
    return f"{line}; {', '.join(shown)}{several}"
