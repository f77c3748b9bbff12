"""The DSCNN of table 1 and figure 6: separable convolutions and global average pooling."""

from typing import Literal

import keras
from keras import layers, ops

from keras_gans.layers import FusedBatchNormalization, max_pooling

MODULE_CHANNELS = (16, 32, 64, 128, 256)


def build_dscnn(
    patch_size: int = 64,
    modules: int = 4,
    *,
    separable: bool = True,
    skip: bool = False,
    encoding: Literal["linear", "gamma"] = "linear",
    l2: float = 1e-4,
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Builds the network that maps a linear RGB patch to the direction of its light.

    With its defaults it has the 42,115 parameters of table 1, row by row; with
    `separable=False` 299,995.

    Args:
        patch_size: side of a patch in pixels (figure 7a varies it), at least 8.
        modules: number of modules, 1 to 5 (figure 7b). As in the paper, a fifth module has
            no pooling layer.
        separable: separable convolutions in the modules; `False` gives the standard ones of
            table 4.
        skip: adds a skip connection around every module (figure 5, table 3). The paper does
            not print its form; this is Xception's, a strided 1x1 convolution and BN.
        encoding: what the first layer sees of a patch. `"linear"`: the values as they are,
            the paper's. `"gamma"`: divided by the patch's maximum and raised to 1/2.2, which
            makes the estimate independent of exposure. It has no parameters.
        l2: weight of the L2 penalty on every convolution kernel (section 4.1, which gives no
            weight; the default is ours).
        bn_momentum: momentum of the moving averages in batch normalisation (ours: Keras'
            0.99 needs thousands of steps to settle on values this small).

    Returns:
        A functional model from `patches`, float32 (N, S, S, 3) in [0, 1], linear camera RGB,
        to (N, 3): the illuminant's direction, not normalised.

    Raises:
        ValueError: if `modules` or `patch_size` is out of range, or for another `encoding`.
    """
    if not 1 <= modules <= len(MODULE_CHANNELS):
        raise ValueError(f"modules must be 1 to {len(MODULE_CHANNELS)}. Received: {modules}")
    if patch_size < 8:
        raise ValueError(f"patch_size must be at least 8. Received: {patch_size}")
    if encoding not in ("linear", "gamma"):
        raise ValueError(f'encoding must be "linear" or "gamma". Received: {encoding!r}')

    def convolution(x, channels, size=3, **kwargs):
        penalty = keras.regularizers.L2(l2)
        return layers.Conv2D(
            channels, size, use_bias=False, kernel_regularizer=penalty, **kwargs
        )(x)

    def module_convolution(x, channels):
        if not separable:
            return convolution(x, channels, padding="same")
        return layers.SeparableConv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            depthwise_regularizer=keras.regularizers.L2(l2),
            pointwise_regularizer=keras.regularizers.L2(l2),
        )(x)

    def normalise(x):
        return FusedBatchNormalization(momentum=bn_momentum)(x)

    patches = keras.Input((patch_size, patch_size, 3), name="patches")
    x = encode_gamma(patches) if encoding == "gamma" else patches
    for _ in range(2):
        x = layers.ReLU()(normalise(convolution(x, 8)))
    for index, channels in enumerate(MODULE_CHANNELS[:modules]):
        pool = index < 4
        shortcut = x
        x = layers.ReLU()(normalise(module_convolution(x, channels)))
        x = normalise(module_convolution(x, channels))
        if pool:
            x = max_pooling(3, strides=2, padding="same")(x)
        if skip:
            if pool:
                # the stride apart from the convolution: the gradient of a 1x1 convolution
                # with strides corrupts memory in TensorFlow 2.21's oneDNN kernels
                shortcut = max_pooling(1, strides=2)(shortcut)
            x = layers.Add()([x, normalise(convolution(shortcut, channels, 1))])
    x = layers.Conv2D(
        3, 3, padding="same", kernel_regularizer=keras.regularizers.L2(l2), dtype="float32",
        name="colour",
    )(x)  # fmt: skip
    illuminants = layers.GlobalAveragePooling2D(dtype="float32", name="illuminants")(x)
    return keras.Model(patches, illuminants, name="dscnn")


def encode_gamma(patches):
    """Divides each patch (N, S, S, 3) by its maximum and applies gamma 1/2.2.

    A black patch stays black; what is negative, by the rounding of a resizer, counts as 0.
    """
    patches = ops.maximum(patches, 0)
    peak = ops.max(patches, axis=(1, 2, 3), keepdims=True)
    return ops.power(patches / ops.maximum(peak, 1e-6), 1 / 2.2)
