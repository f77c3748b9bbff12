"""A trained generator at work: 8-bit images of any size, cleaned."""

import keras
import numpy as np
import tensorflow as tf

from keras_gans.defectgan.tiles import clean_in_tiles, mirrored
from keras_gans.defectgan.view import View


class Cleaner:
    """Takes the defects away from images of any size.

    Called with uint8 (N, H, W, C), already flattened where `view.flatten` is not 0, it returns
    the cleaned images, uint8 (N, H, W, C). Traced once for all sizes.

    Args:
        generator: model from (N, tile, tile, C) in [-1, 1] to the same shape.
        view: how it sees images.
    """

    def __init__(self, generator: keras.Model, view: View):
        self.generator, self.view = generator, view
        self._traced = tf.function(self.clean, [self.signature], autograph=False)

    @property
    def channels(self) -> int:
        return self.generator.input_shape[3]

    @property
    def signature(self) -> tf.TensorSpec:
        """Of the images."""
        return tf.TensorSpec([None, None, None, self.channels], tf.uint8, name="images")

    def __call__(self, images: np.ndarray | tf.Tensor) -> tf.Tensor:
        return self._traced(images)

    def clean(self, images: tf.Tensor, tiled: bool = True) -> tf.Tensor:
        """The same as operations, for a graph; with `tiled=False` of images of one tile."""
        reduce = self.view.reduce
        images = tf.cast(images, tf.float32)
        height, width = tf.unstack(tf.shape(images)[1:3])
        small = images
        if reduce > 1:
            for axis, size in ((1, height), (2, width)):
                inside = mirrored(size, 0, -(-size // reduce) * reduce)
                small = tf.gather(small, inside, axis=axis)
            small = tf.nn.avg_pool2d(small, reduce, reduce, "VALID")
        scaled = small / 127.5 - 1
        if tiled:
            cleaned = clean_in_tiles(self.generator, scaled, self.view.tile, self.view.overlap)
        else:
            cleaned = self.generator(scaled, training=False)
        change = (cleaned + 1) * 127.5 - small
        if reduce > 1:
            change = tf.image.resize(change, tf.shape(small)[1:3] * reduce)[:, :height, :width]
        return tf.cast(tf.clip_by_value(tf.round(images + change), 0, 255), tf.uint8)
