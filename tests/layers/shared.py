"""What several tests of layers use."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

# made with tensorflow-addons 0.23.0 on tensorflow-cpu 2.15.1
GOLDEN = np.load(Path(__file__).parent / "tfa_golden.npz")
X = GOLDEN["x"]


def built(layer, shape=X.shape):
    layer.build(shape)
    return layer


def outputs_and_gradients(layer, x, factors, **options):
    """y, then the gradients to x and the trainable weights of the sum of `factors * y`."""
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **options)
        loss = tf.reduce_sum(y * factors)
    variables = [v.value for v in layer.trainable_variables]
    return [y, *tape.gradient(loss, [x, *variables])]


def check_slopes(loss, variables, step=1e-6):
    """Compares gradients, in float64, with difference quotients in a random direction."""
    rng = np.random.default_rng(0)
    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients):
        start, direction = variable.numpy(), rng.normal(size=variable.shape)
        losses = []
        for signed in (step, -step):
            variable.assign(start + signed * direction)
            losses.append(float(loss()))
        variable.assign(start)
        slope = (losses[0] - losses[1]) / (2 * step)
        assert np.any(gradient)
        assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-6)


def assert_same(arrays, others):
    for array, other in zip(arrays, others, strict=True):
        np.testing.assert_array_equal(array, other)


def reloaded(model, folder):
    """The model after a way through a Keras file."""
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")
