import numpy as np
import pytest
import scipy.linalg

from keras_gans.metrics.frechet import Moments, frechet_distance, kid, moments


def normal(count, size, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) @ rng.normal(size=(size, size)) * scale + rng.normal(
        size=size
    )


def through_sqrtm(real, fake):
    """The formula as it stands, with scipy's matrix square root."""
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    difference = real.mean(axis=0) - fake.mean(axis=0)
    return difference @ difference + np.trace(first + second - 2 * root)


def test_known_distances():
    size = 6
    eye, zero = np.eye(size), np.zeros(size)
    unit = Moments(100, zero, eye)
    assert frechet_distance(unit, unit) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(unit, Moments(9, zero + 2, eye)) == pytest.approx(4 * size)
    # covariances a I and b I: D (sqrt a - sqrt b)^2
    assert frechet_distance(unit, Moments(9, zero, 9 * eye)) == pytest.approx(4 * size)
    # that commute: the sum of (s_i - t_i)^2 over the axes, in any basis
    basis = scipy.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))[0]
    s, t = np.arange(1, size + 1), np.array([3, 1, 0, 2, 7, 0.5])
    first, second = ((basis * each**2) @ basis.T for each in (s, t))
    expected = ((s - t) ** 2).sum()
    got = frechet_distance(Moments(9, zero, first), Moments(9, zero, second))
    # the root of the eigenvalue 0, known to 1e-15, is known to 3e-8
    assert got == pytest.approx(expected, abs=1e-6)


def test_normal_vectors_reach_the_distance_of_their_distributions():
    rng = np.random.default_rng(1)
    real = rng.normal(size=(20_000, 3)) * [1, 2, 3]
    fake = rng.normal(size=(20_000, 3)) * [2, 2, 1] + [0, 0.5, 0]
    assert frechet_distance(real, fake) == pytest.approx(1 + 4 + 0.25, rel=0.03)


@pytest.mark.parametrize("counts", [(60, 80), (200, 12), (12, 200), (10, 11), (21, 300)])
def test_it_equals_the_formula_with_scipys_root(counts):
    real, fake = normal(counts[0], 20, 0), normal(counts[1], 20, 1, scale=0.7)
    expected = through_sqrtm(real, fake)
    # a singular product has no exact root: scipy's is good to about 1e-7 there
    tolerance = 1e-9 if min(counts) > 20 else 1e-5
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=tolerance)
    assert frechet_distance(fake, real) == pytest.approx(expected, rel=tolerance)


def test_both_ways_to_the_root_agree():
    real, fake = normal(15, 20, 2), normal(40, 20, 3)
    few = frechet_distance(real, fake)
    assert frechet_distance(moments(real), moments(fake)) == pytest.approx(few, rel=1e-6)
    assert frechet_distance(moments(real), fake) == pytest.approx(few, rel=1e-6)


def test_equal_sets_have_no_distance():
    for count in (10, 50):
        real = normal(count, 20, 4)
        scale = np.trace(np.cov(real, rowvar=False))
        assert 0 <= frechet_distance(real, real[::-1]) < 1e-12 * scale


def test_moments_do_not_depend_on_batches():
    features = np.random.default_rng(5).normal(size=(103, 4)) + 1e6  # float32 would lose these
    whole = moments(features)
    assert whole.count == 103
    np.testing.assert_allclose(whole.mean, features.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(whole.covariance, np.cov(features, rowvar=False), rtol=1e-8)
    for size in (1, 10, 102):
        parts = moments(features[i : i + size] for i in range(0, 103, size))
        assert parts.count == 103
        np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)
        np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-8, atol=1e-10)


def test_kid_by_hand():
    # D = 1: k(x, y) = (x y + 1)^3. Real 0, 1; fake 2, 0.
    # off the diagonal: k(0, 1) = 1, k(2, 0) = 1; across: k(0, 2) = k(0, 0) = k(1, 0) = 1,
    # k(1, 2) = 27. So 1 + 1 - 2 (1 + 1 + 27 + 1) / 4
    value, std = kid(np.array([[0.0], [1.0]]), np.array([[2.0], [0.0]]))
    assert value == pytest.approx(2 - 15) and std == 0


def test_kid_has_no_bias():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 400, 8))
    value, std = kid(real, fake, subsets=200, subset_size=50)
    assert std > 0.05 and abs(value) < 0.03
    assert kid(real, fake + 1, subsets=20, subset_size=50)[0] > 1
    # the expected value is that of all pairs, whatever the size of the subsets
    all_pairs = kid(real, fake + 1)[0]
    assert kid(real, fake + 1, subsets=200, subset_size=50)[0] == pytest.approx(all_pairs, 0.1)


def test_kid_is_a_function_of_the_seed():
    real, fake = np.random.default_rng(0).normal(size=(2, 60, 3))
    first, again, other = (kid(real, fake, 3, 20, seed) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (np.ones((5, 3)), np.ones((5, 2))),
        (np.ones((1, 3)), np.ones((5, 3))),
        (np.ones(5), np.ones(5)),
        (np.full((5, 3), np.nan), np.ones((5, 3))),
        (np.ones((5, 0)), np.ones((5, 0))),
    ],
)
def test_what_is_refused(real, fake):
    for distance in (frechet_distance, kid):
        with pytest.raises(ValueError, match="Received: "):
            distance(real, fake)
    with pytest.raises(ValueError, match="At least two"):
        moments(np.ones((1, 3)))


def test_kid_looks_at_all_features():
    real = np.random.default_rng(0).normal(size=(900, 3))
    real[777] = np.inf
    with pytest.raises(ValueError, match="finite"):
        kid(np.ones((9, 3)), real, subsets=1, subset_size=2)
