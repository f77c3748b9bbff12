import gzip
import os
import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from gensim.models import KeyedVectors

from keras_gans.errors import InputError
from keras_gans.text2image.captions import (
    SEPARATORS,
    Vocabulary,
    count_words,
    load_vocabulary,
    save_vocabulary,
    tokenize,
    train_word2vec,
)
from keras_gans.text2image.vector_files import load_vectors

TEXTS = {
    "This flower is PINK, with 2 leaves.": "this flower is pink with 2 leaves".split(),
    "it's a_b-c/d\tred\n blue\r\n": ["it", "s", "a", "b", "c", "d", "red", "blue"],
    "Ein CAFÉ über Ölbäumen": ["ein", "café", "über", "ölbäumen"],
    "cafe\u0301 नमस्ते": ["cafe\u0301", "नमस्ते"],  # marks belong to their letters
    "红色的花，很美。": ["红色的花", "很美"],
    "ΟΔΟΣ İl ẞ": ["οδος", "i\u0307l", "ß"],
    "½ x² Ⅳ": ["½", "x²", "ⅳ"],
    "\x00a\u2028b\xa0c\ufffd 🌸": ["a", "b", "c"],
    " . — !": [],
    "": [],
}

VECTORS = {"red": (1, 2, 3), "café": (-4, 0.5, 1e-3), "Paris": (7, 8, 9), "blue": (0, 0, 6)}


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def keyed_vectors():
    vectors = KeyedVectors(3)
    vectors.add_vectors(list(VECTORS), np.float32(list(VECTORS.values())))
    return vectors


def glove():
    """GloVe's text, with one of its words that have spaces in them."""
    lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in VECTORS.items()]
    return "\n".join([*lines[:2], "red . wine 5 5 5", *lines[2:], ""]).encode()


@pytest.fixture
def vocabulary():
    vectors = [[0, 0], [2, 3], [1, 2], [3, 4]]
    return Vocabulary(("", "<unknown>", "a", "flower"), np.float32(vectors))


# Words ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_words(text):
    assert tokenize(text) == TEXTS[text]


def test_a_graph_finds_the_same_words():
    spaced = tf.strings.regex_replace(list(TEXTS), SEPARATORS, " ")
    found = tf.strings.split(tf.strings.lower(spaced, encoding="utf-8")).to_list()
    assert [[word.decode() for word in words] for words in found] == list(TEXTS.values())


def test_counts():
    counts = count_words(["Red, red", "", "a red flower"])
    assert counts == {"red": 3, "a": 1, "flower": 1} and counts.total() == 5


# Sentences --------------------------------------------------------------------------------


def test_sentences_are_padded_in_front_and_cut_at_the_end(vocabulary):
    captions = ["A flower!", "no flower", "a a a a flower", "flower"]
    ids = vocabulary.encode(captions, length=4)
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, [[0, 0, 2, 3], [0, 0, 1, 3], [2, 2, 2, 2], [0, 0, 0, 3]])
    assert vocabulary.encode(captions).shape == (4, 25)
    assert vocabulary.encode([], length=4).shape == (0, 4)


def test_special_words_are_not_to_be_had(vocabulary):
    np.testing.assert_array_equal(vocabulary.encode(["<unknown>"], length=2), [[0, 1]])
    assert vocabulary.unknown(["unknown"]) == {"unknown": 1}


def test_unknown_words_are_counted(vocabulary):
    found = vocabulary.unknown(["a rose is a rose", "a lily is a rose", "A FLOWER"])
    assert list(found.items()) == [("rose", 3), ("is", 2), ("lily", 1)]


@pytest.mark.parametrize("caption", ["", " \n", "?!"])
def test_a_caption_without_words(vocabulary, caption):
    text = refused(vocabulary.encode, ["a flower", caption])
    assert text == f"caption {caption!r}: no word in it: write one at least"


@pytest.mark.parametrize(
    "words, vectors",
    [
        (("a", "flower", "b"), np.zeros((3, 2), np.float32)),
        (("", "<unknown>"), np.zeros((2, 2), np.float32)),
        (("", "<unknown>", "a"), np.zeros((2, 2), np.float32)),
        (("", "<unknown>", "a"), np.zeros((3, 2))),
        (("", "<unknown>", "a", "a"), np.zeros((4, 2), np.float32)),
    ],
)
def test_wrong_vocabularies(words, vectors):
    with pytest.raises(ValueError):
        Vocabulary(words, vectors)


# word2vec ---------------------------------------------------------------------------------

CAPTIONS = ["the red flower", "a blue bird sings", "the bird", "The Flower, red"] * 5
TRAIN = f"""
import zlib
from keras_gans.text2image.captions import train_word2vec
vectors = train_word2vec({CAPTIONS}, size=8, epochs=3, seed=4).vectors
print(zlib.crc32(vectors.tobytes()))
"""


def test_word2vec_is_the_same_in_every_process():
    found = train_word2vec(CAPTIONS, size=8, epochs=3, seed=4)
    skip_gram = train_word2vec(CAPTIONS, size=8, epochs=3, seed=4, skip_gram=True)
    assert found.words[2] == "the" and set(found.words[2:]) == set(count_words(CAPTIONS))
    assert skip_gram.words == found.words
    assert not np.array_equal(skip_gram.vectors, found.vectors)
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    output = subprocess.run(
        [sys.executable, "-c", TRAIN], env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert int(output) == zlib.crc32(found.vectors.tobytes())


def test_word2vec_learns_which_words_have_the_same_neighbours():
    rng = np.random.default_rng(0)
    words = [["red", "blue", "pink"], ["cat", "dog", "cow"], ["one", "two", "six"]]
    captions = [" ".join(rng.permutation(words[n % 3] * 2)) for n in range(600)]
    vocabulary = train_word2vec(captions, size=16, epochs=8, seed=1)
    assert vocabulary.vectors.shape == (11, 16) and vocabulary.vectors.dtype == np.float32
    np.testing.assert_array_equal(vocabulary.vectors[0], 0)
    np.testing.assert_allclose(
        vocabulary.vectors[1], vocabulary.vectors[2:].mean(axis=0), atol=1e-6
    )
    vectors = vocabulary.vectors - vocabulary.vectors[1]
    for group in words:
        first, second = (vectors[vocabulary.index[word]] for word in group[:2])
        likeness = vectors[2:] @ first / np.linalg.norm(vectors[2:], axis=1)
        nearest = {vocabulary.words[2 + i] for i in np.argsort(-likeness)[:3]}
        assert nearest == set(group) and first @ second > 0
    other = train_word2vec(captions, size=16, epochs=1, seed=2)
    assert not np.array_equal(other.vectors, vocabulary.vectors)


def test_word2vec_of_nothing():
    assert "no word in any of them" in refused(train_word2vec, ["", "..."])


# Files of vectors -------------------------------------------------------------------------


def save(folder, kind):
    path = folder / "vectors"
    if kind in ("text", "binary"):
        keyed_vectors().save_word2vec_format(path, binary=kind == "binary")
    elif kind == "original binary":  # word2vec itself ends every vector with a line break
        entries = [
            word.encode() + b" " + np.float32(vector).tobytes() + b"\n"
            for word, vector in VECTORS.items()
        ]
        path.write_bytes(b"4 3\n" + b"".join(entries))
    elif kind == "original text":  # and every line with a space
        lines = [f"{word} {' '.join(map(str, vector))} " for word, vector in VECTORS.items()]
        path.write_text("\n".join(["4 3", *lines, ""]), encoding="utf-8")
    elif kind == "gensim":
        keyed_vectors().save(str(path))
    elif kind == "gensim, two files":
        keyed_vectors().save(str(path), sep_limit=1)
    else:
        path.write_bytes(glove())
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["text", "original text", "binary", "original binary", "GloVe", "gensim",
     "gensim, two files"],
)  # fmt: skip
def test_kinds_of_files(tmp_path, kind, compressed):
    trust = kind.startswith("gensim")  # these are pickles
    path = save(tmp_path, kind)
    if trust:
        assert "give --trust-vectors if you trust it" in refused(load_vectors, path, ["red"])
        if compressed:
            return
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    vocabulary = load_vectors(path, ["café", "rose", "paris", "red", "café"], 3, trust)
    assert vocabulary.words == ("", "<unknown>", "café", "paris", "red")
    expected = np.float32([VECTORS[word] for word in ("café", "Paris", "red")])
    assert vocabulary.vectors.dtype == np.float32
    np.testing.assert_array_equal(vocabulary.vectors[2:], expected)
    np.testing.assert_allclose(vocabulary.vectors[1], expected.mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(vocabulary.vectors[0], 0)
    assert vocabulary.vectors.base is None or vocabulary.vectors.base.nbytes < 100
    assert refused(load_vectors, path, ["red"], 400, trust) == (
        f"{path}: vectors of 3 numbers, 400 are asked for: ask for 3, or give another file"
    )
    text = refused(load_vectors, path, ["rose", "lily"], trust=trust)
    assert text.startswith(f"{path}: has none of the 2 words of the captions (rose, lily, ...)")


def test_the_letter_case_asked_for_comes_first(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("RED 1 1\nRed 2 2\nred 3 3\nred 4 4\nBLUE 5 5\nBlue 6 6\n")
    vocabulary = load_vectors(path, ["red", "blue"])
    np.testing.assert_array_equal(vocabulary.vectors[2:], [[3, 3], [5, 5]])


def test_a_large_file_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_gans.text2image.vector_files.BLOCK", 7)
    vocabulary = load_vectors(save(tmp_path, "binary"), ["blue", "red"])
    np.testing.assert_array_equal(vocabulary.vectors[2:], [VECTORS["blue"], VECTORS["red"]])


@pytest.mark.parametrize(
    "kind, content, received",
    [
        (None, b"", "not a file of word vectors: give word2vec text or binary"),
        (None, b"image,split,tags\na.jpg,train,dog\n", "not a file of word vectors"),
        (None, b"a text about flowers\n", "not a file of word vectors"),
        (None, b"\x89PNG\r\n\x1a\n\0\0", "not a file of word vectors"),
        (None, b"\x80\x04]\x94.", "not a file of word vectors"),  # a pickled list
        (None, b"\x80\x04rubbish", "not a file of word vectors"),
        (None, b"\x1f\x8brubbish", "truncated or damaged file of word vectors"),
        (None, b"5 3\n", "truncated: no vectors after line 1"),
        (None, b"5 0\nred\n", "not a file of word vectors"),
        (None, b"2 3\nred 1 2 3\n", "truncated: 1 vectors, line 1 says 2"),
        (None, b"2 3\nblue 1 2 3\nred 1 2\n", r"line 3 \(red\): 3 finite numbers"),
        (None, b"green 1 2 3\nred 1 nan 3\n", r"line 2 \(red\): 3 finite numbers"),
        (None, b"green 1 2 3\nred 1 x 3\n", r"line 2 \(red\): 3 finite numbers"),
        (None, b"red 1 2 3\ngreen 1 2", "truncated at its last line, line 2"),
        ("binary", slice(0, -5), "truncated at vector 4 of 4"),
        ("gzip", slice(0, -12), "truncated or damaged file of word vectors"),
        ("infinite", slice(None), r"vector 1 \(red\): 3 finite numbers"),
    ],
)
def test_damaged_files(tmp_path, kind, content, received):
    path = tmp_path / "vectors.bin"
    if kind == "gzip":
        content = gzip.compress(glove())[content]
    elif kind == "binary":
        content = save(tmp_path, "binary").read_bytes()[content]
    elif kind == "infinite":
        content = b"1 3\nred " + np.float32([1, np.inf, 2]).tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"^{path}: {received}[^\n]*$"):
        load_vectors(path, ["red"], trust=True)


class Bomb:
    """What unpickling it runs is told by a file that it makes."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_not_run(tmp_path, protocol, compressed):
    path, mark = tmp_path / "vectors.kv", tmp_path / "it_ran"
    content = pickle.dumps(Bomb(str(mark)), protocol)
    path.write_bytes(gzip.compress(content) if compressed else content)
    said = "a pickle, .* give --trust-vectors" if protocol >= 2 else "not a file of word vect"
    with pytest.raises(InputError, match=f"^{path}: {said}"):
        load_vectors(path, ["red"])
    assert not mark.exists()


def test_missing_files(tmp_path):
    path = tmp_path / "gone.bin"
    assert refused(load_vectors, path, ["red"]).startswith(f"{path}: cannot be read (No such")
    path = save(tmp_path, "gensim, two files")
    (tmp_path / "vectors.vectors.npy").unlink()
    text = refused(load_vectors, path, ["red"], trust=True)
    assert text.startswith(f"{path}.vectors.npy: no such file: gensim saved it with vectors")


# Vocabularies on disk ---------------------------------------------------------------------


def test_a_vocabulary_is_kept(tmp_path):
    path = tmp_path / "words.npz"
    vectors = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    vocabulary = Vocabulary(("", "<unknown>", "café", "红色的花", "x"), vectors)
    save_vocabulary(vocabulary, path)
    kept = load_vocabulary(path)
    assert kept.words == vocabulary.words and kept.vectors.dtype == np.float32
    np.testing.assert_array_equal(kept.vectors, vectors)
    assert [file.name for file in tmp_path.iterdir()] == ["words.npz"]


def test_damaged_vocabularies(tmp_path, vocabulary):
    path = tmp_path / "words.npz"
    assert refused(load_vocabulary, path).startswith(f"{path}: cannot be read (No such")
    save_vocabulary(vocabulary, path)
    good = path.read_bytes()
    for content in (b"", b"rubbish", good[:-40], good[:100] + b"????" + good[104:]):
        path.write_bytes(content)
        assert f"{path}: truncated or damaged .npz file" in refused(load_vocabulary, path)
    for vectors in (np.zeros((1, 2)), np.full((1, 2), np.nan)):
        np.savez(path, words=np.uint8([97]), vectors=vectors)
        assert f"{path}: truncated or damaged vocabulary" in refused(load_vocabulary, path)
    with pytest.raises(InputError, match="cannot be written"):
        save_vocabulary(vocabulary, tmp_path / "gone" / "words.npz")
