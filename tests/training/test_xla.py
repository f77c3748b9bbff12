"""A step of every model under XLA: the losses and weights are those without it.

Dropout, noise and other random numbers are drawn by another algorithm there: they are given
here.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.okdgan.acgan import ACGAN
from tests.training import tiny

CASES = {
    "defectgan": tiny.defectgan,
    "defectgan with a pool and a warm-up": lambda: tiny.pooled(critic_warmup=1),
    "attention masks and a warm-up": tiny.attention,
    "frgan": lambda: tiny.frgan_(exact=True, consistency_weight=0.0),
    "frgan with all options": lambda: tiny.frgan_(
        exact=True, ramp_steps=3, feature_matching=True, average=0.9
    ),
    "sagan": lambda: tiny.single(average=0.9, attention=(8,)),
    "acgan students": lambda: tiny.distillation(ACGAN),
    "acgan with a penalty": lambda: tiny.single(ACGAN, penalty=10.0),
    "gnn": tiny.gnn,
    "dcgan": tiny.dcgan,
    "text to image": lambda: tiny.text_to_image(euclidean="mean", blurred=True),
    "dscnn": tiny.dscnn,
    "segnet": tiny.segnet,
}

QUICK = {"gnn"}


def given(shape, minval=-1.0, maxval=1.0, seed=None):
    """Numbers in place of random ones."""
    values = np.random.default_rng(0).uniform(minval, maxval, shape)
    return tf.constant(values, tf.float32)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in CASES]
)
def test_steps_under_xla(name, monkeypatch):
    monkeypatch.setattr(keras.random, "normal", given)
    monkeypatch.setattr(keras.random, "uniform", given)
    results = []
    for xla in (False, True):
        keras.utils.set_random_seed(0)
        model, batch = CASES[name]()
        batches = tf.data.Dataset.from_tensors(batch).repeat(2 if "warm" in name else 1)
        if name in tiny.FUNCTIONAL:
            model.optimizer.epsilon = 1.0  # Adam's step is that of the gradient, not its sign
        else:
            model.compile(*(keras.optimizers.SGD(0.1) for _ in model.optimizers))
        model.run_eagerly, model.jit_compile = not xla, xla
        history = model.fit(batches, verbose=0, shuffle=False).history
        results.append([*history.values(), *(v.numpy() for v in model.weights)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
