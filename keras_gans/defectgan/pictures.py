"""Pictures of detections, in rows: input, cleaned, difference, masks."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_gans.files import replacing

GAIN = 4  # of differences, to be seen
GAP, LINE = 4, 15  # pixels: between panels, and the height of a line of text
PAGE = (208, 208, 208)  # neither a mask's black nor its white
SIDE = 128  # of a panel, in pixels


def panel_rows(
    path: Path,
    headings: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    captions: Sequence[str] | None = None,
    side: int = SIDE,
) -> None:
    """Writes pictures in rows and columns as a PNG, completely or not at all.

    Each is fitted into a square, its proportions kept: reduced by averaging, enlarged by
    repeating pixels. The PNG is in colour only if any picture is.

    Args:
        path: the PNG to write; its folder exists.
        headings: a text a column.
        rows: list of lists of pictures, as many as headings: uint8 (H, W), (H, W, 1) or
            (H, W, 3); bool (H, W), white where True; float (H, W), a difference in grey
            levels, shown `GAIN` times as bright.
        captions: a text a row, above it, or `None`.
        side: of the squares, in pixels.

    Raises:
        InputError: the file cannot be written.
        ValueError: a row of another length, or a picture of another type.
    """
    lines = LINE if captions else 0
    height = LINE + len(rows) * (lines + side + GAP)
    page = Image.new("RGB", (len(headings) * (side + GAP), height), PAGE)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default()

    def text(x, y, words):
        words = words.encode("ascii", "replace").decode()  # all that the font has
        draw.text((x + 2, y + 2), words, fill="black", font=font)

    for column, heading in enumerate(headings):
        text(column * (side + GAP), 0, heading)
    for number, row in enumerate(rows):
        top = LINE + number * (lines + side + GAP)
        if captions:
            text(0, top, captions[number])
        for column, (_, picture) in enumerate(zip(headings, row, strict=True)):
            picture = _fitted(_pixels(picture), side)
            left = column * (side + GAP) + (side - picture.width) // 2
            page.paste(picture, (left, top + lines + (side - picture.height) // 2))
    pixels = np.asarray(page)
    if (pixels == pixels[..., :1]).all():
        page = page.convert("L")
    with replacing(path) as temporary:
        page.save(temporary, "PNG", optimize=True)


def thumbnail(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A picture as `panel_rows` shows it, where it is larger: uint8 (H, W) or (H, W, 3)."""
    pixels = _pixels(picture)
    return pixels if max(pixels.shape[:2]) <= side else np.asarray(_fitted(pixels, side))


def _pixels(picture):
    """uint8 (H, W) or (H, W, 3) of any picture that `panel_rows` takes."""
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    kind, colours = picture.dtype.kind, picture.ndim == 3 and picture.shape[2] == 3
    if picture.dtype == np.uint8 and (picture.ndim == 2 or colours):
        return picture
    if picture.ndim != 2 or kind not in "bf":
        raise ValueError(
            "a picture must be uint8 (H, W) or (H, W, 3), or bool or float (H, W). "
            f"Received: {picture.dtype} {picture.shape}"
        )
    return np.clip(picture * (GAIN if kind == "f" else 255.0), 0, 255).astype(np.uint8)


def _fitted(pixels, side):
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
