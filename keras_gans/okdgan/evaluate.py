"""What table 1 measures: distances of samples to real crops, near-copies, diversity."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_levels
from keras_gans.metrics.features import Extractor, extract
from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.metrics.manifold import WIDER, manifold_figures
from keras_gans.okdgan.config import Config
from keras_gans.okdgan.crops import Crops
from keras_gans.okdgan.memorisation import (
    CHECKED,
    AndMirrored,
    copy_threshold,
    diversity,
    nearest_crops,
)
from keras_gans.okdgan.report import COLUMNS, sample_rows

SUBSETS, SUBSET_SIZE = 100, 1000  # of KID


@dataclass(frozen=True)
class Data:
    """What GANs are trained on, and measured with.

    Attributes:
        crops: those to train on.
        labels: int64 (N,), one class of each, for a GAN with classes; else `None`.
        held_out: `Crops` of other photos, or `None`.
    """

    crops: Crops
    labels: np.ndarray | None = None
    held_out: Crops | None = None


def sample(
    generator: keras.Model,
    count: int,
    seed: int,
    labels: np.ndarray | None = None,
    batch_size: int = 100,
) -> np.ndarray:
    """Draws images from a generator.

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

    Returns:
        uint8 (count, S, S, C).
    """
    latents, classes = (np.random.default_rng([seed, part]) for part in (0, 1))
    length = generator.inputs[0].shape[1]
    images = []
    for start in range(0, count, batch_size):
        size = min(batch_size, count - start)
        inputs = tf.constant(latents.standard_normal((size, length)), tf.float32)
        if labels is not None:
            drawn = [labels[int(len(labels) * luck)] for luck in classes.random(size)]
            inputs = [inputs, tf.constant(drawn, tf.int32)]
        images.append(to_levels(generator(inputs, training=False)).numpy())
    return np.concatenate(images)


def measure_gans(
    config: Config, folder: Path, gans: dict, extractor: Extractor, data: Data
) -> tuple[dict, float | None]:
    """Measures GANs, and writes samples beside real crops.

    Args:
        config: the settings: how many samples, of which seed.
        folder: gets `samples.png`, and `nearest.png`: for each GAN the samples that are nearest
            to a training crop, above these crops.
        gans: dict name -> GAN.
        extractor: its features are compared.
        data: what they were trained on.

    Returns:
        dict name -> figures of `measure`, with `near_copies`; and the threshold of near-copies.
    """
    crops, labels, seed = data.crops, data.labels, config.seed
    real = extract(extractor, crops.images)
    held_out = data.held_out and extract(extractor, data.held_out.images)
    threshold = copy_threshold(crops.images, crops.sources, seed)
    known = crops.images  # to a GAN that saw mirror images, those too
    if config.mirror:
        known = AndMirrored(known)
    measured, nearest = {}, []
    shown = [crops.images[np.linspace(0, len(crops) - 1, COLUMNS).astype(int)]]
    for name, gan in gans.items():
        samples = sample(gan.averaged, config.score_images, seed, labels)
        figures = measure(extractor, real, samples, seed, held_out)
        copies, pairs = find_copies(samples[:CHECKED], known, threshold)
        measured[name] = figures | {"near_copies": copies}
        shown.append(sample(gan.averaged, COLUMNS, 0, labels))
        nearest += [*pairs]
    sample_rows(folder / "samples.png", shown)
    sample_rows(folder / "nearest.png", nearest)
    return measured, threshold


def measure(
    extractor: Extractor,
    real: np.ndarray,
    samples: np.ndarray,
    seed: int,
    held_out: np.ndarray | None = None,
) -> dict[str, float]:
    """How far samples are from real crops, and how various they are.

    Args:
        extractor: its features are compared.
        real: features of the real crops that the generator was trained on, (M, D).
        samples: uint8 (N, S, S, C), at least two.
        seed: of KID's subsets.
        held_out: features of other real crops; `None` if there are none.

    Returns:
        dict: `frechet`, `kid`, and `kid_std` over KID's subsets; with `held_out` also
        `validation_frechet` and so on; of more than five vectors `precision`, `recall`,
        `density` and `coverage` of the held-out crops, or else of the real ones, see
        `manifold_figures`; `diversity` of the first 1000 samples.
    """
    fake = extract(extractor, samples)
    figures = distances(real, fake, seed)
    if held_out is not None:
        others = distances(held_out, fake, seed)
        figures |= {f"validation_{name}": value for name, value in others.items()}
    compared = real if held_out is None else held_out
    if min(len(compared), len(fake)) > WIDER:
        figures |= manifold_figures(compared, fake)
    return figures | {"diversity": diversity(fake[:CHECKED], real, seed)}


def distances(real: np.ndarray, fake: np.ndarray, seed: int) -> dict[str, float]:
    """Distances of two sets of features: `frechet`, `kid`, and `kid_std` over its subsets."""
    mean, std = kid(real, fake, SUBSETS, SUBSET_SIZE, seed)
    return {"frechet": frechet_distance(real, fake), "kid": mean, "kid_std": std}


def find_copies(
    samples: np.ndarray, crops: np.ndarray, threshold: float | None
) -> tuple[int | None, np.ndarray]:
    """Counts samples that repeat a crop, see `keras_gans.okdgan.memorisation`.

    Args:
        samples: uint8 (N, S, S, C).
        crops: uint8 (M, S, S, C), those that the generator was trained on.
        threshold: from `copy_threshold`; `None` if there is none.

    Returns:
        int or `None`, how many near-copies there are; and uint8 (2, 12 or fewer, S, S, C), the
        samples that are nearest to a crop, nearest first, and these crops.
    """
    correlations, indices = nearest_crops(samples, crops)
    first = np.argsort(-correlations, kind="stable")[:COLUMNS]
    copies = None if threshold is None else int(np.sum(correlations > threshold))
    return copies, np.stack([samples[first], crops[indices[first]]])
