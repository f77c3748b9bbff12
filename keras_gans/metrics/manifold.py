"""How true and how various samples are: precision, recall, density and coverage of features."""

import numpy as np

NEIGHBOURS = 3  # of precision and recall, as in their paper
WIDER = 5  # of density and coverage, as in theirs
BLOCK = 1024  # rows of distances at a time


def manifold_figures(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Improved precision and recall, density and coverage of two sets of features.

    A set's manifold is the union of balls about its vectors, each as large as the distance to
    the k-th nearest other one. Precision is the share of made vectors in the real manifold,
    recall the share of real ones in the made manifold (Kynkäänniemi et al. 2019, k = 3).
    Density is the mean number of real balls about a made vector, divided by k; coverage the
    share of real balls with a made vector in them (Naeem et al. 2020, k = 5).

    Args:
        real, fake: (N, D), (M, D), more than 5 vectors each. All figures depend on N and M.

    Returns:
        dict of `precision`, `recall`, `density`, `coverage`: shares in [0, 1]; density may be
        above 1.

    Raises:
        ValueError: other shapes, fewer vectors, NaN or infinity.
    """
    real, fake = (np.asarray(each, np.float64) for each in (real, fake))
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"Features are (N, D), (M, D). Received: {real.shape}, {fake.shape}")
    if min(len(real), len(fake)) <= WIDER:
        raise ValueError(
            f"More than {WIDER} vectors are needed. Received: {len(real)}, {len(fake)}"
        )
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise ValueError("Features are finite numbers. Received: NaN or infinity")
    real_radii, fake_radii = (_radii(each, (NEIGHBOURS, WIDER)) for each in (real, fake))
    recalled, covered, precise = [], [], np.zeros(len(fake), bool)
    dense = np.zeros(len(fake))
    for start in range(0, len(real), BLOCK):
        part = slice(start, start + BLOCK)
        apart = _distances(real[part], fake)
        precise |= (apart <= real_radii[0, part, None]).any(axis=0)
        dense += (apart <= real_radii[1, part, None]).sum(axis=0)
        recalled.append((apart <= fake_radii[0]).any(axis=1))
        covered.append(apart.min(axis=1) <= real_radii[1, part])
    return {
        "precision": float(precise.mean()),
        "recall": float(np.concatenate(recalled).mean()),
        "density": float(dense.mean() / WIDER),
        "coverage": float(np.concatenate(covered).mean()),
    }


def _radii(vectors, neighbours):
    """Squared distances to the k-th nearest other vector, a row for each k."""
    rows = []
    for start in range(0, len(vectors), BLOCK):
        apart = _distances(vectors[start : start + BLOCK], vectors)
        own = np.arange(len(apart))
        apart[own, start + own] = -1.0  # first, whatever rounding makes of 0
        rows.append(np.partition(apart, neighbours, axis=1)[:, neighbours])
    return np.concatenate(rows).T


def _distances(first, second):
    """Squared distances, (n, m)."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    return np.maximum(squares - 2 * first @ second.T, 0)
