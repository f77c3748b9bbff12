"""A warm-up in which the critics train alone (ours), for both designs of DefectGAN."""

import tensorflow as tf

from keras_gans import replicas
from keras_gans.training.model import StepModel


class CriticsFirst(StepModel):
    """Steps of a model with `critic_warmup`, `d_optimizer`, `_warm_up(ng, p)` and `_step`."""

    def step(self, batch, training):
        """`METRICS`; in evaluation as after the warm-up, and without pools."""
        ng, p = batch[:2]  # `train_on_batch` adds sample weights, which have no meaning here
        if not (self.critic_warmup and training):
            return self._step(ng, p, training)
        if replicas.several():
            return self._warm_up(ng, p) if replicas.phase() else self._step(ng, p, True)
        return tf.cond(
            self.d_optimizer.iterations < self.critic_warmup,
            lambda: self._warm_up(ng, p),
            lambda: self._step(ng, p, True),
        )

    def phase(self):
        return int(self.critic_warmup and self.d_optimizer.iterations < self.critic_warmup)
