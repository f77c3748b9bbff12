import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from skimage import filters

from keras_gans.defectgan.detect import (
    LEVELS,
    Box,
    Calibration,
    CalibrationRule,
    boxes,
    build_detection_graph,
    calibrate,
    detect,
    difference,
    gaussian_weights,
    histogram,
    mask_of,
    measure_bias,
    otsu_level,
    quantile_level,
    to_grey,
    traced_cleaner,
)
from keras_gans.errors import InputError

TILE = 16


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def random_generator(channels):
    """A fake generator: its input, changed here and there."""
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(images)
    x = keras.layers.Conv2D(channels, 3, padding="same")(x)
    return keras.Model(images, keras.ops.tanh(images + 0.3 * x))


def identity(channels):
    images = keras.Input((None, None, channels))
    return keras.Model(images, keras.layers.Identity()(images))


def negative(channels):
    images = keras.Input((None, None, channels))
    return keras.Model(images, -images)


def darker(images):
    """Stands for a cleaner that knows no defects: a square's 100 becomes the ground's 40."""
    return np.where(images == 100, 40, images).astype(np.uint8)


def square():
    image = np.full((1, 40, 50, 1), 40, np.uint8)
    image[:, 10:20, 5:25] = 100
    return image


# Steps --------------------------------------------------------------------------------------


def test_grey_is_bt601_luma(rng):
    images = rng.integers(0, 256, (2, 5, 7, 3), np.uint8)
    np.testing.assert_allclose(to_grey(images), images @ [0.299, 0.587, 0.114], atol=0.01)
    neutral = np.arange(256, dtype=np.uint8)[None, :, None]
    np.testing.assert_array_equal(to_grey(neutral)[0], np.arange(256))
    np.testing.assert_array_equal(to_grey(neutral.repeat(3, -1))[0], np.arange(256))


@pytest.mark.parametrize("images", [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8)])
def test_grey_refuses(images):
    with pytest.raises(ValueError, match="uint8 with 1 or 3 channels"):
        to_grey(images)


@pytest.mark.parametrize("sigma", [0, 0.5, 1, 2.3, 10, 50])
def test_gaussian_weights(sigma):
    weights = gaussian_weights(sigma)
    expected = np.zeros(len(weights))
    expected[len(weights) // 2] = 1
    if sigma:
        expected = ndimage.gaussian_filter1d(expected, sigma, mode="constant")
    assert weights.sum() == 1 and weights.min() >= 0
    np.testing.assert_array_equal(weights, weights[::-1])
    np.testing.assert_allclose(weights, expected, atol=1.01 / 4096)


@pytest.mark.parametrize("sigma", [0, 1, 3])
def test_difference_is_a_gaussian_over_the_grey_change(rng, sigma):
    images, cleaned = rng.integers(0, 256, (2, 3, 30, 20, 3), np.uint8)
    plain = np.abs(to_grey(images) - to_grey(cleaned) - 2.5)
    expected = [ndimage.gaussian_filter(image, sigma) if sigma else image for image in plain]
    found = difference(images, cleaned, 2.5, sigma)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=0.2)
    np.testing.assert_array_equal(found * 16, np.rint(found * 16))


def test_a_constant_bias_is_taken_off(rng):
    images = rng.integers(10, 200, (3, 9, 9, 1), np.uint8)
    bias = measure_bias(images, images - np.uint8(3))
    assert bias == 3
    assert not difference(images, images - np.uint8(3), bias).any()
    with pytest.raises(InputError, match="there is none"):
        measure_bias([], [])


def test_mask_by_hand():
    values = np.zeros((7, 9), np.float32)
    values[2, 3], values[6, 8] = 5, 4
    mask = mask_of(values, Calibration(0, 4, dilation=1))  # 4 is not above 4
    expected = np.zeros((7, 9), bool)
    expected[1:4, 2:5] = True
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)
    assert mask_of(values, Calibration(0, 3.9, dilation=0)).sum() == 2
    mask = mask_of(values, Calibration(0, 3.9, dilation=2))
    assert mask.sum() == 25 + 9  # the second is in the corner


def test_a_peak_must_be_near():
    values = np.zeros((20, 30), np.float32)
    values[5, 2:9] = 3  # from its peak up to 6 pixels to the right
    values[5, 2] = 8
    values[9, 6] = 3  # 4 pixels off, diagonally
    values[5, 20:25] = 3  # without a peak
    values[15, 20] = 5  # a peak is above 5

    def marked(**rule):
        return np.argwhere(mask_of(values, Calibration(0, 2, dilation=0, **rule))).tolist()

    assert marked(peak=5, reach=4) == [[5, x] for x in range(2, 7)] + [[9, 6]]
    assert marked(peak=5, reach=3) == [[5, x] for x in range(2, 6)]
    assert marked(peak=5, reach=0) == [[5, 2]]
    assert marked(peak=8, reach=100) == []
    everything = np.argwhere(values > 2).tolist()
    assert marked(peak=5, reach=100) == everything
    assert marked() == marked(peak=1, reach=0) == everything
    # the mask grows after that: dilation does not bring a peak nearer
    grown = mask_of(values, Calibration(0, 2, peak=5, reach=3, dilation=2))
    assert grown.sum() == 5 * (4 + 4)


def test_a_pixel_must_reach_a_share_of_the_largest_nearby():
    values = np.zeros((9, 40), np.float32)
    values[4, 2:6] = 10, 5.5, 5, 4
    values[8, 9] = 4  # 4 pixels below the 5, 7 beside the 10
    values[4, 25:27] = 4, 3

    def marked(**rule):
        calibration = Calibration(0, 2, reach=5, dilation=0, **rule)
        return np.argwhere(mask_of(values, calibration)).tolist()

    alone = [[4, 25], [4, 26], [8, 9]]
    assert marked(share=0.5) == [[4, 2], [4, 3], *alone]  # 5 is not above half of 10
    assert marked(share=0.3) == [[4, x] for x in (2, 3, 4, 5)] + alone
    assert marked(share=0.8) == [[4, 2], [4, 25]]
    assert marked(share=0.5, peak=6) == [[4, 2], [4, 3]]
    assert len(marked()) == 7


def test_boxes():
    mask = np.zeros((10, 12), bool)
    mask[1:3, 2:7] = True
    mask[5, 5] = mask[6, 6] = True  # one region, by the corner
    mask[9, 11] = True
    assert boxes(mask) == [Box(2, 1, 7, 3, 10), Box(5, 5, 7, 7, 2), Box(11, 9, 12, 10, 1)]
    assert boxes(np.zeros((4, 4), bool)) == []


# Both forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "channels, sigma, dilation, reach, share, reduce",
    [(1, 1.0, 1, 0, 0.0, 1), (3, 2.2, 3, 2, 0.9, 2), (1, 0.5, 0, 12, 0.3, 3)],
)
def test_both_forms_agree_to_the_bit(rng, channels, sigma, dilation, reach, share, reduce):
    generator = random_generator(channels)
    clean = traced_cleaner(generator, TILE, reduce=reduce)
    images = rng.integers(0, 256, (3, 45, 37, channels), np.uint8)
    values = difference(images, clean(images).numpy(), 0.7, sigma)
    # values that occur: ties too
    threshold, peak = np.quantile(values, [0.5, 0.98], method="inverted_cdf").tolist()
    assert peak > threshold > 0
    calibration = Calibration(0.7, threshold, peak, reach, sigma, dilation, share)
    masks = [mask_of(image, calibration) for image in values]
    assert 0 < np.mean(masks)
    without = dataclasses.replace(calibration, peak=0.0)
    assert np.mean(masks) < np.mean([mask_of(image, without) for image in values])

    signature = [tf.TensorSpec([None, None, None, channels], tf.uint8)]
    graph = build_detection_graph(generator, calibration, TILE, reduce=reduce)
    graph = tf.function(graph, input_signature=signature)
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
    graph = build_detection_graph(negative(3), calibration, TILE)
    found = detect(lambda images: 255 - images, images[0], calibration)
    result = graph(images)
    np.testing.assert_array_equal(result["cleaned"][0], found.cleaned)
    np.testing.assert_array_equal(result["difference"][0], found.difference)
    np.testing.assert_array_equal(result["mask"][0], 255 * found.mask)


def test_eager_graph_and_every_grey_level():
    images = np.arange(256, dtype=np.uint8).reshape(1, 8, 32, 1)
    result = build_detection_graph(identity(1), Calibration(0, 1), TILE)(images)
    np.testing.assert_array_equal(result["cleaned"], images)
    assert not result["difference"].numpy().any() and not result["mask"].numpy().any()


@pytest.mark.parametrize("reduce", [1, 2, 5])
def test_the_change_of_a_reduced_image_is_enlarged(rng, reduce):
    images = rng.integers(0, 256, (2, 33, 24, 3), np.uint8)
    same = traced_cleaner(identity(3), TILE, reduce=reduce)
    for size in (33, 16, 1):  # what is finer than the reduced image stays as well
        np.testing.assert_array_equal(same(images[:, :size]), images[:, :size])
    flat = np.full((1, 17, 21, 1), 100, np.uint8)
    inverted = traced_cleaner(negative(1), TILE, reduce=reduce)(flat)
    np.testing.assert_array_equal(inverted, 255 - flat)
    halves = np.where(np.arange(40) < 20, 90, 150).astype(np.uint8) * np.ones((1, 20, 1), "u1")
    found = traced_cleaner(negative(1), TILE, reduce=reduce)(halves[..., None])[0, ..., 0]
    away = np.r_[: 20 - reduce, 20 + reduce : 40]  # from the edge, which is blurred
    np.testing.assert_array_equal(found.numpy()[:, away], 255 - halves[0][:, away])


def test_a_square_is_found():
    found = detect(darker, square()[0], Calibration(0, 30))
    # half of the 60 is left at an edge, and a pixel more is in the mask
    assert boxes(found.mask)[0][:4] == (4, 9, 26, 21)
    assert found.score == 60
    assert found.cleaned.max() == 40
    nothing = detect(darker, darker(square())[0], Calibration(0, 30))
    assert nothing.score == 0 and not nothing.mask.any()


def test_detect_refuses_other_images():
    for image in (square(), square()[0] / 255):
        with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, C\)"):
            detect(darker, image, Calibration(0, 30))


# Calibration --------------------------------------------------------------------------------


def to_100(images):
    """Stands for a cleaner that makes one grey of everything."""
    return np.full_like(images, 100)


def test_quantiles_are_numpys(rng):
    free = [rng.integers(100, 110, (height, 20, 1), np.uint8) for height in (10, 33)]
    bias = measure_bias(free, map(to_100, free))
    assert 4 < bias < 5
    for quantile, peak_quantile, sigma in ((0.5, 0.9, 1), (0.999, 0.5, 0), (1, 1, 2)):
        rule = CalibrationRule(
            "quantile", quantile, peak_quantile, limit_quantile=0.5, floor=0, reach=3,
            sigma=sigma, dilation=2, share=0.25,
        )  # fmt: skip
        values = [difference(image, to_100(image), bias, sigma).ravel() for image in free]
        scores = [value.max() for value in values]
        values = np.concatenate(values)
        found = calibrate(to_100, free, [], rule)
        assert found == Calibration(
            bias,
            np.quantile(values, quantile, method="inverted_cdf"),
            np.quantile(values, peak_quantile, method="inverted_cdf"),
            reach=3,
            sigma=sigma,
            dilation=2,
            share=0.25,
            limit=min(scores),
        )
        assert np.mean(values > found.threshold) <= 1 - quantile


def test_levels_by_hand():
    counts = np.zeros(len(LEVELS), np.int64)
    counts[[0, 16, 40]] = 90, 9, 1  # differences of 0, 1 and 2.5 grey levels
    levels = [quantile_level(counts, quantile) for quantile in (0.5, 0.9, 0.91, 0.99, 0.991, 1)]
    assert levels == [0, 0, 1, 1, 2.5, 2.5]
    assert type(levels[0]) is float
    assert 1 <= otsu_level(counts * np.arange(len(LEVELS))) < 2.5


def test_a_shift_of_all_greys_is_calibrated_away(rng):
    free = [rng.integers(10, 200, (9, 9, 1), np.uint8)]
    found = calibrate(lambda images: images - np.uint8(3), free, [], CalibrationRule())
    assert (found.bias, found.threshold, found.peak, found.limit) == (3, 1, 1, 1)  # the floor


def test_otsu_parts_square_and_ground():
    free, defective = [darker(square())[0]], [square()[0]]
    found = calibrate(darker, free, defective, CalibrationRule("otsu"))
    values = difference(defective[0], darker(defective[0]), 0)
    assert found.threshold == pytest.approx(filters.threshold_otsu(values, nbins=4081), abs=1)
    assert 10 < found.threshold < 40
    assert (found.bias, found.peak) == (0, 1)
    assert otsu_level(histogram([np.full((4, 4), 2.5)])) == 2.5


def test_histogram_is_exact(rng):
    values = rng.choice(LEVELS, (2, 50, 50)).astype(np.float32)
    counts = histogram(list(values))
    assert counts.sum() == values.size
    np.testing.assert_array_equal(np.repeat(LEVELS, counts), np.sort(values.ravel()))
    for bad in (np.nan, -1, 256):
        with pytest.raises(ValueError, match="from 0 to 255"):
            histogram([np.array([bad])])


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"quantile": 0}, "quantile must be above 0 and at most 1. Received: 0"),
        ({"quantile": 99.9}, "quantile must be above 0 and at most 1"),
        ({"peak_quantile": float("nan")}, "peak_quantile must be above 0 and at most 1"),
        ({"reach": -1}, "reach must be from 0 to 100. Received: -1"),
        ({"sigma": 60}, "sigma must be from 0 to 50. Received: 60"),
        ({"share": 1}, "share must be from 0 to 0.99. Received: 1"),
        ({"dilation": 0.5}, "dilation must be whole pixels. Received: 0.5"),
    ],
)
def test_rule_refuses(settings, expected):
    with pytest.raises(InputError, match=expected):
        CalibrationRule(**settings)


def test_calibration_needs_images():
    with pytest.raises(InputError, match="needs defect-free training images"):
        calibrate(darker, [], [square()[0]], CalibrationRule())
    with pytest.raises(InputError, match="needs defective training images"):
        calibrate(darker, [square()[0]], [], CalibrationRule("otsu"))
    nothing = np.zeros(len(LEVELS), np.int64)
    with pytest.raises(InputError, match="needs defect-free training images"):
        quantile_level(nothing, 0.5)


def test_calibration_goes_through_json():
    calibration = Calibration(-1.25, 12.5, peak=20.5, reach=7, sigma=1.5, share=0.4)
    text = json.dumps(dataclasses.asdict(calibration))
    assert Calibration(**json.loads(text)) == calibration


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"threshold": float("nan")}, "threshold must be from 0 to 255. Received: nan"),
        ({"peak": 256}, "peak must be from 0 to 255. Received: 256"),
        ({"reach": 2.5}, "reach must be whole pixels. Received: 2.5"),
        ({"sigma": -1}, "sigma must be from 0 to 50. Received: -1"),
        ({"dilation": 1.5}, "dilation must be whole pixels. Received: 1.5"),
        ({"bias": 300}, "bias must be from -255 to 255"),
    ],
)
def test_calibration_refuses(settings, expected):
    with pytest.raises(InputError, match=expected):
        Calibration(**{"bias": 0, "threshold": 1, **settings})
