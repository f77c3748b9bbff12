import numpy as np
import pytest

from keras_gans.defectgan.drawn_defects import KINDS, spoil, with_drawn_defects
from keras_gans.defectgan.synthetic import Threads


def textures(count, shape, seed=0):
    return list(np.random.default_rng(seed).integers(120, 136, (count, *shape), np.uint8))


@pytest.mark.parametrize("shape", [(200, 300, 1), (90, 400, 3), (40, 33, 1)])
def test_windows_of_good_images_with_a_defect_in_a_part(shape):
    images = textures(3, shape)
    windows = with_drawn_defects(images, 12, 128, seed=4)
    assert len(windows) == 12
    for window in windows:
        assert window.shape == (min(shape[0], 128), min(shape[1], 128), shape[2])
        changed = (window < 115) | (window > 141)
        assert 0 < changed.mean() < 0.6
        assert (changed.any(axis=2) == changed.all(axis=2)).mean() > 0.95  # grey marks
    again = with_drawn_defects(images, 12, 128, seed=4)
    assert all(map(np.array_equal, windows, again))
    other = with_drawn_defects(images, 12, 128, seed=5)
    assert not any(map(np.array_equal, windows, other))
    assert with_drawn_defects(images, 0, 128, seed=4) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_is_where_the_surface_changed(kind):
    image = textures(1, (96, 96))[0].astype(np.float32)
    for seed in range(5):
        spoiled, mask = spoil(np.random.default_rng(seed), kind, image, Threads(1.0, 6.0, 0.5))
        change = np.abs(spoiled - image)
        assert mask.any() and change[mask].mean() > 10
        assert change[~mask].mean() < change[mask].mean() / 4
