"""Max pooling with places and unpooling, against TensorFlow's argmax and scatter."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import IndexedMaxPooling2D, MaxUnpooling2D
from tests.layers.shared import reloaded


def pool(x):
    return IndexedMaxPooling2D()(x)


def unpool(x, places):
    return MaxUnpooling2D()([x, places])


def by_argmax(x, factors):
    """Pooled values, and the pooled values times `factors` unpooled: the textbook way."""
    pooled, index = tf.nn.max_pool_with_argmax(x, 2, 2, "VALID", include_batch_in_index=True)
    size = tf.size(x, tf.int64)[None]
    flat = tf.scatter_nd(tf.reshape(index, [-1, 1]), tf.reshape(pooled * factors, [-1]), size)
    return pooled, tf.reshape(flat, tf.shape(x))


def by_places(x, factors):
    pooled, places = pool(x)
    return pooled, unpool(pooled * factors, places)


def images(shape=(3, 6, 10, 4), seed=0):
    """After ReLU, so that many windows are zero throughout: ties."""
    x = np.random.default_rng(seed).normal(-0.5, 1, shape)
    return np.maximum(x, 0).astype("float32")


def test_by_hand():
    x = [[1, 2, 5, 5], [4, 3, 5, 0], [0, 0, -1, -3], [0, 0, -2, -1]]
    maxima, places = pool(tf.constant(x, tf.float32)[None, :, :, None])

    np.testing.assert_array_equal(maxima[0, :, :, 0], [[4, 5], [0, -1]])
    np.testing.assert_array_equal(
        places[0, :, :, 0], [[0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    )
    values = tf.constant([[7, 8], [9, -6]], tf.float32)[None, :, :, None]
    np.testing.assert_array_equal(
        unpool(values, places)[0, :, :, 0],
        [[0, 0, 8, 0], [7, 0, 0, 0], [9, 0, -6, 0], [0, 0, 0, 0]],
    )


def test_pooling_takes_unpooling_back_where_values_are_positive():
    maxima, places = pool(images() + 1)

    np.testing.assert_array_equal(pool(unpool(maxima, places))[0], maxima)


def test_one_place_in_every_window():
    _, places = pool(images())

    assert set(np.unique(places)) == {0, 1}
    np.testing.assert_array_equal(tf.nn.avg_pool2d(places, 2, 2, "VALID"), 1 / 4)


@pytest.mark.parametrize("kind", ["eager", "graph", "xla"])
def test_equals_argmax_and_scatter_with_gradients(kind):
    factors = images((3, 3, 5, 4), seed=1)
    weights = images(seed=2)

    def run(function, x, factors):
        with tf.GradientTape() as tape:
            tape.watch([x, factors])
            pooled, unpooled = function(x, factors)
            loss = tf.reduce_sum(unpooled * weights) + tf.reduce_sum(tf.square(pooled))
        return [pooled, unpooled, *tape.gradient(loss, [x, factors])]

    inputs = tf.constant(images()), tf.constant(factors)
    expected = run(by_argmax, *inputs)
    if kind != "eager":
        open_size = tf.TensorSpec([None, None, None, 4])
        signature = [open_size, open_size] if kind == "graph" else None
        ours = tf.function(
            lambda x, f: run(by_places, x, f), signature, jit_compile=kind == "xla"
        )(*inputs)
    else:
        ours = run(by_places, *inputs)
    for array, reference in zip(ours, expected, strict=True):
        np.testing.assert_allclose(array, reference, rtol=1e-6)


def test_gradients_numerically():
    rng = np.random.default_rng(0)
    # no two values nearer than the difference quotient's step
    x = tf.constant(rng.permutation(2 * 4 * 4 * 2).reshape(2, 4, 4, 2) / 10, tf.float64)
    values = tf.constant(rng.normal(size=(2, 2, 2, 2)))
    pool = IndexedMaxPooling2D(dtype="float64")
    unpool = MaxUnpooling2D(dtype="float64")
    places = pool(x)[1]
    for function, inputs in (
        (lambda x: pool(x)[0] ** 2, x),
        (lambda values: unpool([values, places]) ** 2, values),
    ):
        analytic, numeric = tf.test.compute_gradient(function, [inputs])
        assert np.abs(analytic[0]).max() > 1
        np.testing.assert_allclose(analytic[0], numeric[0], atol=1e-8)


def test_no_gradient_passes_through_places():
    x = tf.constant(images())
    with tf.GradientTape() as tape:
        tape.watch(x)
        places = pool(x)[1]
    assert tape.gradient(places, x) is None


@pytest.mark.parametrize("shape", [(1, 5, 4, 1), (1, 4, 7, 1)])
def test_odd_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="must be even. Received: .*" + str(shape[1])):
        pool(tf.zeros(shape))


def test_functional_model_of_open_size_and_file_round_trip(tmp_path):
    inputs = keras.Input((None, None, 4))
    maxima, places = IndexedMaxPooling2D()(inputs)
    model = keras.Model(inputs, MaxUnpooling2D()([maxima, places]))
    assert maxima.shape == places.shape == (None, None, None, 4)
    loaded = reloaded(model, tmp_path)

    for shape in ((3, 6, 10, 4), (1, 8, 2, 4)):
        x = images(shape)
        expected = by_argmax(x, tf.ones([]))[1]
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
