"""Writing pictures: PNG, JPEG and TIFF of 8 and 16 bits, completely or not at all."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from keras_gans.data.images import SUFFIXES
from keras_gans.files import replacing


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


def write_image(path: Path, image: np.ndarray, **metadata: bytes) -> None:
    """Writes a PNG, JPEG or TIFF, by the name's suffix.

    The file appears complete or not at all: it is written beside its place and moved.

    Args:
        path: where to write; the suffix is one of `SUFFIXES`.
        image: uint8 or uint16 (H, W, 3). JPEG takes uint8 only and has quality 95.
        **metadata: `icc_profile` and `exif`, bytes, kept in 8-bit files.

    Raises:
        InputError: the file cannot be written.
        ValueError: another data type or shape, or a suffix that is not known.
    """
    path, image = Path(path), np.asarray(image)
    write = {".png": _png, ".tif": _tiff, ".tiff": _tiff}.get(path.suffix.lower(), _jpeg)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"An image is written as {' '.join(SUFFIXES)}. Received: {path}")
    _check_writable(image, (np.uint8,) if write is _jpeg else (np.uint8, np.uint16))
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
    image = np.asarray(image)
    _check_writable(image, (np.uint8, np.uint16))
    with replacing(path) as temporary:
        _png(temporary, image, {})


def _check_writable(image, dtypes):
    if image.dtype not in dtypes or image.ndim != 3 or image.shape[-1] != 3:
        names = " or ".join(np.dtype(dtype).name for dtype in dtypes)
        raise ValueError(
            f"An image to write is {names} of shape (H, W, 3). "
            f"Received: {image.dtype} of shape {image.shape}"
        )


def _png(path, image, metadata):
    if image.dtype == np.uint8:
        Image.fromarray(image).save(path, format="PNG", **metadata)
    else:
        from keras_gans.quiet import tensorflow as tf  # Pillow has no 16-bit RGB

        path.write_bytes(tf.io.encode_png(image).numpy())


def _jpeg(path, image, metadata):
    Image.fromarray(image).save(path, format="JPEG", quality=95, **metadata)


def _tiff(path, image, metadata):
    if image.dtype == np.uint8:
        Image.fromarray(image).save(path, format="TIFF", **metadata)
    else:
        tifffile.imwrite(path, image, photometric="rgb")
