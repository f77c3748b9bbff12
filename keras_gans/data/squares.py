"""Photographs as 8-bit sRGB: as they are, or as squares of one size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.data.encoding import light_of
from keras_gans.data.folders import in_threads
from keras_gans.data.images import open_photo
from keras_gans.data.on_disk import OnDisk, empty
from keras_gans.data.pixels import Pixels, Rows, as_linear, on_all_cores, read_linear
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize

AVERAGED_PIXELS = 2**15  # read at once, which stay in a processor's own memory


def read_levels(path: Path) -> np.ndarray:
    """Reads a photograph: uint8 (H, W, 3), sRGB.

    Those of 8 bits are read as they are in the file. What deeper ones hold is told by
    `encoding.encoding_of`, linear values if nothing tells it; they are put into sRGB.
    Grey is replicated and transparency dropped.

    Raises:
        InputError: as `images.read_photo` and `encoding.encoding_of`.
    """
    picture = open_photo(path)[0]
    if isinstance(picture, Pixels):
        return picture[:]
    return quantize(linear_to_srgb(light_of(path, picture)), np.uint8)


def read_squares(
    paths: Sequence[Path], image_size: int, memory_limit: int | None = None
) -> np.ndarray | OnDisk:
    """Reads photographs as squares of one size, several at a time, with a bar on a terminal.

    Args:
        paths: list of N files, of which the values are taken as by `read_levels`.
        image_size: side S, see `fitted_square`.
        memory_limit: MiB from which on they are kept on disk.

    Returns:
        uint8 (N, S, S, 3), sRGB, in the order of the paths.

    Raises:
        InputError: a file cannot be read, or as `OnDisk`.
    """

    def read(path):
        picture = open_photo(path)[0]
        flat = isinstance(picture, Pixels)
        light = as_linear(picture[:]) if flat else light_of(path, picture)
        return fitted_square(light, image_size)

    images = empty((len(paths), image_size, image_size, 3), memory_limit)
    for index, image in enumerate(in_threads(read, paths)):
        images[index] = image
    return images


def fitted_square(image: np.ndarray, size: int) -> np.ndarray:
    """The largest square of the middle, reduced or enlarged, as sRGB.

    Args:
        image: float32 (H, W, 3), linear, in [0, 1].
        size: side of the result.

    Returns:
        uint8 (size, size, 3).
    """
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    image = image[top : top + side, left : left + side]
    if side != size:
        method = Image.Resampling.LANCZOS
        image = np.dstack(
            [Image.fromarray(image[..., channel]).resize((size, size), method, reducing_gap=3)
             for channel in range(3)]
        )  # fmt: skip
    return quantize(linear_to_srgb(image), np.uint8)


def area_average(image: np.ndarray | Rows, height: int, width: int) -> np.ndarray:
    """Reduces an image: each pixel is the mean of the area it covers, also in parts.

    Args:
        image: (H, W, 3), read a few rows at a time: float32; or uint8 or uint16, of which the
            linear values are averaged, see `as_linear`.
        height, width: the new size, at most the old one.

    Returns:
        float32 (height, width, 3).
    """
    old_height, old_width, channels = image.shape
    rows = _averaged(image, height).reshape(height, old_width, channels)
    return _averaged(rows.swapaxes(0, 1), width).reshape(width, height, channels).swapaxes(0, 1)


def _averaged(image, height):
    """`area_average` of the rows alone, some at a time, on all cores: (height, W * C)."""
    old_height, width, channels = image.shape
    averaged = np.empty((height, width * channels), np.float32)
    edges = np.linspace(0, old_height, height + 1)
    whole, rests = edges.astype(int), (edges % 1).astype(np.float32)
    step = max(1, AVERAGED_PIXELS * height // (old_height * width))

    def average(tops):
        most = int(np.ceil(step * old_height / height)) + 2
        buffer = np.empty((most, width, channels), np.float32)  # new ones would take longer
        for top in tops:
            part = slice(whole[top], int(np.ceil(edges[min(top + step, height)])))
            strip = read_linear(image, part, buffer).reshape(-1, width * channels)
            for row in range(top, min(top + step, height)):
                first, last = whole[row : row + 2] - part.start
                mean = np.sum(strip[first:last], axis=0, out=averaged[row])
                if rests[row]:  # of the row that an edge divides
                    mean -= rests[row] * strip[first]
                if rests[row + 1]:
                    mean += rests[row + 1] * strip[last]
                mean *= np.float32(height / old_height)

    on_all_cores(average, range(0, height, step))
    return averaged
