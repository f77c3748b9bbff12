"""OKD-SAGAN and OKD-ACGAN: GANs that teach each other, for samples of defects.

Guo, Wang and Feng, "Online Adversarial Knowledge Distillation for Image Synthesis of Bridge
Defect", CSAE 2021.

    python train_okdgan.py                         built-in concrete surfaces, for 2 cores
    python train_okdgan.py --data DIR --reduced    your photos with small networks, for CPUs
    python train_okdgan.py --data DIR              the paper's networks and schedule, for GPUs
    python train_okdgan.py --data DIR --base acgan --students 5
    python train_okdgan.py --data DIR --reduced --study purpose

DIR has CODEBRIM as published, a folder per class, photos, or images/ and crops.csv; see
docs/okdgan.md. Defaults are the paper's; what it leaves open is said beside the argument.
"""

import dataclasses
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from keras_gans.training.device import set_up

import keras
import numpy as np
import tyro

from keras_gans.errors import InputError, report_input_errors
from keras_gans.export.generator import export_generator
from keras_gans.files import check_folder, write_json
from keras_gans.metrics.features import inception_extractor, model_extractor
from keras_gans.okdgan import classifier, datasets, purpose
from keras_gans.okdgan.acgan import ACGAN
from keras_gans.okdgan.callbacks import SampleRows
from keras_gans.okdgan.copies import CHECKED
from keras_gans.okdgan.data import batches
from keras_gans.okdgan.distillation import OnlineDistillation
from keras_gans.okdgan.evaluate import judge
from keras_gans.okdgan.networks import build_critic, build_generator
from keras_gans.okdgan.report import best, print_threshold, table, write_sweep, write_table
from keras_gans.okdgan.sagan import SAGAN
from keras_gans.okdgan.synthetic import synthetic_concrete
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder, to_json
from keras_gans.training.settings import check_limits


@dataclass(frozen=True)
class Config:
    """Trains GANs that teach each other, and measures them beside one that trains alone."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in concrete surfaces, reduced settings."""
    reduced: bool = False
    """Small networks and a short schedule where not given: for CPUs."""
    count: int = 2642
    """Crops to draw, by the seed; fewer where there are not so many."""
    side: int | None = None
    """Side in pixels of the squares in the photos, which are reduced to IMAGE_SIZE. By default
    most of what has the class, and IMAGE_SIZE in photos without classes."""
    classes: tuple[str, ...] | None = None
    """Of the data, those to take; by default all (of CODEBRIM, all defects)."""

    base: Literal["sagan", "acgan"] = "sagan"
    """What each student is. ACGAN makes images of a given class."""
    students: int = 3
    """N; 0 trains the single GAN only."""
    rho: float = 0.1
    """Weight of the connectors' scores in the generators' losses; the paper does not say."""
    single: bool = True
    """Train one GAN alone, for as many steps, beside them."""
    hold_out: float | None = None
    """Share of the photos, drawn by the seed, whose crops are kept from all training: the table
    then has the distances to them too, and the best student is chosen by these. By default 0;
    0.2 in the study of rho, 0.3 in that of the purpose."""

    study: Literal["rho", "purpose"] | None = None
    """rho: trains students with each of RHOS. purpose: does a classifier of defects gain by
    generated crops? Nothing is exported."""
    rhos: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    few: int = 200
    """Real crops that the study of the purpose trains on, equally many of each class."""
    classifier_steps: int = 2000
    """Of each classifier in it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the classifiers in it."""

    image_size: int = 64
    width: int = 64
    """Filters of the critic's first and of the generator's last hidden layer."""
    latent: int = 128
    attention: tuple[int, ...] | None = None
    """Sides of the feature maps with self-attention; by default half of IMAGE_SIZE."""
    spectral_critic: bool = True
    """Spectral normalisation in critics and connectors too, not in the generators alone."""
    penalty: float = 10.0
    """Of the gradients, in WGAN-GP: of critics (not ACGAN's with "log") and connectors."""
    acgan_loss: Literal["log", "wasserstein"] = "log"
    """That of ACGAN as published, or WGAN-GP as in SAGAN. The paper does not say which."""
    class_weight: float = 1.0
    """Of the classes in ACGAN's loss."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Random changes of all that the critics see. Not in the paper."""
    mirror: bool = False
    """Mirror crops at random. Not in the paper."""
    average: float = 0.0
    """Decay of a moving average of the generators' weights, which then make the samples, such
    as 0.999; 0 for none, as in the paper."""

    batch_size: int | None = None
    """By default 25, and 5 with ACGAN."""
    steps: int | None = None
    """Of each generator, rounded up to a multiple of EVERY. By default 50,000; with ACGAN as
    many as show every crop 3000 times."""
    every: int = 1000
    """Steps after which figures and samples are written, and the state is saved: an epoch."""
    g_learning_rate: float = 1e-4
    d_learning_rate: float = 4e-4
    c_learning_rate: float = 5e-5
    """Of the connectors."""
    beta_1: float = 0.0
    beta_2: float = 0.9

    score_images: int = 10_000
    """Samples of each generator of which the distances are taken."""
    inception: Path | None = None
    """The frozen Inception graph of 2015 (classify_image_graph_def.pb), for FID; or weights of
    keras.applications' InceptionV3 without top (.h5). Without it a classifier trained here on
    the crops' classes takes its place, and the figures bear its name."""
    network: Path | None = None
    """Or a classifier of your own, as .keras file."""
    classifier_epochs: int = 30
    """Passes over the crops, of the classifier that is trained here."""

    seed: int = 0
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Generators go to EXPORT/okd-sagan-generator/VERSION (the best student) and
    EXPORT/okd-sagan-student-2/VERSION (the others), those of built-in surfaces to names with
    -synthetic; None exports nothing."""
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_okdgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""


# What 2 cores train: narrow networks, attention where it costs little; critics, an average, and
# five times the paper's rates, with which samples show something soon
REDUCED = dict(
    width=16, attention=(8,), batch_size=25, steps=10_000, every=500, spectral_critic=False,
    acgan_loss="wasserstein", average=0.99, g_learning_rate=5e-4, d_learning_rate=2e-3,
    c_learning_rate=2.5e-4,
)  # fmt: skip

# Without --data
BUILT_IN = REDUCED | dict(
    count=1000, steps=1000, every=100, score_images=2000, classifier_epochs=15,
    classifier_steps=500,
)  # fmt: skip
STUDIES = {None: dict(hold_out=0.0), "rho": dict(hold_out=0.2),
           "purpose": dict(hold_out=0.3, base="acgan")}  # fmt: skip

PAPER = {"sagan": dict(batch_size=25, steps=50_000), "acgan": dict(batch_size=5, passes=3000)}


def schedule(config, count):
    """Batch size, steps in an epoch, epochs; for a number of crops."""
    paper = PAPER[config.base]
    batch_size = config.batch_size or paper["batch_size"]
    steps = config.steps or paper.get("steps") or paper["passes"] * -(-count // batch_size)
    every = min(config.every, steps)
    return batch_size, every, -(-steps // every)


def build_gan(config, classes, number):
    """A GAN: student `number`, from 0, or, with number 0, the one that trains alone."""
    options = config.image_size, 3, config.width
    known = len(classes) if config.base == "acgan" else 0
    generator = build_generator(*options, config.latent, known, config.attention)
    critic = build_critic(*options, known, config.attention, config.spectral_critic)
    common = dict(
        augmentations=config.augment, average=config.average, seed=1000 * config.seed + number
    )
    if config.base == "acgan":
        penalty = config.penalty if config.acgan_loss == "wasserstein" else None
        return ACGAN(generator, critic, config.class_weight, penalty, **common)
    return SAGAN(generator, critic, config.penalty, **common)


def build_students(config, classes):
    """All students and their connectors. The first starts as the GAN that trains alone does."""
    keras.utils.set_random_seed(config.seed)
    students = [build_gan(config, classes, number) for number in range(config.students)]
    options = config.image_size, 3, config.width, 0, config.attention, config.spectral_critic
    connectors = [build_critic(*options) for _ in students]
    seed = 1000 * config.seed + 999
    return OnlineDistillation(students, connectors, config.rho, config.penalty, seed)


def train(config, folder, jit_compile, crops, labels, model, gans):
    """Trains a model; goes on where it stopped.

    Args:
        model: one of the GANs, or what trains several.
        gans: those of which samples are shown.
    """
    batch_size, every, epochs = schedule(config, len(crops))
    rates = config.g_learning_rate, config.d_learning_rate, config.c_learning_rate
    optimizers = [keras.optimizers.Adam(rate, config.beta_1, config.beta_2) for rate in rates]
    model.compile(*optimizers[: 2 if model is gans[0] else 3], jit_compile=jit_compile)

    def batches_from(first_step):
        return batches(
            crops.images, batch_size, config.seed, every * epochs, first_step, labels,
            config.mirror,
        )  # fmt: skip

    fit(
        folder, model, batches_from, every, epochs, model.optimizers, batch_size,
        [SampleRows(gans, folder / "samples", labels)],
    )  # fmt: skip


def train_single(config, folder, jit_compile, crops, labels):
    """The GAN that trains alone, trained."""
    keras.utils.set_random_seed(config.seed)
    gan = build_gan(config, crops.classes, 0)
    train(config, folder / "single", jit_compile, crops, labels, gan, [gan])
    return gan


def train_students(config, folder, jit_compile, crops, labels):
    """The students, trained, a list."""
    model = build_students(config, crops.classes)
    train(config, folder / "students", jit_compile, crops, labels, model, model.students)
    return model.students


def find_eyes(config, folder, jit_compile, crops):
    """The extractor named in the settings, or one trained here, with its accuracy."""
    extractor, right = choose_extractor(config), None
    if extractor is None:
        network, right = classifier.train_eyes(
            folder, crops, config.classifier_epochs, config.seed, jit_compile
        )
        extractor = model_extractor(network)
    return extractor, right


def choose_extractor(config):
    """The network named in the settings; `None` if one has to be trained."""
    if config.inception:
        return inception_extractor(config.inception)
    return model_extractor(config.network) if config.network else None


def parts(config, crops):
    """The crops to train on, and those of the photos held out, or `None`."""
    if not config.hold_out:
        return crops, None
    return tuple(map(crops.take, datasets.split(crops, config.hold_out, config.seed)))


def run_all(config, folder, jit_compile, crops):
    """All trainings, then table 1.

    Returns:
        list of the students (or of the single GAN, if there are none), and the figures.
    """
    crops, validation = parts(config, crops)
    eyes = find_eyes(config, folder, jit_compile, crops)
    return run_gans(config, folder, jit_compile, crops, validation, *eyes)


def run_gans(config, folder, jit_compile, crops, validation, extractor, right):
    """As `run_all`, for crops to train on and others, and for eyes from `find_eyes`."""
    labels = datasets.single_labels(crops, config.seed) if config.base == "acgan" else None
    settings = folder, jit_compile, crops, labels
    gans = {"single": train_single(config, *settings)} if config.single else {}
    if config.students:
        students = train_students(config, *settings)
        gans |= {f"student {i}": gan for i, gan in enumerate(students, 1)}
    measured, threshold = judge(
        folder, gans, extractor, crops, labels, validation, config.score_images, config.seed,
        config.mirror,
    )  # fmt: skip
    students = [figures for name, figures in measured.items() if name != "single"]
    batch_size, every, epochs = schedule(config, len(crops))
    write_table(
        folder, table(measured.get("single"), students), extractor.name,
        f"{config.base.upper()} on {crops.name}, {every * epochs} steps, "
        f"{config.score_images} samples, {len(crops)} real"
        + (f", {len(validation)} held out" if validation else ""),
    )  # fmt: skip
    checked = min(CHECKED, config.score_images)
    print_threshold(threshold, checked)
    figures = {
        "models": measured,
        "best": best(students) + 1 if students else None,
        "network": extractor.name,
        "network_sha256": extractor.digest,
        "network_held_out_accuracy": right,
        "samples": config.score_images,
        "checked_for_copies": checked,
        "copy_threshold": threshold,
        "real": len(crops),
        "held_out": len(validation) if validation else 0,
        "steps": every * epochs,
        "batch_size": batch_size,
        "seed": config.seed,
        "set": crops.name,
    }
    trained = [gan for name, gan in gans.items() if name != "single"] or [*gans.values()]
    return trained, figures


def run_rho(config, folder, jit_compile, crops):
    """Students with each of RHOS, measured on crops that none of them was trained on."""
    crops, validation = parts(config, crops)
    eyes = find_eyes(config, folder, jit_compile, crops)
    results = {}
    for rho in config.rhos:
        path = folder / f"rho-{rho}"
        file = path / "result.json"
        if not file.exists():
            print(f"\nrho {rho}")
            path.mkdir(exist_ok=True)
            changed = replace(config, rho=rho, single=False)
            _, figures = run_gans(changed, path, jit_compile, crops, validation, *eyes)
            write_json(file, figures)
        results[rho] = json.loads(file.read_text())
    write_sweep(folder, results)
    return results


def run_purpose(config, folder, jit_compile, crops):
    """Classifiers on few real crops, with and without those of GANs that learned from them."""
    crops, test = parts(config, crops)
    few = purpose.few_crops(crops, test, config.few, config.seed)
    settings = folder, jit_compile, few, few.labels
    gans = {}
    if config.single:
        gans["those of the single GAN"] = [train_single(config, *settings)]
    if config.students:
        gans["those of the students"] = train_students(config, *settings)
    frame = purpose.compare(
        folder, few, gans, crops, test, config.classifier_steps, config.seeds, jit_compile
    )
    batch_size, every, epochs = schedule(config, len(few))
    purpose.write(
        folder, frame,
        f"classifiers of {few.name}: {len(few)} few real crops, {len(crops)} all, {len(test)} "
        f"of other photos to test on; GANs of {every * epochs} steps",
    )  # fmt: skip
    return {
        "runs": frame.to_dict("records"), "few": len(few), "all": len(crops),
        "test": len(test), "steps": every * epochs, "batch_size": batch_size,
        "generated": purpose.GENERATED, "seed": config.seed, "set": few.name,
    }  # fmt: skip


def export(config, crops, gans, figures):
    """Writes SavedModels and TFLite files of all students; the best gets the plain name."""
    settings = to_json(config)
    for name in ("data", "inception", "network"):  # paths of the machine that trained
        settings.pop(name)
    first = figures["best"] or 1
    suffix = "" if config.data else "-synthetic"
    base = f"okd-{config.base}" if config.students else config.base
    classes = crops.classes if config.base == "acgan" else ()
    for number, gan in enumerate(gans, 1):
        kind = "generator" if number == first else f"student-{number}"
        metadata = {
            "trained_on": crops.name, "student": number, "best": number == first,
            "test_figures": figures, "settings": settings,
        }  # fmt: skip
        paths = export_generator(
            gan.averaged, config.export / f"{base}-{kind}{suffix}", metadata, "normal", classes
        )
        print(f"SavedModel: {paths['saved_model']}")


def check(config):
    """Settings that no type can check, before anything is loaded or written."""
    check_limits(
        config,
        {
            "count": (2, 10**7),
            "side": (config.image_size, 10**5),
            "students": (0, 99),
            "rho": (0, 1e6),
            "image_size": (16, 1024),
            "width": (1, 1024),
            "latent": (1, 10**4),
            "penalty": (0, 1e6),
            "class_weight": (0, 1e6),
            "average": (0, 0.999999),
            "batch_size": (1, 10**5),
            "steps": (1, 10**9),
            "every": (1, 10**7),
            "g_learning_rate": (1e-12, 100),
            "d_learning_rate": (1e-12, 100),
            "c_learning_rate": (1e-12, 100),
            "beta_1": (0, 0.9999),
            "beta_2": (0, 0.9999),
            "score_images": (2, 10**7),
            "classifier_epochs": (1, 10**5),
            "hold_out": (0, 0.9),
            "few": (2, 10**7),
            "classifier_steps": (1, 10**7),
            "seed": (0, 10**6),
        },
    )
    if config.students == 1:
        raise InputError("--students must be 2 or more, or 0 for none. Received: 1")
    if not config.students and not config.single:
        raise InputError("--students 0 and --no-single leave nothing to train; give one")
    if config.study and not config.hold_out:
        raise InputError(f"--study {config.study} needs crops held out: give --hold-out")
    if config.study == "rho" and not config.students:
        raise InputError("--study rho needs --students, 2 or more. Received: 0")
    if config.study == "purpose" and config.base != "acgan":
        raise InputError("--study purpose needs images of a given class: give --base acgan")
    for name in ("rhos", "seeds"):
        values = getattr(config, name)
        if not values or not all(0 <= value <= 10**6 for value in values):
            raise InputError(f"--{name} must be from 0 to {10**6}. Received: {values}")
    size = config.image_size
    if size & (size - 1):
        raise InputError(f"--image-size must be 16, 32, 64, ... Received: {size}")
    sides = [side for side in (size // 2**i for i in range(1, 9)) if side > 4]
    if config.attention and not set(config.attention) <= set(sides):
        raise InputError(f"--attention must be of {sides}. Received: {config.attention}")
    if config.inception and config.network:
        raise InputError("both --inception and --network are given: choose one")
    if config.data is None and (config.side or config.classes):
        raise InputError("--side and --classes need --data, the folder of the photos")
    extractor = choose_extractor(config)  # readable? now, not after hours of training
    if extractor and extractor.image_size not in (None, (size, size)):
        raise InputError(
            f"{config.network}: takes images of {extractor.image_size}, --image-size is {size}"
        )
    if config.export:
        check_folder(config.export)


def load(config):
    """The crops, newly drawn; classes without any of them are left out."""
    if config.data is None:
        print("no --data: built-in surfaces, small networks, see BUILT_IN in this script")
        return synthetic_concrete(config.count, config.seed, config.image_size)
    crops = datasets.load_crops(
        config.data, config.count, config.image_size, config.seed, config.classes, config.side
    )
    if crops.labels is None or crops.labels.ndim == 2:
        return crops
    found, labels = np.unique(crops.labels, return_inverse=True)
    return dataclasses.replace(
        crops, classes=tuple(crops.classes[label] for label in found), labels=labels
    )


def check_crops(config, crops):
    """What would otherwise fail only after hours of training."""
    if len(crops) < 2:
        raise InputError(f"{crops.name}: 2 crops or more are needed. Received: {len(crops)}")
    if config.base == "acgan":
        datasets.single_labels(crops, config.seed)
    crops, held_out = parts(config, crops)
    if held_out and min(len(crops), len(held_out)) < 2:
        raise InputError(
            f"{crops.name}: --hold-out {config.hold_out} leaves {len(crops)} crops to train on "
            f"and {len(held_out)} to measure on, 2 are needed of each: change it or --count"
        )
    if config.study == "purpose":
        purpose.few_crops(crops, held_out, config.few, config.seed)
    if config.inception or config.network or config.study == "purpose":
        return
    if len(crops.classes) < 2:
        raise InputError(
            f"{crops.name}: classes of which a network could learn what to look at: "
            f"{len(crops.classes)}; give --inception or --network, or two classes or more"
        )
    datasets.split(crops, classifier.HELD_OUT, config.seed)


def stored_crops(config, folder, crops=None):
    """The crops of a run: drawn once, stored as a list, and never drawn again.

    Args:
        folder: of the run; gets `crops.csv`, if the crops are of photos, and `crops.json`.
        crops: newly drawn ones, if there are any yet.
    """
    file, places = folder / "crops.json", folder / "crops.csv"
    if not file.exists():
        crops = crops or load(config)
        check_crops(config, crops)
        if crops.places is not None:
            datasets.save(crops, places)
        digest = datasets.digest(crops)
        write_json(file, {"sha256": digest, "crops": len(crops), "set": crops.name})
        return crops
    crops = load(config) if config.data is None else datasets.load(
        places, config.data, config.image_size
    )  # fmt: skip
    if json.loads(file.read_text())["sha256"] != datasets.digest(crops):
        raise InputError(
            f"{places}: the photos have changed since these crops were drawn; restore them, or "
            "start a new run"
        )
    return crops


@report_input_errors
def main():
    config = tyro.cli(Config)
    preset = BUILT_IN if config.data is None else REDUCED if config.reduced else {}
    config = tyro.cli(Config, default=replace(config, **STUDIES[config.study] | preset))
    check(config)
    crops = None
    if not config.resume:
        crops = load(config)
        check_crops(config, crops)
    with RunFolder("train_okdgan", config) as run:
        print(f"run: {run.path}")
        crops = stored_crops(config, run.path, crops)
        print(datasets.describe(crops))
        jit_compile = set_up(config.deterministic)
        settings = config, run.path, jit_compile, crops
        if config.study:
            study = {"rho": run_rho, "purpose": run_purpose}[config.study]
            gans, figures = [], study(*settings)
        else:
            gans, figures = run_all(*settings)
        write_json(run.path / "result.json", figures)
        if gans and config.export:
            export(config, crops, gans, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main()
