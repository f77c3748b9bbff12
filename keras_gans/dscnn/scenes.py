"""Scenes: linear images with the colour of their light, whatever they were read from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
        names: N names, for messages and tables.
    """

    name: str
    images: Sequence
    illuminants: np.ndarray
    folds: np.ndarray
    cameras: np.ndarray
    names: Sequence[str]

    def __len__(self):
        return len(self.names)

    def take(self, indices):
        """The scenes of the given indices, their images still read at every access."""
        return Scenes(
            self.name,
            _Selection(self.images, indices),
            self.illuminants[indices],
            self.folds[indices],
            self.cameras[indices],
            [self.names[i] for i in indices],
        )


class _Selection(Sequence):
    def __init__(self, items, indices):
        self._items, self._indices = items, indices

    def __len__(self):
        return len(self._indices)

    def __getitem__(self, position):
        return self._items[self._indices[position]]
