import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration, detect, difference, mask_of
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.defectgan.view import View
from tests.defectgan.fakes import identity, negative, random_generator

TILE = 16


@pytest.mark.parametrize(
    "channels, sigma, dilation, reach, share, reduce, pixels",
    [
        pytest.param(1, 1.0, 1, 0, 0.0, 1, 1, marks=pytest.mark.slow),
        (3, 2.2, 3, 2, 0.9, 2, 7),
        (1, 0.5, 0, 12, 0.3, 3, 300),
    ],
)
def test_both_forms_agree_to_the_bit(
    rng, channels, sigma, dilation, reach, share, reduce, pixels
):
    generator = random_generator(channels)
    clean = Cleaner(generator, View(TILE, reduce=reduce))
    images = rng.integers(0, 256, (3, 45, 37, channels), np.uint8)
    values = difference(images, clean(images).numpy(), 0.7, sigma)
    # values that occur: ties too
    threshold, peak = np.quantile(values, [0.5, 0.98], method="inverted_cdf").tolist()
    assert peak > threshold > 0
    calibration = Calibration(
        0.7, threshold, peak, reach, sigma, dilation, share, score_pixels=pixels
    )
    masks = [mask_of(image, calibration) for image in values]
    assert 0 < np.mean(masks)
    without = dataclasses.replace(calibration, peak=0.0)
    assert np.mean(masks) < np.mean([mask_of(image, without) for image in values])

    signature = [tf.TensorSpec([None, None, None, channels], tf.uint8)]
    graph = tf.function(build_detection_graph(clean, calibration), input_signature=signature)
    for height, width in ((45, 37), (16, 16), (2, 1), (5, 30)):
        cut = images[:, :height, :width]
        result = {name: value.numpy() for name, value in graph(cut).items()}
        for number, image in enumerate(cut):
            found = detect(clean, image, calibration)
            np.testing.assert_array_equal(result["cleaned"][number], found.cleaned)
            np.testing.assert_array_equal(result["difference"][number], found.difference)
            np.testing.assert_array_equal(result["mask"][number], 255 * found.mask)
            assert result["score"][number] == found.score
    types = {name: value.dtype for name, value in result.items()}
    assert types == {"cleaned": "u1", "difference": "f4", "mask": "u1", "score": "f4"}


@pytest.mark.parametrize("sigma, dilation", [(0, 0), (0.6, 2)])
def test_the_graphs_difference_eagerly(rng, sigma, dilation):
    images = rng.integers(0, 256, (1, 12, 9, 3), np.uint8)
    calibration = Calibration(-1.3, 60, 90, 1, sigma, dilation, share=0.5)
    graph = build_detection_graph(Cleaner(negative(3), View(TILE)), calibration)
    found = detect(lambda images: 255 - images, images[0], calibration)
    result = graph(images)
    np.testing.assert_array_equal(result["cleaned"][0], found.cleaned)
    np.testing.assert_array_equal(result["difference"][0], found.difference)
    np.testing.assert_array_equal(result["mask"][0], 255 * found.mask)


def test_eager_graph_and_every_grey_level():
    images = np.arange(256, dtype=np.uint8).reshape(1, 8, 32, 1)
    graph = build_detection_graph(Cleaner(identity(1), View(TILE)), Calibration(0, 1))
    result = graph(images)
    np.testing.assert_array_equal(result["cleaned"], images)
    assert not result["difference"].numpy().any() and not result["mask"].numpy().any()
