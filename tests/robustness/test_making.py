"""Generated bad input for `generate`, `draw` and `evaluate`, and for the exports of a run."""

import os
import shutil
import tracemalloc

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands import draw as drawing
from keras_gans.commands import generate as generating
from keras_gans.commands.draw import draw
from keras_gans.commands.evaluate import evaluate
from keras_gans.commands.generate import generate
from keras_gans.errors import InputError, printable
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.files import unfinished
from keras_gans.metrics.features import inception_extractor
from tests.commands import test_draw, test_generate

NAMES = ["caf\udce9", "a\nb", "[a] copy", "[bold]", "花 %s {}", "a" * 200, " ", "-x", "a\tb"]


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    return printable(error.value)


# Generate -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generator") / "model"
    test_generate.save_model(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_images_in_a_folder_of_any_name(tmp_path, capsys, generator, name):
    assert generate(tmp_path / name, generator, count=2) == tmp_path / name / "grid.png"
    assert sorted(os.listdir(tmp_path / name)) == ["00001.png", "00002.png", "grid.png"]
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("value", [0, -1, -(2**63), 2**63 - 4999, 2**63, 10**400])
def test_counts_and_seeds(tmp_path, generator, value):
    out = tmp_path / "out"
    assert "--count must be from 1 to" in refused(generate, out, generator, count=value)
    if not 0 <= value < 2**63:
        assert "--seed must be from 0 to" in refused(generate, out, generator, seed=value)
        room = generating.Generator.find(generator)
        assert "seed must be from 0 to" in refused(room, 1, seed=value)
        assert "first must be from 0 to" in refused(room, 1, first=value)
        assert "count must be from 1 to" in refused(room, value)
    assert not out.exists()


def test_a_trillion_images_are_made_one_batch_after_the_other(tmp_path, generator, monkeypatch):
    written, kept = [], generating.write_png

    def write(path, image):
        if len(written) == 99:
            raise KeyboardInterrupt
        written.append(path.name)
        kept(path, image)

    monkeypatch.setattr(generating, "write_png", write)
    tracemalloc.start()
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, generator, count=10**12)
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()
    assert sorted(os.listdir(tmp_path)) == sorted(written) == [
        f"{number:05}.png" for number in range(1, 100)
    ]  # fmt: skip
    for name in written:
        with Image.open(tmp_path / name) as image:
            image.load()


@pytest.mark.parametrize(
    "name, stops",
    [("00001.png", True), ("00024.png", True), ("grid.png", True), ("00025.png", False),
     ("1.png", False), ("000001.png", False), ("00000.png", False), ("٠٠٠٠١.png", False),
     ("00001.PNG", False), ("caf\udce9.png", False), ("a\nb", False),
     ("9" * 200 + ".png", False)],
)  # fmt: skip
def test_no_file_is_overwritten(tmp_path, generator, name, stops):
    (tmp_path / name).symlink_to(tmp_path / "gone")
    if stops:
        message = f"{tmp_path / name}: is there already"
        assert message in refused(generate, tmp_path, generator, count=24)
        assert os.listdir(tmp_path) == [name]
    else:
        generate(tmp_path, generator, count=24)
        assert (tmp_path / name).is_symlink() and not (tmp_path / "gone").exists()


# Draw ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawer(tmp_path_factory):
    return test_draw.save_model(tmp_path_factory.mktemp("drawer") / "model")


@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_any_name(tmp_path, capsys, drawer, name):
    draw(["red"], out=tmp_path / f"{name}.png", model=drawer, words=True)
    draw(["red", "x blue"], out=tmp_path / name, model=drawer)
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"{name}.png", f"{name}_words.png"])
    file = tmp_path / f"{name}.txt"
    file.write_text("zorp red")
    draw(file=file, out=tmp_path / "b.png", model=drawer)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err.count("\n")) == (3, 2)
    assert "words that the model does not know: zorp" in err


SENTENCES = {
    b"": "empty: write a sentence a line",
    b"\n": "line 1: an empty sentence",
    b"\xef\xbb\xbf": "empty",
    b"red\nblue\n\nred": "line 3: an empty sentence",
    "red\n\u3000\u200b\n".encode(): "line 2: no words",
    b"red\n?!\n": "line 2: no words",
    b"\0": "line 1: no words",
    b"red" + b"\0" * 20_000: "line 1: 20003 bytes, where 10000 are allowed",
    b"red\n" + b"x " * 6000: "line 2: 12000 bytes, where 10000 are allowed",
    "花".encode() * 3334: "line 1: 10002 bytes",
    b"red\n" * 100_001: "more than 100000 lines",
    b"\n" * 10**6: "more than 100000 lines",
    b"caf\xe9": "not UTF-8 text",
    "red".encode("utf-16"): "not UTF-8 text",
    b"red\nzorp\n": "line 2: unknown words only (zorp)",
    b"\x1b[31m \x07": "line 1: unknown words only",
    b"\x89PNG\r\n\x1a\n": "not UTF-8 text",
}


@pytest.mark.parametrize("content", SENTENCES, ids=range(len(SENTENCES)))
def test_files_of_sentences(tmp_path, drawer, content):
    file, out = tmp_path / "captions [1].txt", tmp_path / "out"
    file.write_bytes(content)
    message = refused(draw, file=file, out=out, model=drawer)
    assert message.startswith(f"{file}: ") and SENTENCES[content] in message
    assert not out.exists()


def test_files_that_are_none_or_too_large(tmp_path, drawer):
    file = tmp_path / "captions"
    os.mkfifo(file)
    assert "a pipe" in refused(draw, file=file, out=tmp_path / "out", model=drawer)
    file.unlink()
    with open(file, "wb") as opened:
        opened.truncate(2**40)  # of which the disk holds nothing
    assert "more than 64 MB" in refused(draw, file=file, out=tmp_path / "out", model=drawer)
    assert "a folder" in refused(draw, file=tmp_path, out=tmp_path / "out", model=drawer)


def test_sentences_and_sizes(tmp_path, drawer, capsys):
    out = tmp_path / "out"
    for sentence in ("x" * 10_001, "caf\udce9", "\ud800", "", "?"):
        assert "\n" not in refused(draw, ["red", sentence], out=out, model=drawer)
    for size, words in ((7, False), (4097, False), (1025, True), (10**400, False)):
        message = refused(draw, ["red"], out=out, model=drawer, size=size, words=words)
        assert "--size must be" in message
    assert not out.exists()
    draw(["red " * 2500], out=out, model=drawer)  # as long as may be
    assert "2500 words, of which the first 4 are drawn" in capsys.readouterr().err


def test_nothing_is_kept_in_memory_of_many_sentences(tmp_path, drawer, monkeypatch):
    batches = []
    kept = drawing.Drawer.words

    def call(self, sentences):
        batches.append(len(sentences))
        return kept(self, sentences)

    monkeypatch.setattr(drawing.Drawer, "words", call)
    draw(["red"] * 20, out=tmp_path / "out", model=drawer)
    assert batches == [8, 8, 4, 8, 8, 4]  # looked at, then written


# Evaluate -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "caf\udce9 [red]\n"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (40 * number,) * 3).save(folder / f"{number}.png")
    return folder


def network(last, size=8):
    images = keras.Input((size, size, 3))
    return keras.Model(images, last(images))


def wide(x):
    return keras.layers.UpSampling2D(16)(x)


def dense(units=4, value="zeros"):
    pooled = keras.layers.GlobalAveragePooling2D()
    layer = keras.layers.Dense(units, "softmax", kernel_initializer=value)
    return lambda x: layer(pooled(x))


NETWORKS = {
    "lambda": (network(lambda x: keras.layers.Lambda(lambda y: y)(x)), "Lambda layer"),
    "size": (network(dense(), 9), "takes images of 9x9, these are 8x8"),
    "grey": (keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]), "takes"),
    "flat": (keras.Sequential([keras.Input((9,)), keras.layers.Dense(2)]), "takes"),
    "nan": (
        network(lambda x: dense()(keras.layers.Rescaling(float("nan"))(x))),
        "gives NaN or infinity",
    ),
    "large": (
        network(lambda x: keras.layers.Dense(2)(keras.layers.Flatten()(wide(x)))),
        "are allowed",
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_networks(tmp_path, images, name, suffix, recwarn):
    model, text = NETWORKS[name]
    path = tmp_path / f"{name} [a].{suffix}"
    model.save(path)
    recwarn.clear()
    message = refused(evaluate, images, images, network=path, cache=tmp_path / "cache")
    assert text in message and (name in message or "these are" in message)


def junk(kind, path):
    if kind == "pipe":
        return os.mkfifo(path)
    if kind == "folder":
        return path.mkdir()
    if kind == "weights":
        with h5py.File(path, "w") as file:
            file["a"] = np.ones(3)
        return None
    model = network(dense())
    good = path.with_name("good.keras")
    model.save(good)
    content = good.read_bytes()
    cut = {"cut": content[:-9], "half": content[: len(content) // 2], "empty": b"",
           "text": b"no network", "noise": np.random.default_rng(0).bytes(9999),
           "zero": bytes(len(content)), "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(99)}  # fmt: skip
    return path.write_bytes(cut[kind])


KINDS = "pipe folder weights cut half empty text noise zero hdf5".split()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["keras", "h5", "pb"])
def test_files_that_are_no_networks(tmp_path, images, kind, suffix):
    path = tmp_path / f"a.{suffix}"
    junk(kind, path)
    options = {"cache": tmp_path / "cache"}
    assert f"{path}: " in refused(evaluate, images, images, network=path, **options)
    if suffix == "pb" or kind in ("pipe", "folder"):  # the others take seconds
        assert f"{path}: " in refused(inception_extractor, path)


def test_folders_of_any_name_and_a_damaged_cache(tmp_path, images, capsys):
    path, cache = tmp_path / "b.keras", tmp_path / "cache"
    network(dense()).save(path)
    rows = evaluate(images, images, network=path, cache=cache)
    assert rows[0]["value"] == pytest.approx(0, abs=1e-9)
    (kept,) = cache.iterdir()
    content = kept.read_bytes()
    huge = content[:10] + (
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (600000000000, 3), }".ljust(117)
        + b"\n"
    )
    for damaged in (b"", content[:20], content[:-3], huge, b"\x80\x04N.", bytes(200)):
        kept.write_bytes(damaged)
        assert evaluate(images, images, network=path, cache=cache) == rows
        assert kept.read_bytes() == content


# Exports ------------------------------------------------------------------------------------


def export(base):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    x = tf.TensorSpec([None, 2], tf.float32, name="x")
    endpoints = {"serving_default": (lambda x: {"y": model(x)}, [x])}
    return export_saved_model(base, model, endpoints, {"a": "花"})


@pytest.mark.parametrize("name", ["caf\udce9", "a\nb", "[a] copy"])
def test_exports_of_any_name(tmp_path, name):
    base = tmp_path / name
    assert export(base) == base / "1" and (base / "1" / "saved_model.pb").is_file()
    moved = shutil.copytree(base, tmp_path / "plain")
    assert set(tf.saved_model.load(moved / "1").signatures) == {"serving_default"}


def test_versions_beside_odd_names(tmp_path):
    for name in ("²", "٣", "1" * 200, "v7", "1e9", "-4", ".part"):
        (tmp_path / name).mkdir()
    (tmp_path / "4").touch()
    assert export(tmp_path) == tmp_path / "1"


def test_what_a_killed_export_left_is_removed(tmp_path):
    dead = unfinished(tmp_path / "export").name.replace(f"-{os.getpid()}.", "-99999999.")
    for name in (dead, ".export-a1b2c3d4", ".mine"):
        (tmp_path / name / "model").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / ".export-linked00").symlink_to(tmp_path / "outside")
    with output_folder(tmp_path) as (_, mine):
        assert {path.name for path in tmp_path.iterdir()} == {".mine", "outside", mine.name}
    assert not mine.exists()
