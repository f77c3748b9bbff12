"""SegNet, the paper's supervised baseline (table V): trained on masks.

Badrinarayanan, Kendall & Cipolla 2017, https://arxiv.org/abs/1511.00561.
"""

from collections.abc import Iterable

from keras_gans.training.device import xla

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from keras_gans.defectgan.schedules import cosine_adam
from keras_gans.errors import InputError
from keras_gans.layers import FusedBatchNormalization, IndexedMaxPooling2D, MaxUnpooling2D

# VGG16: 13 convolutions; filters as multiples of the first stage's
STAGE_CONVOLUTIONS = (2, 2, 3, 3, 3)
STAGE_FACTORS = (1, 2, 4, 8, 8)


def build_segnet(channels: int = 1, width: int = 64, stages: int = 5) -> keras.Model:
    """Builds SegNet: VGG16's convolutions, and their mirror image as the decoder.

    Every stage of the encoder ends in 2x2 max pooling, the mirrored stage of the decoder
    begins with unpooling to the very places of the maxima. Batch normalisation and ReLU after
    every convolution but the last, which gives one logit instead of SegNet's eleven classes.
    Kernels are drawn as in the paper (He et al. 2015); there, the encoder starts from VGG16
    trained on ImageNet. At the paper's width 29,450,369 parameters for grey images.

    Args:
        channels: of the images.
        width: filters of the first stage, 64 in the paper (64, 128, 256, 512, 512).
        stages: 5 in the paper, down to 1 for small images and short training.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1] to logits (N, H, W, 1), positive for
        defect; H and W must be multiples of `2**stages`.
    """
    check_stages(stages)
    counts = STAGE_CONVOLUTIONS[:stages]
    filters = [width * factor for factor in STAGE_FACTORS[:stages]]

    images = keras.Input((None, None, channels), name="images")
    x = images
    places = []
    for stage in range(stages):
        for _ in range(counts[stage]):
            x = convolution(x, filters[stage])
        x, place = IndexedMaxPooling2D()(x)
        places.append(place)
    for stage in reversed(range(stages)):
        x = MaxUnpooling2D()([x, places[stage]])
        for _ in range(counts[stage] - 1):
            x = convolution(x, filters[stage])
        if stage > 0:
            x = convolution(x, filters[stage - 1])
    logits = layers.Conv2D(
        1, 3, padding="same", kernel_initializer="he_normal", dtype="float32", name="logits"
    )(x)
    return keras.Model(images, logits, name="segnet")


def check_stages(stages: int) -> None:
    """Raises ValueError for more or fewer stages than VGG16 has."""
    if not 1 <= stages <= len(STAGE_CONVOLUTIONS):
        raise ValueError(f"stages must be 1 to {len(STAGE_CONVOLUTIONS)}. Received: {stages}")


def convolution(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
    """3x3 convolution without bias, batch normalisation, ReLU."""
    x = layers.Conv2D(
        filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x))


def class_weights(masks: Iterable[np.ndarray]) -> tuple[float, float]:
    """Median frequency balancing (SegNet, section 4; Eigen & Fergus 2015).

    The frequency of a class is its number of pixels over the number of pixels of the images
    in which it occurs; its weight is the median of all frequencies over its own. With two
    classes the median is the mean of both.

    Weights move the optimum: at logit 0 a pixel's chance of being defect is not 1/2 but
    `w0 / (w0 + w1)`, so that outlines grow. The logit of chance 1/2 is `log(w1 / w0)`.

    Args:
        masks: bool (H, W) where the defect is, one an image that is trained on.

    Returns:
        (w0, w1): weights of background and defect.

    Raises:
        InputError: no mask marks any defect, or no background.
    """
    counts = [(np.count_nonzero(mask), np.size(mask)) for mask in masks]
    defect, area = np.array(counts, np.int64).reshape(-1, 2).T
    pixels = np.stack([area - defect, defect])
    present = pixels > 0
    if not present.any(axis=1).all():
        received = f"{len(area)} masks, {defect.sum()} of {area.sum()} pixels marked"
        raise InputError(
            f"class weights: received {received}: SegNet needs masks that mark defects and "
            "leave background"
        )
    frequencies = pixels.sum(axis=1) / (present * area).sum(axis=1)
    w0, w1 = np.median(frequencies) / frequencies
    return float(w0), float(w1)


def weighted_cross_entropy(
    masks: tf.Tensor, logits: tf.Tensor, weights: tuple[float, float] = (1.0, 1.0)
) -> tf.Tensor:
    """Cross-entropy per pixel, weighted by class (SegNet, section 4, with one logit).

    `w1 m log(1 + exp(-l)) + w0 (1 - m) log(1 + exp(l))`, a mean over all pixels in training.

    Args:
        masks: (N, H, W, 1), m: 1 for defect, 0 for background.
        logits: the same shape, l.
        weights: (w0, w1) of background and defect.

    Returns:
        (N, H, W, 1); `log 2` times the class's weight for logits of zero.
    """
    logits = ops.cast(logits, "float32")
    masks = ops.cast(masks, "float32")
    background, defect = weights
    return defect * masks * ops.softplus(-logits) + background * (1 - masks) * ops.softplus(
        logits
    )


@keras.saving.register_keras_serializable(package="keras_gans")
class WeightedCrossEntropy(keras.losses.Loss):
    """`weighted_cross_entropy` as a loss for `compile`, which a saved model brings back."""

    def __init__(self, weights: tuple[float, float] = (1.0, 1.0), **kwargs):
        super().__init__(**kwargs)
        self.weights = tuple(weights)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return weighted_cross_entropy(y_true, y_pred, self.weights)

    def get_config(self) -> dict:
        return {**super().get_config(), "weights": self.weights}


def compile_segnet(
    network: keras.Model,
    learning_rate: float,
    steps: int,
    weights: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Compiles SegNet with `cosine_adam`; its paper trains with SGD (rate 0.1, momentum 0.9).

    `fit` then takes images float32 (B, S, S, C) in [-1, 1] and masks (B, S, S, 1). `weights`
    are those of `weighted_cross_entropy`, from `class_weights`.
    """

    network.compile(
        optimizer=cosine_adam(network, learning_rate, steps),
        loss=WeightedCrossEntropy(weights),
        metrics=[keras.metrics.BinaryIoU([1], threshold=0.0, name="iou")],
        jit_compile=xla(),
    )
