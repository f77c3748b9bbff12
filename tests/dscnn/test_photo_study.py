import numpy as np
import pytest
from PIL import Image

from keras_gans.data.srgb import srgb_to_linear
from keras_gans.dscnn.lite import scene_light
from keras_gans.dscnn.photo_casts import sources_of
from keras_gans.metrics.angular import angular_errors
from studies.dscnn_photos import (
    colour_of_grey,
    held_out_pictures,
    opencv_lights,
    rendered,
    run,
)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(20):
        blocks = rng.integers(20, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(12, 0).repeat(12, 1)).save(tmp_path / f"{number:02}.png")
    return tmp_path


def test_held_out_pictures_are_the_last_fifth(folder):
    pictures = held_out_pictures([folder], 3)
    assert [source.name for _, source, _ in pictures] == ["16.png", "17.png", "19.png"]


def test_pictures_are_rendered_as_asked(folder):
    source = sources_of(folder)[0]
    picture = source.read()
    rng = np.random.default_rng(0)
    file, light = rendered(source, picture, rng, cast=False, quality=0, side=128)
    assert file.shape == (128, 192, 3)
    np.testing.assert_allclose(light, 3**-0.5)
    file, light = rendered(source, picture, rng, cast=True)
    assert 96 <= min(file.shape[:2]) <= 2000
    assert angular_errors([light], [[1, 1, 1]])[0] > 0.1


def test_the_colour_that_becomes_grey():
    before = np.random.default_rng(0).integers(30, 200, (64, 64, 3))
    after = before * [0.8, 1.0, 1.25] + [5, 0, -5]
    colour = colour_of_grey(before.astype(np.uint8), np.clip(after, 0, 255).astype(np.uint8))
    expected = srgb_to_linear((118 - np.array([5, 0, -5])) / [0.8, 1.0, 1.25] / 255)
    assert angular_errors([colour], [expected])[0] < 0.5
    flat = np.full((8, 8, 3), 90, np.uint8)
    np.testing.assert_allclose(colour_of_grey(flat, flat), 3**-0.5)


def test_opencv_grey_world_turns_a_cast_grey():
    pytest.importorskip("cv2.xphoto", reason="opencv-contrib-python-headless")
    grey = np.random.default_rng(0).uniform(40, 180, (64, 64, 1))
    file = (grey * [1.2, 1, 0.7]).astype(np.uint8)
    lights = opencv_lights(file)
    expected = srgb_to_linear(np.array([1.2, 1, 0.7]) * 118 / 255)
    assert angular_errors([lights["GrayworldWB"]], [expected])[0] < 2


def test_eight_views_are_each_seen_once():
    image = np.arange(12.0).reshape(2, 2, 3)
    seen = []

    def local_map(view):
        seen.append(view.tobytes())
        return view[:1, :1]

    light, _ = scene_light(local_map, image)
    assert len(set(seen)) == 8
    expected = image.mean(axis=(0, 1))
    np.testing.assert_allclose(light, expected / np.linalg.norm(expected))


def test_tables(folder, capsys, monkeypatch):
    monkeypatch.setattr("studies.dscnn_photos.SIDES", (96,))
    monkeypatch.setattr("studies.dscnn_photos.QUALITIES", (75,))
    monkeypatch.setattr("studies.dscnn_photos.LARGEST", 200)

    def white(thumbnails):
        assert thumbnails.shape[1:] == (64, 64, 3)
        return {"DSCNN": np.ones((len(thumbnails), 3))}

    run(held_out_pictures([folder], 4), white, 0)
    output = capsys.readouterr().out
    for line in ("4 held-out photos under a cast", "the same photos without a cast"):
        assert line in output
    for row in (
        "DSCNN",
        "grey-edge-2",
        "JPEG 75, 256 ",
        "PNG, 256",
        "JPEG 85, 96 pixels",
    ):
        assert row in output
