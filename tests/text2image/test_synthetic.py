import numpy as np
import pytest

from keras_gans.errors import InputError
from keras_gans.text2image import synthetic
from keras_gans.text2image.captions import tokenize
from keras_gans.text2image.synthetic import (
    CENTRES,
    HELD_OUT,
    NUMBERS,
    PETALS,
    SyntheticFlowers,
    places,
    synthetic_flowers,
)


@pytest.fixture(scope="module")
def flowers():
    return synthetic_flowers(200, seed=3)


def colours(flowers):
    return [(list(PETALS)[p], list(CENTRES)[c])
            for p, c in zip(flowers.petals, flowers.centres, strict=True)]  # fmt: skip


def test_what_the_set_is(flowers):
    assert flowers.name == "synthetic flowers" and len(flowers) == 200
    assert flowers.images.shape == (200, 64, 64, 3) and flowers.images.dtype == np.uint8
    assert len({image.tobytes() for image in flowers.images}) == 200
    assert len(set(flowers.files)) == 200
    assert all(len(set(captions)) == 5 for captions in flowers.captions)
    pairs = colours(flowers)
    assert {pairs.count(pair) for pair in pairs} == {5} and len(set(pairs)) == 40
    assert (np.diff(flowers.petals) < 0).sum() > 50  # not in order


def test_test_images_have_combinations_that_no_training_image_has(flowers):
    test = {pair for pair, part in zip(colours(flowers), flowers.split) if part == "test"}
    train = {pair for pair, part in zip(colours(flowers), flowers.split) if part == "train"}
    assert test == set(HELD_OUT) and not test & train
    for side, palette in enumerate((PETALS, CENTRES)):
        for pairs in (test, train):
            assert {pair[side] for pair in pairs} == set(palette)
    # no caption names such a combination by mistake
    assert not any(petal == centre for petal, centre in HELD_OUT)


def test_take_keeps_the_colours(flowers):
    taken = flowers.take(flowers.split == "test")
    assert isinstance(taken, SyntheticFlowers) and len(taken) == 50
    np.testing.assert_array_equal(taken.petals, flowers.petals[flowers.split == "test"])
    np.testing.assert_array_equal(taken.centres, flowers.centres[flowers.split == "test"])


def test_captions_name_the_colours(flowers):
    both, endings = [], []
    for pair, part, captions in zip(colours(flowers), flowers.split, flowers.captions):
        for caption in captions:
            words = tokenize(caption)
            assert 3 <= len(words) <= 25
            named = [word for word in words if word in PETALS or word in CENTRES]
            known = [word for word in named if word in pair]
            assert pair[0] in known
            # other colours are those of leaves and sky
            assert set(named) - set(pair) <= {"green", "brown", "blue"}
            if part == "test":
                assert set(pair) <= set(known)
            elif pair[0] != pair[1]:
                both.append(pair[1] in known)
            endings.append(words[-1] in pair)
    assert 0.7 < np.mean(both) < 0.95
    assert 0.05 < np.mean(endings) < 0.35
    text = " ".join(map(" ".join, flowers.captions))
    assert "an orange" in text and "a orange" not in text and "{" not in text


def test_some_training_captions_are_short(flowers):
    """The picture of a word is near the flower only where the word is a caption's last one."""
    ends = {part: [] for part in ("train", "test")}
    for part, captions in zip(flowers.split, flowers.captions):
        ends[part] += [len(tokenize(caption)) <= 5 for caption in captions]
    assert 0.03 < np.mean(ends["train"]) < 0.15 and not any(ends["test"])
    assert "this flower is pink" in [each.rstrip(".") for each in sum(flowers.captions, ())]


def test_captions_say_the_same_in_many_ways(flowers):
    patterns = set()
    for pair, captions in zip(colours(flowers), flowers.captions):
        words = ["C" if word in pair else word for caption in captions
                 for word in [*tokenize(caption), "|"]]  # fmt: skip
        patterns |= set(" ".join(words).split("|"))
    assert len(patterns) > 300


def test_it_is_a_function_of_the_seed():
    first, again, other = (synthetic_flowers(40, seed, size=32) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.images, again.images)
    assert first.captions == again.captions != other.captions
    assert (first.images != other.images).any()


def test_number_of_petals_is_the_one_that_captions_say():
    """Around the flower, its rim comes and goes as often as there are petals."""
    flowers = synthetic_flowers(200, seed=5, captions=6)
    angle = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    radius = np.arange(17, 27)[:, None]
    x, y = (np.rint(32 + radius * f(angle)).astype(int) for f in (np.cos, np.sin))
    right = []
    for image, captions in zip(flowers.images, flowers.captions, strict=True):
        words = [word for caption in captions for word in tokenize(caption)]
        number = [n for n, word in NUMBERS.items() if word in words]
        if not number or "shaped" in words or "notched" in words:
            continue
        assert len(number) == 1
        rim = np.abs(np.fft.rfft(image[y, x].astype(float), axis=1)).mean(axis=(0, 2))
        right.append(rim[4:13].argmax() + 4 == number[0])
    assert len(right) > 100 and np.mean(right) > 0.9  # chance: 1 in 9


def test_sizes_and_places():
    flowers = synthetic_flowers(40, size=100, captions=1)
    assert flowers.images.shape == (40, 100, 100, 3)
    for size in (32, 64, 100, 256):
        ring, disc = places(size)
        assert not (ring & disc).any() and disc[size // 2, size // 2]
        # the same share of the image at every size
        assert ring.mean() == pytest.approx(np.pi * (18.5**2 - 13.5**2) / 64**2, rel=0.07)
        assert disc.mean() == pytest.approx(np.pi * 5.5**2 / 64**2, rel=0.1)


def test_petals_lie_on_each_other_and_cover_what_is_behind():
    rng = np.random.default_rng(0)
    x, y = synthetic._flower_axes(rng, 1, 64)
    flat = np.full((1, 64, 64, 3), 50, np.float32)
    one = np.ones((1, 1, 1), np.float32)
    images = synthetic._row(
        rng, flat, np.float32([200, 100, 0])[None, None, None], np.array([0]), np.array([5]),
        np.hypot(x, y), np.arctan2(y, x), 9 * one, 0 * one, np.zeros((1, 64, 64), np.float32),
    )  # fmt: skip
    ring, _ = places(64)
    assert (images[0, ring, 0] > 100).all() and (images[0, ring, 2] < 60).all()
    np.testing.assert_array_equal(images[0, [0, 0, -1, -1], [0, -1, 0, -1]], 50)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 39}, "at least 40 images, one of each combination of colours. Received: 39"),
        ({"count": 40, "size": 20}, "size is 32 to 256. Received: 20"),
        ({"count": 40, "captions": 10}, "captions are 1 to 9. Received: 10"),
        ({"count": 40, "seed": -1}, "seed must not be negative"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        synthetic_flowers(**arguments)
