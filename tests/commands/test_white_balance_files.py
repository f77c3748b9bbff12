"""White balance of files of every encoding, with the models that ship."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import keras_gans
from keras_gans.commands import white_balance as wb
from keras_gans.data import photo as photos
from keras_gans.data.photo import open_photo
from keras_gans.data.pixels import as_linear
from keras_gans.data.spaces import profile_space
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize, write_image
from tests.commands.calls import calls
from tests.data.dng import D65, TO_CAMERA, write_dng
from tests.data.profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, SRGB, curv, matrix_profile
from tests.data.test_encoding import SRGB_PROFILE, lab_of, png
from tests.dscnn.reference import correct

run, fails = calls("white-balance")


def scene(height=384, width=512):
    """Textured surfaces of many colours in a warm light, linear sRGB."""
    rng = np.random.default_rng(0)
    small = rng.uniform(0.1, 0.5, (6, 8, 3)).astype(np.float32)
    bands = [Image.fromarray(small[..., i]).resize((width, height), 3) for i in range(3)]
    texture = rng.uniform(0.6, 1.4, (height, width, 1))
    return np.clip(np.dstack(bands) * texture * [1.2, 1, 0.6], 0.02, 0.9)


def rows_of(capsys, *arguments):
    return json.loads(run(capsys, *arguments, "--json").out)


def test_what_a_file_was_taken_for_is_told(tmp_path, capsys):
    photo, srgb = linear_to_srgb(scene()), tmp_path / "in"
    srgb.mkdir()
    write_image(srgb / "a8.png", quantize(photo, np.uint8))
    png(srgb / "b16.png", quantize(photo, np.uint16), (b"sRGB", b"\0"))
    write_image(srgb / "c16.tif", quantize(photo, np.uint16), icc_profile=SRGB_PROFILE)
    write_image(srgb / "d16.png", quantize(photo, np.uint16))
    rows = rows_of(capsys, srgb, "--out", tmp_path / "out")
    assert [row["kind"] for row in rows] == ["srgb"] * 3 + ["linear"]
    assert [row["told_by"] for row in rows] == [
        "8 bits a channel", "its sRGB chunk", "its profile", "16 bits a channel"
    ]  # fmt: skip
    assert [row["encoding"] for row in rows] == ["sRGB"] * 3 + ["linear"]
    gains = np.array([row["gains"] for row in rows])
    np.testing.assert_allclose(gains[1:3], gains[[0, 0]], atol=0.01)
    assert np.abs(gains[3] - gains[0]).max() > 0.1

    given = rows_of(capsys, srgb, "--out", tmp_path / "out", "--input", "srgb")
    np.testing.assert_allclose(given[3]["gains"], gains[2], atol=1e-5)
    assert given[3]["told_by"] == "--input srgb" and not any(row["notes"] for row in given)
    shown = run(capsys, srgb, "--out", tmp_path / "out", "--input", "linear").out
    assert "b16.png: --input linear is not followed: its sRGB chunk says sRGB" in shown
    assert "linear by --input linear (2)" in shown and "sRGB by its profile (1)" in shown


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_same_photo_in_every_space(tmp_path, capsys, dtype):
    light, folder = scene(), tmp_path / "in"
    folder.mkdir()
    gamuts = {"p3": DISPLAY_P3, "adobe": ADOBE_RGB, "prophoto": PROPHOTO, "srgb": SRGB}
    for name, to_xyz in gamuts.items():
        profile = matrix_profile(to_xyz, curv(round(2.2 * 256)))
        space = profile_space(profile)
        own = np.clip(light @ np.linalg.inv(space.matrix).T, 0, 1)
        stored = quantize(own ** (256 / round(2.2 * 256)), dtype)
        write_image(folder / f"{name}.png", stored, icc_profile=profile)
    rows = rows_of(capsys, folder, "--out", tmp_path / "out")
    assert all(row["kind"] == "srgb" for row in rows)
    colours = {}
    for name in gamuts:
        done = open_photo(tmp_path / "out" / f"{name}.png")
        assert done.encoding.told == "its profile" and done.pixels.dtype == dtype
        own = done.encoding.space.decode(done.pixels[:])
        colours[name] = lab_of(done.encoding.space.to_srgb(own).astype(float))
    for name in gamuts:
        difference = np.linalg.norm(colours[name] - colours["srgb"], axis=-1)
        assert difference.mean() < (1 if dtype == np.uint8 else 0.3), name


def test_grey_and_turned_files(tmp_path, capsys):
    grey = quantize(linear_to_srgb(scene()[..., 1]), np.uint16)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray((grey >> 8).astype(np.uint8)).save(tmp_path / "b.jpg")
    deep = quantize(scene(), np.uint16)
    tifffile.imwrite(
        tmp_path / "c.tif", deep, photometric="rgb", extratags=[(274, 3, 1, 6, True)]
    )
    rows = rows_of(capsys, tmp_path, "--out", tmp_path / "out")
    assert [row["gains"] for row in rows[:2]] == [[1, 1, 1]] * 2
    with Image.open(tmp_path / "out" / "a.png") as written:
        assert written.mode == "I;16" and (np.asarray(written) == grey).all()
    with Image.open(tmp_path / "out" / "b.jpg") as written:
        assert written.mode == "L"
    assert (rows[2]["width"], rows[2]["height"]) == (384, 512)
    assert tifffile.imread(tmp_path / "out" / "c.tif").shape == (512, 384, 3)


@pytest.mark.parametrize("view", ["whole", "native", "100"])
@pytest.mark.parametrize("to_xyz", [DISPLAY_P3, ADOBE_RGB, PROPHOTO])
def test_equal_channels_stay_equal_in_every_space(tmp_path, capsys, to_xyz, view):
    profile, folder = matrix_profile(to_xyz, curv(563)), tmp_path / "in"
    folder.mkdir()
    grey = linear_to_srgb(scene(96, 128)[..., :1].repeat(3, axis=-1))
    stored = {f"{np.dtype(kind)}.tif": quantize(grey, kind) for kind in (np.uint8, np.uint16)}
    stored["float.tif"] = grey
    for name, array in stored.items():
        tifffile.imwrite(folder / name, array, photometric="rgb", iccprofile=profile)
    for row in rows_of(capsys, folder, "--out", tmp_path / "out", "--view", view):
        assert row["told_by"] == "its profile" and row["gains"] == [1, 1, 1]
        done = tifffile.imread(row["corrected"])
        array = stored[Path(row["file"]).name]
        array = quantize(array, np.uint16) if array.dtype == np.float32 else array
        np.testing.assert_array_equal(done, array)
    image = Image.fromarray(stored["uint8.tif"])
    image.info["icc_profile"] = profile
    corrected, light = keras_gans.white_balance(image)
    assert np.ptp(light) == 0 and (corrected == stored["uint8.tif"]).all()


def test_levels_are_those_of_floats():
    levels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    levels[::2] |= 0xF0  # many that are nearly white
    light = np.array([0.7, 0.6, 0.4])
    expected = correct(as_linear(levels), light, keep_white=True)
    expected = quantize(linear_to_srgb(expected), np.uint8)
    done = photos.photo_of(levels).corrected(light[1] / light)(levels)
    np.testing.assert_array_equal(done, expected)


def test_a_photo_is_decoded_once(tmp_path, monkeypatch):
    write_image(tmp_path / "a.jpg", quantize(linear_to_srgb(scene()), np.uint8))
    times, loaded = [], photos.images.loaded
    monkeypatch.setattr(photos.images, "loaded", lambda *a: times.append(a) or loaded(*a))
    wb.white_balance(tmp_path / "a.jpg", tmp_path / "out")
    assert len(times) == 1
    monkeypatch.setattr(wb.results, "PIXELS_AT_ONCE", 10)  # too large to be kept
    wb.white_balance(tmp_path / "a.jpg", tmp_path / "out")
    assert len(times) == 3


def test_what_is_shown_to_the_model_is_what_it_sees_of_the_whole():
    estimator = wb.WhiteBalance.find(None)
    photo = photos.photo_of(quantize(scene(1000, 777), np.uint16))
    shown = wb.shown_to(photo, estimator)
    assert shown.shape[0] * shown.shape[1] < 300 * 400
    light, local_map, covered, confidence = wb.estimate(photo, estimator)
    found = wb.estimate(shown, estimator)
    np.testing.assert_allclose(found[0], light, atol=1e-4)
    np.testing.assert_allclose(found[1], local_map, atol=1e-3)
    assert found[2] == covered
    np.testing.assert_allclose(found.confidence or 0, confidence or 0, atol=1e-3)


def test_arrays_of_either_kind():
    srgb = linear_to_srgb(scene())
    deep, flat = quantize(srgb, np.uint16), quantize(srgb, np.uint8)
    expected, light = keras_gans.white_balance(flat)
    corrected, found = keras_gans.white_balance(deep, input="srgb")
    np.testing.assert_allclose(found, light, atol=5e-3)
    np.testing.assert_allclose(corrected / 65535, expected / 255, atol=0.015)
    assert np.abs(keras_gans.white_balance(deep)[1] - light).max() > 0.02


# Camera raw ---------------------------------------------------------------------------------


@pytest.fixture
def raw_file(tmp_path):
    rng = np.random.default_rng(0)
    grey = rng.uniform(0.05, 0.4, (16, 24, 1)).repeat(12, axis=0).repeat(12, axis=1)
    light = TO_CAMERA @ (D65 * [1.1, 1, 0.6])
    return write_dng(tmp_path / "IMG_1.DNG", grey * light / light.max(), orientation=8)


def test_camera_raw(tmp_path, capsys, raw_file):
    pytest.importorskip("rawpy", reason="camera raw needs the extra 'raw'")
    write_image(tmp_path / "img_1.jpg", quantize(linear_to_srgb(scene()), np.uint8))
    out = tmp_path / "out"
    (row, photo) = rows_of(capsys, raw_file, tmp_path / "img_1.jpg", "--out", out, "--xmp")
    assert row["kind"] == "raw" and (row["width"], row["height"]) == (192, 288)
    daylight = TO_CAMERA @ D65
    np.testing.assert_allclose(row["as_shot"], daylight[1] / daylight, rtol=1e-3)
    names = [
        "IMG_1.DNG.tiff",
        "IMG_1.DNG_map.png",
        "IMG_1.xmp",
        "img_1.jpg",
        "img_1.jpg_map.png",
    ]
    assert sorted(path.name for path in out.iterdir()) == names
    assert row["xmp"] == str(out / "IMG_1.xmp") and "xmp" not in photo
    assert tifffile.imread(out / "IMG_1.DNG.tiff").dtype == np.uint16
    captured = run(capsys, raw_file, "--out", tmp_path / "jpeg", "--raw-format", "jpeg")
    assert "IMG_1.DNG: as shot" in captured.out and "camera raw" in captured.out
    with Image.open(tmp_path / "jpeg" / "IMG_1.jpg") as developed:
        assert developed.size == (192, 288)


def test_one_damaged_raw_file_and_nothing_is_written(tmp_path, capsys, raw_file):
    pytest.importorskip("rawpy", reason="camera raw needs the extra 'raw'")
    raw_file.write_bytes(raw_file.read_bytes()[:40000])
    write_image(tmp_path / "a.png", quantize(linear_to_srgb(scene()), np.uint8))
    message = fails(capsys, tmp_path, "--out", tmp_path / "out")
    assert "IMG_1.DNG: truncated or damaged raw file" in message
    assert not (tmp_path / "out").exists()


def test_without_rawpy(tmp_path, capsys, raw_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    message = fails(capsys, raw_file, "--out", tmp_path / "out")
    assert 'IMG_1.DNG: camera raw needs rawpy: pip install "keras_gans[raw]"' in message
    assert not (tmp_path / "out").exists()
