"""FR-GAN: a classifier of images from few labels, and samples of such images.

Jiang, Zhang and Liu, "Image classification algorithm based on feature recalibration GAN",
2018.

    python train_frgan.py                          built-in street digits, for 2 cores
    python train_frgan.py --data DIR --reduced     your images with a small network, for CPUs
    python train_frgan.py --data DIR               the paper's network, 300 epochs, for GPUs

DIR has SVHN's train_32x32.mat and test_32x32.mat, or the folders train/CLASS/ and test/CLASS/
and, if you like, unlabelled/; see docs/frgan.md. The settings stand in
keras_gans/frgan/config.py, the paper's tables in studies/frgan.py.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.frgan.config import Config

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up, start, xla

import keras
import numpy as np

from keras_gans.data.on_disk import subset
from keras_gans.data.order import spread
from keras_gans.export.generator import export_generator
from keras_gans.files import write_json
from keras_gans.frgan import datasets
from keras_gans.frgan.callbacks import Monitor
from keras_gans.frgan.data import Views, labelled_batches, semi_supervised_batches
from keras_gans.frgan.evaluate import test_error
from keras_gans.frgan.export import export_classifier
from keras_gans.frgan.labelled_images import describe
from keras_gans.frgan.model import FRGAN, compile_labels_only, learning_rate
from keras_gans.frgan.networks import build_discriminator, build_generator
from keras_gans.frgan.report import print_result
from keras_gans.layers import initialize_from_data
from keras_gans.training.fit import fit
from keras_gans.training.precision import built_in, computing_in, in_float32
from keras_gans.training.run_folder import RunFolder


def build_classifier(config, images):
    """The discriminator, which is the classifier."""
    return build_discriminator(
        config.image_size, 3, len(images.classes), config.width, config.se, config.dropout,
        config.noise * images.contrast,
    )  # fmt: skip


def train_frgan(config, folder, images, labelled, labels):
    """FR-GAN, trained; goes on where the run stopped."""
    keras.utils.set_random_seed(config.seed)
    schedule = config.schedule(len(images.train_images))
    views = Views(1 + config.consistency, config.translate, config.mirror, config.strong)
    batch = semi_supervised_batches(
        images.train_images, labelled, labels, config.batch_size, config.seed, views
    )
    with computing_in(config.precision):
        discriminator = build_classifier(config, images)
        generator = build_generator(config.image_size, 3, config.generator_width, config.latent)
    (some, _), (more, *_) = batch(np.int64(0))
    initialize_from_data(discriminator, np.concatenate([some, more]))
    gan = FRGAN(
        generator, discriminator, config.largest_weight(len(images.classes)),
        config.ramp_steps(schedule.steps_per_epoch), config.adversarial_weight,
        config.feature_matching, config.average, config.seed,
    )  # fmt: skip
    initialize_from_data(generator, gan.latents(config.batch_size))
    rates = learning_rate(config, schedule), config.beta_1
    clipped = keras.optimizers.Adam(*rates, global_clipnorm=config.clip)
    gan.compile(keras.optimizers.Adam(*rates), clipped, jit_compile=xla())
    monitor = Monitor(*images.test, folder / "samples" if config.adversarial_weight else None)
    fit(folder / "frgan", gan, batch, schedule, [monitor])
    gan.averaged, gan.generator = in_float32(gan.averaged), in_float32(gan.generator)
    return gan


def train_labels_only(config, folder, images, labelled, labels):
    """The baseline: the discriminator as a classifier, trained on labelled images."""
    keras.utils.set_random_seed(config.seed)
    schedule = config.schedule(len(images.train_images))
    views = Views(1, config.translate, config.mirror, config.strong)
    shown = subset(images.train_images, labelled)
    batch = labelled_batches(shown, labels, config.batch_size, config.seed, views)
    network = built_in(config.precision, build_classifier, config, images)
    initialize_from_data(network, batch(np.int64(0))[0])
    rates = learning_rate(config, schedule), config.beta_1
    compile_labels_only(network, *rates, config.clip, config.average)
    done = fit(folder, network, batch, schedule, [Monitor(*images.test)])
    if config.average and done == config.epochs:  # which `fit` does at its end
        network.optimizer.finalize_variable_values(network.trainable_variables)
    return in_float32(network)


def run(config, folder, images):
    """Trains and measures: `FRGAN` or `None`, and the figures as a dict."""
    labelled, labels = datasets.labelled_subset(config, folder, images)
    figures, gan = {}, None
    if not config.supervised_only:
        gan = train_frgan(config, folder, images, labelled, labels)
        figures["test_error"] = test_error(gan.averaged, *images.test)
    if config.supervised_only or config.baseline:
        network = train_labels_only(config, folder / "labels-only", images, labelled, labels)
        name = "labels_only_error" if gan else "test_error"
        figures[name] = test_error(network, *images.test)
    return gan, figures | {
        "labels": len(labelled), "images": len(images.train_images),
        "tested": len(images.test_images), "seed": config.seed, "set": images.name,
    }  # fmt: skip


def export(run, images, gan, figures):
    """Writes SavedModels and TFLite files; prints what they cost and how far they drift."""
    card = run.model_card(images.name, figures)
    folder, suffix = run.config.export, "" if run.config.data else "-synthetic"
    some = images.train_images[spread(len(images.train_images), 200)]
    classifier = export_classifier(
        gan.averaged, images.classes, folder / f"frgan-classifier{suffix}", card, some,
        images.test_images[:2000], images.test_labels[:2000],
    )  # fmt: skip
    if not run.config.adversarial_weight:
        return [classifier["saved_model"]]
    generator = export_generator(gan.generator, folder / f"frgan-generator{suffix}", card)
    return [classifier["saved_model"], generator["saved_model"]]


@report_input_errors
def main(config):
    start(config)
    images = datasets.load(config)
    print(describe(images, config.labels or int(np.sum(images.train_labels >= 0))))
    with RunFolder("train_frgan", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        gan, figures = run(config, folder.path, images)
        write_json(folder.path / "result.json", figures)
        print_result(figures, config.method)
        if gan:
            folder.export(export, images, gan, figures)
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
