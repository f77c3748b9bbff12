"""DefectGAN with attention: the generators also say where they change an image (ours).

`G(x) = m c + (1 - m) x`, as in GANimation (Pumarola et al. 2018) and attention-guided CycleGAN
(Mejjati et al. 2018): a content c, and a mask m that is kept small and binary. One critic
judges all crops of an image together, as its label does (multiple instances).
"""

import math
from functools import partial

import keras
import tensorflow as tf
from keras import layers, ops

from keras_gans import replicas
from keras_gans.defectgan.model import check_count, check_crops
from keras_gans.defectgan.networks import check_side
from keras_gans.losses import cycle_consistency, log_adversarial
from keras_gans.training.average import averaged_copy, move_average
from keras_gans.training.model import StepModel, input_of

IDENTITY_WARMUP = 10  # times that of the masks
LEAST_CHANGED = 0.01  # patches of a batch: of fewer the critic hardly learns
START = -3.0  # of the mask's logits: 5 % of everything is changed at first


def build_attention_generator(
    channels: int = 3, width: int = 12, image_size: int | None = None
) -> keras.Model:
    """Builds a U-Net (Ronneberger et al. 2015) for content and mask, without normalisation.

    Two stages of pooling, skips at full resolution. What it makes of a pixel does not depend on
    pixels far away, so tiles agree where they overlap.

    Args:
        channels: of the images.
        width: filters of the first convolution; each stage has twice as many.
        image_size: side of the images, a multiple of 4, or `None` for any such size.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to such images; the output of its layer
        `mask` is m, (N, H, W, 1) in [0, 1].

    Raises:
        ValueError: if `image_size` is not a multiple of 4.
    """
    check_side(image_size, 4)
    images = keras.Input((image_size, image_size, channels), name="images")
    fine = _conv(width)(images)
    middle = _conv(2 * width)(_conv(2 * width)(layers.AveragePooling2D(2)(fine)))
    x = layers.AveragePooling2D(2)(middle)
    for _ in range(3):
        x = _conv(4 * width)(x)
    for factor, skip in ((2, middle), (1, fine)):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = _conv(factor * width)(layers.Concatenate()([x, skip]))
    content = layers.Conv2D(
        channels, 3, padding="same", activation="tanh", dtype="float32", name="content"
    )(x)
    mask = layers.Conv2D(
        1, 3, padding="same", activation="sigmoid", dtype="float32", name="mask",
        kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(START),
    )(x)  # fmt: skip
    return keras.Model(images, images + mask * (content - images), name="attention_generator")


def build_pooled_discriminator(
    channels: int = 3, width: int = 16, image_size: int | None = None, scales: int = 1
) -> keras.Model:
    """Builds a discriminator of marks: one logit for every 4x4 pixels, of patches of 28.

    Without normalisation, which would tell each patch about the whole image. With more scales
    each has its own filters, and the second sees images of half the size, so patches of 56
    pixels, and so on; its logits are repeated for the pixels they stand for.

    Args:
        channels: of the images.
        width: filters of the first convolution; the others have twice as many.
        image_size: side of the images, or `None` for any size.
        scales: int, at least 1; the images' sides are multiples of `2**(scales + 1)`.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to logits (N, H/4, W/4, scales),
        positive for real.

    Raises:
        ValueError: for `scales` below 1, and an `image_size` that is no such multiple.
    """
    if scales < 1:
        raise ValueError(f"`scales` must be at least 1. Received: {scales}")
    check_side(image_size, 2 ** (scales + 1))
    images = keras.Input((image_size, image_size, channels), name="images")
    logits = []
    for scale in range(scales):
        factor = 2**scale
        x = layers.AveragePooling2D(factor)(images) if scale else images
        x = _conv(width, 4, 2)(x)
        x = layers.AveragePooling2D(2)(_conv(2 * width)(x))
        x = _conv(2 * width)(_conv(2 * width)(x))
        x = layers.Dense(1, dtype="float32")(x)
        logits.append(layers.UpSampling2D(factor, dtype="float32")(x) if scale else x)
    joined = layers.Concatenate(dtype="float32")(logits) if scales > 1 else logits[0]
    return keras.Model(images, joined, name="pooled_discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class AttentionGAN(StepModel):
    """DefectGAN whose generators give masks: `G(x) = m c + (1 - m) x` (ours).

    G1 (`cleaner`) takes defects away, G2 (`defecter`) puts them on. One critic stands for D_P
    and D_NG. The logit of an image is the mean of the least clean share of its patches, each
    relative to its crop's mean; of a real image all crops count together. Real P and what G2
    made are to be clean, real NG and every patch that G1 changed are not (at first, over ten
    times `mask_warmup` steps, and while its masks are nearly shut, the worst patches of what it
    made). Each scale of the critic judges by itself. The critic should tell real images apart
    before the generators start: `warm_up`.

    Args:
        cleaner, defecter: G1 and G2, from `build_attention_generator`.
        clean_critic: from `build_pooled_discriminator`; positive for clean.
        candidates: crops of one image. The generators train on the least clean one.
        patch_share: share of the patches that count.
        cleaned_share: share of a crop's patches that G1 is to clean, each by itself.
        margin: by which a patch must stand out to be as likely a defect as not.
        cycle_weight: lambda of eq. 3.
        mask_weight: of the masks' means (sparsity), from 0 to this over the first
            `mask_warmup` steps: at once it would close the masks before they find anything.
        binary_weight: of the mean of m (1 - m), 0 where the masks are binary.
        agreement_weight: of the cross-entropy between the mask with which G2 puts a defect on
            and the one with which G1 takes it away.
        identity_weight: of what G1 changes most in real P, the mean of 1 % of the values, and
            of what it leaves most of G2's defects; a share of `cycle_weight`, from 0 to this
            over ten times `mask_warmup`.
        mask_warmup: see `mask_weight`.
        average: decay of a moving average of the cleaner's weights, in `averaged`, which cleans
            when used; 0 for none: `averaged` is the cleaner.

    Raises:
        ValueError: `candidates`, a share or `average` out of its range.
    """

    METRICS = ("loss", "critic_loss", "adversarial", "cycle", "mask_ng", "mask_p")

    def __init__(
        self,
        cleaner: keras.Model,
        defecter: keras.Model,
        clean_critic: keras.Model,
        candidates: int = 4,
        patch_share: float = 0.001,
        cleaned_share: float = 0.03,
        margin: float = 2.0,
        cycle_weight: float = 10.0,
        mask_weight: float = 3.0,
        binary_weight: float = 0.5,
        agreement_weight: float = 1.0,
        identity_weight: float = 0.0,
        mask_warmup: int = 60,
        average: float = 0.0,
        **kwargs,
    ):
        check_crops(candidates, patch_share)
        check_crops(candidates, cleaned_share, "cleaned_share")
        super().__init__(**kwargs)
        self.cleaner, self.defecter, self.clean_critic = cleaner, defecter, clean_critic
        self.average, self.averaged = average, averaged_copy(cleaner, average)
        self.candidates, self.patch_share, self.margin = candidates, patch_share, margin
        self.cleaned_share = cleaned_share
        self.cycle_weight, self.mask_weight = cycle_weight, mask_weight
        self.binary_weight, self.agreement_weight = binary_weight, agreement_weight
        self.identity_weight = identity_weight
        self.mask_warmup = mask_warmup
        # not attributes that Keras tracks: the layers are the generators'
        self._clean, self._spoil = partial(_masked(cleaner)), partial(_masked(defecter))

    @property
    def trained(self):
        return {
            "g_optimizer": [self.cleaner, self.defecter],
            "d_optimizer": [self.clean_critic],
        }

    def call(self, images, training=False):
        """The images (N, S, S, C) without defects, by G1; its average if not training."""
        return (self.cleaner if training else self.averaged)(images, training=training)

    def images_in(self, batch):
        return input_of(self.clean_critic), batch[:2]

    def step(self, batch, training):
        all_ng, all_p = batch[:2]  # `train_on_batch` adds sample weights: no meaning here
        ng, p = self._least_clean(all_ng), self._least_clean(all_p)
        with tf.GradientTape() as tape:
            cleaned, masks = self._clean(ops.concatenate([ng, p]))
            fake_p, same_p = ops.split(cleaned, 2)
            mask_ng, mask_p = ops.split(masks, 2)
            fake_ng, mask_new = self._spoil(p)
            back_p, mask_back = self._clean(fake_ng)
            back_ng = self._spoil(fake_p)[0]
            left = self._worst(fake_p, self.cleaned_share)
            adversarial = left.shape[2] * log_adversarial(left, False)
            adversarial += log_adversarial(self._defective(fake_ng), True)
            cycle = cycle_consistency(p, back_p) + cycle_consistency(ng, back_ng)
            loss = adversarial + self.cycle_weight * cycle
            if self.identity_weight:
                weight = self.cycle_weight * self.identity_weight
                weight *= self._share_of(IDENTITY_WARMUP * self.mask_warmup)
                loss += weight * (most_changed(p, same_p) + most_changed(p, back_p))
            for mask in (mask_ng, mask_p, mask_new):
                loss += self._share_of(self.mask_warmup) * self.mask_weight * ops.mean(mask)
            loss += self.binary_weight * (unsure(mask_ng) + unsure(mask_new))
            loss += self.agreement_weight * disagreement(mask_new, mask_back)
        if training:
            self.minimize("g_optimizer", loss, tape)
            if self.average:
                weights = self.averaged.weights, self.cleaner.weights
                move_average(*weights, self.average, self.g_optimizer.iterations)

        with tf.GradientTape() as tape:
            critic_loss = self.real_loss(all_ng, all_p)
            critic_loss += self._cleaned_loss(tf.stop_gradient(fake_p), mask_ng) / 2
            logits = self._defective(tf.stop_gradient(fake_ng))
            critic_loss += log_adversarial(logits, False) / 2
        if training:
            self.minimize("d_optimizer", critic_loss, tape)
        return loss, critic_loss, adversarial, cycle, ops.mean(mask_ng), ops.mean(mask_p)

    def real_loss(self, ng, p):
        """The critic's, of crops (N * candidates, S, S, C) of each kind; guessed, 2 log 2."""
        loss = log_adversarial(self._defective(ng, self.candidates), True)
        return loss + log_adversarial(self._defective(p, self.candidates), False)

    def _cleaned_loss(self, cleaned, mask):
        """The critic's of what G1 made: of the worst patches first, then of those it changed.

        If the critic knew these at once, G1 would rather change nothing. Masks that close all
        the same open again, since the critic then forgets.
        """
        known = self._share_of(IDENTITY_WARMUP * self.mask_warmup) * openness(mask)
        standing = self._standing_out(cleaned) - self.margin
        worst = ops.mean(self._worst_of(standing, self.patch_share), axis=2)
        return known * changed_loss(standing, mask) + (1 - known) * log_adversarial(worst, True)

    def _defective(self, crops, bag=1):
        """How defective each `bag` crops are together, (scales, N / bag), logits."""
        return ops.mean(self._worst(crops, self.patch_share, bag), axis=2)

    def _worst(self, crops, share, bag=1):
        """Logits of the share of the patches of each `bag` crops that stand out most."""
        return self._worst_of(self._standing_out(crops) - self.margin, share, bag)

    def _worst_of(self, standing, share, bag=1):
        _, height, width, scales = standing.shape
        each = ops.reshape(ops.moveaxis(standing, 3, 0), (scales, -1, bag * height * width))
        return largest(each, share)

    def _least_clean(self, crops):
        """Of every `candidates` crops (N * candidates, S, S, C) that with the worst patch."""
        check_count(crops, self.candidates)
        worst = ops.max(self._standing_out(crops), axis=(1, 2, 3))
        chosen = ops.argmax(ops.reshape(worst, (-1, self.candidates)), axis=1)
        first = ops.arange(ops.shape(chosen)[0]) * self.candidates
        return ops.take(crops, first + chosen, axis=0)

    def _standing_out(self, crops):
        """How far each patch's logit lies below the mean of its crop's, at each scale."""
        logits = self.clean_critic(crops)
        return ops.mean(logits, axis=(1, 2), keepdims=True) - logits

    def _share_of(self, steps):
        """From 0 to 1 over so many steps of the generators."""
        done = ops.cast(self.g_optimizer.iterations, "float32") + 1
        return ops.minimum(done / steps, 1.0)


def unsure(mask: tf.Tensor) -> tf.Tensor:
    """Mean of m (1 - m): 0 where a mask is binary, 1/4 where all of it is a half."""
    return ops.mean(mask * (1 - mask))


def openness(mask: tf.Tensor) -> tf.Tensor:
    """1 if masks (N, H, W, 1) reach 0.1 in the mean of the images, 0 if all are shut."""
    reached = replicas.mean(ops.mean(ops.max(mask, axis=(1, 2, 3))))
    return ops.minimum(10 * reached, 1.0)


def most_changed(images: tf.Tensor, changed: tf.Tensor, share: float = 0.01) -> tf.Tensor:
    """Mean of the share of each image's values that differ most between the two."""
    change = ops.reshape(ops.abs(changed - images), (-1, math.prod(images.shape[1:])))
    return ops.mean(largest(change, share))


def changed_loss(standing: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the patches that G1 changed being defective, 0 where it changed nothing.

    The worst patch alone would not tell the critic what G1 paints elsewhere.

    Args:
        standing: (N, h, w, scales), how far each patch stands out.
        mask: (N, 4 h, 4 w, 1), where G1 changed the images: the patches' weights.
    """
    weights = ops.average_pool(mask, 4)
    losses = ops.mean(ops.softplus(-standing), axis=3, keepdims=True)
    changed = replicas.mean(ops.sum(weights)) + LEAST_CHANGED / replicas.count()
    return ops.sum(weights * losses) / changed


def largest(values: tf.Tensor, share: float) -> tf.Tensor:
    """The share of the values along the last axis that are largest, at least one."""
    return ops.top_k(values, max(1, round(share * values.shape[-1])))[0]


def disagreement(made: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the mask that G1 found, the one that G2 made being given."""
    made, least = tf.stop_gradient(made), 1e-4
    return -ops.mean(made * ops.log(found + least) + (1 - made) * ops.log(1 - found + least))


def _conv(filters, size=3, strides=1):
    def apply(x):
        x = layers.Conv2D(
            filters, size, strides, padding="same", kernel_initializer="he_normal"
        )(x)
        return layers.LeakyReLU(0.2)(x)

    return apply


def _masked(generator):
    return keras.Model(generator.input, [generator.output, generator.get_layer("mask").output])
