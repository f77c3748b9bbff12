from dataclasses import replace

import numpy as np
import pytest

from keras_gans.data.srgb import linear_to_srgb, srgb_to_linear
from keras_gans.dscnn.rendering import (
    GREY,
    LARGEST_CAST,
    Rendering,
    develop,
    draw_cast,
    draw_matrix,
    draw_rendering,
    save,
    tone,
    without_cast,
    without_first_traces,
)
from keras_gans.metrics.angular import angular_errors


def renderings(count, shape=(96, 96, 3)):
    return [draw_rendering(np.random.default_rng([7, i]), shape) for i in range(count)]


@pytest.fixture
def photo():
    blocks = np.random.default_rng(0).integers(20, 230, (8, 8, 3), dtype=np.uint8)
    return blocks.repeat(12, 0).repeat(12, 1)


def test_the_light_is_what_a_neutral_grey_has_in_the_file():
    ramp = np.linspace(20, 200, 96).astype(np.uint8)[:, None, None]
    ramp = ramp.repeat(96, axis=1).repeat(3, axis=2)
    for rendering in renderings(30):
        level = tone(linear_to_srgb(np.array(GREY)), rendering.contrast)
        png = replace(rendering, box=(0, 0, 1, 1), first=None, saves=())
        for picture, tolerance in ((png, 0.7), (replace(png, saves=rendering.saves), 4)):
            saved = save(ramp, picture).mean(axis=1) / 255
            found = srgb_to_linear(saved[np.abs(saved.max(axis=1) - level).argmin()])
            assert angular_errors([found], [rendering.light])[0] < tolerance


def test_without_a_cast_the_light_is_white_and_colours_stay(photo):
    for rendering in renderings(20):
        plain = without_cast(rendering)
        np.testing.assert_allclose(plain.light, 3**-0.5)
        assert replace(plain, cast=rendering.cast) == rendering  # the same in all else
        developed = develop(photo, replace(plain, exposure=1.0)).astype(int)
        assert np.abs(developed - photo).max() <= 1


def test_what_follows_the_cast_is_drawn_alike():
    drawn = renderings(1500)
    none = np.array([np.ptp(each.cast) == 0 for each in drawn])
    assert 0.29 < none.mean() < 0.38

    def same(values):
        values = np.array(values, float)
        error = values.std() * (1 / none.sum() + 1 / (~none).sum()) ** 0.5
        assert abs(values[none].mean() - values[~none].mean()) < 4 * error

    same([np.log(np.prod(each.size)) for each in drawn])
    same([each.size[0] / each.size[1] for each in drawn])
    same([each.exposure for each in drawn])
    same([each.contrast for each in drawn])
    same([each.keep_white for each in drawn])
    same([np.prod(each.box[2:]) for each in drawn])
    for times in range(3):
        same([len(each.saves) == times for each in drawn])
    once = [each.saves[0] if each.saves else (0, 0) for each in drawn]
    same([quality for quality, _ in once])
    for subsampling in range(3):
        same([each[1] == subsampling for each in once])
    same([each.first[1] for each in drawn])
    for channel in range(3):
        same([each.first[0][channel] for each in drawn])
        same([each.matrix[channel, channel] for each in drawn])


def test_sizes_and_qualities():
    for rendering in renderings(200, (300, 500, 3)):
        assert 96 <= min(rendering.size) <= 400
        assert all(60 <= quality <= 98 for quality, _ in rendering.saves)
    larger = draw_rendering(np.random.default_rng(0), (300, 500, 3), smallest=200)
    assert min(larger.size) >= 200


def test_casts_and_matrices_are_plausible():
    rng = np.random.default_rng(0)
    casts = np.array([draw_cast(rng) for _ in range(300)])
    away = angular_errors(casts, [[1, 1, 1]])
    assert away.max() <= LARGEST_CAST and away.min() < 2
    np.testing.assert_allclose(casts @ [0.2126, 0.7152, 0.0722], 1)
    for _ in range(100):
        matrix = draw_matrix(rng)
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
        assert ((1.4 <= np.diag(matrix)) & (np.diag(matrix) <= 2)).all()
        beside = matrix[~np.eye(3, dtype=bool)]
        assert beside.min() >= -0.8 and beside.max() <= 0.2
        assert np.linalg.solve(matrix, draw_cast(rng)).min() > 0  # gains


def test_white_may_stay_white(photo):
    photo[:10] = 255
    warm = Rendering(np.array([1.4, 0.95, 0.4]), draw_matrix(np.random.default_rng(1)))
    assert np.ptp(develop(photo, warm)[:10], axis=-1).max() > 20
    assert (develop(photo, replace(warm, keep_white=True))[:10] == 255).all()


def test_tone_curve():
    levels = np.linspace(0, 1, 11)
    np.testing.assert_array_equal(tone(levels, 0), levels)
    curved = tone(levels, 0.4)
    np.testing.assert_allclose(curved[[0, 5, 10]], [0, 0.5, 1])
    assert (np.diff(curved) > 0).all() and curved[2] < levels[2] and curved[8] > levels[8]


def test_first_traces_take_another_colour():
    """Detail in grey alone, as of a JPEG, has another colour after it: not the cast's."""
    detail = np.random.default_rng(0).integers(90, 130, (96, 96, 1)).repeat(3, axis=2)
    colours = np.array([1.0, 0.7, 0.4])
    other = without_first_traces(detail.astype(np.uint8), colours, 95)
    assert np.abs(other.mean(axis=(0, 1)) - detail.mean()).max() < 1  # the same on the whole
    strength = other.std(axis=(0, 1))
    np.testing.assert_allclose(
        strength / strength[0], (colours / colours[0]) ** (-1 / 2.2), rtol=0.05
    )


def test_a_rendering_is_saved_as_it_says(photo):
    rendering = renderings(1)[0]
    for saves in ((), ((70, 2),), ((70, 2), (90, 0))):
        saved = save(photo, replace(rendering, saves=saves))
        assert saved.shape == (rendering.size[1], rendering.size[0], 3)
        assert saved.dtype == np.uint8
        np.testing.assert_array_equal(saved, save(photo, replace(rendering, saves=saves)))
