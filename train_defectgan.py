"""DefectGAN: defect masks of surfaces, learned from the labels of whole images.

Niu et al., "DefectGAN: Weakly-Supervised Defect Detection using Generative Adversarial
Network", 2019.

    python train_defectgan.py                         built-in synthetic surfaces, at most 8
                                                      minutes on 2 cores
    python train_defectgan.py --data DIR --reduced    your surfaces with a small network, for
                                                      CPUs
    python train_defectgan.py --data DIR --small-marks  the same for marks of some pixels on
                                                      large, unevenly lit images
    python train_defectgan.py --data DIR              the paper's network and schedule, for
                                                      GPUs; see docs/defectgan.md

DIR is DAGM 2007, the magnetic tiles, or has the folders positive/ (defect-free), negative/ and
[masks/], which serve to measure, and to train SegNet. Defaults are the paper's; what it leaves
open is said beside the argument.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from keras_gans.training.device import set_up

import keras
import numpy as np
import pandas as pd
import tyro

from keras_gans.defectgan import report
from keras_gans.defectgan.callbacks import CleaningWatch
from keras_gans.defectgan.cam import build_cam, compile_cam
from keras_gans.defectgan.data import labelled_batches, unpaired_batches
from keras_gans.defectgan.datasets import describe, hold_out, load_surfaces, only_types
from keras_gans.defectgan.detect import CalibrationRule, calibrate, traced_cleaner
from keras_gans.defectgan.evaluate import (
    best_cut,
    cam_detector,
    cleaning_distance,
    defectgan_detector,
    run_detector,
    segnet_detector,
)
from keras_gans.defectgan.export import compare_defectgan, cut_tiles, export_defectgan
from keras_gans.defectgan.flatten import flattened_surfaces
from keras_gans.defectgan.model import DefectGAN, ImagePool, TwoPhases
from keras_gans.defectgan.networks import (
    build_discriminator,
    build_generator,
    build_guided_generator,
    build_local_discriminator,
)
from keras_gans.defectgan.segnet import build_segnet, class_weights, compile_segnet
from keras_gans.defectgan.synthetic import synthetic_surfaces
from keras_gans.errors import InputError, report_input_errors
from keras_gans.export.parity import print_parity
from keras_gans.files import check_folder
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder, to_json
from keras_gans.training.settings import check_limits


@dataclass(frozen=True)
class Config:
    """Trains DefectGAN, measures it beside SegNet and CAM (table V) and exports it."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in synthetic surfaces, reduced settings."""
    reduced: bool = False
    """A small network and our additions to the losses, where not given: for CPUs."""
    small_marks: bool = False
    """`--reduced` for defects of some pixels on large, unevenly lit images."""
    types: tuple[str, ...] = ()
    """The types of defects to train and test on; all where none is given."""
    hold_out: str | None = None
    """A type of defect that is taken out of training and only tested (claim 3)."""
    test_share: float = 0.3
    """Part of each kind of image for testing, where the set has no split of its own."""

    channels: Literal[1, 3] | None = 3
    """Of the networks; grey images are repeated for 3. None: as many as the images have."""
    image_size: int = 256
    """Side of the crops that training draws, at native scale, and of the detection's tiles."""
    reduce: int | None = 1
    """Whole factor by which images are reduced before all else; masks come back at full size.
    None chooses it so that a crop shows much of an image."""
    flatten: int = 0
    """Flat-field correction before all else: the mean of so many pixels to every side is taken
    off, their standard deviation divided by (ours). 0 for none."""
    width: int = 64
    """Filters of the generators' first convolution."""
    blocks: int = 9
    critic_width: int = 64
    critic: Literal["patch", "local"] = "patch"
    """The discriminators: the paper's, of patches of 70 pixels, or one of 16 (ours)."""
    residual: bool = False
    """The generators give the change of the image, at first none (ours)."""

    adversarial: Literal["log", "least-squares"] = "log"
    cycle_weight: float = 10.0
    identity_weight: float = 0.0
    """CycleGAN's identity loss, as a share of the cycle's weight; CycleGAN has 0.5."""
    change_weight: float = 0.0
    """Of the mean absolute change the generators make (ours)."""
    pool: int = 0
    """Generated images that each discriminator sees again; CycleGAN has 50."""
    candidates: int = 1
    """Crops drawn for each that the generators train on, the least clean one (ours)."""
    patch_share: float = 1.0
    """Share of an image's patches that the adversarial losses look at, the worst (ours)."""
    margin: float | None = None
    """Patches count relative to their image's mean, which defects exceed by so much (ours)."""
    weak_labels: bool = False
    """The discriminators also learn to tell real NG from real P (ours)."""
    critic_warmup: int = 0
    """First steps, in which the discriminators alone learn that (ours)."""

    batch_size: int = 1
    epochs: int = 200
    steps_per_epoch: int | None = None
    """By default as many as train the generators once for each image of the larger class."""
    learning_rate: float = 2e-4
    critic_learning_rate: float | None = None
    """By default LEARNING_RATE. In the warm-up it is 1e-3."""
    mirror: Literal["none", "horizontal", "both", "turn"] = "horizontal"
    """Crops are mirrored at random (as CycleGAN's); "turn" also turns them by 90 degrees."""
    relight: float = 0.0
    """Strength of random changes of the crops' light, so that the light does not tell the
    classes apart (ours)."""

    guided: bool = False
    """When used, G1 changes an image only where D_P finds that it stands out (ours)."""
    calibration: CalibrationRule = field(default_factory=CalibrationRule)
    """How the mask's thresholds are chosen, from training images without masks."""

    baselines: bool = True
    """Train SegNet (on masks, where there are any) and CAM (on labels) beside it."""
    baseline_width: int = 64
    baseline_batch_size: int = 16
    baseline_learning_rate: float = 1e-3
    segnet_steps: int = 20_000
    segnet_stages: int = 5
    cam_steps: int = 20_000
    cam_stages: int = 4

    seed: int = 0
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/defectgan/VERSION, those of built-in surfaces to
    EXPORT/defectgan-synthetic; None exports nothing."""
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_defectgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""


# What 2 cores train in minutes
REDUCED = dict(
    channels=None,
    image_size=96,
    reduce=None,
    width=16,
    blocks=3,
    critic_width=16,
    residual=True,
    change_weight=5.0,
    candidates=4,
    patch_share=0.04,
    weak_labels=True,
    critic_warmup=1000,
    batch_size=4,
    epochs=25,
    steps_per_epoch=100,
    learning_rate=5e-4,
    critic_learning_rate=3e-4,
    mirror="both",
    relight=0.5,
    baseline_width=16,
    segnet_steps=800,
    segnet_stages=4,
    cam_steps=800,
    cam_stages=3,
)

# For defects of some pixels on large, unevenly lit images, beside REDUCED
SMALL_MARKS = dict(
    image_size=160,
    flatten=16,
    critic="local",
    margin=2.0,
    patch_share=0.001,
    batch_size=2,
    change_weight=20.0,
    guided=True,
    calibration=CalibrationRule(reach=100, share=0.4),
    critic_warmup=600,
    epochs=9,
    relight=0.0,
    baseline_batch_size=8,
    segnet_steps=700,
    cam_steps=300,
)

# Without --data
BUILT_IN = REDUCED | dict(
    image_size=80,
    critic_warmup=400,
    epochs=12,
    steps_per_epoch=100,
    mirror="turn",
    relight=0.0,
    segnet_steps=500,
    segnet_stages=3,
    cam_steps=300,
)
BUILT_IN_IMAGES = dict(free=400, defective=400)

WARMUP_RATE = 1e-3
CRITICS = {"patch": build_discriminator, "local": build_local_discriminator}


def build_defectgan(config, steps, jit_compile):
    """The four networks in one compiled model."""
    keras.utils.set_random_seed(config.seed)
    shape = (config.image_size, config.image_size, config.channels)
    pools = [ImagePool(shape, config.pool, config.seed + i) for i in (0, 1)]
    gan = DefectGAN(
        *(
            build_generator(
                config.channels, config.width, config.blocks, residual=config.residual
            )
            for _ in range(2)
        ),
        *(CRITICS[config.critic](config.channels, config.critic_width) for _ in range(2)),
        adversarial=config.adversarial,
        cycle_weight=config.cycle_weight,
        identity_weight=config.identity_weight,
        change_weight=config.change_weight,
        pools=pools if config.pool else None,
        candidates=config.candidates,
        patch_share=config.patch_share,
        margin=config.margin,
        weak_labels=config.weak_labels,
        critic_warmup=config.critic_warmup,
    )
    warmup = config.critic_warmup
    critic_rate = config.critic_learning_rate or config.learning_rate
    gan.compile(
        keras.optimizers.Adam(TwoPhases(config.learning_rate, steps - warmup), beta_1=0.5),
        keras.optimizers.Adam(
            TwoPhases(critic_rate, steps - warmup, warmup, WARMUP_RATE), beta_1=0.5
        ),
        jit_compile=jit_compile,
    )
    return gan


def steps_per_epoch(config, surfaces):
    """As given, or as many as train the generators once for each image of the larger class."""
    largest = np.bincount(surfaces.defective[surfaces.train]).max()
    return config.steps_per_epoch or -(-int(largest) // config.batch_size)


def train_defectgan(config, run, jit_compile, surfaces):
    """Trains DefectGAN; goes on where the run stopped. Returns the model."""
    training = surfaces.take(surfaces.train).reduced(config.reduce)
    ng, p = ([training.images[i] for i in np.flatnonzero(training.defective == kind)]
             for kind in (True, False))  # fmt: skip
    per_epoch = steps_per_epoch(config, surfaces)
    steps = per_epoch * config.epochs
    gan = build_defectgan(config, steps, jit_compile)
    watch = CleaningWatch(
        surfaces, config.image_size, config.reduce, run.path / "samples", config.calibration
    )
    crops = config.batch_size * config.candidates

    def batches(first_step):
        return unpaired_batches(
            ng, p, config.image_size, crops, config.seed, steps, first_step, config.mirror,
            config.relight,
        )  # fmt: skip

    fit(
        run.path / "defectgan", gan, batches, per_epoch, config.epochs,
        {"g_optimizer": gan.g_optimizer, "d_optimizer": gan.d_optimizer},
        config.batch_size, [watch],
    )  # fmt: skip
    return gan


def train_segnet(config, run, jit_compile, surfaces):
    """SegNet on the masks of the training images; `None` where there are none."""
    training = surfaces.take(surfaces.train).reduced(config.reduce)
    known = np.array([mask is not None for mask in training.masks])
    if not known.any():
        print("\nno masks in the training part: SegNet is left out")
        return None
    training = training.take(~training.defective | known)
    masks = [np.zeros(image.shape[:2], bool) if mask is None else mask
             for image, mask in zip(training.images, training.masks)]  # fmt: skip
    keras.utils.set_random_seed(config.seed)
    network = build_segnet(config.channels, config.baseline_width, config.segnet_stages)
    compile_segnet(
        network, config.baseline_learning_rate, config.segnet_steps, class_weights(masks),
        jit_compile,
    )  # fmt: skip
    multiple = 2**config.segnet_stages
    size = -(-config.image_size // multiple) * multiple
    return train_baseline(
        config, run.path / "segnet", network, training, size, config.segnet_steps, masks=True
    )


def train_cam(config, run, jit_compile, surfaces):
    """CAM on the labels of the training images, as whole as memory lets them be."""
    training = surfaces.take(surfaces.train).reduced(config.reduce)
    keras.utils.set_random_seed(config.seed)
    network = build_cam(config.channels, config.baseline_width, config.cam_stages)
    compile_cam(network, config.baseline_learning_rate, config.cam_steps, jit_compile)
    largest = max(max(image.shape[:2]) for image in training.images)
    size = min(2 * config.image_size, largest)
    return train_baseline(
        config, run.path / "cam", network, training, size, config.cam_steps, masks=False
    )


def train_baseline(config, folder, network, training, size, steps, masks):
    epochs = 10
    per_epoch = -(-steps // epochs)

    def batches(first_step):
        return labelled_batches(
            training, size, config.baseline_batch_size, config.seed, per_epoch * epochs,
            first_step, config.mirror, config.relight, masks,
        )  # fmt: skip

    fit(
        folder, network, batches, per_epoch, epochs,
        {"optimizer": network.optimizer}, config.baseline_batch_size,
    )  # fmt: skip
    return network


def cleaner_of(config, surfaces, gan):
    """What cleans images when used: G1, alone or guided by D_P."""
    if not config.guided:
        return gan.cleaner
    chosen = surfaces.take(spread(surfaces.train & surfaces.defective)).reduced(config.reduce)
    return build_guided_generator(
        gan.cleaner, gan.clean_critic,
        np.concatenate(cut_tiles(chosen.images, config.image_size)),
    )  # fmt: skip


def measure(config, run, surfaces, cleaner, segnet, cam):
    """Calibrates the detection, tests all methods on the same images, writes the report.

    Returns:
        `Calibration`, and the figures of DefectGAN as a dict.
    """
    clean = traced_cleaner(cleaner, config.image_size, reduce=config.reduce)
    free, defective = (
        [surfaces.images[i] for i in spread(surfaces.train & (surfaces.defective == kind))]
        for kind in (False, True)
    )
    calibration = calibrate(clean, free, defective, config.calibration)
    print(f"\ncalibrated on {len(free)} defect-free training images: {calibration}")
    detectors = {"defectgan": defectgan_detector(clean, calibration)}
    if segnet:
        stride = 2**config.segnet_stages
        masked = np.array([mask is not None for mask in surfaces.masks])
        training = surfaces.take(spread(surfaces.train & masked)).reduced(config.reduce)
        cut = best_cut(segnet, stride, training)
        detectors["segnet"] = segnet_detector(segnet, stride, config.reduce, cut)
    if cam:
        detectors["cam"] = cam_detector(cam, reduce=config.reduce)
    tested = np.flatnonzero(~surfaces.train)
    measured = [run_detector(detector, surfaces, tested) for detector in detectors.values()]
    seconds = {}
    for name, part in zip(detectors, measured):
        log = pd.read_json(run.path / name / "metrics.jsonl", lines=True)
        spent = float(log["seconds"].sum()) if "seconds" in log else 0.0
        seconds |= dict.fromkeys(part["method"].unique(), spent)
    figures = report.write(
        run.path,
        surfaces,
        list(detectors.values()),
        pd.concat(measured),
        cleaning_distance(surfaces, clean),
        {"seed": config.seed, "hold_out": config.hold_out, "rule": str(config.calibration)},
        seconds,
    )
    return calibration, figures.loc["DefectGAN"].dropna().round(4).to_dict()


def export(config, surfaces, cleaner, calibration, figures):
    """Writes SavedModel and TFLite files; prints what they cost and how far they drift."""
    settings = to_json(config)
    settings.pop("data")  # a path of the machine that trained
    metadata = {
        "trained_on": f"{surfaces.name}, {int(surfaces.train.sum())} images",
        "test_figures": figures,
        "settings": settings,
    }
    images = surfaces.take(spread(surfaces.train, 80)).reduced(config.reduce).images
    base = config.export / ("defectgan" if config.data else "defectgan-synthetic")
    paths = export_defectgan(
        cleaner, calibration, config.image_size, base, metadata, images[::2],
        config.reduce, config.flatten,
    )  # fmt: skip
    saved_model = paths.pop("saved_model")
    print_parity(
        compare_defectgan(cleaner, paths, images[1::2][:20]),
        f"TFLite, one thread, the generator on a tile of {config.image_size}x"
        f"{config.image_size} pixels; distance from the Keras model",
        "grey levels",
    )
    print(f"SavedModel: {saved_model}")


def chosen_reduction(surfaces, image_size):
    """The factor at which half of the images are at most 5/3 of a crop high or wide."""
    side = np.median([min(image.shape[:2]) for image in surfaces.images])
    return max(1, round(side * 3 / (5 * image_size)))


def spread(chosen, count=60):
    """Indices of at most `count` of the chosen images, evenly spread."""
    indices = np.flatnonzero(chosen)
    return indices[np.unique(np.linspace(0, len(indices) - 1, count).astype(int))]


def check(config):
    """Settings that no type can check, before anything is loaded or written."""
    limits = {
        "test_share": (0, 0.9),
        "image_size": (32, 4096),
        "reduce": (1, 64),
        "flatten": (0, 4096),
        "width": (1, 1024),
        "blocks": (1, 100),
        "critic_width": (1, 1024),
        "cycle_weight": (0, 1e6),
        "identity_weight": (0, 1e6),
        "change_weight": (0, 1e6),
        "pool": (0, 10**5),
        "candidates": (1, 1000),
        "patch_share": (1e-6, 1),
        "margin": (0, 100),
        "critic_warmup": (0, 10**7),
        "batch_size": (1, 10**4),
        "epochs": (1, 10**6),
        "steps_per_epoch": (1, 10**7),
        "relight": (0, 1),
        "learning_rate": (1e-12, 100),
        "critic_learning_rate": (1e-12, 100),
        "baseline_width": (1, 1024),
        "baseline_batch_size": (2, 10**4),
        "baseline_learning_rate": (1e-12, 100),
        "segnet_steps": (1, 10**8),
        "segnet_stages": (1, 5),
        "cam_steps": (1, 10**8),
        "cam_stages": (1, 5),
        "seed": (0, 2**31 - 1),
    }
    check_limits(config, limits)
    for name in ("image_size", "baseline_batch_size"):
        multiple = {"image_size": 4, "baseline_batch_size": 2}[name]
        value = getattr(config, name)
        if value % multiple:
            raise InputError(
                f"--{name.replace('_', '-')} must be a multiple of {multiple}. "
                f"Received: {value}"
            )
    if config.export:
        check_folder(config.export)  # now, not after hours of training


def check_surfaces(config, surfaces):
    """What would otherwise fail only after hours of training."""
    if surfaces.train.all():
        raise InputError(f"{surfaces.name}: no test images; raise --test-share")
    surfaces.reduced(config.reduce)
    steps = steps_per_epoch(config, surfaces) * config.epochs
    if config.critic_warmup >= steps:
        raise InputError(
            f"--critic-warmup must be less than the {steps} steps in all. Received: "
            f"{config.critic_warmup}"
        )


@report_input_errors
def main():
    config = tyro.cli(Config)
    if config.data is None:
        preset = BUILT_IN
    elif config.small_marks:
        preset = REDUCED | SMALL_MARKS
    else:
        preset = REDUCED if config.reduced else {}
    config = tyro.cli(Config, default=replace(config, **preset))
    check(config)
    if config.data is None:
        print("no --data: built-in surfaces and a small network, see BUILT_IN in this script")
        surfaces = synthetic_surfaces(
            **BUILT_IN_IMAGES, seed=config.seed, test_share=config.test_share
        )
    else:
        surfaces = load_surfaces(config.data, config.test_share, config.seed)
    if config.channels is None:
        config = replace(config, channels=surfaces.channels)
    surfaces = surfaces.with_channels(config.channels)
    if config.reduce is None:
        config = replace(config, reduce=chosen_reduction(surfaces, config.image_size))
    if config.types:
        surfaces = only_types(surfaces, config.types)
    if config.hold_out:
        surfaces = hold_out(surfaces, config.hold_out)
    print(describe(surfaces))
    if config.flatten:
        surfaces = flattened_surfaces(surfaces, config.flatten)
    check_surfaces(config, surfaces)
    with RunFolder("train_defectgan", config) as run:
        print(f"run: {run.path}")
        jit_compile = set_up(config.deterministic)
        gan = train_defectgan(config, run, jit_compile, surfaces)
        segnet = cam = None
        if config.baselines:
            segnet = train_segnet(config, run, jit_compile, surfaces)
            cam = train_cam(config, run, jit_compile, surfaces)
        cleaner = cleaner_of(config, surfaces, gan)
        calibration, figures = measure(config, run, surfaces, cleaner, segnet, cam)
        if config.export:
            export(config, surfaces, cleaner, calibration, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main()
