import keras
import numpy as np
import pytest

from keras_gans.metrics.features import model_extractor
from keras_gans.okdgan.classifier import build_classifier
from keras_gans.okdgan.evaluate import find_copies, measure, sample


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
    real = extractor.features(sample(flat_generator(), 60, seed=0))
    assert real.shape == (60, 16)
    same = measure(extractor, real, flat_generator(), 60, seed=0)
    assert same["frechet"] == pytest.approx(0, abs=1e-6) and same["kid_std"] == 0
    other = measure(extractor, real + 1, flat_generator(), 60, seed=0)
    assert other["frechet"] == pytest.approx(16, rel=1e-4)
    assert other["kid"] > same["kid"]
    both = measure(extractor, real, flat_generator(), 60, seed=0, validation=real + 1)
    held_out = {f"validation_{name}": other[name] for name in ("frechet", "kid", "kid_std")}
    assert both == {**same, **held_out}
    assert same["diversity"] == pytest.approx(1) and other["diversity"] == pytest.approx(1)


def parrot(image):
    """A generator that has learned one image (16, 16, 3) by heart."""
    z = keras.Input((2,))
    dense = keras.layers.Dense(16 * 16 * 3)
    generator = keras.Model(z, keras.layers.Reshape((16, 16, 3))(dense(z)))
    dense.set_weights([np.zeros((2, 768)), image.ravel() / 127.5 - 1])
    return generator


def test_copies_are_counted_and_shown():
    crops = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
    copies, pairs = find_copies(parrot(crops[7]), crops, 0.9, seed=0, count=30)
    assert copies == 30 and pairs.shape == (2, 12, 16, 16, 3)
    np.testing.assert_array_equal(pairs, np.broadcast_to(crops[7], pairs.shape))
    mirrored = parrot(crops[7, :, ::-1])
    assert find_copies(mirrored, crops, 0.9, seed=0, count=5)[0] == 0
    copies, pairs = find_copies(mirrored, crops, 0.9, seed=0, count=5, mirrored=True)
    assert copies == 5
    np.testing.assert_array_equal(pairs[0], pairs[1])
    assert find_copies(flat_generator(), crops, 0.5, seed=0, count=5)[0] == 0
    assert find_copies(flat_generator(), crops, None, seed=0, count=5)[0] is None
