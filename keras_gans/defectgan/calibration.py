"""How the mask's thresholds are chosen, from training images without masks (ours)."""

from collections.abc import Callable, Iterable

import numpy as np
from skimage import filters

from keras_gans.defectgan.detection import (
    LEVELS,
    Calibration,
    clean_one,
    difference,
    score_of,
    to_grey,
)
from keras_gans.defectgan.levels import CalibrationRule, check_counted, good_levels, histogram
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError


def calibrate(
    clean: Callable, surfaces: Surfaces, rule: CalibrationRule, most: int = 60
) -> Calibration:
    """Chooses a `Calibration` from training images, without masks.

    Args:
        clean: see `detect`.
        surfaces: of which the training images are used, the defective ones by "otsu" alone.
        rule: how.
        most: images of a kind.

    Raises:
        InputError: there are no images of the kind that the rule needs.
    """
    free = surfaces.spread(most, train=True, defective=False).images
    cleaned = [clean_one(clean, image) for image in free]
    bias = measure_bias(free, cleaned)
    counts, scores = np.zeros(len(LEVELS), np.int64), []
    for image, clear in zip(free, cleaned):
        values = difference(image, clear, bias, rule.sigma)
        counts += histogram([values])
        scores.append(score_of(values, rule.score_pixels))
    threshold, peak = good_levels(counts, rule)
    limit = float(np.quantile(scores, rule.limit_quantile, method="inverted_cdf"))
    if rule.method == "otsu":
        defective = surfaces.spread(most, train=True, defective=True).images
        level = otsu_level(
            histogram(
                difference(image, clean_one(clean, image), bias, rule.sigma)
                for image in defective
            )
        )
        threshold = max(level, rule.floor)
    limit = max(limit, rule.floor)
    return Calibration(
        bias, threshold, peak, rule.reach, rule.sigma, rule.dilation, rule.share, limit,
        rule.score_pixels,
    )  # fmt: skip


def measure_bias(images: Iterable[np.ndarray], cleaned: Iterable[np.ndarray]) -> float:
    """The generator's own shift in grey: mean of grey(image) - grey(cleaned) over all pixels.

    The images are uint8 (H, W, C), without a defect.

    Raises:
        InputError: there are no images.
    """
    total, pixels = 0.0, 0
    for image, clean in zip(images, cleaned, strict=True):
        change = to_grey(image) - to_grey(clean)
        total += change.sum(dtype=np.float64)
        pixels += change.size
    if not pixels:
        raise InputError("a bias needs defect-free training images: there is none")
    return float(total / pixels)


def otsu_level(counts: np.ndarray) -> float:
    """Otsu's threshold of the counted pixels, one of `LEVELS`; see `quantile_level`."""
    check_counted(counts, "defective")
    if np.count_nonzero(counts) == 1:
        return float(LEVELS[np.argmax(counts)])
    return float(filters.threshold_otsu(hist=(counts, LEVELS)))
