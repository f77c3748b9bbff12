"""Losses and training step of section II-C: two generators, two discriminators, one cycle."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.layers import update_spectral_norms
from keras_gans.losses import cycle_consistency, least_squares_adversarial, log_adversarial

ADVERSARIAL = {"log": log_adversarial, "least-squares": least_squares_adversarial}


class DefectGAN(keras.Model):
    """CycleGAN between defective images NG and defect-free images P.

    G1 (`cleaner`) takes defects away: NG -> P, judged by D_P. G2 (`defecter`) puts them on:
    P -> NG, judged by D_NG.

    Args:
        cleaner, defecter: G1 and G2, from `build_generator`.
        clean_critic, defect_critic: D_P and D_NG, from `build_discriminator`.
        adversarial: "log" (eq. 1) or "least-squares" (CycleGAN's).
        cycle_weight: lambda of eq. 3.
        identity_weight: share of `cycle_weight` for the loss of CycleGAN's section 5.2: G1
            leaves P, G2 leaves NG as it is. Not in the paper: 0.
        pools: an `ImagePool` for each discriminator, or `None` as in the paper.
        change_weight: of the mean absolute change that G1 and G2 make (ours; the
            self-regularisation of Shrivastava et al. 2017): defects are small, the rest
            stays. Not in the paper: 0.
        candidates: crops drawn for each that is trained on, of both kinds: the one that D_P
            finds least clean is taken (ours; a crop of a defective image need not show the
            defect). 1 as in the paper: every crop is trained on.

    Example:

        gan = DefectGAN(build_generator(), build_generator(),
                        build_discriminator(), build_discriminator())
        gan.compile(keras.optimizers.Adam(2e-4, beta_1=0.5),
                    keras.optimizers.Adam(2e-4, beta_1=0.5))
        gan.fit(batches)  # of (ng, p), float32 (B, S, S, C) in [-1, 1]
    """

    METRICS = ("g_loss", "d_loss", "cycle", "identity", "change")

    def __init__(
        self,
        cleaner,
        defecter,
        clean_critic,
        defect_critic,
        adversarial="log",
        cycle_weight=10.0,
        identity_weight=0.0,
        change_weight=0.0,
        pools=None,
        candidates=1,
    ):
        super().__init__()
        self.cleaner, self.defecter = cleaner, defecter
        self.clean_critic, self.defect_critic = clean_critic, defect_critic
        self.adversarial = ADVERSARIAL[adversarial]
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.change_weight = change_weight
        self.pools = pools
        self.candidates = candidates
        self.trackers = [keras.metrics.Mean(name=name) for name in self.METRICS]

    def compile(self, g_optimizer, d_optimizer, **kwargs):
        super().compile(optimizer=None, **kwargs)
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
        self.g_variables = self.cleaner.trainable_variables + self.defecter.trainable_variables
        self.d_variables = (
            self.clean_critic.trainable_variables + self.defect_critic.trainable_variables
        )
        g_optimizer.build(self.g_variables)
        d_optimizer.build(self.d_variables)

    @property
    def metrics(self):
        return self.trackers

    def call(self, images, training=False):
        return self.cleaner(images, training=training)

    def train_step(self, batch):
        ng, p = (self._least_clean(crops) for crops in batch)
        with tf.GradientTape() as tape:
            fake_p, same_p = self._translate(self.cleaner, ng, p)
            fake_ng, same_ng = self._translate(self.defecter, p, ng)
            cycle = cycle_consistency(ng, self.defecter(fake_p, training=True))
            cycle += cycle_consistency(p, self.cleaner(fake_ng, training=True))
            identity = cycle_consistency(p, same_p) + cycle_consistency(ng, same_ng)
            adversarial = self.adversarial(self.clean_critic(fake_p, training=True), True)
            adversarial += self.adversarial(self.defect_critic(fake_ng, training=True), True)
            change = cycle_consistency(ng, fake_p) + cycle_consistency(p, fake_ng)
            g_loss = adversarial + self.cycle_weight * (cycle + self.identity_weight * identity)
            g_loss += self.change_weight * change
        gradients = tape.gradient(g_loss, self.g_variables)
        self.g_optimizer.apply(gradients, self.g_variables)

        if self.pools:
            fake_p, fake_ng = self.pools[0](fake_p), self.pools[1](fake_ng)
        update_spectral_norms(self.clean_critic)
        update_spectral_norms(self.defect_critic)
        with tf.GradientTape() as tape:
            d_loss = self._critic_loss(self.clean_critic, p, fake_p)
            d_loss += self._critic_loss(self.defect_critic, ng, fake_ng)
        gradients = tape.gradient(d_loss, self.d_variables)
        self.d_optimizer.apply(gradients, self.d_variables)

        for tracker, value in zip(self.trackers, (g_loss, d_loss, cycle, identity, change)):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}

    def _translate(self, generator, images, others):
        """The translated images, and the others, which the identity loss wants unchanged."""
        if not self.identity_weight:
            return generator(images, training=True), others
        both = generator(ops.concatenate([images, others]), training=True)
        return ops.split(both, 2)

    def _least_clean(self, crops):
        """Of every `candidates` crops (N * candidates, S, S, C) the one least like P."""
        if self.candidates == 1:
            return crops
        logits = self.clean_critic(crops, training=False)
        worst = ops.min(logits, axis=(1, 2, 3))
        chosen = ops.argmin(ops.reshape(worst, (-1, self.candidates)), axis=1)
        first = ops.arange(ops.shape(chosen)[0]) * self.candidates
        return ops.take(crops, first + chosen, axis=0)

    def _critic_loss(self, critic, real, fake):
        return self.adversarial(critic(real, training=True), True) + self.adversarial(
            critic(tf.stop_gradient(fake), training=True), False
        )
