"""FusedBatchNormalization against keras.layers.BatchNormalization, whose function it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import FusedBatchNormalization
from tests.layers.shared import assert_same, outputs_and_gradients, reloaded

SHAPE = (4, 5, 6, 3)


def images(seed=0, shape=SHAPE):
    x = np.random.default_rng(seed).normal(size=shape)
    return (x * [0.01, 1, 10] + [1, 0, -5]).astype("float32")


def pair(shape=SHAPE, **kwargs):
    """Both layers with the same random weights."""
    rng = np.random.default_rng(1)
    layers = FusedBatchNormalization(**kwargs), keras.layers.BatchNormalization(**kwargs)
    for layer in layers:
        layer.build(shape)
    weights = [rng.uniform(0.5, 2, w.shape) for w in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


@pytest.mark.parametrize("kind", ["eager", "graph", "xla"])
@pytest.mark.parametrize("training", [True, False])
def test_equals_keras(training, kind):
    results = []
    for layer in pair(momentum=0.9):
        factors = tf.random.stateless_normal(SHAPE, seed=(1, 2))
        run = outputs_and_gradients
        if kind != "eager":
            run = tf.function(run, jit_compile=kind == "xla")
        results.append(
            [*run(layer, images(), factors, training=training), *layer.get_weights()]
        )

    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_moving_variance_of_a_small_batch_is_the_biased_one():
    fused, keras_layer = pair(shape=(1, 1, 2, 3), momentum=0.0)
    x = images(shape=(1, 1, 2, 3))

    fused(x, training=True)
    keras_layer(x, training=True)

    np.testing.assert_allclose(fused.moving_variance, x.var((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(fused.moving_variance, keras_layer.moving_variance, rtol=1e-4)


@pytest.mark.parametrize("kwargs", [{"scale": False}, {"center": False}])
def test_without_scale_or_offset(kwargs):
    fused, keras_layer = pair(**kwargs)

    for training in (True, False):
        np.testing.assert_allclose(
            fused(images(), training=training),
            keras_layer(images(), training=training),
            rtol=1e-4,
            atol=1e-4,
        )


def test_frozen_layer_uses_and_keeps_its_moving_statistics():
    fused, keras_layer = pair()
    fused.trainable = keras_layer.trainable = False
    before = fused.get_weights()

    y = fused(images(), training=True)

    np.testing.assert_allclose(y, keras_layer(images(), training=True), rtol=1e-4, atol=1e-5)
    assert_same(before, fused.get_weights())


@pytest.mark.parametrize("shape", [(4, 3), (4, 6, 3)])
def test_other_ranks_are_left_to_keras(shape):
    fused, keras_layer = pair(shape=shape)

    np.testing.assert_array_equal(
        fused(images(shape=shape), training=True),
        keras_layer(images(shape=shape), training=True),
    )


@pytest.mark.parametrize("kwargs", [{"axis": 1}, {"dtype": "float64"}])
def test_other_axes_and_float64_are_left_to_keras(kwargs):
    fused, keras_layer = pair(**kwargs)

    np.testing.assert_array_equal(
        fused(images(), training=True), keras_layer(images(), training=True)
    )


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(dtype):
    fused, keras_layer = pair(dtype=dtype)

    y, expected = fused(images(), training=True), keras_layer(images(), training=True)

    assert y.dtype == expected.dtype == dtype.removeprefix("mixed_")
    np.testing.assert_allclose(
        tf.cast(y, "float32"), tf.cast(expected, "float32"), rtol=0.02, atol=0.02
    )


def test_fit_and_file_round_trip(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3), FusedBatchNormalization()]
    )
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.ones((4, 8, 8, 3)), np.ones((4, 6, 6, 3)), verbose=0)
    loaded = reloaded(model, tmp_path)

    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3))
    np.testing.assert_array_equal(loaded(x), model(x))
