import keras
import numpy as np
import tensorflow as tf

from keras_gans.training.checkpoint import EpochCheckpoint


def build():
    """A model with all that is easily lost: dropout seed, moving averages, Adam's moments."""
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
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def fit(model, folder, epochs):
    checkpoint = EpochCheckpoint(model, {"optimizer": model.optimizer}, folder)
    first = checkpoint.restore()

    def batch(step):
        x = tf.random.stateless_normal([8, 4], tf.stack([tf.constant(1, tf.int64), step]))
        return x, tf.reduce_sum(x, axis=1, keepdims=True)

    data = tf.data.Dataset.range(first * 5, epochs * 5).map(batch)
    model.fit(
        data,
        steps_per_epoch=5,
        initial_epoch=first,
        epochs=epochs,
        callbacks=[checkpoint],
        verbose=0,
        shuffle=False,
    )
    return first


def test_resumed_training_equals_the_uninterrupted_one(tmp_path):
    whole = build()
    assert fit(whole, tmp_path / "whole", 4) == 0
    fit(build(), tmp_path / "parts", 2)
    keras.utils.set_random_seed(99)
    rest = build()
    assert fit(rest, tmp_path / "parts", 4) == 2
    variables = [*whole.variables, *whole.optimizer.variables]
    others = [*rest.variables, *rest.optimizer.variables]
    assert len(variables) > 12
    for ours, theirs in zip(variables, others, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy(), err_msg=ours.path)


def test_two_checkpoints_are_kept(tmp_path):
    fit(build(), tmp_path, 4)
    assert len(list(tmp_path.glob("ckpt-*.index"))) == 2
