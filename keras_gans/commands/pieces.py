"""A large image in pieces that overlap, so that a model finds in them what it finds in it."""

from keras_gans.commands import models
from keras_gans.commands.detect_description import MAX_MARGIN
from keras_gans.defectgan.lite import WHOLE
from keras_gans.defectgan.view import View


def step_and_margin(view: View, calibration: dict) -> tuple[int, int]:
    """See `Detector`; raises `ValueError` for what cannot be."""
    given = {"reach": 0, "dilation": 0, "sigma": 0} | calibration
    reach, dilation = (
        models.number(given, name, 0, MAX_MARGIN) for name in ("reach", "dilation")
    )
    sigma = models.number(given, "sigma", 0, MAX_MARGIN, float)
    # a tile that is cut off, what enlarges the change again, then one filter after the other
    margin = (view.tile + 2) * view.reduce + (4 * view.flatten if view.flatten < WHOLE else 0)
    margin += reach + dilation + int(4 * sigma + 1)
    if margin > MAX_MARGIN:
        raise ValueError(margin)
    return (view.tile - view.tile // 4) * view.reduce, margin


def overlapping(size: int, about: int, step: int, margin: int) -> list[tuple[slice, slice]]:
    """Pieces of an axis, and of each what it decides on.

    All pieces are of one length, which differs from the axis' own by whole steps, and start
    at whole steps: the model puts its tiles, which it centres, at the same places then.

    Args:
        size: of the axis.
        about: length of a piece, where the margins leave room.
        step, margin: see `Detector`.
    """
    steps = max(about, 2 * margin + step) // step
    length = size % step + steps * step
    if length >= size:
        return [(slice(0, size), slice(0, size))]
    advance = (steps * step - 2 * margin) // step * step
    starts = [*range(0, size - length, max(advance, step)), size - length]
    inner = [0, *(start + margin for start in starts[1:]), size]
    return [
        (slice(start, start + length), slice(*edges))
        for start, edges in zip(starts, zip(inner, inner[1:]))
    ]
