"""What table 1 measures: distances of samples to real crops, seen by a classifier of crops."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_gans.metrics.features import extract
from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.okdgan.data import to_float

CLASSIFIER = "crop_classifier"
SUBSETS, SUBSET_SIZE = 100, 1000  # of KID


def sampled(generator, count, seed, labels=None, batch_size=100):
    """Draws images from a generator, a batch at a time.

    z and the classes are the same for any batch size, and for a larger count begin with the
    same values.

    Args:
        generator: model from z (N, L), or from [z, label (N,)], to images (N, S, S, C) in
            [-1, 1].
        count: of the images.
        seed: of z, standard normal, and of the classes.
        labels: int (M,), of which the classes are drawn, so that they come about as often as
            here; `None` for a generator without.
        batch_size: images at once; bounds the memory.

    Yields:
        uint8 (n, S, S, C).
    """

    latents, classes = (np.random.default_rng([seed, part]) for part in (0, 1))
    length = generator.inputs[0].shape[1]
    for start in range(0, count, batch_size):
        size = min(batch_size, count - start)
        inputs = tf.constant(latents.standard_normal((size, length)), tf.float32)
        if labels is not None:
            drawn = [labels[int(len(labels) * luck)] for luck in classes.random(size)]
            inputs = [inputs, tf.constant(drawn, tf.int32)]
        levels = (generator(inputs, training=False) + 1) * 127.5
        yield tf.cast(tf.clip_by_value(tf.round(levels), 0, 255), tf.uint8).numpy()


def sample(generator, count, seed, labels=None, batch_size=100):
    """The images of `sampled` at once: uint8 (count, S, S, C)."""
    return np.concatenate([*sampled(generator, count, seed, labels, batch_size)])


def measure(extractor, real, generator, count, seed, labels=None):
    """How far samples are from real crops.

    Args:
        extractor: `keras_gans.metrics.features.Extractor`.
        real: features of the real crops, (M, D).
        generator, count, seed, labels: see `sampled`; at least two images.

    Returns:
        dict of floats: `frechet`, `kid`, and `kid_std` over KID's subsets.
    """
    fake = extract(extractor, lambda: sampled(generator, count, seed, labels))
    mean, std = kid(real, fake, SUBSETS, SUBSET_SIZE, seed)
    return {"frechet": frechet_distance(real, fake), "kid": mean, "kid_std": std}


def build_classifier(image_size, classes, width=32):
    """Builds a small classifier of crops, of which the features of the distances are.

    Four 3x3 convolutions of stride 2, the filters doubling, and the mean over all places.

    Args:
        image_size: side S, at least 16.
        classes: K.
        width: filters of the first layer; there are 8 times as many features.

    Returns:
        Model from images (N, S, S, 3) in [-1, 1] to p(y|x) (N, K), of Keras' own layers: the
        file it is saved to serves `python -m keras_gans evaluate --network`.
    """
    images = keras.Input((image_size, image_size, 3), name="images")
    x = images
    for step in range(4):
        x = layers.Conv2D(
            width * 2**step, 3, strides=2, padding="same", activation="relu",
            kernel_initializer=keras.initializers.HeNormal(),
        )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(classes, activation="softmax", name="probabilities")(x)
    return keras.Model(images, outputs, name=CLASSIFIER)


def targets(labels, classes):
    """What the classifier should give: float32 (N, K), rows with the sum 1.

    Args:
        labels: int (N,), or bool (N, K), of which each row has a class; several share the 1.
        classes: K.
    """
    if labels.ndim == 1:
        return np.eye(classes, dtype=np.float32)[labels]
    return (labels / labels.sum(axis=1, keepdims=True)).astype(np.float32)


def accuracy(classifier, images, wanted, batch_size=500):
    """Percent of the crops of which the likeliest class is one that they have.

    Args:
        classifier: from `build_classifier`.
        images: uint8 (N, S, S, 3).
        wanted: (N, K), see `targets`.
        batch_size: images at once; bounds the memory.
    """
    right = 0
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        told = classifier(to_float(images[part]), training=False).numpy().argmax(axis=1)
        right += int(np.sum(wanted[part][np.arange(len(told)), told] > 0))
    return 100 * right / len(images)
