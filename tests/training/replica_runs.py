"""A program: trains tiny models by the replicas of its environment, and writes how they end.

python -m tests.training.replica_runs OUT.npz REPLICAS graph|eager NAME...
"""

import sys
from dataclasses import dataclass

from keras_gans.training.device import start

import keras
import numpy as np
import tensorflow as tf

from keras_gans import layers, replicas
from keras_gans.data.pipeline import step_dataset
from keras_gans.training import distribute
from keras_gans.training.schedule import Schedule
from tests.training.tiny import MODELS, eager

FIVE = "defectgan", "frgan", "sagan", "text-to-image", "dscnn"
ROWS = 4  # of the global batch
STEPS = 2


@dataclass(frozen=True)
class Settings:
    replicas: int


def model_and_batches(name):
    """A tiny model, and random batches of `ROWS` as a function of the step."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(6)
    model, batch = MODELS[name]()
    if name == "defectgan":  # Adam makes steps of the rounding of gradients that are zero
        model.compile(*(keras.optimizers.SGD(1e-4) for _ in range(2)))
        model.critic_warmup = 1

    def drawn(values):
        values = np.asarray(values)
        if name == "frgan" and values.ndim == 5:  # views
            shape = (STEPS, values.shape[0], ROWS, *values.shape[2:])
        else:
            rows = ROWS * (2 if name == "defectgan" else 1)  # of its candidates
            shape = (STEPS, rows, *values.shape[1:])
        if values.dtype == np.float32:
            low = 0.1 if name == "dscnn" else -0.9
            return tf.constant(random.uniform(low, 0.9, shape), tf.float32)
        if values.dtype == bool:  # where a word is: one in each sentence
            values = random.uniform(size=shape) < 0.5
            values[..., -1] = True
        return tf.constant(np.resize(values, shape))

    data = tf.nest.map_structure(drawn, batch)
    return model, lambda step: tf.nest.map_structure(lambda each: each[step], data)


def train(name):
    """Values by name: the model's variables after the steps, and the figures."""
    model, batch = model_and_batches(name)
    schedule, found = Schedule(ROWS, STEPS, 1), {}
    log = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: found.update(logs))
    if distribute.team():
        distribute.agree(model, batch, schedule, 0)
        copies = distribute.train(model, batch, schedule, 0, [log])[1:]
    else:
        data, copies = step_dataset(batch, 0, STEPS), []
        options = dict(steps_per_epoch=STEPS, verbose=0, shuffle=False, callbacks=[log])
        eager(model).fit(data, **options)
    state = distribute.state_of(model)
    for copy in copies:  # batch norms, spectral norms, averages, seeds: to the bit
        for ours, theirs in zip(state, distribute.state_of(copy), strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    found |= {str(number): variable for number, variable in enumerate(state)}
    return {f"{name} {key}": np.asarray(value) for key, value in found.items()}


def layers_on_shares():
    """What layers that see the whole batch make of it, each replica of its share; by name."""
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(5, 1, (ROWS, 4, 4, 3)), tf.float32)
    places = tf.constant([0, 1, 1, 0])
    calls = {
        "images": (lambda: layers.FusedBatchNormalization(momentum=0.5), x),
        "vectors": (lambda: layers.FusedBatchNormalization(momentum=0.5), x[:, 0, 0]),
        "places": (
            lambda: layers.SlotBatchNormalization(3, 0.5),
            [x, places],
        ),
        "dropout": (lambda: layers.Dropout(0.5, seed=1), x),
        "noise": (lambda: layers.GaussianNoise(0.5, seed=1), x),
    }
    found, team = {}, distribute.team()
    for name, (build, inputs) in calls.items():
        every = [build() for _ in range(team.size if team else 1)]
        for layer in every:
            layer(inputs)

        def step(number, inputs=inputs, every=every):
            with replicas.replica(number):
                share = tf.nest.map_structure(lambda x: tf.split(x, team.size)[number], inputs)
                return apply(every[number], share)

        if team:
            joined = team.strategy.experimental_local_results
            results = [tf.concat(joined(each), 0) for each in team.run(step)]
        else:
            results = apply(every[0], inputs)
        found[f"{name} output"], found[f"{name} slope"] = map(np.asarray, results)
        for number, layer in enumerate(every):
            for variable in layer.non_trainable_variables:
                found[f"{name} {variable.name} {number}"] = variable.numpy()
    return found


def apply(layer, inputs):
    """The output, and the gradient of the sum of its cubes in the first of the inputs."""
    first, *others = tf.nest.flatten(inputs)
    with tf.GradientTape() as tape:
        tape.watch(first)
        output = layer([first, *others] if others else first, training=True)
        loss = tf.reduce_sum(output**3)
    return output, tape.gradient(loss, first)


def main(out, count, how, *names):
    start(Settings(int(count)))
    tf.config.run_functions_eagerly(how == "eager")
    found = layers_on_shares() if how == "eager" else {}
    for name in names:
        found |= train(name)
    if distribute.is_chief():
        np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
