import numpy as np
import pytest

from keras_gans.data.pipeline import step_dataset
from keras_gans.okdgan.data import crop_batches

IMAGES = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
LABELS = np.arange(7) * 10


def taken(*args, steps, first_step=0, **kwargs):
    return [
        tuple(map(np.asarray, each)) if isinstance(each, tuple) else np.asarray(each)
        for each in step_dataset(crop_batches(*args, **kwargs), first_step, steps)
    ]


def numbers(batch):
    return np.rint((batch[:, 0, 0, 0] + 1) * 127.5).astype(int)


def test_every_image_comes_once_in_each_pass():
    got = taken(IMAGES, 5, seed=3, steps=14)
    assert len(got) == 14 and got[0].shape == (5, 4, 4, 3) and got[0].dtype == np.float32
    order = np.concatenate([numbers(batch) for batch in got]).reshape(10, 7)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(7), (10, 1)))
    assert len({tuple(each) for each in order}) > 5


def test_a_batch_may_be_larger_than_the_set():
    (batch,) = taken(IMAGES, 20, seed=0, steps=1)
    assert np.bincount(numbers(batch)).min() >= 2


def test_labels_belong_to_their_images():
    several = np.eye(7, dtype=bool)
    for labels in (LABELS, several):
        for x, y in taken(IMAGES, 4, seed=1, steps=5, labels=labels):
            np.testing.assert_array_equal(y, labels[numbers(x)])
            assert y.dtype == labels.dtype


def test_a_step_is_a_function_of_seed_and_number():
    whole = taken(IMAGES, 3, seed=5, steps=9, mirror=True, labels=LABELS)
    rest = taken(IMAGES, 3, seed=5, steps=9, first_step=4, mirror=True, labels=LABELS)
    for one, two in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    other = taken(IMAGES, 3, seed=6, steps=9)
    assert any((numbers(one[0]) != numbers(two)).any() for one, two in zip(whole, other))


def test_half_of_the_images_are_mirrored():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[:, :, 0] = 255  # the left column
    batch = np.concatenate(taken(image, 50, seed=0, steps=8, mirror=True))
    left, right = (batch[:, :, column] == 1 for column in (0, 3))
    assert (left.all(axis=(1, 2)) ^ right.all(axis=(1, 2))).all()
    assert 0.4 < right.all(axis=(1, 2)).mean() < 0.6
    plain = np.concatenate(taken(image, 50, seed=0, steps=2))
    assert (plain[:, :, 0] == 1).all()


def test_what_is_refused():
    with pytest.raises(ValueError, match="Received: 0, None"):
        crop_batches(IMAGES[:0], 2, seed=0)
    with pytest.raises(ValueError, match="Received: 7, 6"):
        crop_batches(IMAGES, 2, seed=0, labels=LABELS[:6])
