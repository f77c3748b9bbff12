"""Writing pictures: PNG, JPEG and TIFF of 8 and 16 bits, completely or not at all."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from keras_gans.data import png16
from keras_gans.data.images import SUFFIXES
from keras_gans.data.metadata import DESCRIPTIVE, IFDS, PROFILE, as_written
from keras_gans.data.pixels import Pixels, strips
from keras_gans.data.tiff import XMP
from keras_gans.files import replacing

PNG_HEADER = 8 + 25  # bytes: signature and IHDR
MAX_SEGMENT = 65500  # bytes that one segment of a JPEG can hold


def quantize(image: np.ndarray, dtype: type) -> np.ndarray:
    """Turns values in [0, 1] into integers that a file can hold.

    Args:
        image: float array, clipped to [0, 1]; NaN and infinity raise `ValueError`.
        dtype: `np.uint8` (1.0 becomes 255) or `np.uint16` (1.0 becomes 65535).

    Returns:
        array of `dtype`, rounded.
    """
    if not np.isfinite(image).all():
        raise ValueError("An image with NaN or infinity cannot be written.")
    return np.rint(np.clip(image, 0, 1) * np.iinfo(dtype).max).astype(dtype)


def write_image(path: Path, image: np.ndarray | Pixels, **metadata) -> None:
    """Writes a PNG, JPEG or TIFF, by the name's suffix.

    The file appears complete or not at all: it is written beside its place and moved.

    Args:
        path: where to write; the suffix is one of `SUFFIXES`.
        image: uint8 or uint16 (H, W, 3), or (H, W, 1) for grey. JPEG takes uint8 only and has
            quality 95.
        **metadata: as `metadata.read_metadata` gives it.

    Raises:
        InputError: the file cannot be written.
        ValueError: another data type or shape, or a suffix that is not known.
    """
    path = Path(path)
    write = {".png": _png, ".tif": _tiff, ".tiff": _tiff}.get(path.suffix.lower(), _jpeg)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"An image is written as {' '.join(SUFFIXES)}. Received: {path}")
    image = _checked(image, (np.uint8,) if write is _jpeg else (np.uint8, np.uint16))
    with replacing(path) as temporary:
        write(temporary, image, metadata)


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes a PNG of 8 or 16 bits a channel, complete or not at all.

    Args:
        path: where to write, whatever the suffix.
        image: uint8 or uint16 (H, W, 3).

    Raises:
        InputError: the file cannot be written.
        ValueError: another data type or shape.
    """
    image = _checked(image, (np.uint8, np.uint16))
    with replacing(path) as temporary:
        _png(temporary, image, {})


def encoded_png(image: np.ndarray) -> bytes:
    """A PNG file of uint8 (H, W, 3), for the eye: made faster, and 4 % larger, than others."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", compress_level=3)
    return file.getvalue()


def _checked(image, dtypes):
    """Pillow's image of 8 bits, or an array of 16."""
    image = image if isinstance(image, Pixels) else np.asarray(image)
    if image.dtype not in dtypes or image.ndim != 3 or image.shape[-1] not in (1, 3):
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(
            f"An image to write is {names} of shape (H, W, 3). "
            f"Received: {image.dtype} of shape {image.shape}"
        )
    if isinstance(image, Pixels):
        return image.image
    if image.dtype == np.uint8:
        return Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    return image


def _png(path, image, metadata):
    options = {key: metadata[key] for key in ("icc_profile", "exif", "dpi") if key in metadata}
    texts = PngImagePlugin.PngInfo()
    for key, value in metadata.get("text", {}).items():
        texts.add_text(key, value)
    for name, value in metadata.get("chunks", {}).items():
        texts.add(name, value)
    if "xmp" in metadata:
        texts.add_itxt("XML:com.adobe.xmp", metadata["xmp"].decode("utf-8", "replace"))
    options["pnginfo"] = texts
    if isinstance(image, Image.Image):
        image.save(path, format="PNG", **options)
        return
    # what Pillow puts between the header and the pixels of a picture of one pixel
    bare, full = (io.BytesIO(), io.BytesIO())
    Image.new("RGB", (1, 1)).save(bare, format="PNG")
    Image.new("RGB", (1, 1)).save(full, format="PNG", **options)
    added = len(full.getvalue()) - len(bare.getvalue())
    with open(path, "wb") as file:
        png16.write_pixels(file, image, full.getvalue()[PNG_HEADER : PNG_HEADER + added])


def _jpeg(path, image, metadata):
    options = {key: value for key, value in metadata.items() if key not in ("text", "chunks")}
    for key in ("exif", "xmp"):
        if len(options.get(key, b"")) > MAX_SEGMENT:
            del options[key]
    # all of it goes into a buffer of Pillow's at once
    size = 2**17 + sum(len(each) for each in options.values() if isinstance(each, bytes))
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, size)
    image.save(path, format="JPEG", quality=95, **options)


def _tiff(path, image, metadata):
    given, exif = Image.Exif(), Image.Exif()
    given.load(metadata.get("exif", b""))
    for tag in DESCRIPTIVE & set(given):
        exif[tag] = given.get_ifd(tag) if tag in IFDS else as_written(given[tag])
    if "dpi" in metadata and 282 not in exif:
        exif.update({282: metadata["dpi"][0], 283: metadata["dpi"][1], 296: 2})
    for tag, key in ((XMP, "xmp"), (PROFILE, "icc_profile")):
        if key in metadata:
            exif[tag] = metadata[key]
    image = Pixels(image) if isinstance(image, Image.Image) else image
    exif.endian, (height, width, channels) = "<", image.shape
    size, colours = image.dtype.itemsize, 2 if channels == 3 else 1
    exif.update(
        {
            256: width,
            257: height,
            258: (8 * size,) * channels,
            259: 1,
            262: colours,
            273: 0,
            277: channels,
        }
        | {278: height, 279: height * width * channels * size, 284: 1}
    )
    # EXIF is a TIFF's directory: Pillow, which cannot write 16 bits, moves the place of the
    # pixels (273) behind it
    with open(path, "wb") as file:
        file.write(exif.tobytes().removeprefix(b"Exif\0\0"))
        for rows in strips(image.shape):
            file.write(np.ascontiguousarray(image[rows], f"<u{size}"))
