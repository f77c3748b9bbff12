"""Tables I and II: the generator and the discriminator, as functional models."""

import keras
from keras import layers, ops

from keras_gans.layers import InstanceNormalization, SpectralConv2D

# CycleGAN draws all kernels so (Zhu et al. 2017, appendix); the paper does not say
INITIALIZER = dict(kernel_initializer=keras.initializers.RandomNormal(stddev=0.02))


def build_generator(channels=3, width=64, blocks=9, image_size=None, residual=False):
    """Builds the generator of table I.

    As in CycleGAN, which the paper employs: reflection padding before the 7x7 convolutions and
    in the residual blocks, instance normalisation without scale and offset and ReLU after every
    convolution but the last, tanh at the end. At the paper's sizes 11,378,179 parameters.

    Args:
        channels: of the images, 3 in the paper.
        width: filters of the first convolution, 64 in the paper; the others follow.
        blocks: residual blocks, 9 in the paper (for 256x256).
        image_size: side of the images, a multiple of 4, or `None` for any such size.
        residual: the network gives the change of the image, at first nearly none, instead of the
            image (ours; few training steps suffice then). Adds no parameters.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to such images.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x = _reflect(images, 3)
    x = _norm_relu(layers.Conv2D(width, 7, **INITIALIZER)(x))
    for factor in (2, 4):
        x = layers.Conv2D(width * factor, 3, strides=2, padding="same", **INITIALIZER)(x)
        x = _norm_relu(x)
    for _ in range(blocks):
        y = _norm_relu(layers.Conv2D(width * 4, 3, **INITIALIZER)(_reflect(x, 1)))
        y = layers.Conv2D(width * 4, 3, **INITIALIZER)(_reflect(y, 1))
        x = x + InstanceNormalization()(y)
    for factor in (2, 1):
        x = layers.Conv2DTranspose(
            width * factor, 3, strides=2, padding="same", **INITIALIZER
        )(x)
        x = _norm_relu(x)
    x = layers.Conv2D(channels, 7, **INITIALIZER)(_reflect(x, 3))
    outputs = ops.tanh(x)
    if residual:
        outputs = ops.clip(images + 2 * outputs, -1, 1)
    return keras.Model(images, outputs, name="generator")


def build_discriminator(channels=3, width=64, image_size=None, norm="instance"):
    """Builds the discriminator of table II: one logit a patch of 70x70 pixels.

    LeakyReLU of slope 0.2; instance normalisation on the middle three convolutions as in
    CycleGAN. At the paper's sizes 2,764,737 parameters.

    Args:
        channels: of the images, 3 in the paper.
        width: filters of the first convolution, 64 in the paper; the others follow.
        image_size: side of the images, or `None` for any size from 32.
        norm: "instance" (CycleGAN's) or "spectral": spectral normalisation of all kernels
            instead (ours).

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to logits (N, about H/8, about W/8, 1),
        positive for real.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    conv = {"instance": layers.Conv2D, "spectral": SpectralConv2D}[norm]
    x = images
    for factor, strides in ((1, 2), (2, 2), (4, 2), (8, 1)):
        # a border of one zero, as in CycleGAN: stride 1 loses a pixel
        x = conv(width * factor, 4, strides=strides, **INITIALIZER)(layers.ZeroPadding2D(1)(x))
        if norm == "instance" and factor > 1:
            x = InstanceNormalization()(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = conv(1, 4, **INITIALIZER)(layers.ZeroPadding2D(1)(x))
    return keras.Model(images, logits, name="discriminator")


def _norm_relu(x):
    return layers.ReLU()(InstanceNormalization()(x))


def _reflect(x, border):
    return ops.pad(x, ((0, 0), (border, border), (border, border), (0, 0)), mode="reflect")
