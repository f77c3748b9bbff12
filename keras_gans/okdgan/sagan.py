"""SAGAN with the loss of WGAN-GP (section 3.1)."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.okdgan.gan import GAN, images_of, wgan_gp_loss


@keras.saving.register_keras_serializable(package="keras_gans")
class SAGAN(GAN):
    """A generator and a critic with self-attention and spectral normalisation; eq. 5.

    Args:
        generator, critic: from `build_generator` and `build_critic`, without classes.
        penalty: lambda of eq. 5.
        options: of `GAN`: `augmentations`, `average`, `seed`.

    Example, with the paper's optimizers (generator, critic):

        gan = SAGAN(build_generator(), build_critic())
        gan.compile(*(keras.optimizers.Adam(rate, 0.0, 0.9) for rate in (1e-4, 4e-4)))
        gan.fit(batches)  # of images float32 (N, S, S, C) in [-1, 1], or of (images, labels)
    """

    FIGURES = ("distance",)

    def __init__(
        self, generator: keras.Model, critic: keras.Model, penalty: float = 10.0, **options
    ):
        super().__init__(generator, critic, **options)
        self.penalty = penalty

    def critic_loss(
        self, batch, generated: tf.Tensor, training: bool = True
    ) -> tuple[tf.Tensor, tuple]:
        """Eq. 5; the figure is the estimate of the Wasserstein distance."""
        real, generated = self.augmented(images_of(batch)), self.augmented(generated)
        loss, distance = wgan_gp_loss(
            self.critic, real, generated, self.penalty, self.seeds, training
        )
        return loss, (distance,)

    def generator_loss(self, batch, generated: tf.Tensor, training: bool = True) -> tf.Tensor:
        """Eq. 7 without connector: minus the mean score."""
        return -ops.mean(self.critic(self.augmented(generated), training=training))
