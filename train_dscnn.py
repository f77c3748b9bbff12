"""DSCNN: the colour of the light in a photo, by 42,115 parameters.

Wang & Shang, "Deep Separable Convolution Neural Network for Illumination Estimation",
ICAART 2019.

    python train_dscnn.py                      built-in synthetic scenes, for 2 cores
    python train_dscnn.py --data DIR_OR_NPZ    the paper's training, once for each protocol
                                               and fold; see docs/dscnn.md for the data sets,
                                               the figures and how long they take

The settings stand in keras_gans/dscnn/config.py, the paper's ablations in studies/dscnn.py.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.dscnn.config import Config

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up

import keras
import numpy as np

from keras_gans.data.order import spread
from keras_gans.dscnn import datasets, report
from keras_gans.dscnn.data import (
    draw_patches,
    evaluation_batches,
    split_patches,
    training_batches,
)
from keras_gans.dscnn.estimate import estimate_images
from keras_gans.dscnn.export import compare_dscnn, export_dscnn
from keras_gans.dscnn.model import SCHEDULES, compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.dscnn.statistical import estimate_all
from keras_gans.export.parity import print_parity
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder


def train(config, folder, scenes, selection, augmentation=None):
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
    schedule = config.training_schedule()
    rate = SCHEDULES[config.schedule](config.learning_rate, schedule.steps)
    compile_dscnn(network, rate)

    patches = draw_patches(scenes, selection, config.patches, config.patch_size, config.seed)
    training, validation = split_patches(patches, config.validation_share, config.seed)
    print(f"\n{folder.name}: {len(selection)} scenes, {len(training)} patches to train on, "
          f"{len(validation)} to validate")  # fmt: skip
    batch = training_batches(training, config.batch_size, config.seed, augmentation)
    held_out = evaluation_batches(validation, 256) if len(validation) else None
    fit(folder, network, batch, schedule, validation_data=held_out)
    return network


def run_protocols(config, folder, scenes):
    """Trains and tests by protocol: the paper's, then whole scenes held out by fold.

    Returns:
        results, dict protocol -> (indices of the tested scenes, their estimates), and the
        network to export, which was trained on every scene (without measured lights, that is
        on built-in scenes and photos: on the training ones).
    """
    every = np.arange(len(scenes))
    augmentation = config.augmentation if config.augment else None
    measured = config.measured_lights
    results = {}
    if measured:
        network = train(config, folder / "paper", scenes, every)
        results["paper"] = every, estimate_images(network, scenes.images)[0]
    estimates = np.zeros((len(scenes), 3), np.float32)
    tested = np.isin(scenes.folds, np.unique(scenes.folds) if measured else [1])
    for fold in np.unique(scenes.folds[tested]):
        held_out = np.flatnonzero(scenes.folds == fold)
        others = np.flatnonzero(scenes.folds != fold)
        fold_network = train(config, folder / f"fold-{fold}", scenes, others, augmentation)
        estimates[held_out] = estimate_images(fold_network, scenes.take(held_out).images)[0]
    tested = np.flatnonzero(tested)
    results["held-out"] = tested, estimates[tested]
    if not measured:
        network = fold_network
    elif augmentation:
        network = train(config, folder / "all", scenes, every, augmentation)
    return results, network


def export(run, scenes, network, figures):
    """Writes SavedModel and TFLite files; prints what they cost and how far they drift."""
    config = run.config
    small = max(scenes.images[0].shape[:2]) < 2 * config.patch_size
    count = len(scenes) if config.measured_lights else int(np.sum(scenes.folds != 1))
    card = run.model_card(
        f"{scenes.name}, {count} scenes",
        {"held_out_errors_degrees": figures.loc["DSCNN"].round(3).to_dict()},
        patch_size=config.patch_size,
        view="whole" if small else "native",  # what of a scene its patches showed
    )
    side = 4 * config.patch_size
    some = [scenes.images[i][:side, :side].copy() for i in spread(len(scenes), 200)]
    name = "dscnn" + ("-photos" if config.photos else "" if config.data else "-synthetic")
    paths = export_dscnn(network, config.export / name, card, some[::2])
    saved_model = paths.pop("saved_model")
    print_parity(
        compare_dscnn(network, paths, some[1::2]),
        f"TFLite, one thread, images of {some[0].shape[1]}x{some[0].shape[0]} pixels; "
        "angle to the Keras model",
        "degrees",
    )
    return [saved_model]


@report_input_errors
def main(config):
    scenes = datasets.load(config)
    with RunFolder("train_dscnn", config) as run:
        print(f"run: {run.path}")
        set_up(config.deterministic)
        results, network = run_protocols(config, run.path, scenes)
        baselines = estimate_all(scenes.images)
        figures = report.write(run.path, scenes, results, baselines, config.seed)
        run.export(export, scenes, network, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main(config)
