"""Batch normalisation in TensorFlow's fused operation."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas


@keras.saving.register_keras_serializable(package="keras_gans")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, faster, with the same arguments and weights.

    Keras 3 uses elementary operations, each of which reads and writes the whole activation;
    TensorFlow has one for all of them. The results are the same. So is the moving variance,
    which is converted: the operation's is unbiased, Keras' is not.

    Inputs and outputs: images (N, H, W, C), normalised over C. All else that the Keras layer
    can do (masks, `synchronized`, `renorm`, another axis or rank, float64) is left to it.

    In a distributed training, mean and variance are those of the global batch.

    Example:

    >>> x = keras.layers.Conv2D(8, 3, use_bias=False)(images)
    >>> x = FusedBatchNormalization(momentum=0.9)(x)
    """

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        if replicas.several() and training or not self._can_fuse(inputs, mask):
            return super().call(inputs, training=training, mask=mask)

        training = bool(training) and self.trainable
        x = ops.cast(inputs, "float32")
        channels = (x.shape[-1],)
        nothing = tf.zeros([0])
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=self.gamma if self.scale else tf.ones(channels),
            offset=self.beta if self.center else tf.zeros(channels),
            mean=nothing if training else self.moving_mean,
            variance=nothing if training else self.moving_variance,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
            variance *= (count - 1) / count
            pairs = (self.moving_mean, mean), (self.moving_variance, variance)
            for moving, batch in pairs:
                moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return ops.cast(y, self.compute_dtype)

    def _moments(self, inputs, mask):
        if mask is not None or not replicas.several():
            return super()._moments(inputs, mask)
        # relative to the moving mean, which is near: sums of squares then lose no digits
        channels = inputs.shape[self.axis]
        shape = [1] * len(inputs.shape)
        shape[self.axis] = channels
        near = tf.stop_gradient(ops.cast(self.moving_mean, inputs.dtype))
        centred = inputs - ops.reshape(near, shape)
        sums = [ops.sum(x, self._reduction_axes) for x in (centred, ops.square(centred))]
        count = ops.cast(ops.size(inputs) // channels, inputs.dtype)
        sums = replicas.total(ops.concatenate([*sums, ops.reshape(count, (1,))]))
        mean, square = ops.split(sums[:-1] / ops.maximum(sums[-1], 1), 2)
        return near + mean, square - ops.square(mean)

    def _can_fuse(self, inputs, mask):
        return (
            mask is None
            and not self.synchronized
            and not self.renorm
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and self.variable_dtype == "float32"
            and inputs.dtype != "float64"
        )
