"""ACGAN (Odena et al. 2017, https://arxiv.org/abs/1610.09585), the paper's second base."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas
from keras_gans.losses import log_adversarial, wasserstein
from keras_gans.okdgan.gan import GAN, slope_penalty


@keras.saving.register_keras_serializable(package="keras_gans")
class ACGAN(GAN):
    """A generator of images of a given class, and a critic that also tells classes.

    OKD-SAGAN's paper says no more than that ACGAN was a base too. So the losses are those of
    ACGAN's section 3: L_S, cross-entropy of real and generated images, without penalty, and
    L_C, cross-entropy of their classes. The critic minimises both on real and generated images,
    the generator both on its own, L_S in its non-saturating form. The networks are SAGAN's with
    classes, spectral normalisation included; `attention=()` leaves out what ACGAN had not.

    With a `penalty` L_S is eq. 5 instead, that of the paper's SAGAN.

    The classes of the generated images are those of the batch's labels, in the same order: they
    come exactly as often as in the data.

    Args:
        generator, critic: from `build_generator` and `build_critic`, with classes.
        class_weight: of L_C; 1 in ACGAN.
        penalty: lambda of eq. 5; `None` for the losses of ACGAN.
        options: of `GAN`: `augmentations`, `average`, `seed`.

    Example:

        gan = ACGAN(build_generator(classes=5), build_critic(classes=5))
        gan.compile(*(keras.optimizers.Adam(rate, 0.0, 0.9) for rate in (1e-4, 4e-4)))
        gan.fit(batches)  # of (images, labels)

    images: float32 (N, S, S, C) in [-1, 1]; labels: int (N,) or (N, 1).
    """

    FIGURES = ("class_loss", "real_accuracy", "generated_accuracy")

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        class_weight: float = 1.0,
        penalty: float | None = None,
        **options,
    ):
        super().__init__(generator, critic, **options)
        self.class_weight = class_weight
        self.penalty = penalty

    def sample_latents(self, batch) -> list[tf.Tensor]:
        """z (N, latent), standard normal, and the labels of the batch (N,)."""
        return [super().sample_latents(batch), labels_of(batch)]

    def critic_loss(
        self, batch, generated: tf.Tensor, training: bool = True
    ) -> tuple[tf.Tensor, tuple]:
        """-L_S - L_C; the figures are -L_C and the shares of images whose class is told."""
        real, labels = batch[0], labels_of(batch)
        count = ops.shape(real)[0]
        with replicas.stacked(count, count):
            images = self.augmented(ops.concatenate([real, generated]))
        scores, logits = self.critic(images, training=training)
        real_scores, generated_scores = ops.split(scores, 2)
        if self.penalty is None:
            loss = log_adversarial(real_scores, True) + log_adversarial(generated_scores, False)
        else:
            loss = -wasserstein(real_scores, generated_scores)
            halves = ops.split(images, 2)
            loss += self.penalty * slope_penalty(
                lambda images: self.critic(images, training=training)[0], *halves, self.seeds
            )
        halves = ops.split(logits, 2)
        class_loss = sum(class_cross_entropy(labels, half) for half in halves)
        accuracies = [share_right(labels, half) for half in halves]
        return loss + self.class_weight * class_loss, (class_loss, *accuracies)

    def generator_loss(self, batch, generated: tf.Tensor, training: bool = True) -> tf.Tensor:
        """-log of the critic's belief that the images are real, or, with a penalty, minus
        their mean score; and -L_C on them."""
        scores, logits = self.critic(self.augmented(generated), training=training)
        log = self.penalty is None
        loss = log_adversarial(scores, True) if log else -ops.mean(scores)
        return loss + self.class_weight * class_cross_entropy(labels_of(batch), logits)


def labels_of(batch) -> tf.Tensor:
    """The labels (N,) of a batch of images and labels, (N,) or (N, 1)."""
    return ops.reshape(batch[1], (-1,))


def class_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean over images of -log of the softmax at the label; labels (N,), logits (N, K)."""
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, logits, True))


def share_right(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Share of images whose highest logit (N, K) is that of their label (N,)."""
    right = ops.equal(ops.cast(labels, "int64"), ops.cast(ops.argmax(logits, -1), "int64"))
    return ops.mean(ops.cast(right, "float32"))
