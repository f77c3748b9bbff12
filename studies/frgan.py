"""Tables 2 and 3 and figure 4 of FR-GAN's paper, and what the GAN adds to its other parts.

    python -m studies.frgan table-3 --data DIR --reduced     test error with 500 and 1000 labels
    python -m studies.frgan table-2 --data DIR --reduced     Inception score, figure 3
    python -m studies.frgan figure-4 --data DIR --reduced    all labels, some of them wrong
    python -m studies.frgan gan-share --data DIR             table 3 beside a Pi-model, no GAN

The settings are those of train_frgan.py, and more: see `StudyConfig`. With `--resume` an
interrupted study goes on, run by run.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.frgan.config import StudyConfig

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(StudyConfig)

from dataclasses import replace
from functools import partial

from keras_gans.training.device import alone, set_up

import numpy as np

from keras_gans.data.order import spread
from keras_gans.errors import InputError
from keras_gans.files import remembered
from keras_gans.frgan import datasets
from keras_gans.frgan.evaluate import (
    predict_probabilities,
    sample,
    sample_scores,
    test_error,
)
from keras_gans.frgan.labelled_images import describe
from keras_gans.metrics.inception_score import INCEPTION_2015, inception_2015
from keras_gans.report.pictures import samples_beside
from keras_gans.training.run_folder import RunFolder
from studies import frgan_tables as tables
from train_frgan import run, train_labels_only


def run_study(config, folder, images):
    """All trainings of an experiment, then its table and picture."""
    path, scored = folder / config.study, config.study == "table-2"
    if scored:
        score = scorer(config, folder, images)
        count = min(config.score_images, len(images.test_images))
        real = tables.run_path(path, tables.real_images(config.seed)) / "result.json"
        remembered(real, lambda: score(images.test_images))
    for variant in tables.missing(config.study, config, path):
        changed = replace(config, baseline=False, **variant.changes)
        place = tables.run_path(path, variant)

        def train_and_measure(changed=changed, place=place):
            gan, figures = run(changed, place, images)
            if scored:
                figures |= score(sample(gan.generator, count, changed.seed))
                np.save(place / "samples.npy", sample(gan.generator, 64, changed.seed))
            return figures

        print(f"\n{variant.row}, {variant.column}, seed {changed.seed}")
        remembered(place / "result.json", train_and_measure)
    tables.write(config.study, config, path, images.name)
    if scored:
        draw_figure_3(config, path, images)


def draw_figure_3(config, folder, images):
    """Samples of the first seed's runs beside real images."""
    grids = {"real images": images.test_images[spread(len(images.test_images), 64)]}
    for variant in tables.variants(config.study, config):
        if variant.changes["seed"] == config.seeds[0]:
            grids[variant.row] = np.load(tables.run_path(folder, variant) / "samples.npy")
    samples_beside(folder / "figure-3.png", grids)


def scorer(config, folder, images):
    """What gives images their Inception score: see `--inception`."""
    if config.inception:
        network, error = INCEPTION_2015, None
        probabilities_of = inception_2015(config.inception)
    else:
        known = np.flatnonzero(images.train_labels >= 0)
        labels = images.train_labels[known]
        classifier = train_labels_only(
            replace(config, se=True), folder / "classifier", images, known, labels
        )
        network = classifier.name
        error = test_error(classifier, images.test_images, images.test_labels)
        probabilities_of = partial(predict_probabilities, classifier)
    return lambda shown: sample_scores(
        shown, probabilities_of, network, config.seed, network_error=error,
        count=min(config.score_images, len(shown)),
    )  # fmt: skip


@report_input_errors
def main(config):
    alone(config)
    tables.variants(config.study, config)  # are there such rows?
    if config.inception:
        inception_2015(config.inception)  # readable? now, not after hours of training
    images = datasets.load(config)
    if config.study == "table-2" and len(images.test_images) < 10:
        raise InputError(
            f"{images.name}: {len(images.test_images)} test images; the score of table 2 needs "
            "10 or more"
        )
    print(describe(images, config.labels or int(np.sum(images.train_labels >= 0))))
    with RunFolder("study_frgan", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        run_study(config, folder.path, images)
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
