"""Intersection over union of masks (DefectGAN, section III-C)."""

import numpy as np


def iou(predicted, true):
    """IoU(D, G) = A(D and G) / A(D or G) (eq. 4).

    Args:
        predicted, true: bool arrays of the same shape.

    Returns:
        float in [0, 1]; NaN where both masks are empty, as eq. 4 is 0 / 0 there.

    Raises:
        ValueError: if the shapes differ or a mask is not bool.
    """
    predicted, true = np.asarray(predicted), np.asarray(true)
    if predicted.dtype != bool or true.dtype != bool or predicted.shape != true.shape:
        raise ValueError(
            "masks must be bool and of one shape. "
            f"Received: {predicted.dtype} {predicted.shape}, {true.dtype} {true.shape}"
        )
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else float("nan")


def mean_iou(predicted, true):
    """Mean of `iou` over images (eq. 5).

    Images whose true mask is unknown (`None`) or empty are left out: without a defect eq. 4
    says 0 to every false alarm, however small, and nothing to none.

    Args:
        predicted: N bool arrays (H, W).
        true: N bool arrays (H, W), or `None`.

    Returns:
        float in [0, 1]; NaN if no image has a true mask.

    Raises:
        ValueError: as `iou`, or if there are not as many masks of both.
    """
    values = [
        iou(found, mask)
        for found, mask in zip(predicted, true, strict=True)
        if mask is not None and np.any(mask)
    ]
    return float(np.mean(values)) if values else float("nan")
