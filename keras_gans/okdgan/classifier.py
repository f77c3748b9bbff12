"""A small classifier of crops: the eyes of the distances, and the use that samples are for."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_gans.data.levels import to_float
from keras_gans.files import replacing
from keras_gans.okdgan.data import batches
from keras_gans.okdgan.datasets import split
from keras_gans.training.fit import fit

CLASSIFIER = "crop_classifier"
HELD_OUT = 0.2  # of the photos, for the accuracy of the eyes
BATCH = 50
RATE = 1e-3  # of Adam at the start; it falls to 0 along a cosine


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


def balanced_accuracy(classifier, images, labels):
    """Percent of the crops of each class that are told right, the mean over the classes.

    Args:
        classifier: from `build_classifier`.
        images: uint8 (N, S, S, 3).
        labels: int (N,); classes without a crop do not count.
    """
    wanted = targets(labels, classifier.output_shape[1])
    shares = [
        accuracy(classifier, images[labels == label], wanted[labels == label])
        for label in np.unique(labels)
    ]
    return float(np.mean(shares))


def train_classifier(
    folder, images, wanted, steps_per_epoch, epochs, seed, more=None, jit_compile=False
):
    """Trains a classifier of crops, mirrored at random; goes on where it stopped.

    Args:
        folder: of this training, see `keras_gans.training.fit.fit`.
        images: uint8 (N, S, S, 3).
        wanted: (N, K), see `targets`.
        steps_per_epoch, epochs: of `BATCH` images a step.
        seed: int, of weights and batches.
        more: further (images, wanted), of which half of each batch then is.
        jit_compile: see `keras.Model.compile`.

    Returns:
        the classifier.
    """
    keras.utils.set_random_seed(seed)
    steps = steps_per_epoch * epochs
    classifier = build_classifier(images.shape[1], wanted.shape[1])
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps))
    optimizer.build(classifier.trainable_variables)
    classifier.compile(optimizer, "categorical_crossentropy", jit_compile=jit_compile)

    def batches_from(first_step):
        size = BATCH // 2 if more else BATCH
        drawn = batches(images, size, seed, steps, first_step, wanted, mirror=True)
        if not more:
            return drawn
        others = batches(more[0], size, seed, steps, first_step, more[1], mirror=True)
        return tf.data.Dataset.zip(drawn, others).map(joined)

    fit(
        folder, classifier, batches_from, steps_per_epoch, epochs, {"optimizer": optimizer},
        BATCH,
    )  # fmt: skip
    return classifier


def train_eyes(folder, crops, epochs, seed, jit_compile=False):
    """Trains the network that looks at samples: on the classes of the crops of most photos.

    Args:
        folder: `Path`, gets `classifier/` and `classifier.keras`.
        crops: `Crops` with classes.
        epochs: passes over them.
        seed, jit_compile: see `train_classifier`.

    Returns:
        the classifier, and its accuracy in percent on the photos that it has not seen.
    """
    trained, held_out = split(crops, HELD_OUT, seed)
    wanted = targets(crops.labels, len(crops.classes))
    classifier = train_classifier(
        folder / "classifier", crops.images[trained], wanted[trained],
        -(-len(trained) // BATCH), epochs, seed, jit_compile=jit_compile,
    )  # fmt: skip
    seen, unseen = (
        accuracy(classifier, crops.images[part], wanted[part]) for part in (trained, held_out)
    )
    print(
        f"{classifier.name}: {unseen:.1f} % of {len(held_out)} held-out crops right, "
        f"{seen:.1f} % of those it was trained on"
    )
    with replacing(folder / "classifier.keras") as temporary:
        named = temporary.with_suffix(".keras")
        classifier.save(named)
        named.rename(temporary)
    return classifier, unseen


def joined(first, second):
    """Two batches of (images, targets) as one."""
    return tuple(tf.concat(both, 0) for both in zip(first, second))
