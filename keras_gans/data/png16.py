"""PNG of 16 bits in colour, which Pillow opens as 8 bits and cannot write."""

import struct
import zlib
from collections.abc import Iterator
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


def _low_bytes(args):
    """Pillow's name of the other byte order: "RGB;16L" of "RGB;16B"."""
    if isinstance(args, str):
        return args.replace(";16B", ";16L")
    return (_low_bytes(args[0]), *args[1:])  # interlaced


def write_pixels(file: BinaryIO, values: np.ndarray, chunks: bytes = b"") -> None:
    """Writes a PNG a few rows at a time.

    Args:
        file: open for writing.
        values: uint16 (H, W, 3).
        chunks: what stands between the header and the pixels.
    """
    height, width, _ = values.shape
    file.write(SIGNATURE)
    file.write(_chunk(b"IHDR", struct.pack(">2I5B", width, height, 16, 2, 0, 0, 0)))
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
        lines[:, 0], lines[:, 1:7] = LEFT, raw[:, :6]
        np.subtract(raw[:, 6:], raw[:, :-6], out=lines[:, 7:])
        if part := compressor.compress(lines):
            yield part
    yield compressor.flush()


def _chunk(name, content):
    checksum = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
