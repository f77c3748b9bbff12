"""Draws what was found into an image."""

import numpy as np

from keras_gans.data.filters import largest_near
from keras_gans.data.pixels import Pixels, strips

OUTLINE, TINT = (255, 40, 40), 0.3


def draw_overlay(
    image: np.ndarray | Pixels, mask: np.ndarray, out: Pixels | None = None
) -> np.ndarray | Pixels:
    """Draws the defects into an image: tinted red, with a red line around them.

    Args:
        image: uint8 (H, W, C), C 1 or 3.
        mask: bool (H, W).
        out: where to draw; it may be the image.

    Returns:
        uint8 (H, W, 3); `out` if it is given.
    """
    out = np.empty((*mask.shape, 3), np.uint8) if out is None else out
    width = max(1, round(max(mask.shape) / 500))  # to be seen when all of it is on a screen
    for rows in strips(mask.shape):
        found, above = mask[rows], min(rows.start, width)
        picture = image[rows].repeat(3 // image.shape[2], axis=2)
        picture[found] = np.rint((1 - TINT) * picture[found] + TINT * np.array(OUTLINE))
        near = mask[rows.start - above : rows.stop + width]
        near = largest_near(near, width)
        picture[near[above : above + len(found)] & ~found] = OUTLINE
        out[rows] = picture
    return out
