"""Large pictures a few rows at a time, so that no second copy of one has to be held."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.data.srgb import srgb_to_linear
from keras_gans.errors import InputError
from keras_gans.machine import cores

MAX_PIXELS = 2**28  # of a file; 200 megapixels of a phone are below
STRIP_PIXELS = 2**18  # in one piece, at most, where a picture is worked on row by row


class Rows:
    """A picture that is computed when rows of it are asked for: `picture[top:bottom]`.

    Args:
        shape: (H, W, C).
        read: function of a slice of rows, to an array of them.
    """

    ndim = 3

    def __init__(self, shape: tuple, read: Callable):
        self.shape, self._read = shape, read

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._read(rows)

    def read_into(self, rows: slice, out: np.ndarray) -> None:
        """Puts rows, as `as_linear` makes them, into a float32 array of their shape."""
        out[...] = as_linear(self[rows])


class Pixels(Rows):
    """A picture that Pillow holds, read and written in rows as a uint8 (H, W, C) array is.

    Args:
        image: `PIL.Image.Image` of the mode L or RGB, which is written to.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, image: Image.Image):
        self.shape = (image.height, image.width, len(image.getbands()))
        self.image = image

    def __getitem__(self, rows: slice) -> np.ndarray:
        top, bottom, _ = rows.indices(self.shape[0])
        strip = self.image.crop((0, top, self.shape[1], bottom))
        return np.asarray(strip).reshape(bottom - top, *self.shape[1:])

    def __setitem__(self, rows: slice, values: np.ndarray):
        values = values[..., 0] if self.shape[2] == 1 else values
        self.image.paste(Image.fromarray(values), (0, rows.start or 0))


def check_size(path: Path, kind: str, width: int, height: int) -> None:
    """Raises `InputError` for a file of no pixels, or more than `MAX_PIXELS`."""
    if min(width, height) < 1:
        raise InputError(
            f"{path}: truncated or damaged {kind}: it has {width} x {height} pixels"
        )
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} pixels, too large: up to {MAX_PIXELS // 10**6} "
            "megapixels are read, make it smaller"
        )


def on_all_cores(work: Callable, parts: Sequence) -> None:
    """Shares the parts of a picture among threads: each calls the function once, on some."""
    count = min(cores(), len(parts))
    shares = [
        parts[len(parts) * i // count : len(parts) * (i + 1) // count] for i in range(count)
    ]
    if count == 1:
        return work(parts)
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, shares))


def strips(shape: tuple, pixels: int = STRIP_PIXELS) -> Iterator[slice]:
    """Slices of rows that make up a picture of a shape (H, W, ...), of so many pixels each."""
    step = max(1, pixels // shape[1])
    for top in range(0, shape[0], step):
        yield slice(top, min(top + step, shape[0]))


def as_linear(pixels: np.ndarray) -> np.ndarray:
    """Linear values: of uint8 (sRGB), uint16 (linear / 65535) or float32, which stays.

    Returns:
        float32 of the same shape, in [0, 1].
    """
    if pixels.dtype == np.uint8:
        return srgb_to_linear(np.arange(256) / 255)[pixels]
    if pixels.dtype == np.uint16:
        return pixels.astype(np.float32) / np.float32(65535)
    return pixels


def read_linear(image: np.ndarray | Rows, rows: slice, buffer: np.ndarray) -> np.ndarray:
    """Linear rows of a picture, in the buffer (N, W, C) where that saves time."""
    if not isinstance(image, Rows):
        return as_linear(image[rows])
    out = buffer[: rows.stop - rows.start]
    image.read_into(rows, out)
    return out
