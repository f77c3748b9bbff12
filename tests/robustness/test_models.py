"""Generated bad input for exported models and for the commands that make something of nothing.

Three outcomes are allowed: the right value, one line that names the file or the input, or what
is documented to be accepted.
"""

import functools
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gans.export.generator
import keras_gans.frgan.export
import keras_gans.text2image.export
from keras_gans.commands import models
from keras_gans.commands.classify import Classifier
from keras_gans.commands.detect import Detector
from keras_gans.commands.draw import Drawer
from keras_gans.commands.generate import Generator
from keras_gans.commands.load import load
from keras_gans.commands.white_balance import WhiteBalance
from keras_gans.errors import InputError, printable
from keras_gans.export import checks
from keras_gans.export.flatbuffer import description, operations
from keras_gans.export.generator import export_generator
from keras_gans.export.runtimes import runner
from keras_gans.frgan.export import export_classifier
from keras_gans.text2image.captions import Vocabulary
from keras_gans.text2image.export import export_text_to_image

SHIPPED = Path(__file__).parents[2] / "saved_models"
LATENT, LABELS = 3, ["crack", "stain"]


# Served models ------------------------------------------------------------------------------


def little_generator(labels):
    z, label = keras.Input((LATENT,)), keras.Input((), dtype="int32")
    values = [z, keras.ops.cast(label, "float32")[:, None]] if labels else [z, z[:, :1]]
    x = keras.layers.Reshape((2, 2, 1))(keras.ops.concatenate(values, axis=-1))
    return keras.Model([z, label] if labels else z, x)


# whose checks another model of the quick tests has too
SECOND = "dscnn-photos", "classifier", "generator"


def first(values):
    """Parameters of tests, (model, ...): those of the second models are slow tests."""
    slow = pytest.mark.slow
    return [pytest.param(*each, marks=slow) if each[0] in SECOND else each for each in values]


def export_little(name, folder):
    """A little network of a room."""
    with pytest.MonkeyPatch.context() as patch:  # what a phone gets is tested elsewhere
        for module, convert in (
            (keras_gans.export.generator, "convert"),
            (keras_gans.frgan.export, "convert_classifier"),
            (keras_gans.text2image.export, "convert_text_to_image"),
        ):
            patch.setattr(module, convert, lambda *_: b"")
            patch.setattr(module, "write_models", lambda *_: {})
        if name == "classifier":
            images = keras.Input((4, 4, 3))
            logits = keras.layers.Dense(2)(keras.layers.Flatten()(images))
            export_classifier(keras.Model(images, logits), LABELS, folder, {}, None)
        elif name == "generator":
            export_generator(little_generator(False), folder, {})
        elif name == "labelled":
            export_generator(little_generator(True), folder, {}, "normal", LABELS)
        elif name == "drawer":
            vectors = keras.Input((4,))
            picture = keras.layers.Reshape((2, 2, 3))(keras.layers.Dense(12)(vectors))
            words = Vocabulary(("", "<unknown>", "red", "grün"), np.eye(4, dtype=np.float32))
            network = keras.Model(vectors, picture)
            export_text_to_image(network, words, folder, {}, length=3)


LITTLE = "classifier", "generator", "labelled", "drawer"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A function from a model, shipped or little, to its signatures by name."""
    base = tmp_path_factory.mktemp("models")

    @functools.cache
    def signatures(name):
        folder = base / name if name in LITTLE else SHIPPED / name
        if name in LITTLE:
            export_little(name, folder)
        return tf.saved_model.load(folder / "1").signatures

    return signatures


def call(served, model, name, **arrays):
    signature = served(model)[name]
    taken = signature.structured_input_signature[1]
    return signature(
        **{each: tf.constant(array, taken[each].dtype) for each, array in arrays.items()}
    )


def picture(height, width, value=0.5, at=None, channels=3, count=1):
    """Grey, or with one value at a place."""
    image = np.full((count, height, width, channels), 0.5, np.float32)
    if at is None:
        image[:] = value
    else:
        image[0, at % height, at % width, at % channels] = value
    return image


RNG = np.random.default_rng(0)
PIXELS = [
    (picture(64, 70, value, at), "finite and from 0 to 1")
    for value in (np.nan, np.inf, -np.inf, -0.02, -1e30, 1.01, 255, 3e38)
    for at in (None, int(RNG.integers(10_000)))
]
SMALL = [
    (picture(height, width), "at least 64x64 pixels")
    for height, width in ((0, 0), (1, 1), (0, 64), (64, 0), (63, 64), (64, 63), (63, 500))
]
NONE = [(picture(64, 64, count=0), "images must be one or more")]
WHOLE = "serving_default"
BAD = [
    *(("dscnn", WHOLE, {"images": image}, text) for image, text in PIXELS + SMALL + NONE),
    *(
        ("dscnn", name, {"images": image}, text)
        for name in ("illuminant", "local_map", "corrected", "native")
        for image, text in (*PIXELS[:4], *SMALL[:2], *NONE)
    ),
    *(("dscnn-photos", WHOLE, {"images": image}, text) for image, text in PIXELS[::3] + SMALL),
    *(
        (model, name, {"images": picture(*size, 0, channels=channels, count=count)}, text)
        for model, channels, names in (
            ("defectgan", 1, (WHOLE, "mask", "score", "cleaned")),
            ("classifier", 3, (WHOLE,)),
            ("frgan-classifier", 3, (WHOLE,)),
        )
        for name in names
        for size, count, text in (
            ((0, 0), 1, "at least 1x1 pixels"),
            ((0, 96), 1, "at least 1x1 pixels"),
            ((5, 0), 2, "at least 1x1 pixels"),
            ((96, 96), 0, "images must be one or more"),
        )
    ),
    *(
        (model, "bytes", {"image_bytes": files}, text)
        for model in ("dscnn", "dscnn-photos", "defectgan", "classifier", "frgan-classifier")
        for files, text in (
            ([], "image_bytes must be one or more"),
            *(
                ([content], "image_bytes must each be a JPEG or a PNG")
                for content in (b"", b"\0", b"no picture", b"GIF89a" + bytes(99), b"\xff\xd8")
            ),
        )
    ),
    # of one size: TensorFlow's own message
    ("defectgan", "tile", {"images": picture(80, 80, 0, channels=1, count=0)}, ""),
    *(
        (model, "bytes", {"seed": [1], "number": [0], **label, **bad}, text)
        for model, label in (
            ("generator", {}),
            ("frgan-generator", {}),
            ("labelled", {"label": [0]}),
        )
        for bad, text in (
            *(({"number": [n]}, "must be from 0 to") for n in (-1, 2**63 - 1)),
            (dict.fromkeys(["seed", "number", *label], []), "a request must be of 1 to 4096"),
        )
    ),
    *(
        (model, WHOLE, {"z": z, **label}, text)
        for model, label in (("generator", {}), ("labelled", {"label": [1, 0]}))
        for z, text in (
            *(
                ([[0, 0, 0], [0, value, 0]], "z must be finite and from -100 to 100")
                for value in (np.nan, np.inf, -np.inf, 101, -1e30)
            ),
            (np.zeros((0, LATENT)), "z must be one or more"),
        )
    ),
    *(
        ("labelled", WHOLE, {"z": [[0, 0, 0]], "label": [label]}, "label must be from 0 to 1")
        for label in (-1, 2, 2**31 - 1, -(2**31))
    ),
    *(
        (model, "from_seed", {"first": 0, "count": 1, "seed": 1, **label, **bad}, text)
        for model, label in (("generator", {}), ("labelled", {"label": -1}))
        for bad, text in (
            *(({"count": n}, "count must be from 1 to 4096") for n in (0, -1, 4097, 2**31 - 1)),
            *(({"first": n}, "first must be from 0 to") for n in (-1, -(2**63), 2**63 - 1)),
        )
    ),
    *(
        ("labelled", "from_seed", {"first": 0, "count": 1, "seed": 1, "label": label},
         "label must be from -1 to 1")
        for label in (-2, 2, 2**31 - 1)
    ),
    *(
        (model, name, {given: captions}, text)
        for model in ("drawer", "text2image")
        for name, given in ((WHOLE, "captions"), ("words", "captions"), ("bytes", "caption"))
        for captions, text in (
            ([], "captions must be one or more"),
            ([""], "captions must each have a word"),
            (["red", " \t\n"], "captions must each have a word"),
            (["?! ..."], "captions must each have a word"),
            (["\0"], "captions must each have a word"),
            ([b"caf\xe9"], "captions must be UTF-8"),
            (["red", b"\xff\xfe"], "captions must be UTF-8"),
            ([b"\xed\xb3\xa9 red"], "captions must be UTF-8"),  # a surrogate
            (["red " * 2501], "captions must be 10000 bytes at most"),
            (["花" * 3334], "captions must be 10000 bytes at most"),
        )
    ),
    ("drawer", WHOLE, {"captions": ["red", "zorp"]}, "captions must each have a word that is"),
    ("frgan-generator", WHOLE, {"z": np.full((1, 100), np.nan)}, "z must be finite"),
    ("frgan-generator", "from_seed", {"first": 0, "count": 0, "seed": 1}, "count must be from"),
]  # fmt: skip


SIGNATURES = sorted({(model, name) for model, name, *_ in BAD})


@pytest.mark.parametrize("model, name", first(SIGNATURES))
def test_a_signature_refuses(served, model, name):
    for *which, arrays, text in BAD:  # in one test: a new seed makes TensorFlow compile anew
        if which == [model, name]:
            with pytest.raises(tf.errors.InvalidArgumentError) as error:
                call(served, model, name, **arrays)
            assert text in error.value.message, arrays


@pytest.mark.slow
def test_every_signature_of_every_model_is_tried(served):
    models = [*LITTLE, *(path.name for path in SHIPPED.iterdir() if path.is_dir())]
    every = {(model, name) for model in models for name in served(model)}
    assert {each for each in every - set(SIGNATURES) if each[0] != "dscnn-photos"} == set()


GOOD = [
    ("dscnn", WHOLE, {"images": picture(64, 64, value)}) for value in (0, 1, checks.BRIGHTEST)
] + [
    ("dscnn-photos", WHOLE, {"images": picture(64, 129, 1, at=7)}),
    ("defectgan", WHOLE, {"images": picture(1, 1, 7, channels=1)}),
    ("defectgan", WHOLE, {"images": picture(200, 3, 255, channels=1)}),
    ("classifier", WHOLE, {"images": picture(1, 1, 7)}),
    ("classifier", WHOLE, {"images": picture(1, 500, 7, count=3)}),
    ("generator", WHOLE, {"z": [[-100, 0, 100]]}),
    ("generator", "from_seed", {"first": 2**63 - 5000, "count": 2, "seed": -(2**63)}),
    ("labelled", "from_seed", {"first": 0, "count": 2, "seed": 2**63 - 1, "label": -1}),
    ("drawer", "words", {"captions": ["zorp"]}),  # whose `known` tells so
    ("drawer", WHOLE, {"captions": ["\ufffd GRÜN", "red" + " x" * 4998]}),
]


@pytest.mark.parametrize("model, name, arrays", first(GOOD))
def test_a_signature_answers_what_is_at_its_limits(served, model, name, arrays):
    for value in call(served, model, name, **arrays).values():
        assert 0 not in value.shape
        assert value.dtype == tf.string or np.isfinite(value.numpy().astype(float)).all()


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_a_phone_gets_nan(precision):
    for name in ("dscnn", "dscnn-photos"):
        file = SHIPPED / name / f"dscnn-{precision}.tflite"
        assert "NaN where H or W is below 64" in description(file)
        assert not any("ASSERT" in op.name or op.name == "CUSTOM" for op in operations(file))
        run = runner(file)
        for image, _ in PIXELS + SMALL:
            assert np.isnan(run(images=image)["illuminant"]).all()
        assert np.isfinite(run(images=picture(64, 70))["illuminant"]).all()


# Descriptions -------------------------------------------------------------------------------

CALIBRATION = {"threshold": 2.5, "peak": 5, "limit": 8.5}
KINDS = {
    WhiteBalance: {"patch_size": 64, "view": "whole"},
    Detector: {"channels": 1, "calibration": CALIBRATION},
    Classifier: {"classes": LABELS},
    Generator: {"latent": 5, "classes": LABELS},
    Drawer: {"vocabulary": 9},
}
ODD = (None, [], {}, "", "7", True, 0, -1, 2.5, 10**400, float("nan"), float("inf"), [[]],
       [None], ["a", 1], ["a", ""], "ab")  # fmt: skip
ACCEPTED = {  # of which a generator without classes is one
    (Generator, "classes"): ([],),
}
WRONG = [
    *((kind, {**good, name: odd}) for kind, good in KINDS.items() for name in good
      for odd in ODD if not any(odd == fine for fine in ACCEPTED.get((kind, name), ()))),
    *((Detector, {"channels": 1, "calibration": {**CALIBRATION, name: odd}})
      for name in CALIBRATION for odd in (*ODD[:6], -1, 256, float("nan"), float("inf"))),
    *((Detector, {"channels": 1, "calibration": CALIBRATION, name: odd})
      for name in ("tile", "reduce", "flatten") for odd in (*ODD[:6], -1, *ODD[8:12], 2**20)),
    *((kind, {n: v for n, v in good.items() if n != name}) for kind, good in KINDS.items()
      for name in good if (kind, name) not in ACCEPTED),
    *((WhiteBalance, {"patch_size": 64, "view": view}) for view in (63, 64.5, 2**21)),
    (Classifier, {"classes": ["a"]}),
]  # fmt: skip
TEXTS = ["", "{", "[" * 100_000, '{"patch_size": ' + "1" * 5000 + "}", "nul", "\ufeff{}",
         '{"a"', "{'patch_size': 64}", '{"patch_size": 64, "view"', "\0" * 40]  # fmt: skip
BYTES = [b"\xff\xfe{\x00}\x00", b'{"classes": ["caf\xe9", "a"]}', os.urandom(100)]


def describe(folder, text):
    folder.joinpath("assets.extra").mkdir(parents=True, exist_ok=True)
    folder.joinpath("saved_model.pb").touch()
    file = folder / "assets.extra" / "model.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    return printable(error.value)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_descriptions(tmp_path, kind):
    """About 200 of them, and what fits is taken."""
    describe(tmp_path, json.dumps(KINDS[kind]))
    assert kind.find(tmp_path).folder == tmp_path and type(load(tmp_path)) is kind
    for _, content in (each for each in WRONG if each[0] is kind):
        file = describe(tmp_path, json.dumps(content))
        assert f"{file}: " in refused(kind.find, tmp_path), content
    for text in (*TEXTS, *BYTES, "null", "[]", "3", '"a"', "NaN", '{"other": 1}'):
        file = describe(tmp_path, text)
        assert f"{file}: " in refused(kind.find, tmp_path), text[:40]
        assert f"{file}: " in refused(load, tmp_path), text[:40]


def test_descriptions_that_are_no_files(tmp_path):
    file = describe(tmp_path, " " * 2**23)
    assert "too large to describe a model" in refused(load, tmp_path)
    file.unlink()
    assert "missing" in refused(load, tmp_path)
    os.mkfifo(file)
    assert "a pipe" in refused(load, tmp_path)
    file.unlink()
    file.mkdir()
    assert "a folder" in refused(load, tmp_path)
    file.rmdir()
    file.symlink_to(file)
    assert "cannot be read" in refused(load, tmp_path)


def test_a_description_is_read_once(tmp_path, monkeypatch):
    describe(tmp_path, json.dumps(KINDS[Drawer]))
    read, count = json.loads, []
    monkeypatch.setattr(json, "loads", lambda text: count.append(1) or read(text))
    load(tmp_path)
    assert len(count) == 1


@pytest.mark.parametrize(
    "name", ["²", "٣", "1" * 200, "9" * 19, "1e3", "-1", "+1", "1 ", "0x1", "¼", "1_0", "v1"]
)
def test_a_version_is_a_plain_number(tmp_path, name):
    describe(tmp_path / name, json.dumps(KINDS[Drawer]))
    assert "no SavedModel in this folder" in refused(load, tmp_path)
    describe(tmp_path / "007", json.dumps(KINDS[Drawer]))
    assert load(tmp_path).folder == tmp_path / "007"


@pytest.mark.parametrize(
    "name", ["", "none", "a\0b", "x" * 5000, "..", "caf\udce9", "a\nb", "[a]", "/dev/null"]
)
def test_a_name_of_no_model(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert "no SavedModel in this folder" in refused(load, name)


# SavedModels --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of a SavedModel with a variable, a table and an asset."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    module = tf.Module()
    module.weight = tf.Variable(np.arange(1000, dtype=np.float32))
    signature = [tf.TensorSpec([None], tf.string, name="captions")]

    @tf.function(input_signature=signature)
    def serve(captions):
        with tf.control_dependencies([tf.debugging.Assert(tf.size(captions) > 0, ["none"])]):
            return {"made": module.weight[: tf.size(captions)]}

    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serve})
    return folder


def load_saved(folder, dtype="string", outputs=("made",), shape=(None,)):
    inputs = {"captions": (dtype, shape)}
    return models.load_signature(folder, "a little", inputs, list(outputs))


VARIABLES = "variables/variables.data-00000-of-00001"
FILES = ("saved_model.pb", VARIABLES, "variables/variables.index")
DAMAGE = [
    *((file, "cut", share) for file in FILES for share in (0, 0.1, 0.5, 0.9, 0.99)),
    *((file, "zero", 0) for file in FILES),
    *((file, "missing", 0) for file in FILES[1:]),
    *((file, "pipe", 0) for file in FILES),
    *((file, "noise", seed) for file in FILES for seed in (0, 1, 2)),
]


@pytest.mark.parametrize("file, how, amount", DAMAGE)
def test_damaged_files(tmp_path, saved, file, how, amount):
    folder = shutil.copytree(saved, tmp_path / "model")
    path, content = folder / file, (folder / file).read_bytes()
    if how == "cut":
        path.write_bytes(content[: int(amount * len(content))])
    elif how == "zero":
        path.write_bytes(bytes(len(content)))
    elif how == "noise":
        path.write_bytes(np.random.default_rng(amount).bytes(len(content)))
    else:
        path.unlink()
    if how == "pipe":
        os.mkfifo(path)
    message = refused(load_saved, folder)
    assert str(folder) in message and ("pipe" in message) == (how == "pipe")


def test_what_a_signature_takes(tmp_path, saved):
    run = load_saved(saved)
    assert run(captions=["a", "b"])["made"].tolist() == [0, 1]
    assert refused(run, captions=[]) == f"{saved}: none"
    for wrong in (3, [[1]], [1.5], "a", [["a"]], ["caf\udce9"], None, [None], object()):
        assert "takes captions, string (N)" in refused(run, captions=wrong), wrong
    assert "takes captions" in refused(run, other=["a"])
    for options in ({"dtype": "int32"}, {"outputs": ["other"]}, {"shape": (None, 2)}):
        assert "not a little SavedModel" in refused(load_saved, saved, **options)


@pytest.mark.parametrize(
    "name", ["a [red]", "a\nb", "grün", "a*?", "%s{}", "花 花", "caf\udce9", "a\\b"]
)
def test_odd_names(tmp_path, saved, name):
    folder = shutil.copytree(saved, tmp_path / name)
    assert load_saved(folder)(captions=["a"])["made"].tolist() == [0]
