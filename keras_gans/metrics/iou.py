"""Intersection over union of masks (DefectGAN, section III-C)."""

import numpy as np
from numpy.typing import ArrayLike


def iou(predicted: ArrayLike, true: ArrayLike) -> float:
    """IoU(D, G) = A(D and G) / A(D or G) of bool masks of one shape (eq. 4).

    In [0, 1]; NaN if both masks are empty, where eq. 4 is 0 / 0.

    Raises:
        ValueError: the shapes differ or a mask is not bool.
    """
    predicted, true = np.asarray(predicted), np.asarray(true)
    if predicted.dtype != bool or true.dtype != bool or predicted.shape != true.shape:
        raise ValueError(
            "masks must be bool and of one shape. "
            f"Received: {predicted.dtype} {predicted.shape}, {true.dtype} {true.shape}"
        )
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else float("nan")
