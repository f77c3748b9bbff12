"""Statistics of angular errors as the colour-constancy field reports them."""

import numpy as np
from numpy.typing import ArrayLike

STATISTICS = ("mean", "median", "trimean", "best25", "worst25", "p95")


def angular_errors(illuminants_true: ArrayLike, illuminants_pred: ArrayLike) -> np.ndarray:
    """Angles in degrees between two arrays of vectors (N, 3): float64 (N,).

    The shapes may also be others (..., 3) that can be broadcast.

    Raises:
        ValueError: other shapes, NaN or infinity, a vector of zeros.
    """
    true = np.asarray(illuminants_true, np.float64)
    pred = np.asarray(illuminants_pred, np.float64)
    try:
        fit = true.shape[-1:] == pred.shape[-1:] == np.broadcast(true, pred).shape[-1:] == (3,)
    except ValueError:
        fit = False
    if not fit:
        raise ValueError(
            f"vectors must be (..., 3), shapes that fit. Received: {true.shape}, {pred.shape}"
        )
    for each in (true, pred):
        bad = ~(np.isfinite(each).all(axis=-1) & each.any(axis=-1))
        if bad.any():
            raise ValueError(f"vectors must be finite and not zero. Received: {each[bad][0]}")
    sine = np.linalg.norm(np.cross(true, pred), axis=-1)
    return np.degrees(np.arctan2(sine, np.sum(true * pred, axis=-1)))


def angular_statistics(errors: ArrayLike) -> dict[str, float]:
    """Summarises angular errors (N,) as table 2 of the DSCNN paper does (section 4.3).

    Returns:
        In the unit of the errors: `mean`, `median`, `trimean` ((Q1 + 2 Q2 + Q3) / 4), `best25`
        and `worst25` (means of the lowest and highest quarter, at least one error) and `p95`
        (the 95th percentile).

    Raises:
        ValueError: no errors, or some are not finite.
    """
    errors = np.sort(np.asarray(errors, np.float64).ravel())
    if not errors.size or not np.isfinite(errors).all():
        raise ValueError(f"errors must be finite and not empty. Received: {errors}")
    q1, q2, q3, p95 = np.percentile(errors, [25, 50, 75, 95])
    quarter = max(1, round(errors.size / 4))
    return {
        "mean": float(errors.mean()),
        "median": float(q2),
        "trimean": float((q1 + 2 * q2 + q3) / 4),
        "best25": float(errors[:quarter].mean()),
        "worst25": float(errors[-quarter:].mean()),
        "p95": float(p95),
    }
