import keras
import numpy as np
import pytest

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration, detect
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.defectgan.flatten import chosen_radius, flattened, flattened_surfaces
from keras_gans.defectgan.lite import WHOLE
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.defectgan.view import View
from tests.defectgan.fakes import trained_on


@pytest.fixture
def texture():
    """Noise of standard deviation 10 around 100, uint8 (1, 60, 50, 1)."""
    noise = np.random.default_rng(0).normal(100, 10, (1, 60, 50, 1))
    return noise.round().astype(np.uint8)


def near(place, radius):
    return slice(max(place - radius, 0), place + radius + 1)


def local_mean(values, radius):
    """Means over the part of each square that lies inside, twice, written out."""
    for _ in range(2):
        values = np.array(
            [
                [
                    values[near(y, radius), near(x, radius)].mean(axis=(0, 1))
                    for x in range(values.shape[1])
                ]
                for y in range(values.shape[0])
            ]
        )
    return values


def test_the_formula_in_colour():
    images = np.random.default_rng(1).integers(0, 256, (2, 11, 14, 3), np.uint8)
    flat, scale = flattened(images, 3)
    for number, image in enumerate(images.astype(float)):
        rest = image - local_mean(image, 3)
        deviation = np.sqrt(local_mean((rest**2).mean(axis=-1, keepdims=True), 3))
        np.testing.assert_allclose(scale[number], (deviation + 2) / 32, rtol=1e-4)
        expected = np.full(image.shape, 128.0)
        inside = np.s_[1:-1, 1:-1]
        expected[inside] += (32 * rest / (deviation + 2))[inside]
        expected = np.clip(expected, 0, 255)
        np.testing.assert_allclose(flat[number], expected, atol=0.51)


def test_exposure_and_shading_vanish_and_a_mark_stays(texture):
    marked = texture.copy()
    marked[0, 30:34, 20:24] = 40
    plain = flattened(marked, 8)[0].numpy().astype(int)
    slope = np.linspace(0, 40, 50, dtype=int)[:, None]
    lit = np.clip(marked * 1.3 + slope - 20, 0, 255).astype(np.uint8)
    again = flattened(lit, 8)[0].numpy().astype(int)
    assert np.abs(again - plain).mean() < 6  # 60 grey levels before
    for found in (plain, again):
        assert abs(found.mean() - 128) < 3
        assert found[0, 31:33, 21:23].max() < found[0, 45:].min()


def test_a_constant_image_is_neutral():
    flat, scale = flattened(np.full((1, 9, 7, 1), 200, np.uint8), 4)
    assert (flat.numpy() == 128).all()
    np.testing.assert_allclose(scale, 2 / 32)


def test_all_of_an_image(texture):
    flat, scale = flattened(texture, WHOLE)
    deviation = texture.std()
    expected = 128 + 32 * (texture - texture.mean()) / (deviation + 2)
    np.testing.assert_allclose(flat, np.clip(expected, 0, 255), atol=0.51)
    np.testing.assert_allclose(scale, np.full((1, 60, 50, 1), (deviation + 2) / 32), rtol=1e-4)


def test_light_is_taken_off_where_it_varies_more_than_the_texture(texture):
    slope = np.linspace(0, 100, 240)[:, None, None]
    lit = np.clip(np.tile(texture[0], (4, 1, 1)) + slope, 0, 255).astype(np.uint8)
    assert chosen_radius(trained_on([texture[0]])) == WHOLE
    assert chosen_radius(trained_on([lit] * 3, [texture[0]] * 5)) == 16


def test_surfaces_are_flattened_alone(texture):
    second = np.dstack([texture[0, :20, :30]])
    surfaces = Surfaces(
        "noise", [texture[0], second], np.array([True, False]), [None, None], ["a", ""],
        np.array([True, False]), ["1", "2"],
    )  # fmt: skip
    flat = flattened_surfaces(surfaces, 5)
    for image, before in zip(flat.images, surfaces.images):
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, flattened(before[None], 5)[0][0])
    assert flat.types == surfaces.types and flat.train is surfaces.train


@pytest.mark.parametrize("reduce", [1, 2])
def test_the_detector_flattens_as_training_does(texture, reduce):
    """Differences of flattened images, a cleaned image in the light it was taken in."""
    images = keras.Input((None, None, 1))
    generator = keras.Model(images, keras.ops.maximum(images, -0.3))  # dark marks go
    calibration = Calibration(bias=0.5, threshold=5, peak=9, share=0.5)
    marked = texture.copy()
    marked[0, 30:34, 20:24] = 60
    cleaner = Cleaner(generator, View(16, reduce=reduce, flatten=8))
    graph = build_detection_graph(cleaner, calibration)
    result = {name: value.numpy()[0] for name, value in graph(marked).items()}
    flat, scale = (np.asarray(values)[0] for values in flattened(marked, 8))
    found = detect(cleaner, flat, calibration)
    np.testing.assert_array_equal(result["difference"], found.difference)
    np.testing.assert_array_equal(result["mask"], 255 * found.mask)
    assert result["score"] == found.score
    assert found.mask[31:33, 21:23].all()
    change = found.cleaned.astype(float) - flat
    np.testing.assert_allclose(result["cleaned"], marked[0] + change * scale, atol=0.51)
    assert result["cleaned"][31:33, 21:23].mean() > 70
