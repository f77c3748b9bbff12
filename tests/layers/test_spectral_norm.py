"""Spectral normalisation against tensorflow-addons, NumPy's SVD and finite differences.

Two things of tensorflow-addons' `SpectralNormalization` are not reproduced:

- It writes W / sigma into the kernel at every training call, and the gradient it then
  takes is with respect to the rewritten kernel, sigma being a constant. Our kernel is a
  function of W, whose gradient is checked against finite differences.
- Its sigma is |W^T v| with the v that preceded u; ours is |W u|, half an iteration
  further.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import (
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    update_spectral_norms,
)
from tests.layers.shared import GOLDEN, X, assert_same, built, check_slopes, reloaded

LAYERS = {
    "conv": lambda **kw: SpectralConv2D(5, 3, **kw),
    "transpose": lambda **kw: SpectralConv2DTranspose(5, 4, strides=2, padding="same", **kw),
    "dense": lambda **kw: SpectralDense(5, **kw),
}
PLAIN = {
    "conv": lambda **kw: keras.layers.Conv2D(5, 3, **kw),
    "transpose": lambda **kw: keras.layers.Conv2DTranspose(
        5, 4, strides=2, padding="same", **kw
    ),
    "dense": lambda **kw: keras.layers.Dense(5, **kw),
}


def new(name, **kwargs):
    return built(LAYERS[name](**kwargs))


def top_singular_value(layer, kernel):
    kernel = np.moveaxis(keras.ops.convert_to_numpy(kernel), layer.output_axis, -1)
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_equals_tensorflow_addons(name):
    w0, w1 = GOLDEN[f"sn_{name}_w0"], GOLDEN[f"sn_{name}_w1"]
    layer = new(name)
    layer.weight.assign(w0)
    layer.u.assign(GOLDEN[f"sn_{name}_u0"])

    layer.update_u()

    np.testing.assert_allclose(layer.u, GOLDEN[f"sn_{name}_u1"], rtol=1e-5, atol=1e-6)
    golden_sigma = np.linalg.norm(w0) / np.linalg.norm(w1)
    sigma = float(layer.sigma)
    assert golden_sigma <= sigma <= top_singular_value(layer, w0) * (1 + 1e-6)
    ratio = sigma / golden_sigma
    np.testing.assert_allclose(layer.kernel * ratio, w1, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(X) * ratio, GOLDEN[f"sn_{name}_y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_equals_tensorflow_addons_when_converged(name):
    layer = new(name)
    layer.weight.assign(GOLDEN[f"sn_{name}_w0"])
    layer.update_u(150)

    # with the same u, both definitions of sigma agree; W1 has the direction of W0
    sigma = top_singular_value(layer, GOLDEN[f"sn_{name}_w0"])
    w1 = GOLDEN[f"sn_{name}_w1"]
    expected = w1 * np.linalg.norm(GOLDEN[f"sn_{name}_w0"]) / np.linalg.norm(w1) / sigma
    np.testing.assert_allclose(layer.kernel, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_sigma_is_the_largest_singular_value_after_many_updates(name):
    layer = new(name)
    layer.update_u(150)

    sigma = top_singular_value(layer, layer.weight)
    np.testing.assert_allclose(layer.sigma, sigma, rtol=1e-5)
    np.testing.assert_allclose(top_singular_value(layer, layer.kernel), 1.0, rtol=1e-5)
    assert np.linalg.norm(layer.u) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_a_new_layer_is_already_close(name):
    layer = new(name)

    sigma = top_singular_value(layer, layer.weight)
    assert 0.9 * sigma <= float(layer.sigma) <= sigma * (1 + 1e-6)


def test_transposed_convolution_has_one_column_per_output_channel():
    layer = new("transpose")

    assert layer.u.shape == (1, 5)
    assert layer.matrix.shape == (4 * 4 * 6, 5)


@pytest.mark.parametrize("name", LAYERS)
def test_forward_is_that_of_the_plain_layer_with_the_kernel_divided_by_sigma(name):
    layer, plain = new(name, activation="tanh"), PLAIN[name](activation="tanh")
    plain.build(X.shape)
    layer.bias.assign([0.1, 0.2, 0.3, 0.4, 0.5])
    plain.set_weights([layer.weight / layer.sigma, layer.bias])

    np.testing.assert_allclose(layer(X), plain(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_equals_finite_differences(name):
    layer = new(name, dtype="float64")
    x = X.astype("float64")

    def loss():
        return tf.reduce_sum(tf.sin(layer(x))) + tf.reduce_sum(tf.sin(layer(2 * x)))

    check_slopes(loss, [layer.weight])


def test_gradient_is_orthogonal_to_the_kernel_when_converged():
    # the layer does not change when W is scaled
    layer = new("conv", dtype="float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(layer(X.astype("float64"))))
    gradient = tape.gradient(loss, layer.weight.value)

    assert abs(float(tf.reduce_sum(gradient * layer.weight.value))) < 1e-9


@pytest.mark.parametrize("name", LAYERS)
def test_calls_change_nothing(name):
    layer = new(name)
    before = layer.get_weights()

    first, second = layer(X, training=True), layer(X, training=True)

    np.testing.assert_array_equal(first, second)
    assert_same(before, layer.get_weights())


def test_kernel_of_zeros_gives_no_nan():
    layer = new("dense", kernel_initializer="zeros")
    layer.update_u()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(X))

    assert np.all(np.isfinite(layer.kernel))
    assert np.all(np.isfinite(tape.gradient(loss, layer.weight.value)))


def small_critic(**kwargs):
    keras.utils.set_random_seed(4)  # the same for another type
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            SpectralConv2D(4, 3, strides=2, **kwargs),
            keras.layers.LeakyReLU(0.1, **kwargs),
            SpectralConv2DTranspose(4, 3, **kwargs),
            keras.Sequential([keras.layers.Flatten(), SpectralDense(1, **kwargs)]),
        ]
    )


@pytest.mark.parametrize("jit_compile", [pytest.param(False, marks=pytest.mark.slow), True])
def test_step_with_gradient_penalty_in_a_compiled_function(jit_compile):
    critic = small_critic()
    images = tf.random.stateless_normal((2, 8, 8, 3), seed=(0, 1))

    def step():
        update_spectral_norms(critic)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as inner:
                inner.watch(images)
                score = critic(images)
            slope = tf.sqrt(tf.reduce_sum(inner.gradient(score, images) ** 2, (1, 2, 3)))
            loss = tf.reduce_mean((slope - 1.0) ** 2) + tf.reduce_mean(score)
        return loss, tape.gradient(loss, [v.value for v in critic.trainable_variables])

    weights = critic.get_weights()
    loss, gradients = step()
    eager_u = critic.layers[0].u.numpy()
    critic.set_weights(weights)
    compiled_loss, compiled_gradients = tf.function(step, jit_compile=jit_compile)()

    np.testing.assert_allclose(compiled_loss, loss, rtol=1e-4)
    np.testing.assert_allclose(critic.layers[0].u, eager_u, rtol=1e-4, atol=1e-5)
    for ours, expected in zip(compiled_gradients, gradients):
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-5)


def test_file_round_trip(tmp_path):
    critic = small_critic()
    for layer in (critic.layers[0], critic.layers[2], critic.layers[3].layers[1]):
        layer.weight.assign(3 * layer.weight)
        layer.update_u(3)
    loaded = reloaded(critic, tmp_path)

    assert len(loaded.weights) == len(critic.weights) == 9
    assert_same(loaded.get_weights(), critic.get_weights())
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3))
    np.testing.assert_array_equal(loaded(images), critic(images))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(dtype):
    critic = small_critic(dtype=dtype)
    reference = small_critic()
    reference.set_weights(critic.get_weights())
    update_spectral_norms(critic)
    update_spectral_norms(reference)
    images = np.random.default_rng(1).normal(size=(2, 8, 8, 3))

    scores = critic(images)

    assert critic.layers[0].u.dtype == "float32"
    np.testing.assert_array_equal(critic.layers[0].u, reference.layers[0].u)
    assert scores.dtype == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(
        tf.cast(scores, "float32"), reference(images), rtol=0.05, atol=0.02
    )
