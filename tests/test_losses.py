import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.losses import angular_error


def test_angular_error_known_angles():
    true = [[1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]]
    pred = [[0, 2, 0], [3, 0, 0], [5, 0, 0], [1, 0, 0], [-1, 0, 0]]
    expected = [90, 45, 0, math.degrees(math.acos(1 / math.sqrt(3))), 180]
    actual = angular_error(np.float32(true), np.float32(pred))
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_angular_error_is_accurate_where_arccos_is_not():
    angle = 1e-4  # degrees; arccos in float32 knows nothing below 0.02
    pred = [[1.0, math.radians(angle), 0.0]]
    actual = angular_error(np.float32([[1, 0, 0]]), np.float32(pred))
    np.testing.assert_allclose(actual, [angle], rtol=1e-4)


@pytest.mark.parametrize("pred", [[0.3, 0.3, 0.3], [-1.0, -1.0, -1.0], [1.0, 0.5, 0.2]])
def test_angular_error_gradient_is_finite(pred):
    pred = tf.Variable([pred])
    with tf.GradientTape() as tape:
        loss = angular_error(tf.ones([1, 3]), pred)
    assert np.isfinite(tape.gradient(loss, pred)).all()


def test_angular_error_gradient_has_the_right_size():
    pred = tf.Variable([[1.0, 0.001, 0.0]])
    with tf.GradientTape() as tape:
        loss = angular_error(tf.constant([[1.0, 0.0, 0.0]]), pred)
    gradient = tape.gradient(loss, pred)
    # moving a unit vector sideways by s turns it by s radians
    np.testing.assert_allclose(gradient[0, 1], 180 / math.pi, rtol=1e-3)
    np.testing.assert_allclose(gradient[0, 2], 0, atol=1e-3)


def test_angular_error_under_xla_and_as_keras_loss():
    true, pred = tf.random.stateless_uniform([2, 8, 3], [1, 2])
    compiled = tf.function(angular_error, jit_compile=True)
    np.testing.assert_allclose(compiled(true, pred), angular_error(true, pred), rtol=1e-4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(loss=angular_error)
    expected = float(np.mean(angular_error(true, model(pred))))
    assert model.evaluate(pred, true, verbose=0) == pytest.approx(expected, rel=1e-5)
