import csv
import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.__main__ import main
from keras_gans.commands.detect import REPORT, Detector, keep_large, with_false_alarms
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.commands.overlay import OUTLINE, draw_overlay
from keras_gans.commands.pieces import step_and_margin
from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.lite import WHOLE
from keras_gans.defectgan.view import View
from tests.commands.calls import calls
from tests.defectgan.fakes import boxes

LIMIT = 200
CALIBRATION = {"threshold": 50.0, "peak": 0.0, "limit": LIMIT}


class Bright(tf.Module):
    """The signature of an exported DefectGAN, to which everything bright is a defect."""

    def __init__(self, channels):
        super().__init__()
        images = tf.TensorSpec([None, None, None, channels], tf.uint8, name="images")
        self.serve = tf.function(self.serve, input_signature=[images])

    def serve(self, images):
        brightest = tf.reduce_max(images, axis=3)
        return {
            "cleaned": images,
            "difference": tf.cast(brightest, tf.float32),
            "mask": tf.where(brightest > LIMIT, tf.constant(255, tf.uint8), 0),
            "score": tf.reduce_max(tf.cast(brightest, tf.float32), axis=[1, 2]),
        }


def save_model(folder, channels):
    module = Bright(channels)
    signatures = {"serving_default": module.serve}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    (folder / "assets.extra").mkdir()
    description = {"channels": channels, "tile": 32, "calibration": CALIBRATION}
    (folder / "assets.extra" / "model.json").write_text(json.dumps(description))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Version 2 for colour and version 10 for grey images (and a folder that is none)."""
    folder = tmp_path_factory.mktemp("saved_models") / "defectgan"
    save_model(folder / "2", 3)
    save_model(folder / "10", 1)
    (folder / "99").mkdir()
    return folder


def surface(*defects, size=(20, 30)):
    """Grey 100 with defects (x0, y0, x1, y1) of 250: uint8 (H, W)."""
    pixels = np.full(size, 100, np.uint8)
    for x0, y0, x1, y1 in defects:
        pixels[y0:y1, x0:x1] = 250
    return pixels


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


run, fails = calls("detect")


def test_a_folder_of_every_kind(tmp_path, capsys, model):
    found = [(3, 4, 9, 8), (12, 10, 30, 20)]
    for name in ("a.bmp", "b.png", "c.tif"):
        save(tmp_path / "in" / name, surface(*found))
    save(tmp_path / "in" / "d.jpg", surface(size=(7, 5)))
    save(tmp_path / "in" / "E.PNG", surface((0, 0, 2, 1))[..., None].repeat(3, axis=2))
    (tmp_path / "in" / "notes.txt").write_text("")
    out = tmp_path / "deep" / "out"
    captured = run(capsys, tmp_path / "in", "--out", out, "--model", model, "--json")
    assert captured.err == ""
    rows = {row["file"].rsplit("/", 1)[1]: row for row in json.loads(captured.out)}
    assert sorted(rows) == ["E.PNG", "a.bmp", "b.png", "c.tif", "d.jpg"]
    pictures = {f"{name}_{kind}.png" for name in "abcdE" for kind in ("mask", "overlay")}
    assert {path.name for path in out.iterdir()} == {"detections.csv", *pictures}
    for name in ("a.bmp", "b.png", "c.tif"):
        assert rows[name] == {
            "file": str(tmp_path / "in" / name),
            "width": 30,
            "height": 20,
            "score": 250,
            "defective": True,
            "mask_area": 180 + 24,
            "mask_share": round(204 / 600, 6),
            "boxes": [[12, 10, 30, 20], [3, 4, 9, 8]],
            "overlay": str(out / f"{name[0]}_overlay.png"),
            "mask": str(out / f"{name[0]}_mask.png"),
        }
        with Image.open(rows[name]["mask"]) as mask:
            assert mask.mode == "L"
            np.testing.assert_array_equal(mask, 255 * (surface(*found) == 250))
        with Image.open(rows[name]["overlay"]) as overlay:
            assert overlay.mode == "RGB" and overlay.size == (30, 20)
    assert rows["E.PNG"]["boxes"] == [[0, 0, 2, 1]]
    free = rows["d.jpg"]
    assert (free["defective"], free["mask_area"], free["boxes"]) == (False, 0, [])


def test_csv_and_table(tmp_path, capsys, model):
    save(tmp_path / "a.png", surface((3, 4, 9, 8), (12, 10, 30, 20)))
    save(tmp_path / "b.png", surface())
    out = tmp_path / "out"
    captured = run(capsys, tmp_path / "b.png", tmp_path, "--out", out, "--model", model)
    with open(out / "detections.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["file", "width", "height", "score", "defective", "mask_area", "mask_share", "boxes"],
        [str(tmp_path / "b.png"), "30", "20", "100.0", "0", "0", "0.0", ""],
        [str(tmp_path / "a.png"), "30", "20", "250.0", "1", "204", "0.34",
         "12 10 30 20; 3 4 9 8"],
    ]  # fmt: skip
    assert "above 200 is a defect" in captured.out and "1 of 2 defective" in captured.out
    line = next(line for line in captured.out.splitlines() if "a.png" in line)
    assert line.split() == ["a.png", "30", "x", "20", "250.0", "yes", "2", "34.00"]


def test_fail_on_defect(tmp_path, capsys, model):
    good, bad = (
        save(tmp_path / "a.png", surface()),
        save(tmp_path / "b.png", surface([2, 2, 4, 5])),
    )
    options = ["--out", tmp_path / "out", "--model", model, "--fail-on-defect"]
    run(capsys, good, *options)
    with pytest.raises(SystemExit) as stop:
        main(["detect", *map(str, [good, bad, *options])])
    assert stop.value.code == 1 and "1 of 2 defective" in capsys.readouterr().out
    run(capsys, bad, *options, "--min-area", "7")
    assert not np.asarray(Image.open(tmp_path / "out" / "b_mask.png")).any()
    with pytest.raises(SystemExit, match="1"):
        main(["detect", *map(str, [bad, *options, "--min-area", "6"])])


def test_grey_images_for_a_model_of_colours(tmp_path, capsys, model):
    save(tmp_path / "grey.png", surface((3, 4, 9, 8)))
    colour = surface((3, 4, 9, 8))[..., None] // np.array([1, 2, 3], np.uint8)
    save(tmp_path / "red.png", colour)
    options = ["--out", tmp_path / "out", "--json", "--model"]
    rows = json.loads(run(capsys, tmp_path, *options, model / "2").out)
    assert [row["boxes"] for row in rows] == [[[3, 4, 9, 8]]] * 2
    overlay = np.asarray(Image.open(tmp_path / "out" / "red_overlay.png"))
    np.testing.assert_array_equal(overlay[15], colour[15])


def test_keep_large_agrees_with_boxes():
    mask = np.random.default_rng(0).random((40, 50)) > 0.7
    for min_area in (1, 4, 10**4):
        kept, found = keep_large(mask, min_area)
        expected = [box for box in boxes(mask) if box.area >= min_area]
        assert sorted(found) == sorted(list(box[:4]) for box in expected)
        assert kept.sum() == sum(box.area for box in expected)
        assert not (kept & ~mask).any()
        assert found[:1] == [list(box[:4]) for box in expected[:1]]
    kept, _ = keep_large(mask, 1)
    np.testing.assert_array_equal(kept, mask)


def test_a_large_image_goes_through_in_pieces(tmp_path, monkeypatch, model):
    image = surface((3, 4, 9, 8), (62, 10, 130, 20), (100, 70, 102, 75), size=(90, 140))
    detector = Detector.find(model)
    whole = detector(image[..., None])
    cut = dataclasses.replace(detector.calibration, threshold=110.0, peak=240.0, reach=9)
    recut = dataclasses.replace(detector, cut=cut)
    whole_recut = recut(image[..., None])
    difference = detector.signature(images=image[None, ..., None])["difference"]
    monkeypatch.setattr("keras_gans.commands.detect.PIECE", 60)
    score, mask, found = detector(image[..., None])
    assert (score, found) == (whole[0], whole[2]) and len(found) == 3
    np.testing.assert_array_equal(mask, whole[1])
    np.testing.assert_array_equal(recut(image[..., None])[1], whole_recut[1])
    np.testing.assert_array_equal(recut.difference(image[..., None]), difference[0])
    assert whole_recut[1].sum() > mask.sum()  # dilated
    mean = dataclasses.replace(detector.calibration, score_pixels=4096)
    score = dataclasses.replace(detector, calibration=mean)(image[..., None])[0]
    assert score == pytest.approx(np.sort(np.ravel(difference))[-4096:].mean())
    assert score != whole[0]


def test_what_depends_on_all_of_an_image_goes_through_at_once(tmp_path, monkeypatch):
    step, margin = step_and_margin(View(64, None, 2, WHOLE), {"reach": 5})
    seen = []

    def signature(images):
        seen.append(images.shape)
        height, width = images.shape[1:3]
        return {"score": [9.0], "mask": np.full((1, height, width), 255, np.uint8)}

    detector = Detector(tmp_path, 1, 1.0, step, margin, view=View(64, None, 2, WHOLE))
    vars(detector)["signature"] = signature
    monkeypatch.setattr("keras_gans.commands.detect.PIECE", 60)
    score, mask, _ = detector(np.zeros((900, 800, 1), np.uint8))
    assert seen == [(1, 900, 800, 1)] and score == 9 and mask.all()


def test_good_images_of_a_new_surface_choose_what_masks_are_cut_by(tmp_path, capsys, model):
    """By itself the model sees what is above 200; here 30 to 59 are good."""
    for number in range(19):
        levels = np.arange(600).reshape(20, 30) % 30 + 30
        save(tmp_path / "good" / f"{number}.png", levels.astype(np.uint8))
    bad = surface((3, 4, 9, 8)) // 4 + np.uint8(30)  # 55, a defect of 92
    options = [save(tmp_path / "a.png", bad), "--out", tmp_path / "out", "--json"]
    options += ["--model", model, "--good", tmp_path / "good"]
    (row,) = json.loads(run(capsys, *options).out)
    assert (row["score"], row["boxes"]) == (92, [])
    (row,) = json.loads(run(capsys, *options, "--new-surface").out)
    assert (row["score"], row["boxes"]) == (92, [[2, 3, 10, 9]])  # dilated by 1
    detector = Detector.find(model)
    found = with_false_alarms(detector, FalseAlarms(tmp_path / "good", 0.05, True))
    assert (found.limit, found.cut.threshold, found.cut.peak) == (59, 59, 59)
    assert found.cut.reach == detector.calibration.reach
    halves = dataclasses.replace(
        detector, rule=CalibrationRule(quantile=0.5, peak_quantile=0.8, floor=50.0)
    )
    found = with_false_alarms(halves, FalseAlarms(tmp_path / "good", 0.05, True))
    assert (found.cut.threshold, found.cut.peak) == (50, 53)  # the floor for 44


def test_overlay_by_hand():
    image = np.full((5, 6, 1), 100, np.uint8)
    mask = np.zeros((5, 6), bool)
    mask[2, 0] = True
    overlay = draw_overlay(image, mask)
    assert overlay.shape == (5, 6, 3) and overlay.dtype == np.uint8
    red, untouched = list(OUTLINE), [100] * 3
    assert overlay[2, 0].tolist() == [146, 82, 82]  # 0.7 x 100 + 0.3 x (255, 40, 40)
    around = [(1, 0), (1, 1), (2, 1), (3, 0), (3, 1)]
    assert all(overlay[place].tolist() == red for place in around)
    assert (overlay == untouched).all(axis=2).sum() == 30 - 6
    assert (image == 100).all()


def test_highest_version_and_a_version_itself(model, saved_models):
    assert Detector.find(model).folder.name == "10"
    found = Detector.find(model / "2")
    assert (found.folder.name, found.channels, found.limit) == ("2", 3, LIMIT)
    (saved_models / "defectgan").symlink_to(model)
    assert Detector.find().folder.name == "10"


# Bad input --------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path):
    return save(tmp_path / "a_good.png", surface())


def bad_image(path, what):
    if what == "text":
        path.write_text("not an image")
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "truncated":
        noise = np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)
        content = save(path, noise).read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif what == "deep":
        save(path, np.zeros((9, 9), np.uint16))
    elif what == "alpha":
        save(path, np.zeros((9, 9, 4), np.uint8))
    elif what == "colour":
        save(path, np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    return path


@pytest.mark.parametrize(
    "name, what, words",
    [
        ("z.png", "missing", "no such file"),
        (
            "z.gif",
            "text",
            "not an image that can be read (.jpg .jpeg .png .tif .tiff .bmp are)",
        ),
        ("z.bmp", "text", "JPEG, PNG, TIFF or BMP is expected"),
        ("z.png", "empty", "an empty file"),
        ("z.png", "truncated", "truncated or damaged PNG"),
        ("z.tif", "deep", "16 bits a channel, 8 are expected"),
        ("z.png", "alpha", "has an alpha channel"),
        ("z.png", "colour", "the model knows grey images only: convert it to grey"),
    ],
)
def test_one_bad_image_and_nothing_is_written(tmp_path, capsys, model, good, name, what, words):
    path, out = bad_image(tmp_path / name, what), tmp_path / "out"
    message = fails(capsys, good, path, "--out", out, "--model", model)
    assert words in message and str(path) in message
    assert not out.exists()


def test_folders_and_settings(tmp_path, capsys, model, good):
    before = good.read_bytes()
    (tmp_path / "empty").mkdir()
    options = ["--model", model, "--out"]
    assert "no images" in fails(capsys, tmp_path / "empty", *options, tmp_path / "out")
    message = fails(capsys, good, *options, tmp_path / "out", "--min-area", 0)
    assert "--min-area must be whole, at least 1 pixel. Received: 0" in message
    message = fails(capsys, good, *options, tmp_path / "out", "--false-alarms", 0.1)
    assert "--false-alarms is for --good" in message
    message = fails(capsys, good, *options, tmp_path / "out", "--new-surface")
    assert "--new-surface is for --good" in message
    for out in (good, good / "below"):
        message = fails(capsys, good, *options, out)
        assert "a file, where a folder is needed" in message
    assert good.read_bytes() == before and len(list(tmp_path.iterdir())) == 2
    for name in (REPORT, f"{good.stem}_mask.png"):
        (tmp_path / name / name).mkdir(parents=True)
        message = fails(capsys, good, *options, tmp_path / name)
        assert f"{name}: a folder, where a result goes: move it away" in message
        assert len(list((tmp_path / name).iterdir())) == 1


def test_read_only_output_folder(tmp_path, capsys, model, good, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    message = fails(capsys, good, "--out", tmp_path / "out", "--model", model)
    assert "not writable" in message


def test_results_never_take_the_place_of_inputs_or_of_each_other(tmp_path, capsys, model):
    first = save(tmp_path / "a.png", surface())
    options = ["--model", model, "--out"]
    for twin in (tmp_path / "a.bmp", tmp_path / "other" / "A.png"):
        save(twin, surface())
        message = fails(capsys, first, twin, *options, tmp_path / "out")
        assert str(first) in message and str(twin) in message and "rename one" in message
    earlier = save(tmp_path / "a_mask.png", surface())
    message = fails(capsys, first, earlier, *options, tmp_path)
    assert f"{earlier}: would overwrite an input" in message
    assert not (tmp_path / "out").exists()


def test_model_that_cannot_be_used(tmp_path, capsys, model, good, saved_models):
    folder = saved_models / "defectgan"

    def attempt(*options):
        return fails(capsys, good, "--out", tmp_path / "out", *options)

    assert "train_defectgan.py" in attempt("--model", folder)
    save_model(folder, 1)
    description = folder / "assets.extra" / "model.json"
    fitting = description.read_text()
    description.write_text(fitting.replace('"channels": 1', '"channels": 3'))
    assert "not a DefectGAN's SavedModel" in attempt()
    others = "[]", '{"patch_size": 64}', fitting.replace('"channels": 1', '"channels": 2')
    for text in others:
        description.write_text(text)
        assert "model.json: not a DefectGAN's" in attempt()
    description.write_text(fitting)
    (folder / "saved_model.pb").write_bytes(b"broken")
    assert "saved_model.pb: truncated or damaged SavedModel" in attempt()
    description.unlink()
    assert "model.json: missing" in attempt()
    assert not (tmp_path / "out").exists()


def test_failing_halfway_leaves_complete_files_only(tmp_path, capsys, model, monkeypatch):
    paths = [save(tmp_path / name, surface()) for name in ("a.png", "b.png")]
    kept = Image.Image.save

    def full_disk(self, file, *args, **kwargs):
        if "b_mask" in file.name:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        kept(self, file, *args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", full_disk)
    out = tmp_path / "out"
    message = fails(capsys, *paths, "--out", out, "--model", model)
    assert "b_mask.png: cannot be written (No space left on device)" in message
    names = {path.name for path in out.iterdir()}
    assert names == {"a_mask.png", "a_overlay.png", "b_overlay.png"}


def test_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["detect", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for word in ("IMAGE", "--out", "--model", "--min-area", "--fail-on-defect", "--json"):
        assert word in shown
