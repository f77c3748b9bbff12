"""Colour spaces of files: how the values that are stored stand for light.

A space is three curves, from what is stored to linear light, and a matrix from its own linear
RGB to linear sRGB. Profiles (ICC) that are no more than that are read here, at 16 bits;
Pillow's LittleCMS works at 8. Colours that sRGB does not have stay, below 0 or above 1.
"""

import struct
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from keras_gans.data.srgb import linear_to_srgb, srgb_to_linear

# Linear sRGB to XYZ under D50, in which profiles put their colours (ICC, with the primaries
# of IEC 61966-2-1 adapted by Bradford's method).
SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804],
     [0.2225045, 0.7168786, 0.0606169],
     [0.0139322, 0.0971045, 0.7141733]]
)  # fmt: skip
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
CODES = np.arange(65536) / 65535
STEPS = 2**16  # of the square root of light, in the table that encodes 8 bits


@dataclass(frozen=True, eq=False)
class Space:
    """A colour space of three channels.

    Attributes:
        name: what it is called.
        curves: of each channel the light, 0 to 1, of 65536 equal steps from 0 to 1; `None`
            where values are light as they stand.
        matrix: float64 (3, 3), its linear RGB to linear sRGB; each row sums to 1.
    """

    name: str
    curves: tuple | None = field(default=None, repr=False)
    matrix: np.ndarray = field(default_factory=lambda: np.eye(3))

    @property
    def diagonal(self) -> bool:
        """Whether its primaries are those of sRGB."""
        return bool((self.matrix == np.eye(3)).all())

    @property
    def one_curve(self) -> bool:
        """Whether all channels have the same curve."""
        return self.curves is None or all(each is self.curves[0] for each in self.curves)

    def decode(self, stored: np.ndarray) -> np.ndarray:
        """Own linear light, float32 (..., 3), of uint8, uint16 or float32 in [0, 1]."""
        if self.one_curve:
            return self.decode_band(stored, 0)
        return np.stack([self.decode_band(stored[..., i], i) for i in range(3)], axis=-1)

    def decode_band(self, stored: np.ndarray, band: int) -> np.ndarray:
        """`decode` of one channel."""
        curve = self.curves[band] if self.curves else CODES
        if stored.dtype == np.float32:
            light = np.interp(stored, CODES, curve) if self.curves else stored
            return light.astype(np.float32, copy=False)
        table = curve[:: 257 if stored.dtype == np.uint8 else 1].astype(np.float32)
        return table.take(stored, mode="clip")  # not checked, which is faster

    def encode(self, light: np.ndarray, dtype: type) -> np.ndarray:
        """What a file stores of own linear light (..., 3), which is cut off at 0 and 1.

        `dtype` is uint8, uint16 or float32, for 1 as the white.
        """
        parts = [self.encode_band(light[..., i], i, dtype) for i in range(3)]
        return np.stack(parts, axis=-1)

    def encode_band(self, light: np.ndarray, band: int, dtype: type) -> np.ndarray:
        """`encode` of one channel."""
        light = np.clip(light, 0, 1)
        top = 1 if dtype == np.float32 else np.iinfo(dtype).max
        if self is SRGB:
            codes = linear_to_srgb(light)
        elif self.curves is None:
            codes = light
        elif dtype == np.uint8 and light.size > 2**12:
            places = np.sqrt(light, out=light)
            places *= STEPS
            places += 0.5
            return self._levels[band].take(places.astype(np.int32), mode="clip")
        else:
            codes = self._codes(light, band)
        return codes.astype(np.float32) if top == 1 else np.rint(codes * top).astype(dtype)

    @cached_property
    def _levels(self):
        """Levels of 8 bits by the square root of light: within a hundredth, and fast."""
        places = (np.arange(STEPS + 1) / STEPS) ** 2
        codes = [self._codes(places, band) * 255 for band in range(3)]
        return [np.rint(each).astype(np.uint8) for each in codes]

    def _codes(self, light, band):
        """Between 0 and 1; black is 0, also where a curve begins with several zeros."""
        curve = self.curves[band]
        return np.where(light > curve[0], np.interp(light, curve, CODES), 0)

    def to_srgb(self, light: np.ndarray) -> np.ndarray:
        """Linear sRGB of own linear light; not cut off. Grey stays as it is, to the bit."""
        if self.diagonal:
            return light
        green = light[..., 1:2]
        result = (light - green) @ self.matrix.T.astype(np.float32)
        result += green
        return result

    def gains(self, gains: np.ndarray) -> np.ndarray:
        """The matrix (3, 3) on own linear light that does what gains do on linear sRGB."""
        if self.diagonal:
            return np.diag(gains)
        return np.linalg.solve(self.matrix, gains[:, None] * self.matrix)


def of_curve(name: str, curve: np.ndarray, to_xyz: np.ndarray | None = None) -> Space:
    """A space of one curve, (N,) from 0 to 1, and a matrix to XYZ under D50."""
    return simplest(name, (curve,) * 3, SRGB_TO_XYZ if to_xyz is None else to_xyz)


def simplest(name: str, curves: tuple, to_xyz: np.ndarray) -> Space:
    """The space; `SRGB`, or one without curves or matrix, where that is the same within 0.1 %.

    Raises:
        ValueError: no colour space: it cannot be turned around.
    """
    curves = tuple(np.clip(curve, 0, 1) for curve in curves)
    if all(np.array_equal(curve, curves[0]) for curve in curves):
        curves = (curves[0],) * 3  # which `one_curve` knows
    if not (np.isfinite(curves).all() and np.isfinite(to_xyz).all()):
        raise ValueError("not finite")
    if any((np.diff(c) < 0).any() or c[-1] - c[0] < 0.5 for c in curves):
        raise ValueError("a curve that falls")
    matrix = np.linalg.solve(SRGB_TO_XYZ, to_xyz)
    whites = matrix.sum(axis=1, keepdims=True)
    if np.linalg.cond(matrix) > 100 or not (np.abs(whites - 1) < 0.5).all():
        raise ValueError("no primaries")
    matrix /= whites  # its white is white, which a profile's few digits miss
    if np.abs(matrix - np.eye(3)).max() < 4e-3:
        matrix = np.eye(3)
    near = [max(np.abs(c - each).max() for c in curves) < 1e-3 for each in (CODES, SRGB_CURVE)]
    if near[0]:
        return Space(name, None, matrix)
    if near[1] and (matrix == np.eye(3)).all():
        return SRGB
    return Space(name, (SRGB_CURVE,) * 3 if near[1] else curves, matrix)


def primaries_to_xyz(white, red, green, blue) -> np.ndarray:
    """The matrix to XYZ under D50 of primaries and white, each (x, y).

    Raises:
        ValueError: no such colours.
    """

    def xyz(point):
        x, y = (float(value) for value in point)
        if not (0 <= x <= 1 and 0 < y <= 1.2):
            raise ValueError("no chromaticity")
        return np.array([x / y, 1, (1 - x - y) / y])

    columns = np.stack([xyz(point) for point in (red, green, blue)], axis=1)
    white, d50 = xyz(white), SRGB_TO_XYZ.sum(axis=1)
    adapted = np.linalg.solve(
        BRADFORD, np.diag((BRADFORD @ d50) / (BRADFORD @ white)) @ BRADFORD
    )
    return adapted @ (columns * np.linalg.solve(columns, white))


def profile_space(profile: bytes) -> Space | None:
    """The space of an ICC profile for RGB; `None` if it is a table, not curves and a matrix.

    Raises:
        ValueError: it is damaged, or for no RGB.
    """
    try:
        tags = _tags(profile)
        if profile[16:20] != b"RGB " or profile[36:40] != b"acsp":
            raise ValueError("not for RGB")
        wanted = [name + part for part in (b"XYZ", b"TRC") for name in (b"r", b"g", b"b")]
        if not all(name in tags for name in wanted):
            if b"A2B0" in tags:
                return None
            raise ValueError("neither curves nor a table")
        columns = [struct.unpack(">3i", tags[name][8:20]) for name in wanted[:3]]
        to_xyz = np.array(columns).T / 65536
        curves = {tags[name]: None for name in wanted[3:]}
        curves = {data: _curve(data) for data in curves}
        name = _text(tags.get(b"desc", b""))[:60] or "its profile"
        return simplest(name, tuple(curves[tags[each]] for each in wanted[3:]), to_xyz)
    except (struct.error, IndexError, np.linalg.LinAlgError, UnicodeError) as error:
        raise ValueError(str(error)) from None


def _tags(profile):
    count = struct.unpack(">I", profile[128:132])[0]
    if count > 200 or len(profile) < 132 + 12 * count:
        raise ValueError("truncated")
    tags = {}
    for place in range(132, 132 + 12 * count, 12):
        name, start, size = struct.unpack(">4sII", profile[place : place + 12])
        tags[name] = profile[start : start + size]
        if len(tags[name]) < size:
            raise ValueError("truncated")
    return tags


def _curve(data):
    """A curve at `CODES`, of the types curv and para (ICC.1:2022, 10.6 and 10.18)."""
    if data[:4] == b"curv":
        count = struct.unpack(">I", data[8:12])[0]
        values = np.frombuffer(data[12 : 12 + 2 * count], ">u2")
        if len(values) < count:
            raise ValueError("truncated")
        if count == 0:
            return CODES
        if count == 1:
            return CODES ** (values[0] / 256)
        return np.interp(CODES, np.linspace(0, 1, count), values / 65535)
    if data[:4] != b"para":
        raise ValueError("an unknown curve")
    kind = struct.unpack(">H", data[8:10])[0]
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind] if kind < 5 else -1
    values = np.array(struct.unpack(f">{count}i", data[12 : 12 + 4 * count])) / 65536
    g, a, b, c, d, e, f = (*values, *(0,) * (7 - count))
    if kind == 0:
        return CODES**g
    if kind in (1, 2):  # a line of the height c below where the power begins
        return np.where(CODES >= -b / a, np.maximum(a * CODES + b, 0) ** g, 0) + c
    power = np.maximum(a * CODES + b, 0) ** g
    return np.where(CODES >= d, power + e, c * CODES + f)


def _text(data):
    """The first text of a description, of version 2 or 4."""
    if data[:4] == b"desc":
        count = struct.unpack(">I", data[8:12])[0]
        return data[12 : 12 + count].split(b"\0")[0].decode("latin-1").strip()
    if data[:4] == b"mluc":
        size, start = struct.unpack(">2I", data[20:28])
        return data[start : start + size].decode("utf-16-be").strip("\0 ")
    return ""


SRGB_CURVE = srgb_to_linear(CODES).astype(np.float64)
SRGB = Space("sRGB", (SRGB_CURVE,) * 3)
LINEAR = Space("linear")
