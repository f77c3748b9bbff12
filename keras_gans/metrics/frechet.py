"""Distances between sets of images, as sets of features: Frechet distance (FID) and KID."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

BLOCK = 4096  # rows of an array that are float64 at a time


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features.

    Attributes:
        count: of the vectors, N.
        mean: float64 (D,).
        covariance: float64 (D, D), with N - 1 in the denominator.
    """

    count: int
    mean: np.ndarray
    covariance: np.ndarray


def moments(batches: Iterable[np.ndarray] | np.ndarray) -> Moments:
    """Mean and covariance of features (N, D) or batches (n, D), with one batch in memory.

    In float64. Sums of squares are about the running mean (Chan, Golub and LeVeque 1983), so
    features far from 0 lose no digits.

    Raises:
        ValueError: fewer than two vectors, other shapes, NaN or infinity.
    """
    if isinstance(batches, np.ndarray):
        batches = np.split(batches, range(BLOCK, len(batches), BLOCK))  # views
    count, mean, squares = 0, 0.0, 0.0
    for batch in batches:
        batch = _features(batch)
        new, own = len(batch), batch.mean(axis=0)
        centred = batch - own
        shift, total = own - mean, count + new
        squares = squares + centred.T @ centred + np.outer(shift, shift) * (count * new / total)
        mean = mean + shift * (new / total)
        count = total
    if count < 2:
        raise ValueError(f"At least two vectors are needed. Received: {count}")
    return Moments(count, mean, squares / (count - 1))


def frechet_distance(real: np.ndarray | Moments, fake: np.ndarray | Moments) -> float:
    """Frechet distance of two sets of features (N, D), taken as normal distributions.

    d = |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))    (eq. 12; Heusel et al. 2017)

    At least 0. It is biased, and more so the fewer vectors there are: compare values of equal
    N only.

    The root itself is not needed: the eigenvalues of C1 C2 are those of the symmetric
    C1^(1/2) C2 C1^(1/2). If a set has no more vectors than dimensions, C1 C2 is singular. Then
    the trace is the sum of the singular values of A1 A2', where A_i are the features, centred
    and divided by sqrt(N_i - 1), as C_i = A_i' A_i.

    Raises:
        ValueError: different D, fewer than two vectors, NaN or infinity.
    """
    parts = [each if isinstance(each, Moments) else _features(each) for each in (real, fake)]
    sizes = [each.mean.size if isinstance(each, Moments) else each.shape[1] for each in parts]
    if sizes[0] != sizes[1]:
        raise ValueError(f"Both need features of one size. Received: {sizes[0]} and {sizes[1]}")
    features_alone = not any(isinstance(each, Moments) for each in parts)
    few = features_alone and min(map(len, parts)) <= sizes[0]
    means, traces, roots = zip(*map(_centred if few else _mean_and_covariance, parts))
    root = _nuclear_norm(*roots) if few else _trace_of_root(*roots)
    return max(float(((means[0] - means[1]) ** 2).sum() + sum(traces) - 2 * root), 0.0)


def kid(
    real: np.ndarray,
    fake: np.ndarray,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Kernel distance of two sets of features (Binkowski et al., Demystifying MMD GANs, 2018).

    The unbiased estimate of MMD^2 with the kernel k(x, y) = (x'y / D + 1)^3, averaged over
    random subsets. It may be negative, and is 0 on average for equal distributions.

    Args:
        real, fake: features (N, D), (M, D).
        subsets: number of subsets; only one is used if a subset is all of both sets.
        subset_size: vectors of each set in a subset, at most as many as a set has. They are
            drawn without repetition.
        seed: of the draw.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        ValueError: different D or none, fewer than two vectors, NaN or infinity.
    """
    real, fake = np.asarray(real), np.asarray(fake)
    size = min(subset_size, len(real), len(fake))
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"Features are (N, D), (M, D). Received: {real.shape}, {fake.shape}")
    if not real.shape[1] or not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise ValueError(
            "Features are finite numbers, one or more a vector. "
            f"Received: {real.shape}, {fake.shape}"
        )
    if size < 2 or subsets < 1:
        raise ValueError(
            f"Subsets of at least two vectors are needed. Received: {subsets} of {size}"
        )
    rng = np.random.default_rng(seed)
    if size == len(real) == len(fake):
        subsets = 1
    values = [
        _mmd(*(_features(each[rng.choice(len(each), size, replace=False)])
               for each in (real, fake)))
        for _ in range(subsets)
    ]  # fmt: skip
    return float(np.mean(values)), float(np.std(values))


def _mmd(x, y):
    """Unbiased estimate of MMD^2 of two sets of equal size."""
    count, size = x.shape
    within = 0.0
    for each in (x, y):
        kernel = (each @ each.T / size + 1) ** 3
        within += (kernel.sum() - np.trace(kernel)) / (count * (count - 1))
    return within - 2 * ((x @ y.T / size + 1) ** 3).mean()


def _centred(features):
    """Mean, trace of the covariance, and A with A'A the covariance."""
    if len(features) < 2:
        raise ValueError(f"At least two vectors are needed. Received: {len(features)}")
    mean = features.mean(axis=0)
    root = (features - mean) / np.sqrt(len(features) - 1)
    return mean, (root**2).sum(), root


def _mean_and_covariance(features):
    """Mean, trace of the covariance, and the covariance."""
    each = features if isinstance(features, Moments) else moments(features)
    return each.mean, np.trace(each.covariance), each.covariance


def _trace_of_root(first, second):
    """tr((C1 C2)^(1/2)) of covariances."""
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    values = np.linalg.eigvalsh(root @ second @ root)
    return np.sqrt(np.maximum(values, 0)).sum()


def _nuclear_norm(first, second):
    """The sum of the singular values of A1 A2', which C_i = A_i' A_i alone determine."""
    first, second = (
        each if len(each) <= each.shape[1] else np.linalg.qr(each, mode="r")
        for each in (first, second)
    )
    return np.linalg.svd(first @ second.T, compute_uv=False).sum()


def _features(batch):
    batch = np.asarray(batch, np.float64)
    if batch.ndim != 2 or not batch.size or not np.isfinite(batch).all():
        raise ValueError(f"Features are finite numbers (N, D). Received: shape {batch.shape}")
    return batch
