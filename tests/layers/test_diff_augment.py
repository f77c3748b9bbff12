import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers.diff_augment import (
    AUGMENTATIONS,
    augment,
    checked_names,
    color,
    cutout,
    translation,
)

IMAGES = tf.constant(np.random.default_rng(0).uniform(-1, 1, (40, 16, 16, 3)), tf.float32)
KEY = tf.constant([3, 4])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_function_of_the_key_another_for_each_image(name):
    same = tf.tile(IMAGES[:1], [40, 1, 1, 1])
    first = AUGMENTATIONS[name](same, KEY).numpy()
    np.testing.assert_array_equal(AUGMENTATIONS[name](same, KEY), first)
    assert np.any(AUGMENTATIONS[name](same, KEY + 1) != first)
    assert len(np.unique(first.reshape(40, -1), axis=0)) > 10


def test_translation_moves_whole_images_and_fills_with_zeros():
    moved = translation(IMAGES, KEY).numpy()
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    shifts = set()
    for image, candidates in zip(moved, padded):
        found = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(image, candidates[i : i + 16, j : j + 16])
        ]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 15
    assert {i for i, _ in shifts} == {j for _, j in shifts} == set(range(5))


def test_cutout_sets_one_square_to_zero():
    cut = cutout(IMAGES, KEY).numpy()
    gone = cut[..., 0] == 0
    np.testing.assert_array_equal(cut, np.where(gone[..., None], 0, IMAGES))
    areas = gone.sum(axis=(1, 2))
    assert areas.max() == 64 and areas.min() >= 16
    for image in gone:  # a rectangle: the product of its rows and columns
        np.testing.assert_array_equal(image, image.any(1)[:, None] & image.any(0))


def test_color_keeps_what_it_should():
    changed = color(IMAGES, KEY).numpy()
    before, after = IMAGES.numpy(), changed
    shift = after.mean(axis=(1, 2, 3)) - before.mean(axis=(1, 2, 3))
    assert np.all(np.abs(shift) <= 0.5 + 1e-5) and np.ptp(shift) > 0.8
    # contrast alone scales the grey image
    grey_before = before.mean(axis=3).std(axis=(1, 2))
    contrast = after.mean(axis=3).std(axis=(1, 2)) / grey_before
    assert np.all((contrast > 0.499) & (contrast < 1.501)) and np.ptp(contrast) > 0.8
    # and with saturation what lies around it
    around = (after - after.mean(3, keepdims=True)).std(axis=(1, 2, 3))
    around /= (before - before.mean(3, keepdims=True)).std(axis=(1, 2, 3))
    saturation = around / contrast
    assert np.all((saturation >= 0) & (saturation < 2.001)) and np.ptp(saturation) > 1.6


def test_gradients_go_through_all_of_them():
    with tf.GradientTape() as tape:
        tape.watch(IMAGES)
        loss = tf.reduce_sum(tf.square(augment(IMAGES, KEY)))
    gradient = tape.gradient(loss, IMAGES).numpy()
    assert np.isfinite(gradient).all()
    assert np.all(np.any(gradient != 0, axis=(1, 2, 3)))


def test_augment_is_one_after_the_other_with_keys_of_their_own():
    expected = cutout(translation(IMAGES, KEY), KEY + [0, 1])
    found = augment(IMAGES, KEY, ("translation", "cutout"))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(augment(IMAGES, KEY, ()), IMAGES)


@pytest.mark.parametrize("names", ["color", ("blur",), ("color", "blur")])
def test_names_of_others_are_refused(names):
    with pytest.raises(ValueError, match="`augmentations` must be some of .* Received: "):
        checked_names(names)
    assert checked_names(["cutout", "color"]) == ("cutout", "color")
