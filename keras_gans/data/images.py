"""Reading photographs: linear 16-bit files, sRGB files, damaged files.

The colour of a light adds up only in linear values, so every reader returns linear RGB,
float32 in [0, 1]. What a file holds is told by its content, not by its name: 8 bits a
channel are sRGB-encoded, 16 bits and floats are linear. Whatever cannot be read raises
`InputError` with one line: the file, what is wrong, the mend.
"""

import contextlib
import logging
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps

from keras_gans.data.srgb import srgb_to_linear
from keras_gans.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

# Every way in which Pillow, tifffile and zlib say that a file is damaged.
DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    tifffile.TiffFileError,
)

# A damaged TIFF is reported by the exception alone, not by lines of logging before it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


def bit_depth(path: Path) -> int:
    """Bits per channel of an image file, from its header.

    Returns:
        int: 8 or less for JPEG and ordinary PNG, 16 for linear PNG and TIFF; a float TIFF
        has 16, 32 or 64.

    Raises:
        InputError: missing file, or not a PNG, JPEG or TIFF.
    """
    kind = _file_type(path)
    if kind == "PNG":
        return _png_header(path)[2]
    if kind == "TIFF":
        with _damage_reported(path, kind), tifffile.TiffFile(path) as tiff:
            return tiff.series[0].dtype.itemsize * 8
    return 8


def read_photo(path: Path) -> tuple[np.ndarray, str]:
    """Reads a photograph of either kind.

    Args:
        path: JPEG, PNG or TIFF. 8 bits a channel (or fewer) are read as sRGB, everything
            deeper as linear.

    Returns:
        (image, kind): float32 (H, W, 3), linear, in [0, 1], and "srgb" or "linear".

    Raises:
        InputError: as `read_srgb` and `read_linear`.
    """
    if bit_depth(path) <= 8:
        return read_srgb(path), "srgb"
    return read_linear(path), "linear"


def read_linear(path: Path) -> np.ndarray:
    """Reads linear RGB from a 16-bit PNG, a 16-bit TIFF or a float TIFF.

    Args:
        path: file of 3 channels, or 4, of which the last (alpha) is dropped. In a float
            TIFF 1.0 is the white level, and negative values (noise around the black
            level) become 0.

    Returns:
        float32 (H, W, 3) in [0, 1]: integer values / 65535.

    Raises:
        InputError: 8-bit, grey or palette file; NaN, infinity or values above 1 in a
            float TIFF; damaged file.
    """
    kind = _file_type(path)
    if kind == "PNG":
        return read_png16(path).astype(np.float32) / np.float32(65535)
    if kind == "TIFF":
        return _read_linear_tiff(path)
    raise InputError(_not_linear(path, f"an 8-bit {kind}"))


def read_png16(path: Path) -> np.ndarray:
    """Reads the integers of a 16-bit RGB PNG, as they are in the file.

    This is for sensor data: 12-bit values stored in 16 bits keep their black level and
    are not scaled. An alpha channel is dropped.

    Returns:
        uint16 (H, W, 3).

    Raises:
        InputError: not a PNG, 8 bits a channel, grey or palette, truncated or damaged.
    """
    # Pillow reads 16-bit RGB as 8-bit without a word. TensorFlow reads it right, and is
    # imported here so that whatever else is wrong is found without waiting for it.
    from keras_gans.quiet import tensorflow as tf

    if _file_type(path) != "PNG":
        raise InputError(_not_linear(path, f"a {_file_type(path)}", "16-bit RGB PNG"))
    _, _, bits, channels = _png_header(path)
    if bits != 16:
        raise InputError(_not_linear(path, f"a PNG of {bits} bits a channel"))
    if channels < 3:
        raise InputError(_not_linear(path, "a grey PNG"))
    content = Path(path).read_bytes()
    try:
        return tf.io.decode_png(content, channels=3, dtype=tf.uint16).numpy()
    except tf.errors.InvalidArgumentError:
        raise InputError(_damaged(path, "PNG")) from None


def read_srgb(path: Path) -> np.ndarray:
    """Reads an sRGB-encoded photograph (JPEG, PNG or TIFF of 8 bits) into linear values.

    The EXIF orientation is applied, alpha is dropped, grey is replicated, palettes and
    CMYK are converted. An embedded profile is not applied: its curve is taken to be
    sRGB's, which holds for Display P3 and nearly for Adobe RGB.

    Returns:
        float32 (H, W, 3), linear, in [0, 1].

    Raises:
        InputError: truncated or damaged file, more than 8 bits a channel.
    """
    kind = _file_type(path)
    if bit_depth(path) > 8:
        raise InputError(f"{path}: an 8-bit sRGB image is expected, this {kind} is deeper")
    with _open_pillow(path, kind) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode == "P":
            image = image.convert("RGBA")
        pixels = np.asarray(image.convert("RGB"))
    return srgb_to_linear(np.arange(256) / 255)[pixels]


def read_grey_or_rgb(path: Path) -> np.ndarray:
    """Reads the integers of an ordinary 8-bit image, as they are in the file.

    The EXIF orientation is applied, palettes and black-and-white are converted. Three equal
    channels are one: grey.

    Args:
        path: JPEG, PNG, TIFF or BMP, grey or RGB; told by the content, not by the name.

    Returns:
        uint8 (H, W, 1) for grey, (H, W, 3) for RGB, in [0, 255].

    Raises:
        InputError: truncated or damaged file, more than 8 bits a channel, transparency,
            another colour space (CMYK).
    """
    kind = _file_type(path, "JPEG, PNG, TIFF or BMP")
    # Pillow reads 16-bit RGB as 8-bit without a word, so the header is asked first
    bits = 8 if kind == "BMP" else bit_depth(path)
    if bits > 8:
        raise InputError(f"{path}: {bits} bits a channel, 8 are expected: convert it to 8 bits")
    with _open_pillow(path, kind) as image, _damage_reported(path, kind):
        if image.has_transparency_data:
            raise InputError(f"{path}: has an alpha channel: save it without transparency")
        if image.mode not in ("1", "L", "P", "RGB"):
            raise InputError(f"{path}: {image.mode}, grey or RGB is expected: save it as RGB")
        image = ImageOps.exif_transpose(image)
        pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    if pixels.ndim == 2:
        return pixels[..., None]
    if (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., :1])
    return pixels


def read_metadata(path: Path) -> dict[str, bytes]:
    """What else an 8-bit file holds, to be written beside its corrected pixels.

    Returns:
        dict with "icc_profile" and "exif" (bytes) where the file has them; the EXIF
        orientation is left out, as `read_srgb` has applied it.
    """
    with _open_pillow(path, _file_type(path)) as image:
        exif = ImageOps.exif_transpose(image).getexif()
        profile = image.info.get("icc_profile") or b""
        # that of a CMYK or grey file does not fit the RGB it was converted to
        found = {"icc_profile": profile if profile[16:20] == b"RGB " else None}
        found["exif"] = exif.tobytes() if len(exif) else None
    return {name: value for name, value in found.items() if value}


def _damaged(path, kind):
    return f"{path}: truncated or damaged {kind}: copy it again or leave it out"


def _not_linear(path, received, expected="linear 16-bit RGB"):
    return (
        f"{path}: {expected} is expected, this is {received}: "
        "develop it again from the raw file as 16-bit linear RGB (PNG or TIFF)"
    )


@contextlib.contextmanager
def _damage_reported(path, kind):
    try:
        yield
    except DAMAGE as error:
        if "imagecodecs" in str(error):
            raise InputError(
                f"{path}: this TIFF compression cannot be read: save it uncompressed or "
                "with deflate (ZIP), or `pip install imagecodecs`"
            ) from None
        raise InputError(_damaged(path, kind)) from None


def _file_type(path, expected="JPEG, PNG or TIFF"):
    """PNG, JPEG, TIFF or, if expected, BMP, from the first bytes."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if start == b"\x89PNG\r\n\x1a\n":
        return "PNG"
    if start[:3] == b"\xff\xd8\xff":
        return "JPEG"
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if start[:2] == b"BM" and "BMP" in expected:
        return "BMP"
    received = "an empty file" if not start else "something else"
    raise InputError(f"{path}: a {expected} is expected, this is {received}")


def _png_header(path):
    """(width, height, bits a channel, channels) of the IHDR chunk."""
    with open(path, "rb") as file:
        start = file.read(26)
    if len(start) < 26 or start[12:16] != b"IHDR":
        raise InputError(_damaged(path, "PNG"))
    width, height, bits, colour = struct.unpack(">IIBB", start[16:26])
    return width, height, bits, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)


@contextlib.contextmanager
def _open_pillow(path, kind):
    """The whole image, decoded; damage raises `InputError`."""
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata, and pictures over 89 megapixels
        with _damage_reported(path, kind):
            image = stack.enter_context(Image.open(path))
            image.load()
        yield image


def _read_linear_tiff(path):
    with _damage_reported(path, "TIFF"), tifffile.TiffFile(path) as tiff:
        series, page = tiff.series[0], tiff.pages[0]
        dtype, axes, bits = series.dtype, series.axes, page.bitspersample
        colours = page.photometric.name
        if dtype.kind == "f" or dtype == np.uint16:
            array = series.asarray()
        else:
            array = None
    if array is None:
        raise InputError(_not_linear(path, f"a TIFF of {dtype}"))
    if array.ndim == 3 and axes.startswith("S"):
        array = np.moveaxis(array, 0, -1)
    if array.ndim != 3 or array.shape[-1] not in (3, 4):
        shape = " x ".join(map(str, array.shape))
        raise InputError(_not_linear(path, f"a TIFF of shape {shape}"))
    if bits != dtype.itemsize * 8 or colours in ("SEPARATED", "YCBCR", "CIELAB", "PALETTE"):
        raise InputError(_not_linear(path, f"a {bits}-bit TIFF, {colours}"))
    array = array[..., :3]
    if dtype.kind == "u":
        return array.astype(np.float32) / np.float32(65535)
    if not np.isfinite(array).all():
        raise InputError(f"{path}: NaN or infinity in the pixels: write finite values")
    if array.max() > 1:
        raise InputError(
            f"{path}: values up to {array.max():.6g} in a float TIFF, where 1 is the white "
            "level: divide by the white level"
        )
    return np.maximum(array, 0).astype(np.float32)
