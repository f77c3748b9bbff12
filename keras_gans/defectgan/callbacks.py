"""What training shows after every epoch: pictures, and whether the cleaning cleans."""

from pathlib import Path

import keras
import numpy as np

from keras_gans.defectgan.calibration import calibrate
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import detect
from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.pictures import panel_rows
from keras_gans.defectgan.surfaces import Surfaces, nearest_spread
from keras_gans.defectgan.view import View

WATCHED = 8  # images of each kind


class CleaningMonitor(keras.callbacks.Callback):
    """Measures the cleaning on a few training images after every epoch, and draws it.

    The known failures of CycleGAN as a cleaner are that it inverts the image (both generators
    invert: the cycle is closed) and that it does nothing, or the same to all images. Adds to
    the epoch's figures

    - `change_ng`, `change_p`: mean over defective and over defect-free images of the largest
      denoised grey difference between image and cleaned image, in grey levels;
    - `likeness`: correlation of images and cleaned images, near 1 where all is well;

    prints one line where they tell of a failure, and writes `epoch-NNN.png`: input, cleaned,
    difference, mask, truth.

    Args:
        surfaces: training images are measured, defective test images drawn.
        view: how the generator sees them.
        folder: where the pictures go.
        rule: applied to the images that are measured.
    """

    def __init__(self, surfaces: Surfaces, view: View, folder: Path, rule: CalibrationRule):
        super().__init__()
        self.view, self.folder, self.rule = view, folder, rule
        train, defective = surfaces.train, surfaces.defective
        free = nearest_spread(np.flatnonzero(train & ~defective), WATCHED)
        spoiled = nearest_spread(np.flatnonzero(train & defective), WATCHED)
        self.watched = surfaces.take([*free, *spoiled])
        shown = np.flatnonzero(~train & defective)
        if not len(shown):
            shown = spoiled
        kinds = np.array(surfaces.types)[shown]
        per_kind = max(1, 8 // len(set(kinds)))
        shown = [nearest_spread(shown[kinds == kind], per_kind) for kind in sorted(set(kinds))]
        self.shown = surfaces.take(np.concatenate(shown)[:12])

    def set_model(self, model):
        super().set_model(model)
        self.clean = Cleaner(model.averaged, self.view)

    def on_epoch_end(self, epoch, logs=None):
        calibration = calibrate(self.clean, self.watched, self.rule)
        figures = self._figures(calibration)
        logs.update(figures)
        warming_up = not int(self.model.g_optimizer.iterations)
        warning = diagnosis(**figures)
        if warning and not warming_up:
            print(f"\nwarning after epoch {epoch + 1}: {warning}")
        self._draw(self.folder / f"epoch-{epoch + 1:03d}.png", calibration)

    def _figures(self, calibration):
        images, defective = self.watched.images, self.watched.defective
        found = [detect(self.clean, image, calibration) for image in images]
        scores = np.array([one.score for one in found])
        likeness = [_correlation(image, one.cleaned) for image, one in zip(images, found)]
        return {
            "change_ng": float(np.mean(scores[defective])),
            "change_p": float(np.mean(scores[~defective])),
            "likeness": float(np.mean(likeness)),
        }

    def _draw(self, path, calibration):
        rows = []
        for image, truth in zip(self.shown.images, self.shown.masks):
            found = detect(self.clean, image, calibration)
            truth = np.zeros(found.mask.shape, bool) if truth is None else truth
            rows.append([image, found.cleaned, found.difference, found.mask, truth])
        self.folder.mkdir(parents=True, exist_ok=True)
        panel_rows(path, ["input", "cleaned", "difference", "mask", "truth"], rows)


def diagnosis(change_ng: float, change_p: float, likeness: float) -> str:
    """The failure that the figures of `CleaningMonitor` tell of; "" where there is none."""
    if likeness < 0:
        return (
            f"the cleaned images are inverted (likeness {likeness:.2f}); try "
            "--identity-weight 0.5 or --residual"
        )
    if likeness < 0.5:
        return (
            f"the cleaned images are unlike the images (likeness {likeness:.2f}); early in "
            "training that is normal, later try --identity-weight 0.5 or --residual"
        )
    if max(change_ng, change_p) < 1:
        return (
            f"cleaning does nothing (it changes defective images by {change_ng:.2f} grey "
            "levels at most); train longer, or lower --change-weight (--design attention: "
            "--cleaned-share)"
        )
    if change_ng < 1.05 * change_p:
        return (
            f"cleaning changes defective images ({change_ng:.1f} grey levels) no more than "
            f"defect-free ones ({change_p:.1f}); early in training that is normal"
        )
    return ""


def _correlation(image, cleaned):
    a, b = (np.asarray(x, np.float64) - np.mean(x) for x in (image, cleaned))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
