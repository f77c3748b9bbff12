import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands import classify
from keras_gans.data.squares import read_levels
from keras_gans.data.write import write_image
from tests.commands.calls import calls

CLASSES = ["red", "grün", "blue"]


class Colour(tf.Module):
    """The signature of an exported classifier: the share of each channel in the middle."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")]
    )
    def serve(self, images):
        light = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])
        shares = light / tf.reduce_sum(light, axis=1, keepdims=True)
        return {
            "probabilities": shares,
            "classes": tf.tile(tf.constant([CLASSES]), [tf.shape(images)[0], 1]),
            "label": tf.gather(tf.constant(CLASSES), tf.argmax(shares, axis=1)),
        }


def save_model(folder, description):
    module = Colour()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "model.json").write_text(json.dumps(description))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Version 10 (and a folder that is none)."""
    folder = tmp_path_factory.mktemp("saved_models") / "frgan-classifier"
    save_model(folder / "10", {"classes": CLASSES, "image_size": 8})
    (folder / "99").mkdir()
    return folder


def save(path, colour, size=(6, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(path)
    return path


run, fails = calls("classify")


def test_files_and_folders_as_json(tmp_path, capsys, model):
    save(tmp_path / "in" / "a.png", (60, 30, 10))
    save(tmp_path / "in" / "b.tif", (10, 60, 30), (5, 4))
    save(tmp_path / "c.bmp", (0, 0, 9))
    alone = save(tmp_path / "d.JPG", (20, 20, 160))
    captured = run(capsys, alone, tmp_path / "in", "--model", model, "--json")
    assert captured.err == ""
    rows = json.loads(captured.out)
    assert [row["file"] for row in rows] == [
        str(tmp_path / name) for name in ("d.JPG", "in/a.png", "in/b.tif")
    ]
    assert rows[0]["label"] == "blue" and rows[0]["probability"] == pytest.approx(0.8, abs=0.02)
    assert rows[1] == {
        "file": str(tmp_path / "in" / "a.png"),
        "width": 9,
        "height": 6,
        "label": "red",
        "probability": 0.6,
        "second": "grün",
        "second_probability": 0.3,
        "probabilities": {"red": 0.6, "grün": 0.3, "blue": 0.1},
    }
    assert (rows[2]["label"], rows[2]["second"], rows[2]["width"]) == ("grün", "blue", 4)
    assert {path.name for path in tmp_path.iterdir()} == {"in", "c.bmp", "d.JPG"}


def test_table_and_csv_that_replaces(tmp_path, capsys, model):
    save(tmp_path / "a.png", (60, 30, 10))
    out = tmp_path / "deep" / "classes.csv"
    for _ in range(2):
        captured = run(capsys, tmp_path, "--model", model, "--out", out)
    line = next(line for line in captured.out.splitlines() if "a.png" in line)
    assert line.split() == ["a.png", "9", "x", "6", "red", "60.0", "grün", "30.0"]
    assert "1 classified; listed in" in captured.out
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["file", "width", "height", "label", "probability", "second", "second_probability"],
        [str(tmp_path / "a.png"), "9", "6", "red", "0.6", "grün", "0.3"],
    ]
    assert [path.name for path in out.parent.iterdir()] == ["classes.csv"]


def test_pixels_of_8_bits_are_read_as_they_are(tmp_path):
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(np.dstack([every, every.T, every[::-1]])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_levels(tmp_path / "a.png"), np.dstack([every, every.T, every[::-1]])
    )
    Image.fromarray(every).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(
        read_levels(tmp_path / "grey.png"), every[..., None].repeat(3, axis=2)
    )
    # linear half is sRGB's 188
    write_image(tmp_path / "deep.png", np.full((4, 4, 3), 32768, np.uint16))
    assert (read_levels(tmp_path / "deep.png") == 188).all()


def test_default_model_and_its_versions(tmp_path, capsys, model, saved_models, none_installed):
    path = save(tmp_path / "a.png", (60, 30, 10))
    message = fails(capsys, path)
    assert "no model is given" in message and "train_frgan.py" in message
    (saved_models / "frgan-classifier").symlink_to(model)
    assert "red" in run(capsys, path).out
    found = [classify.Classifier.find(folder).folder for folder in (model, model / "10")]
    assert found[0] == found[1] == model / "10"


# Bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["missing", "text", "truncated"])
def test_one_bad_image_and_nothing_is_written(tmp_path, capsys, model, what):
    good, bad, out = save(tmp_path / "a.png", 9), tmp_path / "b.png", tmp_path / "new" / "c.csv"
    if what == "text":
        bad.write_text("not an image")
    elif what == "truncated":
        content = save(bad, 9, (40, 40)).read_bytes()
        bad.write_bytes(content[: len(content) // 2])
    message = fails(capsys, good, bad, "--model", model, "--out", out)
    assert str(bad) in message and not out.parent.exists()


def test_csv_that_cannot_be_written(tmp_path, capsys, model):
    image = save(tmp_path / "a.png", 9)
    before = image.read_bytes()

    def attempt(out):
        return fails(capsys, image, "--model", model, "--out", out)

    assert "a folder: name a CSV file" in attempt(tmp_path)
    assert "would overwrite an input" in attempt(image)
    assert "called as an image: name a CSV file" in attempt(tmp_path / "other.JPG")
    assert "a file, where a folder is needed" in attempt(image / "c.csv")
    assert image.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_model_that_cannot_be_used(tmp_path, capsys):
    image, folder = save(tmp_path / "a.png", 9), tmp_path / "model"
    folder.mkdir()

    def attempt():
        return fails(capsys, image, "--model", folder)

    assert "no SavedModel in this folder: train one with `python train_frgan.py`" in attempt()
    (folder / "saved_model.pb").write_bytes(b"broken")
    assert "model.json: missing" in attempt()
    (folder / "assets.extra").mkdir()
    description = folder / "assets.extra" / "model.json"
    for text in ("[]", "{}", '{"classes": "ab"}', '{"classes": ["a"]}', '{"classes": 2}'):
        description.write_text(text)
        assert "model.json: not a classifier's" in attempt()
    description.write_text("{")
    assert "model.json: truncated or damaged JSON file" in attempt()
    description.write_text('{"classes": ["a", "b"]}')
    assert "saved_model.pb: truncated or damaged SavedModel" in attempt()


def test_command_line_reports_one_line_and_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "keras_gans", "classify", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"keras_gans: error: {tmp_path}: no images")
    assert done.stderr.count("\n") == 1
