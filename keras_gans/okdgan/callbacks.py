"""What people watch while the GANs train."""

from pathlib import Path

import keras
import numpy as np

from keras_gans.okdgan.evaluate import sample
from keras_gans.okdgan.report import COLUMNS, sample_rows


class SampleRows(keras.callbacks.Callback):
    """Writes samples of all students after every epoch, a row each, always from the same z.

    Args:
        students: the GANs.
        folder: for `epoch-NNN.png`.
        labels: see `keras_gans.okdgan.evaluate.sample`.
    """

    def __init__(self, students: list, folder: Path, labels: np.ndarray | None = None):
        super().__init__()
        self.students, self.folder, self.labels = students, Path(folder), labels

    def on_epoch_end(self, epoch, logs=None):
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [sample(gan.averaged, COLUMNS, 0, self.labels) for gan in self.students]
        sample_rows(self.folder / f"epoch-{epoch + 1:03d}.png", rows)
