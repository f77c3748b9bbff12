import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.pipeline import step_dataset
from keras_gans.dscnn.config import Augmentation
from keras_gans.dscnn.data import (
    Patches,
    cut_patches,
    draw_patches,
    evaluation_batches,
    halved,
    split_patches,
    training_batches,
)
from keras_gans.dscnn.scenes import Scenes
from keras_gans.errors import InputError
from keras_gans.metrics.angular import angular_errors


def batches_of(patches, batch_size, steps, seed, augmentation=None, first_step=0):
    batch = training_batches(patches, batch_size, seed, augmentation)
    return step_dataset(batch, first_step, steps)


def scenes_of(images):
    count = len(images)
    lights = np.random.default_rng(0).uniform(0.3, 1, (count, 3)).astype(np.float32)
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    return Scenes(
        "made", images, lights, np.arange(count) % 3, np.array(["a", "b"] * count)[:count],
        np.full(count, "made"), [f"scene-{i}" for i in range(count)],
    )  # fmt: skip


def grey_world_patches(count=12, size=16):
    """Flat patches of exactly their light's colour, so that labels can be checked."""
    scenes = scenes_of([np.zeros((size, size, 3))] * count)
    pixels = scenes.illuminants[:, None, None] * np.ones((1, size, size, 1)) * 0.5
    cameras = np.arange(count, dtype=np.int32) % 2
    return Patches(np.round(pixels * 65535).astype(np.uint16), scenes.illuminants, cameras)


def test_cut_patches_keeps_order_and_drops_the_rest():
    image = np.arange(5 * 7 * 3).reshape(5, 7, 3)
    patches = cut_patches(image, 2)
    assert patches.shape == (2, 3, 2, 2, 3)
    np.testing.assert_array_equal(patches[1, 2], image[2:4, 4:6])


def test_draw_patches_takes_evenly_without_repeats():
    rng = np.random.default_rng(0)
    scenes = scenes_of([rng.uniform(0.1, 1, (64, 96, 3)).astype(np.float32) for _ in range(4)])
    patches = draw_patches(scenes, [0, 2, 3], count=18, size=16, seed=1)
    assert len(patches) == 18
    assert len(np.unique(patches.pixels, axis=0)) == 18
    for index in (0, 2, 3):
        assert np.isclose(patches.illuminants, scenes.illuminants[index]).all(1).sum() == 6
    again = draw_patches(scenes, [0, 2, 3], count=18, size=16, seed=1)
    other = draw_patches(scenes, [0, 2, 3], count=18, size=16, seed=2)
    np.testing.assert_array_equal(patches.pixels, again.pixels)
    assert not np.array_equal(patches.pixels, other.pixels)


def test_draw_patches_leaves_out_blanked_ones():
    image = np.full((32, 32, 3), 0.5, np.float32)
    image[:16, :16] = 0
    patches = draw_patches(scenes_of([image]), [0], count=100, size=16, seed=0)
    assert len(patches) == 3
    assert (patches.pixels > 0).all()


def test_draw_patches_names_a_scene_that_is_too_small():
    with pytest.raises(InputError, match="scene-1: the image is 40x15"):
        draw_patches(scenes_of([np.ones((16, 16, 3)), np.ones((15, 40, 3))]), [0, 1], 9, 16, 0)


def test_draw_patches_refuses_a_black_set():
    with pytest.raises(InputError, match="no patch of 16x16 has light"):
        draw_patches(scenes_of([np.zeros((16, 16, 3))]), [0], 9, 16, 0)


def test_split_is_disjoint_and_two_to_one():
    patches = grey_world_patches(12)
    training, validation = split_patches(patches, 1 / 3, seed=0)
    assert (len(training), len(validation)) == (8, 4)
    both = np.concatenate([training.illuminants, validation.illuminants])
    np.testing.assert_allclose(np.sort(both[:, 0]), np.sort(patches.illuminants[:, 0]))


def test_every_pass_has_every_patch_once_in_another_order():
    patches = grey_world_patches(12)
    batches = list(batches_of(patches, 4, steps=6, seed=3).as_numpy_iterator())
    passes = np.concatenate([y for _, y in batches]).reshape(2, 12, 3)
    assert not np.array_equal(passes[0], passes[1])
    for drawn in passes:
        np.testing.assert_allclose(np.sort(drawn[:, 0]), np.sort(patches.illuminants[:, 0]))


def test_pixels_and_labels_stay_together():
    for x, y in batches_of(grey_world_patches(), 4, steps=3, seed=0):
        assert x.shape == (4, 16, 16, 3)
        assert angular_errors(x[:, 3, 3], y).max() < 0.01


@pytest.mark.parametrize("augmentation", [None, Augmentation()])
def test_a_step_is_a_function_of_seed_and_number(augmentation):
    patches = grey_world_patches()
    whole = list(batches_of(patches, 4, 6, 5, augmentation).as_numpy_iterator())
    resumed = batches_of(patches, 4, 6, 5, augmentation, first_step=4)
    for (x, y), (x2, y2) in zip(whole[4:], resumed.as_numpy_iterator(), strict=True):
        np.testing.assert_array_equal(x, x2)
        np.testing.assert_array_equal(y, y2)
    other = next(batches_of(patches, 4, 6, 6, augmentation).as_numpy_iterator())
    assert not np.array_equal(other[1], whole[0][1])


def test_augmented_labels_still_fit_their_pixels():
    patches = grey_world_patches()
    augmentation = Augmentation(relight=0.5)
    changed = 0
    for x, y in batches_of(patches, 12, 8, 0, augmentation):
        assert angular_errors(x[:, 7, 7], y).max() < 0.02
        np.testing.assert_allclose(np.linalg.norm(y, axis=1), 1, rtol=1e-5)
        assert tf.reduce_max(x) <= 1
        distance = np.abs(np.asarray(y)[:, None] - patches.illuminants[None]).max(-1)
        changed += np.sum(distance.min(axis=1) > 1e-4)
    assert 0.3 < changed / (12 * 8) < 0.7


def test_new_lights_come_from_the_same_camera():
    patches = grey_world_patches(40)
    lights = np.where((np.arange(40) % 2 == 0)[:, None], [1, 1, 0.2], [0.2, 1, 1])
    lights = (lights / np.linalg.norm(lights, axis=1, keepdims=True)).astype(np.float32)
    patches = Patches(patches.pixels, lights, patches.cameras)
    augmentation = Augmentation(crop=1, flip=False, relight=1, jitter=0)
    for _, y in batches_of(patches, 40, 5, 0, augmentation):
        to_own = np.min(angular_errors(np.asarray(y)[:, None], lights[None, :2]), axis=1)
        assert to_own.max() < 0.01  # a mix across cameras would lie between


def test_crops_and_flips_move_pixels_but_not_colours():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65535, (6, 16, 16, 3)).astype(np.uint16)
    patches = Patches(pixels, grey_world_patches(6).illuminants, np.zeros(6, np.int32))
    flips = Augmentation(crop=1, relight=0)
    x, y = next(batches_of(patches, 6, 1, 0, flips).as_numpy_iterator())
    plain, y_plain = next(batches_of(patches, 6, 1, 0).as_numpy_iterator())
    np.testing.assert_array_equal(y, y_plain)
    np.testing.assert_array_equal(np.sort(x.reshape(6, -1)), np.sort(plain.reshape(6, -1)))
    assert not np.array_equal(x, plain)
    crops = Augmentation(flip=False, relight=0)
    x, _ = next(batches_of(patches, 6, 1, 0, crops).as_numpy_iterator())
    assert not np.allclose(x, plain)


def test_brightened_patches_clip_at_white():
    patches = grey_world_patches()  # of up to 0.5
    plain = Augmentation(crop=1, flip=False, relight=0)
    bright = Augmentation(crop=1, flip=False, relight=0, brighten=8.0)
    x, y = next(batches_of(patches, 12, 1, 0, plain).as_numpy_iterator())
    x2, y2 = next(batches_of(patches, 12, 1, 0, bright).as_numpy_iterator())
    np.testing.assert_array_equal(y, y2)
    factor = (x2 / x).min(axis=-1)[:, 0, 0]
    assert factor.min() >= 1 and factor.max() > 2
    np.testing.assert_allclose(
        x2, np.minimum(x * (x2 / x).max(axis=-1, keepdims=True), 1), rtol=1e-5
    )
    assert (x2 == 1).any()


def test_evaluation_batches_are_the_patches_in_order():
    patches = grey_world_patches(5)
    labels = np.concatenate([y for _, y in evaluation_batches(patches, 2)])
    np.testing.assert_array_equal(labels, patches.illuminants)


def test_virtual_cameras_change_pixels_and_labels_alike():
    patches = grey_world_patches()
    cameras = Augmentation(crop=1, flip=False, relight=0, cameras=0.5)
    changed = 0
    for x, y in batches_of(patches, 12, 8, 0, cameras):
        colours = x[:, 0, 0] / tf.norm(x[:, 0, 0], axis=1, keepdims=True)
        np.testing.assert_allclose(colours, y, atol=1e-3)
        assert tf.reduce_max(x) <= 1
        known = np.abs(y[:, None] - patches.illuminants).max(axis=2).min(axis=1) < 1e-6
        changed += np.sum(~known)
    assert 24 < changed < 72  # of 96, at the most half


def test_halved_patches_have_the_means():
    patches = grey_world_patches()
    patches.pixels[:, 0, 0] = 0
    half = halved(patches)
    assert half.pixels.shape == (12, 8, 8, 3)
    np.testing.assert_allclose(half.pixels[:, 0, 0], patches.pixels[:, 5, 5] * 0.75, atol=0.51)
    np.testing.assert_array_equal(half.pixels[:, 1:], patches.pixels[:, 2::2, ::2])
