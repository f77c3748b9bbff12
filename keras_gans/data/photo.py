"""Photos of any encoding: linear sRGB a few rows at a time, and corrected in their own space.

file -> its own linear light -> linear sRGB (the light is estimated here)
                             -> times a matrix -> the file's own values
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from keras_gans.data import images, tiff
from keras_gans.data.encoding import (
    GREY,
    Encoding,
    Input,
    encoding_of,
    png_chunks,
    srgb_profile,
    table_transform,
)
from keras_gans.data.given import given_photo
from keras_gans.data.metadata import read_metadata
from keras_gans.data.pixels import Pixels, Rows, as_linear, on_all_cores, strips
from keras_gans.data.reading import reading
from keras_gans.data.spaces import LINEAR, SRGB, Space, profile_space
from keras_gans.data.squares import area_average
from keras_gans.data.write import quantize, write_image
from keras_gans.errors import InputError

TILE = 512  # pixels: width of the parts of a strip; most have nothing that is nearly white


class Light(Rows):
    """What stored pixels stand for: rows of float32 (h, W, 3), linear light in their own space.

    Args:
        pixels: uint8, uint16 or float32 (H, W, 3), or (H, W, 1) for grey.
        space: theirs.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, pixels: np.ndarray | Pixels, space: Space):
        self.pixels, self.space = pixels, space
        self.shape = *pixels.shape[:2], 3

    def __getitem__(self, rows: slice) -> np.ndarray:
        stored = self.pixels[rows]
        return self.space.decode(stored.repeat(3, axis=-1) if stored.shape[2] == 1 else stored)

    def read_into(self, rows: slice, out: np.ndarray) -> None:
        stored = self.pixels[rows]
        if self._pairs is None or stored.size % 2:
            out[...] = self[rows]
        else:
            stored = stored.reshape(-1).view(np.uint16)
            self._pairs.take(stored, mode="clip", out=out.reshape(-1).view(np.uint64))

    @cached_property
    def _pairs(self):
        """Light of any two levels: looked up at once, they take half the time."""
        one = self.space.one_curve and self.pixels.shape[2] == 3
        if self.pixels.dtype != np.uint8 or not one:
            return None
        levels = np.arange(2**16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
        return self.space.decode_band(levels, 0).view(np.uint64)[:, 0]


class Photo(Rows):
    """A photo: rows of it are float32 (h, W, 3), linear sRGB, cut off at 0 and 1.

    Args:
        pixels: what the file stores, upright: uint8, uint16 or float32 in [0, 1], (H, W, 3), or
            (H, W, 1) for grey.
        encoding: what that stands for.
        metadata: what is written beside the pixels, see `write.write_image`.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, pixels: np.ndarray | Pixels, encoding: Encoding, metadata: dict):
        self.pixels, self.encoding, self.metadata = pixels, encoding, metadata
        self.light = Light(pixels, encoding.space)
        self.grey = pixels.shape[2] == 1
        self.size = pixels.shape[1], pixels.shape[0]
        self.shape = self.light.shape

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._srgb(self.light[rows])

    def _srgb(self, light):
        light = self.encoding.space.to_srgb(light)
        return light if self.encoding.space.diagonal else np.clip(light, 0, 1, out=light)

    def averaged(self, height: int, width: int) -> np.ndarray:
        """Reduced by `area_average`, float32 (height, width, 3), linear sRGB."""
        return self._srgb(area_average(self.light, height, width))

    def corrected(self, gains: np.ndarray) -> Callable:
        """Function of a strip of `pixels` to the same with the gains (3,) on linear sRGB.

        Grey stays as it is. In a finished photo what is clipped in all channels stays white.
        """
        if self.grey:
            return lambda stored: stored
        white = self.encoding.kind == "srgb"
        return corrector(self.encoding.space, np.asarray(gains), white, self.pixels.dtype)

    def panels(self, gains: np.ndarray, width: int, height: int) -> tuple:
        """(as taken, corrected), for the eye: float32 (height, width, 3), linear sRGB."""
        if isinstance(self.pixels, Pixels) and not self.grey:
            small = self.pixels.image.resize((width, height), Image.Resampling.BOX, None, 2)
            small = Photo(np.asarray(small), self.encoding, {})[:]
        else:
            small = self.averaged(height, width)
        done = small if self.grey else small * np.asarray(gains, np.float32)
        if self.encoding.kind == "srgb":
            done = done + _whiteness(small.min(axis=-1, keepdims=True)) * (1 - done)
        return small, np.clip(done, 0, 1)

    def write(self, path: Path, gains: np.ndarray) -> None:
        """Writes the corrected photo, a float one with 16 bits (raises `InputError`).

        It is corrected in its own place, so that there is no second large picture.
        """
        pixels, correct = self.pixels, self.corrected(gains)
        done = np.empty(pixels.shape, np.uint16) if pixels.dtype == np.float32 else pixels

        def work(parts):
            for rows in parts:
                strip = correct(pixels[rows])
                done[rows] = quantize(strip, np.uint16) if strip.dtype == np.float32 else strip

        def work_on_image(parts):
            for rows in parts:
                box = 0, rows.start, pixels.shape[1], rows.stop
                pixels.image.paste(correct.on_image(pixels.image.crop(box)), box)

        if isinstance(correct, Levels) and isinstance(pixels, Pixels):
            on_all_cores(work_on_image, list(strips(pixels.shape)))
        elif not self.grey or done is not pixels:
            on_all_cores(work, list(strips(pixels.shape, 2**15)))
        write_image(path, done, **self.metadata)


def open_photo(path: Path, given: Input | None = None) -> Photo:
    """Reads a photo, upright.

    Args:
        path: JPEG, PNG or TIFF, in colour or grey.
        given: what the user says of files that do not say it themselves.

    Raises:
        InputError: as `images.read_photo` and `encoding.encoding_of`.
    """
    kind, encoding = images.file_type(path), encoding_of(path, given)
    deep = images.bit_depth(path) > 8
    whole = deep and encoding.space
    pixels = _deep(path, kind) if whole else _flat(path, kind, encoding.space, deep)
    metadata = read_metadata(path, (b"GRAY",) if pixels.shape[2] == 1 else (b"RGB ",))
    if lost := metadata.pop("lost", None):
        encoding = replace(encoding, notes=(*encoding.notes, lost))
    if not encoding.keeps_profile:
        metadata.pop("icc_profile", None)
    if kind == "PNG":
        chunks = png_chunks(path)
        if "icc_profile" in metadata:  # which goes before all but cICP
            chunks = {name: chunk for name, chunk in chunks.items() if name == b"cICP"}
        metadata["chunks"] = chunks
    if pixels.shape[2] == 1:  # the light of grey is not asked for
        encoding = replace(encoding, space=encoding.space or SRGB)
    elif not encoding.kept_in(path.suffix.lower(), deep):
        encoding = _as_srgb(pixels, encoding, deep)
        metadata["icc_profile"] = srgb_profile()
    return Photo(pixels, encoding, metadata)


def photo_of(image: Image.Image | np.ndarray, given: Input | None = None) -> Photo:
    """A picture that a program hands over.

    Args:
        image: see `given_photo`; curves and matrix of a profile that Pillow has are applied.
        given: whether its values are "srgb" or "linear"; by default those of 8 bits are sRGB.

    Raises:
        InputError: another picture; `given` is neither.
    """
    if given not in (None, "srgb", "linear"):
        raise InputError(f"input must be srgb or linear. Received: {given!r}")
    pixels = given_photo(image)
    profile = isinstance(image, Image.Image) and image.info.get("icc_profile")
    if isinstance(profile, bytes) and image.mode != "CMYK":
        with contextlib.suppress(ValueError):
            if space := profile_space(profile):
                return Photo(pixels, Encoding(space, "srgb", "its profile"), {})
    kind = given or ("srgb" if pixels.dtype == np.uint8 else "linear")
    return Photo(pixels, Encoding(SRGB if kind == "srgb" else LINEAR, kind, "the caller"), {})


def _deep(path, kind):
    """Values of more than 8 bits."""
    return tiff.upright(*images.read_deep(path, kind))


def _flat(path, kind, space, deep):
    """Values of 8 bits; through a profile that is a table, if `space` is `None`."""
    profile = None if space else read_metadata(path, (b"RGB ", b"CMYK"))["icc_profile"]
    if profile and deep and profile[16:20] == b"RGB ":
        image = Image.fromarray(quantize(as_linear(_deep(path, kind)), np.uint8))
    else:
        image = images.loaded(path, kind)
    turn = images.orientation_of(image)
    if image.mode in GREY:
        image = image.convert("L")
    elif profile:
        image = image if image.mode == "CMYK" else images.as_rgb(path, kind, image)
        with reading(path, kind):
            image = ImageCms.applyTransform(image, table_transform(profile, image.mode))
    else:
        image = images.as_rgb(path, kind, image)
    image.info = {}  # of which Pillow would write some unasked
    return Pixels(images.turned(image, turn))


def _as_srgb(pixels, encoding, deep):
    """Puts pixels, in their own place, into sRGB, for a file that cannot say what they are."""
    space, notes = encoding.space, encoding.notes
    if space is None:
        bits = ", with 8 bits" if deep else ""
        notes = (*notes, f"{encoding.told} is a table: it is written as sRGB{bits}")
    elif space is not SRGB:
        for rows in strips(pixels.shape):
            light = space.to_srgb(space.decode(pixels[rows]))
            pixels[rows] = SRGB.encode(light, pixels.dtype)
        notes = (*notes, f"{encoding.told} is not kept: it is written as sRGB")
    return replace(encoding, space=SRGB, notes=notes)


def corrector(space: Space, gains: np.ndarray, white: bool, dtype: np.dtype) -> Callable:
    """What multiplies stored values by gains (3,) on linear sRGB, and cuts off at 0 and 1.

    Args:
        space: what the values stand for.
        gains: of red, green and blue.
        white: whether pixels clipped in all channels stay white. They carry no colour any more,
            and multiplied they would take on the light's complement. It fades in over the last
            tenth below 1.
        dtype: uint8, uint16 or float32, of the values.

    Returns:
        function of an array (h, W, 3) of that type, to another.
    """
    if (gains == 1).all():
        return lambda stored: stored
    if dtype == np.uint8 and space.diagonal and space.one_curve:
        return Levels(space, gains, white)
    matrix = space.gains(gains).astype(np.float32)

    def correct(stored):
        light = [space.decode_band(stored[..., band], band) for band in range(3)]
        least = np.minimum(np.minimum(light[0], light[1]), light[2])
        whiteness = _whiteness(least) if white and least.max() > 0.9 else None
        done = np.empty(stored.shape, dtype)
        for band, row in enumerate(matrix):
            part = sum(row[i] * light[i] for i in range(3) if row[i])
            if whiteness is not None:
                part += whiteness * (1 - part)
            done[..., band] = space.encode_band(part, band, dtype)
        return done

    return correct


def _whiteness(least):
    return np.clip(10 * least - 9, 0, 1)


class Levels:
    """`corrector` by tables of all levels; only what is nearly white takes more than one."""

    def __init__(self, space: Space, gains: np.ndarray, white: bool):
        light = space.decode(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1))
        done = light * gains.astype(np.float32)
        self.table = space.encode(done, np.uint8).T.ravel().tolist()
        whiteness = _whiteness(light[:, 0]) if white else np.zeros(256)
        self.first = int(np.argmax(whiteness > 0)) or 256  # the least white level
        whiteness = whiteness[self.first :, None, None].astype(np.float32)
        self.whites = space.encode(done + whiteness * (1 - done), np.uint8).ravel()

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        return np.asarray(self.on_image(Image.fromarray(stored)))

    def on_image(self, image: Image.Image) -> Image.Image:
        """The same with Pillow's, of the mode RGB."""
        done, stored = image.point(self.table), np.asarray(image)
        # columns in which each channel is nearly white somewhere, be it not in one pixel
        largest = stored.reshape(image.height, -1).max(axis=0).reshape(-1, 3)
        columns = largest.min(axis=1) >= self.first
        for left in range(0, image.width, TILE):
            part = slice(left, left + TILE)
            if not columns[part].any():
                continue
            red, green, blue = np.moveaxis(stored[:, part], -1, 0)
            white = np.minimum(np.minimum(red, green), blue)
            places = np.nonzero(white >= self.first)
            levels = stored[:, part][places]
            rows = white[places].astype(np.int32)[:, None] - self.first
            tile = np.array(done.crop((left, 0, min(left + TILE, image.width), image.height)))
            tile[places] = self.whites.take((256 * rows + levels) * 3 + [0, 1, 2])
            done.paste(Image.fromarray(tile), (left, 0))
        return done
