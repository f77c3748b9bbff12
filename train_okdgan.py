"""OKD-SAGAN and OKD-ACGAN: GANs that teach each other, for samples of defects.

Guo, Wang and Feng, "Online Adversarial Knowledge Distillation for Image Synthesis of Bridge
Defect", CSAE 2021.

    python train_okdgan.py                         built-in concrete surfaces, for 2 cores
    python train_okdgan.py --data DIR --reduced    your photos with small networks, for CPUs
    python train_okdgan.py --data DIR              the paper's schedule, width 64, for GPUs
    python train_okdgan.py --data DIR --base acgan --students 5

DIR has CODEBRIM as published, a folder per class, photos, or images/ and crops.csv; see
docs/okdgan.md. The settings stand in keras_gans/okdgan/config.py, the sweeps in studies/.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.okdgan.config import Config

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up, start, xla

import keras

from keras_gans.export.generator import export_generator
from keras_gans.files import write_json
from keras_gans.okdgan import datasets
from keras_gans.okdgan.acgan import ACGAN
from keras_gans.okdgan.callbacks import SampleRows
from keras_gans.okdgan.classifier import extractor_for, named_extractor
from keras_gans.okdgan.crops import describe, single_labels
from keras_gans.okdgan.data import crop_batches
from keras_gans.okdgan.distillation import OnlineDistillation
from keras_gans.okdgan.evaluate import Data, measure_gans
from keras_gans.okdgan.networks import build_critic, build_generator
from keras_gans.okdgan.report import report
from keras_gans.okdgan.sagan import SAGAN
from keras_gans.training.fit import fit
from keras_gans.training.precision import built_in, in_float32
from keras_gans.training.run_folder import RunFolder


def build_gan(config, classes, number):
    """A GAN: student `number`, from 0, or, with number 0, the one that trains alone."""
    known = len(classes) if config.base == "acgan" else 0
    sizes = config.image_size, 3, config.width
    generator = build_generator(*sizes, config.latent, known, config.attention)
    critic = build_critic(*sizes, known, config.attention, config.spectral_critic)
    seed = 1000 * config.seed + number
    common = dict(augmentations=config.augment, average=config.average, seed=seed)
    if config.base == "sagan":
        return SAGAN(generator, critic, config.penalty, **common)
    penalty = config.penalty if config.acgan_loss == "wasserstein" else None
    return ACGAN(generator, critic, config.class_weight, penalty, **common)


def build_students(config, classes):
    """All students and their connectors. The first starts as the GAN that trains alone does."""
    students = [build_gan(config, classes, number) for number in range(config.students)]
    sizes = config.image_size, 3, config.width, 0, config.attention, config.spectral_critic
    connectors = [build_critic(*sizes) for _ in students]
    seed = 1000 * config.seed + 999
    return OnlineDistillation(students, connectors, config.rho, config.penalty, seed)


def train(config, folder, model, gans, data):
    """Trains a model, one of the GANs or what trains them all; goes on where it stopped."""
    rates = config.g_learning_rate, config.d_learning_rate, config.c_learning_rate
    optimizers = [keras.optimizers.Adam(rate, config.beta_1, config.beta_2) for rate in rates]
    model.compile(*optimizers[: 2 if model is gans[0] else 3], jit_compile=xla())
    schedule = config.schedule()
    batch = crop_batches(
        data.crops.images, schedule.batch_size, config.seed, data.labels, config.mirror
    )
    fit(folder, model, batch, schedule, [SampleRows(gans, folder / "samples", data.labels)])
    for gan in gans:
        gan.averaged = in_float32(gan.averaged)


def train_single(config, folder, data):
    """The GAN that trains alone, trained."""
    keras.utils.set_random_seed(config.seed)
    gan = built_in(config.precision, build_gan, config, data.crops.classes, 0)
    train(config, folder / "single", gan, [gan], data)
    return gan


def train_students(config, folder, data):
    """The students, trained, a list."""
    keras.utils.set_random_seed(config.seed)
    model = built_in(config.precision, build_students, config, data.crops.classes)
    train(config, folder / "students", model, model.students, data)
    return model.students


def run(config, folder, data, extractor):
    """Trains and measures (table 1): dict name -> GAN, and the figures as a dict."""
    gans = {"single": train_single(config, folder, data)} if config.single else {}
    if config.students:
        students = train_students(config, folder, data)
        gans |= {f"student {i}": gan for i, gan in enumerate(students, 1)}
    measured = measure_gans(config, folder, gans, extractor, data)
    return gans, report(config, folder, data, extractor, *measured)


def prepare(config, folder, crops):
    """The crops of a run in two parts, as `Data`."""
    crops = datasets.stored(config, folder, crops)
    print(describe(crops))
    crops, held_out = crops.hold_out(config.hold_out, config.seed)
    labels = single_labels(crops, config.seed) if config.base == "acgan" else None
    return Data(crops, labels, held_out)


def export(folder, data, gans, figures):
    """Writes SavedModels and TFLite files of all students; the best gets the plain name."""
    config, written = folder.config, []
    students = [gan for name, gan in gans.items() if name != "single"] or [*gans.values()]
    best = figures["best"] or 1
    base = f"okd-{config.base}" if config.students else config.base
    classes = data.crops.classes if config.base == "acgan" else ()
    for number, gan in enumerate(students, 1):
        kind = "generator" if number == best else f"student-{number}"
        path = config.export / f"{base}-{kind}{'' if config.data else '-synthetic'}"
        card = folder.model_card(data.crops.name, figures, student=number, best=number == best)
        paths = export_generator(gan.averaged, path, card, "normal", classes)
        written.append(paths["saved_model"])
    return written


@report_input_errors
def main(config):
    start(config)
    named_extractor(config)  # readable? now, not after hours of training
    crops = None if config.resume else datasets.load(config)
    with RunFolder("train_okdgan", config) as folder:
        print(f"run: {folder.path}")
        data = prepare(config, folder.path, crops)
        set_up(config.deterministic)
        extractor, accuracy = extractor_for(config, folder.path, data.crops)
        gans, figures = run(config, folder.path, data, extractor)
        figures["network_held_out_accuracy"] = accuracy
        write_json(folder.path / "result.json", figures)
        folder.export(export, data, gans, figures)
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
