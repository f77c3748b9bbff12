import numpy as np
import pytest

from keras_gans.defectgan import pictures
from keras_gans.errors import InputError
from tests.defectgan.fakes import pixels_of


def test_panel_rows_fits_pictures_into_squares(tmp_path):
    path = tmp_path / "grid.png"
    row = [
        np.full((10, 20), 40, np.uint8),
        np.full((30, 15, 1), 50, np.uint8),
        np.ones((2, 2), bool),
        np.array([[10.0, 100.0]]),
    ]
    pictures.panel_rows(path, ["wide", "high", "mask", "difference"], [row, row], side=20)
    picture = pixels_of(path)
    assert picture.shape == (15 + 2 * 24, 4 * 24)
    page = pictures.PAGE[0]
    for top in (15, 39):
        panels = [picture[top : top + 20, left : left + 20] for left in range(0, 96, 24)]
        assert (panels[0][5:15] == 40).all() and (panels[0][:5] == page).all()
        assert (panels[1][:, 5:15] == 50).all() and (panels[1][:, 15:] == page).all()
        assert (panels[2] == 255).all()
        assert (panels[3][5:15, :10] == 40).all() and (panels[3][5:15, 10:] == 255).all()
    assert (picture[:15] < 100).any()  # headings


def test_panel_rows_reduces_by_averaging_and_keeps_colour(tmp_path):
    path = tmp_path / "grid.png"
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[::2, :, 0] = 200
    pictures.panel_rows(path, ["stripes"], [[stripes]], ["ü 漢"], side=20)
    panel = pixels_of(path)[30:50, :20]
    np.testing.assert_array_equal(panel, np.broadcast_to([100, 0, 0], (20, 20, 3)))


def test_panel_rows_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"Received: int64 \(4, 4\)"):
        pictures.panel_rows(tmp_path / "a.png", ["x"], [[np.zeros((4, 4), np.int64)]])
    with pytest.raises(ValueError, match="zip"):
        pictures.panel_rows(tmp_path / "a.png", ["x", "y"], [[np.zeros((4, 4))]])
    with pytest.raises(InputError, match="cannot be written"):
        pictures.panel_rows(tmp_path / "no" / "a.png", ["x"], [[np.zeros((4, 4))]])
    assert not list(tmp_path.iterdir())


def test_a_thumbnail_is_shown_as_the_picture_is(tmp_path):
    rng = np.random.default_rng(0)
    pairs = [
        rng.integers(0, 256, (300, 211), np.uint8),
        rng.integers(0, 256, (17, 40, 3), np.uint8),
        rng.uniform(size=(129, 400)) < 0.5,
        rng.uniform(0, 90, (128, 500)).astype(np.float32),
    ]
    headings = list("abcd")
    pictures.panel_rows(tmp_path / "whole.png", headings, [pairs])
    small = [pictures.thumbnail(picture) for picture in pairs]
    assert max(max(picture.shape) for picture in small) == 128
    pictures.panel_rows(tmp_path / "small.png", headings, [small])
    assert (tmp_path / "whole.png").read_bytes() == (tmp_path / "small.png").read_bytes()
