"""Checkpoints from which training goes on as if it had never stopped."""

import re
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from keras_gans.errors import InputError


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves everything that training changes at the end of every epoch.

    That is weights, optimizers, moving averages and random seeds. The data must be a
    function of (seed, step), so that an epoch cut short is repeated with the same batches.

    Args:
        model: a compiled model.
        optimizers: dict name -> built optimizer.
        folder: where the checkpoints lie; the last two are kept.
        fingerprint: str, of the run and the training; checkpoints of others are refused.

    Example:

        checkpoint = EpochCheckpoint(model, {"optimizer": model.optimizer}, run / "checkpoints")
        first = checkpoint.restore()
        model.fit(batches(first), initial_epoch=first, callbacks=[checkpoint], ...)
    """

    def __init__(self, model, optimizers, folder, fingerprint=""):
        super().__init__()
        self.folder = Path(folder)
        self.fingerprint = fingerprint
        self._epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Keras' own tracking leaves the seeds of random layers out: list every variable
        variables = [variable.value for variable in model.variables]
        self._checkpoint = tf.train.Checkpoint(
            epochs=self._epochs,
            fingerprint=tf.Variable(fingerprint),
            model=model,
            variables=variables,
            **optimizers,
        )

    def restore(self):
        """Loads the newest checkpoint that is whole, if there is one.

        Returns:
            the epochs done so far.

        Raises:
            InputError: the checkpoints are another run's or training's, or all are damaged.
        """
        for unfinished in self.folder.glob("ckpt-*_temp"):  # of a killed process
            shutil.rmtree(unfinished)
        numbers = self._numbers()
        saved = bool(numbers) or (self.folder / "checkpoint").exists()
        while numbers and not self._load(self._path(numbers[-1])):
            print(f"note: {self._path(numbers.pop())}: damaged; it is left out")
        if saved and not numbers:
            raise InputError(
                f"{self.folder}: no checkpoint in it can be read; start a new run without "
                "--resume"
            )
        return int(self._epochs)

    def _path(self, number):
        return f"{self.folder}/ckpt-{number}"

    def _numbers(self):
        """Numbers of the checkpoints that are there. The state file may be damaged."""
        names = (index.stem for index in self.folder.glob("ckpt-*.index"))
        return sorted(int(name[5:]) for name in names if re.fullmatch("ckpt-[0-9]{1,18}", name))

    def _load(self, path):
        try:
            reader = tf.train.load_checkpoint(path)
            written = reader.get_tensor("fingerprint/.ATTRIBUTES/VARIABLE_VALUE").decode()
            if written == self.fingerprint:
                self._checkpoint.read(path).assert_existing_objects_matched()
                return True
        except Exception:  # readers of damaged checkpoints raise nearly every type there is
            return False
        raise InputError(
            f"{path}: a checkpoint of another run or training; put this one's own back, or "
            "start a new run without --resume"
        )

    def on_epoch_end(self, epoch, logs=None):
        self._epochs.assign(epoch + 1)
        try:
            path = self._checkpoint.write(self._path(epoch + 1))
        except BaseException:
            self._remove(epoch + 1)
            raise
        numbers = [number for number in self._numbers() if number <= epoch + 1]
        kept = [self._path(number) for number in numbers[-2:]]
        tf.compat.v1.train.update_checkpoint_state(str(self.folder), path, kept)
        for number in numbers[:-2]:
            self._remove(number)

    def _remove(self, number):
        for file in self.folder.glob(f"ckpt-{number}.*"):
            file.unlink()
        shutil.rmtree(f"{self._path(number)}_temp", ignore_errors=True)
