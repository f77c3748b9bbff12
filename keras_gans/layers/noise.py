"""Dropout and noise that a global batch draws, also where replicas share it."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas


@keras.saving.register_keras_serializable(package="keras_gans")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout`. A replica has its share of what the global batch draws."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not replicas.several():
            return super().call(inputs, training=training)
        return inputs * _drawn(super().call, ops.ones, inputs, training)


@keras.saving.register_keras_serializable(package="keras_gans")
class GaussianNoise(keras.layers.GaussianNoise):
    """`keras.layers.GaussianNoise`. A replica has its share of what the global batch draws."""

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not replicas.several():
            return super().call(inputs, training=training)
        return inputs + _drawn(super().call, ops.zeros, inputs, training)


def _drawn(call, neutral, inputs, training):
    """What a layer makes of ones or zeros in the shape of the inputs."""
    shape = inputs.shape[1:]
    return replicas.share(
        lambda count: call(neutral((count, *shape), inputs.dtype), training=training),
        ops.shape(inputs)[0],
    )
