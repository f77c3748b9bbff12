"""The paper's ablations: table 3 (skip connection), figure 7 (sizes), table 4 (storage).

    python -m studies.dscnn --data DIR_OR_NPZ

The settings are those of train_dscnn.py. Each variant is trained with them; with `--resume` an
interrupted study goes on.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.dscnn.config import StudyConfig

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(StudyConfig)

import time
from dataclasses import replace
from pathlib import Path

from keras_gans.training.device import alone, set_up

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keras_gans.dscnn import datasets
from keras_gans.dscnn.estimate import estimate_images, traced_estimate
from keras_gans.dscnn.report import show_frame
from keras_gans.files import remembered, write_json
from keras_gans.metrics.angular import angular_errors
from keras_gans.report.pictures import save_figure
from keras_gans.training.run_folder import RunFolder
from train_dscnn import train

PATCH_SIZES = (16, 32, 64, 96, 128)
MODULES = (1, 2, 3, 4, 5)


def run(config, folder, scenes):
    """Trains and tests every variant; prints the table, writes it and figure 7.

    The last fold is held out. Measured lights are also tested the paper's way, on the scenes
    trained on.

    Args:
        config: `StudyConfig`.
        folder: gets `ablation.csv`, `result.json` and `figure_7.png`.
        scenes: `Scenes`.
    """
    smallest = min(min(scenes.images[i].shape[:2]) for i in range(len(scenes)))
    held_out = scenes.folds == scenes.folds.max()
    every = np.arange(len(scenes))
    splits = {"seen": (every, every, None)} if config.measured_lights else {}
    augmentation = config.augmentation if config.augment else None
    splits["held out"] = np.flatnonzero(~held_out), np.flatnonzero(held_out), augmentation
    rows = {}
    for name, variant in variants(config, smallest).items():

        def train_and_measure(name=name, variant=variant):
            figures = {}
            for split, (trained, tested, changes) in splits.items():
                path = folder / f"{name} {split}".replace(" ", "-")
                network = train(variant, path, scenes, trained, changes)
                estimates, _ = estimate_images(network, scenes.take(tested).images)
                errors = angular_errors(scenes.illuminants[tested], estimates)
                figures[f"mean error, {split}"] = float(errors.mean())
            return figures | cost(network, scenes.images[0], path)

        result = folder / f"{name} held out".replace(" ", "-") / "result.json"
        rows[name] = remembered(result, train_and_measure)
    frame = pd.DataFrame(rows).T
    frame["parameters"] = frame["parameters"].astype(int)
    show_frame(frame, f"ablation on {scenes.name}, {config.epochs} epochs", "network")
    frame.to_csv(folder / "ablation.csv", index_label="network")
    table = frame.rename_axis("network").reset_index().to_dict("records")
    write_json(folder / "result.json", {"table": table, "set": scenes.name})
    draw_figure_7(frame, config, folder / "figure_7.png")


def variants(config, largest_patch):
    """The networks to compare: dict name -> config, the settings as given first.

    Args:
        config: the train script's settings.
        largest_patch: shorter side of the smallest scene; larger patches are left out.
    """
    named = {
        "baseline": config,
        "skip connection": replace(config, skip=True),
        "standard convolutions": replace(config, separable=False),
    }
    for size in PATCH_SIZES:
        if size != config.patch_size and size <= largest_patch:
            named[f"patch {size}"] = replace(config, patch_size=size)
    for modules in MODULES:
        if modules != config.modules:
            named[f"{modules} modules"] = replace(config, modules=modules)
    return named


def cost(network, image, folder):
    """What a network costs.

    Table 4's 0.62 and 3.56 MB are about three float32 a parameter: the size of a Keras file
    with Adam's two moments. So both are measured, with and without them.

    Args:
        network: trained, compiled network.
        image: a linear image (H, W, 3) to time (median of 5 estimates).
        folder: where the two files are written.

    Returns:
        dict: `parameters`, `MB with optimizer`, `MB weights`, `ms/image`.
    """
    with_optimizer, weights = Path(folder) / "trained.keras", Path(folder) / "weights.keras"
    network.save(with_optimizer)
    bare = keras.Model.from_config(network.get_config())
    bare.set_weights(network.get_weights())
    bare.save(weights)

    estimate = traced_estimate(network)
    estimate(image[None])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        estimate(image[None])
        seconds.append(time.perf_counter() - start)
    return {
        "parameters": network.count_params(),
        "MB with optimizer": with_optimizer.stat().st_size / 1e6,
        "MB weights": weights.stat().st_size / 1e6,
        "ms/image": 1000 * float(np.median(seconds)),
    }


def draw_figure_7(frame, config, path):
    """Draws mean error and time against patch size and number of modules, as figure 7."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    sizes = {s: "baseline" if s == config.patch_size else f"patch {s}" for s in PATCH_SIZES}
    counts = {m: "baseline" if m == config.modules else f"{m} modules" for m in MODULES}
    for axis, points, label in zip(
        panels, (sizes, counts), ("patch size, pixels", "number of modules"), strict=True
    ):
        points = {x: name for x, name in points.items() if name in frame.index}
        rows = frame.loc[list(points.values())]
        for column in (c for c in frame.columns if c.startswith("mean")):
            axis.plot(list(points), rows[column], "o-", label=column)
        axis.set(xlabel=label, ylabel="mean angular error, degrees", ylim=(0, None))
        axis.legend(fontsize=8)
        clock = axis.twinx()
        clock.plot(list(points), rows["ms/image"], "s:", color="grey")
        clock.set(ylabel="ms an image (dotted)", ylim=(0, None))
    save_figure(figure, path)


@report_input_errors
def main(config):
    alone(config)
    scenes = datasets.load(config)
    with RunFolder("study_dscnn", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        run(config, folder.path, scenes)
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
