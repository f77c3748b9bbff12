"""The numbers that a training computes in: float32, or a half of it beside float32 weights."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import keras

from keras_gans.training.settings import Precision

POLICIES = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@contextlib.contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Networks that are built inside compute in this precision, wherever they are used.

    Weights, last layers and losses stay float32. Around other networks nothing changes.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES.get(precision, precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def built_in(precision: Precision, build: Callable, *args) -> keras.Model:
    """What a function builds from its arguments, computing in this precision."""
    with computing_in(precision):
        return build(*args)


def ready(optimizer: keras.Optimizer | str, networks: Iterable[keras.Model]) -> keras.Optimizer:
    """The optimizer, built for the networks; for float16 ones it scales the loss.

    Built before training, its state is in every checkpoint. Float16 has no numbers below 6e-8:
    the gradients of a loss that is not scaled would be zero there.
    """
    optimizer = keras.optimizers.get(optimizer)  # by its name
    half = any(layer.compute_dtype == "float16" for each in networks for layer in each.layers)
    if half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build([v for network in networks for v in network.trainable_variables])
    return optimizer


def in_float32(network: keras.Model) -> keras.Model:
    """A copy that computes in float32, to measure and to export; a float32 network itself."""
    written = network.to_json()
    text = written
    for policy in POLICIES.values():
        text = text.replace(f'"{policy}"', '"float32"')
    if text == written:
        return network
    with computing_in("float32"):
        copy = keras.models.model_from_json(text)
    copy.set_weights(network.get_weights())
    return copy
