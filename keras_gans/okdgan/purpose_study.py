"""What generated crops are for: do they give a classifier of few crops more than ordinary
augmentation does?

GANs and classifiers are trained on the same few real crops of each class. Each classifier sees
its batches through the same ordinary augmentation; with generated crops they are half of each
batch. All are trained for as many steps, and tested on crops of other photos.
"""

from pathlib import Path

import keras
import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from keras_gans.data.levels import to_float
from keras_gans.layers.diff_augment import AUGMENTATIONS
from keras_gans.metrics.features import Extractor, model_extractor
from keras_gans.okdgan.augmentation_study import classifier_schedule, generated_crops
from keras_gans.okdgan.classifier import balanced_accuracy, targets, train_classifier
from keras_gans.okdgan.config import StudyConfig
from keras_gans.okdgan.crops import Crops, single_labels
from keras_gans.okdgan.evaluate import sample
from keras_gans.okdgan.report import COLUMNS, sample_rows
from keras_gans.report.tables import mean_and_scatter, show, write_csv

# Of the GANs that are compared: what their critics see is augmented so
POLICIES = {"plain GAN": (), "DiffAugment": tuple(AUGMENTATIONS)}
GENERATED = 2000  # crops, of all classes together
DRAWN = 4  # samples for each that the filter leaves
BATCH = 500  # samples that a critic sees at once; bounds the memory
MIRRORED, ORDINARY = "few real crops, mirrored alone", "few real crops"
ALL = "all real crops of the same photos"


def filtered_crops(
    generator: keras.Model, critic: keras.Model, extractor: Extractor, few: Crops, count: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """The quarter of a generator's samples that its critic and their distances leave.

    Of each class equally many. The critic leaves the half of them with the highest scores. Of
    these the half stays whose nearest real crop of their own class is nearest, in relation to
    that of any other class.

    Args:
        generator, critic: of an ACGAN of the K classes.
        extractor: the distances are those of its features. It should know no more than the
            classifiers do: one of them, trained on `few`.
        few: the real crops that all of them learned from.
        count: how many to leave; rounded up to a multiple of K.
        seed: int, of the latents.

    Returns:
        images uint8 (N, S, S, C), and labels int64 (N,).
    """
    classes = len(few.classes)
    each = -(-count // classes)
    real, images = extractor.features(few.images), []
    for label in range(classes):
        drawn = sample(generator, DRAWN * each, seed * classes + label, [label])
        scores = [
            critic(to_float(drawn[start : start + BATCH]), training=False)[0][:, 0]
            for start in range(0, len(drawn), BATCH)
        ]
        drawn = drawn[np.argsort(-np.concatenate(scores), kind="stable")[: 2 * each]]
        apart = cdist(extractor.features(drawn), real)
        own, others = (apart[:, few.labels == label], apart[:, few.labels != label])
        ratio = own.min(axis=1) / np.maximum(others.min(axis=1), 1e-12)
        images.append(drawn[np.sort(np.argsort(ratio, kind="stable")[:each])])
    return np.concatenate(images), np.arange(classes).repeat(each)


def compare(
    config: StudyConfig, folder: Path, few: Crops, gans: dict, more: Crops, test: Crops
) -> list[dict]:
    """Trains the classifiers of one seed.

    Args:
        config: the settings, with this `seed`.
        folder: exists; gets `samples.png`, a row of real crops and one of each GAN's filtered.
        few: `Crops` from `few_crops`.
        gans: dict name -> ACGAN that was trained on them, with an average of its weights.
        more: `Crops` of the same photos, many: what generated crops would ideally replace.
        test: `Crops` of other photos.

    Returns:
        list of dicts, a classifier each: `training`, `seed` and `accuracy`, that on `test`,
        balanced, in percent.
    """
    count, labels, rows = len(few.classes), single_labels(test), []

    def train(name, crops, ordinary=config.ordinary, others=None):
        network = train_classifier(
            folder / f"classifier-{len(rows)}", crops.images,
            targets(single_labels(crops), count), classifier_schedule(config), config.seed,
            others and (others[0], targets(others[1], count)), ordinary,
        )  # fmt: skip
        accuracy = balanced_accuracy(network, test.images, labels)
        print(f"{name}, seed {config.seed}: {accuracy:.2f} %")
        rows.append({"training": name, "seed": config.seed, "accuracy": accuracy})
        return network

    train(MIRRORED, few, ())
    extractor = model_extractor(train(ORDINARY, few))
    shown = [_spread(few.images)]
    for name, gan in gans.items():
        for weights, generator in (("", gan.generator), (", EMA", gan.averaged)):
            made = filtered_crops(generator, gan.critic, extractor, few, GENERATED, config.seed)
            shown.append(_spread(made[0]))
            train(f"and generated: {name}{weights}", few, others=made)
    unfiltered = generated_crops([gan], count, config.seed, GENERATED)
    train(f"and generated: {name}, EMA, not filtered", few, others=unfiltered)
    train(ALL, more)
    sample_rows(folder / "samples.png", shown)
    return rows


def _spread(images):
    return images[np.linspace(0, len(images) - 1, COLUMNS).astype(int)]


def write(folder: Path, frame: pd.DataFrame, title: str) -> None:
    """Prints accuracies and what they are above ordinary augmentation; writes `purpose.csv`.

    Args:
        folder: `Path`, exists.
        frame: rows of `compare`, of one seed or several.
        title: of what is printed.
    """
    ordinary = frame[frame["training"] == ORDINARY].set_index("seed")["accuracy"]
    gain = frame["accuracy"] - frame["seed"].map(ordinary)
    cells = [
        (name, *(mean_and_scatter(runs[each]) for each in ("accuracy", "gain")), str(len(runs)))
        for name, runs in frame.assign(gain=gain).groupby("training", sort=False)
    ]
    show(title, ("trained on", "test accuracy, %", "gain, points", "seeds"), cells)
    write_csv(folder / "purpose.csv", frame)
