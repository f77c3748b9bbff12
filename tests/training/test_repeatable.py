"""Sums are the same to the bit, whatever else is computed at the same time."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism
from tensorflow.python.ops import gen_math_ops

from keras_gans.training.repeatable import make_repeatable

# TensorFlow's AddN of x, y and z begins with z while the others are still needed
SUMS = """
import numpy as np
from keras_gans.training.device import set_up
set_up()
import tensorflow as tf

@tf.function
def step(numbers, side):
    x, y, z = (change(each) for change, each in zip((tf.sin, tf.cos, tf.tan), numbers))
    with tf.control_dependencies([tf.random.stateless_normal((side, side), (1, 2))]):
        others = tf.reduce_sum(tf.exp(x)) + tf.reduce_sum(tf.exp(y))
    return tf.add_n([x, y, z]), x + y + z, others

given = tf.unstack(tf.random.stateless_normal((3, 256, 256), (0, 0))), tf.constant(1)
first = step(*given)
for _ in range(200):
    for one, other in zip(first[:2], step(*given)):
        np.testing.assert_array_equal(one, other)
"""


@pytest.fixture
def repeatably(monkeypatch):
    monkeypatch.setattr(gen_math_ops, "add_n", gen_math_ops.add_n)  # is put back
    make_repeatable()
    yield
    disable_op_determinism()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})


def test_a_sum_does_not_depend_on_what_is_done_first():
    threads = {f"TF_NUM_{kind}_THREADS": "2" for kind in ("INTRAOP", "INTEROP")}
    done = subprocess.run(
        [sys.executable, "-c", SUMS], env=os.environ | threads, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_gradients_are_added_two_at_a_time(repeatably):
    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) + tf.cos(x) + tf.exp(x)
        return tape.gradient(y, x)

    x = tf.constant([0.5, 1.0])
    np.testing.assert_allclose(gradient(x), np.cos(x) - np.sin(x) + np.exp(x), rtol=1e-6)
    operations = gradient.get_concrete_function(x).graph.get_operations()
    assert "AddN" not in {operation.type for operation in operations}


def test_gradients_of_lists_of_tensors_are_added(repeatably):
    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            array = tf.TensorArray(tf.float32, 2).unstack(x)
            y = tf.sin(array.stack()) + tf.cos(array.stack()) + tf.exp(array.stack())
        return tape.gradient(y, x)

    x = tf.constant([0.5, 1.0])
    np.testing.assert_allclose(gradient(x), np.cos(x) - np.sin(x) + np.exp(x), rtol=1e-6)
