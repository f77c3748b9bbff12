"""What tables 2 and 3 measure: test errors, samples and their Inception score."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_float, to_levels
from keras_gans.metrics.inception_score import inception_score, score_name


def test_error(
    discriminator: keras.Model, images: np.ndarray, labels: np.ndarray, batch_size: int = 500
) -> float:
    """Share of wrongly classified images in percent (table 3).

    Args:
        discriminator: model from images (N, S, S, C) in [-1, 1] to logits (N, K).
        images: uint8 (N, S, S, C).
        labels: (N,), all known.
        batch_size: images at once; bounds the memory.

    Raises:
        ValueError: without images, or if labels are unknown or not as many.
    """
    labels = np.asarray(labels)
    if not len(images) or labels.shape != (len(images),) or labels.min() < 0:
        raise ValueError(
            "there must be images, each with a label of 0 or more. "
            f"Received: {len(images)} images, labels of shape {labels.shape}"
        )
    probabilities = predict_probabilities(discriminator, images, batch_size)
    return 100 * float(np.mean(probabilities.argmax(axis=1) != labels))


def predict_probabilities(
    discriminator: keras.Model, images: np.ndarray, batch_size: int = 500
) -> np.ndarray:
    """p(y|x) (eq. 3) of images uint8 (N, S, S, C): float32 (N, K); see `test_error`."""
    classify = traced_classifier(discriminator)
    results = np.empty((len(images), discriminator.output_shape[-1]), np.float32)
    for start in range(0, len(images), batch_size):
        results[start : start + batch_size] = classify(images[start : start + batch_size])
    return results


def traced_classifier(discriminator: keras.Model) -> Callable:
    """A tf.function from images uint8 (N, S, S, C) to p(y|x), float32 (N, K).

    It is traced once for batches of all sizes, in inference mode.
    """

    @tf.function(
        input_signature=[tf.TensorSpec(discriminator.input_shape, tf.uint8)], autograph=False
    )
    def classify(images):
        return tf.nn.softmax(discriminator(to_float(images), training=False))

    return classify


def sample(generator: keras.Model, count: int, seed: int, batch_size: int = 500) -> np.ndarray:
    """Draws images from a generator.

    z does not depend on the batch size. A larger count begins with the same images.

    Args:
        generator: model from z (N, L) to images (N, S, S, C) in [-1, 1].
        count: how many images.
        seed: of z, uniform in [-1, 1].
        batch_size: images at once; bounds the memory.

    Returns:
        uint8 (count, S, S, C).
    """

    @tf.function(
        input_signature=[tf.TensorSpec(generator.input_shape, tf.float32)], autograph=False
    )
    def generate(z):
        return to_levels(generator(z, training=False))

    rng = np.random.default_rng(seed)
    z = rng.uniform(-1, 1, (count, generator.input_shape[-1])).astype(np.float32)
    images = np.empty((count, *generator.output_shape[1:]), np.uint8)
    for start in range(0, count, batch_size):
        images[start : start + batch_size] = generate(z[start : start + batch_size])
    return images


def sample_scores(
    images: np.ndarray,
    probabilities_of: Callable,
    network: str,
    seed: int,
    splits: int = 10,
    count: int | None = None,
    network_error: float | None = None,
) -> dict:
    """The Inception score of images, with its conditions (table 2).

    The images are shuffled first: real ones may lie in the order of their classes, and each
    split should have all of them.

    Args:
        images: uint8 (N, S, S, 3), real or generated.
        probabilities_of: function from such images to p(y|x) (N, K).
        network: name of what computes it, see `score_name`.
        seed: of the shuffling.
        splits: see `inception_score`.
        count: images to score, all by default.
        network_error: the network's own test error in percent, where it was trained here.

    Returns:
        dict: the score under `score_name`, its scatter over the splits under the same with
        `_std`, and with `_conditions` a dict of `images`, `splits`, `seed`, `network` and
        `network_test_error`.

    Raises:
        ValueError: if `count` is more than there are, and as `inception_score`.
    """
    count = len(images) if count is None else count
    if count > len(images):
        raise ValueError(f"`count` must be at most {len(images)}. Received: {count}")
    chosen = np.random.default_rng(seed).permutation(len(images))[:count]
    mean, std = inception_score(probabilities_of(images[chosen]), splits)
    conditions = {"images": count, "splits": splits, "seed": seed, "network": network}
    if network_error is not None:
        conditions["network_test_error"] = network_error
    name = score_name(network)
    return {name: mean, f"{name}_std": std, f"{name}_conditions": conditions}
