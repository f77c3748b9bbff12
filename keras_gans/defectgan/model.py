"""Losses and training step of section II-C: two generators, two discriminators, one cycle."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas
from keras_gans.defectgan.image_pool import ImagePool
from keras_gans.losses import cycle_consistency, least_squares_adversarial, log_adversarial
from keras_gans.training.model import StepModel, input_of

ADVERSARIAL = {"log": log_adversarial, "least-squares": least_squares_adversarial}


@keras.saving.register_keras_serializable(package="keras_gans")
class DefectGAN(StepModel):
    """CycleGAN between defective images NG and defect-free images P.

    G1 (`cleaner`) takes defects away: NG -> P, judged by D_P. G2 (`defecter`) puts them on:
    P -> NG, judged by D_NG. With the default arguments it is the paper's; what the paper has
    not is said to be ours, and serves to reach clean images in few steps.

    Args:
        cleaner, defecter: G1 and G2, from `build_generator`.
        clean_critic, defect_critic: D_P and D_NG, from `build_discriminator`.
        adversarial: "log" (eq. 1) or "least-squares" (CycleGAN's).
        cycle_weight: lambda of eq. 3.
        identity_weight: share of `cycle_weight` for the loss of CycleGAN's section 5.2: G1
            leaves P, G2 leaves NG as it is.
        change_weight: of the mean absolute change that G1 and G2 make (ours; the
            self-regularisation of Shrivastava et al. 2017): defects are small, the rest stays.
        pools: for D_P and D_NG.
        candidates: crops drawn for each that the generators are trained on, the one that D_P
            finds least clean, of both kinds; the discriminators see all (ours: a crop of a
            defective image need not show the defect).
        patch_share: share of the patches of an image that its losses look at: the least clean
            ones for D_P, the most defective ones for D_NG (ours: most patches of a defective
            image are clean).
        margin: a patch's logit counts relative to the mean of its image's, by which it must
            stand out by so much to be as likely a defect as not (ours: what all of an image
            shows, its light or grain, cannot tell the classes apart then).
        weak_labels: D_P also learns that NG is not P, and D_NG that P is not NG, from the
            images as they are (ours).
        critic_warmup: steps at the start that train the discriminators alone, on real images
            and weak labels (ours).

    Raises:
        ValueError: another `adversarial`, `candidates` that are no whole number or below 1,
            `patch_share` outside (0, 1].

    Example:

        gan = DefectGAN(build_generator(), build_generator(),
                        build_discriminator(), build_discriminator())
        gan.compile(keras.optimizers.Adam(2e-4, beta_1=0.5),
                    keras.optimizers.Adam(2e-4, beta_1=0.5))
        gan.fit(batches)  # of (ng, p), float32 (B * candidates, S, S, C) in [-1, 1]
    """

    METRICS = ("loss", "critic_loss", "cycle", "identity", "change")

    def __init__(
        self,
        cleaner: keras.Model,
        defecter: keras.Model,
        clean_critic: keras.Model,
        defect_critic: keras.Model,
        adversarial: Literal["log", "least-squares"] = "log",
        cycle_weight: float = 10.0,
        identity_weight: float = 0.0,
        change_weight: float = 0.0,
        pools: Sequence[ImagePool] | None = None,
        candidates: int = 1,
        patch_share: float = 1.0,
        margin: float | None = None,
        weak_labels: bool = False,
        critic_warmup: int = 0,
        **kwargs,
    ):
        if adversarial not in ADVERSARIAL:
            raise ValueError(
                f"`adversarial` must be one of {list(ADVERSARIAL)}. Received: {adversarial!r}"
            )
        check_crops(candidates, patch_share)
        super().__init__(**kwargs)
        self.cleaner, self.defecter = cleaner, defecter
        self.clean_critic, self.defect_critic = clean_critic, defect_critic
        self.adversarial = adversarial
        self.adversarial_loss = ADVERSARIAL[adversarial]
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.change_weight = change_weight
        self.pools = pools
        self.candidates = candidates
        self.patch_share = patch_share
        self.margin = margin
        self.weak_labels = weak_labels
        self.critic_warmup = critic_warmup

    @property
    def trained(self):
        generators = [self.cleaner, self.defecter]
        return {
            "g_optimizer": generators,
            "d_optimizer": [self.clean_critic, self.defect_critic],
        }

    @property
    def averaged(self):
        """G1 as it is used: no average is kept."""
        return self.cleaner

    def call(self, images, training=False):
        """The images (N, S, S, C) without defects, by G1."""
        return self.cleaner(images, training=training)

    def images_in(self, batch):
        return input_of(self.clean_critic), batch[:2]

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

    def _step(self, all_ng, all_p, training):
        ng, p = self._least_clean(all_ng), self._least_clean(all_p)
        with tf.GradientTape() as tape:
            fake_p, same_p = self._translate(self.cleaner, ng, p, training)
            fake_ng, same_ng = self._translate(self.defecter, p, ng, training)
            cycle = cycle_consistency(ng, self.defecter(fake_p, training=training))
            cycle += cycle_consistency(p, self.cleaner(fake_ng, training=training))
            identity = cycle_consistency(p, same_p) + cycle_consistency(ng, same_ng)
            change = cycle_consistency(ng, fake_p) + cycle_consistency(p, fake_ng)
            adversarial = self.adversarial_loss(self._is_clean(fake_p, training), True)
            adversarial += self.adversarial_loss(self._is_defective(fake_ng, training), True)
            loss = adversarial + self.cycle_weight * (cycle + self.identity_weight * identity)
            loss += self.change_weight * change
        if training:
            self.minimize("g_optimizer", loss, tape)
            if self.pools:
                fake_p, fake_ng = self.pools[0](fake_p), self.pools[1](fake_ng)

        with tf.GradientTape() as tape:
            critic_loss = self._critic_loss(self._is_clean, all_p, fake_p, all_ng, training)
            critic_loss += self._critic_loss(
                self._is_defective, all_ng, fake_ng, all_p, training
            )
        if training:
            self.minimize("d_optimizer", critic_loss, tape)
        return loss, critic_loss, cycle, identity, change

    def _warm_up(self, ng, p):
        with tf.GradientTape() as tape:
            critic_loss = self._critic_loss(self._is_clean, p, ng)
            critic_loss += self._critic_loss(self._is_defective, ng, p)
        self.minimize("d_optimizer", critic_loss, tape)
        nothing = tf.zeros([])
        return nothing, critic_loss, nothing, nothing, nothing

    def _translate(self, generator, images, others, training):
        """The translated images, and the others, which the identity loss wants unchanged."""
        if not self.identity_weight:
            return generator(images, training=training), others
        both = generator(ops.concatenate([images, others]), training=training)
        return ops.split(both, 2)

    def _critic_loss(self, critic, real, fake, other=None, training=True):
        loss = self.adversarial_loss(critic(tf.stop_gradient(fake), training), False)
        if self.weak_labels and other is not None:
            loss = (loss + self.adversarial_loss(critic(other, training), False)) / 2
        return loss + self.adversarial_loss(critic(real, training), True)

    def _is_clean(self, images, training):
        """Logits of D_P: of all patches, or the mean of the least clean ones (N,)."""
        return -self._highest(-self.clean_critic(images, training=training))

    def _is_defective(self, images, training):
        """Logits of D_NG: of all patches, or the mean of the most defective ones (N,)."""
        return self._highest(self.defect_critic(images, training=training))

    def _highest(self, logits):
        if self.margin is not None:
            logits -= ops.mean(logits, axis=(1, 2, 3), keepdims=True) + self.margin
        if self.patch_share == 1:
            return logits
        logits = ops.reshape(logits, (-1, math.prod(logits.shape[1:])))
        count = max(1, round(self.patch_share * logits.shape[1]))
        return ops.mean(ops.top_k(logits, count)[0], axis=1)

    def _least_clean(self, crops):
        """Of every `candidates` crops (N * candidates, S, S, C) the one least like P."""
        if self.candidates == 1:
            return crops
        check_count(crops, self.candidates)
        logits = self.clean_critic(crops, training=False)
        worst = ops.min(logits, axis=(1, 2, 3))
        chosen = ops.argmin(ops.reshape(worst, (-1, self.candidates)), axis=1)
        first = ops.arange(ops.shape(chosen)[0]) * self.candidates
        return ops.take(crops, first + chosen, axis=0)


def check_crops(candidates: int, share: float, name: str = "patch_share") -> None:
    """ValueError unless there is a crop, and a share of its patches that may count."""
    if not isinstance(candidates, Integral) or candidates < 1:
        raise ValueError(
            f"`candidates` must be a whole number, at least 1. Received: {candidates!r}"
        )
    if not 0 < share <= 1:
        raise ValueError(f"`{name}` must be above 0 and at most 1. Received: {share}")


def check_count(crops: tf.Tensor, candidates: int) -> None:
    """ValueError unless a batch, if its length is known, has `candidates` crops of each."""
    count = crops.shape[0]
    if count and count % candidates:
        raise ValueError(
            f"the images of a batch must be a multiple of `candidates`, {candidates}. "
            f"Received: {count}"
        )
