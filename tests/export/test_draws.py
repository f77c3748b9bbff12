import numpy as np
import pytest

from keras_gans.export.draws import label_number, latent_vector
from keras_gans.export.generator import draw_label, draw_latent


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 3, 2**63 - 1])
@pytest.mark.parametrize("number", [0, 3, 2**33 + 1])
def test_the_numbers_of_tensorflow(seed, number):
    for latent in (1, 6, 101):
        expected = draw_latent(seed, number, latent)
        np.testing.assert_array_equal(latent_vector(seed, number, latent, "uniform"), expected)
        expected = draw_latent(seed, number, latent, "normal")
        found = latent_vector(seed, number, latent, "normal")
        np.testing.assert_allclose(found, expected, atol=2e-6)
    for classes in (2, 10):
        assert label_number(seed, number, classes) == draw_label(seed, number, classes)
