"""Pictures of a run: grids of images, figures."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_gans.errors import printable
from keras_gans.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAP = 2  # pixels between images
PAGE = 255
LINE = 26  # pixels of a heading
SIDE = 64  # images are enlarged to about this


def sample_grid(path: Path, images: np.ndarray, columns: int = 10) -> None:
    """Writes images row by row as a PNG, small ones enlarged by repeating pixels.

    Args:
        path: the PNG to write; its folder exists.
        images: uint8 (N, S, S, 1 or 3).
        columns: images in a row.

    Raises:
        InputError: the file cannot be written.
        ValueError: if these are no such images, or none.
    """
    _save(Image.fromarray(grid(images, columns)), path)


def samples_beside(path: Path, grids: dict[str, np.ndarray], columns: int = 8) -> None:
    """Writes grids of images beside each other under their names as a PNG, as figure 3.

    Args:
        path: the PNG to write; its folder exists.
        grids: dict name -> uint8 (N, S, S, 1 or 3).
        columns: images in a row of each.

    Raises:
        InputError, ValueError: as `sample_grid`.
    """
    pictures = {printable(name): grid(images, columns) for name, images in grids.items()}
    font = ImageFont.load_default(size=16)
    widths = [
        max(picture.shape[1], round(font.getlength(name))) for name, picture in pictures.items()
    ]
    height = LINE + max((picture.shape[0] for picture in pictures.values()), default=0)
    gaps = 8 * GAP * (len(widths) - 1)
    page = Image.new("RGB", (max(sum(widths) + gaps, 1), height), (PAGE,) * 3)
    draw, left = ImageDraw.Draw(page), 0
    for (name, picture), width in zip(pictures.items(), widths, strict=True):
        draw.text((left + width / 2, LINE / 2), name, fill="black", font=font, anchor="mm")
        page.paste(Image.fromarray(picture), (left + (width - picture.shape[1]) // 2, LINE))
        left += width + 8 * GAP
    _save(page, path)


def grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Draws images row by row, with gaps between them, small ones enlarged.

    Args:
        images: uint8 (N, S, S, 1 or 3).
        columns: images in a row.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: if these are no such images, or none.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"images must be uint8 (N, S, S, 1 or 3). Received: {images.dtype} {images.shape}"
        )
    if not len(images):
        raise ValueError("there must be an image. Received: none")
    times = max(1, round(SIDE / images.shape[1]))
    images = images.repeat(times, axis=1).repeat(times, axis=2)
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    page = np.full(shape, PAGE, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        page[top : top + height, left : left + width] = image
    return page


def _save(picture, path):
    with replacing(path) as temporary:
        picture.save(temporary, "PNG", optimize=True)


def save_figure(figure: "Figure", path: Path) -> None:
    """Writes a matplotlib figure as a PNG, completely or not at all.

    Its texts are shown as they are: names may hold a `$`, or bytes that are not UTF-8.
    """
    from matplotlib.text import Text  # not installed where models are only used

    for text in figure.findobj(Text):
        text.set_parse_math(False)
        text.set_text(text.get_text().encode("utf-8", "backslashreplace").decode())
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")
