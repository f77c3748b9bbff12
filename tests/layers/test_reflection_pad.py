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
