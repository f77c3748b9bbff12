import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands import generate as room
from tests.commands.calls import calls


class Numbers(tf.Module):
    """The signature of an exported generator: flat images of the colour (number, seed, 7)."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels
        shapes = (("first", tf.int64), ("count", tf.int32), ("seed", tf.int64))
        signature = [tf.TensorSpec([], dtype, name=name) for name, dtype in shapes]
        self.serve = tf.function(self.serve, input_signature=signature)

    def serve(self, first, count, seed):
        numbers = first + tf.range(tf.cast(count, tf.int64))
        colour = tf.stack([numbers, 0 * numbers + seed, 0 * numbers + 7], axis=1) % 256
        colour = tf.cast(colour[:, None, None, : self.channels], tf.uint8)
        return {"images": tf.tile(colour, [1, 4, 6, 1])}


def save_model(folder, channels=3):
    module = Numbers(channels)
    tf.saved_model.save(module, str(folder), signatures={"from_seed": module.serve})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "model.json").write_text('{"latent": 5}')


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / "frgan-generator"
    save_model(folder / "3")
    return folder


run, fails = calls("generate")


def test_images_in_batches_and_their_grid(tmp_path, capsys, model, monkeypatch):
    monkeypatch.setattr(room, "BATCH", 2)
    monkeypatch.setattr(room, "GRID_IMAGES", 4)
    out = tmp_path / "deep" / "out"
    captured = run(capsys, "--model", model, "--count", 5, "--seed", 2**40 + 9, "--out", out)
    assert captured.err == ""
    assert captured.out == f"5 images of 6 x 4, seed {2**40 + 9}, and grid.png in {out}\n"
    names = [f"{number:05}.png" for number in range(1, 6)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "grid.png"]
    for number, name in enumerate(names):
        with Image.open(out / name) as image:
            assert image.mode == "RGB" and image.size == (6, 4)
            assert np.unique(np.asarray(image).reshape(-1, 3), axis=0).tolist() == [
                [number, 9, 7]
            ]
    grid = np.asarray(Image.open(out / "grid.png"))
    assert grid.shape == (2 * 64 + 2, 2 * 96 + 2, 3)  # 16 times as large, 2 between them
    assert [grid[y, x, 0] for y in (0, 66) for x in (0, 98)] == [0, 1, 2, 3]


def test_grey_images(tmp_path, capsys):
    save_model(tmp_path / "model", channels=1)
    run(capsys, "--model", tmp_path / "model", "--count", 2, "--out", tmp_path / "out")
    assert (
        np.asarray(Image.open(tmp_path / "out" / "00002.png")).tolist() == [[[1] * 3] * 6] * 4
    )


def test_nothing_is_overwritten(tmp_path, capsys, model):
    options = ["--model", model, "--out", tmp_path / "out", "--count"]
    run(capsys, *options, 2)
    (tmp_path / "out" / "grid.png").rename(tmp_path / "out" / "00004.png")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert "00001.png: is there already" in fails(capsys, *options, 5)
    for name in ("00001.png", "00002.png"):
        (tmp_path / "out" / name).unlink()
    assert "00004.png: is there already" in fails(capsys, *options, 5)
    (tmp_path / "out" / "00004.png").rename(tmp_path / "out" / "grid.png")
    assert "grid.png: is there already: give another --out" in fails(capsys, *options, 1)
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert after == {"grid.png": before[tmp_path / "out" / "00004.png"]}


@pytest.mark.usefixtures("none_installed")
def test_settings_and_folders(tmp_path, capsys, model, saved_models, monkeypatch):
    out, file = tmp_path / "out", tmp_path / "file"
    file.write_text("")
    options = ["--model", model, "--out", out]
    for count in (0, 2**63):
        message = fails(capsys, *options, "--count", count)
        assert f"--count must be from 1 to 9223372036854770808. Received: {count}" in message
    for seed in (-1, 2**63):
        assert f"Received: {seed}" in fails(capsys, *options, "--seed", seed)
    message = fails(capsys, "--model", model, "--out", file)
    assert "a file, where a folder is needed" in message
    assert "no model is given" in fails(capsys, "--out", out)
    (saved_models / "frgan-generator").symlink_to(model)
    run(capsys, "--out", tmp_path / "default", "--count", 1)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "not writable" in fails(capsys, "--out", out)
    assert not out.exists()


def test_model_that_cannot_be_used(tmp_path, capsys):
    folder, out = tmp_path / "model", tmp_path / "out"
    save_model(folder)
    (folder / "saved_model.pb").write_bytes(b"broken")
    message = fails(capsys, "--model", folder, "--out", out)
    assert "saved_model.pb: truncated or damaged SavedModel" in message
    (folder / "assets.extra" / "model.json").write_text(json.dumps({"classes": ["a", "b"]}))
    message = fails(capsys, "--model", folder, "--out", out)
    assert "model.json: not a generator's (latent, and classes if any, are expected)" in message
    assert not out.exists()


def test_failing_halfway_leaves_complete_files_only(tmp_path, capsys, model, monkeypatch):
    kept = Image.Image.save

    def full_disk(self, file, **kwargs):
        if "00003" in file.name:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        kept(self, file, **kwargs)

    monkeypatch.setattr(Image.Image, "save", full_disk)
    message = fails(capsys, "--model", model, "--out", tmp_path)
    assert "00003.png: cannot be written (No space left on device)" in message
    assert {path.name for path in tmp_path.iterdir()} == {"00001.png", "00002.png"}


class Coloured(tf.Module):
    """As `Numbers`, of a generator with classes: the colour is (number, seed, label + 1)."""

    def __init__(self):
        super().__init__()
        shapes = [("first", tf.int64), ("count", tf.int32), ("seed", tf.int64)]
        shapes.append(("label", tf.int32))
        signature = [tf.TensorSpec([], dtype, name=name) for name, dtype in shapes]
        self.serve = tf.function(self.serve, input_signature=signature)

    def serve(self, first, count, seed, label):
        numbers = first + tf.range(tf.cast(count, tf.int64))
        label = tf.cast(label, tf.int64)
        colour = tf.stack([numbers, 0 * numbers + seed, 0 * numbers + label + 1], axis=1)
        colour = tf.cast(colour[:, None, None], tf.uint8)
        return {"images": tf.tile(colour, [1, 4, 6, 1])}


def test_images_of_a_class(tmp_path, capsys, model):
    folder, out = tmp_path / "model", tmp_path / "out"
    module = Coloured()
    tf.saved_model.save(module, str(folder), signatures={"from_seed": module.serve})
    (folder / "assets.extra").mkdir()
    description = {"latent": 5, "classes": ["crack", "stain"]}
    (folder / "assets.extra" / "model.json").write_text(json.dumps(description))
    for name, expected in (("stain", 2), ("crack", 1), (None, 0)):
        options = ["--label", name] if name else []
        run(capsys, "--model", folder, "--count", 1, "--out", out / str(name), *options)
        with Image.open(out / str(name) / "00001.png") as image:
            assert image.getpixel((0, 0)) == (0, 0, expected)
    options = ["--out", out / "none", "--label", "bar", "--model"]
    message = fails(capsys, *options, folder)
    assert "no class 'bar': its classes are crack, stain" in message
    assert "no class 'bar': it has no classes" in fails(capsys, *options, model)
    assert not (out / "none").exists()


COMMAND = """
import sys

sys.modules.update({"keras": None, "keras_gans.layers": None})  # an import of them now fails
from keras_gans.__main__ import main

main(["generate", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_the_command_needs_no_network_code(tmp_path, model):
    command = [sys.executable, "-c", COMMAND, "--model", model, "--out", tmp_path, "--count=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "00001.png").exists()
