import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan.segnet import (
    build_segnet,
    class_weights,
    compile_segnet,
    weighted_cross_entropy,
)
from keras_gans.errors import InputError
from keras_gans.layers import FusedBatchNormalization


def squares(count, size=32, seed=0):
    """Bright squares on noise: images in [-1, 1] and masks, float32 (count, size, size, 1)."""
    rng = np.random.default_rng(seed)
    images = rng.normal(-0.2, 0.25, (count, size, size, 1))
    masks = np.zeros_like(images)
    for mask in masks:
        side = rng.integers(7, 13)
        y, x = rng.integers(0, size - side, 2)
        mask[y : y + side, x : x + side] = 1
    return np.clip(images + 0.5 * masks, -1, 1).astype("float32"), masks.astype("float32")


def test_parameters_of_the_paper():
    # VGG16's thirteen kernels, 14,710,464 with three input channels; the decoder's are as
    # many but for its last, 9 x 64 x 1 and a bias instead of 9 x 3 x 64. Batch normalisation:
    # 4 a channel of the encoder's 4224 and, without the mirror of the last 512, the decoder's.
    encoder = 14_710_464
    decoder = encoder - 9 * 3 * 64 + 9 * 64 + 1
    normalisation = 4 * (4224 + 4224 - 512)
    grey = encoder + decoder + normalisation - 9 * 2 * 64
    network = build_segnet()

    assert network.count_params() == grey == 29_450_369
    kernels = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(kernels) == 26
    assert [layer.use_bias for layer in kernels] == [False] * 25 + [True]
    assert [layer.filters for layer in kernels[:13]] == (
        [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    )
    assert [layer.filters for layer in kernels[13:]] == (
        [512] * 5 + [256] * 3 + [128] * 2 + [64] * 2 + [1]
    )


def test_parameters_of_colour_images():
    difference = build_segnet(3, 8, 2).count_params() - build_segnet(1, 8, 2).count_params()
    assert difference == 9 * 2 * 8


@pytest.mark.parametrize("stages, size", [(1, (2, 6)), (3, (16, 8)), (5, (32, 64))])
def test_logits_have_the_size_of_the_image(stages, size):
    network = build_segnet(3, 2, stages)
    logits = network(np.zeros((2, *size, 3), "float32"))
    assert logits.shape == (2, *size, 1)
    momenta = {
        layer.momentum for layer in network.layers if isinstance(layer, FusedBatchNormalization)
    }
    assert momenta == {0.9}


def test_sizes_and_stages_out_of_range():
    with pytest.raises(ValueError, match=r"must be even. Received: \(1, 3, 4, 4\)"):
        build_segnet(1, 2, 2)(np.zeros((1, 6, 8, 1)))
    for stages in (0, 6):
        with pytest.raises(ValueError, match=f"stages must be 1 to 5. Received: {stages}"):
            build_segnet(stages=stages)


def test_class_weights_by_hand():
    defective = np.zeros((4, 10), bool)
    defective[0, :4] = True
    masks = [defective, np.zeros((10, 12), bool)]
    # background 156 of all 160 pixels, defect 4 of the 40 of the image that has one
    median = (156 / 160 + 4 / 40) / 2
    expected = median / (156 / 160), median / (4 / 40)
    assert class_weights(masks) == pytest.approx(expected)
    assert class_weights([np.eye(2, dtype=bool)]) == (1, 1)


@pytest.mark.parametrize(
    "masks, received",
    [
        ([], "0 masks, 0 of 0 pixels"),
        ([np.zeros((2, 3), bool)] * 2, "2 masks, 0 of 12 pixels"),
        ([np.ones((2, 3), bool)], "1 masks, 6 of 6 pixels"),
    ],
)
def test_class_weights_need_both_classes(masks, received):
    with pytest.raises(InputError, match=f"received {received} marked: SegNet needs masks"):
        class_weights(masks)


def test_weighted_cross_entropy_by_hand():
    masks = np.array([0, 1, 0, 1]).reshape(1, 2, 2, 1)
    logits = np.array([0, 0, math.log(3), math.log(3)], "float32").reshape(1, 2, 2, 1)
    # sigmoid(log 3) = 3/4
    expected = [0.5 * math.log(2), 7 * math.log(2), 0.5 * math.log(4), 7 * math.log(4 / 3)]
    loss = weighted_cross_entropy(masks, logits, (0.5, 7.0))
    np.testing.assert_allclose(np.ravel(loss), expected, rtol=1e-6)

    plain = keras.losses.binary_crossentropy(masks, logits, from_logits=True)
    np.testing.assert_allclose(weighted_cross_entropy(masks, logits)[..., 0], plain, rtol=1e-6)


def test_weighted_cross_entropy_of_great_logits_is_finite():
    logits = tf.constant([[[[-1e4]], [[1e4]]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = weighted_cross_entropy(tf.ones_like(logits), logits, (1.0, 3.0))
    np.testing.assert_allclose(np.ravel(loss), [3e4, 0])
    np.testing.assert_allclose(np.ravel(tape.gradient(loss, logits)), [-3, 0])


def iou(network, images, masks):
    found = network.predict(images, verbose=0) > 0
    masks = masks > 0
    return (found & masks).sum() / (found | masks).sum()


@pytest.mark.parametrize("balanced", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_small_training_learns(balanced):
    keras.utils.set_random_seed(0)
    steps = 50
    images, masks = squares(8 * steps)
    network = build_segnet(1, 8, 2)
    weights = class_weights(masks > 0) if balanced else (1.0, 1.0)
    compile_segnet(network, 1e-2, steps, weights)
    assert len(network.optimizer.variables) > len(network.trainable_variables)
    network.fit(
        tf.data.Dataset.from_tensor_slices((images, masks)).batch(8), verbose=0, shuffle=False
    )

    score = iou(network, *squares(32, seed=1))
    assert score > 0.6, score
    # another size than in training
    score = iou(network, *squares(8, size=48, seed=2))
    assert score > 0.6, score
