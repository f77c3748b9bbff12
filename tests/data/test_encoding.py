"""What files say of their values, and colours through profiles."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from keras_gans.data import spaces
from keras_gans.data.encoding import encoding_of
from keras_gans.data.images import read_linear
from keras_gans.data.photo import open_photo, photo_of
from keras_gans.data.spaces import CODES, LINEAR, SRGB
from keras_gans.data.squares import read_levels, read_squares
from keras_gans.data.srgb import linear_to_srgb, srgb_to_linear
from keras_gans.data.write import quantize, write_image
from keras_gans.errors import InputError
from keras_gans.okdgan.cutting import _cut
from tests.data.profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB_CURVE,
    curv,
    matrix_profile,
    para,
    table_profile,
)
from tests.data.profiles import SRGB as SRGB_XYZ

RNG = np.random.default_rng(0)
DEEP = RNG.integers(0, 65536, (12, 17, 3), dtype=np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = matrix_profile(DISPLAY_P3, para(3, *SRGB_CURVE), name="Display P3")
ADOBE = matrix_profile(ADOBE_RGB, curv(563), name="Adobe RGB (1998)")
PRO = matrix_profile(PROPHOTO, curv(461), name="ProPhoto RGB")
LIGHT = matrix_profile(SRGB_XYZ, curv(), name="linear sRGB")
GAMUTS = {
    "Display P3": P3,
    "Adobe RGB (1998)": ADOBE,
    "ProPhoto RGB": PRO,
    "linear sRGB": LIGHT,
}


def chunk(name, data):
    return (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    )


def png(path, array, *chunks):
    """A PNG with chunks after its header."""
    write_image(path, array)
    content = path.read_bytes()
    path.write_bytes(content[:33] + b"".join(chunk(*each) for each in chunks) + content[33:])
    return path


def gama(value):
    return b"gAMA", struct.pack(">I", round(value * 100000))


SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@pytest.mark.parametrize(
    "chunks, kind, name, told",
    [
        ([], "linear", "linear", "16 bits a channel"),
        ([(b"sRGB", b"\0")], "srgb", "sRGB", "its sRGB chunk"),
        ([gama(1 / 2.2)], "srgb", "sRGB", "its gAMA chunk"),
        ([gama(1)], "linear", "linear", "its gAMA chunk"),
        ([gama(1), (b"cHRM", SRGB_CHRM)], "srgb", "linear", "its gAMA chunk"),
        ([gama(1 / 1.8)], "srgb", "gamma 1.80", "its gAMA chunk"),
        ([(b"cICP", bytes([1, 13, 0, 1]))], "srgb", "sRGB", "its cICP chunk"),
        ([(b"cICP", bytes([12, 13, 0, 1])), gama(1)], "srgb", "Display P3", "its cICP chunk"),
        ([(b"cICP", bytes([9, 8, 0, 1]))], "srgb", "BT.2020", "its cICP chunk"),
        ([(b"cICP", bytes([2, 2, 0, 1])), (b"sRGB", b"\0")], "srgb", "sRGB", "its sRGB chunk"),
        ([gama(0)], "linear", "linear", "16 bits a channel"),
    ],
)
def test_chunks_of_a_png(tmp_path, chunks, kind, name, told):
    path = png(tmp_path / "a.png", DEEP, *chunks)
    found = encoding_of(path)
    assert (found.kind, found.space.name, found.told) == (kind, name, told)
    assert found.notes == ()
    # what is written says the same
    photo = open_photo(path)
    photo.write(tmp_path / "b.png", np.ones(3))
    again = encoding_of(tmp_path / "b.png")
    assert (again.kind, again.space.name, again.told) == (kind, name, told)
    np.testing.assert_array_equal(open_photo(tmp_path / "b.png").pixels, DEEP)


def test_a_profile_beside_cicp_is_kept_with_it(tmp_path):
    write_image(tmp_path / "a.png", DEEP, icc_profile=ADOBE)
    content = (tmp_path / "a.png").read_bytes()
    both = content[:33] + chunk(b"cICP", bytes([12, 13, 0, 1])) + content[33:]
    (tmp_path / "a.png").write_bytes(both)
    open_photo(tmp_path / "a.png").write(tmp_path / "b.png", np.ones(3))
    for name in ("a.png", "b.png"):
        photo = open_photo(tmp_path / name)
        assert photo.encoding.space.name == "Display P3"
        assert photo.metadata["icc_profile"] == ADOBE


def test_hdr_is_refused(tmp_path):
    path = png(tmp_path / "a.png", DEEP, (b"cICP", bytes([9, 16, 0, 1])))
    with pytest.raises(InputError, match=r"a.png: a PNG in HDR \(PQ\) is not read: save it as"):
        encoding_of(path)


def test_the_file_then_the_user_then_the_depth(tmp_path):
    write_image(tmp_path / "flat.png", FLAT)
    write_image(tmp_path / "deep.tif", DEEP)
    array = (DEEP / 65535).astype(np.float32)
    tifffile.imwrite(tmp_path / "float.tif", array, photometric="rgb")
    for name, kind in (("flat.png", "srgb"), ("deep.tif", "linear"), ("float.tif", "linear")):
        assert encoding_of(tmp_path / name).kind == kind
        assert encoding_of(tmp_path / name).assumed
        for given in ("srgb", "linear"):
            found = encoding_of(tmp_path / name, given)
            assert (found.kind, found.told) == (given, f"--input {given}") and not found.assumed
    write_image(tmp_path / "told.tif", DEEP, icc_profile=SRGB_PROFILE)
    found = encoding_of(tmp_path / "told.tif", "linear")
    assert found.kind == "srgb" and found.space is SRGB
    assert found.notes == ("--input linear is not followed: its profile says sRGB",)


def test_tags_of_a_tiff(tmp_path):
    path = tmp_path / "a.tif"

    def saved(*tags, **options):
        tifffile.imwrite(path, DEEP, photometric="rgb", extratags=tags, **options)
        return encoding_of(path)

    curve = np.rint(srgb_to_linear(CODES) * 65535).astype(int).tolist()
    found = saved((301, 3, 65536, curve, True))
    assert (found.kind, found.space, found.told) == ("srgb", SRGB, "its tag TransferFunction")
    line = list(range(65536))
    assert saved((301, 3, 65536, line, True)).kind == "linear"
    white, rest = (
        (3127, 10000, 3290, 10000),
        (68, 100, 32, 100, 265, 1000, 69, 100, 15, 100, 6, 100),
    )
    found = saved(
        (301, 3, 65536, line, True), (318, 5, 2, white, True), (319, 5, 6, rest, True)
    )
    assert found.kind == "srgb" and found.space.curves is None and not found.space.diagonal
    # TransferFunction is not written: the photo becomes sRGB
    photo = open_photo(path)
    expected = found.space.to_srgb(DEEP / np.float32(65535))
    np.testing.assert_allclose(photo[:], linear_light(expected), atol=1e-3)
    assert "is not kept" in photo.encoding.notes[0] and encoding_of(path).told != "its profile"
    photo.write(tmp_path / "b.tif", np.ones(3))
    assert encoding_of(tmp_path / "b.tif").told == "its profile"
    tifffile.imwrite(path, DEEP[..., 0], extratags=[(301, 3, 65536, curve, True)])  # grey
    np.testing.assert_array_equal(open_photo(path).pixels, DEEP[..., :1])
    tifffile.imwrite(path, DEEP, photometric=34892)
    assert (encoding_of(path, "srgb").told, encoding_of(path).kind) == (
        "its tag LinearRaw",
        "linear",
    )


@pytest.mark.parametrize("array", [FLAT, DEEP], ids=["uint8", "uint16"])
def test_a_curve_for_each_channel(tmp_path, array):
    count = np.iinfo(array.dtype).max + 1
    curves = np.linspace(0, 1, count) ** np.array([[1.5], [1.8], [2.2]])
    values = np.rint(curves * 65535).astype(int).ravel().tolist()
    path = tmp_path / "a.tif"
    tags = [(301, 3, 3 * count, values, True)]
    tifffile.imwrite(path, array, photometric="rgb", extratags=tags)
    found = encoding_of(path)
    assert (found.kind, found.told) == ("srgb", "its tag TransferFunction")
    for band, gamma in enumerate((1.5, 1.8, 2.2)):
        expected = (array[..., band] / (count - 1)) ** gamma
        np.testing.assert_allclose(found.space.decode(array)[..., band], expected, atol=1e-3)
    assert "is not kept" in open_photo(path).encoding.notes[0]
    same = np.rint(curves[:1].repeat(3, axis=0) * 65535).astype(int).ravel().tolist()
    tags = [(301, 3, 3 * count, same, True)]
    tifffile.imwrite(path, array, photometric="rgb", extratags=tags)
    assert encoding_of(path).space.one_curve


@pytest.mark.parametrize("told", ["sRGB", "gAMA", "profile", "P3", "table", "nothing"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_readers_believe_files_of_16_bits_too(tmp_path, told, suffix):
    path = tmp_path / f"a{suffix}"
    smooth = np.linspace(2000, 50000, 16 * 16 * 3).reshape(16, 16, 3).astype(np.uint16)
    chunks = {"sRGB": (b"sRGB", b"\0"), "gAMA": gama(1 / 2.2)}
    table = table_profile(b"RGB ", lambda rgb: (100 * rgb.mean(), 0, 0))
    profiles = {"profile": SRGB_PROFILE, "P3": P3, "table": table}
    if told in chunks and suffix == ".tif":
        pytest.skip("chunks are PNG's")
    if told in chunks:
        png(path, smooth, chunks[told])
    else:
        write_image(
            path, smooth, **({"icc_profile": profiles[told]} if told in profiles else {})
        )
    expected = smooth / 65535
    if told == "P3":
        expected = linear_to_srgb(open_photo(path)[:])
    elif told == "nothing":
        expected = linear_to_srgb(expected)
    expected = quantize(expected, np.uint8).astype(int)
    for read in (
        read_levels(path), read_squares([path], 16)[0], *_cut(path, [(0, 0, 16)], 16)
    ):  # fmt: skip
        assert np.abs(read - expected).max() <= 1
    # scenes of a camera are linear whatever their profile says
    np.testing.assert_array_equal(read_linear(path), smooth / np.float32(65535))


def linear_light(values):
    return srgb_to_linear(linear_to_srgb(np.clip(values, 0, 1)))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png"])
def test_colour_space_in_exif(tmp_path, name):
    array = FLAT if name == "a.jpg" else DEEP
    cases = [(1, "R98", "sRGB"), (65535, "R03", "Adobe RGB")]  # the second is of JPEG's alone
    for colours, index, expected in cases[: 1 if name == "a.tif" else 2]:
        exif = Image.Exif()
        exif[0x8769] = {40961: colours, 40965: {1: index}}
        write_image(tmp_path / name, array, exif=exif.tobytes())
        found = encoding_of(tmp_path / name)
        assert found.told == "its EXIF data" and found.space.name == expected
        open_photo(tmp_path / name).write(tmp_path / f"b-{name}", np.ones(3))
        assert encoding_of(tmp_path / f"b-{name}").space.name == expected


# Profiles -----------------------------------------------------------------------------------


def lab_of(light):
    """CIE Lab under D50 of linear sRGB, which may be out of range."""
    xyz = light @ spaces.SRGB_TO_XYZ.T / spaces.SRGB_TO_XYZ.sum(axis=1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


@pytest.mark.parametrize("name", GAMUTS)
def test_a_space_as_littlecms_has_it(name):
    space = spaces.profile_space(GAMUTS[name])
    assert space.name == name
    light = space.to_srgb(space.decode(FLAT))
    source = ImageCms.ImageCmsProfile(io.BytesIO(GAMUTS[name]))
    colours = ImageCms.profileToProfile(
        Image.fromarray(FLAT), source, ImageCms.createProfile("LAB"), 1, "LAB"
    )
    theirs = np.asarray(colours).astype(float)
    theirs[..., 0] *= 100 / 255
    theirs[..., 1:] = np.asarray(colours)[..., 1:].view(np.int8)
    inside = (np.abs(theirs[..., 1:]) < 126).all(axis=-1)  # its Lab of 8 bits ends there
    difference = np.abs(lab_of(light.astype(float)) - theirs)[inside]
    assert (
        difference.mean() < 0.3 and difference.max() < 4
    )  # dark levels of 8 bits are far apart
    again = space.encode(space.decode(FLAT), np.uint8)
    np.testing.assert_array_equal(again, FLAT)
    np.testing.assert_array_equal(space.encode(space.decode(DEEP), np.uint16), DEEP)


@pytest.mark.parametrize("name", GAMUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_same_correction_in_every_space(tmp_path, name, dtype):
    # colours of sRGB, of which none is clipped or nearly white when corrected
    light = RNG.uniform(0.02, 0.5, (40, 50, 3))
    gains = np.array([0.8, 1, 1.6])
    space = spaces.profile_space(GAMUTS[name])
    own = light @ np.linalg.inv(space.matrix).T
    if dtype == np.float32:
        stored = space.encode(own.astype(np.float32), np.float32)
        tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", iccprofile=GAMUTS[name])
    else:
        curves = space.curves or (CODES,) * 3
        stored = np.stack([np.interp(own[..., i], curves[i], CODES) for i in range(3)], axis=-1)
        write_image(tmp_path / "a.tif", quantize(stored, dtype), icc_profile=GAMUTS[name])
    photo = open_photo(tmp_path / "a.tif")
    assert (photo.encoding.kind, photo.encoding.told) == ("srgb", "its profile")
    # 8 bits of light leave steps in the shadows
    tolerance = 8e-3 if dtype == np.uint8 else 3e-4
    np.testing.assert_allclose(photo[:], light, atol=tolerance)
    photo.write(tmp_path / "b.tif", gains)
    after = open_photo(tmp_path / "b.tif")
    assert after.encoding.space.name == space.name
    found = after.encoding.space.to_srgb(after.encoding.space.decode(after.pixels[:]))
    difference = lab_of(found.astype(float)) - lab_of(light * gains)
    assert np.linalg.norm(difference, axis=-1).mean() < (1 if dtype == np.uint8 else 0.05)


def test_colours_outside_of_srgb_stay(tmp_path):
    green = np.full((8, 8, 3), (0, 60000, 0), np.uint16)
    write_image(tmp_path / "a.png", green, icc_profile=PRO)
    photo = open_photo(tmp_path / "a.png")
    assert photo[:].min() == 0 and photo[:].max() <= 1  # the network sees them cut off
    photo.write(tmp_path / "b.png", np.array([1, 1, 1.0001]))
    np.testing.assert_allclose(open_photo(tmp_path / "b.png").pixels, green, atol=3)


@pytest.mark.parametrize(
    "curve, expected",
    [
        (curv(), CODES),
        (curv(512), CODES**2),
        (curv(0, 16384, 65535), np.interp(CODES, [0, 0.5, 1], [0, 16384 / 65535, 1])),
        (para(0, 1.5), CODES**1.5),
        (para(1, 2, 1.25, -0.25), np.where(CODES >= 0.2, (1.25 * CODES - 0.25) ** 2, 0)),
        (para(3, *SRGB_CURVE), spaces.SRGB_CURVE),
        (para(4, *SRGB_CURVE, 0, 0), spaces.SRGB_CURVE),
    ],
)
def test_curves(curve, expected):
    space = spaces.profile_space(matrix_profile(SRGB_XYZ, curve))
    curve = CODES if space.curves is None else space.curves[0]
    np.testing.assert_allclose(curve, expected, atol=1e-4)


def test_damaged_profiles_are_ignored_with_a_line(tmp_path):
    flat = matrix_profile(np.ones((3, 3)), curv())
    falls = matrix_profile(SRGB_XYZ, curv(65535, 0))
    broken = [P3[:200], flat, falls, P3.replace(b"para", b"abcd"), P3[:140]]
    for index, profile in enumerate(broken):
        for name in ("a.png", "a.tif", "a.jpg"):
            write_image(tmp_path / name, FLAT, icc_profile=profile)
            photo = open_photo(tmp_path / name)
            assert photo.encoding.space is SRGB and "icc_profile" not in photo.metadata, index
            assert "its profile is not used" in photo.encoding.notes[0]
    write_image(tmp_path / "a.jpg", FLAT, icc_profile=b"x" * 400)
    assert open_photo(tmp_path / "a.jpg").encoding.space is SRGB


def test_any_damage_gives_a_photo(tmp_path):
    rng = np.random.default_rng(1)
    for profile in (P3, ADOBE, table_profile(b"RGB ", lambda rgb: (100 * rgb.mean(), 0, 0))):
        for _ in range(30):
            content = bytearray(profile)
            for place in rng.integers(0, min(len(content), 700), 3):
                content[place] = rng.integers(256)
            write_image(tmp_path / "a.png", FLAT, icc_profile=bytes(content))
            assert np.isfinite(open_photo(tmp_path / "a.png")[:]).all()


def test_a_profile_that_is_a_table(tmp_path):
    profile = table_profile(b"RGB ", lambda rgb: (100 * (rgb @ [0.3, 0.5, 0.2]), 0, 0))
    floats = (DEEP / 65535).astype(np.float32)
    for name, array in (("a.png", FLAT), ("a.tif", DEEP), ("f.tif", floats), ("p.png", FLAT)):
        if array is floats:
            tifffile.imwrite(tmp_path / name, array, photometric="rgb", iccprofile=profile)
        elif name == "p.png":
            palette = Image.fromarray(array).quantize(16)
            palette.save(tmp_path / name, icc_profile=profile)
        else:
            write_image(tmp_path / name, array, icc_profile=profile)
        photo = open_photo(tmp_path / name)
        assert np.ptp(photo.pixels[:].astype(int), axis=-1).max() <= 2  # it makes all grey
        assert "its profile is a table: it is written as sRGB" in photo.encoding.notes[0]
        assert photo.encoding.notes[0].endswith("8 bits") == (array is not FLAT)
        photo.write(tmp_path / f"b-{name}", np.array([1, 1, 0.5]))
        again = encoding_of(tmp_path / f"b-{name}")
        assert again.space is SRGB and again.told == "its profile"


def test_cmyk(tmp_path):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1] = 255
    image = Image.fromarray(inks, "CMYK")
    profile = table_profile(b"CMYK", lambda cmyk: (100 - 50 * cmyk[1], 40 * cmyk[1], 0))
    image.save(tmp_path / "a.jpg", quality=100, icc_profile=profile)
    photo = open_photo(tmp_path / "a.jpg")
    red, green, blue = photo.pixels[:].mean(axis=(0, 1))
    np.testing.assert_allclose((red, green, blue), (179, 92, 118), atol=4)  # Lab 50, 40, 0
    photo.write(tmp_path / "b.jpg", np.array([0.5, 1, 1]))
    with Image.open(tmp_path / "b.jpg") as written:
        assert written.mode == "RGB" and written.info["icc_profile"][16:20] == b"RGB "
    image.save(tmp_path / "a.jpg", quality=100)
    assert open_photo(tmp_path / "a.jpg").encoding.space is SRGB


def test_a_profile_for_other_pixels_is_not_used(tmp_path):
    write_image(tmp_path / "a.jpg", FLAT, icc_profile=P3[:16] + b"GRAY" + P3[20:])
    notes = open_photo(tmp_path / "a.jpg").encoding.notes
    assert notes == ("its profile is not used (it is for GRAY, the pixels are RGB)",)


# Grey, turned, arrays -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["L.jpg", "L.png", "L.tif", "LA.png", "1.png", "I;16.png", "I;16.tif"]
)
def test_grey_stays_grey_and_as_it_is(tmp_path, name):
    mode, path = name.split(".")[0], tmp_path / name
    grey = DEEP[..., 0] if mode == "I;16" else FLAT[..., 0]
    profile = b"\0" * 16 + b"GRAY" + P3[20:]
    image = Image.fromarray(grey)
    image = image if mode in ("L", "I;16") else image.convert(mode)
    image.save(path, icc_profile=profile)
    photo = open_photo(path)
    assert photo.grey and photo.shape == (12, 17, 3) and np.ptp(photo[:], axis=-1).max() == 0
    photo.write(tmp_path / f"b{path.suffix}", np.array([0.5, 1, 2]))
    with Image.open(path) as before, Image.open(tmp_path / f"b{path.suffix}") as after:
        before = before.convert("L") if mode in ("1", "LA") else before
        assert after.mode == before.mode and after.info["icc_profile"] == profile
        difference = np.asarray(after).astype(int) - np.asarray(before).astype(int)
        assert np.abs(difference).max() <= (6 if name == "L.jpg" else 0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits_is_replicated(tmp_path, suffix):
    path, grey = tmp_path / f"grey{suffix}", DEEP[..., 0]
    Image.fromarray(grey).save(path)
    expected = quantize(linear_to_srgb(grey / 65535), np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(read_levels(path), expected)


def test_16_bits_of_grey_with_alpha(tmp_path):
    alpha = np.stack([DEEP[..., 0], DEEP[..., 1]], axis=-1)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in alpha)
    header = struct.pack(">IIBBBBB", 17, 12, 16, 4, 0, 0, 0)
    body = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in body)
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(open_photo(tmp_path / "a.png").pixels, DEEP[..., :1])
    (tmp_path / "a.png").write_bytes(content[:200])
    with pytest.raises(InputError, match="truncated or damaged PNG"):
        open_photo(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_is_turned_upright_with_its_profile(tmp_path, dtype):
    array = DEEP.astype(np.float64) / 65535
    array = array.astype(dtype) if dtype == np.float32 else quantize(array, dtype)
    tifffile.imwrite(
        tmp_path / "a.tif", array, photometric="rgb", iccprofile=ADOBE,
        extratags=[(274, 3, 1, 6, True)],
    )  # fmt: skip
    photo = open_photo(tmp_path / "a.tif")
    assert photo.shape == (17, 12, 3)
    np.testing.assert_array_equal(photo.pixels[:], np.rot90(array, -1))
    photo.write(tmp_path / "b.tif", np.ones(3))
    with tifffile.TiffFile(tmp_path / "b.tif") as written:
        assert written.pages[0].shape == (17, 12, 3) and written.pages[0].iccprofile == ADOBE
        assert written.pages[0].tags.valueof(274, 1) == 1


def test_arrays_of_either_kind():
    for dtype in (np.uint8, np.uint16, np.float32):
        array = {np.uint8: FLAT, np.uint16: DEEP, np.float32: np.float32(DEEP / 65535)}[dtype]
        stored = array / (1 if dtype == np.float32 else np.iinfo(dtype).max)
        srgb, linear = photo_of(array, "srgb"), photo_of(array, "linear")
        np.testing.assert_allclose(linear[:], stored, atol=1e-6)
        np.testing.assert_allclose(srgb[:], srgb_to_linear(stored), atol=1e-6)
        assert photo_of(array).encoding.kind == ("srgb" if dtype == np.uint8 else "linear")
        assert srgb.encoding.space is SRGB and linear.encoding.space is LINEAR
        done = srgb.corrected(np.array([0.5, 1, 0.25]))(array)
        assert done.dtype == dtype
        values = done / (1 if dtype == np.float32 else np.iinfo(dtype).max)
        dull = stored.max(axis=-1) < 0.95  # not kept white
        expected = linear_to_srgb(srgb_to_linear(stored) * [0.5, 1, 0.25])
        tolerance = 0.5 / 255 if dtype == np.uint8 else 2e-5
        np.testing.assert_allclose(values[dull], expected[dull], atol=tolerance + 1e-6)


def test_pillows_profile_is_applied():
    image = Image.fromarray(FLAT)
    image.info["icc_profile"] = P3
    assert photo_of(image).encoding.space.name == "Display P3"
    image.info["icc_profile"] = b"broken"
    assert photo_of(image).encoding.space is SRGB


@pytest.mark.parametrize(
    "told", [[(b"cICP", bytes([12, 13, 0, 1]))], [(b"gAMA", struct.pack(">I", 100_000))]]
)
def test_what_a_file_of_another_kind_cannot_say(tmp_path, told):
    """A PNG called as a JPEG is written as one."""
    one_colour = np.uint8([[[100, 120, 140]]]).repeat(16, axis=0).repeat(16, axis=1)
    path = png(tmp_path / "a.png", one_colour, *told).rename(tmp_path / "a.jpg")
    photo = open_photo(path)
    assert "is not kept" in photo.encoding.notes[0]
    before = photo.averaged(3, 3)
    photo.write(tmp_path / "b.jpg", np.ones(3))
    after = open_photo(tmp_path / "b.jpg")
    assert after.encoding.told == "its profile"
    np.testing.assert_allclose(after.averaged(3, 3), before, atol=0.01)


def test_16_bits_of_srgb_called_as_a_tiff(tmp_path):
    path = png(tmp_path / "a.png", DEEP, (b"sRGB", b"\0")).rename(tmp_path / "a.tif")
    open_photo(path).write(tmp_path / "b.tif", np.ones(3))
    assert open_photo(tmp_path / "b.tif").encoding.space is SRGB


def test_8_bits_with_a_straight_curve(tmp_path):
    path = tmp_path / "a.tif"
    curve = tuple(range(0, 65536, 257))
    tifffile.imwrite(path, FLAT, photometric="rgb", extratags=[(301, 3, 256, curve, True)])
    photo = open_photo(path)
    before = photo.averaged(3, 3)
    photo.write(tmp_path / "b.tif", np.ones(3))
    np.testing.assert_allclose(open_photo(tmp_path / "b.tif").averaged(3, 3), before, atol=0.01)


def test_a_jpegs_profile_of_which_a_part_is_missing(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(FLAT).save(path, icc_profile=ADOBE)
    path.write_bytes(path.read_bytes().replace(b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2"))
    found = encoding_of(path)
    assert found.space is SRGB and found.notes == ("its profile is not used (damaged)",)


def test_black_stays_black_where_a_curve_begins_flat():
    curve = np.maximum(CODES - 0.1, 0) / 0.9
    space = spaces.of_curve("flat", curve)
    for size in (1, 10_000):
        black = np.zeros((size, 1, 3), np.float32)
        assert not space.encode(black, np.uint8).any()
    assert not space.encode(black, np.uint16).any()
    stored = np.arange(26, 256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    assert np.abs(space.encode(space.decode(stored), np.uint8).astype(int) - stored).max() <= 1
