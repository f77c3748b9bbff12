import json
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from keras_gans.data import images
from keras_gans.data.folders import list_images
from keras_gans.data.metadata import read_metadata
from keras_gans.data.squares import area_average
from keras_gans.data.srgb import linear_to_srgb, srgb_to_linear
from keras_gans.data.write import quantize, write_image, write_png
from keras_gans.errors import InputError

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)


def png16(path, array, colour_type):
    """A 16-bit PNG of any colour type, written by the book (PNG specification, 2003)."""
    height, width = array.shape[:2]
    rows = array.astype(">u2").reshape(height, -1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")):
        crc = struct.pack(">I", zlib.crc32(name + body))
        content += struct.pack(">I", len(body)) + name + body + crc
    path.write_bytes(content)
    return path


def fails(function, path, *words):
    with pytest.raises(InputError) as error:
        function(path)
    message = str(error.value)
    assert "\n" not in message and str(path) in message
    for word in words:
        assert word in message
    return message


def test_list_images_sorts_folders_and_knows_suffixes_in_any_case(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.Tiff", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    listed = list_images(tmp_path)
    assert [path.name for path in listed] == ["a.jpg", "b.PNG", "c.Tiff"]
    listed = list_images([tmp_path / "b.PNG", str(tmp_path)])
    assert [path.name for path in listed] == ["b.PNG", "a.jpg", "c.Tiff"]


def test_list_images_refuses(tmp_path):
    fails(list_images, tmp_path / "missing.png", "no such file")
    fails(list_images, tmp_path, "no images")
    (tmp_path / "notes.txt").write_text("x")
    fails(list_images, tmp_path / "notes.txt", "not an image")
    with pytest.raises(InputError, match="no image is given"):
        list_images([])


def test_16_bit_png_keeps_every_bit(tmp_path):
    path = png16(tmp_path / "deep.png", DEEP, 2)
    np.testing.assert_array_equal(images.read_png16(path), DEEP)
    linear = images.read_linear(path)
    assert linear.dtype == np.float32
    np.testing.assert_allclose(linear, DEEP / 65535, rtol=1e-6)
    assert images.bit_depth(path) == 16


def test_alpha_is_dropped_and_grey_refused(tmp_path):
    alpha = np.concatenate([DEEP, np.full_like(DEEP[..., :1], 7)], axis=-1)
    path = png16(tmp_path / "alpha.png", alpha, 6)
    np.testing.assert_array_equal(images.read_png16(path), DEEP)
    path = png16(tmp_path / "grey.png", DEEP[..., :1], 0)
    fails(images.read_linear, path, "grey", "16-bit linear RGB")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_linear_tiff(tmp_path, compression, planar):
    path = tmp_path / "deep.tif"
    array = DEEP if planar == "contig" else np.moveaxis(DEEP, -1, 0)
    tifffile.imwrite(
        path, array, photometric="rgb", planarconfig=planar, compression=compression
    )
    np.testing.assert_allclose(images.read_linear(path), DEEP / 65535, rtol=1e-6)


def test_float_tiff(tmp_path):
    path = tmp_path / "float.tif"
    array = (DEEP / 65535).astype(np.float32)
    array[0, 0] = -0.01
    tifffile.imwrite(path, array, photometric="rgb")
    np.testing.assert_allclose(images.read_linear(path), np.maximum(array, 0), rtol=1e-6)
    for bad, word in ((np.nan, "NaN"), (np.inf, "infinity"), (83.25, "83.25")):
        array[1, 1, 1] = bad
        tifffile.imwrite(path, array, photometric="rgb")
        fails(images.read_linear, path, word)


def test_tiff_that_is_not_linear_rgb(tmp_path):
    path = tmp_path / "other.tif"
    tifffile.imwrite(path, DEEP[..., 0], photometric="minisblack")
    fails(images.read_linear, path, "shape 20 x 30")
    tifffile.imwrite(path, DEEP.astype(np.uint32), photometric="rgb")
    fails(images.read_linear, path, "uint32")
    Image.fromarray(np.ones((4, 4), np.float32)).save(path, compression="tiff_lzw")
    fails(images.read_linear, path, "uncompressed")


def test_8_bits_where_linear_is_expected(tmp_path):
    for name in ("a.png", "a.jpg", "a.tif"):
        write_image(tmp_path / name, FLAT)
        fails(images.read_linear, tmp_path / name, "8", "16-bit linear RGB")
    fails(images.read_png16, tmp_path / "a.jpg", "16-bit RGB PNG is expected")


def test_16_bits_where_srgb_is_expected(tmp_path):
    fails(images.read_srgb, png16(tmp_path / "deep.png", DEEP, 2), "8-bit sRGB")


def test_read_photo_tells_the_kind_by_depth_not_name(tmp_path):
    png16(tmp_path / "deep.jpg", DEEP, 2)
    write_image(tmp_path / "flat.png", FLAT)
    image, kind = images.read_photo(tmp_path / "deep.jpg")
    assert kind == "linear"
    np.testing.assert_allclose(image, DEEP / 65535, rtol=1e-6)
    image, kind = images.read_photo(tmp_path / "flat.png")
    assert kind == "srgb" and image.dtype == np.float32
    np.testing.assert_allclose(image, srgb_to_linear(FLAT / 255), rtol=1e-6)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK"])
def test_srgb_of_every_mode_has_three_channels(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    source = Image.fromarray(np.full((5, 7, 3), 255, np.uint8)).convert(mode)
    source.save(path)
    np.testing.assert_array_equal(images.read_srgb(path), np.ones((5, 7, 3)))


def test_alpha_of_a_transparent_pixel_does_not_darken_it(tmp_path):
    Image.new("RGBA", (2, 2), (255, 0, 255, 0)).save(tmp_path / "a.png")
    assert images.read_srgb(tmp_path / "a.png")[0, 0].tolist() == [1, 0, 1]


def test_exif_orientation_is_applied_once(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"  # turn by 90 degrees; a name
    image = Image.new("RGB", (16, 8), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 8, 8))  # left half white: the top, when turned
    image.save(tmp_path / "a.jpg", exif=exif, icc_profile=PROFILE)
    linear = images.read_srgb(tmp_path / "a.jpg")
    assert linear.shape == (16, 8, 3)
    assert linear[:8].min() > 0.9 and linear[8:].max() < 0.1

    metadata = read_metadata(tmp_path / "a.jpg")
    write_image(tmp_path / "b.jpg", FLAT, **metadata)
    with Image.open(tmp_path / "b.jpg") as written:
        assert dict(written.getexif()) == {0x010F: "Maker"}
        assert written.info["icc_profile"] == PROFILE


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png", "deep.tif"])
@pytest.mark.parametrize("part", [0.2, 0.6, 0.95])
def test_truncated_files(tmp_path, name, part):
    path = tmp_path / name
    write_image(path, DEEP if name.startswith("deep") else FLAT)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    fails(images.read_photo, path, "truncated or damaged")


def test_flipped_bits_in_a_png(tmp_path):
    for array in (DEEP, FLAT):
        path = tmp_path / "a.png"
        write_png(path, array)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        fails(images.read_photo, path, "truncated or damaged PNG")


def test_not_an_image(tmp_path):
    path = tmp_path / "a.png"
    path.write_text(json.dumps({}))
    fails(images.read_photo, path, "JPEG, PNG or TIFF is expected")
    path.write_bytes(b"")
    fails(images.read_photo, path, "an empty file")
    fails(images.read_photo, tmp_path / "missing.png", "No such file")
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    fails(images.read_photo, path, "truncated or damaged PNG")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_grey_or_rgb_keeps_every_value(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(FLAT).save(path)
    image = images.read_grey_or_rgb(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, FLAT)
    Image.fromarray(FLAT[..., 0]).save(path)
    np.testing.assert_array_equal(images.read_grey_or_rgb(path), FLAT[..., :1])


def test_three_equal_channels_are_grey(tmp_path):
    grey = FLAT[..., :1].repeat(3, -1)
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.read_grey_or_rgb(tmp_path / "a.png"), grey[..., :1])
    Image.fromarray(grey).save(tmp_path / "a.jpg")
    assert images.read_grey_or_rgb(tmp_path / "a.jpg").shape == (20, 30, 1)
    grey[3, 4, 2] ^= 1
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.read_grey_or_rgb(tmp_path / "a.png"), grey)


def test_palette_and_black_and_white(tmp_path):
    picture = Image.new("P", (5, 4), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30, 40, 40, 40])
    picture.save(tmp_path / "a.png")
    expected = np.broadcast_to(np.array([10, 20, 30], np.uint8), (4, 5, 3))
    np.testing.assert_array_equal(images.read_grey_or_rgb(tmp_path / "a.png"), expected)
    Image.new("1", (5, 4), 1).save(tmp_path / "b.png")
    expected = np.full((4, 5, 1), 255)
    np.testing.assert_array_equal(images.read_grey_or_rgb(tmp_path / "b.png"), expected)


def test_grey_or_rgb_is_turned_as_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("L", (16, 8), 0)
    image.paste(255, (0, 0, 8, 8))
    image.save(tmp_path / "a.jpg", exif=exif)
    turned = images.read_grey_or_rgb(tmp_path / "a.jpg")
    assert turned.shape == (16, 8, 1) and turned[:8].min() > 250 and turned[8:].max() < 5


def test_grey_or_rgb_with_exif_that_cannot_be_read(tmp_path):
    Image.fromarray(FLAT).save(tmp_path / "a.png", exif=b"Exif\0\0garbage")
    np.testing.assert_array_equal(images.read_grey_or_rgb(tmp_path / "a.png"), FLAT)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_grey_or_rgb_refuses_alpha(tmp_path, mode):
    Image.fromarray(FLAT).convert(mode).save(tmp_path / "a.png")
    fails(images.read_grey_or_rgb, tmp_path / "a.png", "alpha channel: save it without")
    for mode, key in (("L", 0), ("P", 0), ("RGB", (0, 0, 0))):  # one value is transparent
        Image.fromarray(FLAT).convert(mode).save(tmp_path / "a.png", transparency=key)
        fails(images.read_grey_or_rgb, tmp_path / "a.png", "alpha channel: save it without")


def test_grey_or_rgb_refuses_what_is_deeper_or_of_another_space(tmp_path):
    for channels, colour_type in ((1, 0), (3, 2)):
        path = png16(tmp_path / "a.png", DEEP[..., :channels], colour_type)
        fails(images.read_grey_or_rgb, path, "16 bits a channel", "convert it to 8 bits")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb")
    fails(images.read_grey_or_rgb, tmp_path / "a.tif", "16 bits a channel")
    tifffile.imwrite(tmp_path / "a.tif", DEEP[..., 0] / np.float32(65535))
    fails(images.read_grey_or_rgb, tmp_path / "a.tif", "32 bits a channel")
    Image.fromarray(FLAT).convert("CMYK").save(tmp_path / "a.jpg")
    fails(images.read_grey_or_rgb, tmp_path / "a.jpg", "CMYK", "save it as RGB")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp"])
@pytest.mark.parametrize("part", [0.02, 0.2, 0.6, 0.95])
def test_grey_or_rgb_truncated(tmp_path, name, part):
    path = tmp_path / name
    Image.fromarray(FLAT).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    fails(images.read_grey_or_rgb, path, "truncated or damaged")


def test_only_grey_or_rgb_takes_bmp(tmp_path):
    Image.fromarray(FLAT).save(tmp_path / "a.bmp")
    fails(images.read_photo, tmp_path / "a.bmp", "a JPEG, PNG or TIFF is expected")
    (tmp_path / "a.bmp").write_text("text")
    fails(images.read_grey_or_rgb, tmp_path / "a.bmp", "JPEG, PNG, TIFF or BMP is expected")
    fails(images.read_grey_or_rgb, tmp_path / "missing.png", "No such file")


def test_srgb_curve():
    # IEC 61966-2-1: 12.92 below the knee; 128/255 is 0.2158605 in linear light
    assert srgb_to_linear(0.04045) == pytest.approx(0.04045 / 12.92)
    assert srgb_to_linear(128 / 255) == pytest.approx(0.2158605, abs=1e-6)
    assert linear_to_srgb(0.0031308) == pytest.approx(0.0031308 * 12.92)
    assert linear_to_srgb(0.2158605) == pytest.approx(128 / 255, abs=1e-6)
    np.testing.assert_array_equal(linear_to_srgb(np.array([-1.0, 2.0])), [0, 1])
    np.testing.assert_array_equal(srgb_to_linear(np.array([-1.0, 2.0])), [0, 1])
    levels = np.arange(256)
    again = linear_to_srgb(srgb_to_linear(levels / 255))
    np.testing.assert_array_equal(quantize(again, np.uint8), levels)


def test_quantize():
    values = np.array([-1, 0, 0.5, 1, 2])
    assert quantize(values, np.uint16).tolist() == [0, 0, 32768, 65535, 65535]
    assert quantize(values, np.uint8).tolist() == [0, 0, 128, 255, 255]
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="cannot be written"):
            quantize(np.array([bad]), np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF"])
@pytest.mark.parametrize("array", [DEEP, FLAT], ids=["uint16", "uint8"])
def test_written_images_read_back(tmp_path, name, array):
    write_image(tmp_path / name, array)
    image, _ = images.read_photo(tmp_path / name)
    encoded = linear_to_srgb(image) if array is FLAT else image
    np.testing.assert_array_equal(quantize(encoded, array.dtype), array)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_jpeg_is_close(tmp_path):
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 4, (64, 64, 3))
    write_image(tmp_path / "a.jpg", smooth)
    with Image.open(tmp_path / "a.jpg") as written:
        assert np.abs(np.asarray(written).astype(int) - smooth).max() <= 3


def test_only_integers_of_three_channels_are_written(tmp_path):
    for bad in (FLAT / 255, FLAT[..., 0], FLAT.astype(np.int32)):
        with pytest.raises(ValueError, match="uint8"):
            write_image(tmp_path / "a.png", bad)
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.jpg", DEEP)
    with pytest.raises(ValueError, match=".gif"):
        write_image(tmp_path / "a.gif", FLAT)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    write_image(path, FLAT)
    before = path.read_bytes()

    def half(self, file, **kwargs):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    fails(lambda p: write_image(p, 255 - FLAT), path, "No space left")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.jpg"]


def test_writing_where_it_cannot_be(tmp_path):
    path = tmp_path / "missing" / "a.png"
    fails(lambda p: write_png(p, FLAT), path, "cannot be written")


def test_area_average():
    image = np.random.default_rng(0).uniform(size=(12, 20, 3)).astype(np.float32)
    blocks = image.reshape(4, 3, 5, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(area_average(image, 4, 5), blocks, atol=1e-6)
    np.testing.assert_allclose(area_average(image, 12, 20), image, atol=1e-6)
    # 3 pixels into 2: the middle one is shared
    row = np.array([1.0, 2.0, 6.0], np.float32)[None, :, None].repeat(3, -1)
    expected = [[(1 + 2 / 2) / 1.5] * 3, [(2 / 2 + 6) / 1.5] * 3]
    np.testing.assert_allclose(area_average(row, 1, 2)[0], expected, rtol=1e-6)


def test_profile_of_another_colour_space_is_dropped(tmp_path):
    grey_profile = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    Image.new("L", (8, 8), 90).save(tmp_path / "grey.jpg", icc_profile=grey_profile)
    assert "icc_profile" not in read_metadata(tmp_path / "grey.jpg")


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_zeros_in_the_place_of_the_end(tmp_path, suffix, share, fill):
    """As of an interrupted copy; Pillow decodes it all the same."""
    path = tmp_path / f"a{suffix}"
    smooth = np.asarray(Image.fromarray(FLAT).resize((300, 200)))
    write_image(path, smooth)
    content = path.read_bytes()
    cut = int(len(content) * share)
    path.write_bytes(content[:cut] + fill * (len(content) - cut))
    for read in (images.read_srgb, images.open_stored, images.read_grey_or_rgb):
        fails(read, path, "truncated or damaged")
    path.write_bytes(content + b"\0" * 5000)  # a disk's last block
    assert images.read_srgb(path).shape == (200, 300, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_zeros_in_the_place_of_the_end_of_16_bits(tmp_path, channels):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((200, 300, channels), np.uint16) + DEEP[:1, :1, :channels])
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(len(content) - 60))
    fails(images.open_stored, path, "truncated or damaged")


def test_a_jpeg_with_a_film_behind_it(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(FLAT).save(path, progressive=True, restart_marker_rows=1)
    film = np.random.default_rng(0).bytes(50_000).replace(b"\xff\xd9", b"")
    path.write_bytes(path.read_bytes() + film + b"\xff\xda" + bytes(9))
    assert images.read_srgb(path).shape == (20, 30, 3)


@pytest.mark.parametrize(
    "name", ["dpi", "icc_profile", "transparency", "xmp", "interlace", "bbox", "exif", "gamma"]
)
@pytest.mark.parametrize("late", [False, True])
def test_a_text_called_as_what_pillow_knows(tmp_path, name, late):
    path = tmp_path / "a.png"
    write_image(path, FLAT)
    content = path.read_bytes()
    body = b"tEXt" + name.encode() + b"\0(300, 300)"
    text = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    place = len(content) - 12 if late else 33
    path.write_bytes(content[:place] + text + content[place:])
    np.testing.assert_array_equal(images.read_grey_or_rgb(path), FLAT)
    found = read_metadata(path)
    assert set(found) <= {"text"}
    write_image(tmp_path / "b.png", FLAT, **found)
    assert images.read_srgb(tmp_path / "b.png").shape == (20, 30, 3)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("tag", [(2, 0, "<x/>"), (4, 2, (70000, 3)), (11, 1, 0.5)])
def test_xmp_of_an_odd_type(tmp_path, depth, tag):
    path, array = tmp_path / "a.tif", FLAT if depth == 8 else DEEP
    tifffile.imwrite(path, array, photometric="rgb", extratags=[(700, *tag, True)])
    found = read_metadata(path)
    assert found.get("xmp", b"").rstrip(b"\0") == (b"<x/>" if tag[0] == 2 else b"")
    assert images.open_photo(path)[0].shape == array.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_that_is_named_but_not_there(tmp_path, channels):
    path = tmp_path / "a.tif"
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(
        path, DEEP[..., :channels].squeeze(), photometric=photometric,
        extratags=[(338, 3, 1, 1, True)],
    )  # fmt: skip
    array = images.open_stored(path)[0]
    np.testing.assert_array_equal(array[..., :channels], DEEP[..., :channels])


def test_a_strip_that_holds_far_more_than_it_should(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, photometric="rgb", compression="zlib", rowsperstrip=20)
    with tifffile.TiffFile(path) as file:
        tag = {code: file.pages[0].tags[code].valueoffset for code in (273, 279)}
    content = bytearray(path.read_bytes())
    assert images.read_linear(path).shape == DEEP.shape
    bomb = zlib.compress(DEEP.astype("<u2").tobytes() + bytes(10_000_000))
    content[tag[273] : tag[273] + 4] = struct.pack("<I", len(content))
    content[tag[279] : tag[279] + 4] = struct.pack("<I", len(bomb))
    path.write_bytes(content + bomb)
    fails(images.read_linear, path)


def test_a_tiff_of_brightness_and_colour_is_no_damaged_one(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, FLAT, photometric="ycbcr")
    fails(images.read_srgb, path, "YCBCR, is not read: save it as RGB")


def test_a_jpeg_with_much_beside_its_picture(tmp_path):
    exif = Image.Exif()
    exif[37500] = b"m" * 45_000
    given = {"exif": exif.tobytes(), "comment": b"c" * 60_000, "icc_profile": PROFILE * 50}
    write_image(tmp_path / "a.jpg", FLAT, **given)
    found = read_metadata(tmp_path / "a.jpg")
    assert len(found["comment"]) == 60_000 and len(found["exif"]) > 45_000
