import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.losses import (
    angular_error,
    consistency,
    cycle_consistency,
    euclidean_distance,
    feature_matching,
    gradient_penalty,
    k_plus_one_adversarial,
    least_squares_adversarial,
    log_adversarial,
    wasserstein,
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


# FR-GAN ---------------------------------------------------------------------------------------


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("scale", [0.1, 1, 10])
@pytest.mark.parametrize("classes", [1, 2, 10])
def test_k_plus_one_adversarial_is_a_softmax_over_k_plus_one_classes(scale, classes):
    logits = scale * np.random.default_rng(0).normal(size=(7, classes))
    generated = softmax(np.pad(logits, [(0, 0), (0, 1)]))[:, -1]
    real = -np.mean(np.log1p(-generated))
    assert float(k_plus_one_adversarial(logits, True)) == pytest.approx(real, rel=1e-6)
    fake = -np.mean(np.log(generated))
    assert float(k_plus_one_adversarial(logits, False)) == pytest.approx(fake, rel=1e-6)


def test_k_plus_one_adversarial_by_hand():
    # Z = 3 and D = 3/4; Z = 1/2 + 1/2 and D = 1/2
    logits = np.log(np.float32([[1, 2], [0.5, 0.5]]))
    real, fake = math.log(4 / 3) + math.log(2), math.log(4) + math.log(2)
    assert float(k_plus_one_adversarial(logits, True)) == pytest.approx(real / 2)
    assert float(k_plus_one_adversarial(logits, False)) == pytest.approx(fake / 2)


@pytest.mark.parametrize("real, sign", [(True, -1), (False, 1)])
def test_k_plus_one_adversarial_far_from_zero(real, sign):
    logits = tf.Variable([[1e4, -1e4, 0], [-1e4, -1e4, -2e4], [1e4, 1e4, 1e4]])
    with tf.GradientTape() as tape:
        loss = k_plus_one_adversarial(logits, real)
    if real:  # log Z is 10000, -10000 + log 2, 10000 + log 3
        expected = 1e4 - math.log(2)
        slopes = [[0, 0, 0], [1 / 2, 1 / 2, 0], [0, 0, 0]]
    else:
        expected = 2e4 + math.log(3)
        slopes = [[1, 0, 0], [0, 0, 0], [1 / 3, 1 / 3, 1 / 3]]
    assert float(loss) == pytest.approx(expected / 3, rel=1e-6)
    gradient = tape.gradient(loss, logits)
    np.testing.assert_allclose(gradient, sign * np.array(slopes) / 3, atol=1e-4)


def test_consistency_by_hand():
    logits = np.log(np.float32([[1, 3], [1, 1]]))  # softmax 1/4, 3/4 and 1/2, 1/2
    others = np.log(np.float32([[3, 1], [4, 1]])) + 5  # 3/4, 1/4 and 4/5, 1/5
    expected = (2 * 0.5**2 + 2 * 0.3**2) / 2
    assert float(consistency(logits, others)) == pytest.approx(expected)
    assert float(consistency(others, logits)) == pytest.approx(expected)
    assert float(consistency(logits, logits - 3)) == pytest.approx(0, abs=1e-12)


def test_consistency_is_at_most_2():
    certain = np.float32([[1e4, 0, -1e4], [0, 1e4, 0]])
    assert float(consistency(certain, certain[::-1])) == 2
    logits = np.random.default_rng(0).normal(0, 9, (2, 500, 4)).astype(np.float32)
    assert 0 < float(consistency(*logits)) < 2


def test_consistency_has_gradients_in_both():
    logits, others = (tf.Variable([row]) for row in ([0.0, 1.0], [1.0, -1.0]))
    with tf.GradientTape() as tape:
        loss = consistency(logits, others)
    first, second = tape.gradient(loss, [logits, others])
    # with p and q the first probabilities: 2 (p - q)^2, of slope 4 (p - q) p (1 - p)
    p, q = 1 / (1 + math.e), 1 / (1 + math.exp(-2))
    slope, other = 4 * (p - q) * p * (1 - p), 4 * (q - p) * q * (1 - q)
    np.testing.assert_allclose(first, [[slope, -slope]], rtol=1e-5)
    np.testing.assert_allclose(second, [[other, -other]], rtol=1e-5)


def test_feature_matching_by_hand():
    features = np.float32([[1, 0, 2], [3, 0, 4]])  # means 2, 0, 3
    generated = np.float32([[0, 1, 3], [0, 1, 3], [3, 1, 3]])  # means 1, 1, 3
    assert float(feature_matching(features, generated)) == pytest.approx((1 + 1 + 0) / 3)
    assert float(feature_matching(features, features[::-1])) == 0


def test_wasserstein_by_hand():
    assert float(wasserstein(np.float32([[3], [1]]), np.float32([[0], [-1], [4]]))) == 1
    assert float(wasserstein(np.ones(3), np.ones((2, 2)))) == 0


def test_gradient_penalty_of_a_linear_critic():
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(2, 5, 2, 2, 3)).astype(np.float32)
    slope = np.float32(rng.normal(size=(2, 2, 3)))
    epsilon = rng.uniform(size=(5, 1, 1, 1)).astype(np.float32)

    def critic(images):
        return tf.reduce_sum(images * slope, axis=(1, 2, 3))[:, None] + 4.0

    expected = (np.linalg.norm(slope) - 1) ** 2
    found = gradient_penalty(critic, real, generated, epsilon)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_gradient_penalty_lies_between_the_two_images_of_a_pair():
    # the slope of |x|^2 / 2 is x itself
    real, generated = np.full((2, 3, 1, 1, 1), [[[[[4.0]]]], [[[[-2.0]]]]], np.float32)
    epsilon = np.float32([0, 0.25, 1]).reshape(3, 1, 1, 1)
    found = gradient_penalty(lambda x: tf.square(x) / 2, real, generated, epsilon)
    assert float(found) == pytest.approx(((4 - 1) ** 2 + (2.5 - 1) ** 2 + (2 - 1) ** 2) / 3)


def test_gradient_penalty_of_a_flat_critic_has_a_finite_gradient():
    slope = tf.Variable(0.0)
    images = tf.ones([2, 2, 2, 1])
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(lambda x: slope * x, images, images, tf.ones([2, 1, 1, 1]))
    assert float(penalty) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(float(tape.gradient(penalty, slope)))


def test_gradient_penalty_adds_up_in_float32():
    images = tf.ones([1, 64, 64, 3], tf.float16)
    epsilon = tf.ones([1, 1, 1, 1], tf.float16)
    found = gradient_penalty(lambda x: 10 * x, images, images, epsilon)
    assert found.dtype == tf.float32  # the sum, 1,228,800, is beyond float16
    assert float(found) == pytest.approx((10 * math.sqrt(64 * 64 * 3) - 1) ** 2, rel=1e-5)


# Text to image --------------------------------------------------------------------------------


def test_log_adversarial_with_weights():
    logits = np.float32([[0], [math.log(3)], [50]])  # D = 1/2, 3/4, 1
    weights = np.float32([[1], [3], [0]])
    real = (math.log(2) + 3 * math.log(4 / 3)) / 4
    assert float(log_adversarial(logits, True, weights)) == pytest.approx(real)
    fake = (math.log(2) + 3 * math.log(4)) / 4
    assert float(log_adversarial(logits, False, weights)) == pytest.approx(fake)
    for value in (0.5, 1, 7):  # all alike, whatever they are
        found = log_adversarial(logits, False, np.full((3, 1), value, np.float32))
        assert float(found) == pytest.approx(float(log_adversarial(logits, False)), rel=1e-6)


def test_log_adversarial_of_nothing_is_zero():
    logits = tf.Variable([[3.0], [-1.0]])
    with tf.GradientTape() as tape:
        loss = log_adversarial(logits, True, tf.zeros((2, 1)))
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, logits), [[0], [0]])


def test_euclidean_distance_by_hand():
    images, others = np.zeros((2, 3, 2, 2, 1), np.float32)
    images[0], images[1, 0, 0] = 2, 1  # |O - R| is 4, 1 and 0, of 4 values each
    distances = [2, 1 / 2, 0]
    assert float(euclidean_distance(images, others)) == pytest.approx(2.5 / 3)
    assert float(euclidean_distance(-images, others)) == pytest.approx(2.5 / 3)
    for weights in ([1, 0, 0], [0, 3, 1], [1, 1, 0]):
        expected = np.average(distances, weights=weights)
        found = euclidean_distance(images, others, np.float32(weights))
        assert float(found) == pytest.approx(expected)
    assert float(euclidean_distance(images, others, np.zeros(3, np.float32))) == 0


def test_euclidean_distance_of_several_images_to_one():
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (2, 3, 4, 4, 3)).astype(np.float32)
    others = rng.uniform(-1, 1, (2, 1, 4, 4, 3)).astype(np.float32)
    lengths = np.linalg.norm((images - others).reshape(2, 3, -1), axis=-1) / math.sqrt(48)
    weights = np.float32([[0, 1, 1], [0, 0, 1]])
    found = euclidean_distance(images, others, weights)
    assert float(found) == pytest.approx(lengths[weights == 1].mean(), rel=1e-5)
    assert float(euclidean_distance(-np.ones((1, 8, 8, 3)), np.ones((8, 8, 3)))) == 2


def test_euclidean_distance_has_a_finite_gradient():
    images = tf.Variable([[[[0.0]]], [[[0.3]]], [[[-4.0]]]])
    with tf.GradientTape() as tape:
        loss = euclidean_distance(images, tf.zeros((3, 1, 1, 1)))
    slopes = np.ravel(tape.gradient(loss, images))
    np.testing.assert_allclose(slopes, [0, 1 / 3, -1 / 3], rtol=1e-6)
