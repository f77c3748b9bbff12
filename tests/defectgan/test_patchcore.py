import keras
import numpy as np
import pytest

from keras_gans.defectgan import patchcore
from keras_gans.defectgan.patchcore import (
    PatchCore,
    Settings,
    coreset,
    enlargement,
    patchcore_detectors,
)
from keras_gans.errors import InputError


@pytest.fixture(autouse=True)
def means(monkeypatch):
    """Stands for the trained network: the mean colours of 8x8 pixels."""
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.AveragePooling2D(8)(images))
    monkeypatch.setattr(patchcore, "patch_network", lambda: network)


def surface(seed, spot=False):
    image = np.random.default_rng(seed).integers(90, 110, (215, 230, 1), np.uint8)
    if spot:
        image[96:128, 40:64] = 255
    return image


def test_a_spot_is_found_and_good_images_pass():
    settings = Settings(patches=2000, sigma=2.0)
    (detector,) = patchcore_detectors([surface(seed) for seed in range(10)], settings)
    found, good = detector(surface(20, spot=True)), detector(surface(21))
    assert list(found) == ["PatchCore", "PatchCore, 80%"]
    for one in found.values():
        assert one.judged and one.mask.shape == one.heat.shape == (215, 230)
        assert one.mask[104:120, 46:58].all()
    rows, columns = np.nonzero(found["PatchCore, 80%"].mask)
    assert 85 < rows.min() and rows.max() < 140 and 30 < columns.min() < columns.max() < 75
    assert found["PatchCore"].score > 10 * good["PatchCore"].score
    assert good["PatchCore"].mask.mean() < 0.02


def test_distances_to_what_is_remembered():
    memory = PatchCore([surface(0)], Settings(patches=10**6, share=1.0, sigma=0.0))
    assert memory.memory.shape == (28 * 30, 3)  # 224x240 pixels with the mirror image
    values, score = memory(surface(0))
    assert values.shape == (215, 230) and values.max() < 0.1 and score < 0.1
    with pytest.raises(InputError, match="no"):
        PatchCore([])


def test_the_coreset_is_spread():
    rng = np.random.default_rng(0)
    centres = 100 * np.eye(4, 6)
    vectors = np.repeat(centres, [500, 5, 5, 1], axis=0) + rng.normal(size=(511, 6))
    chosen = coreset(vectors.astype(np.float32), 4)
    assert sorted(vectors[chosen].argmax(axis=1)) == [0, 1, 2, 3]
    assert len(set(coreset(vectors.astype(np.float32), 511))) == 511


def test_small_images_are_enlarged():
    for side, factor in ((96, 2), (250, 1), (32, 8), (1000, 1)):
        assert enlargement([np.zeros((side, 2 * side, 1), np.uint8)]) == factor
