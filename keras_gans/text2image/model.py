"""Sections 4.2 and 5 (6): the losses and the training step of the whole network."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.losses import euclidean_distance, log_adversarial
from keras_gans.text2image.dcgan import discriminator_loss
from keras_gans.text2image.networks import pack_words
from keras_gans.training.model import StepModel

EUCLIDEAN = ("original", "penalty", "mean", "words")


@keras.saving.register_keras_serializable(package="keras_gans")
class TextToImage(StepModel):
    """The network of figure 2 and a discriminator (algorithm 4.2).

    Every word gets an image. Those of all slots but the last go to the discriminator; the image
    of the last word should be near the real one. What the generator minimises is

        adversarial_weight * adversarial + weight * distance,

    where `adversarial` is the non-saturating form of the report's `log(1 - D(G(z)))` and
    `distance` is `keras_gans.losses.euclidean_distance`. Padding is in neither.

    A step goes through the network once. With its images the discriminator is updated, then,
    against the new discriminator, the network.

    Args:
        network: from `build_text_to_image`.
        discriminator: from `build_discriminator`.
        euclidean: the term's form in the report: "original", of the last word's image, with
            weight 1; "penalty", the same with weight `penalty`; "mean", of the mean of all
            words' images, with weight 1. And ours: "words", the mean of their distances.
        penalty: weight in "penalty"; 10 is our choice, the report has no number.
        adversarial_weight: 1 in the report.
        blurred: whether blurred real images are extra fakes, see `discriminator_loss`.

    Raises:
        ValueError: for another `euclidean`.

    Example:

        gan = TextToImage(build_text_to_image(), build_discriminator(), "mean")
        gan.compile(*(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)))
        gan.fit(batches)  # of ((vectors, mask), (images, reals))

    vectors: float32 (B, W, D); mask: bool (B, W), padding in front; images: float32
    (B, S, S, 3) in [-1, 1], those of the sentences; reals: float32 (B, R, S, S, 3), real ones
    for the discriminator. If R is W - 1, as in the report, those of padding are left out, so
    that it sees as many real images as generated ones.
    """

    METRICS = ("discriminator_loss", "generator_loss", "adversarial", "distance")

    def __init__(
        self,
        network,
        discriminator,
        euclidean="original",
        penalty=10.0,
        adversarial_weight=1.0,
        blurred=False,
        **kwargs,
    ):
        if euclidean not in EUCLIDEAN:
            raise ValueError(f"`euclidean` must be one of {EUCLIDEAN}. Received: {euclidean!r}")
        super().__init__(**kwargs)
        self.network, self.discriminator = network, discriminator
        self.euclidean = euclidean
        self.penalty = penalty
        self.adversarial_weight = adversarial_weight
        self.blurred = blurred

    @property
    def trained(self):
        return {"g_optimizer": [self.network], "d_optimizer": [self.discriminator]}

    def call(self, inputs, training=False):
        """The images (B, W, S, S, 3) of [vectors, mask], one for every word."""
        return self.network(inputs, training=training)

    def step(self, batch, training):
        (vectors, mask), (images, reals) = batch[:2]
        with tf.GradientTape() as g_tape:
            outputs = self.network([vectors, mask], training=training)
            generated, weights = pack_words(outputs[:, :-1], mask[:, :-1])

        real, real_weights = self._real_images(reals, mask)
        with tf.GradientTape() as tape:
            d_loss = discriminator_loss(
                self.discriminator, real, tf.stop_gradient(generated), self.blurred,
                real_weights, weights, training,
            )  # fmt: skip
        if training:
            self.minimize("d_optimizer", d_loss, tape)

        with g_tape:  # goes on recording
            logits = self.discriminator(generated, training=training)
            adversarial = log_adversarial(logits, True, weights[:, None])
            distance = self._distance(outputs, mask, images)
            g_loss = self.adversarial_weight * adversarial
            g_loss += distance * (self.penalty if self.euclidean == "penalty" else 1.0)
        if training:
            self.minimize("g_optimizer", g_loss, g_tape)
        return d_loss, g_loss, adversarial, distance

    def _real_images(self, reals, mask):
        """(M, S, S, 3) and their weights (M,) or None."""
        if reals.shape[1] == mask.shape[1] - 1:
            return pack_words(reals, mask[:, :-1])
        return ops.reshape(reals, (-1, *reals.shape[2:])), None

    def _distance(self, outputs, mask, images):
        weights = ops.cast(mask, outputs.dtype)
        if self.euclidean == "mean":
            share = weights / ops.sum(weights, axis=1, keepdims=True)
            outputs = ops.sum(outputs * share[..., None, None, None], axis=1, keepdims=True)
        if self.euclidean == "words":
            return euclidean_distance(outputs, images[:, None], weights)
        return euclidean_distance(outputs[:, -1], images)
