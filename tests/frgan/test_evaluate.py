import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.frgan import evaluate


def two_class_discriminator():
    """Says 1 where an image is brighter than the middle; logits are -3 and 3 times that."""
    images = keras.Input((4, 4, 3))
    x = keras.layers.Dropout(0.9)(images)  # of training alone
    brightness = ops.mean(x, axis=(1, 2, 3))
    logits = ops.stack([-3 * brightness, 3 * brightness], axis=1)
    return keras.Model(images, logits)


def flat(*levels):
    images = np.zeros((len(levels), 4, 4, 3), np.uint8)
    return images + np.array(levels, np.uint8)[:, None, None, None]


def test_probabilities_and_error_by_hand():
    discriminator = two_class_discriminator()
    levels = np.array([0, 255, 51, 204, 102])  # -1, 1, -0.6, 0.6, -0.2
    found = evaluate.predict_probabilities(discriminator, flat(*levels), batch_size=2)
    assert found.shape == (5, 2) and found.dtype == np.float32
    brightness = np.array([-1, 1, -0.6, 0.6, -0.2])
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-6 * brightness)), rtol=1e-5)

    labels = np.array([0, 1, 0, 1, 1])
    assert evaluate.test_error(discriminator, flat(*levels), labels, 3) == pytest.approx(20)
    assert evaluate.test_error(discriminator, flat(*levels), 1 - labels) == pytest.approx(80)


@pytest.mark.parametrize("labels", [[0, -1], [0], []])
def test_error_needs_all_labels(labels):
    with pytest.raises(ValueError, match="each with a label of 0 or more"):
        evaluate.test_error(two_class_discriminator(), flat(0, 1)[: 2 * len(labels)], labels)


def affine_generator():
    """Images whose pixels are z itself."""
    z = keras.Input((12,))
    return keras.Model(z, keras.layers.Reshape((2, 2, 3))(z))


def test_sample_draws_z_from_the_seed_alone():
    images = evaluate.sample(affine_generator(), 7, seed=3, batch_size=7)
    assert images.shape == (7, 2, 2, 3) and images.dtype == np.uint8
    z = np.random.default_rng(3).uniform(-1, 1, (7, 12))
    expected = ((z + 1) * 127.5).reshape(7, 2, 2, 3)
    assert np.abs(images - expected).max() <= 0.5 + 1e-4
    for batch_size in (1, 3):
        again = evaluate.sample(affine_generator(), 7, 3, batch_size)
        np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(evaluate.sample(affine_generator(), 3, 3), images[:3])
    assert (evaluate.sample(affine_generator(), 7, seed=4) != images).any()


def test_sample_covers_all_levels_and_wraps_none():
    z = keras.Input((3,))
    generator = keras.Model(z, keras.layers.Reshape((1, 1, 3))(1.5 * z))
    images = evaluate.sample(generator, 20_000, seed=0)
    assert images.min() == 0 and images.max() == 255
    assert np.mean((images == 0) | (images == 255)) == pytest.approx(1 / 3, abs=0.02)


def test_scores_carry_their_conditions_and_mix_the_images():
    images = flat(*np.repeat([0, 85, 170], 40))  # in the order of three classes
    seen = []

    def certain(batch):
        seen.append(batch)
        return np.eye(3)[batch[:, 0, 0, 0] // 85]

    scores = evaluate.sample_scores(
        images, certain, "classifier", 5, splits=2, network_error=4.5
    )
    # in order, a split would have one class and a half: exp(H(2/3, 1/3)) = 1.89
    assert 2.5 < scores["inception_score_classifier"] <= 3
    assert 0 <= scores["inception_score_classifier_std"] < 0.5
    assert scores["inception_score_classifier_conditions"] == {
        "images": 120, "splits": 2, "seed": 5, "network": "classifier",
        "network_test_error": 4.5,
    }  # fmt: skip

    fewer = evaluate.sample_scores(images, certain, "inception-2015-12-05", 5, 1, count=30)
    assert set(fewer) == {
        "inception_score",
        "inception_score_std",
        "inception_score_conditions",
    }
    assert fewer["inception_score_conditions"]["images"] == 30
    np.testing.assert_array_equal(seen[1], seen[0][:30])
    with pytest.raises(ValueError, match="`count` must be at most 120. Received: 121"):
        evaluate.sample_scores(images, certain, "classifier", 5, count=121)
