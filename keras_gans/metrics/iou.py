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
