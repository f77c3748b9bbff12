"""CAM, the paper's weakly supervised baseline (table V): trained on labels of whole images.

Class activation mapping: Zhou et al. 2016, https://arxiv.org/abs/1512.04150.
"""

from keras_gans.training.device import xla

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_gans.defectgan.schedules import cosine_adam
from keras_gans.defectgan.segnet import (
    STAGE_CONVOLUTIONS,
    STAGE_FACTORS,
    check_stages,
    convolution,
)
from keras_gans.layers import max_pooling


def build_cam(channels: int = 1, width: int = 64, stages: int = 4) -> keras.Model:
    """Builds a classifier of images, whose features are averaged over the image at the end.

    VGG-GAP of Zhou et al.: VGG16's convolutions up to a stage whose pooling is left out for a
    finer map, a 3x3 convolution of 1024 filters, global average pooling, one weight a filter.
    As there, the logit has no bias: it is the mean of what every place adds. Ours: batch
    normalisation, and one stage less, hence a map of 1/8 of the image's size instead of 1/16.

    Args:
        channels: of the images.
        width: filters of the first stage, 64 in the paper; the others follow.
        stages: 1 to 5, of convolutions, one more than poolings; 5 is VGG-GAP. Fewer give a
            sharper map and see less of the defect's surroundings.

    Returns:
        Model from images (N, H, W, channels) in [-1, 1], of any size, to logits (N, 1),
        positive for defective.
    """
    check_stages(stages)
    images = keras.Input((None, None, channels), name="images")
    x = images
    for stage in range(stages):
        if stage > 0:
            x = max_pooling(2, padding="same")(x)
        for _ in range(STAGE_CONVOLUTIONS[stage]):
            x = convolution(x, width * STAGE_FACTORS[stage])
    x = convolution(x, 16 * width)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    logits = layers.Dense(1, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="cam")


def compile_cam(network: keras.Model, learning_rate: float, steps: int) -> None:
    """Compiles the classifier with `cosine_adam`.

    `fit` then takes images float32 (B, S, S, C) in [-1, 1] and labels (B, 1), 1 for defective.
    """
    network.compile(
        optimizer=cosine_adam(network, learning_rate, steps),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy"),
            keras.metrics.AUC(from_logits=True, name="auroc"),
        ],
        jit_compile=xla(),
    )


def activation_network(network: keras.Model) -> keras.Model:
    """The trained classifier with its class activation map, both from one pass.

    The last layer's weights, applied to the features before they are averaged, give what every
    place adds to the logit; bilinear upsampling brings that to the image's size.

    Args:
        network: from `build_cam`; its layers are shared, not copied.

    Returns:
        Model from images (N, H, W, channels) to maps (N, H, W, 1) and logits (N, 1). Where H
        and W are multiples of `2**(stages - 1)`, a map's mean is the logit.
    """
    images = network.input
    maps = network.get_layer("logits")(network.get_layer("average").input)
    poolings = sum(isinstance(layer, layers.MaxPooling2D) for layer in network.layers)
    maps = UpsampleToImage(2**poolings, name="maps")([maps, images])
    return keras.Model(images, [maps, network.output], name="activation")


@keras.saving.register_keras_serializable(package="keras_gans")
class UpsampleToImage(layers.Layer):
    """Bilinear upsampling by `factor`; what is beyond the image's bottom and right is cut off.

    Inputs: maps (N, about H/factor, about W/factor, C) and images (N, H, W, any). Output:
    (N, H, W, C).

    Args:
        factor: by which pooling made the images smaller.
    """

    def __init__(self, factor: int, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        maps, images = inputs
        maps = tf.image.resize(maps, self.factor * tf.shape(maps)[1:3])
        return maps[:, : tf.shape(images)[1], : tf.shape(images)[2]]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def cam_mask(cam: np.ndarray, share: float = 0.2) -> np.ndarray:
    """The defect's mask from a class activation map, by a rule that needs no masks.

    Features see far around their place, so a small defect becomes a wide spot of the map. Zhou
    et al.'s share of 0.2 then marks much more than the defect; 0.5, the spot's width at half
    its height, is the fairer rule for defects (ours).

    Args:
        cam: (H, W), a map of `activation_network`.
        share: of the map's maximum, from which a pixel counts as defect: 0.2 in Zhou et al.,
            who then draw a box around the largest component. Where no place votes for a
            defect (maximum at most 0): of the way from the minimum to the maximum.

    Returns:
        bool (H, W); empty for a constant map.
    """
    low, high = cam.min(), cam.max()
    if low == high:
        return np.zeros(cam.shape, bool)
    return cam >= (share * high if high > 0 else low + share * (high - low))
