"""What an image file holds beside its pixels: profile, resolution, EXIF, XMP, texts.

What is broken is left out; nothing here stops a picture from being read or written.
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from keras_gans.data import tiff
from keras_gans.data.images import file_type, opened, orientation_of, without_texts
from keras_gans.data.reading import reading

IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
PROFILE = 34675
# Of a TIFF's tags, those that describe the picture; the others say how it lies in the file.
DESCRIPTIVE = {
    *range(269, 273), 282, 283, 285, *range(296, 298), 305, 306, 315, 316, 33432, 33723, 34377,
    *range(40091, 40096), *IFDS,
}  # fmt: skip
# Descriptions that programs write to find their own arrays again.
OF_LAYOUT = '{"shape"', "ImageJ=", "<?xml"
# What tells of width and of height: they change places in a picture that is turned on its side.
SIDES = {256: 257, 282: 283, 40962: 40963, 41486: 41487}
SIDES |= {second: first for first, second in SIDES.items()}
SIDES_IN_XMP = {
    b"tiff:ImageWidth": b"tiff:ImageLength",
    b"tiff:XResolution": b"tiff:YResolution",
    b"exif:PixelXDimension": b"exif:PixelYDimension",
}
SIDES_IN_XMP |= {second: first for first, second in SIDES_IN_XMP.items()}
ORIENTATION_IN_XMP = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))[2-8]")
MAX_DPI = 65535  # a JPEG has two bytes for it


def read_metadata(path: Path, profiles: Sequence[bytes] = (b"RGB ",)) -> dict:
    """What is to be written beside the corrected pixels of a JPEG, PNG or TIFF.

    Args:
        path: the file.
        profiles: of which colour spaces they are kept, as ICC writes them.

    Returns:
        dict with what the file has of "icc_profile", "exif", "xmp" and "comment" (bytes),
        "dpi" (two floats) and "text" (dict of a PNG's texts), as `write.write_image` takes
        them. The orientation is left out, as readers have applied it; so are a profile that is
        for another colour space and every tag of EXIF that cannot be read or written again.
        "lost" is a line on what of it cannot be kept.

    Raises:
        InputError: the file cannot be read.
    """
    kind = file_type(path)
    with warnings.catch_warnings(action="ignore"):
        found = _read_tiff(path) if kind == "TIFF" else _read_pillow(path, kind)
    profile = found.get("icc_profile")
    # that of a CMYK file does not fit the RGB it was converted to
    if not isinstance(profile, bytes) or profile[16:20] not in profiles:
        found["icc_profile"] = None
    turned, xmp = found.pop("turned", False), _as_bytes(found.pop("xmp", None))
    if xmp:
        xmp = ORIENTATION_IN_XMP.sub(rb"\g<1>1", xmp)
        names = b"|".join(SIDES_IN_XMP)
        swapped = re.sub(names, lambda match: SIDES_IN_XMP[match[0]], xmp)
        found["xmp"] = swapped if turned else xmp
    if turned and found.get("dpi"):
        found["dpi"] = found["dpi"][::-1]
    return {name: value for name, value in found.items() if value}


def _as_bytes(xmp):
    """XMP, also if a TIFF holds it as text; nothing if as anything else."""
    if isinstance(xmp, str):
        return xmp.encode("latin-1", "replace")
    return xmp if isinstance(xmp, bytes) else None


def _read_pillow(path, kind):
    with opened(path, kind) as image:
        if kind == "PNG":  # some of it may stand after the pixels
            with reading(path, kind):
                image.load()
            without_texts(image)
        try:
            exif = image.getexif()
        except Exception:
            exif = Image.Exif()
        info, turned = image.info, orientation_of(image) >= 5
        dpi = info.get("dpi") if info.get("jfif_unit", 1) else None  # invented by Pillow
        texts = {**getattr(image, "text", {})} if kind == "PNG" else {}
    texts.pop("XML:com.adobe.xmp", None)
    return {
        "icc_profile": info.get("icc_profile"),
        "exif": _written(exif, set(exif) - {tiff.ORIENTATION}, turned),
        "xmp": info.get("xmp"),
        "comment": info.get("comment") if kind == "JPEG" else None,
        "dpi": dpi if dpi and all(0 < value <= MAX_DPI for value in dpi) else None,
        "text": {key: str(value) for key, value in texts.items() if "exif" not in key},
        "turned": turned,
    }


def _read_tiff(path):
    exif, lost = Image.Exif(), None
    with tiff.first_page(path) as page, open(path, "rb") as file:
        exif.endian, exif.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
        turned = tiff.orientation(page) >= 5
        try:
            if exif.bigtiff and exif.endian == ">":  # which Pillow cannot read
                exif.update(_tags_of(page))
                lost = any(tag in page.tags for tag in IFDS)
            else:
                exif.load_from_fp(file, page.offset)
            wanted = DESCRIPTIVE & set(exif)
        except Exception:
            return {}
        if str(_value(exif, 270)).startswith(OF_LAYOUT):
            wanted -= {270}
        return {
            "icc_profile": _value(exif, PROFILE),
            "exif": _written(exif, wanted, turned),
            "xmp": _value(exif, tiff.XMP),
            "turned": turned,
            "lost": "EXIF of a big-endian BigTIFF is not kept" if lost else None,
        }


def _tags_of(page):
    """What tifffile reads of a page: all but directories inside it."""
    found = {}
    for tag in page.tags:
        if tag.code in {*DESCRIPTIVE, tiff.XMP, PROFILE} - {*IFDS}:
            fraction = tag.dtype == 5 and tag.count == 1
            found[tag.code] = IFDRational(*tag.value) if fraction else tag.value
    return found


def _value(exif, tag):
    try:
        return exif.get(tag)
    except Exception:
        return None


def _written(exif, tags, turned):
    """EXIF of those of the tags that can be written; `None` if there are none."""
    kept = Image.Exif()
    kept.endian = exif.endian
    for tag in sorted(tags):
        try:
            value = _directory(exif, tag, turned) if tag in IFDS else as_written(exif[tag])
            _bytes({tag: value})
        except Exception:
            continue
        if value not in ({}, None):
            kept[SIDES.get(tag, tag) if turned else tag] = value
    return kept.tobytes() if len(kept) else None


def _directory(exif, tag, turned):
    """A directory inside EXIF without what cannot be written."""
    kept = {}
    for number, value in exif.get_ifd(tag).items():
        try:
            if number == ExifTags.IFD.Interop:  # as yet its place in the file
                value = exif.get_ifd(number)
            _bytes({tag: {number: as_written(value)}})
        except Exception:
            continue
        kept[SIDES.get(number, number) if turned else number] = as_written(value)
    return kept


def as_written(value: object) -> object:
    """Pillow writes a text as ASCII; as bytes it stays as it is."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1")
    return value


def _bytes(tags):
    exif = Image.Exif()
    exif.update(tags)
    return exif.tobytes()
