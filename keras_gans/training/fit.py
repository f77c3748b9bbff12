"""`Model.fit` with what every training of the house shows and writes."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from errno import EACCES, EDQUOT, EFBIG, EIO, ENOSPC, EROFS
from pathlib import Path

import keras
import tensorflow as tf

from keras_gans.data.pipeline import step_dataset
from keras_gans.errors import OutputError
from keras_gans.training import distribute
from keras_gans.training.callbacks import MetricsLog, Speed, StopOnNaN
from keras_gans.training.checkpoint import EpochCheckpoint
from keras_gans.training.run_folder import fingerprint
from keras_gans.training.schedule import Schedule


def fit(
    folder: Path,
    model: keras.Model,
    batch: Callable,
    schedule: Schedule,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    validation_data=None,
) -> int:
    """Trains from the last checkpoint on; nothing happens if all epochs are done.

    By the replicas of `distribute.start`, if there are some: the batch is then the global one.

    Args:
        folder: of this training, with `checkpoints/`, `metrics.jsonl` and `tensorboard/`.
        model: compiled, its optimizers built. One with several has `optimizers`, a dict name ->
            optimizer.
        batch: function of a step's number to its batch, see `step_dataset`.
        schedule: `Schedule`.
        callbacks: more of them; what they add to the logs of an epoch is written too.
        validation_data: see `keras.Model.fit`.

    Returns:
        epochs that were done before.

    Raises:
        InputError: see `EpochCheckpoint.restore` and `distribute.agree`.
        OutputError: a disk is full or fails. What was saved stays.
    """
    steps_per_epoch, epochs = schedule.steps_per_epoch, schedule.epochs
    optimizers = getattr(model, "optimizers", None) or {"optimizer": model.optimizer}
    checkpoint = EpochCheckpoint(model, optimizers, folder / "checkpoints", fingerprint(folder))
    first = checkpoint.restore()
    if distribute.team():
        first = distribute.agree(model, batch, schedule, first)
    print(f"\n{folder.name}: {epochs} epochs of {steps_per_epoch} steps"
          + (f", going on after epoch {first}" if first else ""))  # fmt: skip
    log = MetricsLog(folder / "metrics.jsonl")
    log.keep_epochs(first)
    if first >= epochs:
        return first
    every = [StopOnNaN(), log]
    if distribute.is_chief():
        every = [
            StopOnNaN(),
            Speed(schedule.batch_size),
            *callbacks,
            log,
            keras.callbacks.TensorBoard(folder / "tensorboard", profile_batch=0),
            checkpoint,
        ]
    with _disk_reported(folder):
        if distribute.team():
            distribute.train(model, batch, schedule, first, every, validation_data)
            return first
        model.fit(
            step_dataset(batch, first * steps_per_epoch, schedule.steps),
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            initial_epoch=first,
            validation_data=validation_data,
            callbacks=every,
            verbose=1 if sys.stdout.isatty() else 2,
            shuffle=False,
        )
    return first


@contextlib.contextmanager
def _disk_reported(folder):
    """A disk that fails becomes one line. The run stays, to go on when there is room."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        pictures = re.search(r"InputError: (.+)", str(error))  # while a batch was read
        if pictures:
            raise OutputError(f"{pictures[1]}, then go on with --resume") from None
        known = (os.strerror(code) for code in (ENOSPC, EDQUOT, EFBIG, EROFS, EIO, EACCES))
        reason = next((text for text in known if text in str(error)), None)
        if reason is None:
            raise
        raise OutputError(
            f"{folder}: cannot be written ({reason}); make room, then go on with --resume"
        ) from None
