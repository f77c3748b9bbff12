"""What a training of FR-GAN shows."""

from pathlib import Path

import keras
import numpy as np

from keras_gans.frgan.evaluate import sample, test_error
from keras_gans.report.pictures import sample_grid


class Monitor(keras.callbacks.Callback):
    """Adds the test error to the figures of every epoch, and writes a grid of samples.

    The figure is shown, no choice is made by it.

    Args:
        images, labels: to test on, uint8 (N, S, S, C) and (N,).
        folder: for `epoch-NNN.png`, always from the same z; `None` for a model that does not
            generate.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, folder: Path | None = None):
        super().__init__()
        self.images, self.labels = images, labels
        self.folder = Path(folder) if folder else None

    def on_epoch_end(self, epoch, logs=None):
        classifier = getattr(self.model, "averaged", self.model)
        logs["test_error"] = round(test_error(classifier, self.images, self.labels), 3)
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
            images = sample(self.model.generator, 100, seed=0)
            sample_grid(self.folder / f"epoch-{epoch + 1:03d}.png", images)
