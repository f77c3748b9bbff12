import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.metrics.features import Extractor
from keras_gans.text2image.evaluate import (
    by_eyes,
    colour_agreement,
    derangement,
    distances,
    draw,
    draw_last,
    draw_vectors,
    mean_image,
    nearest_colours,
)
from keras_gans.text2image.synthetic import CENTRES, PETALS, synthetic_flowers


def flat(vectors):
    """Images (..., 4, 4, 3) all of one colour."""
    return ops.repeat(ops.repeat(vectors[..., None, None, :], 4, axis=-2), 4, axis=-3)


@pytest.fixture(scope="module")
def network():
    """Each word's picture is its vector, as a colour, plus that of the word before."""
    vectors = keras.Input((5, 3))
    mask = keras.Input((5,), dtype="bool")
    words = vectors * ops.cast(mask, "float32")[..., None]
    before = ops.pad(words[:, :-1], [[0, 0], [1, 0], [0, 0]])
    return keras.Model([vectors, mask], flat(words + before))


def levels(*images):
    """uint8 (N, 4, 4, 3) of grey levels."""
    return np.broadcast_to(np.uint8(images)[:, None, None, None], (len(images), 4, 4, 3))


def test_what_other_eyes_see(monkeypatch):
    monkeypatch.setattr("keras_gans.text2image.evaluate.eyes_extractor", lambda: None)
    images = levels(*range(0, 240, 20))
    assert by_eyes(images, np.arange(12), images) == {}

    def features(images):
        return images.reshape(len(images), -1)[:, :2].astype(np.float32)

    eyes = Extractor("eyes", "0", features)
    monkeypatch.setattr("keras_gans.text2image.evaluate.eyes_extractor", lambda: eyes)
    own = by_eyes(images, np.arange(12), images)
    assert own["nearer_eyes"] == 100 and own["frechet_eyes"] == pytest.approx(0, abs=1e-3)
    assert own["precision_eyes"] == own["coverage_eyes"] == 1
    others = by_eyes(images[derangement(12, 0)], np.arange(12), images)  # what it is set beside
    assert others["nearer_eyes"] == 0
    far = by_eyes(images // 2 + 120, np.arange(12), images)
    assert far["frechet_eyes"] > 100 and far["recall_eyes"] < 1


def test_draws_a_picture_for_every_word(network):
    table = np.float32([[9, 9, 9], [0.25, -0.25, 0], [-1, -2, 0.5]])
    ids = np.array([[0, 0, 0, 1, 2], [2, 2, 1, 1, 1], [0, 0, 0, 0, 1]], np.int32)
    pictures = draw(network, table, ids, batch_size=2)
    assert pictures.shape == (3, 5, 4, 4, 3) and pictures.dtype == np.uint8
    assert (pictures == pictures[:, :, :1, :1]).all()
    # (v + 1) * 127.5, rounded, in 0 to 255
    np.testing.assert_array_equal(pictures[0, 3, 0, 0], [159, 96, 128])
    np.testing.assert_array_equal(pictures[0, 4, 0, 0], [32, 0, 191])
    np.testing.assert_array_equal(pictures, draw(network, table, ids, batch_size=32))
    np.testing.assert_array_equal(draw_last(network, table, ids, batch_size=2), pictures[:, -1])
    with pytest.raises(ValueError, match="something to draw"):
        draw(network, table, ids[:0])


def test_draws_vectors():
    vectors = keras.Input((3,))
    generator = keras.Model(vectors, flat(vectors))
    drawn = draw_vectors(generator, np.float32([[0, 1, -1]] * 5), batch_size=2)
    np.testing.assert_array_equal(drawn, np.broadcast_to([128, 255, 0], (5, 4, 4, 3)))


def test_nothing_keeps_its_place():
    for count in (2, 3, 10, 101):
        for seed in range(5):
            others = derangement(count, seed)
            np.testing.assert_array_equal(np.sort(others), np.arange(count))
            assert (others != np.arange(count)).all()
    assert (derangement(50, 0) != derangement(50, 1)).any()


def test_distances_by_hand():
    """Three captions of two images of 51 and 102, drawn as 51, 51, 204."""
    figures = distances(
        levels(51, 51, 204), np.array([0, 0, 1]), levels(51, 102), levels(0, 255, 102, 51)
    )
    assert figures["matched"] == pytest.approx((0 + 0 + 0.8) / 3)
    assert figures["shuffled"] == pytest.approx((0.4 + 0.4 + 1.2) / 3)
    assert figures["ratio"] == pytest.approx(0.8 / 2.0)
    assert figures["nearer"] == 100
    assert figures["mean_image"] == pytest.approx((0.4 + 0.4 + 0) / 3)
    assert figures["diversity"] == pytest.approx(1.2)
    assert figures["real_diversity"] == pytest.approx(0.4)
    assert (figures["captions"], figures["images"]) == (3, 2)
    # a root of a mean of squares: half of the pixels 2 away
    half = levels(0, 0).copy()
    half[0, :2] = 255
    figures = distances(half, np.arange(2), levels(0, 0), levels(0))
    assert figures["matched"] == pytest.approx((2**0.5 + 0) / 2)
    assert figures["nearer"] == 50  # as far from both


def test_distances_of_right_random_and_collapsed_pictures():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 4, 3), dtype=np.uint8)
    owners = rng.permutation(np.repeat(np.arange(5, 55), 4))  # ten images have no caption
    right = distances(images[owners], owners, images, images[:5], seed=1)
    assert right["matched"] == right["ratio"] == 0 and right["nearer"] == 100
    assert right["diversity"] == pytest.approx(right["real_diversity"])
    assert right["images"] == 50
    mixed = distances(images[rng.permutation(owners)], owners, images, images, seed=1)
    assert mixed["ratio"] == pytest.approx(1, abs=0.06) and 35 < mixed["nearer"] < 65
    same = np.repeat(images[:1], 200, axis=0)
    collapsed = distances(same, owners, images, images, seed=1)
    assert collapsed["diversity"] == 0 and collapsed["ratio"] == pytest.approx(1)
    # the mean image is nearer to all than any other one picture
    assert collapsed["mean_image"] < collapsed["matched"]


def test_captions_are_never_compared_with_their_own_image():
    owners = np.repeat(np.arange(4), 3)
    images = levels(0, 60, 120, 180)
    for seed in range(10):
        figures = distances(images[owners], owners, images, images, seed)
        assert figures["shuffled"] >= 60 / 127.5 and figures["diversity"] >= 60 / 127.5


def test_mean_image_of_many():
    images = np.random.default_rng(0).integers(0, 256, (1201, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_allclose(mean_image(images), images.mean(axis=0), rtol=1e-6)


def test_distances_refuse():
    good = levels(1, 2)
    with pytest.raises(ValueError, match="two images with captions. Received: 1"):
        distances(good, np.zeros(2, int), good, good)
    with pytest.raises(ValueError, match="`images` must be uint8"):
        distances(good, np.arange(2), good / 1.0, good)
    with pytest.raises(ValueError, match="an image for each of the 2 pictures"):
        distances(good, np.arange(3), good, good)


def painted(petals, centres, size=64, shift=0):
    """Flat discs in flat rings, of the palettes' colours."""
    y, x = (np.mgrid[:size, :size] + 0.5) * 64 / size - 32
    radius = np.hypot(x - shift, y)[None, ..., None]
    ring, disc = (
        np.array(list(palette.values()))[chosen][:, None, None]
        for palette, chosen in ((PETALS, petals), (CENTRES, centres))
    )
    return np.where(radius < 9.5, disc, np.where(radius < 24, ring, 60)).astype(np.uint8)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_colours_of_drawn_flowers(size):
    petals, centres = np.mgrid[: len(PETALS), : len(CENTRES)].reshape(2, -1)
    for shift in (0, 2, -2):
        found = nearest_colours(painted(petals, centres, size, shift))
        np.testing.assert_array_equal(found, (petals, centres))


def test_the_measure_agrees_with_real_images():
    flowers = synthetic_flowers(400, seed=11, captions=1)
    figures = colour_agreement(flowers.images, flowers.petals, flowers.centres)
    assert figures["petals"] >= 98 and figures["centres"] >= 98 and figures["both"] >= 98
    small = synthetic_flowers(80, seed=12, size=32, captions=1)
    assert colour_agreement(small.images, small.petals, small.centres)["both"] >= 98


def test_agreement_and_chance():
    petals, centres = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 3])
    figures = colour_agreement(painted(petals, centres[[0, 1, 3, 2]]), petals, centres)
    assert (figures["petals"], figures["centres"], figures["both"]) == (100, 50, 50)
    # shuffled, a caption stays in its place 1 in 4 times; half of them have both
    assert figures["petals_chance"] == pytest.approx(25, abs=5)
    assert figures["both_chance"] == pytest.approx(12.5, abs=4)
    assert figures["petals_uniform"] == 12.5 and figures["centres_uniform"] == 20
    assert figures["both_uniform"] == 2.5 and figures["captions"] == 4
    # one picture for all: as good as chance
    same = colour_agreement(painted(np.full(4, 2), np.full(4, 1)), petals, centres)
    assert same["petals"] == same["petals_chance"] == 25
    assert same["both"] == same["both_chance"] == 0
    with pytest.raises(ValueError, match="colours for each. Received: 4 pictures, 3 petals"):
        colour_agreement(painted(petals, centres), petals[:3], centres)
