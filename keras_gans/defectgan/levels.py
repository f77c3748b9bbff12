"""Levels of denoised differences, counted: what thresholds are chosen from."""

from collections.abc import Iterable

import numpy as np

from keras_gans.defectgan.detection import LEVELS, STEPS
from keras_gans.errors import InputError


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
