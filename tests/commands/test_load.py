import json

import numpy as np
import pytest

import keras_gans
from keras_gans.commands.detect import Detector
from keras_gans.commands.load import load
from keras_gans.commands.white_balance import WhiteBalance
from keras_gans.errors import InputError


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
