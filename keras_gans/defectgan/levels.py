"""How thresholds are chosen from good images: counted levels of denoised differences (ours)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from keras_gans.defectgan.detection import LEVELS, STEPS, Calibration
from keras_gans.errors import InputError


@dataclass(frozen=True)
class CalibrationRule:
    """How a `Calibration` is chosen.

    Attributes:
        method: of the threshold. "quantile": the level that the share `quantile` of the pixels
            of defect-free images does not exceed; "otsu": Otsu's, of defective images.
        quantile: see `method`, in (0, 1].
        peak_quantile: the same for `Calibration.peak`.
        limit_quantile: the same of the scores of defect-free images, for `Calibration.limit`.
        floor: none of these levels is lower, in grey levels: less is not seen.
        reach, share, sigma, dilation, score_pixels: see `Calibration`.
    """

    method: Literal["quantile", "otsu"] = "quantile"
    quantile: float = 0.99
    peak_quantile: float = 0.999
    limit_quantile: float = 0.95
    floor: float = 1.0
    reach: int = 12
    sigma: float = 1.0
    dilation: int = 1
    share: float = 0.5
    score_pixels: int = 1

    def __post_init__(self):
        for name in ("quantile", "peak_quantile", "limit_quantile"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise InputError(f"{name} must be above 0 and at most 1. Received: {value}")
        Calibration(
            0, 0, 0, self.reach, self.sigma, self.dilation, self.share, 0, self.score_pixels
        )


def good_levels(counts: np.ndarray, rule: CalibrationRule) -> tuple[float, float]:
    """(threshold, peak) from the counted pixels of good images, see `histogram`.

    Raises:
        InputError: nothing was counted.
    """
    quantiles = rule.quantile, rule.peak_quantile
    return tuple(max(quantile_level(counts, each), rule.floor) for each in quantiles)


def histogram(differences: Iterable[np.ndarray]) -> np.ndarray:
    """How many pixels of difference images have each of `LEVELS`, int64 (4081,).

    Nothing is lost, as `difference` gives no other values.
    """
    counts = np.zeros(len(LEVELS), np.int64)
    for values in differences:
        steps = np.rint(np.asarray(values, np.float64).ravel() * STEPS)
        if not ((steps >= 0) & (steps < len(LEVELS))).all():
            raise ValueError("differences must be from 0 to 255, without NaN")
        counts += np.bincount(steps.astype(np.int64), minlength=len(LEVELS))
    return counts


def quantile_level(counts: np.ndarray, quantile: float) -> float:
    """The level that the share `quantile`, in (0, 1], of the counted pixels does not exceed.

    Raises:
        InputError: nothing was counted.
    """
    check_counted(counts, "defect-free")
    return float(np.quantile(LEVELS, quantile, weights=counts, method="inverted_cdf"))


def check_counted(counts: np.ndarray, kind: str) -> None:
    """Some pixel was counted (raises `InputError`)."""
    if not np.any(counts):
        raise InputError(f"a threshold needs {kind} training images: there is none")
