"""CycleGAN's history of generated images."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas


@keras.saving.register_keras_serializable(package="keras_gans")
class ImagePool(keras.layers.Layer):
    """The last generated images, of which a discriminator sees some again (CycleGAN).

    Every image that comes in goes out again with a chance of one half; else it takes the place
    of a random image in the pool, and that one goes out. Until the pool is full all go in and
    out. The draws are a function of the seed and of how many images came before. In a
    distributed training every replica has the whole pool.

    Args:
        shape: (S, S, C) of the images.
        size: images in the pool, 50 in CycleGAN.
        seed: of the draws.
    """

    def __init__(self, shape: tuple[int, int, int], size: int = 50, seed: int = 0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})  # images are what they are
        self.shape, self.size, self.seed = tuple(shape), size, seed
        options = dict(initializer="zeros", trainable=False)
        self.images = self.add_weight(name="images", shape=(size, *shape), **options)
        self.count = self.add_weight(name="count", shape=(), dtype="int64", **options)
        self.built = True

    def call(self, images):
        own, images = ops.shape(images)[0], replicas.gather(images)
        if images.shape[0] is None:
            results = tf.map_fn(self._swapped, images, parallel_iterations=1)
        else:
            results = ops.stack([self._swapped(image) for image in ops.unstack(images)])
        return replicas.share(lambda _: results, own)

    def _swapped(self, image):
        """The image that goes out for one that comes in."""
        count = tf.convert_to_tensor(self.count.value)
        key = tf.stack([tf.constant(self.seed, tf.int64), count])
        place = tf.random.stateless_uniform([], key, 0, self.size, tf.int64)
        swap = tf.random.stateless_uniform([], key + [1, 0]) < 0.5
        filling = count < self.size
        place = tf.where(filling, count, place)
        old = tf.gather(self.images.value, place)
        self.images.value.scatter_nd_update([[place]], [tf.where(filling | swap, image, old)])
        self.count.assign(count + 1)
        return tf.where(swap & ~filling, old, image)

    def get_config(self):
        config = {"shape": self.shape, "size": self.size, "seed": self.seed}
        return {**super().get_config(), **config}
