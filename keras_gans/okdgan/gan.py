"""What SAGAN and ACGAN share: a generator and a critic that train alone, or as a student."""

from collections.abc import Callable
from functools import partial

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas
from keras_gans.layers import update_spectral_norms
from keras_gans.layers.diff_augment import augment, checked_names
from keras_gans.losses import gradient_penalty, wasserstein
from keras_gans.training.average import averaged_copy, move_average
from keras_gans.training.model import StepModel, input_of


class GAN(StepModel):
    """A generator and a critic. A subclass says what they minimise:

    - `critic_loss(batch, generated, training)`: a scalar, and a tuple of further scalars to
      show, whose names are in `FIGURES`;
    - `generator_loss(batch, generated, training)`: a scalar.

    `batch` is what the data give, images float32 (N, S, S, C) or a tuple that starts with them;
    `generated` are images of the same shape.

    A step makes one batch of images. With them the critic is updated, then, against the new
    critic, the generator: its pass is recorded once and serves both. The vectors `u` of
    spectral normalisation advance once a step, the generator's before it makes the images, the
    critic's before its update.

    `OnlineDistillation` wraps any models that offer what this class and those two methods do.

    Args:
        generator: network from latents to images.
        critic: network on images.
        augmentations: names of `layers.diff_augment.AUGMENTATIONS`, for all images that
            the critic sees; none by default, as in the paper.
        average: decay of a moving average of the generator's weights, in `averaged` (which is
            the generator itself without one); 0 for none, as in the paper.
        seed: of latents, interpolation and augmentation.
    """

    FIGURES = ()

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        augmentations: tuple[str, ...] = (),
        average: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(("critic_loss", "generator_loss", *self.FIGURES), **kwargs)
        self.generator, self.critic = generator, critic
        self.augmentations = checked_names(augmentations)
        self.average = average
        self.averaged = averaged_copy(generator, average)
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)

    @property
    def trained(self):
        return {"g_optimizer": [self.generator], "d_optimizer": [self.critic]}

    def call(self, latents, training=False):
        """Images of latents, the generator's input, by the averaged weights if not training."""
        return (self.generator if training else self.averaged)(latents, training=training)

    def images_in(self, batch):
        return input_of(self.critic), [images_of(batch)]

    def step(self, batch, training):
        latents = self.sample_latents(batch)
        if training:
            update_spectral_norms(self.generator)
        with tf.GradientTape() as g_tape:
            images = self.generator(latents, training=training)

        if training:
            update_spectral_norms(self.critic)
        with tf.GradientTape() as tape:
            shown = tf.stop_gradient(images)
            critic_loss, figures = self.critic_loss(batch, shown, training)
        if training:
            self.minimize("d_optimizer", critic_loss, tape)

        with g_tape:  # goes on recording
            generator_loss = self.generator_loss(batch, images, training)
        if training:
            self.minimize("g_optimizer", generator_loss, g_tape)
            self.move_average(self.g_optimizer.iterations)
        return critic_loss, generator_loss, *figures

    def sample_latents(self, batch) -> tf.Tensor:
        """Latents for as many images as the batch has: z (N, latent), standard normal."""
        count = ops.shape(images_of(batch))[0]
        length = self.generator.inputs[0].shape[1]
        return replicas.share(
            lambda count: keras.random.normal((count, length), seed=self.seeds), count
        )

    def augmented(self, images: tf.Tensor) -> tf.Tensor:
        """The images as the critic sees them."""
        if not self.augmentations:
            return images
        key = keras.random.randint((2,), 0, 2**31 - 1, seed=self.seeds)
        return augment(images, key, self.augmentations)

    def move_average(self, step) -> None:
        """Moves `averaged` after the generator's update number `step` (the first is 1)."""
        if self.average:
            move_average(self.averaged.weights, self.generator.weights, self.average, step)
            update_spectral_norms(self.averaged)  # a mean of unit vectors is not one


def images_of(batch) -> tf.Tensor:
    """The images of a batch of images, or of (images, labels)."""
    return batch[0] if isinstance(batch, (tuple, list)) else batch


def wgan_gp_loss(
    critic: keras.Model,
    real: tf.Tensor,
    generated: tf.Tensor,
    penalty: float,
    seeds: keras.random.SeedGenerator,
    training: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What a critic (eq. 5) or a connector (eq. 8) minimises.

    Args:
        critic: network from images to scores (N, 1).
        real, generated: images (N, S, S, C); the first are to get the higher scores.
        penalty: lambda.
        seeds: `keras.random.SeedGenerator` for the interpolation.
        training: how the critic is called.

    Returns:
        scalars: minus the distance plus `penalty` times the gradient penalty, and the distance
        (`keras_gans.losses.wasserstein`).
    """
    critic = partial(critic, training=training)
    scores = critic(ops.concatenate([real, generated]))
    distance = wasserstein(*ops.split(scores, 2))
    slopes = slope_penalty(critic, real, generated, seeds)
    return penalty * slopes - distance, distance


def slope_penalty(scores: Callable, real: tf.Tensor, generated: tf.Tensor, seeds) -> tf.Tensor:
    """`keras_gans.losses.gradient_penalty` at points drawn between the images."""
    epsilon = replicas.share(
        lambda count: keras.random.uniform((count, 1, 1, 1), seed=seeds), ops.shape(real)[0]
    )
    return gradient_penalty(scores, real, generated, epsilon)
