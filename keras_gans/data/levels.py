"""Levels of pixels, and the range that networks take and make."""

import tensorflow as tf


def to_float(pixels):
    """uint8 0..255 to float32 [-1, 1]."""
    return tf.cast(pixels, tf.float32) / 127.5 - 1
