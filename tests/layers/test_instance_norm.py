"""Instance normalisation: `keras.layers.GroupNormalization(groups=-1)`, and ours, faster.

In tensorflow-addons `InstanceNormalization` has a scale and an offset and epsilon 1e-3; the
papers use 1e-5.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import InstanceNormalization
from tests.layers.shared import GOLDEN, X, built, reloaded


def built_layer(**kwargs):
    return built(keras.layers.GroupNormalization(groups=-1, **kwargs))


def test_equals_tensorflow_addons():
    layer = built_layer(epsilon=float(GOLDEN["in_eps"]))
    layer.set_weights([GOLDEN["in_gamma"], GOLDEN["in_beta"]])

    np.testing.assert_allclose(layer(X), GOLDEN["in_y"], rtol=1e-5, atol=1e-5)


def test_default_epsilon_is_that_of_tensorflow_addons_not_of_the_papers():
    assert built_layer().epsilon == pytest.approx(float(GOLDEN["in_eps"]))


@pytest.mark.parametrize("contrast", [1.0, 0.01])
def test_epsilon_of_the_papers(contrast):
    x = contrast * X.astype("float64")
    variance = x.var((1, 2), keepdims=True)
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(variance + 1e-5)

    y = built_layer(epsilon=1e-5)(x.astype("float32"))

    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_each_image_is_normalised_on_its_own():
    layer = built_layer(epsilon=1e-5)

    np.testing.assert_allclose(layer(X)[:1], layer(X[:1]), rtol=1e-5, atol=1e-6)


# keras_gans.layers.InstanceNormalization, without scale and offset ---------------------------

both_modes = pytest.mark.parametrize("training", [True, False])


def random_images(*shape):
    return np.random.default_rng(0).normal(3, 2, shape).astype(np.float32)


@both_modes
@pytest.mark.parametrize("count", [1, 2])
def test_ours_equals_tensorflow_addons(training, count):
    y = InstanceNormalization(float(GOLDEN["in_eps"]))(X[:count], training=training)
    np.testing.assert_allclose(
        y * GOLDEN["in_gamma"] + GOLDEN["in_beta"],
        GOLDEN["in_y"][:count],
        rtol=1e-5,
        atol=1e-5,
    )


@both_modes
@pytest.mark.parametrize("contrast", [1.0, 0.01])
def test_ours_has_the_epsilon_of_the_papers(training, contrast):
    x = contrast * random_images(3, 8, 5, 4).astype("float64")
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(
        x.var((1, 2), keepdims=True) + 1e-5
    )
    y = InstanceNormalization()(x.astype("float32"), training=training)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


@both_modes
def test_ours_on_a_constant_image(training):
    y = InstanceNormalization()(np.full((2, 4, 4, 3), 7, np.float32), training=training)
    np.testing.assert_allclose(y, np.zeros((2, 4, 4, 3)), atol=1e-4)


@pytest.mark.parametrize("count", [1, 3])
def test_our_gradients_are_keras(count):
    x, slopes = tf.split(random_images(2 * count, 6, 5, 4), 2)
    theirs = keras.layers.GroupNormalization(-1, epsilon=1e-5, center=False, scale=False)
    ours = InstanceNormalization()
    outputs, gradients = [], []
    for layer, training in ((theirs, True), (ours, True), (ours, False)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training)
        outputs.append(y)
        gradients.append(tape.gradient(y, x, output_gradients=slopes))
    for values in (outputs, gradients):
        np.testing.assert_allclose(values[1], values[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(values[2], values[0], rtol=1e-4, atol=1e-5)


@both_modes
def test_ours_in_a_graph_of_unknown_sizes(training):
    layer = InstanceNormalization()
    traced = tf.function(
        lambda x: layer(x, training=training),
        input_signature=[tf.TensorSpec([None, None, None, 4])],
    )
    assert traced.get_concrete_function().output_shapes.as_list() == [None, None, None, 4]
    for shape in ((1, 6, 5, 4), (3, 9, 2, 4)):
        x = random_images(*shape)
        np.testing.assert_allclose(traced(x), layer(x), rtol=1e-5, atol=1e-5)


def test_ours_in_a_keras_file(tmp_path):
    images = keras.Input((None, None, 2))
    model = keras.Model(images, InstanceNormalization(epsilon=0.5, name="norm")(images))
    assert model.output_shape == (None, None, None, 2)
    assert not model.weights
    again = reloaded(model, tmp_path)
    assert again.get_layer("norm").epsilon == 0.5
    x = random_images(2, 4, 7, 2)
    np.testing.assert_array_equal(again(x), model(x))
    np.testing.assert_array_equal(again(x, training=True), model(x, training=True))


@both_modes
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_ours_in_half_precision_computes_in_float32(training, precision):
    x = tf.cast(1000 * random_images(2, 8, 8, 3), precision)  # squares exceed float16's range

    y = InstanceNormalization(dtype=f"mixed_{precision}")(x, training=training)

    assert y.dtype == precision
    expected = InstanceNormalization()(tf.cast(x, "float32"))
    np.testing.assert_allclose(tf.cast(y, "float32"), expected, rtol=0.01, atol=0.01)


def test_ours_in_float32_is_this_formula_to_the_bit():
    x = random_images(2, 6, 5, 4)
    centred = x - tf.reduce_mean(x, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True)
    expected = centred * tf.math.rsqrt(variance + 1e-5)
    np.testing.assert_array_equal(InstanceNormalization()(x, training=False), expected)
    traced = tf.function(InstanceNormalization()).get_concrete_function(x)
    assert "Cast" not in {operation.type for operation in traced.graph.get_operations()}


@both_modes
def test_ours_is_for_images_alone(training):
    with pytest.raises(ValueError, match="ndim=4"):
        InstanceNormalization()(np.ones((2, 8, 3), np.float32), training=training)
