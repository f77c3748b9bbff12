"""Table 1: the generator, and the discriminator that classifies, as functional models."""

import keras
from keras import layers

from keras_gans.layers import (
    Dropout,
    FusedBatchNormalization,
    GaussianNoise,
    SqueezeExcite,
    WeightNormConv2D,
    WeightNormConv2DTranspose,
    WeightNormDense,
    max_pooling,
)


def build_generator(
    image_size: int = 32, channels: int = 3, width: int = 128, latent: int = 100
) -> keras.Model:
    """Builds the generator of table 1.

    The table's "ReLU, BN" is read as DCGAN's order, normalisation first: its "lReLU, WN" names
    the activation first as well. At the paper's sizes 4,959,110 parameters, with the moving
    averages.

    Args:
        image_size: side S of the images, a multiple of 8; 32 in the paper.
        channels: of the images.
        width: filters of the last hidden layer, 128 in the paper; the others follow.
        latent: length of z.

    Returns:
        Model from z (N, latent), uniform in [-1, 1], to images (N, S, S, channels) in [-1, 1].

    Raises:
        ValueError: if `image_size` is not a multiple of 8, or `latent` is below 1.
    """
    start = _eighth(image_size)
    if latent < 1:
        raise ValueError(f"`latent` must be at least 1. Received: latent={latent}")
    z = keras.Input((latent,), name="z")
    x = layers.Dense(start * start * 4 * width, use_bias=False)(z)
    x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = layers.Reshape((start, start, 4 * width))(x)
    for factor in (2, 1):
        x = layers.Conv2DTranspose(
            factor * width, 5, strides=2, padding="same", use_bias=False
        )(x)
        x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    images = WeightNormConv2DTranspose(
        channels, 5, strides=2, padding="same", activation="tanh", dtype="float32"
    )(x)
    return keras.Model(z, images, name="frgan_generator")


def build_discriminator(
    image_size: int = 32,
    channels: int = 3,
    classes: int = 10,
    width: int = 64,
    se: bool = True,
    dropout: float = 0.2,
    noise: float = 0.037,
) -> keras.Model:
    """Builds the discriminator of table 1, which gives one logit a class.

    The table has no pooling; by the text (section 1) "convolution and pooling" give the
    features U, which the squeeze-and-excitation block weighs at once. Our reading: a maximum
    over 2x2 before the second dropout, and one before the block and the third dropout.
    LeakyReLU of slope 0.2. At the paper's sizes 793,684 parameters.

    Args:
        image_size: side S of the images, a multiple of 8; 32 in the paper.
        channels: of the images.
        classes: K.
        width: filters of the first block, 64 in the paper; the others follow.
        se: whether there is the squeeze-and-excitation block.
        dropout: rate of the three dropouts.
        noise: standard deviation of the Gaussian noise on the images while training, part of
            the random function f. Laine and Aila's is 0.15 on images of unit variance: 0.037
            on SVHN's, whose own standard deviation is 0.245 in the mean (1,083 of them). It is
            on all images: on real ones alone, it would tell them from generated ones.

    Returns:
        Model from images (N, S, S, channels) in [-1, 1] to logits (N, classes). Its layer
        "features" gives what the last layer sees, (N, 2 width).

    Raises:
        ValueError: if `image_size` is not a multiple of 8.
    """
    _eighth(image_size)
    images = keras.Input((image_size, image_size, channels), name="images")
    x = GaussianNoise(noise)(images)
    x = Dropout(dropout)(x)
    for factor in (1, 2):
        for _ in range(3):
            x = _convolution(x, factor * width, 3)
        x = max_pooling(2)(x)
        if factor == 2 and se:
            x = SqueezeExcite()(x)
        x = Dropout(dropout)(x)
    x = _convolution(x, 4 * width, 3)
    for _ in range(2):
        x = _convolution(x, 2 * width, 1)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    logits = WeightNormDense(classes, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="frgan_discriminator")


def _convolution(x, filters, size):
    x = WeightNormConv2D(filters, size, padding="same")(x)
    return layers.LeakyReLU(0.2)(x)


def _eighth(image_size):
    if image_size < 8 or image_size % 8:
        raise ValueError(
            f"`image_size` must be a multiple of 8. Received: image_size={image_size}"
        )
    return image_size // 8
