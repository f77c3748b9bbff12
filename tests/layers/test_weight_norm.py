"""Weight normalisation against tensorflow-addons and worked-out values.

The golden arrays are outputs and gradients without (`nodi`) and with (`di`) data-dependent
initialisation. Two things of tensorflow-addons' `WeightNormalization` are not reproduced:

- Its data-dependent g lacks the factor |v|, so that the golden outputs leave with
  standard deviations of 0.76 to 1.37; in the paper, and here, they are 1.
- Its Conv2DTranspose has one length per input channel; the paper has one per output
  channel.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import (
    WeightNormConv2D,
    WeightNormConv2DTranspose,
    WeightNormDense,
    initialize_from_data,
)
from tests.layers.shared import GOLDEN, X, assert_same, built, check_slopes, reloaded

LAYERS = {
    "conv": lambda **kw: WeightNormConv2D(5, 3, **kw),
    "transpose": lambda **kw: WeightNormConv2DTranspose(5, 4, strides=2, padding="same", **kw),
    "dense": lambda **kw: WeightNormDense(5, **kw),
}


def new(name, **kwargs):
    return built(LAYERS[name](**kwargs))


def golden_arrays(name, mode):
    prefix = f"wn_{name}_{mode}_"
    return {key.removeprefix(prefix): GOLDEN[key] for key in GOLDEN if key.startswith(prefix)}


@pytest.mark.parametrize("mode", ["nodi", "di"])
@pytest.mark.parametrize("name", ["conv", "dense"])
def test_equals_tensorflow_addons(name, mode):
    golden = golden_arrays(name, mode)
    layer = new(name)
    layer.v.assign(golden["v"])
    layer.g.assign(golden["g"])
    layer.bias.assign(golden["bias"])

    with tf.GradientTape() as tape:
        y = layer(X)
        loss = tf.reduce_sum(tf.sin(y))
    gradients = tape.gradient(loss, [layer.g.value, layer.v.value, layer.bias.value])

    np.testing.assert_allclose(y, golden["y"], rtol=1e-5, atol=2e-6)
    for gradient, key in zip(gradients, ("grad_g", "grad_kernel", "grad_bias")):
        np.testing.assert_allclose(gradient, golden[key], rtol=1e-4, atol=5e-5)


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_initial_g_equals_tensorflow_addons(name):
    golden = golden_arrays(name, "nodi")
    layer = new(name, kernel_initializer=lambda shape, dtype: golden["v0"])

    np.testing.assert_allclose(layer.g, golden["g"], rtol=1e-6)


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_initialize_from_data_equals_tensorflow_addons_but_for_the_factor_it_lacks(name):
    golden = golden_arrays(name, "di")
    layer = new(name)
    layer.v.assign(golden["v0"])

    layer.initialize_from_data(X)

    length = np.linalg.norm(golden["v0"].reshape(-1, 5), axis=0)
    np.testing.assert_allclose(layer.g, golden["g"] * length, rtol=1e-4)
    np.testing.assert_allclose(layer.bias, golden["bias"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_new_layer_computes_what_the_plain_one_does(name):
    layer = new(name)

    np.testing.assert_allclose(layer.kernel, layer.v, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", LAYERS)
def test_g_is_the_length_of_each_output_channel(name):
    layer = new(name)
    layer.g.assign([1.0, 2.0, 3.0, 4.0, 5.0])

    kernel = np.moveaxis(layer.kernel, layer.output_axis, -1).reshape(-1, 5)
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), [1, 2, 3, 4, 5], rtol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_equals_finite_differences(name):
    layer = new(name, dtype="float64")
    x = X.astype("float64")

    def loss():
        return tf.reduce_sum(tf.sin(layer(x)))

    check_slopes(loss, [layer.v, layer.g])


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_initialize_from_data(name, use_bias):
    layer = new(name, activation="relu", use_bias=use_bias)
    layer.g.assign(7 * layer.g)
    x = 3 * X + 1

    layer.initialize_from_data(x)

    assert layer.activation is keras.activations.relu
    layer.activation = None
    y = layer(x).numpy()
    np.testing.assert_allclose(y.std((0, 1, 2)), 1.0, rtol=1e-4)
    if use_bias:
        np.testing.assert_allclose(y.mean((0, 1, 2)), 0.0, atol=1e-4)


def small_network(**kwargs):
    keras.utils.set_random_seed(4)  # the same for another type
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            WeightNormConv2D(4, 3, activation="relu", **kwargs),
            WeightNormConv2DTranspose(4, 3, activation="relu", **kwargs),
            keras.Sequential([keras.layers.Flatten(), WeightNormDense(2, **kwargs)]),
        ]
    )


def images(n=16):
    return np.random.default_rng(1).normal(size=(n, 8, 8, 3)).astype("float32") * 5 + 2


def test_initialize_a_whole_model_from_data():
    network = small_network()

    output = initialize_from_data(network, images())

    np.testing.assert_allclose(output, network(images()), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.mean(output, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.std(output, axis=0), 1.0, rtol=1e-3)
    before = network.get_weights()
    network(10 * images())  # later calls leave it alone
    assert_same(before, network.get_weights())


@pytest.mark.parametrize("jit_compile", [pytest.param(False, marks=pytest.mark.slow), True])
def test_fit_and_file_round_trip(tmp_path, jit_compile):
    network = small_network()
    network.compile("sgd", "mse", jit_compile=jit_compile)
    start = network.get_weights()
    network.fit(images(), np.ones((16, 2)), batch_size=16, epochs=2, verbose=0)
    assert all(np.any(a != b) for a, b in zip(start, network.get_weights()))
    loaded = reloaded(network, tmp_path)

    assert len(loaded.weights) == 9
    assert_same(loaded.get_weights(), network.get_weights())
    np.testing.assert_array_equal(loaded(images()), network(images()))


def test_graph_and_xla_agree_with_eager():
    network = small_network()
    expected = network(images())

    for jit_compile in (False, True):
        output = tf.function(network, jit_compile=jit_compile)(images())
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(dtype):
    network, reference = small_network(dtype=dtype), small_network()
    initialize_from_data(reference, images())
    initialize_from_data(network, images())

    output = network(images())

    assert output.dtype == dtype.removeprefix("mixed_")
    assert {str(v.dtype) for v in network.variables} == {"float32"}
    np.testing.assert_allclose(tf.cast(output, "float32"), reference(images()), atol=0.1)
