import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands import draw as room
from tests.commands.calls import calls

W, SIZE = 4, 6
KNOWN = ["red", "green", "grün", "blue"]
GREYS = {"red": 10, "green": 20, "grün": 30, "blue": 40}


class Drawer(tf.Module):
    """The signature of an exported model: a word's picture has its grey level, unknown: 5.

    A sentence's picture is that of its last word, or, with `mixes`, the sum of all.
    """

    def __init__(self, mixes=False):
        super().__init__()
        self.mixes = mixes
        pairs = tf.lookup.KeyValueTensorInitializer(KNOWN, [GREYS[word] for word in KNOWN])
        self.table = tf.lookup.StaticHashTable(pairs, 5)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="captions")])
    def serve(self, captions):
        tokens = tf.strings.split(captions)
        backwards = tokens[:, :W][:, ::-1].to_tensor("", shape=[None, W])
        words = tf.reverse(backwards, [1])  # empty places in front
        greys = tf.where(words == "", 0, self.table.lookup(words))
        pictures = tf.tile(
            tf.cast(greys, tf.uint8)[..., None, None, None], [1, 1, SIZE, SIZE, 3]
        )
        total = tf.cast(tf.reduce_sum(greys, axis=1), tf.uint8)[:, None, None, None]
        mixed = tf.tile(total, [1, SIZE, SIZE, 3])
        return {
            "images": mixed if self.mixes else pictures[:, -1],
            "pictures": pictures,
            "words": words,
            "known": greys > 5,
            "count": tf.cast(tokens.row_lengths(), tf.int32),
        }


def save_model(folder, mixes=False):
    module = Drawer(mixes)
    tf.saved_model.save(module, str(folder), signatures={"words": module.serve})
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "model.json").write_text(json.dumps({"vocabulary": len(KNOWN)}))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_models") / "text2image"
    save_model(folder / "2")
    (folder / "words.txt").write_text("\n".join(["", "<unknown>", *KNOWN]), encoding="utf-8")
    return folder


run, fails = calls("draw")


def grey(path):
    """The one grey level of a picture, and its size."""
    with Image.open(path) as image:
        assert image.mode == "RGB"
        (level,) = np.unique(np.asarray(image))
        return level, image.size


def test_one_sentence_into_a_file_that_is_replaced(tmp_path, capsys, model):
    out = tmp_path / "deep" / "flower.PNG"
    for sentence, level in (("blue", 40), ("blue red", 10)):
        captured = run(capsys, sentence, "--model", model, "--out", out)
        assert (captured.out, captured.err) == (f"1 picture of 6 x 6 in {out}\n", "")
        assert grey(out) == (level, (6, 6))
    assert [path.name for path in out.parent.iterdir()] == ["flower.PNG"]


def test_several_sentences_into_a_folder(tmp_path, capsys, model, monkeypatch):
    monkeypatch.setattr(room, "BATCH", 2)
    sentences = ["blue", "green", "grün", "red", "green blue"]
    captured = run(capsys, *sentences, "--model", model, "--out", tmp_path / "out", "--size=16")
    assert captured.out == f"5 pictures of 16 x 16 in {tmp_path / 'out'}\n"
    assert captured.err == ""
    levels = [40, 20, 30, 10, 40]
    for number, level in enumerate(levels, 1):
        assert grey(tmp_path / "out" / f"{number:05}.png") == (level, (16, 16))
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_file_of_sentences(tmp_path, capsys, model):
    file = tmp_path / "captions.txt"
    file.write_bytes("\ufeffgrün\r\nthe blue\r\n".encode())  # as Windows' editor writes it
    captured = run(capsys, "--file", file, "--model", model, "--out", tmp_path / "out")
    assert captured.err == f"{file}: line 2: words that the model does not know: the\n"
    assert [grey(tmp_path / "out" / f"0000{i}.png")[0] for i in (1, 2)] == [30, 40]
    file.write_text("red")
    run(capsys, "--file", file, "--model", model, "--out", tmp_path / "a.png")
    assert grey(tmp_path / "a.png")[0] == 10


def test_unknown_and_too_many_words_are_told(tmp_path, capsys, model):
    out = tmp_path / "a.png"
    captured = run(capsys, "a red a b", "--model", model, "--out", out)
    assert captured.err == '"a red a b": words that the model does not know: a, b\n'
    captured = run(capsys, "red blue green red blue", "--model", model, "--out", out)
    assert captured.err == (
        '"red blue green red blue": 5 words, of which the first 4 are drawn\n'
    )


def test_strip_of_words(tmp_path, capsys, model):
    captured = run(capsys, "red x", "--words", "--model", model, "--out", tmp_path / "a.png")
    assert "does not know: x" in captured.err
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a_words.png"}
    strip = np.asarray(Image.open(tmp_path / "a_words.png"))
    # two words, the padding is left out; sides of 66, eleven times 6
    assert strip.shape == (22 + 66 + 4, 2 * (66 + 4) + 4, 3)
    assert np.unique(strip[22:88, 4:70]).tolist() == [10]
    assert np.unique(strip[22:88, 74:140]).tolist() == [5]
    assert np.unique(strip[88:]).tolist() == np.unique(strip[22:, 70:74]).tolist() == [255]
    assert strip[:22, :70].min() < 60  # a known word is black, an unknown one grey
    assert 150 < strip[:22, 72:].min() < 200


def test_strip_of_a_model_that_mixes_words(tmp_path):
    module = Drawer(mixes=True)
    made = {k: v.numpy()[0] for k, v in module.serve(tf.constant(["red green"])).items()}
    strip = room.word_strip(made, size=20)
    row = strip[30, :, 0]
    assert strip.shape[0] == 22 + 20 + 4
    starts = [level for i, level in enumerate(row) if level != 255 and row[i - 1] == 255]
    assert starts == [10, 20, 30] and (row != 255).sum() == 60
    alone = {k: v.numpy()[0] for k, v in module.serve(tf.constant(["red"])).items()}
    assert room.word_strip(alone, size=20).shape[1] < 40  # all is red: said once
    long = dict(made, words=np.array([b"", b"", b"x" * 40, b"red"], object))
    wide = room.word_strip(long, size=20)
    assert wide.shape[1] > 200  # room for the word
    accents = [room.word_strip(dict(alone, words=alone["words"][:3].tolist() + [word.encode()]))
               for word in ("grün", "grën", "жук", "жуг")]  # fmt: skip
    assert len({strip.tobytes() for strip in accents}) == 4  # no box for a letter


def test_folder_keeps_its_files(tmp_path, capsys, model):
    options = ["--model", model, "--out", tmp_path, "--words"]
    run(capsys, "red", *options)
    (tmp_path / "00001.png").rename(tmp_path / "00002.png")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert "00001_words.png: is there already" in fails(capsys, "blue", *options)
    assert "00002.png: is there already" in fails(capsys, "blue", "red", *options)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


# Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence, message",
    [
        ("", '"": an empty sentence has no picture'),
        (" \t", '"": an empty sentence has no picture'),
        ("zorp 花", '"zorp 花": unknown words only (zorp, 花): the model knows 4 words;'),
        ("zorp\n" * 30, f'"{11 * "zorp "}zo...": unknown words only (zorp): the model knows 4'),
        ("caf\udce9", '"caf?": not UTF-8 text'),
    ],
)  # fmt: skip
def test_a_sentence_that_cannot_be_drawn(tmp_path, capsys, model, sentence, message):
    out = tmp_path / "out"
    assert message in fails(capsys, "red", sentence, "--model", model, "--out", out)
    assert not out.exists()


def test_file_that_cannot_be_used(tmp_path, capsys, model):
    file, out = tmp_path / "in" / "captions.png", tmp_path / "out"
    options = ["--file", file, "--model", model, "--out"]
    assert "captions.png: cannot be read (No such file" in fails(capsys, *options, out)
    file.parent.mkdir()
    for content, message in ((b"", "captions.png: empty: write a sentence a line"),
                             (b"red\n\nred\n", "captions.png: line 2: an empty sentence"),
                             (b"red\nzorp\n", "line 2: unknown words only (zorp)"),
                             (b"gr\xfcn\n", "captions.png: not UTF-8 text")):  # fmt: skip
        file.write_bytes(content)
        assert message in fails(capsys, *options, out)
    file.write_text("red")
    assert "--file is instead of sentences" in fails(capsys, "blue", *options, out)
    assert "would overwrite an input" in fails(capsys, *options, file)
    file.rename(file.with_name("00001.png"))
    options[1] = file.with_name("00001.png")
    assert "would overwrite an input" in fails(capsys, *options, file.parent)
    assert file.with_name("00001.png").read_text() == "red" and not out.exists()


@pytest.mark.usefixtures("none_installed")
def test_settings_and_folders(tmp_path, capsys, model, saved_models, monkeypatch):
    out, file = tmp_path / "out", tmp_path / "file"
    file.write_text("")
    options = ["--model", model, "--out"]
    assert "no sentence is given: write one in quotes" in fails(capsys, *options, out)
    message = fails(capsys, "red", "blue", *options, tmp_path / "a.png")
    assert "a.png: one picture, but there are 2 sentences: put a sentence in quotes" in message
    assert "pictures are PNG" in fails(capsys, "red", *options, tmp_path / "a.jpg")
    assert "a file, where a folder is needed" in fails(capsys, "red", *options, file)
    for size in (7, 4097):
        assert f"Received: {size}" in fails(capsys, "red", *options, out, "--size", size)
    (tmp_path / "b_words.png").mkdir()
    message = fails(capsys, "red", "--words", *options, tmp_path / "b.png")
    assert "b_words.png: a folder: give another --out" in message
    message = fails(capsys, "red", "--out", out)
    assert "no model is given" in message and "python train_text2image.py" in message
    (saved_models / "text2image").symlink_to(model)
    run(capsys, "red", "--out", tmp_path / "default.png")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "not writable" in fails(capsys, "red", *options, out)
    assert not out.exists()


def test_model_that_cannot_be_used(tmp_path, capsys):
    folder, out = save_model(tmp_path / "model"), tmp_path / "out"
    (folder / "saved_model.pb").write_bytes(b"broken")
    message = fails(capsys, "red", "--model", folder, "--out", out)
    assert "saved_model.pb: truncated or damaged SavedModel" in message
    (folder / "assets.extra" / "model.json").write_text('{"latent": 5}')
    message = fails(capsys, "red", "--model", folder, "--out", out)
    assert "not a text-to-image model's (vocabulary is expected)" in message
    assert not out.exists()


def test_failing_halfway_leaves_complete_files_only(tmp_path, capsys, model, monkeypatch):
    kept = Image.Image.save

    def full_disk(self, file, **kwargs):
        if "00002" in file.name:
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        kept(self, file, **kwargs)

    monkeypatch.setattr(Image.Image, "save", full_disk)
    message = fails(capsys, "red", "blue", "--model", model, "--out", tmp_path)
    assert "00002.png: cannot be written (No space left on device)" in message
    assert {path.name for path in tmp_path.iterdir()} == {"00001.png"}


COMMAND = """
import sys

# an import of them now fails
sys.modules.update({"keras": None, "keras_gans.layers": None})
from keras_gans.__main__ import main

main(["draw", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_the_command_needs_no_network_code(tmp_path, model):
    out = tmp_path / "a.png"
    command = [sys.executable, "-c", COMMAND, "grün", "--model", model, "--out", out, "--words"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert out.exists()
