import numpy as np

from keras_gans.data.levels import to_float


def test_to_float():
    values = to_float(np.uint8([0, 51, 255]))
    assert values.dtype == "float32"
    np.testing.assert_allclose(values, [-1, -0.6, 1], atol=1e-7)
