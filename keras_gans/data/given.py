"""Pictures as programs hand them over: Pillow's, or arrays."""

import numpy as np
from PIL import Image, ImageOps

from keras_gans.data.pixels import as_linear
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.errors import InputError


def given_photo(image: Image.Image | np.ndarray, channels: int = 3) -> np.ndarray:
    """A picture as an array.

    Args:
        image: one of Pillow's, of 8 bits, which is turned upright as its EXIF says; or an array
            (H, W), (H, W, 1) or (H, W, 3): uint8 is sRGB, uint16 (in 65535ths) and floats, from
            0 to 1, are linear.
        channels: 1 or 3. For 3, grey is replicated.

    Returns:
        uint8, uint16 or float32 (H, W, channels).

    Raises:
        InputError: another picture.
    """
    if isinstance(image, Image.Image):
        if image.mode[0] in "IF":
            raise InputError(f"a picture of 8 bits is expected. Received: mode {image.mode}")
        try:
            image = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
        except ValueError:  # La, LAB and others, which Pillow cannot convert to it
            raise InputError(
                f"a picture in RGB or grey is expected. Received: mode {image.mode}"
            ) from None
    pixels = np.asarray(image)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype.kind == "f":
        pixels = pixels.astype(np.float32, copy=False)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    known = pixels.dtype in (np.uint8, np.uint16, np.float32)
    if not known or pixels.ndim != 3 or pixels.shape[2] not in (1, channels) or not pixels.size:
        shape = "(H, W) or (H, W, 1)" if channels == 1 else "(H, W, 3)"
        raise InputError(
            f"a picture is uint8, uint16 or float {shape}. "
            f"Received: {pixels.dtype} {pixels.shape}"
        )
    if pixels.dtype == np.float32 and not (pixels.min() >= 0 and pixels.max() <= 1):
        raise InputError(
            "a picture of floats is finite and from 0 to 1. Received: other values"
        )
    return pixels.repeat(channels // pixels.shape[2], axis=2)


def given_levels(image: Image.Image | np.ndarray, channels: int = 3) -> np.ndarray:
    """The same in sRGB: uint8 (H, W, channels)."""
    pixels = given_photo(image, channels)
    if pixels.dtype == np.uint8:
        return pixels
    return quantize(linear_to_srgb(as_linear(pixels)), np.uint8)
