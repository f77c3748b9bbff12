import os
import resource

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.on_disk import OnDisk
from keras_gans.data.pipeline import gatherer
from keras_gans.errors import OutputError
from keras_gans.training.fit import fit
from keras_gans.training.schedule import Schedule


def train(folder, callbacks=()):
    """Three epochs of two steps; the weights, and the epochs that were done before."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(500)])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)

    def batch(step):
        x = tf.random.stateless_normal([8, 4], tf.stack([tf.constant(1, tf.int64), step]))
        return x, tf.repeat(x[:, :1], 500, axis=1)

    first = fit(folder, model, batch, Schedule(8, 2, 3), callbacks)
    return model.get_weights(), first


class DiskFull(keras.callbacks.Callback):
    """No file may grow beyond some bytes from the second epoch on."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, resource.RLIM_INFINITY))


# no log; a log, but no checkpoint
@pytest.mark.parametrize("limit", [pytest.param(100, marks=pytest.mark.slow), 5_000])
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(tmp_path, limit, capsys):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(OutputError, match="full: cannot be written .*go on with --resume"):
            train(tmp_path / "full", [DiskFull(limit)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    names = {path.name for path in (tmp_path / "full" / "checkpoints").iterdir()}
    assert names == {"checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001"}
    weights, first = train(tmp_path / "full")
    assert first == 1
    for ours, theirs in zip(weights, train(tmp_path / "whole")[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    log = (tmp_path / "full" / "metrics.jsonl").read_text().splitlines()
    assert len(log) == 3


def test_pictures_that_cannot_be_read_are_one_line(tmp_path):
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    kept = OnDisk((8, 2, 2, 3))
    kept[:] = np.zeros(kept.shape, np.uint8)
    gather = gatherer(kept)

    def batch(step):
        x = tf.cast(gather(step + tf.range(1, dtype=tf.int64)), tf.float32)
        return x, x[..., :1]

    os.truncate(kept._file.fileno(), 5 * 12)
    with pytest.raises(OutputError, match=r"cannot be read \(Input/output.* with --resume$"):
        fit(tmp_path / "cut", model, batch, Schedule(1, 8, 1))
    fit(tmp_path / "whole", model, batch, Schedule(1, 5, 1))
