import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image, ImageCms

from keras_gans.__main__ import main
from keras_gans.commands import light as light_of_one
from keras_gans.commands import white_balance as wb
from keras_gans.data import images
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize, write_image
from keras_gans.dscnn import data
from tests.commands.calls import calls
from tests.dscnn.reference import correct

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

LIGHT = np.array([0.9, 0.6, 0.3])
PATCH = 16


class GreyWorld(tf.Module):
    """The signature of an exported DSCNN, with the mean of a patch for a network."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="images")]
    )
    def serve(self, images):
        n, h, w = (tf.shape(images)[i] // (PATCH if i else 1) for i in range(3))
        whole = images[:, : h * PATCH, : w * PATCH]
        patches = tf.reshape(whole, [n, h, PATCH, w, PATCH, 3])
        local_map = tf.math.l2_normalize(tf.reduce_mean(patches, axis=[2, 4]), axis=-1)
        ordered = tf.sort(tf.reshape(local_map, [n, h * w, 3]), axis=1)
        last = h * w - 1
        median = (ordered[:, last // 2] + ordered[:, (last + 1) // 2]) / 2
        light = tf.math.l2_normalize(median, axis=-1)
        gains = (light[:, 1:2] / light)[:, None, None]
        return {"illuminant": light, "local_map": local_map, "corrected": images * gains}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Versions 2 and 10 of the model (and a folder that is none)."""
    folder = tmp_path_factory.mktemp("saved_models") / "dscnn"
    module = GreyWorld()
    for version, view in (("2", "native"), ("10", "whole")):
        signatures = {"serving_default": module.serve}
        tf.saved_model.save(module, str(folder / version), signatures=signatures)
        description = {"patch_size": PATCH, "view": view, "trained_on": "a test"}
        (folder / version / "assets.extra").mkdir()
        file = folder / version / "assets.extra" / "model.json"
        file.write_text(json.dumps(description))
    (folder / "99").mkdir()
    return folder


@pytest.fixture(scope="module")
def estimator(model):
    return wb.WhiteBalance.find(model, "native")


def grey_scene(height=48, width=80, seed=0):
    """Random grey surfaces of 8x8 pixels in one light, float32, linear."""
    size = height // 8 + 1, width // 8 + 1, 1
    grey = np.random.default_rng(seed).uniform(0.1, 0.9, size)
    grey = grey.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return (grey * LIGHT).astype(np.float32)


def write_photo(path, image):
    """Linear into .tif and deep*.png, sRGB into others."""
    if path.suffix == ".tif" or path.name.startswith("deep"):
        write_image(path, quantize(image, np.uint16))
    else:
        srgb = linear_to_srgb(image)
        write_image(path, quantize(srgb, np.uint8))
    return path


def degrees(a, b):
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


run, fails = calls("white-balance")


@pytest.mark.parametrize("view", ["model", "whole", "native", "32"])
def test_a_folder_of_every_kind(tmp_path, capsys, model, view):
    photos, out = tmp_path / "photos", tmp_path / "deep" / "out"
    photos.mkdir()
    names = ("a.jpg", "b.png", "c.tif", "deep.png")
    for name in names:
        write_photo(photos / name, grey_scene())
    captured = run(capsys, photos, "--out", out, "--model", model, "--view", view, "--json")
    assert captured.err == ""
    rows = json.loads(captured.out)
    assert [row["file"] for row in rows] == [str(photos / name) for name in names]
    maps = {"a_map.png", "b_map.png", "c_map.png", "deep_map.png"}
    assert {path.name for path in out.iterdir()} == {*names, *maps}
    for name, row in zip(names, rows):
        assert degrees(row["illuminant"], LIGHT) < 0.3  # JPEG
        assert np.linalg.norm(row["illuminant"]) == pytest.approx(1, abs=1e-5)
        assert row["gains"][1] == 1 and row["width"] == 80 and row["height"] == 48
        corrected, kind = images.read_photo(out / name)
        assert kind == row["kind"] == ("srgb" if name in names[:2] else "linear")
        assert corrected.shape == (48, 80, 3)
        expected = grey_scene()[..., 1:2].repeat(3, -1)
        tolerance = 0.1 if name == "a.jpg" else 0.012  # JPEG rings at edges
        np.testing.assert_allclose(corrected, expected, atol=tolerance)
        assert images.read_photo(row["map"])[0].shape[1] > 3 * 400


def test_table_and_the_same_names_with_two_suffixes(tmp_path, capsys, model):
    write_photo(tmp_path / "one.png", grey_scene())
    write_photo(tmp_path / "one.tif", grey_scene())
    out = tmp_path / "out"
    captured = run(
        capsys, tmp_path / "one.png", tmp_path / "one.tif", "--out", out, "--model", model
    )
    assert "one.png" in captured.out and "80 x 48" in captured.out
    assert "0.802  0.535  0.267" in captured.out.replace("   ", "  ")
    assert {path.name for path in out.iterdir()} == {
        "one.png", "one.png_map.png", "one.tif", "one.tif_map.png"
    }  # fmt: skip


def test_orientation_and_profile_of_a_jpeg(tmp_path, capsys, model):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = tmp_path / "a.jpg"
    write_photo(photo, grey_scene())
    Image.open(photo).save(photo, exif=exif, icc_profile=PROFILE, quality=95)
    run(capsys, photo, "--out", tmp_path / "out", "--model", model)
    with Image.open(tmp_path / "out" / "a.jpg") as corrected:
        assert corrected.size == (48, 80)  # upright in the pixels ...
        assert 0x0112 not in corrected.getexif()  # ... so not turned a second time
        assert corrected.info["icc_profile"] == PROFILE


def test_broken_exif_and_odd_names_in_a_folder(tmp_path, capsys, model):
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    names = ["a.jpg", os.fsdecode(b"caf\xe9.png"), "two\nlines.tif", "IMG [copy] $x$.png"]
    for name in names:
        write_photo(photos / name, grey_scene())
    # the horizontal resolution as text
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    Image.open(photos / "a.jpg").save(photos / "a.jpg", exif=exif)
    captured = run(capsys, photos, "--out", out, "--model", model, "--json")
    rows = json.loads(captured.out)
    assert {row["file"] for row in rows} == {str(photos / name) for name in names}
    assert all(Path(row["corrected"]).is_file() and Path(row["map"]).is_file() for row in rows)
    captured = run(capsys, photos, "--out", out, "--model", model)
    for shown in ("caf\\udce9.png", "two\\nlines.tif", "IMG [copy] $x$.png"):
        assert shown in captured.out


def test_a_light_that_cannot_be_used_is_found_before_anything_is_written(
    tmp_path, capsys, model, good, monkeypatch
):
    second = write_photo(tmp_path / "b.png", grey_scene(width=64))
    lights = {80: LIGHT, 64: np.array([1.0, 0, 0])}
    monkeypatch.setattr(
        wb, "estimate", lambda photo, _: wb.Found(lights[photo.shape[1]], None, None)
    )
    message = fails(capsys, good, second, "--out", tmp_path / "out", "--model", model)
    assert "b.png: the model gave no usable light" in message
    assert not (tmp_path / "out").exists()


def test_16_bits_in_a_file_that_is_called_jpg(tmp_path, capsys, model):
    path = write_photo(tmp_path / "deep.png", grey_scene()).rename(tmp_path / "deep.jpg")
    message = fails(capsys, path, "--out", tmp_path / "out", "--model", model)
    assert "holds a PNG of 16 bits" in message and "the right suffix" in message


def test_bands_give_what_one_call_gives(estimator, monkeypatch):
    image = grey_scene(75, 83) * np.linspace([1, 1, 1], [0.5, 1, 1], 75)[:, None]
    image = image.astype(np.float32)
    light, local_map, covered, _ = wb.estimate(image, estimator)
    assert local_map.shape == (4, 5, 3)
    np.testing.assert_allclose(covered, (64 / 75, 80 / 83))
    monkeypatch.setattr(light_of_one, "BAND_PIXELS", 1)
    banded, banded_map, *_ = wb.estimate(image, estimator)
    np.testing.assert_allclose(banded, light, atol=1e-6)
    np.testing.assert_allclose(banded_map, local_map, atol=2e-6)


def test_patches_mostly_black_have_no_vote_in_bands(estimator, monkeypatch):
    # as in the exported model: keras_gans.dscnn.estimate
    assert light_of_one.MIN_LIT == data.MIN_LIT
    monkeypatch.setattr(light_of_one, "BAND_PIXELS", 1)
    image = np.zeros((5 * PATCH, PATCH, 3), np.float32)
    image[: 3 * PATCH : 3] = [0.1, 0.5, 0.1]  # three patches, a third of each
    image[3 * PATCH :] = [0.6, 0.3, 0.3]
    light, local_map, *_ = wb.estimate(image, estimator)
    assert degrees(light, np.array([2, 1, 1])) < 1e-3
    assert np.isnan(local_map[:, 0, 0]).tolist() == [True] * 3 + [False] * 2
    light, local_map, *_ = wb.estimate(image[: 3 * PATCH], estimator)
    assert degrees(light, np.array([1, 5, 1])) < 1e-3 and not np.isnan(local_map).any()


def test_views(model, estimator):
    image = grey_scene(160, 240)
    shapes = {}
    for view in ("whole", "native", 32, 1000):
        seen = replace(estimator, view=view)
        shapes[view] = wb.estimate(image, seen)[1].shape[:2]
    assert shapes == {"whole": (4, 6), "native": (10, 15), 32: (2, 3), 1000: (10, 15)}
    seen = replace(estimator, view="whole")
    assert wb.estimate(image[:20, :40], seen)[1].shape[:2] == (1, 2)


def test_whole_view_is_the_mean_over_the_scene(estimator):
    # patches of two lights: whole sees their mean, native the median of three to one
    image = np.full((PATCH, 4 * PATCH, 3), 0.5, np.float32)
    image[:, : 3 * PATCH] = [0.6, 0.3, 0.3]
    seen = replace(estimator, view="whole")
    light, local_map, *_ = wb.estimate(image, seen)
    assert degrees(light, np.array([0.575, 0.35, 0.35])) < 1e-3
    assert local_map.shape == (1, 4, 3)
    assert degrees(wb.estimate(image, estimator)[0], np.array([2, 1, 1])) < 1e-3


def test_highest_version_and_a_version_itself(model):
    assert wb.WhiteBalance.find(model).folder.name == "10"
    assert wb.WhiteBalance.find(model).view == "whole"
    assert wb.WhiteBalance.find(model / "2").view == "native"
    assert wb.WhiteBalance.find(model / "2", 99).view == 99


def test_correct_keeps_green_and_clips():
    image = np.array([[[0.4, 0.3, 0.2], [0.9, 0.9, 0.95]]], np.float32)
    corrected = correct(image, [0.4, 0.2, 0.1])
    np.testing.assert_allclose(corrected, [[[0.2, 0.3, 0.4], [0.45, 0.9, 1.0]]], rtol=1e-6)


def test_clipped_white_stays_white_in_photos():
    image = np.array([[[1, 1, 1], [0.95, 1, 1], [0.9, 0.9, 0.9]]], np.float32)
    corrected = correct(image, [2, 1, 1], keep_white=True)
    expected = [[[1, 1, 1], [0.7375, 1, 1], [0.45, 0.9, 0.9]]]
    np.testing.assert_allclose(corrected, expected, atol=1e-5)
    assert correct(image, [2, 1, 1])[0, 0].tolist() == [0.5, 1, 1]


# Bad input --------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path):
    return write_photo(tmp_path / "a_good.png", grey_scene())


def bad_photo(path, what):
    scene = grey_scene()
    if what == "truncated":
        write_photo(path, scene)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 6 // 10])
    elif what == "text":
        path.write_text("not an image")
    elif what == "small":
        write_photo(path, scene[: PATCH - 1])
    elif what == "black":
        write_photo(path, 0 * scene)
    elif what == "nan":
        scene[3, 3, 2] = np.nan
        tifffile.imwrite(path, scene, photometric="rgb")
    return path


@pytest.mark.parametrize(
    "name, what, words",
    [
        ("z.png", "missing", "no such file"),
        ("z.png", "text", "JPEG, PNG or TIFF is expected"),
        ("z.png", "truncated", "truncated or damaged PNG"),
        ("deep.png", "truncated", "truncated or damaged PNG"),
        ("z.jpg", "truncated", "truncated or damaged JPEG"),
        ("z.tif", "truncated", "truncated or damaged TIFF"),
        ("z.png", "small", "smaller than the model's patch: give at least 16 x 16"),
        ("z.jpg", "black", "all black"),
        ("z.tif", "nan", "NaN"),
    ],
)
def test_one_bad_photo_and_nothing_is_written(tmp_path, capsys, model, good, name, what, words):
    path = bad_photo(tmp_path / name, what)
    out = tmp_path / "out"
    message = fails(capsys, good, path, "--out", out, "--model", model)
    assert words in message and str(path) in message
    assert not out.exists()


def test_output_folder(tmp_path, capsys, model, good):
    before = good.read_bytes()
    message = fails(capsys, good, "--out", good, "--model", model)
    assert "a file, where a folder is needed" in message
    message = fails(capsys, good, "--out", good / "below", "--model", model)
    assert "a file, where a folder is needed" in message
    message = fails(capsys, good, "--out", tmp_path, "--model", model)
    assert "would overwrite an input" in message
    assert good.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "out" / f"{good.stem}_map.png").mkdir(parents=True)
    message = fails(capsys, good, "--out", tmp_path / "out", "--model", model)
    assert "_map.png: a folder, where a result goes: move it away" in message
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_read_only_output_folder(tmp_path, capsys, model, good, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    message = fails(capsys, good, "--out", tmp_path / "out", "--model", model)
    assert "not writable" in message


def test_two_inputs_of_one_name(tmp_path, capsys, model, good):
    (tmp_path / "other").mkdir()
    twin = write_photo(tmp_path / "other" / good.name, grey_scene())
    message = fails(capsys, good, twin, "--out", tmp_path / "out", "--model", model)
    assert str(good) in message and str(twin) in message


def test_model_that_cannot_be_used(tmp_path, capsys, model, good):
    def attempt(folder, *more):
        return fails(capsys, good, "--out", tmp_path / "out", "--model", folder, *more)

    assert "train_dscnn.py" in attempt(tmp_path / "nowhere")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"broken")
    assert "model.json: missing" in attempt(tmp_path)
    (tmp_path / "1" / "assets.extra").mkdir()
    description = tmp_path / "1" / "assets.extra" / "model.json"
    description.write_text("{}")
    assert "patch_size" in attempt(tmp_path)
    description.write_text('{"patch_size": 16, "view": "native"}')
    assert "saved_model.pb: truncated or damaged SavedModel" in attempt(tmp_path)
    assert "at least 16" in attempt(model, "--view", "15")


def test_failing_halfway_leaves_complete_files_only(tmp_path, capsys, model, good, monkeypatch):
    second = write_photo(tmp_path / "b.png", grey_scene())
    save = Image.Image.save

    def full_disk(self, file, **kwargs):
        if "b.png" in getattr(file, "name", ""):
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(self, file, **kwargs)

    monkeypatch.setattr(Image.Image, "save", full_disk)
    out = tmp_path / "out"
    message = fails(capsys, good, second, "--out", out, "--model", model)
    assert "b.png: cannot be written (No space left on device)" in message
    assert {path.name for path in out.iterdir()} == {"a_good.png", "a_good_map.png"}


def test_command_line_reports_one_line_and_exit_code_2(tmp_path):
    good = write_photo(tmp_path / "good.png", grey_scene(64, 80))
    path = bad_photo(tmp_path / "deep.png", "truncated")
    command = [sys.executable, "-m", "keras_gans", "white-balance", str(good), str(path)]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"keras_gans: error: {path}: truncated")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["white-balance", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for word in ("PHOTO", "--out", "--model", "--view", "--json"):
        assert word in shown


def test_each_kind_of_photo_has_its_default_model(tmp_path, model, saved_models):
    light = write_photo(tmp_path / "a.jpg", grey_scene())
    linear = write_photo(tmp_path / "b.tif", grey_scene())
    (saved_models / "dscnn").symlink_to(model / "10")  # "whole"
    (saved_models / "dscnn-photos").symlink_to(model / "2")  # "native"
    rows = wb.white_balance([light, linear], tmp_path / "out")
    assert [row["view"] for row in rows] == ["native", "whole"]
    rows = wb.white_balance([light, linear], tmp_path / "out", model=model)
    assert [row["view"] for row in rows] == ["whole", "whole"]


def test_a_model_takes_arrays(estimator):
    rng = np.random.default_rng(0)
    image = rng.uniform(0.1, 0.4, (2 * PATCH, 2 * PATCH, 3)).astype(np.float32)
    corrected, illuminant = estimator(image)
    np.testing.assert_array_equal(illuminant, wb.estimate(image, estimator)[0])
    np.testing.assert_array_equal(corrected, correct(image, illuminant))
    photo = quantize(linear_to_srgb(image), np.uint8)
    shown, light = estimator(photo)
    assert shown.dtype == np.uint8 and shown.shape == photo.shape
    np.testing.assert_allclose(light, illuminant, atol=0.01)
