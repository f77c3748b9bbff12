"""PNG of 16 bits in colour, which Pillow opens as 8 bits and cannot write."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from keras_gans.data.pixels import strips

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LEFT = 1  # the filter that subtracts the pixel to the left


def pixels_of(image: Image.Image, again: Image.Image) -> np.ndarray:
    """The values of a PNG: uint16 (H, W, 3). Alpha is dropped.

    Pillow keeps one byte of each value, and can be told which.

    Args:
        image, again: the same PNG of 16 bits, RGB or RGBA, opened twice and not decoded yet.
    """
    again.tile = [tile._replace(args=_low_bytes(tile.args)) for tile in again.tile]
    values = np.empty((image.height, image.width, 3), np.uint16)
    image.load()
    again.load()
    for rows in strips(values.shape):
        box = (0, rows.start, image.width, rows.stop)
        high, low = (np.asarray(each.crop(box))[..., :3] for each in (image, again))
        values[rows] = (high.astype(np.uint16) << 8) | low
    return values


def grey_of(path: Path) -> np.ndarray:
    """The values of a grey PNG of 16 bits: uint16 (H, W, 1). Alpha is dropped.

    Pillow reads grey of 16 bits with alpha as 8. Four bytes a pixel are RGBA of 8 bits as well:
    with another header it reads them all.
    """
    content = bytearray(path.read_bytes())
    if content[25] == 4:
        content[24:26] = 8, 6
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        pixels = np.asarray(Image.open(io.BytesIO(content), formats=["PNG"])).astype(np.uint16)
        return (pixels[..., :1] << 8) | pixels[..., 1:2]
    return np.asarray(Image.open(path, formats=["PNG"])).astype(np.uint16)[..., None]


def _low_bytes(args):
    """Pillow's name of the other byte order: "RGB;16L" of "RGB;16B"."""
    if isinstance(args, str):
        return args.replace(";16B", ";16L")
    return (_low_bytes(args[0]), *args[1:])  # interlaced


def write_pixels(file: BinaryIO, values: np.ndarray, chunks: bytes = b"") -> None:
    """Writes a PNG a few rows at a time.

    Args:
        file: open for writing.
        values: uint16 (H, W, 1 or 3).
        chunks: what stands between the header and the pixels.
    """
    height, width, channels = values.shape
    colours = 2 if channels == 3 else 0
    file.write(SIGNATURE)
    file.write(_chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, colours, 0, 0, 0)))
    file.write(chunks)
    for part in _compressed(values):
        file.write(_chunk(b"IDAT", part))
    file.write(_chunk(b"IEND", b""))


def _compressed(values) -> Iterator[bytes]:
    compressor = zlib.compressobj()
    for rows in strips(values.shape):
        raw = np.ascontiguousarray(values[rows], ">u2").view(np.uint8)
        raw = raw.reshape(len(raw), -1)
        lines = np.empty((len(raw), 1 + raw.shape[1]), np.uint8)
        size = 2 * values.shape[2]
        lines[:, 0], lines[:, 1 : 1 + size] = LEFT, raw[:, :size]
        np.subtract(raw[:, size:], raw[:, :-size], out=lines[:, 1 + size :])
        if part := compressor.compress(lines):
            yield part
    yield compressor.flush()


def _chunk(name, content):
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
