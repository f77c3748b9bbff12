"""What a run writes and shows while it trains."""

import contextlib
import json
import math
import time
from pathlib import Path

import keras

from keras_gans.errors import InputError
from keras_gans.files import replacing


class MetricsLog(keras.callbacks.Callback):
    """Appends the figures of every epoch to a JSON-lines file.

    Rows of epochs that are about to be repeated (training resumed from an earlier
    checkpoint) are dropped first, so the file reads like that of one uninterrupted run.

    Args:
        path: the file, such as `run / "metrics.jsonl"`.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def keep_epochs(self, count):
        """Drops the rows of all epochs but the first `count`.

        A row that a kill or a full disk has cut short becomes `{"epoch": N}`.
        """
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        rows = dict(filter(None, map(_row, lines)))
        lost = [epoch for epoch in range(1, count + 1) if epoch not in rows]
        if lost:
            print(f"note: {self.path}: the figures of epochs {lost} are damaged or missing")
        kept = (rows.get(epoch, {"epoch": epoch}) for epoch in range(1, count + 1))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1}
        for name, value in (logs or {}).items():
            value = float(value)
            row[name] = value if math.isfinite(value) else None
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")


def _row(line):
    """(epoch, figures) of a line of the log; `None` if it is damaged."""
    with contextlib.suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            if all(isinstance(value, (int, float, type(None))) for value in row.values()):
                return row["epoch"], row


class Speed(keras.callbacks.Callback):
    """Adds `images_per_second` and `seconds` to the figures of an epoch.

    The first step of a run traces and compiles the training graph; it is reported by
    itself and counts in no speed. `seconds` are those of the other training steps.

    Args:
        batch_size: images in a step.
    """

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self._compile_seconds = None

    def on_epoch_begin(self, epoch, logs=None):
        self._steps = 0
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if self._compile_seconds is None:
            now = time.perf_counter()
            self._compile_seconds, self._start = now - self._start, now
        else:
            self._steps += 1
        self._last = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if self._steps:
            seconds = self._last - self._start
            logs["seconds"] = round(seconds, 2)
            logs["images_per_second"] = round(self._steps * self.batch_size / seconds, 1)

    def on_train_end(self, logs=None):
        if self._compile_seconds is not None:
            print(f"first step (tracing and compiling): {self._compile_seconds:.1f} s")


class StopOnNaN(keras.callbacks.Callback):
    """Ends training with one clear line when the loss is no longer finite."""

    def on_epoch_end(self, epoch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(value):
                raise InputError(
                    f"the {name} became {value} in epoch {epoch + 1}; lower --learning-rate, "
                    "or look for damaged images"
                )
