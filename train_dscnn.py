"""DSCNN: the colour of the light in a photo, by 42,115 parameters.

Wang & Shang, "Deep Separable Convolution Neural Network for Illumination Estimation",
ICAART 2019.

    python train_dscnn.py                      built-in synthetic scenes, about 3 minutes on
                                               2 cores
    python train_dscnn.py --data DIR_OR_NPZ    the paper's training, once for each protocol
                                               and fold; see docs/dscnn.md for the data sets,
                                               the figures and how long they take

Defaults are the paper's; what it leaves open is said beside the argument.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from keras_gans.training.device import set_up

import keras
import numpy as np
import tyro

from keras_gans.dscnn import ablation, report
from keras_gans.dscnn.data import (
    Augmentation,
    draw_patches,
    evaluation_batches,
    split_patches,
    training_batches,
)
from keras_gans.dscnn.datasets import load_photos, load_scenes
from keras_gans.dscnn.estimate import estimate_images
from keras_gans.dscnn.export import compare_dscnn, export_dscnn
from keras_gans.dscnn.model import SCHEDULES, compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.dscnn.statistical import estimate_all
from keras_gans.dscnn.synthetic import synthetic_scenes
from keras_gans.errors import InputError, report_input_errors
from keras_gans.export.parity import print_parity
from keras_gans.files import check_folder
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder, to_json
from keras_gans.training.settings import check_limits


@dataclass(frozen=True)
class Config:
    """Trains DSCNN, measures it beside the grey-world family and exports it."""

    data: Path | None = None
    """The reprocessed Color Checker, an .npz, or a folder of linear images with a CSV.
    Without it: built-in synthetic scenes and, where not given, settings for a short run."""
    photos: bool = False
    """DATA is a folder of ordinary, well-balanced photos (8-bit, sRGB): each is put under a
    known colour cast. Trains a model for finished photos, tested on those held out, with
    settings of its own where none are given."""

    patch_size: int = 64
    modules: int = 4
    separable: bool = True
    skip: bool = False
    encoding: Literal["linear", "gamma"] = "linear"
    """What the network sees of a patch: linear values (the paper), or each patch divided by
    its maximum and raised to 1/2.2."""
    l2: float = 1e-4
    """Weight of the L2 penalty (the paper gives none)."""
    bn_momentum: float = 0.9
    """Of the moving averages in batch normalisation (not in the paper)."""

    patches: int = 20_000
    validation_share: float = 1 / 3
    batch_size: int = 128
    epochs: int = 200
    """An epoch is as many steps as PATCHES patches take, also where there are fewer."""
    schedule: Literal["paper", "cosine"] = "paper"
    learning_rate: float = 1e-3
    augment: bool = False
    """Augment in the held-out protocol and in the exported model; `paper` never does."""
    augmentation: Augmentation = field(default_factory=Augmentation)

    ablation: bool = False
    """Instead: table 3, figure 7 and table 4, each variant trained with these settings."""

    seed: int = 0
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/dscnn/VERSION, those of built-in scenes to EXPORT/dscnn-synthetic,
    of photos to EXPORT/dscnn-photos; None exports nothing."""
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_dscnn."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""


# Without --data: what fits into 3 minutes on 2 cores
BUILT_IN_SCENES = 400
SHORT = dict(
    encoding="gamma",
    patches=7000,
    validation_share=0.1,
    batch_size=64,
    epochs=8,
    schedule="cosine",
    learning_rate=2e-3,
    augment=True,
)

# With --photos: clipped highlights must not give the casts away
PHOTOS = SHORT | dict(
    patches=20_000,
    validation_share=0.0,
    epochs=10,
    augmentation=Augmentation(brighten=4.0),
)


def train(run, jit_compile, config, scenes, selection, name, augmentation=None):
    """Trains one network on the selected scenes; goes on where the run stopped."""
    keras.utils.set_random_seed(config.seed)
    network = build_dscnn(
        config.patch_size,
        config.modules,
        separable=config.separable,
        skip=config.skip,
        encoding=config.encoding,
        l2=config.l2,
        bn_momentum=config.bn_momentum,
    )
    share = 1 - config.validation_share
    steps = max(1, round(config.patches * share / config.batch_size))
    rate = SCHEDULES[config.schedule](config.learning_rate, steps * config.epochs)
    compile_dscnn(network, rate, jit_compile)

    patches = draw_patches(scenes, selection, config.patches, config.patch_size, config.seed)
    training, validation = split_patches(patches, config.validation_share, config.seed)
    print(f"\n{name}: {len(selection)} scenes, {len(training)} patches to train on, "
          f"{len(validation)} to validate")  # fmt: skip

    def batches(first_step):
        return training_batches(
            training, config.batch_size, steps * config.epochs, config.seed, augmentation,
            first_step=first_step,
        )  # fmt: skip

    fit(
        run.path / name, network, batches, steps, config.epochs,
        {"optimizer": network.optimizer}, config.batch_size,
        validation_data=evaluation_batches(validation, 256) if len(validation) else None,
    )  # fmt: skip
    return network


def has_measured_lights(config):
    """Whether the scenes are worth both protocols: not built-in ones, nor photos."""
    return config.data is not None and not config.photos


def run_protocols(config, run, jit_compile, scenes):
    """Trains and tests by protocol: the paper's, then whole scenes held out by fold.

    Returns:
        results, dict protocol -> (indices of the tested scenes, their estimates), and the
        network to export, which was trained on every scene (without measured lights, that is
        on built-in scenes and photos: on the training ones).
    """
    every = np.arange(len(scenes))
    augmentation = config.augmentation if config.augment else None
    measured = has_measured_lights(config)
    results = {}
    if measured:
        network = train(run, jit_compile, config, scenes, every, "paper")
        results["paper"] = every, estimate_images(network, scenes.images)[0]
    estimates = np.zeros((len(scenes), 3), np.float32)
    tested = np.isin(scenes.folds, np.unique(scenes.folds) if measured else [1])
    for fold in np.unique(scenes.folds[tested]):
        held_out = np.flatnonzero(scenes.folds == fold)
        others = np.flatnonzero(scenes.folds != fold)
        fold_network = train(
            run, jit_compile, config, scenes, others, f"fold-{fold}", augmentation
        )
        estimates[held_out] = estimate_images(fold_network, scenes.take(held_out).images)[0]
    tested = np.flatnonzero(tested)
    results["held-out"] = tested, estimates[tested]
    if not measured:
        network = fold_network
    elif augmentation:
        network = train(run, jit_compile, config, scenes, every, "all", augmentation)
    return results, network


def export(config, scenes, network, figures):
    """Writes SavedModel and TFLite files; prints what they cost and how far they drift."""
    settings = to_json(config)
    settings.pop("data")  # a path of the machine that trained
    small = max(scenes.images[0].shape[:2]) < 2 * config.patch_size
    count = len(scenes) if has_measured_lights(config) else int(np.sum(scenes.folds != 1))
    metadata = {
        "trained_on": f"{scenes.name}, {count} scenes",
        "patch_size": config.patch_size,
        "view": "whole" if small else "native",  # what of a scene its patches showed
        "held_out_errors_degrees": figures.loc["DSCNN"].round(3).to_dict(),
        "settings": settings,
    }
    side = 4 * config.patch_size
    chosen = np.unique(np.linspace(0, len(scenes) - 1, 200, dtype=int))
    some = [scenes.images[index][:side, :side].copy() for index in chosen]
    name = "dscnn" + ("-photos" if config.photos else "" if config.data else "-synthetic")
    paths = export_dscnn(network, config.export / name, metadata, some[::2])
    saved_model = paths.pop("saved_model")
    print_parity(
        compare_dscnn(network, paths, some[1::2]),
        f"TFLite, one thread, images of {some[0].shape[1]}x{some[0].shape[0]} pixels; "
        "angle to the Keras model",
        "degrees",
    )
    print(f"SavedModel: {saved_model}")


def check(config):
    """Settings that no type can check, before anything is loaded or written."""
    limits = {
        "patch_size": (8, 4096),
        "modules": (1, 5),
        "patches": (1, 10**7),
        "batch_size": (1, 10**6),
        "epochs": (1, 10**6),
        "validation_share": (0, 0.9),
        "learning_rate": (1e-12, 100),
        "l2": (0, 1000),
        "bn_momentum": (0, 1),
        "seed": (0, 2**31 - 1),
    }
    check_limits(config, limits)
    if config.photos and config.data is None:
        raise InputError("--photos needs --data, the folder of the photos")
    if config.export:
        check_folder(config.export)  # now, not after hours of training


@report_input_errors
def main():
    config = tyro.cli(Config)
    check(config)
    if config.photos:
        config = tyro.cli(Config, default=replace(config, **PHOTOS))
        scenes = load_photos(config.data, config.patch_size, config.seed)
    elif config.data is None:
        config = tyro.cli(Config, default=replace(config, **SHORT))
        print("no --data: built-in synthetic scenes and a short run (see --help for both)")
        scenes = synthetic_scenes(BUILT_IN_SCENES, seed=config.seed)
    else:
        scenes = load_scenes(config.data)
    with RunFolder("train_dscnn", config) as run:
        print(f"run: {run.path}")
        jit_compile = set_up(config.deterministic)
        if config.ablation:
            return ablation.run(partial(train, run, jit_compile), config, scenes, run.path)
        results, network = run_protocols(config, run, jit_compile, scenes)
        figures = report.write(
            run.path, scenes, results, estimate_all(scenes.images), config.seed
        )
        if config.export:
            export(config, scenes, network, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main()
