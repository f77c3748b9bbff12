import numpy as np
import pytest

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.view import View
from tests.defectgan.fakes import identity, negative

TILE = 16


@pytest.mark.parametrize("reduce", [1, pytest.param(2, marks=pytest.mark.slow), 5])
def test_the_change_of_a_reduced_image_is_enlarged(rng, reduce):
    images = rng.integers(0, 256, (2, 33, 24, 3), np.uint8)
    same = Cleaner(identity(3), View(TILE, reduce=reduce))
    for size in (33, 16, 1):  # what is finer than the reduced image stays as well
        np.testing.assert_array_equal(same(images[:, :size]), images[:, :size])
    flat = np.full((1, 17, 21, 1), 100, np.uint8)
    inverted = Cleaner(negative(1), View(TILE, reduce=reduce))(flat)
    np.testing.assert_array_equal(inverted, 255 - flat)
    halves = np.where(np.arange(40) < 20, 90, 150).astype(np.uint8) * np.ones((1, 20, 1), "u1")
    found = Cleaner(negative(1), View(TILE, reduce=reduce))(halves[..., None])[0, ..., 0]
    away = np.r_[: 20 - reduce, 20 + reduce : 40]  # from the edge, which is blurred
    np.testing.assert_array_equal(found.numpy()[:, away], 255 - halves[0][:, away])
