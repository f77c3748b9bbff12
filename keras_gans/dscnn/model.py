"""Training settings of section 4.1. DSCNN needs no training step of its own: Keras' serves."""

from keras_gans.training.device import xla

import keras

from keras_gans.losses import angular_error
from keras_gans.training.precision import ready


def paper_schedule(
    learning_rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The paper's learning rate: 1e-3, after a quarter of training 1e-4, after three 5e-5.

    Section 4.1 has the changes after epochs 50 and 150 of 200; they scale with `steps`. Keras
    keeps a rate up to and with its boundary: the boundaries are the last steps, counted from 0.

    Args:
        learning_rate: the first rate, 1e-3 in the paper.
        steps: training steps in all.
    """
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [round(steps * 50 / 200) - 1, round(steps * 150 / 200) - 1],
        [learning_rate, learning_rate / 10, learning_rate / 20],
    )


def cosine_schedule(
    learning_rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """From `learning_rate` along half a cosine to zero (ours; better in short training)."""
    return keras.optimizers.schedules.CosineDecay(learning_rate, steps)


SCHEDULES = {"paper": paper_schedule, "cosine": cosine_schedule}


def compile_dscnn(network: keras.Model, learning_rate) -> None:
    """Compiles a network with Adam and the angular loss (eq. 5), its optimizer built.

    Args:
        network: from `build_dscnn`.
        learning_rate: number or schedule.
    """
    network.compile(
        optimizer=ready(keras.optimizers.Adam(learning_rate), [network]),
        loss=angular_error,
        metrics=[keras.metrics.MeanMetricWrapper(angular_error, name="angular_error")],
        jit_compile=xla(),
    )
