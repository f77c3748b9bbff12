import numpy as np
import pytest

from keras_gans.dscnn.statistical import _averaged, estimate_all, grey_edge, methods

LIGHT = np.array([0.8, 0.5, 0.3])
UNIT = LIGHT / np.linalg.norm(LIGHT)
FAMILY = methods((64, 64)).items()


def unit(*values):
    return np.array(values) / np.linalg.norm(values)


def grey_scene(height=48, width=56, seed=0):
    """Random grey surfaces, below the clipping level."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.uniform(0.05, 0.9, (height, width, 1)), 3, axis=-1)


@pytest.mark.parametrize("name, parameters", FAMILY)
def test_grey_surfaces_in_one_light_give_that_light(name, parameters):
    estimate = grey_edge(grey_scene() * LIGHT, **parameters)
    np.testing.assert_allclose(estimate, UNIT, atol=1e-12)


@pytest.mark.parametrize("name, parameters", FAMILY)
def test_exposure_does_not_matter(name, parameters):
    image = np.random.default_rng(1).uniform(0.1, 0.9, (40, 40, 3))
    np.testing.assert_allclose(
        grey_edge(image, **parameters), grey_edge(image * 1e-3, **parameters), atol=1e-12
    )


@pytest.mark.parametrize("name, parameters", FAMILY)
def test_a_coloured_light_scales_the_channels_of_the_estimate(name, parameters):
    # von Kries: every member commutes with a gain per channel
    image = np.random.default_rng(2).uniform(0.1, 0.9, (40, 40, 3))
    expected = grey_edge(image, **parameters) * LIGHT
    estimate = grey_edge(image * LIGHT, **parameters)
    np.testing.assert_allclose(estimate, expected / np.linalg.norm(expected), atol=1e-12)


def test_uniform_picture():
    image = np.broadcast_to(LIGHT, (32, 32, 3))
    for name, parameters in FAMILY:
        expected = unit(1, 1, 1) if parameters["order"] else UNIT
        np.testing.assert_allclose(grey_edge(image, **parameters), expected, atol=1e-12)


def test_minkowski_norms_by_hand():
    image = np.array([[[0.1, 0.2, 0.4], [0.3, 0.2, 0.0]]])
    # p = 1: the means 0.2, 0.2, 0.2
    np.testing.assert_allclose(grey_edge(image), unit(1, 1, 1), atol=1e-12)
    # p = 2: the roots of (0.01 + 0.09) / 2, (0.04 + 0.04) / 2, 0.16 / 2
    expected = unit(*np.sqrt([0.05, 0.04, 0.08]))
    np.testing.assert_allclose(grey_edge(image, norm=2), expected, atol=1e-12)
    # p = infinity: the largest 0.3, 0.2, 0.4
    estimate = grey_edge(image, norm=np.inf)
    np.testing.assert_allclose(estimate, unit(0.3, 0.2, 0.4), atol=1e-12)


def test_first_order_on_ramps():
    # slopes 1, 2 and 4 along x; a level of any height is no edge
    x = np.arange(40)[None, :, None] * np.array([1, 2, 4]) / 400
    image = np.broadcast_to(x + [0.3, 0.2, 0.1], (40, 40, 3))
    for norm in (1, 5, np.inf):
        estimate = grey_edge(image, order=1, norm=norm, sigma=1.0)
        np.testing.assert_allclose(estimate, unit(1, 2, 4), atol=1e-12)


def test_first_order_adds_the_directions_by_pythagoras():
    # inside: red rises 3 along x and 4 along y (5 in all), green 5 along x, blue 5 along y
    y, x = np.mgrid[:40, :40] / 400
    image = np.stack([3 * x + 4 * y, 5 * x, 5 * y], axis=-1) + 0.01
    estimate = grey_edge(image, order=1, norm=np.inf, sigma=1.0)
    np.testing.assert_allclose(estimate, unit(1, 1, 1), atol=1e-9)


def test_second_order_by_hand():
    # red x^2: fxx = 2. green x y: fxy = 1, so sqrt(4 fxy^2) = 2. blue (x^2 + y^2) / 2:
    # fxx = fyy = 1, so sqrt(2). Slopes are no second-order edge. The middle only: at the
    # border the picture is continued by its last value.
    y, x = np.mgrid[-20:21, -20:21]
    image = np.stack([x**2, x * y, (x**2 + y**2) / 2], axis=-1) / 1e3 + 0.42
    frame = np.zeros((101, 101, 3))
    frame[30:71, 30:71] = image  # zero around: blanked, with what the filter spreads
    estimate = grey_edge(frame, order=2, norm=np.inf, sigma=1.0)
    np.testing.assert_allclose(estimate, unit(2, 2, np.sqrt(2)), atol=1e-9)


def test_a_step_counts_by_its_height():
    image = np.full((32, 32, 3), 0.1)
    image[:, 16:] += [0.3, 0.2, 0.1]
    for order in (1, 2):
        estimate = grey_edge(image, order=order, norm=5, sigma=1.0)
        np.testing.assert_allclose(estimate, unit(3, 2, 1), atol=1e-12)


@pytest.mark.parametrize("name, parameters", FAMILY)
def test_a_blanked_chart_has_no_influence(name, parameters):
    image = grey_scene() * LIGHT
    image[10:20, 15:30] *= [0.1, 1, 1.5]  # a chart of another colour
    image[10:20, 15:30] = 0
    np.testing.assert_allclose(grey_edge(image, **parameters), UNIT, atol=1e-12)


@pytest.mark.parametrize("name, parameters", FAMILY)
def test_clipped_pixels_have_no_influence(name, parameters):
    image = grey_scene() * LIGHT
    image[5:8, 5:9] = 1.0
    np.testing.assert_allclose(grey_edge(image, **parameters), UNIT, atol=1e-12)
    off = grey_edge(image, **parameters, saturation=np.inf)
    assert not np.allclose(off, UNIT, atol=1e-3)


def test_when_everything_is_clipped_or_near_it_the_rule_is_relaxed():
    image = np.ones((16, 16, 3)) * [1, 0.5, 0.25]
    np.testing.assert_allclose(grey_edge(image), unit(4, 2, 1), atol=1e-12)
    image = np.zeros((16, 16, 3))
    image[8, 8] = [0.4, 0.2, 0.1]  # one pixel: the blanked ones reach it from all sides
    estimate = grey_edge(image, order=1, norm=5, sigma=1.0)
    np.testing.assert_allclose(estimate, unit(1, 1, 1), atol=1e-12)
    np.testing.assert_allclose(grey_edge(image, sigma=1.0), unit(4, 2, 1), atol=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(order=3), "order=3"),
        (dict(norm=0.5), "norm=0.5"),
        (dict(norm=np.nan), "norm=nan"),
        (dict(sigma=-1), "sigma=-1"),
        (dict(order=1, sigma=0), "order=1, sigma=0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        grey_edge(grey_scene(), **arguments)


def test_pictures_are_checked():
    with pytest.raises(ValueError, match="all black"):
        grey_edge(np.zeros((8, 8, 3)))
    with pytest.raises(ValueError, match="NaN"):
        grey_edge(np.full((8, 8, 3), np.nan))
    with pytest.raises(ValueError, match="shape"):
        grey_edge(np.ones((8, 8)))


def test_estimate_all_takes_pictures_of_any_sizes_once():
    scenes = [grey_scene(48, 56) * LIGHT, grey_scene(64, 40, seed=3) * LIGHT[::-1]]
    estimates = estimate_all(iter(scenes))
    assert list(estimates) == [name for name, _ in FAMILY]
    for values in estimates.values():
        np.testing.assert_allclose(values, [UNIT, UNIT[::-1]], atol=1e-12)


def test_sigma_fits_the_picture():
    assert methods((64, 64, 3))["grey-edge-1"]["sigma"] == 1
    assert methods((1359, 2041))["grey-edge-1"]["sigma"] == 2


def test_large_pictures_are_averaged_in_blocks_without_blanked_or_clipped_pixels():
    image = np.full((8, 1024, 3), [0.2, 0.4, 0.1])
    image[0, 0] = 0  # blanks its block
    image[2, 2] = [1.0, 0.5, 0.5]  # clips its block
    small = _averaged(image, 2)
    assert small.shape == (4, 512, 3)
    assert not small[0, 0].any()
    np.testing.assert_allclose(small[1, 1], [1.0, 0.425, 0.2])
    np.testing.assert_allclose(small[2, 2], [0.2, 0.4, 0.1])
    expected = np.array([0.2, 0.4, 0.1]) / np.linalg.norm([0.2, 0.4, 0.1])
    for name, light in estimate_all([image]).items():
        if not name.startswith("grey-edge"):  # a flat picture has no edges
            np.testing.assert_allclose(light[0], expected, rtol=1e-5, err_msg=name)
