import keras
import numpy as np
import pytest

from keras_gans.metrics.features import model_extractor
from keras_gans.okdgan.evaluate import accuracy, build_classifier, measure, sample, targets


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


def test_targets_and_accuracy():
    several = np.array([[True, True], [False, True], [True, False]])
    np.testing.assert_array_equal(targets(several, 2), [[0.5, 0.5], [0, 1], [1, 0]])
    np.testing.assert_array_equal(targets(np.array([1, 0]), 3), [[0, 1, 0], [1, 0, 0]])
    classifier = build_classifier(16, 2, width=1)
    classifier.layers[-1].set_weights([np.zeros((8, 2)), np.array([0.0, 1.0])])  # all are 1
    images = np.zeros((3, 16, 16, 3), np.uint8)
    assert accuracy(classifier, images, targets(several, 2), 2) == pytest.approx(200 / 3)
    chances = classifier(np.zeros((1, 16, 16, 3), np.float32)).numpy()
    np.testing.assert_allclose(chances, [[1 / (1 + np.e), np.e / (1 + np.e)]], rtol=1e-5)
