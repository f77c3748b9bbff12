import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.training.checkpoint import EpochCheckpoint


def build(eager=True):
    """A model with all that is easily lost: dropout seed, moving averages, Adam's moments.

    Without graphs, which take longer to trace than the few steps of a test.
    """
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse", jit_compile=False, run_eagerly=eager)
    return model


def fit(model, folder, epochs, fingerprint="mine"):
    checkpoint = EpochCheckpoint(model, {"optimizer": model.optimizer}, folder, fingerprint)
    first = checkpoint.restore()

    def batch(step):
        x = tf.random.stateless_normal([8, 4], tf.stack([tf.constant(1, tf.int64), step]))
        return x, tf.reduce_sum(x, axis=1, keepdims=True)

    data = tf.data.Dataset.range(first * 2, epochs * 2).map(batch)
    model.fit(
        data,
        steps_per_epoch=2,
        initial_epoch=first,
        epochs=epochs,
        callbacks=[checkpoint],
        verbose=0,
        shuffle=False,
    )
    return first


def test_resumed_training_equals_the_uninterrupted_one(tmp_path):
    whole = build(eager=False)
    assert fit(whole, tmp_path / "whole", 4) == 0
    fit(build(eager=False), tmp_path / "parts", 2)
    keras.utils.set_random_seed(99)
    rest = build(eager=False)
    assert fit(rest, tmp_path / "parts", 4) == 2
    variables = [*whole.variables, *whole.optimizer.variables]
    others = [*rest.variables, *rest.optimizer.variables]
    assert len(variables) > 12
    for ours, theirs in zip(variables, others, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


def test_two_checkpoints_are_kept(tmp_path):
    fit(build(), tmp_path, 4)
    assert len(list(tmp_path.glob("ckpt-*.index"))) == 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the checkpoints of epochs 1 and 2."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("trained") / "checkpoints"
    fit(build(), path, 2)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Variables after three epochs that nothing has interrupted."""
    model = build()
    fit(model, tmp_path_factory.mktemp("whole"), 3)
    return [variable.numpy() for variable in model.variables]


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def missing(path):
    path.unlink()


def one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["ckpt-2.index", "ckpt-2.data-00000-of-00001"])
@pytest.mark.parametrize("damage", [truncated, zeroed, missing, one_bit])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    trained, whole, tmp_path, capsys, file, damage
):
    path = tmp_path / "checkpoints"
    shutil.copytree(trained, path)
    damage(path / file)
    model = build()
    assert fit(model, path, 3) == 1
    notes = [line for line in capsys.readouterr().out.splitlines() if "note:" in line]
    unseen = damage is missing and file == "ckpt-2.index"  # without it there is no checkpoint
    assert notes == [f"note: {path}/ckpt-2: damaged; it is left out"] * (not unseen)
    for ours, theirs in zip(model.variables, whole, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs, err_msg=ours.path)
    assert len(list(path.glob("ckpt-*.index"))) == 2


@pytest.mark.parametrize("content", [b"", b"junk {", b"\xff\0" * 9, None])
def test_the_state_file_need_not_be_whole(trained, tmp_path, content):
    path = tmp_path / "checkpoints"
    shutil.copytree(trained, path)
    missing(path / "checkpoint") if content is None else (path / "checkpoint").write_bytes(
        content
    )
    (path / "ckpt-3_temp").mkdir()
    assert fit(build(), path, 4) == 2
    assert sorted(each.name for each in path.iterdir()) == [
        "checkpoint",
        *(f"ckpt-{n}.{kind}" for n in (3, 4) for kind in ("data-00000-of-00001", "index")),
    ]


def test_no_checkpoint_can_be_read(trained, tmp_path):
    path = tmp_path / "checkpoints"
    shutil.copytree(trained, path)
    for index in path.glob("*.index"):
        zeroed(index)
    with pytest.raises(InputError, match="no checkpoint in it can be read"):
        fit(build(), path, 3)


def test_another_runs_checkpoint_is_refused(trained, tmp_path):
    path = tmp_path / "checkpoints"
    shutil.copytree(trained, path)
    with pytest.raises(InputError, match="ckpt-2: a checkpoint of another run or training"):
        fit(build(), path, 3, "another")
