import dataclasses
import json

import numpy as np
import pytest
from scipy import ndimage

from keras_gans.defectgan.calibration import measure_bias
from keras_gans.defectgan.detection import (
    Calibration,
    detect,
    difference,
    gaussian_weights,
    mask_of,
    score_of,
    to_grey,
)
from keras_gans.errors import InputError
from tests.defectgan.fakes import boxes, darker, square

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


def test_a_square_is_found():
    found = detect(darker, square()[0], Calibration(0, 30))
    # half of the 60 is left at an edge, and a pixel more is in the mask
    assert boxes(found.mask)[0][:4] == (4, 9, 26, 21)
    assert found.score == 60
    assert found.cleaned.max() == 40
    nothing = detect(darker, darker(square())[0], Calibration(0, 30))
    assert nothing.score == 0 and not nothing.mask.any()


def test_a_score_is_the_mean_of_the_largest_values(rng):
    values = rng.permutation(np.arange(20, dtype=np.float32)).reshape(4, 5)
    assert [score_of(values, count) for count in (1, 2, 5, 20, 99)] == [19, 18.5, 17, 9.5, 9.5]
    found = detect(darker, square()[0], Calibration(0, 30, score_pixels=4096))
    assert 0 < found.score < 60 and found.score == pytest.approx(found.difference.mean())


def test_detect_refuses_other_images():
    for image in (square(), square()[0] / 255):
        with pytest.raises(ValueError, match=r"image must be uint8 \(H, W, C\)"):
            detect(darker, image, Calibration(0, 30))


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
        ({"score_pixels": 0}, "score_pixels must be from 1 to 4096. Received: 0"),
        ({"bias": 300}, "bias must be from -255 to 255"),
    ],
)
def test_calibration_refuses(settings, expected):
    with pytest.raises(InputError, match=expected):
        Calibration(**{"bias": 0, "threshold": 1, **settings})
