import numpy as np
import pytest

from keras_gans.data.pipeline import step_dataset
from keras_gans.text2image.data import (
    CONDITIONS,
    Sentences,
    caption_means,
    sentence_batches,
    sentence_vectors,
    vector_batches,
)

COUNT = 5  # images, which are known by their grey level
IMAGES = np.arange(COUNT, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
IDS = np.int32([[0, 2, 3], [4, 5, 2], [0, 0, 5], [2, 6, 4], [0, 5, 7], [0, 3, 1], [7, 7, 2]])
OWNERS = np.int64([0, 1, 2, 3, 4, 0, 1])
TABLE = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
TABLE[0] = 0


def numbers(images):
    """The grey levels of images."""
    return np.rint((np.asarray(images)[..., 0, 0, 0] + 1) * 127.5).astype(int)


SENTENCES = Sentences(IMAGES, IDS, OWNERS, TABLE)


def sentences(steps=14, first_step=0, seed=3, batch_size=3, **options):
    batch = sentence_batches(SENTENCES, batch_size, seed, **options)
    return list(step_dataset(batch, first_step, steps).as_numpy_iterator())


def vectors(steps=14, first_step=0, seed=3, batch_size=3, **options):
    batch = vector_batches(SENTENCES, batch_size, seed, **options)
    return list(step_dataset(batch, first_step, steps).as_numpy_iterator())


def which_sentence(words, mask):
    """The index of a sentence, told by its vectors."""
    [found] = [
        i for i, ids in enumerate(IDS) if np.array_equal(TABLE[ids], words)
        and np.array_equal(ids != 0, mask)
    ]  # fmt: skip
    return found


def flat(batch):
    return [array for part in batch for array in (part if isinstance(part, tuple) else [part])]


def test_sentences_come_in_turn_with_their_images():
    drawn = []
    for (words, mask), (images, reals) in sentences():
        assert words.shape == (3, 3, 6) and words.dtype == np.float32
        assert mask.shape == (3, 3) and mask.dtype == bool
        assert images.shape == (3, 4, 4, 3) and images.dtype == np.float32
        assert reals.shape == (3, 2, 4, 4, 3) and reals.dtype == np.float32
        found = list(map(which_sentence, words, mask))
        np.testing.assert_array_equal(numbers(images), OWNERS[found])
        drawn += found
    passes = [tuple(drawn[i : i + len(IDS)]) for i in range(0, len(drawn), len(IDS))]
    assert all(sorted(each) == list(range(len(IDS))) for each in passes)
    assert len(passes) == 6 and len(set(passes)) > 3


def test_random_real_images_come_in_turn_on_their_own():
    batches = sentences(reals=5)
    drawn = np.concatenate([numbers(reals).ravel() for _, (_, reals) in batches])
    assert drawn.size == 14 * 3 * 5
    np.testing.assert_array_equal(np.sort(drawn.reshape(-1, COUNT), axis=1)[0], range(COUNT))
    np.testing.assert_array_equal(np.bincount(drawn), drawn.size / COUNT)
    own = [numbers(reals)[:, 0] == numbers(images) for _, (images, reals) in batches]
    assert 0 < np.mean(own) < 0.6  # 1 in 5 is expected


def test_matching_real_images():
    for _, (images, reals) in sentences(real="matching", reals=4):
        np.testing.assert_array_equal(reals, np.repeat(images[:, None], 4, axis=1))


def test_texts_are_the_first_words_of_sentences_of_the_real_images():
    seen = set()
    for _, (_, reals, texts) in sentences(steps=40, texts=True):
        assert reals.shape == (3, 3, 4, 4, 3) and texts.shape == (3, 3, 6)
        shown = numbers(reals.reshape(-1, 4, 4, 3))
        for image, text in zip(shown, texts.reshape(-1, 6), strict=True):
            possible = {
                (number, count): TABLE[words[:count]].mean(axis=0)
                for number in np.flatnonzero(OWNERS == image)
                for words in [IDS[number][IDS[number] != 0]]
                for count in range(1, len(words) + 1)
            }
            seen |= {
                key for key, mean in possible.items() if np.allclose(mean, text, atol=1e-6)
            }
    assert len(seen) == np.count_nonzero(IDS)  # every beginning of every sentence
    with pytest.raises(ValueError, match="`texts` is for random real images"):
        sentences(real="matching", texts=True)


@pytest.mark.parametrize("draw", [sentences, *CONDITIONS])
def test_a_step_is_a_function_of_seed_and_number(draw):
    if draw is not sentences:
        condition = draw

        def draw(*args):
            return vectors(*args, condition=condition)

    whole = draw(6)
    for one, other in zip(whole[2:], draw(6, 2), strict=True):
        for first, second in zip(flat(one), flat(other), strict=True):
            np.testing.assert_array_equal(first, second)
    assert any(not np.array_equal(flat(a)[0], flat(b)[0]) for a, b in zip(whole, draw(6, 0, 4)))


def test_one_word_at_random():
    seen = {number: [] for number in range(COUNT)}
    for batch, images in vectors(200, condition="word2vec"):
        assert batch.shape == (3, 6) and images.shape == (3, 4, 4, 3)
        for vector, number in zip(batch, numbers(images), strict=True):
            [word] = np.flatnonzero((TABLE == vector).all(axis=1))
            seen[number].append(word)
    for number, words in seen.items():
        own = IDS[OWNERS == number]
        assert set(words) == set(own[own != 0])
    # of image 4 with one caption, "5 7", each word is drawn in half of about 86 draws
    assert 25 < seen[4].count(5) < 60 and 25 < seen[4].count(7) < 60


@pytest.mark.parametrize("how", ["sum", "mean"])
def test_vectors_of_sentences(how):
    by_sentence = [getattr(TABLE[ids[ids != 0]], how)(axis=0) for ids in IDS]
    np.testing.assert_allclose(sentence_vectors(IDS, TABLE, how), by_sentence, atol=1e-6)
    by_image = [
        np.mean([mean for mean, owner in zip(by_sentence, OWNERS) if owner == n], axis=0)
        for n in range(COUNT)
    ]
    found = caption_means(IDS, OWNERS, TABLE, COUNT, how)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_image, atol=1e-6)
    for batch, images in vectors(condition="captions", sentence=how):
        np.testing.assert_allclose(batch, np.stack(by_image)[numbers(images)], atol=1e-6)
    drawn = set()
    for batch, images in vectors(condition="sentence", sentence=how):
        for vector, number in zip(batch, numbers(images), strict=True):
            found = int(np.argmin(np.abs(by_sentence - vector).max(axis=1)))
            np.testing.assert_allclose(vector, by_sentence[found], atol=1e-6)
            assert OWNERS[found] == number
            drawn.add(found)
    assert drawn == set(range(len(IDS)))


def test_noise():
    batches = vectors(100, batch_size=20, condition="noise")
    noise = np.concatenate([batch for batch, _ in batches])
    assert noise.shape == (2000, 6) and noise.dtype == np.float32
    assert -1 <= noise.min() < -0.99 and 0.99 < noise.max() <= 1
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(noise.var(axis=0), 1 / 3, atol=0.03)
    assert len(np.unique(noise)) > 0.99 * noise.size
    images = np.concatenate([numbers(images) for _, images in batches])
    np.testing.assert_array_equal(np.bincount(images), 400)


@pytest.mark.parametrize(
    "change",
    [
        {"images": IMAGES[:0]},
        {"ids": IDS[:0], "owners": OWNERS[:0]},
        {"owners": OWNERS[:-1]},
        {"owners": OWNERS + 1},
        {"owners": OWNERS - 1},
        {"ids": IDS + 1},
        {"ids": np.where(IDS == 5, 0, IDS)},  # nothing is left of sentence 2
    ],
)
def test_wrong_arguments(change):
    arguments = {"images": IMAGES, "ids": IDS, "owners": OWNERS, "table": TABLE, **change}
    with pytest.raises(ValueError):
        Sentences(**arguments)


def test_unknown_kinds():
    with pytest.raises(ValueError, match="real"):
        sentences(real="fake")
    with pytest.raises(ValueError, match="condition"):
        vectors(condition="words")
    with pytest.raises(ValueError, match="each of the 6 images"):
        more = Sentences(np.concatenate([IMAGES, IMAGES[:1]]), IDS, OWNERS, TABLE)
        vector_batches(more, 2, 0, condition="captions")
