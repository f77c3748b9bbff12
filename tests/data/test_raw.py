"""Camera raw: DNG files of known light."""

import re

import numpy as np
import pytest
import tifffile
from PIL import Image

from keras_gans.data.encoding import encoding_of
from keras_gans.data.raw import is_raw, open_raw, raw_size, temperature_of
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.errors import InputError
from tests.data.dng import D65, RGGB, TO_CAMERA, write_dng

rawpy = pytest.importorskip("rawpy", reason="camera raw needs the extra 'raw'")

GREY = np.linspace(0.05, 0.5, 64)[None, :, None] * np.ones((48, 1, 1))
LIGHT = TO_CAMERA @ D65 / (TO_CAMERA @ D65)[1]


@pytest.mark.parametrize("pattern", [RGGB, (2, 1, 1, 0), (1, 0, 2, 1), (1, 2, 0, 1)])
@pytest.mark.parametrize("black, white", [(0, 65535), (256, 16383), (1024, 4095)])
def test_the_cameras_own_light(tmp_path, pattern, black, white):
    path = write_dng(tmp_path / "a.dng", GREY * LIGHT, pattern, black, white)
    photo = open_raw(path)
    assert photo.size == raw_size(path) == (64, 48) and photo.shape == (24, 32, 3)
    expected = (GREY * LIGHT).reshape(24, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(photo[:], expected, atol=6e-3)  # half a step of the gradient
    np.testing.assert_allclose(photo.as_shot, 1 / LIGHT, rtol=1e-3)
    assert (photo.encoding.kind, photo.encoding.told) == ("raw", "its kind of file")


@pytest.mark.parametrize("suffix", ["tiff", "jpg"])
def test_developed_through_the_cameras_matrix(tmp_path, suffix):
    # grey under daylight; red of sRGB as this camera sees it
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    colours = np.full((48, 64, 3), 0.2)
    colours[:, 32:] = 0.4, 0.1, 0.15
    light = colours @ np.transpose(to_xyz) @ TO_CAMERA.T
    open_raw(write_dng(tmp_path / "a.dng", light)).write(tmp_path / f"a.{suffix}", 1 / LIGHT)
    if suffix == "jpg":
        shown = np.asarray(Image.open(tmp_path / "a.jpg")) / 255
    else:
        shown = tifffile.imread(tmp_path / "a.tiff") / 65535
    # LibRaw makes the least gain 1, and white what the camera's white is
    scale = (TO_CAMERA @ D65)[1] / (1 / LIGHT).min()
    for columns in (slice(8, 24), slice(40, 56)):
        expected = linear_to_srgb(colours[24, columns][0] * scale)
        found = shown[16:32, columns].mean(axis=(0, 1))
        np.testing.assert_allclose(found, expected, atol=0.02 if suffix == "jpg" else 0.006)
    found = encoding_of(tmp_path / f"a.{suffix}")
    assert found.space.name == "sRGB" and found.told == "its profile"
    with (
        Image.open(tmp_path / f"a.{suffix}")
        if suffix == "jpg"
        else tifffile.TiffFile(tmp_path / "a.tiff") as file
    ):
        model = file.getexif()[272] if suffix == "jpg" else file.pages[0].tags.valueof(272)
        assert model == "Camera"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(tmp_path, orientation):
    light = np.full((48, 64, 3), 0.05)
    light[:24, :32] = 0.4  # the upper left
    path = write_dng(tmp_path / "a.dng", light, orientation=orientation)
    photo = open_raw(path)
    size = (64, 48) if orientation < 5 else (48, 64)
    assert photo.size == raw_size(path) == size
    quarters = photo[:][..., 1].reshape(2, size[1] // 4, 2, size[0] // 4).mean(axis=(1, 3))
    place = {1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[orientation]
    assert quarters.argmax() == place
    photo.write(tmp_path / "a.tiff", np.ones(3))
    assert tifffile.imread(tmp_path / "a.tiff").shape == (*size[::-1], 3)


def test_temperature_and_sidecar(tmp_path):
    photo = open_raw(write_dng(tmp_path / "a.dng", GREY * LIGHT))
    kelvin, tint = photo.temperature(LIGHT)
    assert abs(kelvin - 6504) < 40 and abs(tint - 10) <= 1
    assert photo.write_xmp(tmp_path / "a.xmp", LIGHT)
    text = (tmp_path / "a.xmp").read_text(encoding="utf-8")
    assert re.search(rf'crs:Temperature="{kelvin}"\s+crs:Tint="\+{tint}"', text)
    assert 'crs:WhiteBalance="Custom"' in text


@pytest.mark.parametrize(
    "x, y, kelvin, tint",
    [(0.4476, 0.4074, 2856, 0), (0.3457, 0.3585, 5003, 9), (0.3324, 0.3474, 5503, 10)],
)
def test_temperatures_of_standard_lights(x, y, kelvin, tint):  # A, D50, D55
    found = temperature_of(np.array([x / y, 1, (1 - x - y) / y]))
    assert abs(found[0] / kelvin - 1) < 0.015 and abs(found[1] - tint) <= 3


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_damaged(tmp_path, capfd, part):
    path = write_dng(tmp_path / "a.dng", GREY * LIGHT)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError, match="a.dng: (truncated or damaged raw file|no raw file)"):
        open_raw(path)
    path.write_text("not a raw file" * 1000)
    with pytest.raises(InputError, match="a.dng: no raw file that LibRaw knows"):
        raw_size(path)
    with pytest.raises(InputError, match="cannot be read"):
        open_raw(tmp_path / "missing.dng")
    assert capfd.readouterr() == ("", "")


def test_no_mosaic(tmp_path):
    light = np.broadcast_to(GREY * LIGHT, (48, 64, 3))
    tifffile.imwrite(
        tmp_path / "a.dng", np.rint(light * 65535).astype(np.uint16), photometric=34892,
        extratags=[(50706, 1, 4, bytes((1, 4, 0, 0)), True), (50708, 2, 0, "Linear", True)],
        metadata=None,
    )  # fmt: skip
    photo = open_raw(tmp_path / "a.dng")
    assert photo.size == (64, 48)
    height, width = photo.shape[:2]
    expected = light.reshape(height, 48 // height, width, 64 // width, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(photo[:], expected, atol=6e-3)


def test_names(tmp_path):
    assert is_raw(tmp_path / "IMG_1.CR2") and is_raw(tmp_path / "a.dng")
    assert not is_raw(tmp_path / "a.tif")
