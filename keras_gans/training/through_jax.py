"""Runs a training script with its steps compiled by XLA and run by JAX.

    python -m keras_gans.training.through_jax train_frgan.py --data DIR
    python -m keras_gans.training.through_jax -m studies.frgan table-3 --data DIR

For GPUs that JAX has wheels for and TensorFlow has none. `train_step` stays what it is: its
StableHLO is what runs. TensorFlow makes the batches, evaluates and exports on the CPU.
"""

import os
import re
import runpy
import sys

from keras_gans.quiet import tensorflow as tf  # isort: skip

import jax
import keras
import numpy as np
from jax._src.lib import xla_client  # what compiles StableHLO has no public name

from keras_gans.layers import max_pool


class Steps(keras.callbacks.Callback):
    """Training steps on JAX's first device, where the variables stay for an epoch.

    It is the model's `train_function`, and a callback that moves the variables.

    Args:
        model: compiled.
    """

    def __init__(self, model: keras.Model):
        super().__init__()
        self.set_model(model)
        self.device = jax.devices()[0]
        self._step = tf.function(lambda batch: model.train_step(batch), jit_compile=True)
        self.compiled = self._values = None

    def __call__(self, iterator) -> dict:
        batch = next(iterator)
        if self.compiled is None:
            self.compile(batch)
            self.push()
        return self.run([self.put(each) for each in tf.nest.flatten(batch)])

    def compile(self, batch) -> None:
        """Compiles the step for batches of this shape."""
        traced = self._step.get_concrete_function(batch)
        known = {id(variable.handle): variable for variable in traced.graph.variables}
        self._inputs = [known.get(id(each), each) for each in traced.captured_inputs]
        self._figures = list(traced.structured_outputs)
        code = self._step.experimental_get_compiler_ir(batch)(stage="stablehlo")
        # no operation of StableHLO's
        code = re.sub(r"mhlo\.copy (%\w+) :", r"stablehlo.convert \1 :", code)
        updates = re.findall(
            r"parameter_number = (\d+) : i64}, output_index = array<i64: (\d+)>", code
        )
        first = len(tf.nest.flatten(batch))
        self._updates = {int(number) - first: int(output) for number, output in updates}
        self.compiled = self.device.client.compile_and_load(
            code,
            xla_client.DeviceList((self.device,)),
            xla_client.CompileOptions(),
        )

    def put(self, value) -> jax.Array:
        """A tensor or variable, on the device."""
        return jax.device_put(value.numpy(), self.device)

    def push(self) -> None:
        """Takes the variables' values from TensorFlow."""
        self._values = [self.put(each) for each in self._inputs]

    def pull(self) -> None:
        """Gives those that a step updates back to TensorFlow."""
        for number in self._updates:
            self._inputs[number].assign(np.asarray(self._values[number]))

    def run(self, batch: list[jax.Array]) -> dict[str, jax.Array]:
        """One step on a flat batch: the model's figures."""
        results = self.compiled.execute_sharded(batch + self._values)
        outputs = [one for [one] in results.disassemble_into_single_device_arrays()]
        for number, output in self._updates.items():
            self._values[number] = outputs[output]
        return dict(zip(self._figures, outputs, strict=False))

    def on_epoch_begin(self, epoch, logs=None):
        if self.compiled:
            self.push()

    def on_train_batch_end(self, batch, logs=None):
        if self.params["steps"] in (None, batch + 1):
            self.pull()


def fit(model: keras.Model, *args, callbacks=(), **options):
    """`Model.fit` by `Steps`."""
    model.train_function = Steps(model)
    return _fit(model, *args, callbacks=[model.train_function, *(callbacks or ())], **options)


_fit = keras.Model.fit
jax.config.update("jax_enable_x64", True)  # there are counters of 64 bits

if __name__ == "__main__":
    max_pool.SLICED = True
    keras.Model.fit = fit
    print(f"steps through JAX: {jax.devices()[0].device_kind}")
    sys.path.insert(0, os.getcwd())
    del sys.argv[: 2 if sys.argv[1] == "-m" else 1]
    run = runpy.run_path if sys.argv[0].endswith(".py") else runpy.run_module
    run(sys.argv[0], run_name="__main__")
