"""Batch normalisation with statistics for each place in a sequence."""

import keras
import tensorflow as tf
from keras import layers, ops

from keras_gans import replicas


@keras.saving.register_keras_serializable(package="keras_gans")
class SlotBatchNormalization(layers.Layer):
    """Normalises images by the mean and variance of those that stand in the same place.

    Like `BatchNormalization` over a batch (length, batch, ...) that is gone through place by
    place: each place has a mean and a variance a channel, over its images and their pixels, and
    moving averages of both; scale and offset, one a channel, are those of all places. The
    averages of a place without images stay as they are. In a distributed training, images are
    those of the global batch.

    Inputs: images (N, H, W, C), and places int (N,), from 0 to `slots` - 1. Output: (N, H, W,
    C).

    Args:
        slots: number of places.
        momentum: of the moving averages.
        epsilon: added to the variance.
    """

    def __init__(self, slots: int, momentum: float = 0.9, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.slots, self.momentum, self.epsilon = slots, momentum, epsilon

    def build(self, input_shape):
        channels = input_shape[0][-1]

        def weight(shape, initial, name, trainable):
            return self.add_weight(
                shape, initial, name=name, trainable=trainable, autocast=False
            )

        self.gamma = weight((channels,), "ones", "gamma", True)
        self.beta = weight((channels,), "zeros", "beta", True)
        self.moving_mean = weight((self.slots, channels), "zeros", "moving_mean", False)
        self.moving_variance = weight((self.slots, channels), "ones", "moving_variance", False)

    def call(self, inputs: list[tf.Tensor], training: bool | None = None) -> tf.Tensor:
        x, places = ops.cast(inputs[0], "float32"), inputs[1]
        mean, variance = self.moving_mean, self.moving_variance
        if training:
            inside = ops.transpose(ops.one_hot(places, self.slots, dtype="float32"))
            count = replicas.total(ops.sum(inside, axis=1)[:, None])
            inside = inside / ops.maximum(count, 1.0)
            mean = replicas.total(inside @ ops.mean(x, axis=(1, 2)))
            centred = x - self._of_images(mean, places)
            variance = replicas.total(inside @ ops.mean(ops.square(centred), axis=(1, 2)))
            pairs = (self.moving_mean, mean), (self.moving_variance, variance)
            for moving, batch in pairs:
                after = moving * self.momentum + batch * (1 - self.momentum)
                moving.assign(ops.where(count > 0, after, moving))
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        y = x * self._of_images(scale, places)
        y += self._of_images(self.beta - mean * scale, places)
        return ops.cast(y, self.compute_dtype)

    def _of_images(self, values, places):
        return ops.take(values, places, axis=0)[:, None, None]

    def compute_output_shape(self, input_shape):
        return input_shape[0]

    def get_config(self):
        own = {"slots": self.slots, "momentum": self.momentum, "epsilon": self.epsilon}
        return super().get_config() | own
