"""A small classifier of crops: its features measure samples, and samples may improve it."""

from collections.abc import Callable
from pathlib import Path

from keras_gans.training.device import xla

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_gans.data.levels import to_float
from keras_gans.data.on_disk import subset
from keras_gans.errors import InputError
from keras_gans.files import replacing
from keras_gans.layers.diff_augment import augment
from keras_gans.metrics.features import (
    Extractor,
    eyes_extractor,
    inception_extractor,
    model_extractor,
)
from keras_gans.okdgan.config import Config
from keras_gans.okdgan.crops import CLASSIFIER_HOLD_OUT, Crops, split
from keras_gans.okdgan.data import crop_batches
from keras_gans.training.fit import fit
from keras_gans.training.precision import ready
from keras_gans.training.schedule import Schedule

CLASSIFIER = "crop_classifier"
BATCH = 50
RATE = 1e-3  # of Adam at the start; it falls to 0 along a cosine


def build_classifier(image_size: int, classes: int, width: int = 32) -> keras.Model:
    """Builds a small classifier of crops; its features are those of the distances.

    Four 3x3 convolutions of stride 2, the filters doubling, then global average pooling.

    Args:
        image_size: side S, at least 16.
        classes: K.
        width: filters of the first layer; there are 8 times as many features.

    Returns:
        Model from images (N, S, S, 3) in [-1, 1] to p(y|x) (N, K), of Keras' own layers: the
        file it is saved to serves `keras-gans evaluate --network`.
    """
    images = keras.Input((image_size, image_size, 3), name="images")
    x = images
    for step in range(4):
        x = layers.Conv2D(
            width * 2**step, 3, strides=2, padding="same", activation="relu",
            kernel_initializer=keras.initializers.HeNormal(),
        )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(
        classes, activation="softmax", dtype="float32", name="probabilities"
    )(x)
    return keras.Model(images, outputs, name=CLASSIFIER)


def targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """What the classifier should give: float32 (N, K), rows with the sum 1.

    Args:
        labels: int (N,), or bool (N, K), of which each row has a class; several share the 1.
        classes: K.
    """
    if labels.ndim == 1:
        return np.eye(classes, dtype=np.float32)[labels]
    return (labels / labels.sum(axis=1, keepdims=True)).astype(np.float32)


def accuracy(
    classifier: keras.Model, images: np.ndarray, wanted: np.ndarray, batch_size: int = 500
) -> float:
    """Top-1 accuracy in percent; any class that a crop has is right.

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


def balanced_accuracy(classifier: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Balanced accuracy in percent: the mean over the classes of each class's accuracy.

    Args:
        classifier: from `build_classifier`.
        images: uint8 (N, S, S, 3).
        labels: int (N,); classes without a crop do not count.
    """
    wanted = targets(labels, classifier.output_shape[1])
    shares = [
        accuracy(classifier, subset(images, labels == label), wanted[labels == label])
        for label in np.unique(labels)
    ]
    return float(np.mean(shares))


def train_classifier(
    folder: Path,
    images: np.ndarray,
    wanted: np.ndarray,
    schedule: Schedule,
    seed: int,
    more: tuple[np.ndarray, np.ndarray] | None = None,
    ordinary: tuple[str, ...] = (),
) -> keras.Model:
    """Trains a classifier of crops, mirrored at random; goes on where it stopped.

    Args:
        folder: of this training, see `keras_gans.training.fit.fit`.
        images: uint8 (N, S, S, 3).
        wanted: (N, K), see `targets`.
        schedule: of batches of `BATCH`.
        seed: of weights and batches.
        more: further (images, wanted), of which half of each batch then is.
        ordinary: names of `layers.diff_augment.AUGMENTATIONS`, for all it sees.
    """
    keras.utils.set_random_seed(seed)
    classifier = build_classifier(images.shape[1], wanted.shape[1])
    rate = keras.optimizers.schedules.CosineDecay(RATE, schedule.steps)
    optimizer = ready(keras.optimizers.Adam(rate), [classifier])
    classifier.compile(optimizer, "categorical_crossentropy", jit_compile=xla())
    size = BATCH // 2 if more else BATCH
    batch = crop_batches(images, size, seed, wanted, mirror=True)
    if more:
        batch = joined(batch, crop_batches(more[0], size, seed, more[1], mirror=True))
    fit(folder, classifier, augmented(batch, ordinary, seed) if ordinary else batch, schedule)
    return classifier


def augmented(batch: Callable, names: tuple[str, ...], seed: int) -> Callable:
    """Batches of (images, targets), each image changed at random by `augment`."""

    def changed(step):
        images, wanted = batch(step)
        key = tf.stack([seed, tf.cast(step, tf.int32) * len(names)])
        return augment(images, key, names), wanted

    return changed


def joined(first: Callable, second: Callable) -> Callable:
    """Two functions to batches of (images, targets) as one."""
    return lambda step: tuple(tf.concat(both, 0) for both in zip(first(step), second(step)))


def named_extractor(config: Config) -> Extractor | None:
    """The network that the settings name, or EfficientNet-Lite0, if it is there and wanted.

    `None` if one has to be trained.

    Raises:
        InputError: its file cannot be used, or it takes images of another size.
    """
    if config.inception:
        return inception_extractor(config.inception)
    if not config.network:
        return eyes_extractor() if config.eyes else None
    extractor = model_extractor(config.network)
    size = config.image_size
    if extractor.image_size not in (None, (size, size)):
        raise InputError(
            f"{config.network}: takes images of {extractor.image_size}, --image-size is {size}"
        )
    return extractor


def extractor_for(config: Config, folder: Path, crops: Crops) -> tuple[Extractor, float | None]:
    """The network whose features are compared: the named one, or one trained on the classes.

    Args:
        config: the settings.
        folder: gets `classifier/` and `classifier.keras`, if one is trained.
        crops: those to train it on, with classes.

    Returns:
        (extractor, accuracy): the accuracy of one trained here, in percent of crops of photos
        that it has not seen; else `None`.
    """
    extractor = named_extractor(config)
    if extractor:
        return extractor, None
    trained, held_out = split(crops, CLASSIFIER_HOLD_OUT, config.seed)
    wanted = targets(crops.labels, len(crops.classes))
    schedule = Schedule(BATCH, -(-len(trained) // BATCH), config.classifier_epochs)
    classifier = train_classifier(
        folder / "classifier", subset(crops.images, trained), wanted[trained], schedule,
        config.seed,
    )  # fmt: skip
    seen, unseen = (
        accuracy(classifier, subset(crops.images, some), wanted[some])
        for some in (trained, held_out)
    )
    print(
        f"{classifier.name}: {unseen:.1f} % of {len(held_out)} held-out crops right, "
        f"{seen:.1f} % of those it was trained on"
    )
    with replacing(folder / "classifier.keras") as temporary:
        named = temporary.with_suffix(".keras")
        classifier.save(named)
        named.rename(temporary)
    return model_extractor(classifier), unseen
