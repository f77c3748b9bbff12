"""TIFF of 9 to 16 bits a channel, and of floats."""

from pathlib import Path

import numpy as np

from keras_gans.data import tiff
from keras_gans.errors import InputError


def not_linear(path: Path, received: str, expected: str = "linear 16-bit RGB") -> str:
    """The line about a file that should hold linear values."""
    return (
        f"{path}: {expected} is expected, this is {received}: "
        "develop it again from the raw file as 16-bit linear RGB (PNG or TIFF)"
    )


def read_deep_tiff(path: Path, grey: bool = False) -> np.ndarray:
    """The values of a TIFF, upright; alpha is dropped, after what it has multiplied is divided.

    Args:
        path: the file.
        grey: whether a grey one is read, too, as (H, W, 1).

    Returns:
        (H, W, 3), uint16; or float32 in [0, 1] where the file has floats or fewer bits.

    Raises:
        InputError: another TIFF; NaN, infinity or values above 1.
    """
    with tiff.first_page(path) as page:
        dtype, bits, shape = page.dtype, page.bitspersample, page.shape
        colours, turn = tiff.colours_of(page), tiff.orientation(page)
        known = dtype.kind == "f" or dtype == np.uint16
        array = tiff.pixels_of(page) if known else None
    if array is None:
        raise InputError(not_linear(path, f"a TIFF of {dtype}"))
    one = grey and array.shape[-1] <= 2 and colours in ("MINISBLACK", "MINISWHITE")
    if array.shape[-1] not in (3, 4) and not one:
        raise InputError(not_linear(path, f"a TIFF of shape {' x '.join(map(str, shape))}"))
    if colours not in ("RGB", "MINISBLACK", "LINEAR_RAW") and not one:
        raise InputError(not_linear(path, f"a {bits}-bit TIFF, {colours}"))
    count = 1 if one else 3
    if dtype.kind == "f":
        _check_floats(path, array[..., :count])
    array = tiff.upright(tiff.without_alpha(page, array, count), turn)
    if dtype.kind == "f":
        return np.maximum(array, 0).astype(np.float32)
    top = 2**bits - 1
    array = top - array if colours == "MINISWHITE" else array
    return array if bits == 16 else array.astype(np.float32) / np.float32(top)


def _check_floats(path, array):
    if not np.isfinite(array).all():
        raise InputError(f"{path}: NaN or infinity in the pixels: write finite values")
    if array.max() > 1:
        raise InputError(
            f"{path}: values up to {array.max():.6g} in a float TIFF, where 1 is the white "
            "level: divide by the white level"
        )
