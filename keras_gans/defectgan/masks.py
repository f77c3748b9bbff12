"""Ground-truth masks: which pixels are defect, whatever levels a mask has."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from keras_gans.data.images import read_grey_or_rgb
from keras_gans.errors import InputError, printable

# What is said of a mask that can be read in more than one way.
DARK = "one level, a dark one: taken for a mask without defect"
INVERTED = "more than half is marked as defect: invert it, if light is the surface"
THIRD = "has areas of a third level: what is above half of its range counts as defect"
SOFT = "mostly edges between its levels: what is above half of its range counts as defect"


def read_mask(path: Path) -> tuple[np.ndarray, str]:
    """Reads a mask, in colour or grey: what is above half of its range is defect.

    So masks of 0 and 1, of 1 and 255, resized ones with soft edges and noisy JPEG give the
    same. An RGB mask counts by its largest channel.

    Args:
        path: see `images.read_grey_or_rgb`.

    Returns:
        (mask, note): bool (H, W), and what is odd about it, "" if nothing is.

    Raises:
        InputError: as `images.read_grey_or_rgb`; an image that has not two levels.
    """
    values = read_grey_or_rgb(path).max(axis=-1)
    low, high = int(values.min()), int(values.max())
    if low == high:
        return values >= 128, INVERTED if low >= 128 else DARK if low else ""
    span = high - low
    mask = values > low + span / 2
    levels = np.unique(values)
    between = (values > low + span / 8) & (values < high - span / 8)
    # a resized or noisy mask has more levels at its edges, but no even areas of them
    third = between if len(levels) > 8 else (values != low) & (values != high)
    even = ndimage.maximum_filter(values, 3) == ndimage.minimum_filter(values, 3)
    smaller = min(mask.sum(), (~mask).sum())
    if len(levels) > 2 and (
        span < 16 or between.mean() > 0.25 or (even & between).sum() > smaller / 10
    ):
        shown = ", ".join(map(str, levels if len(levels) < 6 else [*levels[:3], "...", high]))
        raise InputError(
            f"{path}: no mask of two levels, it has {len(levels)} ({shown}): make defects 255 "
            "and all else 0"
        )
    if mask.mean() > 0.5:
        return mask, INVERTED
    if (even & third).any():
        return mask, THIRD
    return mask, SOFT if between.sum() > mask.sum() else ""


def print_notes(paths: Sequence[Path], notes: Sequence[str]) -> None:
    """Prints a line for each kind of note on masks, with the first file that it is about."""
    for note in dict.fromkeys(filter(None, notes)):
        about = [path for path, each in zip(paths, notes) if each == note]
        others = f" (and {len(about) - 1} more)" if len(about) > 1 else ""
        print(f"note: {printable(about[0])}{others}: {note}")
