"""What a detector learns from good images: a wanted share of false alarms (ours)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_gans.errors import InputError


@dataclass(frozen=True)
class FalseAlarms:
    """Images without defects, and how many of the like may be flagged.

    Attributes:
        good: folder of the images; the model must not have been trained on them.
        share: in (0, 1).
        new_surface: whether the images also choose what masks are cut by, for a model of
            other surfaces.

    Raises:
        InputError: `share` is out of range.
    """

    good: Path
    share: float
    new_surface: bool = False

    def __post_init__(self):
        if not 0 < self.share < 1:
            raise InputError(
                f"--false-alarms must be above 0 and below 1. Received: {self.share}"
            )

    def limit(self, scores: Sequence[float]) -> float:
        """The score above which a share of such images lies, on average, or fewer.

        Of n scores it is number ceil((1 - share) (n + 1)): a new image is as likely to lie in
        any of the n + 1 gaps between them (split conformal prediction).

        Args:
            scores: of the images in `good`.

        Raises:
            InputError: so small a share needs more images.
        """
        rank = math.ceil((1 - self.share) * (len(scores) + 1) - 1e-9)
        if rank > len(scores):
            least = math.ceil(1 / self.share - 1e-9) - 1
            raise InputError(
                f"{self.good}: --false-alarms {self.share:g} needs at least {least} images. "
                f"Received: {len(scores)}"
            )
        return float(sorted(scores)[rank - 1])
