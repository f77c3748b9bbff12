"""Sections 4.2 and 5 (6): the losses and the training step of the whole network."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.losses import euclidean_distance, log_adversarial
from keras_gans.text2image.dcgan import discriminator_loss
from keras_gans.text2image.networks import pack_words

EUCLIDEAN = ("original", "penalty", "mean", "words")


class TextToImage(keras.Model):
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
    ):
        if euclidean not in EUCLIDEAN:
            raise ValueError(f"`euclidean` must be one of {EUCLIDEAN}. Received: {euclidean!r}")
        super().__init__()
        self.network, self.discriminator = network, discriminator
        self.euclidean = euclidean
        self.penalty = penalty
        self.adversarial_weight = adversarial_weight
        self.blurred = blurred
        self.trackers = [keras.metrics.Mean(name=name) for name in self.METRICS]
        self.built = True  # the networks are

    def compile(self, g_optimizer, d_optimizer, **kwargs):
        super().compile(optimizer=None, **kwargs)
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer
        g_optimizer.build(self.network.trainable_variables)
        d_optimizer.build(self.discriminator.trainable_variables)

    @property
    def optimizers(self):
        """dict name -> optimizer, as checkpoints want them."""
        return {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}

    @property
    def metrics(self):
        return self.trackers

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    def train_step(self, batch):
        (vectors, mask), (images, reals) = batch[:2]
        with tf.GradientTape() as g_tape:
            outputs = self.network([vectors, mask], training=True)
            generated, weights = pack_words(outputs[:, :-1], mask[:, :-1])

        real, real_weights = self._real_images(reals, mask)
        with tf.GradientTape() as tape:
            d_loss = discriminator_loss(
                self.discriminator, real, tf.stop_gradient(generated), self.blurred,
                real_weights, weights,
            )  # fmt: skip
        variables = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, variables), variables)

        with g_tape:  # goes on recording
            logits = self.discriminator(generated, training=True)
            adversarial = log_adversarial(logits, True, weights[:, None])
            distance = self._distance(outputs, mask, images)
            g_loss = self.adversarial_weight * adversarial
            g_loss += distance * (self.penalty if self.euclidean == "penalty" else 1.0)
        variables = self.network.trainable_variables
        self.g_optimizer.apply(g_tape.gradient(g_loss, variables), variables)

        for tracker, value in zip(self.trackers, (d_loss, g_loss, adversarial, distance)):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}

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
