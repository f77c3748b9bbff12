"""FR-GAN: a classifier of images from few labels, and samples of such images.

Jiang, Zhang and Liu, "Image classification algorithm based on feature recalibration GAN",
2018.

    python train_frgan.py                          built-in street digits, 4 to 5 minutes on
                                                   2 cores
    python train_frgan.py --data DIR --reduced     your images with a small network, for CPUs
    python train_frgan.py --data DIR               the paper's network and schedule, for GPUs
    python train_frgan.py --download svhn --data DIR --study table-3
                                                   the paper's table 3; see docs/frgan.md

DIR has SVHN's train_32x32.mat and test_32x32.mat, or the folders train/CLASS/ and test/CLASS/
and, where there is one, unlabelled/. Defaults are the paper's; what it leaves open is said
beside the argument.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from keras_gans.training.device import set_up

import keras
import numpy as np
import tyro

from keras_gans.data.order import spread
from keras_gans.errors import InputError, report_input_errors
from keras_gans.export.generator import export_generator
from keras_gans.files import check_folder, write_json
from keras_gans.frgan import studies
from keras_gans.frgan.callbacks import Watch
from keras_gans.frgan.data import labelled_batches, semi_supervised_batches
from keras_gans.frgan.datasets import (
    describe,
    download_svhn,
    draw_labelled,
    load_labelled_images,
    wrong_labels,
)
from keras_gans.frgan.evaluate import (
    predict_probabilities,
    sample,
    sample_scores,
    test_error,
)
from keras_gans.frgan.export import export_classifier
from keras_gans.frgan.model import FRGAN, compile_labels_only
from keras_gans.frgan.networks import build_discriminator, build_generator
from keras_gans.frgan.report import print_errors
from keras_gans.frgan.synthetic import synthetic_digits
from keras_gans.layers import initialize_from_data
from keras_gans.metrics.inception_score import INCEPTION_2015, inception_2015
from keras_gans.report.pictures import samples_beside
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder, to_json
from keras_gans.training.settings import check_limits


@dataclass(frozen=True)
class Config:
    """Trains FR-GAN, measures it beside the same network trained on the labels alone."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in street digits, reduced settings."""
    download: Literal["svhn"] | None = None
    """Fetch this set into DATA first (train and test, 246 MB)."""
    extra: bool = False
    """Use SVHN's extra images as well, without their labels."""
    reduced: bool = False
    """A small network, and our settings where not given: for CPUs."""
    labels: int | None = 1000
    """Labelled images, spread evenly over the classes, drawn by the seed. None: all."""
    label_noise: float = 0.0
    """Share of the labelled images that get a wrong label (figure 4)."""

    image_size: int = 32
    width: int = 64
    """Filters of the discriminator's first block."""
    generator_width: int = 128
    """Filters of the generator's last hidden layer."""
    latent: int = 100
    se: bool = True
    """The squeeze-and-excitation block."""
    dropout: float = 0.2
    noise: float = 0.15
    """Standard deviation of the noise on the discriminator's images in [-1, 1]."""
    translate: int = 2
    """Pixels by which an image is moved at most."""
    mirror: bool = False
    """Mirror images at random: for things that have no writing on them."""

    consistency: bool = True
    """The term of equation 9."""
    consistency_weight: float | None = None
    """w_max; by default 100 M/N, of M labelled among N images (Laine and Aila)."""
    ramp_epochs: int | None = None
    """Epochs in which it rises; by default 80 of 300, or the same share of EPOCHS."""
    adversarial_weight: float = 1.0
    """Of equation 6 in the discriminator's loss; 0.5 in Improved-GAN's code."""
    feature_matching: bool = False
    """The generator's loss of Improved-GAN instead of the paper's."""
    average: float = 0.0
    """Decay of a moving average of the classifier's weights, which is then what is tested and
    exported, such as 0.999; 0 for none."""

    batch_size: int = 100
    epochs: int = 300
    steps_per_epoch: int | None = None
    """By default as many as show every image once."""
    learning_rate: float = 3e-4
    beta_1: float = 0.5
    """Of Adam; the paper does not say. 0.5 is DCGAN's and Improved-GAN's."""
    clip: float | None = None
    """Largest norm of the classifier's gradient; longer ones are scaled to it. None, as in the
    paper, for no limit."""

    baseline: bool = True
    """Train the same network on the labels alone, for the same number of steps, beside it."""
    supervised_only: bool = False
    """Train that alone; nothing is exported."""

    study: Literal["table-2", "table-3", "figure-4"] | None = None
    """Run the paper's experiment instead of one training, every variant once a seed."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of a study."""
    study_labels: tuple[int, ...] = (500, 1000)
    """Columns of table 3."""
    score_images: int = 10_000
    """Samples of which table 2 takes the Inception score, and real images; as many as there are
    to test on, if that is less."""
    inception: Path | None = None
    """The frozen Inception graph of 2015 (classify_image_graph_def.pb), which makes it *the*
    Inception score. Without it a classifier trained on all labels of the set takes its place,
    and the figure bears that name."""

    seed: int = 0
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/frgan-classifier/VERSION and EXPORT/frgan-generator/VERSION, those of
    built-in digits to names with -synthetic; None exports nothing."""
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_frgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""


# What 2 cores train in minutes: few steps, in which the adversarial loss must not drown the
# labels, and dropout costs a narrow network more than it gives. At this rate a single long
# gradient undoes the training, unless it is clipped
REDUCED = dict(
    width=16,
    generator_width=32,
    dropout=0.0,
    consistency_weight=10.0,
    adversarial_weight=0.25,
    average=0.99,
    batch_size=50,
    epochs=40,
    steps_per_epoch=100,
    learning_rate=2e-3,
    clip=1.0,
)

# Without --data
BUILT_IN = REDUCED | dict(labels=100, epochs=20)

METHODS = {"labels_only_error": "labels only", "test_error": "FR-GAN"}


def train_frgan(config, folder, jit_compile, images, labelled, labels):
    """Trains FR-GAN; goes on where the run stopped. Returns the model."""
    keras.utils.set_random_seed(config.seed)
    per_epoch = steps_per_epoch(config, images)
    steps = per_epoch * config.epochs
    weight = config.consistency_weight
    if weight is None:
        weight = 100 * len(labelled) / len(images.train_images)
    ramp = config.ramp_epochs
    if ramp is None:
        ramp = config.epochs * 80 / 300
    views = 2 if config.consistency else 1

    def batches(first_step):
        return semi_supervised_batches(
            images.train_images, labelled, labels, config.batch_size, config.seed, steps,
            first_step, views, config.translate, config.mirror,
        )  # fmt: skip

    discriminator = build_classifier(config, images)
    generator = build_generator(config.image_size, 3, config.generator_width, config.latent)
    (some, _), (more, *_) = next(iter(batches(0)))
    initialize_from_data(discriminator, np.concatenate([some, more]))
    gan = FRGAN(
        generator,
        discriminator,
        weight if config.consistency else 0.0,
        round(ramp * per_epoch),
        config.adversarial_weight,
        config.feature_matching,
        config.average,
        config.seed,
    )
    initialize_from_data(generator, gan.latents(config.batch_size))
    gan.compile(
        keras.optimizers.Adam(config.learning_rate, config.beta_1),
        keras.optimizers.Adam(config.learning_rate, config.beta_1, global_clipnorm=config.clip),
        jit_compile=jit_compile,
    )
    fit(
        folder / "frgan", gan, batches, per_epoch, config.epochs,
        {"g_optimizer": gan.g_optimizer, "d_optimizer": gan.d_optimizer},
        config.batch_size,
        [Watch(images.test_images, images.test_labels, folder / "samples")],
    )  # fmt: skip
    return gan


def train_labels_only(config, folder, jit_compile, images, labelled, labels):
    """The baseline: the discriminator as a classifier, on labelled images. Returns it."""
    keras.utils.set_random_seed(config.seed)
    per_epoch = steps_per_epoch(config, images)

    def batches(first_step):
        return labelled_batches(
            images.train_images[labelled], labels, config.batch_size, config.seed,
            per_epoch * config.epochs, first_step, config.translate, config.mirror,
        )  # fmt: skip

    network = build_classifier(config, images)
    initialize_from_data(network, next(iter(batches(0)))[0])
    compile_labels_only(
        network, config.learning_rate, config.beta_1, config.clip, config.average, jit_compile
    )
    done = fit(
        folder, network, batches, per_epoch, config.epochs, {"optimizer": network.optimizer},
        config.batch_size, [Watch(images.test_images, images.test_labels)],
    )  # fmt: skip
    if config.average and done == config.epochs:  # which `fit` does at its end
        network.optimizer.finalize_variable_values(network.trainable_variables)
    return network


def build_classifier(config, images):
    return build_discriminator(
        config.image_size, 3, len(images.classes), config.width, config.se,
        config.dropout, config.noise,
    )  # fmt: skip


def steps_per_epoch(config, images):
    """As given, or as many as show every image once."""
    return config.steps_per_epoch or -(-len(images.train_images) // config.batch_size)


def labelled_subset(config, folder, images):
    """Which labels may be used, drawn once and stored with the run.

    Returns:
        indices int64 (M,), and their labels (M,), with `--label-noise` some of them wrong.
    """
    path = folder / "labelled.json"
    digest = hashlib.sha256(images.train_images)
    digest.update(images.train_labels)
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["images"] != digest.hexdigest():
            raise InputError(f"{path}: drawn from other images; start a new run for these")
        return np.array(stored["indices"]), np.array(stored["labels"])
    indices = draw_labelled(images.train_labels, config.labels, images.classes, config.seed)
    labels = wrong_labels(
        images.train_labels[indices], config.label_noise, images.classes, config.seed
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {"images": digest.hexdigest(), "indices": indices.tolist(), "labels": labels.tolist()},
    )
    return indices, labels


def run_once(config, folder, jit_compile, images):
    """One training, measured.

    Returns:
        `FRGAN` or `None`, and the figures as a dict.
    """
    labelled, labels = labelled_subset(config, folder, images)
    test = images.test_images, images.test_labels
    figures, gan = {}, None
    if not config.supervised_only:
        gan = train_frgan(config, folder, jit_compile, images, labelled, labels)
        figures["test_error"] = test_error(gan.averaged, *test)
    if config.supervised_only or config.baseline:
        network = train_labels_only(
            config, folder / "labels-only", jit_compile, images, labelled, labels
        )
        error = test_error(network, *test)
        figures["labels_only_error" if gan else "test_error"] = error
    figures |= {
        "labels": len(labelled),
        "images": len(images.train_images),
        "tested": len(images.test_images),
        "seed": config.seed,
        "set": images.name,
    }
    return gan, figures


def run_study(config, run, jit_compile, images):
    """All trainings of one of the paper's experiments, then its table and picture."""
    folder = run.path / config.study
    scored = config.study == "table-2"
    if scored:
        score = scorer(config, run.path, jit_compile, images)
        count = min(config.score_images, len(images.test_images))
        real = studies.run_path(folder, studies.real_images(config.seed))
        real.mkdir(parents=True, exist_ok=True)
        write_json(real / "result.json", score(images.test_images))
    for variant in studies.missing(config.study, config, folder):
        changed = replace(config, baseline=False, **variant.changes)
        path = studies.run_path(folder, variant)
        print(f"\n{variant.row}, {variant.column}, seed {changed.seed}")
        gan, figures = run_once(changed, path, jit_compile, images)
        if scored:
            figures |= score(sample(gan.generator, count, changed.seed))
            np.save(path / "samples.npy", sample(gan.generator, 64, changed.seed))
        write_json(path / "result.json", figures)
    studies.write(config.study, config, folder, images.name)
    if scored:
        draw_figure_3(config, folder, images)


def draw_figure_3(config, folder, images):
    """Samples of the first seed's runs beside real images."""
    grids = {"real images": images.test_images[spread(len(images.test_images), 64)]}
    for variant in studies.variants(config.study, config):
        if variant.changes["seed"] == config.seeds[0]:
            grids[variant.row] = np.load(studies.run_path(folder, variant) / "samples.npy")
    samples_beside(folder / "figure-3.png", grids)


def scorer(config, folder, jit_compile, images):
    """What gives images their Inception score: see `--inception`."""
    if config.inception:
        network, error = INCEPTION_2015, None
        probabilities_of = inception_2015(config.inception)
    else:
        known = np.flatnonzero(images.train_labels >= 0)
        labels = images.train_labels[known]
        classifier = train_labels_only(
            replace(config, se=True), folder / "classifier", jit_compile, images, known, labels
        )
        network = classifier.name
        error = test_error(classifier, images.test_images, images.test_labels)
        probabilities_of = partial(predict_probabilities, classifier)
    return lambda shown: sample_scores(
        shown, probabilities_of, network, config.seed, network_error=error,
        count=min(config.score_images, len(shown)),
    )  # fmt: skip


def export(config, images, gan, figures):
    """Writes SavedModels and TFLite files; prints what they cost and how far they drift."""
    settings = to_json(config)
    settings.pop("data")  # a path of the machine that trained
    metadata = {"trained_on": images.name, "test_figures": figures, "settings": settings}
    suffix = "" if config.data else "-synthetic"
    paths = export_classifier(
        gan.averaged, images.classes, config.export / f"frgan-classifier{suffix}", metadata,
        images.train_images[spread(len(images.train_images), 200)],
        images.test_images[:2000], images.test_labels[:2000],
    )  # fmt: skip
    print(f"SavedModel: {paths['saved_model']}")
    base = config.export / f"frgan-generator{suffix}"
    paths = export_generator(gan.generator, base, metadata)
    print(f"SavedModel: {paths['saved_model']}")


def check(config):
    """Settings that no type can check, before anything is loaded or written."""
    check_limits(
        config,
        {
            "labels": (2, 10**9),
            "label_noise": (0, 1),
            "image_size": (8, 1024),
            "width": (1, 1024),
            "generator_width": (1, 1024),
            "latent": (1, 10**4),
            "dropout": (0, 0.99),
            "noise": (0, 10),
            "translate": (0, 100),
            "consistency_weight": (0, 1e6),
            "ramp_epochs": (0, 10**6),
            "adversarial_weight": (0, 1e6),
            "average": (0, 0.999999),
            "batch_size": (2, 10**5),
            "epochs": (1, 10**6),
            "steps_per_epoch": (1, 10**7),
            "learning_rate": (1e-12, 100),
            "beta_1": (0, 0.9999),
            "clip": (1e-6, 1e6),
            "score_images": (10, 10**7),
            "seed": (0, 2**31 - 1),
        },
    )
    if config.image_size % 8:
        raise InputError(f"--image-size must be a multiple of 8. Received: {config.image_size}")
    if config.data is None and (config.download or config.extra):
        raise InputError("--download and --extra need --data, the folder of the set")
    if config.translate > config.image_size:
        raise InputError(
            f"--translate must be at most --image-size, {config.image_size}. "
            f"Received: {config.translate}"
        )
    if not config.seeds or not all(0 <= seed < 2**31 for seed in config.seeds):
        raise InputError(f"--seeds must be from 0 to {2**31 - 1}. Received: {config.seeds}")
    if config.inception:
        inception_2015(config.inception)  # readable? now, not after hours of training
    if config.export:
        check_folder(config.export)


def load(config):
    """The images, and settings that follow from them."""
    if config.data is None:
        print("no --data: built-in digits and a small network, see BUILT_IN in this script")
        return synthetic_digits(size=config.image_size)
    if config.download:
        download_svhn(config.data, config.extra)
    return load_labelled_images(config.data, config.image_size, config.extra)


def check_images(config, images):
    """What would otherwise fail only after hours of training."""
    wanted = [config.labels]
    if config.study:
        runs = studies.variants(config.study, config)
        wanted = {run.changes.get("labels", config.labels) for run in runs}
    for count in wanted:
        draw_labelled(images.train_labels, count, images.classes, config.seed)
    if config.study == "table-2" and len(images.test_images) < 10:
        raise InputError(
            f"{images.name}: {len(images.test_images)} test images; the score of table 2 needs "
            "10 or more"
        )


@report_input_errors
def main():
    config = tyro.cli(Config)
    preset = BUILT_IN if config.data is None else REDUCED if config.reduced else {}
    config = tyro.cli(Config, default=replace(config, **preset))
    check(config)
    images = load(config)
    check_images(config, images)
    print(describe(images, config.labels or int(np.sum(images.train_labels >= 0))))
    with RunFolder("train_frgan", config) as run:
        print(f"run: {run.path}")
        jit_compile = set_up(config.deterministic)
        if config.study:
            return run_study(config, run, jit_compile, images)
        gan, figures = run_once(config, run.path, jit_compile, images)
        write_json(run.path / "result.json", figures)
        methods = METHODS if gan else {"test_error": "labels only"}
        print_errors(
            [(method, figures["labels"], [figures[name]])
             for name, method in methods.items() if name in figures]
        )  # fmt: skip
        if gan and config.export:
            export(config, images, gan, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main()
