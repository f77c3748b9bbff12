"""Levels of pixels, and the range that networks take and make."""

import tensorflow as tf


def to_float(pixels) -> tf.Tensor:
    """uint8 0..255 to float32 [-1, 1]."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1


def to_levels(images) -> tf.Tensor:
    """float32 [-1, 1] to the nearest of uint8 0..255; what is beyond is cut off."""
    return tf.cast(tf.clip_by_value(tf.round((images + 1) * 127.5), 0, 255), tf.uint8)
