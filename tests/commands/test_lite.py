"""The commands on LiteRT: with the shipped models, beside TensorFlow, and without it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.commands import lite
from keras_gans.commands.classify import Classifier
from keras_gans.commands.detect import Detector, with_false_alarms
from keras_gans.commands.draw import Drawer
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.commands.generate import Generator
from keras_gans.commands.white_balance import WhiteBalance, estimate
from keras_gans.errors import InputError
from keras_gans.metrics.angular import angular_errors

SHIPPED = Path(__file__).parents[2] / "saved_models"
RNG = np.random.default_rng(0)
BLOCKS = RNG.uniform(0.1, 0.9, (9, 13, 3)).astype(np.float32).repeat(16, 0).repeat(16, 1)
LEVELS = (255 * BLOCKS).astype(np.uint8)


def both(kind, name, *arguments):
    """A shipped model on LiteRT, and on TensorFlow."""
    on_lite, on_tensorflow = (
        kind.find(SHIPPED / name, *arguments, backend=backend)
        for backend in ("litert", "tensorflow")
    )
    assert on_lite.lite and not on_tensorflow.lite
    return on_lite, on_tensorflow


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dscnn", "dscnn-photos"])
def test_white_balance_is_that_of_tensorflow(name):
    for image in (BLOCKS, LEVELS, BLOCKS[:64, :70]):
        (found, found_map, *_), (expected, expected_map, *_) = (
            estimate(image, model) for model in both(WhiteBalance, name)
        )
        assert angular_errors(expected[None], found[None]).max() <= 0.01
        np.testing.assert_allclose(found_map, expected_map, atol=1e-4)


def test_detection_is_that_of_tensorflow():
    found, expected = both(Detector, "defectgan")
    image = np.clip(RNG.normal(170, 5, (180, 250, 1)), 0, 255).astype(np.uint8)
    image[60:64, 40:90] = 60
    (score, mask, boxes), (other_score, other_mask, other_boxes) = found(image), expected(image)
    assert abs(score - other_score) <= 0.25 and boxes == other_boxes and boxes
    assert (mask != other_mask).mean() <= 0.001


def test_what_good_images_choose_is_that_of_tensorflow(tmp_path):
    dark = RNG.normal(60, 3, (20, 96, 90))
    for number, image in enumerate(dark):
        Image.fromarray(np.uint8(np.rint(image))).save(tmp_path / f"{number}.png")
    wanted = FalseAlarms(tmp_path, 0.05, new_surface=True)
    found, expected = (with_false_alarms(each, wanted) for each in both(Detector, "defectgan"))
    assert abs(found.limit - expected.limit) <= 0.25
    assert found.cut.threshold == pytest.approx(expected.cut.threshold, abs=0.25)
    assert found.cut.threshold != found.calibration.threshold
    image = np.uint8(np.rint(dark[0]))
    image[60:64, 30:70] = 20
    (score, mask, boxes), (other_score, other_mask, _) = found(image), expected(image)
    assert abs(score - other_score) <= 0.25 and mask[60:64, 30:70].mean() > 0.5 and boxes
    assert (mask != other_mask).mean() <= 0.001


def test_classes_are_those_of_tensorflow():
    found, expected = both(Classifier, "frgan-classifier")
    images = [*RNG.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8), LEVELS]
    (labels, probabilities), (other_labels, others) = found(images), expected(images)
    assert labels == other_labels
    np.testing.assert_allclose(probabilities, others, atol=0.01)


def test_images_are_those_of_tensorflow():
    found, expected = both(Generator, "frgan-generator")
    difference = np.abs(found(5, seed=3).astype(int) - expected(5, seed=3))
    assert difference.max() <= 1
    np.testing.assert_array_equal(found(2, seed=3, first=3), found(5, seed=3)[3:])


def test_pictures_are_those_of_tensorflow():
    found, expected = both(Drawer, "text2image")
    sentences = ["this flower is pink", "Pétals: RED! zorp", "a " * 40]
    made, others = found.words(sentences), expected.words(sentences)
    for name in ("words", "known", "count"):
        np.testing.assert_array_equal(made[name], others[name])
    for name in ("images", "pictures"):
        assert np.abs(made[name].astype(int) - others[name]).max() <= 1
    with pytest.raises(InputError, match="each have a word"):
        found(["red", "?"])


WITHOUT = """
import sys

missing = "tensorflow keras scipy pandas sklearn skimage matplotlib gensim tensorboard filelock"
sys.modules.update(dict.fromkeys(missing.split()))  # an import of them now fails
from keras_gans.__main__ import main

for command in {commands}:
    main(command)
"""


def test_the_commands_need_what_is_installed_alone(tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "a.jpg")
    Image.fromarray(LEVELS[..., 0]).save(tmp_path / "b.png")
    commands = [
        ["white-balance", "a.jpg", "--out", "balanced"],
        ["detect", "b.png", "--out", "found"],
        ["classify", "a.jpg", "b.png", "--out", "classes.csv"],
        ["generate", "--count", "3", "--out", "made"],
        ["draw", "this flower is pink", "--out", "flower.png", "--words"],
    ]

    def run(commands):
        program = [sys.executable, "-c", WITHOUT.format(commands=commands)]
        environment = os.environ | {"PYTHONPATH": str(SHIPPED.parent)}
        return subprocess.run(
            program, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    done = run(commands)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("balanced/a_map.png", "found/b_mask.png", "made/grid.png", "flower_words.png"):
        assert (tmp_path / name).is_file()
    (tmp_path / "a.keras").touch()
    done = run([["evaluate", "--real", "made", "--fake", "made", "--network", "a.keras"]])
    assert done.returncode == 2 and "comes with pip install" in done.stderr


def test_a_script_names_what_is_not_installed():
    program = WITHOUT.partition("from keras_gans")[0]
    program += "import runpy\nrunpy.run_path('train_dscnn.py', run_name='__main__')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=SHIPPED.parent, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "this needs tensorflow, which comes with pip install" in done.stderr


def test_a_file_belongs_to_the_newest_version(tmp_path):
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
    assert lite.lite_file(tmp_path / "2") is None
    (tmp_path / "name-float16.tflite").touch()
    assert lite.lite_file(tmp_path / "2").name == "name-float16.tflite"
    (tmp_path / "name-float32.tflite").touch()
    (tmp_path / "name-int8.tflite").touch()
    assert lite.lite_file(tmp_path / "2").name == "name-float32.tflite"
    assert lite.lite_file(tmp_path / "1") is None and lite.lite_file(tmp_path) is None
    (tmp_path / "other-float32.tflite").touch()
    assert lite.lite_file(tmp_path / "2") is None
    assert lite.lite_file(tmp_path / "2", "name").name == "name-float32.tflite"


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(500), b"x" * 99])
def test_damaged_files(tmp_path, content):
    file = tmp_path / "a.tflite"
    file.write_bytes(content)
    with pytest.raises(InputError, match="a.tflite: truncated or damaged TFLite file"):
        lite.load_lite(file, "a", {}, [])


def test_another_model():
    file = SHIPPED / "defectgan" / "defectgan-float32.tflite"
    for inputs in ({}, {"z": ("float32", (1, 4))}, {"images": ("float32", (1, 9, 9, 1))}):
        with pytest.raises(InputError, match="not a classifier's TFLite file"):
            lite.load_lite(file, "a classifier's", inputs, ["probabilities"])


# Arrays -------------------------------------------------------------------------------------


def test_functions_take_arrays_and_pillow_images(tmp_path, monkeypatch):
    photo = Image.fromarray(LEVELS)
    corrected, light = kg.white_balance(photo)
    np.testing.assert_array_equal(corrected, kg.white_balance(LEVELS)[0])
    assert corrected.dtype == np.uint8 and abs(np.linalg.norm(light) - 1) < 1e-9
    linear, other = kg.white_balance(BLOCKS)  # by the model for linear values
    assert linear.dtype == np.float32 and (light != other).any()
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    photo.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        assert kg.white_balance(turned)[0].shape == (*LEVELS.shape[1::-1], 3)
    grey = LEVELS[..., 0]
    scores = [kg.detect(image)[0] for image in (grey, grey[..., None], Image.fromarray(grey))]
    assert scores[0] == scores[1] == scores[2]
    labels, probabilities = kg.classify([photo, LEVELS[:40]])
    assert len(labels) == 2 and probabilities.shape == (2, 10)
    assert kg.generate(2, seed=1).shape == (2, 32, 32, 3)
    assert kg.draw("a red flower").shape == (32, 32, 3)
    assert kg.draw(["a red flower", "pink"]).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 4), np.uint8), np.zeros((64, 64), bool), np.zeros((0, 64, 3), "u1"),
        np.full((64, 64, 3), np.nan), np.full((64, 64, 3), 1.5), np.full((64, 64, 3), -0.5),
        np.zeros((64, 64, 3), np.int64), "photo.jpg", None, Image.new("F", (64, 64)),
        np.zeros((63, 64, 3), np.uint8),
    ],
)  # fmt: skip
def test_other_pictures_are_refused_in_one_sentence(image):
    with pytest.raises(InputError, match="^[^\n]*Received: [^\n]*$"):
        kg.white_balance(image)


def test_a_model_of_another_kind():
    with pytest.raises(InputError, match="defectgan: not a model for this; it is a Detector"):
        kg.white_balance(LEVELS, "defectgan")
