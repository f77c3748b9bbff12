from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from keras_gans.defectgan.callbacks import CleaningMonitor, diagnosis
from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.defectgan.view import View

TILE = 24


@pytest.mark.parametrize(
    "change_ng, change_p, likeness, expected",
    [
        (30.0, 5.0, 0.9, ""),
        (30.0, 5.0, -0.4, "inverted (likeness -0.40); try --identity-weight"),
        (0.0, 0.0, -0.01, "inverted"),
        (30.0, 5.0, 0.3, "unlike the images (likeness 0.30)"),
        (0.7, 0.2, 1.0, "does nothing (it changes defective images by 0.70"),
        (20.0, 20.0, 0.9, "defective images (20.0 grey levels) no more than"),
        (20.0, 19.5, 0.9, "no more than defect-free ones (19.5)"),
        (21.0, 19.5, 0.9, ""),
        (0.5, 30.0, 0.9, "no more than"),
    ],
)
def test_diagnosis(change_ng, change_p, likeness, expected):
    found = diagnosis(change_ng, change_p, likeness)
    assert (expected in found) if expected else not found
    assert "\n" not in found


def gan(change, steps):
    images = keras.Input((None, None, 1))
    return SimpleNamespace(
        averaged=keras.Model(images, change(images)),
        g_optimizer=SimpleNamespace(iterations=steps),
    )


def surfaces(train=(True,) * 6 + (False,) * 4):
    """Textures of greys up to 120; every second one has a square of 200 in it."""
    rng = np.random.default_rng(0)
    images = list(rng.integers(40, 121, (10, 30, TILE, 1), np.uint8))
    masks = [None] * 10
    for number in range(0, 10, 2):
        images[number][10:25, 5:20] = 200
        masks[number] = images[number][..., 0] == 200
    masks[8] = None  # a defective one whose mask is missing
    kinds = ["a", "", "b", "", "a", "", "a", "", "b", ""]
    return Surfaces(
        "s", images, np.array(kinds) != "", masks, kinds, np.array(train), [""] * 10
    )


def monitor(tmp_path, change, given=None, steps=11):
    callback = CleaningMonitor(
        given or surfaces(), View(TILE), tmp_path / "samples", CalibrationRule()
    )
    callback.set_model(gan(change, steps))
    logs = {"loss": 1.0}
    callback.on_epoch_end(4, logs)
    return logs


def test_cleaning_is_measured_and_drawn(tmp_path, capsys):
    logs = monitor(tmp_path, lambda images: ops.minimum(images, 0.0))  # at most grey 128
    assert logs == {
        "loss": 1.0,
        "change_ng": 200 - 128,
        "change_p": 0,
        "likeness": pytest.approx(
            np.mean(
                [
                    np.corrcoef(image.ravel(), np.minimum(image, 128).ravel())[0, 1]
                    for image in surfaces().images[:6]
                ]
            )
        ),
    }
    assert all(type(value) is float for value in logs.values())
    assert capsys.readouterr().out == ""
    with Image.open(tmp_path / "samples" / "epoch-005.png") as picture:
        # a row for each of the two defective test images, five columns
        assert picture.width >= 5 * TILE and picture.height >= 2 * 30
        assert np.ptp(np.asarray(picture)) == 255


@pytest.mark.parametrize(
    "change, expected",
    [
        (lambda images: -images, "warning after epoch 5: the cleaned images are inverted"),
        (lambda images: 1.0 * images, "warning after epoch 5: cleaning does nothing"),
        (lambda images: 0 * images, "warning after epoch 5: the cleaned images are unlike"),
    ],
)
def test_failures_are_named(tmp_path, capsys, change, expected):
    monitor(tmp_path, change)
    out = capsys.readouterr().out
    assert expected in out
    assert out.strip().count("\n") == 0


def test_no_failure_while_the_discriminators_warm_up(tmp_path, capsys):
    logs = monitor(tmp_path, lambda images: 1.0 * images, steps=0)
    assert (logs["change_ng"], logs["change_p"]) == (0, 0)
    assert logs["likeness"] == pytest.approx(1)
    assert capsys.readouterr().out == ""


def test_without_defective_test_images(tmp_path):
    logs = monitor(tmp_path, lambda images: images * 0.9, surfaces(train=(True,) * 10))
    assert 0 < logs["change_p"] < logs["change_ng"]
    assert (tmp_path / "samples" / "epoch-005.png").exists()
