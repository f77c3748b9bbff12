import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.pipeline import step_dataset
from keras_gans.frgan.data import (
    Views,
    labelled_batches,
    semi_supervised_batches,
    view,
)


def distinct(size=6, channels=3, offset=0):
    """An image of which no two values are the same."""
    values = np.arange(size * size * channels) + offset
    return values.reshape(size, size, channels).astype(np.uint8)


def numbered(count, size=8):
    """Images that are known by their grey level."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones(
        (size, size, 3), np.uint8
    )


def numbers_of(images):
    """The grey levels of `to_float(numbered(...))`."""
    return np.rint((np.asarray(images)[..., 0, 0, 0] + 1) * 127.5).astype(int)


def key(*numbers):
    return tf.constant(numbers, tf.int64)


def moved(image, down, right):
    """By hand, on the image with its own mirror image around it."""
    size = len(image)
    page = np.pad(image, [(size, size), (size, size), (0, 0)], mode="symmetric")
    return page[size - down : 2 * size - down, size - right : 2 * size - right]


def batches(seed=0, steps=6, first_step=0, images=9, **options):
    images = np.random.default_rng(0).integers(0, 256, (images, 8, 8, 3), np.uint8)
    views = Views(**{"mirror": True, **options})
    batch = semi_supervised_batches(images, [1, 4, 5], [0, 1, 1], 4, seed, views)
    return [flat(each) for each in drawn_from(batch, steps, first_step)]


def drawn_from(batch, steps, first_step=0):
    """What training gets from a function of the step."""
    return list(step_dataset(batch, first_step, steps).as_numpy_iterator())


def flat(batch):
    (labelled, labels), views = batch
    return labelled, labels, views


# Views --------------------------------------------------------------------------------------


def test_a_view_is_the_image_moved():
    images = np.stack([distinct(), distinct(offset=100)] * 200)
    found = view(images, 2, False, key(3, 0))
    assert found.dtype == tf.uint8 and found.shape == images.shape
    candidates = {
        (number, y, x): moved(images[number], y, x)
        for number in (0, 1)
        for y, x in itertools.product(range(-2, 3), repeat=2)
    }
    seen = {place: 0 for place in candidates}
    for index, image in enumerate(found.numpy()):
        [place] = [p for p, c in candidates.items() if np.array_equal(c, image)]
        assert place[0] == index % 2
        seen[place] += 1
    assert min(seen.values()) >= 1 and max(seen.values()) < 25  # 8 are expected


def test_the_border_reflects():
    row = np.uint8([[[1], [2], [3]]] * 3)
    found = {
        tuple(image[0, :, 0])
        for image in view(np.stack([row] * 60), 2, False, key(0, 0)).numpy()
    }
    assert found == {(1, 2, 3), (2, 3, 3), (3, 3, 2), (1, 1, 2), (2, 1, 1)}


def test_an_image_is_moved_by_its_own_size_at_most():
    row = np.uint8([[[1], [2]]] * 2)
    found = {
        tuple(image[0, :, 0])
        for image in view(np.stack([row] * 60), 2, False, key(0, 0)).numpy()
    }
    assert found == {(1, 2), (2, 2), (1, 1), (2, 1)}


def test_mirrors():
    image = distinct()
    images = view(np.stack([image] * 400), 0, True, key(1, 2)).numpy()
    turned = (images == image[:, ::-1]).all(axis=(1, 2, 3))
    assert ((images == image).all(axis=(1, 2, 3)) != turned).all()
    assert 160 < turned.sum() < 240
    still = view(images, 0, False, key(1, 2))
    np.testing.assert_array_equal(still, images)


def test_a_view_is_a_function_of_its_key():
    images = np.stack([distinct(8)] * 50)
    first = view(images, 3, True, key(5, 7)).numpy()
    np.testing.assert_array_equal(view(images, 3, True, key(5, 7)), first)
    for other in (key(5, 8), key(6, 7)):
        assert (view(images, 3, True, other).numpy() != first).any(axis=(1, 2, 3)).mean() > 0.8


# Batches ------------------------------------------------------------------------------------


def test_shapes_and_range():
    for count in (1, 2):
        [(labelled, labels, views)] = batches(steps=1, count=count)
        assert labelled.shape == (4, 8, 8, 3) and views.shape == (count, 4, 8, 8, 3)
        assert labels.shape == (4,) and labels.dtype.kind == "i"
        for images in (labelled, views):
            assert images.dtype == np.float32
            assert -1 <= images.min() < -0.9 and 0.9 < images.max() <= 1


def test_batches_are_a_function_of_seed_and_step():
    whole = batches()
    assert len(whole) == 6
    for part in (batches(), batches(first_step=4), batches(steps=9, first_step=2)[:4]):
        for ours, theirs in zip(part, whole[-len(part) :], strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
    assert batches(first_step=6) == []
    drawn = whole + batches(seed=1)
    for one, other in itertools.combinations(drawn, 2):
        assert not np.array_equal(one[0], other[0])
        assert not np.array_equal(one[2], other[2])


def test_labels_belong_to_their_images_and_all_are_drawn_equally_often():
    images, labelled = numbered(9), np.array([1, 4, 5, 7])
    labels = np.array([2, 0, 1, 3])
    named = dict(zip(labelled.tolist(), labels.tolist()))
    drawn = []
    batch = semi_supervised_batches(images, labelled, labels, 3, 0)
    for (x, y), _ in drawn_from(batch, 8):
        drawn += numbers_of(x).tolist()
        assert y.tolist() == [named[number] for number in drawn[-3:]]
    passes = [drawn[i : i + 4] for i in range(0, 24, 4)]
    assert all(sorted(one) == labelled.tolist() for one in passes)
    assert len(set(map(tuple, passes))) > 2


def test_every_image_is_drawn_as_an_unlabelled_one():
    drawn, beside = [], []
    batch = semi_supervised_batches(numbered(9), [0, 1, 2], [0, 1, 1], 3, 0)
    for (x, _), views in drawn_from(batch, 9):
        first, second = numbers_of(views)
        np.testing.assert_array_equal(first, second)
        drawn += first.tolist()
        beside += numbers_of(x).tolist()
    assert all(sorted(drawn[i : i + 9]) == list(range(9)) for i in (0, 9, 18))
    assert sorted(beside) == [0] * 9 + [1] * 9 + [2] * 9


def test_no_label_is_known_of_the_others():
    """Labels come in with the images that have them; there is no place for others."""
    images = numbered(9)
    for labels in ([3, 1], [0, 0]):
        seen = drawn_from(semi_supervised_batches(images, [2, 6], labels, 4, 0), 9)
        assert {*numbers_of(np.concatenate([x for (x, _), _ in seen]))} == {2, 6}
        assert {*np.concatenate([y for (_, y), _ in seen]).tolist()} == {*labels}


def test_views_are_two_moves_of_the_same_image():
    [*_, views], *_ = batches(images=40, mirror=False, translate=1)
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    places = list(itertools.product((-1, 0, 1), repeat=2))
    known = np.stack([[to_float(moved(image, *place)) for place in places] for image in images])
    found = []
    for pair in zip(*views):
        hits = [np.argwhere((known == one).all(axis=(2, 3, 4))).tolist() for one in pair]
        [[[first, one]], [[second, other]]] = hits
        assert first == second
        found.append(one != other)
    assert any(found)
    still = batches(mirror=False, translate=0)
    for *_, views in still:
        np.testing.assert_array_equal(views[0], views[1])


def test_one_view_is_the_first_of_two():
    for two, one in zip(batches(), batches(count=1), strict=True):
        np.testing.assert_array_equal(two[2][:1], one[2])
        np.testing.assert_array_equal(two[0], one[0])


def test_strong_changes_are_on_labelled_images_and_the_second_view():
    for plain, strong in zip(batches(), batches(strong=True), strict=True):
        np.testing.assert_array_equal(plain[2][0], strong[2][0])
        for ours, theirs in ((plain[0], strong[0]), (plain[2][1], strong[2][1])):
            assert (ours != theirs).any(axis=(1, 2, 3)).all()


def test_the_baseline_sees_the_labelled_half():
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), np.uint8)
    views = Views(mirror=True, strong=True)
    batch = labelled_batches(images[[1, 4, 5]], [0, 1, 1], 4, 0, views)
    ours = drawn_from(batch, 6, 2)
    assert len(ours) == 4
    whole = batches(first_step=2, strong=True)
    for (images, labels), theirs in zip(ours, whole, strict=True):
        np.testing.assert_array_equal(images, theirs[0])
        np.testing.assert_array_equal(labels, theirs[1])


@pytest.mark.parametrize("mirror", [False, True])
def test_labelled_images_and_both_views_are_drawn_apart(mirror):
    """One image in all three places: it is moved differently in each."""
    images = np.stack([distinct(8)])
    batch = semi_supervised_batches(images, [0], [0], 60, 0, Views(mirror=mirror))
    [((labelled, _), views)] = drawn_from(batch, 1)
    for one, other in itertools.combinations([labelled, *views], 2):
        assert (one != other).any(axis=(1, 2, 3)).mean() > 0.8  # 24/25 are expected
