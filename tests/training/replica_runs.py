"""A program: trains tiny models by the replicas that its environment names, and writes their state.

    python -m tests.training.replica_runs OUT.npz REPLICAS STEPS graph|eager NAME...
"""

import sys
from dataclasses import dataclass

from keras_gans.training.device import start

import keras
import numpy as np
import tensorflow as tf

from keras_gans.training import distribute
from keras_gans.training.schedule import Schedule
from tests.training.tiny import MODELS

ROWS = 4  # of the global batch
FIVE = "defectgan", "frgan", "distillation", "text-to-image", "dscnn"


@dataclass(frozen=True)
class Settings:
    replicas: int


def model_and_batches(name, steps):
    """A tiny model, and random batches of `ROWS` as a function of the step."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(5)
    model, batch = MODELS[name]()
    if name == "defectgan":  # Adam moves weights without gradient by its rounding
        model.compile(*(keras.optimizers.SGD(1e-4) for _ in range(2)))
        model.critic_warmup = 1

    def drawn(values):
        values = np.asarray(values)
        rows = 2 * ROWS if name == "defectgan" else ROWS  # two candidates
        shape = (*values.shape[:1], rows, *values.shape[2:]) if values.ndim == 5 and (
            name == "frgan"
        ) else (rows, *values.shape[1:])  # fmt: skip
        if values.dtype == np.float32:
            return random.uniform(0.1 if name == "dscnn" else -0.9, 0.9, (steps, *shape))
        if values.dtype == bool:  # words, of which each sentence has one
            values = random.uniform(size=(steps, *shape)) < 0.5
            values[..., -1] = True
            return values
        return np.stack([np.resize(values, shape)] * steps)

    data = tf.nest.map_structure(drawn, batch)
    data = tf.nest.map_structure(
        lambda x: tf.constant(x, tf.float32 if x.dtype == float else None), data
    )
    return model, lambda step: tf.nest.map_structure(lambda each: each[step], data)


def train(name, steps):
    """The model's variables after some steps, and the last figures, a dict."""
    model, batch = model_and_batches(name, steps)
    schedule, logs = Schedule(ROWS, steps, 1), {}
    show = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, found: logs.update(found))
    if distribute.team():
        distribute.agree(model, batch, schedule, 0)
        distribute.train(model, batch, schedule, 0, [show])
    else:
        from keras_gans.data.pipeline import step_dataset

        model.fit(
            step_dataset(batch, 0, steps), steps_per_epoch=steps, verbose=0, shuffle=False,
            callbacks=[show],
        )  # fmt: skip
    values = [*distribute._state(model), *logs.values()]
    paths = [*(v.path for v in distribute._state(model)), *logs]
    return {f"{name} {i} {path}": np.asarray(v) for i, (v, path) in enumerate(zip(values, paths))}


def main(out, replicas, steps, how, *names):
    start(Settings(int(replicas)))
    tf.config.run_functions_eagerly(how == "eager")
    found = {}
    for name in names:
        found |= train(name, int(steps))
    if distribute.is_chief():
        np.savez(out, **{name.replace("/", "."): value for name, value in found.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
