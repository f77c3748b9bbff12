from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from keras_gans.data.on_disk import OnDisk
from keras_gans.errors import InputError
from keras_gans.okdgan import augmentation_study as study
from keras_gans.okdgan.config import StudyConfig
from keras_gans.okdgan.crops import Crops


class Averaged:
    """A GAN's generator, from z (N, 1) and label to a pixel of ten times the label."""

    def __init__(self):
        z, label = keras.Input((1,)), keras.Input((), dtype="int32")
        value = keras.ops.cast(label, "float32")[:, None] + 0 * z
        pixel = keras.layers.Reshape((1, 1, 1))(keras.layers.Rescaling(10 / 127.5)(value))
        self.averaged = keras.Model([z, label], pixel)


def make_crops(labels, level=0):
    labels = np.asarray(labels)
    images = np.full((len(labels), 1, 1, 1), level, np.uint8)
    sources = tuple(map(str, range(len(labels))))
    return Crops("tests", ("bar", "crack"), images, labels, sources)


def test_few_crops_are_equally_many_of_each_class():
    crops, test = make_crops([0] * 20 + [1] * 5), make_crops([0, 1])
    few = study.few_crops(crops, test, 9, seed=0)
    assert few.labels.tolist() == [0] * 4 + [1] * 4 and len(set(few.sources)) == 8
    assert [crops.labels[int(source)] for source in few.sources] == few.labels.tolist()
    assert few.sources == study.few_crops(crops, test, 8, seed=0).sources
    assert few.sources != study.few_crops(crops, test, 8, seed=1).sources
    several = make_crops([[True, True]] * 10 + [[False, True]])
    few = study.few_crops(several, several, 4, seed=0)
    assert few.labels.tolist().count(0) == 2 and len(set(few.sources)) == 4


def test_few_crops_lie_in_memory():
    crops = make_crops([0] * 5 + [1] * 5, 7)
    kept = OnDisk(crops.images.shape)
    kept[:] = crops.images
    few = study.few_crops(replace(crops, images=kept), make_crops([0, 1]), 4, 0)
    assert isinstance(few.images, np.ndarray) and few.images.ravel().tolist() == [7] * 4


@pytest.mark.parametrize(
    "labels, tested, count, message",
    [
        ([0] * 9 + [1] * 2, [0, 1], 6, "crack has 2 crops to train on and 1 to test on, 3"),
        ([0, 1], [1, 1], 2, "bar has 1 crops to train on and 0 to test on, 1 and 1"),
        ([0, 1], [0, 1], 1, "bar has 1 crops to train on and 1 to test on, 1 and 1"),
    ],
)
def test_too_few_crops(labels, tested, count, message):
    with pytest.raises(InputError, match=message):
        study.few_crops(make_crops(labels), make_crops(tested), count, 0)


def test_generated_crops_have_the_class_that_was_asked_for():
    images, labels = study.generated_crops([Averaged(), Averaged()], 3, seed=1, count=10)
    assert len(images) == 12 and labels.tolist() == 2 * [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(np.rint((images.ravel() - 127.5) / 10), labels)


def test_every_classifier_sees_what_its_row_says(tmp_path, monkeypatch, capsys):
    trained = []

    def train(folder, images, wanted, schedule, seed, more):
        trained.append((folder.name, images.mean(), len(images), more and len(more[0])))
        assert (schedule.steps_per_epoch, schedule.epochs) == (100, 3)
        assert wanted.shape == (len(images), 2)
        return seed + (10 if more else 0)

    monkeypatch.setattr(study, "train_classifier", train)
    monkeypatch.setattr(
        study, "balanced_accuracy", lambda network, images, labels: network + images.mean()
    )
    monkeypatch.setattr(study, "GENERATED", 6)
    few, more, test = make_crops([0, 1], 1), make_crops([0, 1, 1], 2), make_crops([0, 1], 50)
    gans = {"those of one": [Averaged()], "those of three": [Averaged()] * 3}
    config = StudyConfig(study="augmentation", classifier_steps=250, seeds=(0, 4))
    frame = study.compare(config, tmp_path, few, gans, more, test)
    assert [row[1:] for row in trained[::2]] == [
        (1, 2, None), (1, 2, 6), (1, 2, 6), (2, 3, None)
    ]  # fmt: skip
    assert len({row[0] for row in trained}) == 8
    assert frame["accuracy"].tolist() == [50, 54, 60, 64, 60, 64, 50, 54]
    study.write(tmp_path, frame, "classifiers")
    shown = capsys.readouterr().out
    assert "and those of three" in shown and "62.00 ± 2.83" in shown
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "augmentation.csv"), frame)
