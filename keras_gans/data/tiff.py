"""TIFF of every depth, as tifffile reads it: its first page."""

import contextlib
import functools
import logging
import sys
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from keras_gans.data.pixels import check_size, strips
from keras_gans.data.reading import Unsupported, reading
from keras_gans.errors import InputError, printable

ORIENTATION = 274
XMP = 700
WEBP = 50001  # of the compressions
# A damaged TIFF is reported by the exception alone, not by lines of logging before it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def _zlib_decode(data, /, *, out=None):
    """What tifffile takes without imagecodecs, of no more than what is wanted."""
    size = getattr(out, "nbytes", out) or 0
    inflater = zlib.decompressobj()
    result = inflater.decompress(data, size)
    if size and inflater.unconsumed_tail and inflater.decompress(inflater.unconsumed_tail, 1):
        raise ValueError("more than the strip holds")
    return result


with contextlib.suppress(ImportError):  # it is not tifffile's public name
    from tifffile import _imagecodecs

    _imagecodecs.zlib_decode = _zlib_decode


@contextlib.contextmanager
def first_page(path: Path) -> Iterator[tifffile.TiffPage]:
    """The first page of a TIFF; of a file with more, a line on stderr tells so, once."""
    with reading(path, "TIFF"), tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        if page.dtype is None or not isinstance(page.bitspersample, int):
            raise Unsupported(
                f"a TIFF of {page.bitspersample} bits a channel is not read: save it with 16"
            )
        check_size(path, "TIFF", page.imagewidth, page.imagelength)
        count = len(tiff.pages)
        with contextlib.suppress(Exception):  # of pages that are not read
            others = tiff.pages[1:4]
            if not all(other.subfiletype & 5 for other in others):  # thumbnails and masks
                tell_first(path, "page", count)
        yield page


def orientation(page: tifffile.TiffPage) -> int:
    """EXIF's number, 1 to 8; 1 where there is none, or no such one."""
    with contextlib.suppress(Exception):
        value = int(page.tags.valueof(ORIENTATION, 1))
        return value if 1 <= value <= 8 else 1
    return 1


def colours_of(page: tifffile.TiffPage) -> str:
    """The photometric interpretation: "RGB", or its number if it has no name."""
    return str(getattr(page.photometric, "name", page.photometric))


def pixels_of(page: tifffile.TiffPage) -> np.ndarray:
    """The values of a page as they are stored, not turned: (H, W, samples)."""
    try:
        array = page.asarray()
    except Exception as error:
        if not isinstance(error, ImportError) and "imagecodecs" not in str(error):
            raise
        form, mend = f"{page.bitspersample} bits a channel", "with 16 bits"
        if "packints" not in str(error):
            form = f"{getattr(page.compression, 'name', page.compression)} compression"
            mend = "uncompressed"
        raise Unsupported(
            f"a TIFF with {form} needs a codec: `pip install imagecodecs`, or save it {mend}"
        ) from None
    planes, depth, height, width, samples = page.shaped
    if depth != 1 or min(planes, samples) != 1:
        raise Unsupported(f"a TIFF of shape {page.shape} is not read: save it as RGB")
    array = array.reshape(planes, height, width, samples)
    return array[0] if planes == 1 else np.moveaxis(array[..., 0], 0, -1)


def without_alpha(page: tifffile.TiffPage, array: np.ndarray, colours: int) -> np.ndarray:
    """The first channels of `pixels_of`, divided by an alpha that they are multiplied by.

    Args:
        page, array: of which the channel after the colours may be alpha.
        colours: how many channels there are without it.

    Returns:
        (H, W, colours), of the array's type; 0 where alpha is, and nothing above the white.
    """
    multiplied = page.extrasamples and page.extrasamples[0] == tifffile.EXTRASAMPLE.ASSOCALPHA
    if not multiplied or array.shape[2] <= colours:
        return array[..., :colours]
    whole = array.dtype.kind in "bu"
    top = 2**page.bitspersample - 1 if whole else 1
    result = np.zeros((*array.shape[:2], colours), array.dtype)
    for rows in strips(array.shape):
        values = array[rows].astype(np.float64)
        alpha = values[..., colours : colours + 1]
        values = np.minimum(
            top * values[..., :colours] / np.where(alpha > 0, alpha, np.inf), top
        )
        result[rows] = np.rint(values) if whole else values
    return result


def upright(array: np.ndarray, number: int) -> np.ndarray:
    """An array (H, W, ...) turned as EXIF's orientation, 1 to 8, asks for."""
    if number >= 5:
        array = array.swapaxes(0, 1)
    rows, columns = number in (3, 4, 7, 8), number in (2, 3, 6, 7)
    return np.ascontiguousarray(array[:: -1 if rows else 1, :: -1 if columns else 1])


def pillow_reads(path: Path) -> bool:
    """Whether Pillow reads an 8-bit TIFF right."""
    with first_page(path) as page:
        # it takes signed values for unsigned, has no codec for WebP, and no layout for these
        bare = page.compression == 1
        planes = page.planarconfig == 2 and page.extrasamples and bare
        brightness = page.photometric == tifffile.PHOTOMETRIC.YCBCR and bare
        if page.dtype.kind not in "bu" or page.compression == WEBP or planes or brightness:
            return False
        xmp = page.tags.get(XMP)  # looked at after the pixels; of bytes
        if xmp is not None and xmp.dtype not in (1, 7):
            return False
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=["TIFF"]):
            return True
    except Exception:
        return False


def read_8_bits(path: Path) -> Image.Image:
    """What Pillow cannot read: odd depths, more channels, odd alpha, WebP."""
    with first_page(path) as page:
        bits, kind = page.bitspersample, page.dtype.kind
        colours, turn = colours_of(page), orientation(page)
        if kind not in "bu" or colours not in ("MINISBLACK", "MINISWHITE", "RGB"):
            signed = "signed " if kind == "i" else ""
            raise InputError(
                f"{path}: a TIFF of {bits} {signed}bits, {colours}, is not read: save it as RGB"
            )
        array = pixels_of(page)
    count = 3 if colours == "RGB" and array.shape[2] >= 3 else 1
    array = without_alpha(page, array, count)
    if bits < 8:
        array = np.rint(array * (255 / (2**bits - 1))).astype(np.uint8)
    array = 255 - array if colours == "MINISWHITE" else array
    array = upright(array, turn)
    return Image.fromarray(array if count == 3 else array[..., 0])


@functools.cache
def tell_first(path: Path, part: str, count: int) -> None:
    """A line on stderr, once, that of several parts ("page", "frame") the first is read."""
    print(printable(f"{path}: {part} 1 of {count} is read"), file=sys.stderr)
