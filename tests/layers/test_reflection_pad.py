"""Reflection padding, in training by TensorFlow's operation, else by slices."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import ReflectionPadding2D
from tests.layers.shared import reloaded


@pytest.mark.parametrize("border", [1, 2, 3])
@pytest.mark.parametrize("training", [True, False])
def test_equals_numpy(border, training):
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)

    y = ReflectionPadding2D(border)(x, training=training)

    sides = (border, border)
    np.testing.assert_array_equal(y, np.pad(x, ((0, 0), sides, sides, (0, 0)), "reflect"))


def test_both_forms_have_one_gradient():
    x = tf.random.stateless_normal((1, 5, 5, 1), (0, 1))
    weights = tf.random.stateless_normal((1, 9, 9, 1), (2, 3))
    gradients = []
    for training in (True, False):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(weights * ReflectionPadding2D(2)(x, training=training))
        gradients.append(tape.gradient(loss, x))

    np.testing.assert_allclose(*gradients, rtol=1e-6)


def test_sides_may_be_unknown_and_a_model_comes_back(tmp_path):
    images = keras.Input((None, 7, 1))
    model = keras.Model(images, ReflectionPadding2D(3)(images))
    x = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7, 1)

    assert model.output_shape == (None, None, 13, 1)
    np.testing.assert_array_equal(reloaded(model, tmp_path)(x), model(x))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sides", [(3, 8), (8, 2)])
def test_images_must_be_larger_than_the_border(training, sides):
    layer = ReflectionPadding2D(3)
    with pytest.raises(ValueError, match="must be above the border, 3. Received: "):
        layer(np.ones((1, *sides, 1), np.float32), training=training)
    layer(np.ones((1, 4, 4, 1), np.float32))  # nor once it is built
    with pytest.raises(ValueError, match="must be above the border, 3. Received: "):
        layer(np.ones((1, *sides, 1), np.float32), training=training)


def test_a_border_is_at_least_1():
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        ReflectionPadding2D(0)
