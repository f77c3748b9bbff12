"""Images of every form, damaged in many ways: the right value, or one line with the file."""

import io
import json
import os
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from keras_gans.commands import results
from keras_gans.commands.detect import keep_large
from keras_gans.commands.overlay import draw_overlay
from keras_gans.commands.pieces import overlapping
from keras_gans.commands.white_balance import estimate_file
from keras_gans.data import images, pixels, spaces, tiff
from keras_gans.data.encoding import Encoding
from keras_gans.data.metadata import read_metadata
from keras_gans.data.photo import Photo, open_photo
from keras_gans.data.pixels import Pixels
from keras_gans.data.squares import read_levels
from keras_gans.data.write import write_image
from keras_gans.dscnn.strip import draw_strip
from keras_gans.errors import InputError, printable
from keras_gans.okdgan.cutting import _cut
from keras_gans.report.tables import show

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (12, 17, 3), dtype=np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
READERS = (
    images.read_photo, images.read_linear, images.read_grey_or_rgb, images.photo_size,
    read_levels, read_metadata,
)  # fmt: skip


def read_or_refuse(reader, path):
    """What a reader gives, or its one line."""
    try:
        return reader(path)
    except InputError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in printable(message)
        assert len(message) < len(str(path)) + 260
        return message


def pack(values, bits):
    """Integers (H, W, C) packed by the book (TIFF 6.0): rows start at whole bytes."""
    rows = values.reshape(len(values), -1)
    places = np.arange(bits)[::-1]
    return b"".join(np.packbits(row[:, None] >> places & 1).tobytes() for row in rows)


def write_tiff(path, data, tags, big=False, order="<"):
    """A TIFF of one strip with any tags: {number: (type, values)}."""
    code, width = ("Q", 8) if big else ("I", 4)
    letters = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}
    start = (16 if big else 8) + (8 if big else 2) + len(tags) * (20 if big else 12) + width
    tags = {**tags, 273: (16 if big else 4, [0]), 279: (4, [len(data)])}
    start += (20 if big else 12) * 2
    extra, entries = b"", b""
    place = start + sum(
        len(v) * struct.calcsize(letters[t]) for t, v in tags.values()
        if len(v) * struct.calcsize(letters[t]) > width
    )  # fmt: skip
    tags[273] = (tags[273][0], [place])
    for number, (kind, values) in sorted(tags.items()):
        body = struct.pack(f"{order}{len(values)}{letters[kind]}", *values)
        if len(body) > width:
            body, extra = struct.pack(order + code, start + len(extra)), extra + body
        entries += struct.pack(f"{order}HH{code}", number, kind, len(values))
        entries += body.ljust(width, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    head += struct.pack(order + ("Q" if big else "H"), len(tags))
    path.write_bytes(head + entries + bytes(width) + extra + data)
    return path


def rgb_tags(bits=16, photometric=2, samples=3, **more):
    tags = {
        256: (4, [17]), 257: (4, [12]), 258: (3, [bits] * samples), 259: (3, [1]),
        262: (3, [photometric]), 277: (3, [samples]), 278: (4, [12]),
    }  # fmt: skip
    return tags | {int(key[1:]): value for key, value in more.items()}


# The right value ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_both_byte_orders_and_sizes(tmp_path, order, big):
    path = write_tiff(
        tmp_path / "a.tif", DEEP.astype(order + "u2").tobytes(), rgb_tags(), big, order
    )
    np.testing.assert_array_equal(images.read_linear(path), DEEP / np.float32(65535))
    path = write_tiff(tmp_path / "b.tif", FLAT.tobytes(), rgb_tags(8), big, order)
    np.testing.assert_array_equal(read_levels(path), FLAT)


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15])
def test_odd_depths_are_scaled_by_their_own_maximum(tmp_path, monkeypatch, bits):
    values = DEEP >> (16 - bits)
    values[0, 0] = 2**bits - 1
    path = write_tiff(tmp_path / "a.tif", pack(values, bits), rgb_tags(bits))
    assert images.bit_depth(path) == 16
    message = read_or_refuse(images.read_linear, path)
    if not isinstance(message, str):  # imagecodecs is installed
        np.testing.assert_allclose(message, values / (2**bits - 1), rtol=1e-6)
        return
    assert f"{bits} bits a channel" in message and "pip install imagecodecs" in message
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: values.reshape(page.shape))
    read = images.read_linear(path)
    np.testing.assert_allclose(read, values / (2**bits - 1), rtol=1e-6)
    assert read.max() == 1


@pytest.mark.parametrize("code, name", [(5, "LZW"), (50000, "ZSTD"), (32773, "PACKBITS")])
@pytest.mark.parametrize("bits", [16, 32])
def test_a_compression_is_named(tmp_path, code, name, bits):
    tags = rgb_tags(bits, t339=(3, [3] * 3 if bits == 32 else [1] * 3))
    tags[259] = 3, [code]
    path = write_tiff(tmp_path / "a.tif", b"\x80\0\0" * 9, tags)
    message = read_or_refuse(images.read_linear, path)
    assert isinstance(message, str)
    if "damaged" not in message:  # imagecodecs is not installed
        assert f"{name} compression" in message and "pip install imagecodecs" in message


def test_webp_in_a_tiff_is_named_in_one_line(tmp_path, capfd):
    path = write_tiff(tmp_path / "a.tif", b"RIFF" * 9, rgb_tags(8, t259=(3, [50001])))
    message = read_or_refuse(read_levels, path)
    if "damaged" not in message:  # imagecodecs is not installed
        assert "a TIFF with WEBP compression needs a codec" in message
        assert message.endswith("or save it uncompressed")
    assert capfd.readouterr().err == ""  # libtiff says nothing


@pytest.mark.parametrize("kind", ["minisblack", "miniswhite", "rgb"])
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u4", "u8", "c8"])
def test_samples_of_other_types_are_refused(tmp_path, dtype, kind):
    path, shape = tmp_path / "a.tif", (12, 17, 3) if kind == "rgb" else (12, 17)
    tifffile.imwrite(path, np.ones(shape, dtype), photometric=kind)
    words = "8 signed bits" if dtype == "i1" else f"a TIFF of {np.dtype(dtype).name}"
    for reader in (read_levels, open_photo, images.read_grey_or_rgb):
        message = read_or_refuse(reader, path)
        assert words in message or "8 are expected" in message


def test_planes_that_alpha_has_multiplied(tmp_path):
    planes = np.full((4, 12, 17), 60, np.uint8)
    planes[3] = 120
    options = {"extrasamples": ["assocalpha"], "planarconfig": "separate"}
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", **options)
    assert np.abs(read_levels(tmp_path / "a.tif") - 127.5).max() <= 0.5


@pytest.mark.parametrize("alpha", [0, 1, 2])
@pytest.mark.parametrize("samples", [2, 4])
def test_alpha_of_every_kind_is_dropped(tmp_path, alpha, samples):
    values = np.full((12, 17, samples), 60, np.uint8)
    values[..., -1] = 120 if alpha == 1 else 7  # premultiplied: 60 of 120 is 127 or 128
    tags = rgb_tags(8, 2 if samples == 4 else 1, samples, t338=(3, [alpha]))
    path = write_tiff(tmp_path / "a.tif", values.tobytes(), tags)
    expected = 127.5 if alpha == 1 else 60
    assert np.abs(read_levels(path) - expected).max() <= 0.5
    message = read_or_refuse(images.read_grey_or_rgb, path)
    if isinstance(message, str):
        assert "alpha" in message


@pytest.mark.parametrize("dtype", [np.uint16, np.float16, np.float32])
@pytest.mark.parametrize("samples", [2, 4])
def test_what_alpha_has_multiplied_is_divided(tmp_path, dtype, samples):
    top = 65535 if dtype == np.uint16 else 1
    values = np.full((12, 17, samples), 0.25 * top, dtype)
    values[..., -1] = 0.5 * top
    values[0], values[1, :, -1] = 0, 0.125 * top  # transparent; a colour above its alpha
    kind = "rgb" if samples == 4 else "minisblack"
    for alpha, expected in (("assocalpha", 0.5), ("unassalpha", 0.25)):
        path = tmp_path / f"{alpha}.tif"
        options = {"extrasamples": [alpha], "planarconfig": "contig"}
        tifffile.imwrite(path, values, photometric=kind, **options)
        read = open_photo(path).pixels / top
        assert read.shape[2] == samples - 1 and (read[0] == 0).all()
        np.testing.assert_allclose(read[2:], expected, atol=1e-4)
        np.testing.assert_allclose(read[1], 1 if alpha == "assocalpha" else 0.25, atol=1e-4)
    values[5, 5] = 3 * top if top == 1 else 0
    tifffile.imwrite(path, values, photometric=kind, extrasamples=["assocalpha"])
    assert top > 1 or "values up to 3" in read_or_refuse(open_photo, path)


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("name", ["a.tif", "f.tif", "d.png", "p.png", "p.tif", "p.jpg"])
def test_every_orientation_comes_out_upright(tmp_path, number, name):
    exif, path = Image.Exif(), tmp_path / name
    exif[274] = number
    stored = np.zeros((8, 16, 3), np.uint8)
    stored[:, :8], stored[:4, :8] = 90, 250
    if name[0] in "af":
        values = stored * np.uint16(257) if name[0] == "a" else stored / np.float32(255)
        extra = [(274, "H", 1, number, True)]
        tifffile.imwrite(path, values, photometric="rgb", extratags=extra)
    elif name[0] == "d":
        write_image(path, stored * np.uint16(257), exif=exif.tobytes())
    else:
        Image.fromarray(stored).save(
            path, exif=exif, **({"quality": 100} if "j" in name else {})
        )
    picture = Image.fromarray(stored)
    if number > 1:
        picture = picture.transpose(images.UPRIGHT[number])
    read = images.read_photo(path)[0]
    expected = np.asarray(picture)
    assert read.shape == expected.shape
    if name[0] == "p":
        assert np.abs(read_levels(path).astype(int) - expected).max() <= 3
    else:
        np.testing.assert_allclose(read, expected / 255, atol=1e-6)
    # crops are cut from what is stored, and turned after that; TIFF is stored upright
    [crop] = _cut(path, [(0, 0, 8)], 8)
    assert crop.shape == (8, 8, 3)
    cut = expected[:8, :8] if name.endswith("tif") else stored[:8, :8]
    if not name.endswith("tif") and number > 1:
        cut = np.asarray(Image.fromarray(cut).transpose(images.UPRIGHT[number]))
    linear = name[0] != "p"
    levels = np.array([0, 90, 250])
    shown = (
        np.rint(255 * (1.055 * (levels / 255) ** (1 / 2.4) - 0.055)).clip(0)
        if linear
        else levels
    )
    assert np.abs(crop - shown[np.searchsorted(levels, cut)]).max() <= 3


def test_the_first_of_several_pages_is_read_and_told(tmp_path, capsys):
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, np.stack([DEEP, DEEP // 2, DEEP // 3]), photometric="rgb")
    np.testing.assert_array_equal(images.read_linear(path), DEEP / np.float32(65535))
    assert capsys.readouterr().err == f"{path}: page 1 of 3 is read\n"
    first = Image.fromarray(FLAT)
    first.save(path, save_all=True, append_images=[first, first])
    tiff.tell_first.cache_clear()
    np.testing.assert_array_equal(read_levels(path), FLAT)
    assert "page 1 of 3 is read" in capsys.readouterr().err


def test_the_first_frame_of_an_animated_png_is_read_and_told(tmp_path, capsys):
    path, frames = tmp_path / "a.png", [Image.fromarray(FLAT // n) for n in (1, 2, 3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    for reader in (
        read_levels,
        images.read_grey_or_rgb,
        lambda path: open_photo(path).pixels[:],
    ):
        tiff.tell_first.cache_clear()
        np.testing.assert_array_equal(reader(path), FLAT)
        assert capsys.readouterr().err == f"{path}: frame 1 of 3 is read\n"


def test_a_thumbnail_is_no_page(tmp_path, capsys):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(DEEP, photometric="rgb")
        file.write(DEEP[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(
        images.read_linear(tmp_path / "a.tif"), DEEP / np.float32(65535)
    )
    assert capsys.readouterr().err == ""


def test_float_crops_for_training(tmp_path):
    path = tmp_path / "half.tif"
    tifffile.imwrite(path, np.full((12, 17, 3), 0.5, np.float32), photometric="rgb")
    assert images.photo_size(path) == (17, 12)
    [crop] = _cut(path, [(2, 1, 8)], 4)
    assert (crop == 188).all()  # 0.5 in sRGB


# Metadata -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p.jpg", "p.png", "p.tif", "d.png", "d.tif"])
def test_what_describes_a_picture_survives(tmp_path, kind):
    exif = Image.Exif()
    exif.update({274: 6, 271: "Maker", 315: b"Jos\xe9", 306: "2024:05:06 07:08:09"})
    exif.update({282: 300.0, 283: 300.0, 296: 2, 33432: "c 2024"})
    exif[0x8769] = {0x829A: 0.01, 0x9003: "2024:05:06 07:08:09"}
    exif[0x8825] = {1: "N", 2: (48.0, 7.0, 30.0)}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    path, again = tmp_path / kind, tmp_path / f"again-{kind}"
    values = FLAT if kind[0] == "p" else DEEP
    given = {"exif": exif.tobytes(), "icc_profile": PROFILE, "xmp": xmp}
    if not kind.endswith("tif"):
        given["dpi"] = (300, 300)
    write_image(path, values, **given)
    found = read_metadata(path)
    write_image(again, values, **found)
    assert read_metadata(again) == found
    assert found["icc_profile"] == PROFILE
    assert found["xmp"] == xmp.replace(b'"6"', b'"1"')
    kept = Image.Exif()
    kept.load(found["exif"])
    assert kept[271] == "Maker" and kept[315] == "Jos\xe9" and 274 not in kept
    assert kept[282] == 300 and kept[296] == 2
    assert kept.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)
    assert kept.get_ifd(0x8825)[2] == (48, 7, 30)
    if kind.endswith("tif"):
        with tifffile.TiffFile(again) as file:
            page = file.pages[0]
            assert page.tags["Artist"].value.startswith("Jos")
            assert page.tags["XResolution"].value == (300, 1)
            np.testing.assert_array_equal(page.asarray(), values)
    else:
        assert found["dpi"] == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_both_byte_orders_and_sizes_keeps_what_describes_it(tmp_path, order, big):
    path = tmp_path / "a.tif"
    tags = [(315, 2, 0, "Jim", True), (700, 1, 10, b"<x:xmpmeta", True)]
    options = {"resolution": (300, 150), "resolutionunit": "INCH", "iccprofile": PROFILE}
    options |= {"byteorder": order, "bigtiff": big, "extratags": tags}
    tifffile.imwrite(path, FLAT, photometric="rgb", **options)
    found, exif = read_metadata(path), Image.Exif()
    exif.load(found["exif"])
    assert dict(exif).items() >= {315: "Jim", 282: 300, 283: 150, 296: 2}.items()
    assert (found["icc_profile"], found["xmp"]) == (PROFILE, b"<x:xmpmeta")
    photo = open_photo(path)
    assert photo.encoding.told == "its profile" and photo.encoding.notes == ()
    tags = rgb_tags(8, t34665=(16, [16]) if big else (4, [8]))
    write_tiff(path, FLAT.tobytes(), tags, big, order)
    lost = ("EXIF of a big-endian BigTIFF is not kept",) if big and order == ">" else ()
    assert open_photo(path).encoding.notes == lost


@pytest.mark.parametrize("kind", ["p.jpg", "p.png", "d.png", "p.tif", "d.tif"])
@pytest.mark.parametrize("number", [3, 6])
def test_width_and_height_change_places_with_the_pixels(tmp_path, kind, number):
    exif, path = Image.Exif(), tmp_path / kind
    exif.update({274: number, 282: 300.0, 283: 150.0, 296: 2})
    exif[0x8769] = {40962: 17, 40963: 12}
    xmp = b'<x:xmpmeta exif:PixelXDimension="17" exif:PixelYDimension="12"/>'
    if kind.endswith("tif"):
        image = Image.fromarray(FLAT if kind[0] == "p" else DEEP[..., 0])
        exif[700] = xmp
        image.save(path, exif=exif.tobytes())
    else:
        values = FLAT if kind[0] == "p" else DEEP
        write_image(path, values, exif=exif.tobytes(), xmp=xmp, dpi=(300, 150))
    photo = open_photo(path)
    photo.write(tmp_path / f"b{path.suffix}", np.ones(3))
    found, kept = read_metadata(tmp_path / f"b{path.suffix}"), Image.Exif()
    kept.load(found["exif"])
    sizes = kept.get_ifd(0x8769)
    assert (sizes[40962], sizes[40963]) == photo.size
    resolution = (300, 150) if number == 3 else (150, 300)
    assert (kept[282], kept[283]) == resolution
    assert found.get("dpi", resolution) == pytest.approx(resolution, abs=0.02)
    for name in zip((b"X", b"Y"), photo.size):
        assert b'exif:Pixel%sDimension="%d"' % name in found["xmp"]


def test_the_comment_of_a_jpeg_survives(tmp_path):
    Image.fromarray(FLAT).save(tmp_path / "a.jpg", comment=b"Jos\xe9 was here")
    open_photo(tmp_path / "a.jpg").write(tmp_path / "b.jpg", np.ones(3))
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.info["comment"] == b"Jos\xe9 was here"


def test_texts_of_a_png_survive(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Jos\xe9")
    texts.add_itxt("Title", "\u8868")
    Image.fromarray(FLAT).save(tmp_path / "a.png", pnginfo=texts)
    for values in (FLAT, DEEP):
        write_image(tmp_path / "b.png", values, **read_metadata(tmp_path / "a.png"))
        assert read_metadata(tmp_path / "b.png")["text"] == {
            "Author": "Jos\xe9",
            "Title": "\u8868",
        }


def exif_of(*entries, count=None):
    """EXIF with entries (tag, type, count, four bytes)."""
    body = struct.pack("<H", len(entries) if count is None else count)
    body += b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + body + bytes(4)


BAD_EXIF = {
    "resolution that is text": exif_of((282, 2, 4, b"abc\0")),
    "resolution of no value": exif_of((282, 5, 0, b"\0" * 4)),
    "resolution outside": exif_of((282, 5, 1, b"\xff\xff\xff\x7f")),
    "orientation that is text": exif_of((274, 2, 4, b"abc\0")),
    "orientation 0": exif_of((274, 3, 1, b"\0\0\0\0")),
    "orientation 9": exif_of((274, 3, 1, b"\x09\0\0\0")),
    "two orientations": exif_of((274, 3, 2, b"\x01\0\x08\0")),
    "unknown type": exif_of((274, 99, 1, b"\x06\0\0\0")),
    "huge count": exif_of((270, 2, 2**32 - 1, b"\x08\0\0\0")),
    "more entries than there are": exif_of((274, 3, 1, b"\x01\0\0\0"), count=65535),
    "EXIF outside": exif_of((0x8769, 4, 1, b"\xff\xff\xff\xff")),
    "EXIF in itself": exif_of((0x8769, 4, 1, b"\x08\0\0\0")),
    "EXIF that is text": exif_of((0x8769, 2, 4, b"abc\0")),
    "GPS outside": exif_of((0x8825, 4, 1, b"\xff\xff\xff\x7f")),
    "maker's note": exif_of((0x927C, 7, 4, b"\0\1\2\3")),
    "no header": b"Exif\0\0garbage",
    "nothing": b"Exif\0\0",
    "half a header": b"Exif\0\0II*\0",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_EXIF)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "d.png"])
def test_broken_exif_is_left_out(tmp_path, what, name):
    path, again = tmp_path / name, tmp_path / f"again-{name}"
    bare, values = tmp_path / f"bare-{name}", DEEP if name[0] == "d" else FLAT
    write_image(bare, values)
    write_image(path, values, exif=BAD_EXIF[what])
    expected = images.read_photo(bare)[0]
    np.testing.assert_array_equal(images.read_photo(path)[0], expected)
    if name[0] != "d":
        images.read_grey_or_rgb(path)
    write_image(again, values, **read_metadata(path))
    np.testing.assert_array_equal(images.read_photo(again)[0], expected)
    [_] = _cut(path, [(0, 0, 8)], 4)


@pytest.mark.parametrize("seed", range(30))
def test_exif_with_wrong_bytes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    exif = Image.Exif()
    exif.update({271: "Maker", 282: 300.0, 296: 2, 306: "2024:05:06 07:08:09"})
    exif[0x8769], exif[0x8825] = {0x829A: 0.01}, {1: "N", 2: (48.0, 7.0, 30.0)}
    broken = bytearray(exif.tobytes())
    for place in rng.integers(6, len(broken), 5):
        broken[place] = rng.integers(256)
    for name in ("a.jpg", "a.png"):
        path = tmp_path / name
        Image.fromarray(FLAT).save(path, exif=bytes(broken))
        assert images.read_photo(path)[0].size == FLAT.size
        write_image(tmp_path / f"again-{name}", FLAT, **read_metadata(path))


# Bad files ----------------------------------------------------------------------------------


def samples(folder):
    """One small file of every kind."""
    made = {}
    for name in ("a.jpg", "a.png", "a.tif", "a.bmp"):
        Image.fromarray(FLAT).save(folder / name)
        made[name] = folder / name
    for name in ("d.png", "d.tif"):
        write_image(folder / name, DEEP, icc_profile=PROFILE)
        made[name] = folder / name
    made["f.tif"] = folder / "f.tif"
    tifffile.imwrite(
        made["f.tif"], DEEP / np.float32(65535), photometric="rgb", compression="zlib"
    )
    return made


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "name", ["a.jpg", "a.png", "a.tif", "a.bmp", "d.png", "d.tif", "f.tif"]
)
def test_files_with_wrong_bytes(tmp_path, name, seed):
    path = samples(tmp_path)[name]
    rng, content = np.random.default_rng(seed), bytearray(path.read_bytes())
    if seed % 3 == 0:
        content = content[: rng.integers(len(content))]
    for place in rng.integers(0, len(content), 1 + seed % 4):
        content[place] ^= 1 << rng.integers(8)
    path.write_bytes(content)
    for reader in READERS:
        read_or_refuse(reader, path)


@pytest.mark.parametrize("photometric", [0, 3, 4, 5, 6, 8, 10, 32803, 34892, 65535])
@pytest.mark.parametrize("bits", [8, 16])
def test_odd_photometric(tmp_path, photometric, bits):
    values = FLAT if bits == 8 else DEEP
    tags = rgb_tags(bits, photometric)
    path = write_tiff(tmp_path / "a.tif", values.tobytes(), tags)
    for reader in READERS:
        read_or_refuse(reader, path)
    if photometric == 34892 and bits == 16:  # linear raw
        assert images.read_linear(path).shape == (12, 17, 3)


@pytest.mark.parametrize("tag", [256, 257, 258, 259, 262, 277, 278, 284, 339])
@pytest.mark.parametrize("value", [0, 7, 65535])
def test_tags_that_cannot_be(tmp_path, tag, value):
    for bits in (8, 16):
        tags = rgb_tags(bits)
        tags[tag] = 3, [value]
        path = write_tiff(tmp_path / f"{bits}.tif", DEEP.tobytes(), tags)
        for reader in READERS:
            read_or_refuse(reader, path)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "d.tif"])
def test_a_header_of_too_many_pixels_is_too_large(tmp_path, name):
    path = tmp_path / name
    if name == "a.png":
        Image.fromarray(FLAT).save(path)
        content = path.read_bytes()
        header = b"IHDR" + struct.pack(">II", 2**30, 2**30) + content[24:29]
        crc = struct.pack(">I", zlib.crc32(header))
        path.write_bytes(content[:12] + header + crc + content[33:])
    else:
        tags = rgb_tags(8 if name == "a.tif" else 16) | {256: (4, [2**30]), 257: (4, [2**30])}
        write_tiff(path, DEEP.tobytes(), tags)
    for reader in (images.read_photo, images.photo_size, read_metadata):
        assert "too large" in read_or_refuse(reader, path)


def test_many_megapixels_are_no_damage(tmp_path, monkeypatch):
    # Pillow's own limit is 179 megapixels; a small file has them, too
    path = tmp_path / "wide.png"
    Image.new("1", (16320, 12240), 1).save(path)
    assert images.photo_size(path) == (16320, 12240)
    Image.new("1", (40, 30), 1).save(path)
    monkeypatch.setattr(pixels, "MAX_PIXELS", 1199)
    assert "40 x 30 pixels, too large" in read_or_refuse(images.read_photo, path)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (tmp_path / "d.png").symlink_to(tmp_path / "d.png")
    for name in "abcd":
        for reader in READERS:
            assert isinstance(read_or_refuse(reader, tmp_path / f"{name}.png"), str)


# Names --------------------------------------------------------------------------------------

NAMES = [
    os.fsdecode(b"caf\xe9.png"), "a\nb.png", "IMG [copy].png", "[bold]x.png", "$x_1$.png",
    "\x1b[31mred.png", "a\tb.png", "\u202egnp.png", "\u8868.png", "-.png", "a" * 231 + ".png",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_every_kind(tmp_path, capsys, monkeypatch, name):
    path = tmp_path / name
    write_image(path, FLAT)
    np.testing.assert_array_equal(read_levels(path), FLAT)
    show("", ("file",), [(name,)])
    shown = capsys.readouterr().out
    lines = [line for line in shown.splitlines() if line.strip()]
    if len(name) < 100:
        assert len(lines) == 3 and printable(name) in lines[2]  # heading, rule, name
    rows = [{"file": str(path)}]
    results.print_json(rows)
    assert json.loads(capsys.readouterr().out) == rows
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    results.print_json(rows)
    sys.stdout.seek(0)
    assert json.loads(sys.stdout.read()) == rows
    monkeypatch.undo()
    results.write_report(tmp_path / "report.csv", ["file"], rows)
    assert (tmp_path / "report.csv").read_bytes().decode().startswith("file\r\n")
    picture, light = FLAT / np.float32(255), np.full(3, 3**-0.5)
    lights = light, np.tile(light, (1, 1, 1)), (1, 1)
    draw_strip(name, "srgb", picture, picture, lights, np.ones(3))


def test_a_name_that_is_too_long_for_its_results_is_told_before(tmp_path):
    path = tmp_path / ("a" * 240 + ".png")
    with pytest.raises(InputError, match="too long for the results: rename it"):
        results.check_targets([path], [[tmp_path / "out" / path.name]])


# Memory -------------------------------------------------------------------------------------


class Fixed:
    """What finds nothing, in any picture."""

    patch_size, view, weights = 64, "whole", None

    @staticmethod
    def local_map(image):
        return np.full((image.shape[0] // 64, image.shape[1] // 64, 3), 0.577)


@pytest.mark.parametrize("space", [spaces.SRGB, spaces.of_curve("deeper", spaces.CODES**2)])
def test_little_memory_beside_the_picture(tmp_path, space):
    pixels = Pixels(Image.new("RGB", (4000, 3000), (150, 120, 90)))
    tracemalloc.start()
    photo = Photo(pixels, Encoding(space, "srgb", "the test"), {})
    estimate_file(tmp_path / "a.jpg", photo, Fixed())
    photo.write(tmp_path / "a.jpg", np.array([0.9, 1, 1.2]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6 < pixels.shape[0] * pixels.shape[1] * 12 / 3  # a float picture: 144 MB
    small = np.asarray(pixels.image.resize((4, 3)))
    assert (small == small[0, 0]).all() and small[0, 0, 0] < 150 and small[0, 0, 2] > 90


def test_little_memory_for_regions_and_overlays():
    mask = np.zeros((3000, 4000), bool)
    mask[::300, ::400] = True
    picture = Pixels(Image.new("RGB", (4000, 3000), (9, 9, 9)))
    tracemalloc.start()
    kept, boxes = keep_large(mask, 1)
    draw_overlay(picture, kept, picture)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(boxes) == 100 and (kept == mask).all()
    assert peak < 7 * mask.size
    np.testing.assert_array_equal(picture[300:301][0, 400], [83, 18, 18])


@pytest.mark.parametrize("size, step, margin", [(900, 60, 100), (1300, 48, 33), (301, 7, 1)])
def test_pieces_decide_on_every_pixel_once(size, step, margin):
    pieces = overlapping(size, 300, step, margin)
    assert [inner.start for _, inner in pieces] == [0, *(i.stop for _, i in pieces[:-1])]
    assert pieces[-1][1].stop == size
    for piece, inner in pieces:
        assert (piece.start % step, (size - (piece.stop - piece.start)) % step) == (0, 0)
        assert piece.start == 0 or inner.start >= piece.start + margin
        assert piece.stop == size or inner.stop <= piece.stop - margin
