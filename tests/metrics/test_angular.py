import numpy as np
import pytest

from keras_gans.metrics.angular import angular_errors, angular_statistics


def test_angular_errors_by_hand():
    errors = angular_errors([[1, 0, 0], [1, 1, 1]], [[1, 1, 0], [2, 2, 2]])
    np.testing.assert_allclose(errors, [45, 0], atol=1e-9)


def test_angular_errors_of_shapes_that_fit():
    assert angular_errors(np.ones((4, 1, 3)), np.ones((1, 2, 3))).shape == (4, 2)
    assert angular_errors(np.ones((0, 3)), np.ones((0, 3))).shape == (0,)
    assert angular_errors([1, 0, 0], [0, 2, 0]) == 90


@pytest.mark.parametrize(
    ("true", "pred"),
    [
        (np.ones((4, 2)), np.ones((4, 2))),
        (np.ones((4, 1)), np.ones((4, 3))),
        (np.ones((4, 3)), np.ones((3, 3))),
        (1, np.ones(3)),
        ([[1, 1, 1]], [[np.nan, 1, 1]]),
        ([[1, np.inf, 1]], [[1, 1, 1]]),
        ([[1, 1, 1], [1, 1, 1]], [[1, 1, 1], [0, 0, 0]]),
    ],
)
def test_angular_errors_refuse(true, pred):
    with pytest.raises(ValueError, match="vectors must be .* Received"):
        angular_errors(true, pred)


def test_statistics_by_hand():
    statistics = angular_statistics([8, 1, 2, 3, 4, 5, 6, 7])
    assert statistics["mean"] == 4.5
    assert statistics["median"] == 4.5
    # quartiles by linear interpolation: 2.75, 4.5, 6.25
    assert statistics["trimean"] == (2.75 + 2 * 4.5 + 6.25) / 4
    assert statistics["best25"] == 1.5
    assert statistics["worst25"] == 7.5
    assert statistics["p95"] == pytest.approx(7.65)


@pytest.mark.parametrize("errors", [[], [1.0, np.nan]])
def test_statistics_refuse(errors):
    with pytest.raises(ValueError, match="finite and not empty"):
        angular_statistics(errors)
