"""How well G1 cleans: a figure for the paper's claim 4."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from keras_gans.defectgan.data import extended
from keras_gans.defectgan.detection import clean_one, to_grey
from keras_gans.defectgan.evaluate import track
from keras_gans.defectgan.surfaces import Surfaces, nearest_spread


def cleaning_distance(
    surfaces: Surfaces, clean: Callable, window: int = 16, stride: int = 8, most: int = 200
) -> dict[str, float]:
    """How near cleaned images are to the surface without defects (the paper's claim 4).

    The paper shows pictures; this figure is ours. Every window has four features: mean grey
    level, and the logarithms of 1 plus its standard deviation and the means of its absolute
    horizontal and vertical gradients. Each is relative to its median over the windows without
    a defect of the same image as it was taken: lighting and sort of surface drop out. The
    distance is Mahalanobis' to all windows of defect-free training images; a Gaussian's own
    mean is 1.88. The mean is over an image's windows first, then over images.

    Args:
        surfaces: both parts are used.
        clean: see `detect`.
        window, stride: of the windows, in pixels. Of a defective image those count that the
            true mask covers by a tenth or more, or else the one that it covers most.
        most: images of a kind, evenly spread.

    Returns:
        dict: mean distance at the defects of test images, `defective` as taken and
        `defective_cleaned`; over defect-free ones, `free` and `free_cleaned`; `closed`, the
        share of the way from `defective` to `free` that cleaning goes (1 is perfect, below 0
        worse); `defective_images` and `free_images`. NaN where there is nothing to measure.
    """
    train, defective = surfaces.train, surfaces.defective
    normal = []
    for index in nearest_spread(np.flatnonzero(train & ~defective), most):
        features, _ = _windows(surfaces.images[index], None, window, stride)
        normal.append(features - np.median(features, axis=0))
    normal = np.concatenate(normal)
    centre = normal.mean(axis=0)
    covariance = np.cov(normal, rowvar=False) + 1e-6 * np.eye(normal.shape[1])
    inverse = np.linalg.inv(covariance)

    def distance(features):
        return cdist(features, [centre], "mahalanobis", VI=inverse).mean()

    result, counts = {}, {}
    kinds = {"defective": ~train & surfaces.masked, "free": ~train & ~defective}
    for kind, chosen in kinds.items():
        pairs = []
        for index in track(nearest_spread(np.flatnonzero(chosen), most), "cleaning"):
            image, mask = surfaces.images[index], surfaces.masks[index]
            taken, cover = _windows(image, mask, window, stride)
            after, _ = _windows(clean_one(clean, image), None, window, stride)
            clear = cover == 0 if (cover == 0).any() else slice(None)
            reference = np.median(taken[clear], axis=0)
            at = slice(None) if mask is None else cover >= min(0.1, cover.max())
            pairs.append([distance(values[at] - reference) for values in (taken, after)])
        means = np.mean(pairs, axis=0) if pairs else (np.nan, np.nan)
        result |= {kind: float(means[0]), f"{kind}_cleaned": float(means[1])}
        counts[f"{kind}_images"] = len(pairs)
    gap = result["defective"] - result["free"]
    gain = result["defective"] - result["defective_cleaned"]
    return result | {"closed": gain / gap if gap > 0 else float("nan")} | counts


def _windows(image, mask, window, stride):
    """Features float64 (windows, 4), and the share (windows,) of each that the mask covers."""
    grey = to_grey(extended(image, window)).astype(np.float64)
    corners = [  # the last window ends where the image ends
        np.unique(np.append(np.arange(0, size - window, stride), size - window))
        for size in grey.shape
    ]
    level = grey.mean()
    grey -= level  # keeps the squares small
    mean = _window_means(grey, corners, (window, window))
    squares = _window_means(grey**2, corners, (window, window))
    textures = [
        np.sqrt(np.maximum(squares - mean**2, 0)),
        _window_means(np.abs(np.diff(grey, axis=1)), corners, (window, window - 1)),
        _window_means(np.abs(np.diff(grey, axis=0)), corners, (window - 1, window)),
    ]
    features = np.stack([mean + level, *map(np.log1p, textures)], axis=1)
    if mask is None:
        return features, np.zeros(len(features))
    mask = extended(mask[..., None], window)[..., 0].astype(np.float64)
    return features, _window_means(mask, corners, (window, window))


def _window_means(values, corners, shape):
    """Means (windows,) over windows of one shape, by sums along each axis."""
    for axis, (first, count) in enumerate(zip(corners, shape)):
        sums = values.cumsum(axis)
        last = first + count - 1
        values = sums.take(last, axis) - sums.take(first, axis) + values.take(first, axis)
    return values.ravel() / (shape[0] * shape[1])
