import numpy as np
import pytest
from scipy import ndimage

from keras_gans.data.filters import correlated, keep_large, largest_near

RNG = np.random.default_rng(0)


def test_regions_by_hand():
    mask = np.array(
        [
            [1, 1, 0, 0, 0, 1],
            [0, 0, 1, 0, 0, 1],
            [0, 0, 0, 0, 0, 1],
            [1, 0, 1, 1, 1, 1],
        ],
        bool,
    )
    kept, boxes = keep_large(mask, 2)
    assert boxes == [[2, 0, 6, 4], [0, 0, 3, 2]]  # corners touch
    mask[3, 0] = False
    np.testing.assert_array_equal(kept, mask)
    assert keep_large(np.zeros((3, 4), bool), 1)[1] == []


@pytest.mark.parametrize("density", [0.02, 0.3, 0.5, 0.9])
def test_regions_are_those_of_scipy(density):
    for _ in range(20):
        mask = RNG.random(RNG.integers(1, 40, 2)) < density
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        areas[0] = 0
        kept, boxes = keep_large(mask, 3)
        np.testing.assert_array_equal(kept, (areas >= 3)[labels])
        expected = [
            [columns.start, rows.start, columns.stop, rows.stop]
            for rows, columns in ndimage.find_objects(labels)
        ]
        order = np.argsort(-areas[1:], kind="stable")
        assert boxes == [expected[n] for n in order if areas[n + 1] >= 3]


@pytest.mark.parametrize("radius", [0, 1, 4, 12])
def test_filters_are_those_of_scipy(radius):
    values = RNG.integers(0, 4096, (9, 31)).astype(np.float32) / 16
    for given in (values, values > 100):
        expected = ndimage.maximum_filter(given, 2 * radius + 1, mode="nearest")
        np.testing.assert_array_equal(largest_near(given, radius), expected)
    weights = np.float32(2.0) ** -np.abs(np.arange(-radius, radius + 1))
    for axis in (0, 1, -1):
        expected = ndimage.correlate1d(values, weights, axis, mode="reflect")
        np.testing.assert_allclose(correlated(values, weights, axis), expected, rtol=1e-6)
