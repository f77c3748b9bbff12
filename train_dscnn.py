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

from dataclasses import replace

from keras_gans.training.device import set_up, start

import keras
import numpy as np

from keras_gans.data.order import spread
from keras_gans.dscnn import data, datasets, protocols, report
from keras_gans.dscnn.export import compare_dscnn, export_dscnn
from keras_gans.dscnn.model import SCHEDULES, compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.export.parity import print_parity
from keras_gans.training.fit import fit
from keras_gans.training.precision import computing_in, in_float32
from keras_gans.training.run_folder import RunFolder


def train(config, folder, scenes, selection, augmentation=None):
    """Trains one network on the selected scenes; goes on where the run stopped."""
    patches = data.draw_patches(
        scenes, selection, config.patches, config.patch_size, config.seed
    )
    training, validation = data.split_patches(patches, config.validation_share, config.seed)
    print(f"\n{folder.name}: {len(selection)} scenes, {len(training)} patches to train on, "
          f"{len(validation)} to validate")  # fmt: skip
    weights = None
    if config.halved:
        weights = fit_network(
            replace(config, patch_size=config.patch_size // 2, epochs=config.halved),
            folder / "halved", data.halved(training), data.halved(validation), augmentation,
        ).get_weights()  # fmt: skip
    return fit_network(config, folder, training, validation, augmentation, weights)


def fit_network(config, folder, training, validation, augmentation, weights=None):
    """Trains a network on patches, from weights that are given or from new ones."""
    keras.utils.set_random_seed(config.seed)
    with computing_in(config.precision):
        network = build_dscnn(
            config.patch_size,
            config.modules,
            separable=config.separable,
            skip=config.skip,
            encoding=config.encoding,
            l2=config.l2,
            bn_momentum=config.bn_momentum,
        )
    if weights:
        network.set_weights(weights)
    schedule = config.training_schedule()
    rate = SCHEDULES[config.schedule](config.learning_rate, schedule.steps)
    compile_dscnn(network, rate)
    batch = data.training_batches(training, config.batch_size, config.seed, augmentation)
    held_out = data.evaluation_batches(validation, 256) if len(validation) else None
    fit(folder, network, batch, schedule, validation_data=held_out)
    return in_float32(network)


def run_protocols(config, folder, scenes):
    """Trains and tests by protocol: the paper's, then scenes held out by fold and by camera.

    Returns:
        results, dict protocol -> `Tested`, and the network to export, which was trained on
        every scene (built-in scenes and photos: on the training ones).
    """
    every = np.arange(len(scenes))
    augmentation = config.augmentation if config.augment else None
    measured, results = config.measured_lights, {}
    wanted = config.protocols if measured else ("held-out",)

    def train_part(name, selection):
        return train(config, folder / name, scenes, selection, augmentation)

    if "paper" in wanted:
        network = train(config, folder / "paper", scenes, every)
        results["paper"] = protocols.measure(network, scenes, every)
    for protocol in (each for each in wanted if each != "paper"):
        parts = protocols.parts_to_hold_out(scenes, protocol, measured)
        if parts:
            results[protocol], part_network = protocols.hold_out(scenes, parts, train_part)
    if not measured:
        network = part_network
    elif augmentation or "paper" not in wanted:
        network = train_part("all", every)
    return results, network


def export(run, scenes, network, figures, trusted):
    """Writes SavedModel and TFLite files; prints what they cost and how far they drift."""
    config = run.config
    whole = protocols.whole_scenes(scenes, config.patch_size)
    count = len(scenes) if config.measured_lights else int(np.sum(scenes.folds == 0))
    card = run.model_card(
        f"{scenes.name}, {count} scenes",
        {"held_out_errors_degrees": figures},
        patch_size=config.patch_size,
        view="whole" if whole else "native",  # what of a scene its patches showed
        **trusted,
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
    start(config)
    scenes = datasets.load(config)
    with RunFolder("train_dscnn", config) as run:
        print(f"run: {run.path}")
        set_up(config.deterministic)
        results, network = run_protocols(config, run.path, scenes)
        figures = report.write(run.path, scenes, results, config.seed)
        trusted = protocols.trust(scenes, results, network)
        run.export(export, scenes, network, figures, trusted)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main(config)
