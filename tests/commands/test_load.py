import json

import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.commands.classify import Classifier
from keras_gans.commands.detect import Detector
from keras_gans.commands.load import load
from keras_gans.commands.white_balance import WhiteBalance
from keras_gans.errors import InputError

GREY = np.full((80, 80, 3), 120, np.uint8)


def test_a_model_is_what_its_description_says(saved_models):
    assert isinstance(load("dscnn-photos"), WhiteBalance)
    assert isinstance(load("defectgan"), Detector)


def test_a_photo_is_balanced_by_name(saved_models):
    photo = np.full((80, 96, 3), (180, 120, 90), np.uint8)
    corrected, illuminant = keras_gans.load("dscnn-photos")(photo)
    assert corrected.shape == photo.shape and corrected.dtype == np.uint8
    assert illuminant[0] > illuminant[2]  # a warm light


@pytest.mark.parametrize("description", [{}, {"other": 1}, [], 3])
def test_what_is_no_model(tmp_path, description):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "assets.extra" / "model.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="model.json: not the description of a model"):
        load(tmp_path)
    with pytest.raises(InputError, match="no SavedModel in this folder"):
        load("none")


def test_a_command_takes_names_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Classifier.find("frgan-classifier").folder == load("frgan-classifier").folder
    (tmp_path / "frgan-classifier").mkdir()  # a folder goes first
    with pytest.raises(InputError, match="no SavedModel in this folder"):
        Classifier.find("frgan-classifier")


def test_arrays_of_images_are_looked_at_as_lists_are():
    images = keras_gans.generate(3, seed=3)
    labels, probabilities = keras_gans.classify(images)
    assert (probabilities == keras_gans.classify(list(images))[1]).all()
    assert keras_gans.classify(images[0])[0] == labels[:1]


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 32, 32, 3), np.int64), np.full((2, 32, 32, 3), 255.0),
        np.full((2, 32, 32, 3), np.nan), np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((2, 32, 32, 4), np.uint8), np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((2, 0, 0, 3), np.uint8), [], None, "digit.png", Image.new("La", (32, 32)),
    ],
)  # fmt: skip
def test_what_is_no_picture(images):
    with pytest.raises(InputError):
        keras_gans.classify(images)


def test_a_photo_of_another_byte_order():
    photo = np.full((64, 64, 3), (9000, 8000, 7000), np.uint16)
    corrected, _ = keras_gans.white_balance(photo)
    swapped, _ = keras_gans.white_balance(photo.astype(">u2"))
    np.testing.assert_array_equal(swapped, corrected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keras_gans.white_balance(GREY, input="foo"), "input must be srgb or linear"),
        (lambda: keras_gans.white_balance(GREY, strength="full"), "strength must be auto, or"),
        (lambda: keras_gans.white_balance(GREY, strength=None), "strength must be auto, or"),
        (lambda: keras_gans.illuminant(0 * GREY), "all black"),
        (lambda: keras_gans.detect(GREY, min_area=np.nan), "at least 1 pixel. Received: nan"),
        (lambda: keras_gans.detect(GREY, min_area="3"), "at least 1 pixel. Received: '3'"),
        (lambda: keras_gans.detect(GREY, min_area=None), "at least 1 pixel. Received: None"),
        (lambda: keras_gans.detect(GREY, min_area=1.5), "at least 1 pixel. Received: 1.5"),
        (lambda: keras_gans.load(3), "name or folder is expected. Received: 3"),
        (lambda: keras_gans.load(None), "name or folder is expected. Received: None"),
        (lambda: keras_gans.generate(1.5), "count must be a whole number"),
        (lambda: keras_gans.generate("3"), "count must be a whole number"),
        (lambda: keras_gans.generate(1, seed=1.5), "seed must be a whole number"),
        (lambda: keras_gans.draw(5), "sentences are expected, as str"),
        (lambda: keras_gans.draw([]), "sentences are expected, as str"),
        (lambda: keras_gans.draw(["pink", 5]), "sentences are expected, as str"),
        (lambda: keras_gans.draw(["pink", "zzz"]), "'zzz': the model knows none"),
    ],
)
def test_what_python_calls_refuse(call, message):
    with pytest.raises(InputError, match=message):
        call()
