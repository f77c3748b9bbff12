"""What table 1 measures: distances of samples to real crops, near-copies, diversity."""

import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_levels
from keras_gans.metrics.features import extract
from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.okdgan.copies import CHECKED, copy_threshold, diversity, nearest_crops
from keras_gans.okdgan.report import COLUMNS, sample_rows

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
        yield to_levels(generator(inputs, training=False)).numpy()


def sample(generator, count, seed, labels=None, batch_size=100):
    """The images of `sampled` at once: uint8 (count, S, S, C)."""
    return np.concatenate([*sampled(generator, count, seed, labels, batch_size)])


def judge(folder, gans, extractor, crops, labels, validation, count, seed, mirrored=False):
    """Measures GANs, and writes samples beside real crops.

    Args:
        folder: gets `samples.png`, and `nearest.png`: for each GAN the samples that are nearest
            to a training crop, above these crops.
        gans: dict name -> GAN.
        extractor: `keras_gans.metrics.features.Extractor`.
        crops, labels: `Crops` that the GANs were trained on, and their labels or `None`.
        validation: `Crops` that they were not trained on, or `None`.
        count, seed: see `sampled`.
        mirrored: see `find_copies`.

    Returns:
        dict name -> figures of `measure` and `near_copies`; and the threshold of near-copies.
    """
    real = extract(extractor, crops.images)
    held_out = None if validation is None else extract(extractor, validation.images)
    threshold = copy_threshold(crops.images, crops.sources, seed)
    measured, nearest = {}, []
    shown = [crops.images[np.linspace(0, len(crops) - 1, COLUMNS).astype(int)]]
    for name, gan in gans.items():
        figures = measure(extractor, real, gan.averaged, count, seed, labels, held_out)
        copies, pairs = find_copies(
            gan.averaged, crops.images, threshold, seed, labels, min(CHECKED, count), mirrored
        )
        measured[name] = figures | {"near_copies": copies}
        shown.append(sample(gan.averaged, COLUMNS, 0, labels))
        nearest += [*pairs]
    sample_rows(folder / "samples.png", shown)
    sample_rows(folder / "nearest.png", nearest)
    return measured, threshold


def measure(extractor, real, generator, count, seed, labels=None, validation=None):
    """How far samples are from real crops, and how various they are.

    Args:
        extractor: `keras_gans.metrics.features.Extractor`.
        real: features of the real crops that the generator was trained on, (M, D).
        generator, count, seed, labels: see `sampled`; at least two images.
        validation: features of other real crops; `None` if there are none.

    Returns:
        dict of floats: `frechet`, `kid`, and `kid_std` over KID's subsets; with `validation`
        also `validation_frechet` and so on; `diversity` of the first 1000 samples.
    """
    fake = extract(extractor, lambda: sampled(generator, count, seed, labels))
    figures = distances(real, fake, seed)
    if validation is not None:
        held_out = distances(validation, fake, seed)
        figures |= {f"validation_{name}": value for name, value in held_out.items()}
    return figures | {"diversity": diversity(fake[:CHECKED], real, seed)}


def distances(real, fake, seed):
    """Distances of two sets of features: `frechet`, `kid`, and `kid_std` over its subsets."""
    mean, std = kid(real, fake, SUBSETS, SUBSET_SIZE, seed)
    return {"frechet": frechet_distance(real, fake), "kid": mean, "kid_std": std}


def find_copies(generator, crops, threshold, seed, labels=None, count=CHECKED, mirrored=False):
    """Counts samples that repeat a crop, see `keras_gans.okdgan.copies`.

    Args:
        generator, seed, labels: see `sampled`.
        crops: uint8 (M, S, S, C), those that the generator was trained on.
        threshold: from `copy_threshold`; `None` if there is none.
        count: of the samples.
        mirrored: whether it was trained on mirror images of the crops too.

    Returns:
        int or `None`, how many near-copies there are; and uint8 (2, 12 or fewer, S, S, C), the
        samples that are nearest to a crop, nearest first, and these crops.
    """
    images = sample(generator, count, seed, labels)
    if mirrored:
        crops = np.concatenate([crops, crops[:, :, ::-1]])
    correlations, indices = nearest_crops(images, crops)
    first = np.argsort(-correlations, kind="stable")[:COLUMNS]
    copies = None if threshold is None else int(np.sum(correlations > threshold))
    return copies, np.stack([images[first], crops[indices[first]]])
