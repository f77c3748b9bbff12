"""What training shows after every epoch: pictures, and whether the cleaning cleans."""

import keras
import numpy as np

from keras_gans.defectgan.detect import calibrate, detect, traced_cleaner
from keras_gans.defectgan.report import sample_grid

WATCHED = 8  # images of each kind


class CleaningWatch(keras.callbacks.Callback):
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
        surfaces: `Surfaces`; training images are measured, defective test images drawn.
        tile: side of the crops that the generator is trained on.
        reduce: see `traced_cleaner`.
        folder: where the pictures go.
        rule: `CalibrationRule`, applied to the images that are measured.
    """

    def __init__(self, surfaces, tile, reduce, folder, rule):
        super().__init__()
        self.surfaces, self.tile, self.reduce = surfaces, tile, reduce
        self.folder, self.rule = folder, rule
        train, defective = surfaces.train, surfaces.defective
        self.free = _spread(np.flatnonzero(train & ~defective), WATCHED)
        self.defective = _spread(np.flatnonzero(train & defective), WATCHED)
        shown = np.flatnonzero(~train & defective)
        if not len(shown):
            shown = self.defective
        kinds = np.array(surfaces.types)[shown]
        per_kind = max(1, 8 // len(set(kinds)))
        self.shown = np.concatenate(
            [_spread(shown[kinds == kind], per_kind) for kind in sorted(set(kinds))]
        )[:12]

    def set_model(self, model):
        super().set_model(model)
        self.clean = traced_cleaner(model.cleaner, self.tile, reduce=self.reduce)

    def on_epoch_end(self, epoch, logs=None):
        images = self.surfaces.images
        calibration = calibrate(
            self.clean,
            [images[i] for i in self.free],
            [images[i] for i in self.defective],
            self.rule,
        )
        free, defective = (
            [detect(self.clean, images[i], calibration) for i in chosen]
            for chosen in (self.free, self.defective)
        )
        change_p, change_ng = (
            float(np.mean([found.score for found in kind])) for kind in (free, defective)
        )
        likeness = float(
            np.mean(
                [
                    _correlation(images[i], found.cleaned)
                    for i, found in zip([*self.free, *self.defective], free + defective)
                ]
            )
        )
        logs.update(change_ng=change_ng, change_p=change_p, likeness=likeness)
        warming_up = int(self.model.d_optimizer.iterations) <= self.model.critic_warmup
        warning = diagnosis(change_ng, change_p, likeness)
        if warning and not warming_up:
            print(f"\nwarning after epoch {epoch + 1}: {warning}")

        rows = []
        for index in self.shown:
            found = detect(self.clean, images[index], calibration)
            truth = self.surfaces.masks[index]
            truth = np.zeros(found.mask.shape, bool) if truth is None else truth
            rows.append([images[index], found.cleaned, found.difference, found.mask, truth])
        self.folder.mkdir(parents=True, exist_ok=True)
        sample_grid(
            self.folder / f"epoch-{epoch + 1:03d}.png",
            ["input", "cleaned", "difference", "mask", "truth"],
            rows,
        )


def diagnosis(change_ng, change_p, likeness):
    """Names the failure that the figures of `CleaningWatch` tell of; "" where there is none."""
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
            "levels at most); train longer, or lower --change-weight"
        )
    if change_ng < 1.05 * change_p:
        return (
            f"cleaning changes defective images ({change_ng:.1f} grey levels) no more than "
            f"defect-free ones ({change_p:.1f}); early in training that is normal"
        )
    return ""


def _spread(indices, count):
    """At most `count` of the indices, evenly spread."""
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(int)]


def _correlation(image, cleaned):
    a, b = (np.asarray(x, np.float64) - np.mean(x) for x in (image, cleaned))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-9))
