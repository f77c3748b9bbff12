"""Do generated crops help? Does a classifier of defects learn more with them than without?

GANs and classifiers are trained on the same few real crops. Then the classifier is trained
again, with generated crops as half of each batch, for as many steps. All are tested on crops of
other photos. All see their crops mirrored at random.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from keras_gans.errors import InputError
from keras_gans.okdgan.classifier import BATCH, balanced_accuracy, targets, train_classifier
from keras_gans.okdgan.config import StudyConfig
from keras_gans.okdgan.crops import Crops, single_labels
from keras_gans.okdgan.evaluate import sample
from keras_gans.report.tables import mean_and_scatter, show, write_csv
from keras_gans.training.schedule import Schedule

GENERATED = 5000  # crops, of all students together
EPOCH = 100  # steps after which the state of a classifier is saved
REAL, ALL = "few real crops", "all real crops of the same photos"


def few_crops(crops: Crops, test: Crops, count: int, seed: int) -> Crops:
    """Draws the few crops that are all there is to train on, equally many of each class.

    Args:
        crops: `Crops` to draw from; `test`: those to test on.
        count: how many; rounded down to a multiple of the classes.
        seed: int, of the draw.

    Returns:
        `Crops` with one label each.

    Raises:
        InputError: a class has too few of them, or none to test on.
    """
    labels, tested = (single_labels(each, seed) for each in (crops, test))
    each = count // len(crops.classes)
    rng, drawn = np.random.default_rng(seed), []
    for label, name in enumerate(crops.classes):
        found = np.flatnonzero(labels == label)
        if not each or len(found) < each or not np.any(tested == label):
            raise InputError(
                f"{crops.name}: {name} has {len(found)} crops to train on and "
                f"{np.sum(tested == label)} to test on, {max(each, 1)} and 1 are needed: give "
                "more --count, another --few, or other --classes"
            )
        drawn.append(rng.permutation(found)[:each])
    drawn = np.sort(np.concatenate(drawn))
    few = crops.take(drawn)
    return replace(few, images=np.asarray(few.images), labels=labels[drawn])


def generated_crops(
    gans: list, classes: int, seed: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Samples of all GANs and classes, equally many of each.

    Args:
        gans: list of those to draw from.
        classes: K.
        seed: int, of the latents.
        count: how many; rounded up to a multiple of GANs and classes.

    Returns:
        images uint8 (N, S, S, C), and labels int64 (N,).
    """
    each = -(-count // (len(gans) * classes))
    images = [
        sample(gan.averaged, each, (seed * len(gans) + number) * classes + label, [label])
        for number, gan in enumerate(gans)
        for label in range(classes)
    ]
    labels = np.tile(np.arange(classes).repeat(each), len(gans))
    return np.concatenate(images), labels


def classifier_schedule(config: StudyConfig) -> Schedule:
    """That of a classifier: `classifier_steps`, rounded up to a multiple of 100."""
    per_epoch = min(EPOCH, config.classifier_steps)
    return Schedule(BATCH, per_epoch, -(-config.classifier_steps // per_epoch))


def compare(
    config: StudyConfig, folder: Path, few: Crops, gans: dict, more: Crops, test: Crops
) -> pd.DataFrame:
    """Trains classifiers on real crops, on generated ones too, and on many real ones.

    Args:
        config: the settings: `classifier_steps` and `seeds`.
        folder: each training has its own in it, from which it goes on.
        few: `Crops` from `few_crops`.
        gans: dict name -> list of GANs that were trained on them, whose samples are added.
        more: `Crops` of the same photos, many: what generated crops would ideally replace.
        test: `Crops` of other photos.

    Returns:
        columns `training`, `seed`, and `accuracy` on `test`, balanced, in percent.
    """
    count, labels = len(few.classes), single_labels(test)
    schedule = classifier_schedule(config)
    trainings = {REAL: (few.images, few.labels, None)}
    for name, group in gans.items():
        images, classes = generated_crops(group, count, config.seeds[0], GENERATED)
        trainings[f"and {name}"] = few.images, few.labels, (images, targets(classes, count))
    trainings[ALL] = more.images, single_labels(more), None
    rows = []
    for number, (name, (images, classes, others)) in enumerate(trainings.items()):
        for seed in config.seeds:
            network = train_classifier(
                folder / f"classifier-{number}-seed-{seed}", images, targets(classes, count),
                schedule, seed, others,
            )  # fmt: skip
            accuracy = balanced_accuracy(network, test.images, labels)
            print(f"{name}, seed {seed}: {accuracy:.2f} %")
            rows.append({"training": name, "seed": seed, "accuracy": accuracy})
    return pd.DataFrame(rows)


def write(folder: Path, frame: pd.DataFrame, title: str) -> None:
    """Prints mean and standard deviation over the seeds, and writes `augmentation.csv`.

    Args:
        folder: `Path`, exists.
        frame: from `compare`.
        title: of what is printed.
    """
    cells = [
        (name, mean_and_scatter(runs["accuracy"]), str(len(runs)))
        for name, runs in frame.groupby("training", sort=False)
    ]
    show(title, ("trained on", "test accuracy, %", "seeds"), cells)
    write_csv(folder / "augmentation.csv", frame)
