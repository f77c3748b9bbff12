from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from keras_gans.metrics.features import Extractor
from keras_gans.okdgan import purpose_study as study
from keras_gans.okdgan.config import StudyConfig
from keras_gans.okdgan.crops import Crops
from keras_gans.okdgan.evaluate import sample


def make_crops(levels, labels):
    images = np.array(levels, np.uint8).reshape(-1, 1, 1, 1)
    return Crops("tests", ("bar", "crack"), images, np.asarray(labels), ("a",) * len(labels))


def make_gan(middle):
    """Its images are pixels about `middle` of any label; its critic likes bright ones."""
    z, label = keras.Input((1,)), keras.Input((), dtype="int32")
    pixel = keras.layers.Reshape((1, 1, 1))(keras.layers.Rescaling(0.3, middle / 127.5 - 1)(z))
    generator = keras.Model([z, label], pixel)
    image = keras.Input((1, 1, 1))
    score = keras.layers.Flatten()(image)
    critic = keras.Model(image, [score, score])
    return SimpleNamespace(generator=generator, averaged=generator, critic=critic)


def test_the_filter_leaves_a_quarter_by_critic_and_by_distance():
    gan, few = make_gan(128), make_crops([60, 200], [0, 1])
    grey = Extractor("grey", "", lambda images: images.reshape(-1, 1).astype(np.float32))
    images, labels = study.filtered_crops(gan.generator, gan.critic, grey, few, 39, seed=3)
    assert images.shape == (40, 1, 1, 1) and labels.tolist() == [0] * 20 + [1] * 20
    drawn = [np.sort(sample(gan.generator, 80, seed, [0]).ravel()) for seed in (6, 7)]
    # of the brighter half the darker for the dark class, the brighter for the bright one
    assert np.sort(images[:20].ravel()).tolist() == drawn[0][40:60].tolist()
    near = drawn[1][np.argsort(np.abs(drawn[1] - 200.0) / np.abs(drawn[1] - 60.0))[:20]]
    assert np.sort(images[20:].ravel()).tolist() == np.sort(near).tolist()


def test_every_classifier_sees_what_its_row_says(tmp_path, monkeypatch, capsys):
    trained = []

    def train(folder, images, wanted, schedule, seed, more, ordinary):
        trained.append((images.mean(), more and more[0].mean(), ordinary))
        assert schedule.steps == 300 and wanted.shape == (len(images), 2)
        return seed + (0 if more is None else more[0].mean())

    def kept(generator, critic, extractor, few, count, seed):
        assert (extractor, few.images.mean(), count) == ("eyes", 1, study.GENERATED)
        return np.full(
            (2, 1, 1, 1), 10 if generator is gans["plain"].generator else 20
        ), few.labels

    monkeypatch.setattr(study, "train_classifier", train)
    monkeypatch.setattr(study, "filtered_crops", kept)
    monkeypatch.setattr(study, "model_extractor", lambda network: "eyes")
    monkeypatch.setattr(study, "balanced_accuracy", lambda network, images, labels: network)
    monkeypatch.setattr(study, "sample_rows", lambda *_: None)
    few, more, test = (make_crops([level] * 2, [0, 1]) for level in (1, 2, 3))
    gans = {"plain": make_gan(100), "augmented": make_gan(150)}
    config = StudyConfig(study="purpose", classifier_steps=250, seed=5, ordinary=("cutout",))
    rows = study.compare(config, tmp_path, few, gans, more, test)
    cut = ("cutout",)
    assert trained[:6] == [
        (1, None, ()), (1, None, cut), (1, 10, cut), (1, 10, cut), (1, 20, cut), (1, 20, cut)
    ]  # fmt: skip
    assert trained[6][1] == pytest.approx(150, abs=5) and trained[7] == (2, None, cut)
    assert [row["accuracy"] for row in rows[:3]] == [5, 5, 15]
    frame = pd.DataFrame(rows + [row | {"seed": 6, "accuracy": 6} for row in rows])
    study.write(tmp_path, frame, "classifiers")
    shown = capsys.readouterr().out
    assert "and generated: augmented, EMA, not filtered" in shown
    # (15 + 6) / 2, and its gain over ordinary augmentation of the same seed, (10 + 0) / 2
    assert "10.50 ± 6.36" in shown and "5.00 ± 7.07" in shown
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "purpose.csv"), frame)
