"""Checkpoints from which training goes on as if it had never stopped."""

import keras
import tensorflow as tf


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves everything that training changes at the end of every epoch.

    That is weights, optimizers, moving averages and random seeds. The data must be a
    function of (seed, step), so that an epoch cut short is repeated with the same batches.

    Args:
        model: a compiled model.
        optimizers: dict name -> built optimizer.
        folder: where the checkpoints lie; the last two are kept.

    Example:

        checkpoint = EpochCheckpoint(model, {"optimizer": model.optimizer}, run / "checkpoints")
        first = checkpoint.restore()
        model.fit(batches(first), initial_epoch=first, callbacks=[checkpoint], ...)
    """

    def __init__(self, model, optimizers, folder):
        super().__init__()
        self._epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Keras' own tracking leaves the seeds of random layers out: list every variable
        variables = [variable.value for variable in model.variables]
        self._checkpoint = tf.train.Checkpoint(
            epochs=self._epochs, model=model, variables=variables, **optimizers
        )
        self._manager = tf.train.CheckpointManager(self._checkpoint, str(folder), max_to_keep=2)

    def restore(self):
        """Loads the newest checkpoint, if there is one. Returns the epochs done so far."""
        if self._manager.latest_checkpoint:
            status = self._checkpoint.restore(self._manager.latest_checkpoint)
            status.assert_existing_objects_matched()
        return int(self._epochs)

    def on_epoch_end(self, epoch, logs=None):
        self._epochs.assign(epoch + 1)
        self._manager.save(checkpoint_number=epoch + 1)
