"""SAGAN's networks at 64x64, as functional models: the generator and the critic."""

import math

import keras
from keras import layers, ops

from keras_gans.layers import (
    FusedBatchNormalization,
    SelfAttention,
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
)


def build_generator(
    image_size: int = 64,
    channels: int = 3,
    width: int = 64,
    latent: int = 128,
    classes: int = 0,
    attention: tuple[int, ...] | None = None,
) -> keras.Model:
    """Builds the generator.

    The paper gives no table. This is DCGAN's chain with what SAGAN adds: a dense layer to
    4x4, transposed 4x4 convolutions that double the side and halve the filters, each with
    spectral and batch normalisation and ReLU, self-attention. The last layer, which ends in
    tanh, is not normalised. At the paper's sizes 3,811,204 trainable parameters.

    Args:
        image_size: side S of the images, a power of two from 16; 64 in the paper.
        channels: of the images.
        width: filters of the last hidden layer; each layer before it has twice as many.
        latent: length of z, 128 in the paper.
        classes: K; the network then also takes a label, which joins z as a vector with a one
            at its place (ACGAN). 0 for none.
        attention: sides of the feature maps that get self-attention; `()` for none. By default
            S / 2: 32 in the paper, as in SAGAN.

    Returns:
        Model from z (N, latent), standard normal, or from [z, label], label int (N,) below K,
        to images (N, S, S, channels) in [-1, 1].

    Raises:
        ValueError: for an `image_size` or `attention` that do not fit, or `latent` below 1.
    """
    steps = _doublings(image_size)
    attention = _check_attention(attention, image_size)
    if latent < 1:
        raise ValueError(f"`latent` must be at least 1. Received: latent={latent}")
    z = keras.Input((latent,), name="z")
    inputs, x = z, z
    if classes:
        label = keras.Input((), dtype="int32", name="label")
        inputs, x = [z, label], ops.concatenate([z, ops.one_hot(label, classes)], axis=-1)

    filters = width * 2 ** (steps - 1)
    x = SpectralDense(4 * 4 * filters, use_bias=False)(x)
    x = _norm_relu(layers.Reshape((4, 4, filters))(x))
    for step in range(1, steps):
        filters //= 2
        x = SpectralConv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(x)
        x = _norm_relu(x)
        if 4 * 2**step in attention:
            x = SelfAttention(dtype="float32")(x)
    images = layers.Conv2DTranspose(channels, 4, strides=2, padding="same")(x)
    images = layers.Activation("tanh", dtype="float32", name="images")(images)
    return keras.Model(inputs, images, name="okdgan_generator")


def build_critic(
    image_size: int = 64,
    channels: int = 3,
    width: int = 64,
    classes: int = 0,
    attention: tuple[int, ...] | None = None,
    spectral: bool = True,
) -> keras.Model:
    """Builds the critic; a connector is the same without classes.

    4x4 convolutions of stride 2 down to 4x4, the filters doubling, each with spectral
    normalisation and LeakyReLU of slope 0.1, self-attention as in the generator. No batch
    normalisation: the gradient penalty is on single images. The last layers are not normalised,
    so that the slope of 1 that the penalty asks for can be reached. At the paper's sizes
    2,769,858 trainable parameters.

    Args:
        image_size: side S of the images, a power of two from 16; 64 in the paper.
        channels: of the images.
        width: filters of the first layer; the others follow.
        classes: K of the auxiliary classifier (ACGAN), 0 for none.
        attention: as for the generator.
        spectral: normalise the convolutions, as the paper does. Together with the gradient
            penalty, which bounds the slope already, this keeps the activations small beside
            the biases, so that a critic of few filters learns slowly.

    Returns:
        Model from images (N, S, S, channels) in [-1, 1] to scores (N, 1), high for real, or to
        [scores, class logits (N, K)].

    Raises:
        ValueError: for an `image_size` or `attention` that do not fit.
    """
    steps = _doublings(image_size)
    attention = _check_attention(attention, image_size)
    convolution = SpectralConv2D if spectral else layers.Conv2D
    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for step in range(steps):
        x = convolution(width * 2**step, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(0.1)(x)
        if image_size // 2 ** (step + 1) in attention:
            x = SelfAttention(dtype="float32")(x)
    x = layers.Flatten()(x)
    outputs = layers.Dense(1, dtype="float32", name="score")(x)
    if classes:
        outputs = [outputs, layers.Dense(classes, dtype="float32", name="logits")(x)]
    return keras.Model(images, outputs, name="okdgan_critic")


def _norm_relu(x):
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))


def _doublings(image_size):
    """How often 4 is doubled to `image_size`."""
    steps = math.log2(image_size / 4) if image_size > 4 else 0
    if steps < 2 or steps != int(steps):
        raise ValueError(
            f"`image_size` must be a power of two from 16. Received: image_size={image_size}"
        )
    return int(steps)


def _check_attention(attention, image_size):
    if attention is None:
        return (image_size // 2,)
    sides = [image_size // 2**i for i in range(1, _doublings(image_size))]
    if not set(attention) <= set(sides):
        raise ValueError(
            f"`attention` must be some of the sides {sides}. Received: attention={attention}"
        )
    return tuple(attention)
