"""What every loader gives: images of a surface, with and without defects."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from skimage.measure import block_reduce

from keras_gans.errors import InputError


@dataclass(frozen=True)
class Surfaces:
    """Images of one kind of surface, with labels per image; masks serve evaluation alone.

    Attributes:
        name: the set's, printed beside every figure.
        images: uint8 (H, W, C); sizes may differ, C is 1 (grey) or 3 (RGB) for all.
        defective: bool (N,), the label.
        masks: bool (H, W) where the defect is; `None` for defect-free images, and for
            defective ones whose mask is missing or empty (they are left out of IoU).
        types: the kind of defect; "" for defect-free images.
        train: bool (N,), whether the image is for training or for testing.
        names: paths relative to the set's folder.
    """

    name: str
    images: list[np.ndarray]
    defective: np.ndarray
    masks: list[np.ndarray | None]
    types: list[str]
    train: np.ndarray
    names: list[str]

    def __len__(self):
        return len(self.images)

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for RGB."""
        return self.images[0].shape[2]

    @property
    def masked(self) -> np.ndarray:
        """bool (N,), which images have a mask."""
        return np.array([mask is not None for mask in self.masks], bool)

    def take(self, selection: np.ndarray) -> "Surfaces":
        """The images that `selection` (indices or bool (N,)) chooses."""
        chosen = np.arange(len(self))[selection]
        lists = {
            name: [getattr(self, name)[i] for i in chosen]
            for name in ("images", "masks", "types", "names")
        }
        return dataclasses.replace(
            self, defective=self.defective[chosen], train=self.train[chosen], **lists
        )

    def spread(self, count: int, **wanted: bool) -> "Surfaces":
        """At most `count` images, evenly spread over those that are wanted.

        Args:
            count: images.
            **wanted: values of `train`, `defective` and `masked`; others do not matter.
        """
        from keras_gans.data.order import spread  # imports TensorFlow

        chosen = np.ones(len(self), bool)
        for name, value in wanted.items():
            chosen &= getattr(self, name) == value
        indices = np.flatnonzero(chosen)
        return self.take(indices[spread(len(indices), count)] if len(indices) else indices)

    def by_label(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The defective images, and those without a defect."""
        return tuple(self.take(self.defective == label).images for label in (True, False))

    def with_channels(self, channels: int) -> "Surfaces":
        """The same surfaces for networks of so many channels: grey is repeated for 3.

        Raises:
            InputError: colour images and one channel.
        """
        if channels == self.channels:
            return self
        if channels == 1:
            raise InputError(
                f"{self.name}: images in colour, and networks of 1 channel; give --channels 3, "
                "or convert the images to grey"
            )
        images = [np.repeat(image, channels, axis=2) for image in self.images]
        return dataclasses.replace(self, images=images)

    def reduced(self, factor: int) -> "Surfaces":
        """The same surfaces, images and masks reduced by a whole factor; see `reduced`."""
        if factor == 1:
            return self
        for name, image in zip(self.names, self.images):
            if min(image.shape[:2]) < factor:
                raise InputError(
                    f"{name}: {image.shape[1]}x{image.shape[0]} pixels, too small for --reduce "
                    f"{factor}; leave it out or lower --reduce"
                )
        masks = [
            None if mask is None else reduced(mask[..., None], factor)[..., 0] >= 0.5
            for mask in self.masks
        ]
        return dataclasses.replace(
            self,
            images=[np.rint(reduced(image, factor)).astype(np.uint8) for image in self.images],
            masks=[mask if mask is not None and mask.any() else None for mask in masks],
        )

    def hold_out(self, kind: str) -> "Surfaces":
        """Moves all images of one type of defect to the test part.

        For the paper's third claim, that defects of a type never seen in training are found.

        Raises:
            InputError: no such type, or no defective image would be left to train on.
        """
        self._check_types([kind])
        train = self.train & (np.array(self.types) != kind)
        if not (train & self.defective).any():
            raise InputError(
                f"{self.name}: without {kind} no defective image is left to train on; the "
                f"types of defects are {', '.join(self._types())}"
            )
        return dataclasses.replace(self, train=train)

    def only_types(self, kinds: Sequence[str]) -> "Surfaces":
        """Leaves out all defective images but those of some types.

        Raises:
            InputError: no such type, or no defective image would be left to train on.
        """
        self._check_types(kinds)
        chosen = self.take(~self.defective | np.isin(self.types, kinds))
        if not (chosen.train & chosen.defective).any():
            raise InputError(f"{self.name}: no training images of type {', '.join(kinds)}")
        return dataclasses.replace(chosen, name=f"{chosen.name} ({', '.join(kinds)})")

    def describe(self) -> str:
        """One line: sizes (width x height), both parts, the types of defects."""
        defective, train = self.defective, self.train
        types, counts = np.unique([kind for kind in self.types if kind], return_counts=True)
        by_type = ", ".join(f"{kind} {count}" for kind, count in zip(types, counts))
        unmarked = defective.sum() - self.masked.sum()
        return (
            f"{self.name}: {len(self)} {'grey' if self.channels == 1 else 'colour'} images, "
            f"{sizes_of(self.images)}; "
            f"training {(defective & train).sum()} defective + {(~defective & train).sum()} "
            f"free, testing {(defective & ~train).sum()} + {(~defective & ~train).sum()}; "
            f"defective by type: {by_type}"
            + (f"; {unmarked} defective without a mask" if unmarked else "")
        )

    def _types(self):
        return sorted({name for name in self.types if name})

    def _check_types(self, kinds):
        for kind in kinds:
            if kind not in self._types():
                raise InputError(
                    f"{self.name}: no defects of type {kind!r}; there are "
                    f"{', '.join(self._types())}"
                )


def nearest_spread(indices: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the indices, evenly spread, rounded to the nearest."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(int)]


def sizes_of(images: Sequence[np.ndarray]) -> str:
    """The sizes of images as width x height, from the least to the largest."""
    sizes = np.array([image.shape[1::-1] for image in images])
    low, high = ("x".join(map(str, end)) for end in (sizes.min(axis=0), sizes.max(axis=0)))
    return low if low == high else f"{low} to {high}"


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Reduces an image (H, W, C) by a whole factor: means of squares of pixels.

    What is left over at the bottom and the right is not used.

    Returns:
        float64 (H // factor, W // factor, C).
    """
    height, width = (size // factor * factor for size in image.shape[:2])
    return block_reduce(image[:height, :width], (factor, factor, 1), np.mean)
