"""Filters and regions of pictures, in NumPy."""

import numpy as np

from keras_gans.data.pixels import strips


def largest_near(values: np.ndarray, radius: int) -> np.ndarray:
    """The largest of values (H, W) within so many pixels to every side and diagonally."""
    for axis in (0, 1):
        values = _largest_along(values, radius, axis)
    return values


def _largest_along(values, radius, axis):
    width = [(0, 0), (0, 0)]
    width[axis] = (radius, radius)
    values = np.moveaxis(np.pad(values, width, mode="edge"), axis, 0)
    size, window = 1, 2 * radius + 1
    while size < window:  # the largest of `size` values, of twice as many, and so on
        shift = min(size, window - size)
        values = np.maximum(values[:-shift], values[shift:])
        size += shift
    return np.moveaxis(values, 0, axis)


def correlated(values: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    """Correlates an axis, continued by reflection (the border value twice), with weights.

    Args:
        values: float32.
        weights: float32, an odd number of them.
    """
    radius = len(weights) // 2
    width = [(0, 0)] * values.ndim
    width[axis] = (radius, radius)
    padded = np.moveaxis(np.pad(values, width, mode="symmetric"), axis, 0)
    length = values.shape[axis]
    total = sum(weight * padded[at : at + length] for at, weight in enumerate(weights))
    return np.moveaxis(total, 0, axis)


def keep_large(mask: np.ndarray, min_area: int) -> tuple[np.ndarray, list]:
    """Leaves out small regions, and tells the boxes of the others.

    Args:
        mask: bool (H, W).
        min_area: regions (8 neighbours) of fewer pixels are left out.

    Returns:
        (mask, boxes): bool (H, W), and lists x0, y0, x1, y1, the largest area first.
    """
    rows, starts, ends = _runs(mask)
    region = _joined(len(rows), *_touching(rows, starts, ends, mask.shape[1]))
    names, region = np.unique(region, return_inverse=True)
    areas = np.bincount(region, ends - starts, len(names)).astype(int)
    boxes = np.empty((len(names), 4), int)
    boxes[:, :2], boxes[:, 2:] = max(mask.shape), 0
    for column, values in enumerate((starts, rows)):
        np.minimum.at(boxes[:, column], region, values)
    for column, values in enumerate((ends, rows + 1), 2):
        np.maximum.at(boxes[:, column], region, values)
    order = np.argsort(-areas, kind="stable")
    order = order[areas[order] >= min_area]
    kept = mask.copy()
    for run in np.flatnonzero(areas[region] < min_area):
        kept[rows[run], starts[run] : ends[run]] = False
    return kept, boxes[order].tolist()


def _runs(mask):
    """Row, first column and column after the last of each run of a mask, in their order."""
    found = [np.zeros((3, 0), int)]
    for strip in strips(mask.shape):
        padded = np.pad(mask[strip], ((0, 0), (1, 1))).view(np.int8)
        steps = np.diff(padded, axis=1)
        rows, starts = np.nonzero(steps == 1)
        found.append(np.stack([rows + strip.start, starts, np.nonzero(steps == -1)[1]]))
    return np.concatenate(found, axis=1)


def _touching(rows, starts, ends, width):
    """Pairs of runs, in neighbouring rows, that touch, also at corners."""
    # runs do not overlap, so that their ends are as sorted as their starts
    line = (width + 2) * rows
    first = np.searchsorted(line + ends, line + width + 2 + starts)
    last = np.searchsorted(line + starts, line + width + 2 + ends, side="right")
    counts = np.maximum(last - first, 0)
    above = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return above, np.repeat(first, counts) + offsets


def _joined(count, one, other):
    """The first member of each member's group, where pairs belong together."""
    first = np.arange(count)
    while True:
        low = np.minimum(first[one], first[other])
        high = np.maximum(first[one], first[other])
        if (low == high).all():
            return first
        np.minimum.at(first, high, low)
        while (first != first[first]).any():
            first = first[first]
