"""Instance normalisation is `keras.layers.GroupNormalization(groups=-1)`.

`tfa_golden.npz` was made with tensorflow-addons 0.23.0 on tensorflow-cpu 2.15.1. There,
`InstanceNormalization` has a scale and an offset and epsilon 1e-3; the papers use 1e-5.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

GOLDEN = np.load(Path(__file__).parent / "tfa_golden.npz")


def built_layer(**kwargs):
    layer = keras.layers.GroupNormalization(groups=-1, **kwargs)
    layer.build(GOLDEN["x"].shape)
    return layer


def test_equals_tensorflow_addons():
    layer = built_layer(epsilon=float(GOLDEN["in_eps"]))
    layer.set_weights([GOLDEN["in_gamma"], GOLDEN["in_beta"]])

    np.testing.assert_allclose(layer(GOLDEN["x"]), GOLDEN["in_y"], rtol=1e-5, atol=1e-5)


def test_default_epsilon_is_that_of_tensorflow_addons_not_of_the_papers():
    assert built_layer().epsilon == pytest.approx(float(GOLDEN["in_eps"]))


@pytest.mark.parametrize("contrast", [1.0, 0.01])
def test_epsilon_of_the_papers(contrast):
    x = contrast * GOLDEN["x"].astype("float64")
    variance = x.var((1, 2), keepdims=True)
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(variance + 1e-5)

    y = built_layer(epsilon=1e-5)(x.astype("float32"))

    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def test_each_image_is_normalised_on_its_own():
    layer = built_layer(epsilon=1e-5)

    np.testing.assert_allclose(
        layer(GOLDEN["x"])[:1], layer(GOLDEN["x"][:1]), rtol=1e-5, atol=1e-6
    )
