import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.pipeline import step_dataset
from keras_gans.defectgan.data import (
    Crops,
    extended,
    labelled_batches,
    relit,
    unpaired_batches,
)
from keras_gans.defectgan.surfaces import Surfaces


def distinct(height, width, channels=3):
    """An image of which no two values are the same."""
    return np.arange(height * width * channels, dtype=np.uint8).reshape(height, width, channels)


def numbered(count, size=4):
    """Images that are known by their grey level."""
    return [np.full((size, size + 1, 1), number, np.uint8) for number in range(count)]


def numbers_of(crops):
    """The grey levels of `to_float(numbered(...))`."""
    return np.rint((np.asarray(crops)[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


# Crops --------------------------------------------------------------------------------------


def test_crops_are_slices_of_the_images():
    images = [distinct(9, 7), 255 - distinct(5, 10), distinct(4, 4)]
    mirrored = list(itertools.product([False, True], repeat=3))
    rows = [  # image, place, corner by hand: of (H - 3, W - 3) places, from 0
        (0, (0.0, 0.0), (0, 0)),
        (0, (0.99, 0.99), (5, 3)),
        (0, (0.5, 0.5), (3, 2)),
        (1, (0.49, 0.0), (0, 0)),
        (1, (0.51, 1 - 2**-23), (1, 6)),
        (2, (0.99, 0.3), (0, 0)),
    ]
    indices, places, corners = zip(*(row for row in rows for _ in mirrored))
    crops = Crops(images, 4).cut(
        tf.constant(indices, tf.int64), tf.constant(places), tf.constant(mirrored * len(rows))
    )
    assert crops.dtype == tf.uint8
    for crop, index, (y, x), (down, across, turned) in zip(
        crops, indices, corners, mirrored * len(rows), strict=True
    ):
        expected = images[index][y : y + 4, x : x + 4]
        expected = expected[::-1] if down else expected
        expected = expected[:, ::-1] if across else expected
        expected = expected.transpose(1, 0, 2) if turned else expected
        np.testing.assert_array_equal(crop, expected)


def test_small_images_are_continued_by_their_mirror_image():
    row = np.uint8([[1, 2, 3]])[..., None]
    np.testing.assert_array_equal(extended(row, 6)[..., 0], [[1, 1, 2, 3, 3, 2]] * 6)
    tall = distinct(8, 2)
    np.testing.assert_array_equal(extended(tall, 4), tall[:, [0, 0, 1, 1]])
    assert extended(tall, 2) is tall

    crop = Crops([row], 6).draw(tf.constant(0, tf.int64), 1, [0, 0])
    np.testing.assert_array_equal(crop[0], extended(row, 6))


@pytest.mark.parametrize(
    "mirror, ways", [("none", 1), ("horizontal", 2), ("both", 4), ("turn", 8)]
)
def test_mirrors(mirror, ways):
    image = distinct(3, 3, 1)
    crops = Crops([image], 3, mirror).draw(tf.constant(5, tf.int64), 400, [0, 0]).numpy()
    seen, counts = np.unique(crops.reshape(400, -1), axis=0, return_counts=True)
    assert len(seen) == ways
    assert counts.min() > 400 / ways - 4 * np.sqrt(400 / ways)
    if mirror == "horizontal":
        np.testing.assert_array_equal(seen[0], image.ravel())
        np.testing.assert_array_equal(seen[1], image[:, ::-1].ravel())


def test_a_bag_is_of_one_image_and_from_all_of_its_length():
    tall, wide = distinct(17, 4, 1), distinct(4, 9, 1) + 100
    crops = Crops([tall, wide], 2)
    order = []
    for step in range(4):
        drawn = crops.draw(tf.constant(step, tf.int64), 4, [0, 0], bag=4).numpy()[:, 0, 0, 0]
        of_wide = drawn >= 100
        assert len(set(of_wide)) == 1
        order.append(of_wide[0])
        starts = (drawn - 100) % 9 if of_wide[0] else drawn // 4
        quarters = starts // (2 if of_wide[0] else 4)
        np.testing.assert_array_equal(quarters, range(4))
    assert order[0] != order[1] and order[2] != order[3]


def test_crops_come_from_everywhere():
    image = distinct(5, 6, 1)
    crops = Crops([image], 3).draw(tf.constant(0, tf.int64), 600, [1, 0]).numpy()
    corners, counts = np.unique(crops[:, 0, 0, 0], return_counts=True)
    assert corners.tolist() == sorted(image[:3, :4].ravel().tolist())
    assert counts.min() > 20  # 50 are expected


# Batches ------------------------------------------------------------------------------------


def made(batch, steps, first_step=0):
    return list(step_dataset(batch, first_step, steps).as_numpy_iterator())


def batches(seed=0, steps=6, first_step=0, **options):
    ng, p = [distinct(9, 7, 1), distinct(6, 8, 1)], [255 - distinct(8, 8, 1)] * 3
    options = {"mirror": "turn", **options}
    return made(unpaired_batches(ng, p, 4, 3, seed, **options), steps, first_step)


def test_batches_are_a_function_of_seed_and_step():
    whole = batches()
    assert len(whole) == 6
    for ng, p in whole:
        assert ng.shape == p.shape == (3, 4, 4, 1)
        assert ng.dtype == p.dtype == np.float32
    for part in (batches(), batches(first_step=4), batches(steps=9, first_step=2)[:4]):
        for ours, theirs in zip(part, whole[-len(part) :], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert batches(first_step=6) == []
    other = batches(seed=1)
    assert not any(np.array_equal(a[0], b[0]) for a, b in zip(whole, other))
    assert not any(np.array_equal(a[0], b[0]) for a, b in itertools.combinations(whole, 2))


def test_every_image_is_drawn_once_before_any_is_drawn_again():
    ng, p = numbered(7), numbered(5)
    drawn = [[], []]
    for batch in made(unpaired_batches(ng, p, 4, 3, seed=0), 35):
        for kind in (0, 1):
            drawn[kind] += numbers_of(batch[kind])
    for kind, count in enumerate((7, 5)):
        passes = [drawn[kind][i : i + count] for i in range(0, 105, count)]
        assert all(sorted(one) == list(range(count)) for one in passes)
        assert len(set(map(tuple, passes))) > 3


def test_each_kind_pass_and_seed_has_an_order_of_its_own():
    images = numbered(200)
    orders = [
        numbers_of(crops)
        for seed in (0, 1)
        for batch in made(unpaired_batches(images, images, 4, 200, seed), 2)
        for crops in batch
    ]
    assert len(set(map(tuple, orders))) == 8


@pytest.mark.parametrize("count", [20, 60, 240])
def test_orders_are_as_good_as_random_ones(count):
    images = numbered(count)
    batches = made(unpaired_batches(images, images, 4, count, seed=0), 30)
    orders = np.array([numbers_of(ng) for ng, _ in batches])
    fixed = np.mean(np.sum(orders == np.arange(count), axis=1))
    kept = np.mean(np.sum(orders[1:] == orders[:-1], axis=1))
    assert 0.3 < fixed < 3 and 0.3 < kept < 3  # 1 is expected


def test_the_kinds_are_cropped_independently():
    images = [distinct(12, 12, 1)]
    [batch] = made(unpaired_batches(images, images, 4, 8, 0), 1)
    assert not np.array_equal(*batch)


# Light --------------------------------------------------------------------------------------


def test_relit_images_are_multiplied_by_a_plane():
    images = tf.fill([200, 7, 5, 3], -0.8)  # 0.2 above black
    key = tf.constant([1, 2], tf.int64)
    light = (relit(images, 0.5, key).numpy() + 1) / 0.2
    np.testing.assert_array_equal(light, light[..., :1].repeat(3, -1))  # no colour
    for axis in (1, 2):
        np.testing.assert_allclose(np.diff(light, 2, axis), 0, atol=1e-5)
    middle = light[:, 3, 2, 0]
    slopes = [(light[:, -1, 2, 0] - middle) / middle, (light[:, 3, -1, 0] - middle) / middle]
    draws = [np.log2(middle) / 0.5, *(slope / 0.25 for slope in slopes)]
    for draw in draws:  # uniform in [-1, 1], by themselves
        assert np.abs(draw).max() < 1 + 1e-4
        assert abs(draw.mean()) < 0.2 and draw.std() == pytest.approx(3**-0.5, rel=0.2)
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 0.25
    np.testing.assert_array_equal(relit(images, 0.5, key), relit(images, 0.5, key))
    assert not np.allclose(relit(images, 0.5, key + 1), relit(images, 0.5, key))


def test_relit_stays_in_range():
    images = tf.constant([-1.0, 0.0, 1.0])[None, :, None, None] * tf.ones([50, 1, 4, 1])
    lit = relit(images, 1.0, tf.constant([0, 0], tf.int64)).numpy()
    assert lit.min() == -1 and lit.max() == 1
    np.testing.assert_array_equal(lit[:, 0], images[:, 0])  # black
    unlit = relit(images, 0.0, tf.constant([0, 0], tf.int64))
    np.testing.assert_array_equal(unlit, images)


def test_relit_batches():
    plain, whole, rest = batches(), batches(relight=0.5), batches(relight=0.5, first_step=4)
    for ours, theirs in zip(rest, whole[4:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for one, other in zip(plain, whole):
        for kind in (0, 1):
            assert not np.allclose(one[kind], other[kind], atol=0.02)
    options = dict(size=8, batch_size=4, seed=0, masks=True)
    pairs = zip(
        *(made(labelled_batches(surfaces(), relight=x, **options), 2) for x in (0.0, 0.5))
    )
    for (images, masks), (lit, same) in pairs:
        np.testing.assert_array_equal(masks, same)
        assert not np.allclose(images, lit, atol=0.02)


# Labelled -----------------------------------------------------------------------------------


def surfaces(masks=True):
    """Defect-free images below 100; defective ones have 200 where they are defective."""
    rng = np.random.default_rng(0)
    kinds = [True, False, True, False, False]
    images, truths = [], []
    for number, kind in enumerate(kinds):
        image = np.full((9 + number, 12, 1), 10 * number, np.uint8)
        truth = (rng.uniform(size=image.shape[:2]) < 0.3) & kind
        image[truth] = 200
        images.append(image)
        truths.append(truth if kind and masks else None)
    kinds = np.array(kinds)
    return Surfaces("s", images, kinds, truths, [""] * 5, np.ones(5, bool), [""] * 5)


@pytest.mark.parametrize("size", [4, 16])
def test_masks_go_with_their_images(size):
    found = made(labelled_batches(surfaces(), size, 6, 0, mirror="turn", masks=True), 5)
    assert len(found) == 5
    for images, masks in found:
        assert images.shape == masks.shape == (6, size, size, 1)
        assert images.dtype == masks.dtype == np.float32
        np.testing.assert_array_equal(masks, (images > 0.5).astype(np.float32))
        assert not masks[3:].any()
    assert sum(masks[:3].any(axis=(1, 2, 3)).sum() for _, masks in found) > 10


def test_labels():
    batch = labelled_batches(surfaces(masks=False), 9, 4, 0)
    whole = made(batch, 6)
    numbers = [[], []]
    for images, labels in whole:
        assert labels.tolist() == [[1], [1], [0], [0]]
        assert images.dtype == labels.dtype == np.float32
        grounds = np.rint((images.min(axis=(1, 2, 3)) + 1) * 127.5).astype(int) // 10
        numbers[0] += grounds[:2].tolist()
        numbers[1] += grounds[2:].tolist()
    assert sorted(numbers[0]) == [0] * 6 + [2] * 6  # half of each batch, each as often
    assert sorted(numbers[1]) == [1] * 4 + [3] * 4 + [4] * 4
    for ours, theirs in zip(made(batch, 6, first_step=4), whole[4:], strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
