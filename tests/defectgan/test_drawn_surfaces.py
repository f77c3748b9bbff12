import numpy as np
import pytest
from scipy import ndimage

from keras_gans.defectgan.datasets import load_surfaces
from keras_gans.defectgan.drawn_defects import KINDS, spoil
from studies import drawn_surfaces
from studies.drawn_surfaces import (
    DrawnConfig,
    main,
    mixed_pictures_of,
    mixed_surface,
    pictures_of,
)


def test_faults_and_cracks_lie_where_the_masks_are():
    for number in range(6):
        pictures = {(name, kind): levels for name, kind, levels in pictures_of(0, number)}
        board, mask = pictures["boards", "negative"], pictures["boards", "masks"] > 0
        assert set(np.unique(board)) == {0, 255}
        assert 0 < mask.mean() < 0.02 and not mask[:2].any()
        road, crack = pictures["roads", "negative"], pictures["roads", "masks"] > 0
        assert 0 < crack.mean() < 0.1
        assert road[crack].mean() < road[~crack].mean() - 20


def test_a_picture_is_a_function_of_its_part_and_number():
    first, again, other = (list(pictures_of(0, number)) for number in (1, 1, 2))
    for one, two, three in zip(first, again, other):
        np.testing.assert_array_equal(one[2], two[2])
        assert not np.array_equal(one[2], three[2])


def test_the_mixed_defects_lie_where_the_masks_are():
    for number in range(2 * len(KINDS)):
        pictures = {kind.split("/")[0]: levels for kind, levels in mixed_pictures_of(0, number)}
        assert pictures["positive"].shape == pictures["negative"].shape == (160, 160)
        assert 0 < (pictures["masks"] > 0).mean() < 0.2
        rng = np.random.default_rng(number)
        surface, threads = mixed_surface(rng)
        kind = KINDS[number % len(KINDS)]
        spoiled, mask = spoil(rng, kind, surface, threads)
        change = np.abs(spoiled - surface)
        assert np.median(change[mask]) > 10
        assert change[~ndimage.binary_dilation(mask, iterations=8)].max() < 1


@pytest.mark.parametrize("name", ["boards", "roads", "mixed"])
def test_the_folders_are_read_as_surfaces(tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(drawn_surfaces, "PARTS", {"train": 3, "test": 1})
    monkeypatch.setattr(drawn_surfaces, "MIXED_PARTS", {"train": 3, "test": 1})
    main(DrawnConfig(tmp_path))
    surfaces = load_surfaces(tmp_path / name)
    assert (len(surfaces), surfaces.train.sum(), surfaces.defective.sum()) == (8, 6, 4)
    assert all(mask is not None for mask, bad in zip(surfaces.masks, surfaces.defective) if bad)
