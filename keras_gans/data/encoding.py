"""What the values of a photo's file stand for, and what says so.

First the file itself: PNG's cICP chunk, the profile, PNG's sRGB and gAMA chunks, TIFF's tags,
EXIF's colour space. Then the user. Only then the depth: 8 bits are sRGB, deeper values linear.
"""

import contextlib
import io
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageCms

from keras_gans.data import spaces, tiff
from keras_gans.data.images import bit_depth, file_type, opened
from keras_gans.data.metadata import read_metadata
from keras_gans.data.reading import Unsupported, reading
from keras_gans.data.spaces import CODES, LINEAR, SRGB, Space
from keras_gans.errors import printable

Input = Literal["srgb", "linear"]
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "F")
D65 = (0.3127, 0.3290)
# ITU-T H.273: white, red, green, blue
PRIMARIES = {
    1: (D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
NAMES = {1: "sRGB", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
ADOBE = (D65, (0.64, 0.33), (0.21, 0.71), (0.15, 0.06))  # Adobe RGB (1998), of EXIF's R03
# of a camera's videos and photos with these curves sRGB's is what screens undo
SRGB_LIKE, LINEAR_LIGHT = (1, 6, 13, 14, 15), 8
GAMMAS = {4: 2.2, 5: 2.8}
HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Encoding:
    """What a photo's values stand for.

    Attributes:
        space: the colour space; `None` for a profile that is a table.
        kind: "srgb" for a finished photo, "linear" for a camera's linear colours, "raw" for its
            raw file: which model sees it.
        told: what says so, such as "its profile" or "8 bits a channel".
        notes: lines for the user.
        keeps_profile: whether the profile describes the pixels; else it is left out.
    """

    space: Space | None
    kind: Input | Literal["raw"]
    told: str
    notes: tuple[str, ...] = ()
    keeps_profile: bool = True

    def kept_in(self, suffix: str, deep: bool) -> bool:
        """Whether a file of such a suffix and depth says the same of the corrected values."""
        if self.space is None:
            return False
        chunk, tag = self.told.endswith(" chunk"), self.told.startswith("its tag ")
        if tag or (chunk and suffix != ".png"):  # its depth alone says it there
            return self.kind == "linear" if deep else self.space is SRGB
        return True

    @property
    def assumed(self) -> bool:
        """Whether nothing but the depth says so."""
        return self.told.endswith("bits a channel")


def encoding_of(path: Path, given: Input | None = None) -> Encoding:
    """What the values of a JPEG, PNG or TIFF stand for.

    Args:
        path: the file.
        given: what the user says of files that do not say it themselves.

    Raises:
        InputError: the file cannot be read; its values are those of a television in HDR.
    """
    kind, bits = file_type(path), bit_depth(path)
    notes, keeps, found = [], True, None
    profile, mode, exif = _header(path, kind)
    if profile == b"":
        notes.append("its profile is not used (damaged)")
    with reading(path, kind):
        chunks = png_chunks(path) if kind == "PNG" else {}
        if b"cICP" in chunks:
            found = _of_cicp(chunks[b"cICP"])
        if profile and not found and mode not in GREY:
            try:
                found = Encoding(_of_profile(profile, mode), "srgb", "its profile")
            except ValueError as error:
                notes.append(f"its profile is not used ({error})")
                keeps = False
        found = found or _of_chunks(chunks) or _of_tags(path, kind) or _of_exif(exif)
    if found and given and given != found.kind:
        name = found.space.name if found.space else "another space"
        notes.append(f"--input {given} is not followed: {found.told} says {name}")
    if not found:
        told, name = (f"--input {given}", given) if given else (f"{bits} bits a channel", None)
        name = name or ("srgb" if bits <= 8 else "linear")
        found = Encoding(SRGB if name == "srgb" else LINEAR, name, told)
    return replace(found, notes=tuple(notes), keeps_profile=keeps)


def light_of(path: Path, stored: np.ndarray) -> np.ndarray:
    """Linear sRGB of the values of more than 8 bits that a file holds, as the file says.

    A profile that is a table counts as sRGB.

    Args:
        path: the file.
        stored: uint16, or float32 in [0, 1], (H, W, 3).

    Returns:
        float32 (H, W, 3), cut off at 0 and 1.

    Raises:
        InputError: as `encoding_of`.
    """
    space = encoding_of(path).space or SRGB
    return np.clip(space.to_srgb(space.decode(stored)), 0, 1)


def _header(path, kind):
    """(profile or `None`, Pillow's mode, EXIF) of a file that is not decoded.

    The profile of a JPEG of which a part is missing is empty.
    """
    if kind != "TIFF":
        with opened(path, kind) as image, warnings.catch_warnings(action="ignore"):
            exif = Image.Exif()
            with contextlib.suppress(Exception):
                exif = image.getexif()
            mode = "RGB" if image.mode == "P" else image.mode  # a palette's colours
            parts = (part for _, part in getattr(image, "applist", ()))
            some = any(part.startswith(b"ICC_PROFILE\0") for part in parts)
            return image.info.get("icc_profile") or (b"" if some else None), mode, exif
    found = read_metadata(path, (b"RGB ", b"CMYK"))
    exif = Image.Exif()
    with contextlib.suppress(Exception):
        exif.load(found.get("exif", b""))
    with tiff.first_page(path) as page:
        colours = tiff.colours_of(page)
        grey = colours in ("MINISBLACK", "MINISWHITE") and page.samplesperpixel <= 2
    mode = "CMYK" if colours == "SEPARATED" else "L" if grey else "RGB"
    return found.get("icc_profile"), mode, exif


def _of_profile(profile, mode):
    """Its space; `None` for one that is a table."""
    colours = profile[16:20]
    if colours != (b"CMYK" if mode == "CMYK" else b"RGB "):
        name = printable(colours.decode("latin-1")).strip()
        raise ValueError(f"it is for {name}, the pixels are {mode}")
    space = None if mode == "CMYK" else spaces.profile_space(profile)
    if space is None:
        table_transform(profile, mode)
    return space


def table_transform(profile: bytes, mode: str):
    """LittleCMS' transform of 8 bits from a profile to sRGB.

    Raises:
        ValueError: the profile is damaged.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        # colorimetric, as curves and a matrix are; by another the black point would move
        return ImageCms.buildTransform(
            source, target, mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError("damaged") from error


def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def png_chunks(path: Path) -> dict[bytes, bytes]:
    """The chunks of a PNG that tell its colours: those of cICP, sRGB, gAMA and cHRM it has."""
    found = {}
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            size, name = struct.unpack(">I4s", head)
            if name in (b"IDAT", b"IEND"):
                break
            if name in (b"cICP", b"sRGB", b"gAMA", b"cHRM") and size <= 32:
                found[name] = file.read(size)
                size = 0
            file.seek(size + 4, 1)
    return found


def _of_cicp(chunk):
    primaries, transfer, matrix, full = chunk[:4]
    if transfer in HDR:
        raise Unsupported(f"a PNG in HDR ({HDR[transfer]}) is not read: save it as sRGB")
    known = transfer in SRGB_LIKE or transfer == LINEAR_LIGHT or transfer in GAMMAS
    if matrix or full != 1 or primaries not in PRIMARIES or not known:
        return None
    gamma = GAMMAS.get(transfer, 1)
    curve = spaces.SRGB_CURVE if transfer in SRGB_LIKE else CODES**gamma
    to_xyz = spaces.primaries_to_xyz(*PRIMARIES[primaries])
    space = spaces.of_curve(NAMES[primaries], curve, to_xyz)
    return Encoding(space, "srgb", "its cICP chunk")


def _of_chunks(chunks):
    """By a PNG's sRGB chunk, or by gAMA and cHRM."""
    if b"sRGB" in chunks:
        return Encoding(SRGB, "srgb", "its sRGB chunk")
    if len(chunks.get(b"gAMA", b"")) != 4:
        return None
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100000
    if not 0.2 <= gamma <= 1.2:
        return None
    # 1 / 2.2 is how the sRGB curve is written down here
    near_srgb = abs(gamma - 1 / 2.2) < 0.005
    curve = spaces.SRGB_CURVE if near_srgb else CODES ** (1 / gamma)
    name, kind = f"gamma {1 / gamma:.2f}", "srgb"
    space = spaces.of_curve(name, curve)
    if space.curves is None:
        name, kind, space = "linear", "linear", LINEAR
    if len(chunks.get(b"cHRM", b"")) == 32:
        with contextlib.suppress(ValueError, np.linalg.LinAlgError):  # no colours
            points = np.array(struct.unpack(">8I", chunks[b"cHRM"])).reshape(4, 2) / 100000
            space = spaces.of_curve(name, curve, spaces.primaries_to_xyz(*points))
            kind = "srgb"
    return Encoding(space, kind, "its gAMA chunk")


def _of_tags(path, kind):
    """By what a TIFF's tags say of its values."""
    if kind != "TIFF":
        return None
    with tiff.first_page(path) as page:
        values = {tag: page.tags.valueof(tag) for tag in (301, 318, 319)}
        if tiff.colours_of(page) == "LINEAR_RAW":
            return Encoding(LINEAR, "linear", "its tag LinearRaw")
    if values[301] is None:
        return None
    with contextlib.suppress(ValueError, TypeError, np.linalg.LinAlgError):
        table = np.array(values[301], np.float64).ravel() / 65535
        curves = table.reshape(3 if table.size % 3 == 0 else 1, -1)  # of 2^bits values each
        places = np.linspace(0, 1, curves.shape[1])
        curves = [np.interp(CODES, places, curve) for curve in curves]
        to_xyz, kind = spaces.SRGB_TO_XYZ, "linear"
        if values[318] and values[319]:
            points = np.array([*values[318], *values[319]], np.float64)
            points = points.reshape(4, 2, -1)
            points = points[..., 0] / (points[..., 1] if points.shape[2] == 2 else 1)
            to_xyz, kind = spaces.primaries_to_xyz(*points), "srgb"
        space = spaces.simplest("its own curve", tuple(curves * (3 // len(curves))), to_xyz)
        kind = kind if space.curves is None else "srgb"
        return Encoding(space, kind, "its tag TransferFunction")
    return None


def _of_exif(exif):
    """By EXIF's colour space: sRGB, or Adobe RGB as cameras mark it (DCF 2.0, R03)."""
    try:
        colours = exif.get_ifd(ExifTags.IFD.Exif).get(40961)
        index = exif.get_ifd(ExifTags.IFD.Interop).get(1)
    except Exception:
        return None
    if index == "R03" and colours != 1:
        to_xyz = spaces.primaries_to_xyz(*ADOBE)
        space = spaces.of_curve("Adobe RGB", CODES ** (563 / 256), to_xyz)
        return Encoding(space, "srgb", "its EXIF data")
    return Encoding(SRGB, "srgb", "its EXIF data") if colours == 1 else None
