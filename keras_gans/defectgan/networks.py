"""Tables I and II: the generator and the discriminator, as functional models."""

import keras
import tensorflow as tf
from keras import layers, ops

from keras_gans.layers import InstanceNormalization, ReflectionPadding2D

# Of a guided generator's change: the share that always counts, and how far a patch must stand
# out for half of the rest; chosen on held-out items
UNGUIDED, STANDING_OUT = 0.2, 3.0


def build_generator(
    channels: int = 3,
    width: int = 64,
    blocks: int = 9,
    image_size: int | None = None,
    residual: bool = False,
) -> keras.Model:
    """Builds the generator of table I.

    As in CycleGAN, which the paper employs: reflection padding before the 7x7 convolutions and
    in the residual blocks, instance normalisation without scale and offset and ReLU after every
    convolution but the last, tanh at the end. At the paper's sizes 11,378,179 parameters.

    Args:
        channels: of the images, 3 in the paper.
        width: filters of the first convolution, 64 in the paper; the others follow.
        blocks: residual blocks, 9 in the paper (for 256x256).
        image_size: side of the images, a multiple of 4, or `None` for any such size.
        residual: the network gives the change of the image, at first none, instead of the image
            (ours; few training steps suffice then). Adds no parameters.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to such images.

    Raises:
        ValueError: for another `image_size`, and for fewer `blocks` than none.
    """
    check_side(image_size, 4)
    if blocks < 0:
        raise ValueError(f"`blocks` must be at least 0. Received: {blocks}")
    images = keras.Input((image_size, image_size, channels), name="images")
    x = ReflectionPadding2D(3)(images)
    x = _norm_relu(_conv(width, 7)(x))
    for factor in (2, 4):
        x = _conv(width * factor, 3, strides=2, padding="same")(x)
        x = _norm_relu(x)
    for _ in range(blocks):
        y = _norm_relu(_conv(width * 4, 3)(ReflectionPadding2D(1)(x)))
        y = _conv(width * 4, 3)(ReflectionPadding2D(1)(y))
        x = x + InstanceNormalization()(y)
    for factor in (2, 1):
        x = layers.Conv2DTranspose(
            width * factor, 3, strides=2, padding="same", kernel_initializer=_normal()
        )(x)
        x = _norm_relu(x)
    last = "zeros" if residual else _normal()
    x = ReflectionPadding2D(3)(x)
    x = layers.Conv2D(channels, 7, kernel_initializer=last, dtype="float32")(x)
    outputs = ops.tanh(x)
    if residual:
        # halves, whose bits are the same: TFLite's operation from -1 to 1 has no form in ONNX
        outputs = 2 * ops.clip(images / 2 + outputs, -0.5, 0.5)
    return keras.Model(images, outputs, name="generator")


def build_discriminator(
    channels: int = 3, width: int = 64, image_size: int | None = None
) -> keras.Model:
    """Builds the discriminator of table II: one logit a patch of 70x70 pixels.

    LeakyReLU of slope 0.2; instance normalisation on the middle three convolutions as in
    CycleGAN. At the paper's sizes 2,764,737 parameters.

    Args:
        channels: of the images, 3 in the paper.
        width: filters of the first convolution, 64 in the paper; the others follow.
        image_size: side of the images, or `None` for any size from 32.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to logits (N, about H/8, about W/8, 1),
        positive for real.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for factor, strides in ((1, 2), (2, 2), (4, 2), (8, 1)):
        # a border of one zero, as in CycleGAN: stride 1 loses a pixel
        x = _conv(width * factor, 4, strides=strides)(layers.ZeroPadding2D(1)(x))
        if factor > 1:
            x = InstanceNormalization()(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = _conv(1, 4, dtype="float32")(layers.ZeroPadding2D(1)(x))
    return keras.Model(images, logits, name="discriminator")


def build_local_discriminator(
    channels: int = 3, width: int = 64, image_size: int | None = None
) -> keras.Model:
    """Builds a discriminator of local marks: one logit for every 2x2 pixels (ours).

    Four convolutions, of which the first alone has stride 2; a patch is 16x16 pixels. Without
    normalisation, which would tell each patch about the whole image.

    Args:
        channels, width, image_size: see `build_discriminator`.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to logits (N, about H/2, about W/2, 1),
        positive for real.
    """
    images = keras.Input((image_size, image_size, channels), name="images")
    x = images
    for factor, size, strides in ((1, 4, 2), (2, 3, 1), (2, 3, 1), (2, 3, 1)):
        x = layers.Conv2D(
            width * factor, size, strides, padding="same", kernel_initializer="he_normal"
        )(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = layers.Dense(1, dtype="float32")(x)
    return keras.Model(images, logits, name="local_discriminator")


DISCRIMINATORS = {"patch": build_discriminator, "local": build_local_discriminator}


def build_guided_generator(generator: keras.Model, critic: keras.Model) -> keras.Model:
    """Joins G1 and D_P: of a change most counts where the image stands out as not clean (ours).

    The change is multiplied by `0.2 + 0.8 sigmoid(u - 3)`: u says how far a patch's logit lies
    below the mean of its image's, enlarged to the image's size; of several scales the farthest.
    A generator also changes what does not matter, and what lies around a defect; a
    discriminator sees marks wider than they are: both together say more.

    Args:
        generator: G1.
        critic: D_P, or the critic of `AttentionGAN`; it must have learned from real images of
            both kinds.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to such images; shares the networks.
    """
    inputs = keras.Input(generator.input_shape[1:], name="images")
    logits = critic(inputs)
    below = ops.mean(logits, axis=(1, 2), keepdims=True) - logits
    sure = ops.sigmoid(ops.max(below, axis=3, keepdims=True) - STANDING_OUT)
    share = _Resized(name="share")([UNGUIDED + (1 - UNGUIDED) * sure, inputs])
    outputs = inputs + share * (generator(inputs) - inputs)
    return keras.Model(inputs, outputs, name="guided_generator")


@keras.saving.register_keras_serializable(package="keras_gans")
class _Resized(layers.Layer):
    """Values (N, h, w, C), bilinearly resized to the height and width of images."""

    def call(self, inputs):
        values, images = inputs
        return tf.image.resize(values, tf.shape(images)[1:3])


def check_side(image_size: int | None, multiple: int) -> None:
    """ValueError if the side of images is known and not such a multiple."""
    if image_size is not None and (image_size < multiple or image_size % multiple):
        raise ValueError(
            f"`image_size` must be a multiple of {multiple}. Received: image_size={image_size}"
        )


def _conv(filters, size, **options):
    return layers.Conv2D(filters, size, kernel_initializer=_normal(), **options)


def _normal():
    """As CycleGAN draws kernels (Zhu et al. 2017, appendix); the paper does not say.

    One for each layer: an initializer gives the same values whenever it is called.
    """
    return keras.initializers.RandomNormal(stddev=0.02)


def _norm_relu(x):
    return layers.ReLU()(InstanceNormalization()(x))
