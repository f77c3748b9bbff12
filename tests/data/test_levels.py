import numpy as np

from keras_gans.data.levels import to_float, to_levels


def test_to_float():
    values = to_float(np.uint8([0, 51, 255]))
    assert values.dtype == "float32"
    np.testing.assert_allclose(values, [-1, -0.6, 1], atol=1e-7)


def test_to_levels_takes_the_nearest_level():
    levels = to_levels(np.float32([-1, -0.6, -0.6 + 0.9 / 255, -0.6 + 1.1 / 255, 1]))
    assert levels.dtype == "uint8"
    assert levels.numpy().tolist() == [0, 51, 51, 52, 255]


def test_to_levels_cuts_off_what_is_beyond():
    assert to_levels(np.float32([-1.1, 1.1, 9])).numpy().tolist() == [0, 255, 255]


def test_levels_come_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_levels(to_float(levels)), levels)
