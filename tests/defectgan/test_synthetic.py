import numpy as np
import pytest
from scipy import ndimage

from keras_gans.defectgan.synthetic import (
    DEFECT_TYPES,
    TEXTURES,
    Threads,
    add_defect,
    draw_surface,
    photograph,
    synthetic_surfaces,
)
from keras_gans.errors import InputError


@pytest.fixture(scope="module")
def surfaces():
    return synthetic_surfaces(free=160, defective=160, size=96, seed=3)


def twins(kind, count=15, size=96):
    """(clean, defective, mask) of every texture in turn."""
    for number in range(count):
        rng = np.random.default_rng([7, number])
        clean, threads = draw_surface(rng, TEXTURES[number % len(TEXTURES)], size)
        yield clean, *add_defect(rng, clean, kind, threads)


def test_what_the_set_is(surfaces):
    assert surfaces.name == "built-in surfaces" and surfaces.channels == 1
    assert len(surfaces) == 320 and surfaces.defective.sum() == 160
    assert len(set(surfaces.names)) == 320
    for image, mask, kind, name, defective in zip(
        surfaces.images, surfaces.masks, surfaces.types, surfaces.names, surfaces.defective
    ):
        assert image.shape == (96, 96, 1) and image.dtype == np.uint8
        assert name.rsplit("/")[0] == (kind or "free")
        assert (mask is not None) == defective == (kind != "")
        if defective:
            assert mask.shape == (96, 96) and mask.dtype == bool and mask.any()
    assert [surfaces.types.count(kind) for kind in DEFECT_TYPES] == [40] * 4
    assert {"free/0000", "scratch/0007", "missing-thread/0039"} <= set(surfaces.names)


def test_an_image_is_a_function_of_seed_and_name(surfaces):
    other = synthetic_surfaces(free=2, defective=9, seed=3, types=("stain",), test_share=0.5)
    for image, mask, name in zip(other.images, other.masks, other.names):
        index = surfaces.names.index(name)
        np.testing.assert_array_equal(image, surfaces.images[index])
        np.testing.assert_array_equal(mask, surfaces.masks[index])


def test_seeds_share_no_image(surfaces):
    other = synthetic_surfaces(free=20, defective=20, seed=4)
    assert len({image.tobytes() for image in [*surfaces.images, *other.images]}) == 360


@pytest.mark.parametrize("test_share", [0.25, 0.3, 0.6])
@pytest.mark.parametrize("types", [DEFECT_TYPES, DEFECT_TYPES[2:3]])
def test_both_parts_have_every_texture_and_type(types, test_share, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "keras_gans.defectgan.synthetic.draw_surface",
        lambda rng, texture, size: drawn.append(texture) or draw_surface(rng, texture, size),
    )
    count = 21 * len(types)
    surfaces = synthetic_surfaces(21, count, size=32, test_share=test_share, types=types)
    textures = np.array(drawn)
    for part in (surfaces.train, ~surfaces.train):
        assert set(np.array(surfaces.types)[part]) == {"", *types}
        for label in (surfaces.defective, ~surfaces.defective):
            assert set(textures[part & label]) == set(TEXTURES)
    for kind in ("", *types):
        held = ~surfaces.train[[each == kind for each in surfaces.types]]
        assert held.sum() == round(21 * test_share)
    again = synthetic_surfaces(21, count, 32, 1, test_share, types)
    assert (again.train != surfaces.train).any()


@pytest.mark.parametrize("kind", DEFECT_TYPES)
def test_a_defect_changes_the_image_in_its_place_alone(kind):
    for clean, defective, mask in twins(kind):
        near = ndimage.binary_dilation(mask, iterations=8)
        np.testing.assert_array_equal(defective[~near], clean[~near])
        change = np.abs(defective - clean)
        assert change[mask].mean() > 10 and (change[mask] > 7).mean() > 0.5
        assert change[mask].mean() > 5 * change[~mask].mean()
        assert clean.dtype == defective.dtype == np.float32


def test_a_stain_is_half_its_height_at_the_edge_of_the_mask():
    for clean, defective, mask in twins("stain"):
        change = np.abs(defective - clean)
        np.testing.assert_array_equal(mask, change >= change.max() / 2)
        assert change.max() >= 15 - 1e-3


def test_a_missing_thread_lies_on_one_thread():
    threads = Threads(angle=0.0, pitch=6.0, phase=0.25)  # n + 1/2 = (x - 47.5) / 6 + 1/4
    clean = draw_surface(np.random.default_rng(0), "cast", 96)[0]
    for seed in range(5):
        _, mask = add_defect(np.random.default_rng(seed), clean, "missing-thread", threads)
        columns = np.flatnonzero(mask.sum(axis=0) > 0.5 * mask.sum(axis=0).max())
        place = (columns.mean() - 47.5) / 6 + 0.25 - 0.5
        assert 4 <= len(columns) <= 7 and place == pytest.approx(round(place), abs=0.1)


def test_a_scratch_is_thin():
    for _, _, mask in twins("scratch"):
        assert 1 <= ndimage.distance_transform_edt(np.pad(mask, 1)).max() <= 2.3


def test_areas(surfaces):
    areas = {kind: [] for kind in DEFECT_TYPES}
    for mask, kind in zip(surfaces.masks, surfaces.types):
        if kind:
            areas[kind].append(mask.mean())
    means = {kind: np.mean(values) for kind, values in areas.items()}
    assert all(0.01 < mean < 0.08 for mean in means.values())
    assert means["stain"] > 2 * means["scratch"]
    assert min(map(min, areas.values())) > 0.004


@pytest.mark.parametrize("size", [32, 64, 130])
def test_sizes(size):
    for kind in DEFECT_TYPES:
        for clean, _, mask in twins(kind, count=10, size=size):
            assert clean.shape == mask.shape == (size, size) and mask.sum() >= 3


def test_levels_tell_neither_the_label_nor_the_defect(surfaces):
    levels = np.array([image.mean() for image in surfaces.images])
    free, defective = levels[~surfaces.defective], levels[surfaces.defective]
    assert 0.4 < (free[:, None] > defective).mean() < 0.6  # area under the ROC curve
    assert 85 < levels.min() and levels.max() < 170

    pixels = np.stack(surfaces.take(surfaces.defective).images)[..., 0]
    masks = np.stack([mask for mask in surfaces.masks if mask is not None])
    for threshold in range(30, 230, 20):
        for found in (pixels < threshold, pixels > threshold):
            overlap = (found & masks).sum(axis=(1, 2)) / (found | masks).sum(axis=(1, 2))
            assert overlap.mean() < 0.2


@pytest.mark.parametrize("texture", TEXTURES)
def test_the_camera_adds_noise_and_no_bias(texture):
    rng = np.random.default_rng(0)
    clean, _ = draw_surface(rng, texture, 96)
    photo = photograph(rng, clean)
    assert photo.shape == (96, 96, 1) and photo.dtype == np.uint8
    noise = photo[..., 0] - clean
    assert abs(noise.mean()) < 0.2 and 1 < noise.std() < 4.5
    assert 8 < clean.std() < 25
    white = photograph(rng, np.full((8, 8), 400.0))
    assert (white == 255).all()


@pytest.mark.parametrize(
    "settings, received",
    [
        (dict(types=("scratch", "hole")), "types are some of .* Received: scratch, hole"),
        (dict(types=("blob", "blob")), "Received: blob, blob"),
        (dict(types=()), "types are some of scratch, blob, stain, missing-thread"),
        (dict(free=1), "at least 2 free images are needed. Received: 1"),
        (dict(defective=7), "2 defective images of each type are needed. Received: 7"),
        (dict(size=31), "size must be at least 32. Received: 31"),
        (dict(seed=-1), "seed must not be negative. Received: -1"),
        (dict(test_share=0), "test_share must be above 0 and below 1. Received: 0"),
        (dict(test_share=float("nan")), "test_share .* Received: nan"),
    ],
)
def test_bad_settings(settings, received):
    with pytest.raises(InputError, match=f"^built-in surfaces: .*{received}") as error:
        synthetic_surfaces(**settings)
    assert "\n" not in str(error.value)
