"""Random changes of training patches: other crops, other lights, other cameras. All ours."""

from typing import NamedTuple

import tensorflow as tf

from keras_gans.dscnn.config import Augmentation

LEAST = 0.12  # smallest over largest component of a light that a virtual camera may record


class Lights(NamedTuple):
    """The lights of a training set, (N, 3) of unit norm, and each one's camera, (N,)."""

    illuminants: tf.Tensor
    cameras: tf.Tensor


def augment(
    x: tf.Tensor,
    y: tf.Tensor,
    cameras: tf.Tensor,
    lights: Lights,
    augmentation: Augmentation,
    key: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Changes patches and their lights as the settings ask.

    Args:
        x: float32 (B, S, S, 3), linear, in [0, 1].
        y: float32 (B, 3), unit norm.
        cameras: int32 (B,), the number of each patch's camera.
        lights: those of the training set.
        augmentation: `Augmentation`.
        key: int64 (2,), of which the changes are a function.

    Returns:
        (x, y) of the same shapes and ranges.
    """
    keys = tf.random.experimental.stateless_split(key, 9)
    if augmentation.crop < 1 or augmentation.flip:
        x = _crop_and_flip(x, augmentation, keys[0])
    if augmentation.relight > 0:
        x, y = _relight(x, y, cameras, lights, augmentation, keys[1:6])
    if augmentation.cameras > 0:
        x, y = _through_virtual_cameras(x, y, augmentation, keys[7])
    if augmentation.brighten > 1:
        exponent = tf.random.stateless_uniform([tf.shape(x)[0], 1, 1, 1], keys[6])
        x = tf.minimum(x * augmentation.brighten**exponent, 1.0)
    return x, y


def _crop_and_flip(x, augmentation, key):
    count, size = tf.shape(x)[0], x.shape[1]
    draw = tf.random.stateless_uniform([6, count], key)
    side = augmentation.crop + (1 - augmentation.crop) * draw[0]
    top, left = (1 - side) * draw[1], (1 - side) * draw[2]
    bottom, right = top + side, left + side
    if augmentation.flip:  # a box whose end lies before its start is mirrored
        up, over = draw[3] < 0.5, draw[4] < 0.5
        top, bottom = tf.where(up, bottom, top), tf.where(up, top, bottom)
        left, right = tf.where(over, right, left), tf.where(over, left, right)
        x = tf.cond(draw[5, 0] < 0.5, lambda: tf.transpose(x, [0, 2, 1, 3]), lambda: x)
    boxes = tf.stack([top, left, bottom, right], axis=1)
    return tf.image.crop_and_resize(x, boxes, tf.range(count), (size, size))


def _relight(x, y, cameras, lights, augmentation, keys):
    """Replaces the light of a share of the patches by one their camera might have met."""
    count = tf.shape(x)[0]
    other_camera = tf.cast(cameras[:, None] != lights.cameras[None], tf.float32)

    def draw(key):
        # the largest of uniform numbers is a fair choice among the lights of the same camera
        score = tf.random.stateless_uniform(tf.shape(other_camera), key) - other_camera
        return tf.math.log(tf.gather(lights.illuminants, tf.argmax(score, axis=1)))

    mix = tf.random.stateless_uniform([count, 1], keys[2])
    noise = tf.random.stateless_normal([count, 3], keys[3], stddev=augmentation.jitter)
    new = tf.exp(mix * draw(keys[0]) + (1 - mix) * draw(keys[1]) + noise)
    chosen = tf.random.stateless_uniform([count, 1], keys[4]) < augmentation.relight
    new = tf.where(chosen, new / tf.norm(new, axis=1, keepdims=True), y)
    gains = new / y
    gains /= tf.reduce_max(gains, axis=1, keepdims=True)
    return x * gains[:, None, None], new


def _through_virtual_cameras(x, y, augmentation, key):
    """Shows a share of the patches, and their lights, as a camera of its own would record them.

    Its colours are those of the real one times a matrix: near the identity, rows of sum 1,
    then a gain for each channel.
    """
    count = tf.shape(x)[0]
    keys = tf.random.experimental.stateless_split(key, 4)
    identity = tf.eye(3)
    amount = tf.random.stateless_uniform([count, 1, 1], keys[0], 0, augmentation.mix)
    mix = amount * tf.random.stateless_normal([count, 3, 3], keys[1]) * (1 - identity)
    gains = tf.random.stateless_normal([count, 3, 1], keys[2], stddev=augmentation.gains)
    matrix = identity + mix
    matrix *= tf.exp(gains) / tf.reduce_sum(matrix, axis=2, keepdims=True)
    light = tf.linalg.matvec(matrix, y)
    possible = tf.reduce_min(light, axis=1) > LEAST * tf.reduce_max(light, axis=1)
    chosen = tf.random.stateless_uniform([count], keys[3]) < augmentation.cameras
    matrix = tf.where((possible & chosen)[:, None, None], matrix, identity)
    y = tf.math.l2_normalize(tf.linalg.matvec(matrix, y), axis=1)
    x = tf.nn.relu(tf.einsum("nhwc,ndc->nhwd", x, matrix))
    return x / tf.maximum(tf.reduce_max(x, axis=(1, 2, 3), keepdims=True), 1.0), y
