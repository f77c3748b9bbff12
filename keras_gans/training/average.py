"""A moving average of a network's weights."""

import keras
from keras import ops


def averaged_copy(network: keras.Model, decay: float) -> keras.Model:
    """A copy of a network to hold the average; the network itself for a decay of 0.

    Raises:
        ValueError: a decay, the models' `average`, outside [0, 1).
    """
    if not 0 <= decay < 1:
        raise ValueError(f"`average` must be at least 0 and below 1. Received: {decay}")
    if not decay:
        return network
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def move_average(averages: list, weights: list, decay: float, step) -> None:
    """Moves averages after update number `step` (the first is 1).

    In the first steps the average forgets faster: the start is worth nothing.

    Args:
        averages, weights: lists of variables, in the same order.
        decay: the share of the old average that is kept, once there were many steps.
        step: scalar tensor.
    """
    step = ops.cast(step, "float32")
    decay = ops.minimum(decay, step / (step + 9))
    for average, weight in zip(averages, weights, strict=True):
        average.assign(decay * average + (1 - decay) * weight)
