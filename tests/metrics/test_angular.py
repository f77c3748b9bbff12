import numpy as np
import pytest

from keras_gans.metrics.angular import angular_errors, angular_statistics


def test_angular_errors_by_hand():
    errors = angular_errors([[1, 0, 0], [1, 1, 1]], [[1, 1, 0], [2, 2, 2]])
    np.testing.assert_allclose(errors, [45, 0], atol=1e-9)


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
