import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training import tiny

pytest.importorskip("jax")


@pytest.mark.parametrize("name", ["dscnn", "gnn"])
def test_steps_are_those_of_fit(name):
    from keras_gans.training import through_jax

    results = []
    for fit in (keras.Model.fit, through_jax.fit):
        keras.utils.set_random_seed(0)
        model, batch = getattr(tiny, name)()
        data = tf.data.Dataset.from_tensors(batch).repeat()
        history = fit(
            model, data, epochs=2, steps_per_epoch=2, verbose=0, shuffle=False
        ).history
        results.append([*history.values(), *(v.numpy() for v in model.weights)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_script_trains_and_goes_on(tmp_path):
    command = [
        sys.executable, "-m", "keras_gans.training.through_jax", "train_frgan.py", "--epochs",
        "1", "--steps-per-epoch", "2", "--batch-size", "4", "--width", "2",
        "--generator-width", "2", "--no-baseline", "--export", "None", "--run-dir",
        str(tmp_path / "run"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "steps through JAX: cpu" in done.stdout
    again = subprocess.run([*command, "--resume"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "going on after epoch 1" in again.stdout
