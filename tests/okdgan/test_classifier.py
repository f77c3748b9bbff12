import numpy as np
import pytest

from keras_gans.okdgan.classifier import (
    accuracy,
    augmented,
    balanced_accuracy,
    build_classifier,
    targets,
    train_classifier,
)
from keras_gans.training.schedule import Schedule


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
    # class 0 is never right, class 1 always; there is no class 2
    labels = np.array([0, 0, 1])
    assert balanced_accuracy(classifier, images, labels) == pytest.approx(50)
    assert accuracy(classifier, images, targets(labels, 2)) == pytest.approx(100 / 3)


def test_it_learns_from_both_halves_of_a_batch(tmp_path):
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
    noise = np.random.default_rng(0).integers(-40, 40, (3, 30, 16, 16, 3))
    images = (colours[:, None, None, None] + noise).astype(np.uint8)
    labels = np.repeat(np.arange(3), 30).reshape(3, 30)
    wanted = targets(labels.ravel(), 3).reshape(3, 30, 3)
    few = np.concatenate(images[:2]), np.concatenate(wanted[:2])
    network = train_classifier(
        tmp_path, *few, Schedule(50, 15, 2), 0, more=(images[2], wanted[2])
    )
    assert balanced_accuracy(network, np.concatenate(images), labels.ravel()) == 100
    again = train_classifier(
        tmp_path, *few, Schedule(50, 15, 2), 0, more=(images[2], wanted[2])
    )
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_augmented_batches_are_a_function_of_the_step():
    images = np.random.default_rng(0).random((4, 16, 16, 3), np.float32)
    batch = augmented(lambda step: (images, "targets"), ("translation", "cutout"), seed=1)
    first, again, other = (batch(np.int64(step)) for step in (0, 0, 1))
    assert first[1] == "targets" and first[0].shape == images.shape
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[0], images)
