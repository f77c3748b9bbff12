import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

from keras_gans.layers import max_pool, max_pooling


@pytest.mark.parametrize(
    ("pool", "stride", "padding", "shape"),
    [(2, 2, "valid", (8, 8)), (3, 2, "same", (8, 7)), (1, 2, "valid", (5, 8)),
     (2, 2, "same", (7, 6))],
)  # fmt: skip
def test_slices_give_the_maxima_and_gradients_of_tensorflow(
    pool, stride, padding, shape, monkeypatch
):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, *shape, 3)).astype("float32") - 5)
    results = []
    for sliced in (False, True):
        monkeypatch.setattr(max_pool, "SLICED", sliced)
        with tf.GradientTape() as tape:
            tape.watch(x)
            pooled = max_pooling(pool, stride, padding)(x, training=True)
            loss = tf.reduce_sum(pooled**3)
        results.append((pooled.numpy(), tape.gradient(loss, x).numpy()))
    (values, gradients), (sliced_values, sliced_gradients) = results
    np.testing.assert_array_equal(sliced_values, values)
    np.testing.assert_allclose(sliced_gradients, gradients, rtol=1e-6)


def test_xla_has_the_gradient_where_operations_are_deterministic(monkeypatch):
    monkeypatch.setattr(max_pool, "SLICED", True)

    @tf.function(jit_compile=True)
    def gradient(x):
        return tf.gradients(tf.reduce_sum(max_pooling(3, 2, "same")(x, training=True)), x)[0]

    tf.config.experimental.enable_op_determinism()
    try:
        found = gradient(tf.reshape(tf.range(16.0), (1, 4, 4, 1)))
    finally:
        disable_op_determinism()
    np.testing.assert_array_equal(found[0, ..., 0], np.pad(np.ones((2, 2)), ((2, 0), (2, 0))))


def test_of_equal_values_the_first_counts(monkeypatch):
    monkeypatch.setattr(max_pool, "SLICED", True)
    x = tf.zeros((1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(max_pooling(2)(x, training=True))
    np.testing.assert_array_equal(tape.gradient(loss, x)[0, ..., 0], [[1, 0], [0, 0]])
