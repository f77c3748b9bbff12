"""Learning rates: the paper's two phases, and what its baselines are trained with."""

import keras
from keras import ops

from keras_gans.training.precision import ready


@keras.saving.register_keras_serializable(package="keras_gans")
class TwoPhases(keras.optimizers.schedules.LearningRateSchedule):
    """Section III-A: the learning rate is constant for half of training, then falls to zero.

    Args:
        learning_rate: that of the first half, 2e-4 in the paper.
        steps: training steps of the two phases.
        warmup: steps before them, at a rate of their own (ours).
        warmup_rate: that rate.
    """

    def __init__(
        self, learning_rate: float, steps: int, warmup: int = 0, warmup_rate: float = 0.0
    ):
        self.learning_rate = learning_rate
        self.steps = steps
        self.warmup = warmup
        self.warmup_rate = warmup_rate

    def __call__(self, step):
        done = (ops.cast(step, "float32") - self.warmup) / self.steps
        rate = self.learning_rate * ops.clip(2 * (1 - done), 0.0, 1.0)
        return ops.where(done < 0, self.warmup_rate, rate)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "warmup": self.warmup,
            "warmup_rate": self.warmup_rate,
        }


def cosine_adam(network: keras.Model, learning_rate: float, steps: int) -> keras.Optimizer:
    """Adam for a network, its rate falling along half a cosine to zero.

    Args:
        network: whose variables it is built for, so that checkpoints hold its state.
        learning_rate: the first rate.
        steps: training steps in all.
    """
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return ready(keras.optimizers.Adam(rate), [network])
