"""Reading photographs: linear 16-bit files, sRGB files, damaged files.

The colour of a light adds up only in linear values, so every reader returns linear RGB,
float32 in [0, 1]. What a file holds is told by its content, not by its name: 8 bits a
channel are sRGB-encoded, deeper integers and floats are linear; what a profile or a chunk
says is `encoding`'s. A file is turned upright as its EXIF orientation says; broken EXIF counts
as none. Whatever cannot be read raises `InputError` with one line: the file, what is wrong,
the mend.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from keras_gans.data import png16, tiff
from keras_gans.data.deep import not_linear, read_deep_tiff
from keras_gans.data.pixels import Pixels, as_linear, check_size, strips
from keras_gans.data.reading import reading
from keras_gans.data.whole import check_whole
from keras_gans.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

# What Pillow has to do to turn an image upright, by the number in the EXIF data.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# In Pillow's `info`, no texts
NAMED = {"dpi", "icc_profile", "transparency", "xmp"}

Image.MAX_IMAGE_PIXELS = None  # `check_size` takes its place: valid photos are larger
PngImagePlugin.MAX_TEXT_CHUNK = 2**26  # bytes, of XMP and the like


def bit_depth(path: Path) -> int:
    """Bits that a channel of an image file takes in memory, from its header.

    Returns:
        int: 8 or less for JPEG and ordinary PNG, 16 for linear PNG and TIFF of 9 to 16 bits;
        a float TIFF has 16, 32 or 64.

    Raises:
        InputError: missing file, or not a PNG, JPEG or TIFF.
    """
    kind = file_type(path)
    if kind == "PNG":
        return png_header(path)[2]
    if kind == "TIFF":
        with tiff.first_page(path) as page:
            return page.dtype.itemsize * 8
    return 8


def photo_size(path: Path) -> tuple[int, int]:
    """(width, height) of a JPEG, PNG or TIFF, from the header; as `open_stored` gives it.

    Raises:
        InputError: as `bit_depth`; more pixels than are read.
    """
    kind = file_type(path)
    if kind == "TIFF":
        with tiff.first_page(path) as page:
            size = page.imagewidth, page.imagelength
            return size if tiff.orientation(page) < 5 else size[::-1]
    with opened(path, kind) as image:
        return image.size


def open_stored(path: Path, reduce: float = 1) -> tuple[Pixels | np.ndarray, int]:
    """Reads a photograph as its file holds it, with little memory beside the picture itself.

    Args:
        path: JPEG, PNG or TIFF.
        reduce: a JPEG may be decoded smaller, by at most this factor.

    Returns:
        (picture, orientation): `Pixels` of RGB for 8 bits a channel or fewer (sRGB); for
        deeper ones uint16, or float32 in [0, 1], (H, W, 3), linear unless the file says
        otherwise, see `encoding.light_of`; grey is replicated. And EXIF's number, 1 to 8,
        which tells how to turn it upright; a TIFF is turned already.

    Raises:
        InputError: as `read_srgb` and `read_linear`.
    """
    kind = file_type(path)
    if bit_depth(path) <= 8:
        image = loaded(path, kind, reduce)
        return Pixels(as_rgb(path, kind, image)), orientation_of(image)
    picture, orientation = read_deep(path, kind)
    return picture.repeat(3, axis=2) if picture.shape[2] == 1 else picture, orientation


def read_deep(path: Path, kind: str) -> tuple[np.ndarray, int]:
    """Values of more than 8 bits, grey ones as (H, W, 1), and EXIF's orientation.

    See `open_stored`.
    """
    if kind == "TIFF":
        return read_deep_tiff(path, grey=True), 1
    if png_header(path)[3] > 2:
        return _read_png16(path)
    check_whole(path, kind)
    with opened(path, kind) as image, reading(path, kind):
        pixels = png16.grey_of(path)
        image.load()  # EXIF may stand after the pixels
        return pixels, orientation_of(image)


def open_photo(path: Path) -> tuple[Pixels | np.ndarray, str]:
    """Reads a photograph of either kind, upright, with little memory beside the picture.

    Returns:
        (picture, kind): as `open_stored`; and "srgb" or "linear", by the depth alone.
        `as_linear` makes linear values of rows of it.

    Raises:
        InputError: as `read_srgb` and `read_linear`.
    """
    picture, orientation = open_stored(path)
    if isinstance(picture, Pixels):
        return Pixels(turned(picture.image, orientation)), "srgb"
    return tiff.upright(picture, orientation), "linear"


def read_photo(path: Path) -> tuple[np.ndarray, str]:
    """Reads a photograph of either kind, whatever its profile says.

    Args:
        path: JPEG, PNG or TIFF. 8 bits a channel (or fewer) are read as sRGB, everything
            deeper as linear.

    Returns:
        (image, kind): float32 (H, W, 3), linear, in [0, 1], and "srgb" or "linear".

    Raises:
        InputError: as `read_srgb` and `read_linear`.
    """
    picture, kind = open_photo(path)
    return as_linear(picture[:]), kind


def read_linear(path: Path) -> np.ndarray:
    """Reads linear RGB from a 16-bit PNG, a TIFF of 9 to 16 bits or a float TIFF.

    This is for a camera's scenes, which are linear; a profile or a chunk that says otherwise
    is not asked.

    Args:
        path: file of 3 channels, or 4, of which the last (alpha) is dropped. In a float
            TIFF 1.0 is the white level, and negative values (noise around the black
            level) become 0.

    Returns:
        float32 (H, W, 3) in [0, 1]: integer values / 65535; of a TIFF that packs b bits a
        channel, / (2^b - 1).

    Raises:
        InputError: 8-bit, grey or palette file; NaN, infinity or values above 1 in a
            float TIFF; damaged file.
    """
    kind = file_type(path)
    if kind == "JPEG":
        raise InputError(not_linear(path, f"an 8-bit {kind}"))
    if kind == "TIFF":
        return as_linear(read_deep_tiff(path))
    _check_png16(path)
    return as_linear(open_photo(path)[0])


def read_png16(path: Path) -> np.ndarray:
    """Reads the integers of a 16-bit RGB PNG, as they are in the file.

    This is for sensor data: 12-bit values stored in 16 bits keep their black level and
    are not scaled, and the picture is not turned. An alpha channel is dropped.

    Returns:
        uint16 (H, W, 3).

    Raises:
        InputError: not a PNG, 8 bits a channel, grey or palette, truncated or damaged.
    """
    return _read_png16(path)[0]


def _read_png16(path):
    """Its integers, and EXIF's number of how to turn it upright, which may stand after them."""
    _check_png16(path)
    check_whole(path, "PNG")
    with opened(path, "PNG") as image, opened(path, "PNG") as again:
        with reading(path, "PNG"), quietly():
            pixels = png16.pixels_of(image, again)
        return pixels, orientation_of(image)


def read_srgb(path: Path) -> np.ndarray:
    """Reads an sRGB-encoded photograph (JPEG, PNG or TIFF of 8 bits) into linear values.

    Alpha is dropped, grey is replicated, palettes and CMYK are converted. An embedded profile
    is not applied: its curve is taken to be sRGB's, which holds for Display P3 and nearly for
    Adobe RGB.

    Returns:
        float32 (H, W, 3), linear, in [0, 1].

    Raises:
        InputError: truncated or damaged file, more than 8 bits a channel.
    """
    if bit_depth(path) > 8:
        kind = file_type(path)
        raise InputError(f"{path}: an 8-bit sRGB image is expected, this {kind} is deeper")
    return read_photo(path)[0]


def open_grey_or_rgb(path: Path) -> Pixels:
    """Reads an ordinary 8-bit image, as it is in the file.

    Palettes and black-and-white are converted. Three equal channels are one: grey.

    Args:
        path: JPEG, PNG, TIFF or BMP, grey or RGB; told by the content, not by the name.

    Returns:
        `Pixels` (H, W, 1) for grey, (H, W, 3) for RGB.

    Raises:
        InputError: truncated or damaged file, more than 8 bits a channel, transparency,
            another colour space (CMYK).
    """
    kind = file_type(path, "JPEG, PNG, TIFF or BMP")
    # Pillow reads 16-bit RGB as 8-bit without a word, so the header is asked first
    bits = 8 if kind == "BMP" else bit_depth(path)
    if bits > 8:
        raise InputError(f"{path}: {bits} bits a channel, 8 are expected: convert it to 8 bits")
    image = loaded(path, kind)
    if image.has_transparency_data or image.mode == "La":
        raise InputError(f"{path}: has an alpha channel: save it without transparency")
    if image.mode not in ("1", "L", "P", "RGB"):
        raise InputError(f"{path}: {image.mode}, grey or RGB is expected: save it as RGB")
    turn = orientation_of(image)
    image = image.convert("L") if image.mode == "1" else image
    pixels = Pixels(image if image.mode == "L" else as_rgb(path, kind, image))
    parts = (pixels[rows] for rows in strips(pixels.shape))
    if pixels.shape[2] == 3 and all((part == part[..., :1]).all() for part in parts):
        pixels = Pixels(pixels.image.getchannel(0))
    return Pixels(turned(pixels.image, turn))


def read_grey_or_rgb(path: Path) -> np.ndarray:
    """The same as an array: uint8 (H, W, 1) or (H, W, 3); see `open_grey_or_rgb`."""
    return open_grey_or_rgb(path)[:]


def file_type(path: Path, expected: str = "JPEG, PNG or TIFF") -> str:
    """PNG, JPEG, TIFF or, if expected, BMP, from the first bytes.

    Raises:
        InputError: missing, no regular file, or of none of these types.
    """
    with reading(path, "image"), open(path, "rb") as file:
        start = file.read(8)
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


# 8 bits -------------------------------------------------------------------------------------


def quietly():
    """Without Pillow's warnings of odd metadata."""
    return warnings.catch_warnings(action="ignore")


def opened(path: Path, kind: str) -> Image.Image:
    """Pillow's image of a kind (as `file_type` tells it), its size checked, not decoded yet.

    Of an animated PNG, a line on stderr tells that the first frame is read.

    Raises:
        InputError: unreadable, or more pixels than are read.
    """
    with reading(path, kind), quietly():
        try:
            image = Image.open(path, formats=[kind])
        except UnidentifiedImageError:
            image = Image.OPEN[kind][0](path)  # the same without hiding the reason
    try:
        check_size(path, kind, *image.size)
    except InputError:
        image.close()
        raise
    if kind == "PNG":
        if image.n_frames > 1:  # animated; of a JPEG the others are previews
            tiff.tell_first(path, "frame", image.n_frames)
        _undo_texts(path, image)
        without_texts(image)
    return image


def _undo_texts(path, image):
    """What texts of these names do to how Pillow decodes a PNG."""
    if isinstance(image.info.get("interlace"), str):
        with open(path, "rb") as file:
            image.info["interlace"] = file.read(29)[28]
    if isinstance(image.info.get("bbox"), str):
        image.tile = [tile._replace(extents=(0, 0, *image.size)) for tile in image.tile]


def without_texts(image: Image.Image) -> None:
    """Takes texts out of `info` that are called as what Pillow itself puts there."""
    for name in NAMED & {*image.info}:
        if isinstance(image.info[name], str):
            del image.info[name]


def loaded(path, kind, reduce=1):
    """Pillow's image, decoded."""
    if kind == "TIFF" and not tiff.pillow_reads(path):
        return tiff.read_8_bits(path)
    check_whole(path, kind)
    with opened(path, kind) as image, reading(path, kind), quietly():
        if reduce > 1:
            image.draft(image.mode, (int(image.width / reduce), int(image.height / reduce)))
        image.load()
    without_texts(image)
    return image


def orientation_of(image):
    """EXIF's number, 1 to 8, of Pillow's image; 1 if it has none, or none that can be read."""
    try:
        with quietly():
            number = image.getexif().get(tiff.ORIENTATION)
        return number if number in UPRIGHT else 1
    except Exception:
        return 1


def turned(image, orientation):
    return image if orientation == 1 else image.transpose(UPRIGHT[orientation])


def as_rgb(path, kind, image):
    """Without alpha; no copy if it is RGB."""
    with reading(path, kind):
        through = {"P": "RGBA", "La": "LA"}.get(image.mode)
        image = image.convert(through) if through else image
        return image if image.mode == "RGB" else image.convert("RGB")


# 16 bits ------------------------------------------------------------------------------------


def png_header(path):
    """(width, height, bits a channel, channels) of the IHDR chunk."""
    with reading(path, "PNG"), open(path, "rb") as file:
        start = file.read(26)
        if start[12:16] != b"IHDR":
            raise SyntaxError
        width, height, bits, colour = struct.unpack(">IIBB", start[16:26])
    check_size(path, "PNG", width, height)
    return width, height, bits, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)


def _check_png16(path):
    if file_type(path) != "PNG":
        raise InputError(not_linear(path, f"a {file_type(path)}", "16-bit RGB PNG"))
    _, _, bits, channels = png_header(path)
    if bits != 16:
        raise InputError(not_linear(path, f"a PNG of {bits} bits a channel"))
    if channels < 3:
        raise InputError(not_linear(path, "a grey PNG"))
