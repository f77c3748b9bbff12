"""Section 5 (2) to (5): a DCGAN that draws from one vector; the discriminator's loss."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_gans.losses import log_adversarial
from keras_gans.training.model import StepModel, input_of


@keras.saving.register_keras_serializable(package="keras_gans")
class DCGAN(StepModel):
    """The generator of figure 1 and a discriminator.

    What the vectors are is the data's choice: noise, the vector of a word, the mean of a
    sentence's or of all captions' words. The report's loss does not ask whether an image fits
    its vector.

    A step makes one batch of images. With them the discriminator is updated, then, against the
    new discriminator, the generator.

    Args:
        generator, discriminator: from `build_generator` and `build_discriminator`.
        blurred: whether blurred real images are extra fakes, see `discriminator_loss`.

    Example:

        gan = DCGAN(build_generator(), build_discriminator())
        gan.compile(*(keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2)))
        gan.fit(batches)  # of (vectors, images)

    vectors: float32 (B, D); images: float32 (B, S, S, 3) in [-1, 1].
    """

    METRICS = ("discriminator_loss", "generator_loss")

    def __init__(self, generator, discriminator, blurred=False, **kwargs):
        super().__init__(**kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.blurred = blurred

    @property
    def trained(self):
        return {"g_optimizer": [self.generator], "d_optimizer": [self.discriminator]}

    def call(self, vectors, training=False):
        """The images of vectors."""
        return self.generator(vectors, training=training)

    def images_in(self, batch):
        return input_of(self.discriminator), [batch[1]]

    def step(self, batch, training):
        vectors, images = batch[:2]
        with tf.GradientTape() as g_tape:
            generated = self.generator(vectors, training=training)

        with tf.GradientTape() as tape:
            d_loss = discriminator_loss(
                self.discriminator, images, tf.stop_gradient(generated), self.blurred,
                training=training,
            )  # fmt: skip
        if training:
            self.minimize("d_optimizer", d_loss, tape)

        with g_tape:  # goes on recording
            logits = self.discriminator(generated, training=training)
            g_loss = log_adversarial(logits, True)
        if training:
            self.minimize("g_optimizer", g_loss, g_tape)
        return d_loss, g_loss


def discriminator_loss(
    discriminator: keras.Model,
    real: tf.Tensor,
    generated: tf.Tensor,
    blurred: bool = False,
    real_weights: tf.Tensor | None = None,
    generated_weights: tf.Tensor | None = None,
    training: bool = True,
) -> tf.Tensor:
    """What the discriminator minimises (algorithm 4.2): `-log D(x) - log(1 - D(G(z)))`, means.

    As in DCGAN, real and generated images go through it in batches of their own, so that batch
    normalisation does not mix them.

    Args:
        discriminator: network from images to logits (N, 1).
        real, generated: images (M, S, S, 3), (N, S, S, 3) in [-1, 1].
        blurred: whether the blurred real images are fakes too (section 5 (4)), of the same
            total weight as the generated ones.
        real_weights, generated_weights: (M,), (N,); all count alike by default.
        training: how the discriminator is called.

    Returns:
        scalar; `2 log 2` for logits of zero.
    """

    def loss_on(images, is_real, weights):
        logits = discriminator(images, training=training)
        weights = None if weights is None else weights[:, None]
        return log_adversarial(logits, is_real, weights)

    fake = loss_on(generated, False, generated_weights)
    if blurred:
        fake = (fake + loss_on(blur(real), False, real_weights)) / 2
    return loss_on(real, True, real_weights) + fake


def blur(images: tf.Tensor) -> tf.Tensor:
    """Images blurred by a Gaussian with a standard deviation of a 32nd of their side.

    The report does not say how it blurred. Beyond the edges the image is its mirror image.

    Args:
        images: (N, S, S, C).
    """
    sigma = images.shape[1] / 32
    margin = math.ceil(3 * sigma)
    beyond = [[0, 0], [margin, margin], [margin, margin], [0, 0]]
    size = (2 * margin + 1,) * 2
    images = ops.image.gaussian_blur(ops.pad(images, beyond, "symmetric"), size, (sigma,) * 2)
    return images[:, margin:-margin, margin:-margin]
