"""Sections 4.2 and 5 (6): the losses and the training step of the whole network."""

from functools import partial

import keras
import tensorflow as tf
from keras import ops

from keras_gans.layers.diff_augment import augment, checked_names
from keras_gans.losses import euclidean_distance, log_adversarial
from keras_gans.text2image.dcgan import discriminator_loss
from keras_gans.text2image.networks import PackWords, pack_words, words_so_far
from keras_gans.training.average import averaged_copy, move_average
from keras_gans.training.model import StepModel, input_of

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

    Not in the report: a discriminator that sees a text beside each image is matching-aware
    (Reed et al. 2016, https://arxiv.org/abs/1605.05396). Of a generated image the text is the
    mean of the words so far, see `words_so_far`; of a real one, of the first words of a
    sentence of its own. Real images with the text of the next one are half of the fakes. It
    judges the image of the last word, too.

    Args:
        network: from `build_text_to_image`.
        discriminator: from `build_discriminator`; with `vector_size` it is matching-aware.
        euclidean: the term's form in the report: "original", of the last word's image, with
            weight 1; "penalty", the same with weight `penalty`; "mean", of the mean of all
            words' images, with weight 1. And ours: "words", the mean of their distances.
        penalty: weight in "penalty"; 10 is our choice, the report has no number.
        adversarial_weight: 1 in the report.
        blurred: whether blurred real images are extra fakes, see `discriminator_loss`.
        augmentations: names of `layers.diff_augment.AUGMENTATIONS`, for all images that the
            discriminator sees; none in the report. Replicas draw others than a GPU alone.
        average: decay of a moving average of the network's weights, in `averaged` (which is
            the network itself without one); 0 for none, as in the report.

    Raises:
        ValueError: for another `euclidean`, other `augmentations` or `average`, and for
            `blurred` with a text.

    Example:

        gan = TextToImage(build_text_to_image(), build_discriminator(), "mean")
        gan.compile(*(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)))
        gan.fit(batches)  # of ((vectors, mask), (images, reals))

    vectors: float32 (B, W, D); mask: bool (B, W), padding in front; images: float32
    (B, S, S, 3) in [-1, 1], those of the sentences; reals: float32 (B, R, S, S, 3), real ones
    for the discriminator. If R is W - 1, as in the report, those of padding are left out, so
    that it sees as many real images as generated ones. A matching-aware one takes (images,
    reals, texts), reals of R = W and the text of each, float32 (B, W, D).
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
        augmentations=(),
        average=0.0,
        **kwargs,
    ):
        if euclidean not in EUCLIDEAN:
            raise ValueError(f"`euclidean` must be one of {EUCLIDEAN}. Received: {euclidean!r}")
        self.matching = len(discriminator.inputs) == 2
        if self.matching and blurred:
            raise ValueError("`blurred` is for a discriminator of images alone")
        super().__init__(**kwargs)
        self.network, self.discriminator = network, discriminator
        self.euclidean = euclidean
        self.penalty = penalty
        self.adversarial_weight = adversarial_weight
        self.blurred = blurred
        self.augmentations = checked_names(augmentations)
        self.average = average
        self.averaged = averaged_copy(network, average)
        packs = (layer for layer in network.layers if isinstance(layer, PackWords))
        self.pack = partial(pack_words, filled=any(layer.filled for layer in packs))

    @property
    def trained(self):
        return {"g_optimizer": [self.network], "d_optimizer": [self.discriminator]}

    def call(self, inputs, training=False):
        """The images (B, W, S, S, 3) of [vectors, mask], one for every word.

        By the averaged weights if not training.
        """
        return (self.network if training else self.averaged)(inputs, training=training)

    def images_in(self, batch):
        return input_of(self.discriminator), batch[1][:2]

    def step(self, batch, training):
        (vectors, mask), (images, *reals) = batch[:2]
        network = self.network if training else self.averaged
        judged = mask if self.matching else mask[:, :-1]
        with tf.GradientTape() as g_tape:
            outputs = network([vectors, mask], training=training)
            generated, weights = self.pack(outputs[:, : judged.shape[1]], judged)
        said = self.pack(words_so_far(vectors, mask), mask)[0] if self.matching else None

        real, real_weights = self._packed(reals[0], judged)
        real, shown = self._augmented(real, 0), self._augmented(tf.stop_gradient(generated), 1)
        with tf.GradientTape() as tape:
            if self.matching:
                texts = self._packed(reals[1], judged)[0]
                d_loss = self._matching_loss(
                    (real, texts, real_weights), (shown, said, weights), training
                )
            else:
                d_loss = discriminator_loss(
                    self.discriminator, real, shown, self.blurred, real_weights, weights,
                    training,
                )  # fmt: skip
        if training:
            self.minimize("d_optimizer", d_loss, tape)

        with g_tape:  # goes on recording
            shown = self._augmented(generated, 2)
            logits = self._judge(shown, said, training)
            adversarial = log_adversarial(logits, True, weights[:, None])
            distance = self._distance(outputs, mask, images)
            g_loss = self.adversarial_weight * adversarial
            g_loss += distance * (self.penalty if self.euclidean == "penalty" else 1.0)
        if training:
            self.minimize("g_optimizer", g_loss, g_tape)
            if self.average:
                pairs = self.averaged.weights, self.network.weights
                move_average(*pairs, self.average, self.g_optimizer.iterations)
        return d_loss, g_loss, adversarial, distance

    def _judge(self, images, texts, training):
        """Logits (M, 1)."""
        inputs = [images, texts] if self.matching else images
        return self.discriminator(inputs, training=training)

    def _matching_loss(self, real, generated, training):
        """Real images with their texts are real, with those of the next ones fakes."""
        images, texts, weights = real
        others = ops.roll(texts, 1, axis=0)
        losses = [
            log_adversarial(self._judge(*pair, training), is_real, counts[:, None])
            for *pair, counts, is_real in (
                (images, texts, weights, True),
                (images, others, weights, False),
                (*generated, False),
            )
        ]
        return losses[0] + (losses[1] + losses[2]) / 2

    def _augmented(self, images, number):
        """The images as the discriminator sees them; `number` of the draw in the step."""
        if not self.augmentations:
            return images
        step = ops.cast(self.g_optimizer.iterations, "int32")
        return augment(images, tf.stack([step, 10 * number]), self.augmentations)

    def _packed(self, reals, judged):
        """Of real images (M, S, S, 3) or their texts (M, D), and their weights (M,) or None."""
        if reals.shape[1] == judged.shape[1]:
            return self.pack(reals, judged)
        return ops.reshape(reals, (-1, *reals.shape[2:])), None

    def _distance(self, outputs, mask, images):
        weights = ops.cast(mask, outputs.dtype)
        if self.euclidean == "mean":
            share = weights / ops.sum(weights, axis=1, keepdims=True)
            outputs = ops.sum(outputs * share[..., None, None, None], axis=1, keepdims=True)
        if self.euclidean == "words":
            return euclidean_distance(outputs, images[:, None], weights)
        return euclidean_distance(outputs[:, -1], images)
