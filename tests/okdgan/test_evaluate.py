from types import SimpleNamespace

import keras
import numpy as np
import pytest
from PIL import Image

from keras_gans.metrics.features import model_extractor
from keras_gans.okdgan import evaluate
from keras_gans.okdgan.classifier import build_classifier
from keras_gans.okdgan.config import Config
from keras_gans.okdgan.crops import Crops
from keras_gans.okdgan.evaluate import Data, find_copies, measure, measure_gans, sample


def flat_generator():
    """From z (N, 3) to images of the colour 20 z, about 127.5."""
    z = keras.Input((3,))
    pixel = keras.layers.Reshape((1, 1, 3))(keras.layers.Rescaling(20 / 127.5)(z))
    return keras.Model(z, keras.layers.UpSampling2D(16)(pixel))


def class_generator():
    """From z (N, 1) and label to one pixel of ten times the label, about 127.5."""
    z, label = keras.Input((1,)), keras.Input((), dtype="int32")
    value = keras.ops.cast(label, "float32")[:, None] + 0 * z
    scaled = keras.layers.Rescaling(10 / 127.5)(value)
    return keras.Model([z, label], keras.layers.Reshape((1, 1, 1))(scaled))


def test_samples_do_not_depend_on_batch_and_count():
    images = sample(flat_generator(), 300, seed=3)
    assert images.shape == (300, 16, 16, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(sample(flat_generator(), 7, 3, batch_size=2), images[:7])
    assert (sample(flat_generator(), 7, seed=4) != images[:7]).any()
    colours = (images[:, 0, 0] - 127.5) / 20
    # mean and deviation of 900 standard normal draws, at five standard errors
    assert abs(colours.mean()) < 5 / 30 and abs(colours.std() - 1) < 5 / 42


def test_classes_come_as_often_as_in_the_data():
    labels = np.array([0] * 50 + [2] * 150)
    images = sample(class_generator(), 400, 0, labels, batch_size=300)
    found = np.rint((images.ravel() - 127.5) / 10)
    assert set(found) == {0, 2}
    assert abs(np.mean(found == 0) - 0.25) < 0.11  # five standard errors
    few = sample(class_generator(), 5, 0, labels, batch_size=2)
    np.testing.assert_array_equal(few, images[:5])


def test_distances_of_samples():
    extractor = model_extractor(build_classifier(16, 2, width=2))
    samples = sample(flat_generator(), 60, seed=0)
    real = extractor.features(samples)
    assert real.shape == (60, 16)
    same = measure(extractor, real, samples, seed=0)
    assert same["frechet"] == pytest.approx(0, abs=1e-6) and same["kid_std"] == 0
    other = measure(extractor, real + 1, samples, seed=0)
    assert other["frechet"] == pytest.approx(16, rel=1e-4)
    assert other["kid"] > same["kid"]
    both = measure(extractor, real, samples, seed=0, held_out=real + 1)
    held_out = {f"validation_{name}": other[name] for name in ("frechet", "kid", "kid_std")}
    shares = {name: other[name] for name in ("precision", "recall", "density", "coverage")}
    assert both == {**same, **held_out, **shares}
    assert same["precision"] == same["coverage"] == 1 and not any(shares.values())
    assert same["diversity"] == pytest.approx(1) and other["diversity"] == pytest.approx(1)


def test_copies_are_counted_and_shown():
    crops = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
    parrot = crops[[7] * 30]
    copies, pairs = find_copies(parrot, crops, 0.9)
    assert copies == 30 and pairs.shape == (2, 12, 16, 16, 3)
    np.testing.assert_array_equal(pairs, np.broadcast_to(crops[7], pairs.shape))
    assert find_copies(parrot[:5, :, ::-1], crops, 0.9)[0] == 0
    flat = sample(flat_generator(), 5, seed=0)
    assert find_copies(flat, crops, 0.5)[0] == 0
    assert find_copies(flat, crops, None)[0] is None


def test_mirrored_crops_count_for_a_gan_that_saw_them(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "copy_threshold", lambda *_: 0.9)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    crops = Crops("tests", ("a", "b"), images, np.arange(8) % 2, tuple("01234567"))
    extractor = model_extractor(build_classifier(16, 2, width=2))
    gan = SimpleNamespace(averaged=parrot(images[3, :, ::-1]))
    for mirror, copies in ((False, 0), (True, 5)):
        config = Config(score_images=5, mirror=mirror)
        measured, _ = measure_gans(config, tmp_path, {"one": gan}, extractor, Data(crops))
        assert measured["one"]["near_copies"] == copies
    assert (tmp_path / "nearest.png").exists()
    with Image.open(tmp_path / "samples.png") as page:  # two rows of twelve, though of 8 crops
        assert page.width > 5 * page.height


def parrot(image):
    """A generator that has learned one image (16, 16, 3) by heart."""
    z = keras.Input((2,))
    dense = keras.layers.Dense(16 * 16 * 3)
    generator = keras.Model(z, keras.layers.Reshape((16, 16, 3))(dense(z)))
    dense.set_weights([np.zeros((2, 768)), image.ravel() / 127.5 - 1])
    return generator
