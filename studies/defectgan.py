"""DefectGAN beside what an engineer would pick, on one set: one table of all figures.

    python -m studies.defectgan --data DIR --reduced
    python -m studies.defectgan --data DIR --reduced --rows cam patchcore --seeds 0

The settings are those of train_defectgan.py, and more: see `StudyConfig`. DefectGAN and CAM are
told which training images are defective, SegNet has their masks, PatchCore the good images
alone (`pip install "keras_gans[eyes]"`). None chooses a threshold by masks but SegNet. The row
"self-trained" is a SegNet on the masks that DefectGAN finds in training images, "given" a
trained DefectGAN as it is: `--rows given --model saved_models/defectgan`. With `--resume`
an interrupted study goes on.

To choose between designs, `--validation-share 0.33` leaves the test images alone: a third of
the training items is held out and measured in their place.
"""

from keras_gans.program import command_line, report_input_errors

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from keras_gans.defectgan.config import Config
from keras_gans.errors import InputError
from keras_gans.training.settings import Within


def changed_rule(rule, change):
    """A calibration rule with one number changed, by a text such as "share=0.3"."""
    name, _, value = change.partition("=")
    kind = type(getattr(rule, name, ""))
    try:
        return replace(rule, **{name: kind(value)})
    except (TypeError, ValueError):
        raise InputError(
            f"--also is SETTING=NUMBER, with a setting of --calibration. Received: {change}"
        ) from None


@dataclass(frozen=True)
class StudyConfig(Config):
    """Trains each row with each seed, and measures them on the same test images."""

    rows: tuple[
        Literal["defectgan", "self-trained", "segnet", "cam", "patchcore", "given"], ...
    ] = ("defectgan", "segnet", "cam", "patchcore")
    """What is compared."""
    model: Path | None = None
    """Of the row "given": folder of an exported DefectGAN, which may be of other surfaces.
    It is measured as it is, and with --new-surface and good training images."""
    seeds: Annotated[tuple[int, ...], Within(0, 2**31 - 1)] = (0, 1, 2)
    """Of the trainings; the split of the images is that of SEED."""
    validation_share: Annotated[float, Within(0, 0.9)] = 0.0
    """Part of the training items that is measured instead of the test images, which are left
    out: to choose between designs. Items stand in split.csv (image, tile) or index.csv (name,
    item) in DATA; without them every image is one."""
    also: tuple[str, ...] = ()
    """Calibrations measured on the same trained DefectGAN as rows of their own, each with one
    setting changed: share=0.3 score_pixels=100."""

    def check(self) -> None:
        super().check()
        if ("given" in self.rows) != (self.model is not None):
            raise InputError('--model DIR goes with the row "given"')
        if self.model and self.flatten != 0:
            raise InputError('the row "given" needs --flatten 0: the model flattens by itself')
        for change in self.also:
            changed_rule(self.calibration, change)


if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(StudyConfig)

import time

from keras_gans.training.device import alone, set_up

import numpy as np
import pandas as pd

from keras_gans.commands.detect import Detector, with_false_alarms
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.data.given import given_levels
from keras_gans.data.write import write_png
from keras_gans.defectgan import baselines, datasets
from keras_gans.defectgan.calibration import calibrate
from keras_gans.defectgan.detection import mask_of, score_of
from keras_gans.defectgan.detectors import Found, defectgan_detector
from keras_gans.defectgan.evaluate import run_detectors, table
from keras_gans.defectgan.patchcore import Settings, patchcore_detectors
from keras_gans.defectgan.report import show
from keras_gans.defectgan.validation import validation
from keras_gans.files import remembered, write_json
from keras_gans.machine import cores, processor
from keras_gans.report.tables import write_csv
from keras_gans.training.run_folder import RunFolder
from train_defectgan import cleaner_of, train_defectgan

GOOD = 60  # training images that a given model's levels are chosen from, if there are so many


def defectgan(config, folder, surfaces, training):
    gan = train_defectgan(config, folder, surfaces, training)
    cleaner = cleaner_of(config, gan)
    cleaner.generator.save_weights(folder / "cleaner.weights.h5")
    clean = remembering(cleaner) if config.also else cleaner
    calibration = calibrate(clean, surfaces, config.calibration)
    others = {
        f"DefectGAN, {change}": calibrate(
            clean, surfaces, changed_rule(config.calibration, change)
        )
        for change in config.also
    }
    plain = defectgan_detector(clean, calibration)

    def run(image):
        found = {
            name: replace(one, heat=None)
            for name, other in others.items()
            for one in defectgan_detector(clean, other)(image).values()
        }
        return plain(image) | found

    return [run]


def remembering(clean):
    """A cleaner that cleans each image once."""
    known = {}

    def run(images):
        key = images.tobytes(), images.shape
        if key not in known:
            known[key] = np.asarray(clean(images))
        return known[key]

    return run


def self_trained(config, folder, surfaces, training):
    """SegNet on the masks of DefectGAN of the same seed, where it finds a defect."""
    first = folder.parent / f"defectgan-{config.seed}"
    (detector,) = defectgan(replace(config, also=()), first, surfaces, training)
    surfaces = with_found_masks(surfaces, detector)
    training = surfaces.take(surfaces.train).reduced(config.reduce)
    return [
        renamed(each, "self-trained")
        for each in baselines.segnet_detectors(config, folder, surfaces, training)
    ]


def with_found_masks(surfaces, detector):
    """What a detector finds in defective training images instead of their masks."""
    masks = list(surfaces.masks)
    for index in np.flatnonzero(surfaces.train & surfaces.defective):
        (found,) = detector(surfaces.images[index]).values()
        sure = found.judged and found.mask.any()
        masks[index] = found.mask if sure else None
    return replace(surfaces, masks=masks)


def renamed(detector, name):
    return lambda image: {name: found for found in detector(image).values()}


def patchcore(config, folder, surfaces, training):
    good = surfaces.take(surfaces.train & ~surfaces.defective).images
    return patchcore_detectors(good, Settings(seed=config.seed))


def given(config, folder, surfaces, training):
    detector = Detector.find(config.model)
    good = surfaces.spread(GOOD, train=True, defective=False).images
    (folder / "good").mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(good):
        write_png(folder / "good" / f"{number}.png", image)
    share = max(0.05, 1 / (len(good) + 1))
    wanted = FalseAlarms(folder / "good", share, new_surface=True)
    fitted = with_false_alarms(detector, wanted)

    def run(image):
        heat = detector.difference(given_levels(image, detector.channels))
        score = score_of(heat, detector.calibration.score_pixels)
        plain, cut = mask_of(heat, detector.calibration), mask_of(heat, fitted.cut)
        return {
            "the given model": Found(plain, score, score > detector.limit, heat),
            "the given model, --new-surface": Found(cut, score, score > fitted.limit, heat),
        }

    return [run]


# Each gives detectors, from the settings, a folder, all images and the reduced training images.
ROWS = {
    "defectgan": defectgan,
    "self-trained": self_trained,
    "segnet": baselines.segnet_detectors,
    "cam": baselines.cam_detectors,
    "patchcore": patchcore,
    "given": given,
}


def measure(config, folder, surfaces, training, row):
    """Trains one row with one seed: a list of dicts, one a method."""
    start = time.perf_counter()
    detectors = ROWS[row](config, folder, surfaces, training)
    seconds = time.perf_counter() - start
    measured = run_detectors(detectors, surfaces) if detectors else None
    if measured is None:
        return []
    figures = table(measured.rows, measured.pixels).assign(training_seconds=seconds)
    return [
        {"method": method, "seed": config.seed}
        | {name: None if pd.isna(value) else float(value) for name, value in each.items()}
        for method, each in figures.iterrows()
    ]


def summary(runs):
    """Means over the seeds, and sample standard deviations, a row a method."""
    groups = pd.DataFrame(runs).drop(columns="seed").groupby("method", sort=False)
    return groups.mean(), groups.std(ddof=1)


@report_input_errors
def main(config):
    alone(config)
    surfaces, config = datasets.load(config)
    if config.validation_share:
        surfaces = validation(surfaces, config.data, config.validation_share, config.seed)
        print(f"measured on items held out of the training part: {surfaces.describe()}")
    with RunFolder("study_defectgan", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        training = surfaces.take(surfaces.train).reduced(config.reduce)
        runs = []
        for row in config.rows:
            for seed in config.seeds:
                path = folder.path / f"{row}-{seed}"
                changed = replace(config, seed=seed)
                print(f"\n{row}, seed {seed}")
                runs += remembered(
                    path / "result.json",
                    lambda changed=changed, path=path, row=row: measure(
                        changed, path, surfaces, training, row
                    ),
                )
        means, deviations = summary(runs)
        write_json(folder.path / "result.json", {"set": surfaces.name, "runs": runs})
        write_csv(folder.path / "table.csv", pd.DataFrame(runs))
        seeds = ", ".join(map(str, config.seeds))
        print(f"trained on {processor()}, {cores()} cores")
        show(means, f"{surfaces.name}, means of seeds {seeds}")
        if len(config.seeds) > 1:
            show(deviations, "standard deviations")


if __name__ == "__main__":
    main(config)
