"""How well scores find defects: of pixels, regions and images. Exact, without binning.

The definitions are anomalib's (2.7), whose values the tests hold.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

FPR_LIMIT = 0.3


def pixel_figures(
    maps: Sequence[np.ndarray], masks: Sequence[np.ndarray | None], limit: float = FPR_LIMIT
) -> dict[str, float]:
    """Areas under the ROC curve and under the per-region overlap curve, of all pixels.

    AUPRO (Bergmann et al. 2021): the ROC curve of each connected defect (8 neighbours) against
    the pixels without defect of all images, averaged over the defects, the area up to a false
    positive rate of `limit`, divided by it. Ties count half.

    Memory is bounded by the defects' pixels and one image: of the others only the number above
    and at each level of the defects is kept.

    Args:
        maps: (H, W), one an image, the higher the more likely defective; no NaN.
        masks: (H, W), bool or numbers above 0 where the defect is, `None` for an image without.
        limit: in (0, 1].

    Returns:
        dict of `pixel_auroc` and `aupro`, in [0, 1]; NaN without defects or without other
        pixels.

    Raises:
        ValueError: shapes that differ, NaN, or another limit.
    """
    if not 0 < limit <= 1:
        raise ValueError(f"`limit` must be above 0 and at most 1. Received: {limit}")
    inside, shares = [], []
    for values, mask in _pairs(maps, masks):
        fit = values.ndim == 2 and (mask is None or mask.shape == values.shape)
        if not fit or np.isnan(values).any():
            raise ValueError(
                "maps must be numbers (H, W), and of the shapes of their masks. "
                f"Received: {values.shape}, {None if mask is None else mask.shape}"
            )
        if mask is not None:
            regions, _ = ndimage.label(mask, np.ones((3, 3)))
            found = regions[mask]
            inside.append(values[mask])
            shares.append(1 / np.bincount(found)[found])
    levels, place = np.unique(np.concatenate(inside or [[]]), return_inverse=True)
    below, equal = np.zeros(len(levels) + 1, np.int64), np.zeros(len(levels), np.int64)
    for values, mask in _pairs(maps, masks):
        outside = values.ravel() if mask is None else values[~mask]
        if len(levels):
            first = np.searchsorted(levels, outside)  # the levels before it are below
            below += np.bincount(first, minlength=len(levels) + 1)
            known = first[first < len(levels)]
            known = known[levels[known] == outside[first < len(levels)]]
            equal += np.bincount(known, minlength=len(levels))
        else:
            below[0] += outside.size
    total = int(below.sum())
    if not len(levels) or not total:
        return {"pixel_auroc": float("nan"), "aupro": float("nan")}
    above = total - below.cumsum()[:-1]
    # of a pixel of the defect at a level: the area right of its step, of ties a slope
    start, slope = above / total, equal / total
    areas = _area(start, slope, 1.0)[place]
    weights = np.concatenate(shares)
    overlap = _area(start, slope, limit)[place]
    return {
        "pixel_auroc": float(areas.mean()),
        "aupro": float((overlap * weights).sum() / weights.sum() / limit),
    }


def _pairs(maps, masks):
    """Arrays of the maps, and bool arrays of their masks, an image at a time."""
    for values, mask in zip(maps, masks, strict=True):
        yield np.asarray(values), None if mask is None else np.asarray(mask) > 0


def _area(start, slope, limit):
    """Area, up to `limit`, under a line from 0 at `start` to 1 at `start + slope`, then 1."""
    end = start + slope
    whole = limit - (start + end) / 2
    part = np.maximum(limit - start, 0) ** 2 / (2 * np.where(slope > 0, slope, 1))
    return np.where(end <= limit, whole, part)


def false_alarm_rate(scores: ArrayLike, defective: ArrayLike, recall: float) -> float:
    """The share of good images at or above the highest level that finds `recall` of the bad.

    Args:
        scores: (N,), the higher the more likely defective; no NaN.
        defective: bool (N,).
        recall: in (0, 1].

    Returns:
        in [0, 1]; NaN if there are no good or no bad images.

    Raises:
        ValueError: shapes that differ, NaN, or another recall.
    """
    scores, defective = np.asarray(scores, np.float64), np.asarray(defective, bool)
    if scores.ndim != 1 or scores.shape != defective.shape or np.isnan(scores).any():
        raise ValueError(
            "`scores` must be numbers (N,), and `defective` (N,). "
            f"Received: {np.isnan(scores).sum()} NaN, {scores.shape} and {defective.shape}"
        )
    good, bad = scores[~defective], scores[defective]
    if not 0 < recall <= 1:
        raise ValueError(f"`recall` must be above 0 and at most 1. Received: {recall}")
    if not len(good) or not len(bad):
        return float("nan")
    wanted = int(np.ceil(recall * len(bad) - 1e-9))
    return float((good >= np.sort(bad)[-wanted]).mean())


def f1(hits: int, predicted: int, true: int) -> float:
    """F1, 2 TP / (2 TP + FP + FN), in [0, 1]; NaN if nothing is predicted nor true.

    Args:
        hits: pixels in both masks, predicted: in the found ones, true: in the true ones.
    """
    return 2 * hits / (predicted + true) if predicted + true else float("nan")
