import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.losses import (
    angular_error,
    cycle_consistency,
    least_squares_adversarial,
    log_adversarial,
)


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


def test_log_adversarial_by_hand():
    # D = sigmoid(logits) = 1/2, 3/4, 1/4
    logits = np.float32([[0, math.log(3), -math.log(3)]])
    real = (math.log(2) + math.log(4 / 3) + math.log(4)) / 3
    assert float(log_adversarial(logits, True)) == pytest.approx(real)
    assert float(log_adversarial(logits, False)) == pytest.approx(real)
    assert float(log_adversarial(logits[:, 1:2], True)) == pytest.approx(math.log(4 / 3))
    assert float(log_adversarial(logits[:, 1:2], False)) == pytest.approx(math.log(4))


def test_log_adversarial_far_from_zero():
    logits = tf.Variable([-1000.0])
    with tf.GradientTape() as tape:
        loss = log_adversarial(logits, True)
    assert float(loss) == 1000
    # non-saturating: where the discriminator is sure of a fake, the generator's slope is full
    assert float(tape.gradient(loss, logits)[0]) == -1
    assert float(log_adversarial(logits, False)) == 0


def test_least_squares_adversarial_by_hand():
    logits = np.float32([[[0, 1], [-1, 3]]])
    assert float(least_squares_adversarial(logits, True)) == pytest.approx((1 + 0 + 4 + 4) / 4)
    assert float(least_squares_adversarial(logits, False)) == pytest.approx((0 + 1 + 1 + 9) / 4)
    zero = np.zeros(3, np.float32)
    assert [float(least_squares_adversarial(zero, real)) for real in (True, False)] == [1, 0]


def test_cycle_consistency_by_hand():
    images = np.float32([[0, 1], [-1, 0.5]])
    cycled = np.float32([[0, -1], [-0.5, 1]])
    assert float(cycle_consistency(images, cycled)) == (0 + 2 + 0.5 + 0.5) / 4
    assert float(cycle_consistency(cycled, images)) == 0.75
    assert float(cycle_consistency(images, images)) == 0
