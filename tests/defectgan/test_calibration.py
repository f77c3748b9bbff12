import numpy as np
import pytest
from skimage import filters

from keras_gans.defectgan.calibration import calibrate, measure_bias, otsu_level
from keras_gans.defectgan.detection import LEVELS, Calibration, difference
from keras_gans.defectgan.levels import CalibrationRule, histogram, quantile_level
from keras_gans.errors import InputError
from tests.defectgan.fakes import darker, square, trained_on


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
            sigma=sigma, dilation=2, share=0.25, score_pixels=3,
        )  # fmt: skip
        values = [difference(image, to_100(image), bias, sigma).ravel() for image in free]
        scores = [float(np.sort(value)[-3:].mean()) for value in values]
        values = np.concatenate(values)
        found = calibrate(to_100, trained_on(free), rule)
        assert found == Calibration(
            bias,
            np.quantile(values, quantile, method="inverted_cdf"),
            np.quantile(values, peak_quantile, method="inverted_cdf"),
            reach=3,
            sigma=sigma,
            dilation=2,
            share=0.25,
            limit=min(scores),
            score_pixels=3,
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
    found = calibrate(lambda images: images - np.uint8(3), trained_on(free), CalibrationRule())
    assert (found.bias, found.threshold, found.peak, found.limit) == (3, 1, 1, 1)  # the floor


def test_otsu_parts_square_and_ground():
    free, defective = [darker(square())[0]], [square()[0]]
    found = calibrate(darker, trained_on(free, defective), CalibrationRule("otsu"))
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
        calibrate(darker, trained_on([], [square()[0]]), CalibrationRule())
    with pytest.raises(InputError, match="needs defective training images"):
        calibrate(darker, trained_on([square()[0]]), CalibrationRule("otsu"))
    nothing = np.zeros(len(LEVELS), np.int64)
    with pytest.raises(InputError, match="needs defect-free training images"):
        quantile_level(nothing, 0.5)
