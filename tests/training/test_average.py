import keras
import numpy as np
import pytest

from keras_gans.training.average import averaged_copy, move_average


def test_average_by_hand():
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    assert averaged_copy(network, 0.0) is network
    copy = averaged_copy(network, 0.9)
    start = np.array([[3.0]], np.float32)
    for model in (network, copy):
        model.set_weights([start])
    network.set_weights([start + 10])
    move_average(copy.weights, network.weights, 0.9, 1)  # keeps 1/10 in the first step
    np.testing.assert_allclose(copy.get_weights()[0], 3 + 9, rtol=1e-6)
    move_average(copy.weights, network.weights, 0.9, 1000)
    np.testing.assert_allclose(copy.get_weights()[0], 0.9 * 12 + 0.1 * 13, rtol=1e-6)


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_is_from_0_to_below_1(decay):
    with pytest.raises(ValueError, match="`average` must be at least 0 and below 1. Received"):
        averaged_copy(keras.Sequential(), decay)
