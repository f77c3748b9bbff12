"""From captions to word vectors: words, word2vec, files of vectors, sentences of numbers.

A sentence of the network has W slots (25). It is cut to its first W words, or padded in front,
so that the last slot holds its last word. The report takes vectors of 400 numbers.
"""

import functools
import itertools
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from keras_gans.data.arrays import read_npz
from keras_gans.data.reading import reading
from keras_gans.errors import InputError
from keras_gans.files import replacing

PADDING, UNKNOWN = 0, 1  # the first two rows of every table of vectors
SPECIAL = ("", "<unknown>")  # and what stands there instead of words

# What `tokenize` splits at, as a regular expression of RE2. The same in a TensorFlow graph:
#     text = tf.strings.regex_replace(text, SEPARATORS, " ")
#     tokens = tf.strings.split(tf.strings.lower(text, encoding="utf-8"))
SEPARATORS = r"[^\p{L}\p{M}\p{N}]+"


def tokenize(text: str) -> list[str]:
    """The words of a text, in lower case: runs of letters (with their marks) and digits.

    Letters are those of Unicode. Chinese, which is written without spaces, stays one run.

    Args:
        text: str.

    Returns:
        list of str; empty if there is neither letter nor digit.

    Example: `tokenize("It's a café, 2 doors.")` is `["it", "s", "a", "café", "2", "doors"]`.
    """
    return "".join(
        char if unicodedata.category(char)[0] in "LMN" else " " for char in text.lower()
    ).split()


def count_words(captions: Iterable[str]) -> Counter:
    """How often each word occurs: `Counter` of str, in the order of first occurrence."""
    return Counter(itertools.chain.from_iterable(map(tokenize, captions)))


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words and their vectors.

    Attributes:
        words: tuple of V str, the first two of which are `SPECIAL`.
        vectors: float32 (V, D). Row 0, for padding, is zeros; row 1, for all unknown words,
            is the mean of the rows after it.

    Raises:
        ValueError: other special words, a word twice, not as many vectors as words, no word.
    """

    words: tuple[str, ...]
    vectors: np.ndarray

    def __post_init__(self):
        shape, dtype = np.shape(self.vectors), np.asarray(self.vectors).dtype
        if tuple(self.words[:2]) != SPECIAL or len(self.words) < 3:
            raise ValueError(f"words begin with {SPECIAL}. Received: {self.words[:3]}")
        if len(set(self.words)) != len(self.words):
            raise ValueError("every word may occur once")
        if len(shape) != 2 or shape[0] != len(self.words) or dtype != np.float32:
            raise ValueError(
                f"vectors are float32 ({len(self.words)}, D). Received: {dtype} {shape}"
            )

    @functools.cached_property
    def index(self):
        """dict from each word to its row."""
        return {word: row for row, word in enumerate(self.words) if row > UNKNOWN}

    def encode(self, captions, length=25):
        """Sentences of row numbers.

        Args:
            captions: list of N str.
            length: slots W of a sentence.

        Returns:
            int32 (N, W): the first W words, at the end of the row; 0 in front of them, 1 for
            unknown words.

        Raises:
            InputError: a caption without any word.
        """
        ids = np.full((len(captions), length), PADDING, np.int32)
        for row, caption in enumerate(captions):
            words = tokenize(caption)[:length]
            if not words:
                raise InputError(f"caption {caption!r}: no word in it: write one at least")
            ids[row, length - len(words) :] = [self.index.get(word, UNKNOWN) for word in words]
        return ids

    def unknown(self, captions):
        """The words of `captions` without a vector of their own.

        Returns:
            dict from word to the number of times, most frequent first.
        """
        counts = count_words(captions)
        return {word: times for word, times in counts.most_common() if word not in self.index}


def train_word2vec(
    captions: Sequence[str],
    size: int = 400,
    skip_gram: bool = False,
    window: int = 5,
    epochs: int = 20,
    seed: int = 0,
) -> Vocabulary:
    """Trains word2vec (Mikolov et al., 2013) on captions, with gensim.

    Every word counts, however rare. One thread does the work, so that the same captions and
    seed give the same vectors. A bar on a terminal shows the progress.

    Args:
        captions: list of str.
        size: numbers D of a vector.
        skip_gram: whether the neighbours are predicted from each word (better for rare words)
            instead of each word from its neighbours (CBOW).
        window: words to each side that are neighbours.
        epochs: passes over the captions.
        seed: int, not negative.

    Returns:
        `Vocabulary`, the most frequent words first.

    Raises:
        InputError: no words in the captions.
    """
    from gensim.models import Word2Vec  # slow to import, and not needed to draw
    from gensim.models.callbacks import CallbackAny2Vec

    sentences = [words for words in map(tokenize, captions) if words]
    if not sentences:
        raise InputError("captions: no word in any of them: word2vec has nothing to learn from")
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("word2vec", total=epochs)
        advance = CallbackAny2Vec()
        advance.on_epoch_end = lambda model: progress.advance(task)
        model = Word2Vec(
            sentences, vector_size=size, sg=int(skip_gram), window=window, epochs=epochs,
            seed=seed, min_count=1, workers=1, callbacks=[advance],
            hashfxn=lambda word: zlib.crc32(word.encode()),  # hash() differs between processes
        )  # fmt: skip
    return build_vocabulary(model.wv.index_to_key, model.wv.vectors)


def save_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """Writes a vocabulary as .npz, complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    words = np.frombuffer("\n".join(vocabulary.words).encode(), np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, words=words, vectors=vocabulary.vectors)


def load_vocabulary(path: Path) -> Vocabulary:
    """Reads what `save_vocabulary` wrote.

    Raises:
        InputError: missing or damaged file, or another one.
    """
    arrays = read_npz(path, ["words", "vectors"])
    with reading(path, "vocabulary"):
        words = tuple(arrays["words"].tobytes().decode().split("\n"))
        if not np.isfinite(arrays["vectors"]).all():
            raise ValueError("NaN or infinity")
        return Vocabulary(words, arrays["vectors"])


def build_vocabulary(words: Sequence[str], vectors: np.ndarray) -> Vocabulary:
    """`Vocabulary` of words and their vectors, with the two special rows before them."""
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    rows = [np.zeros_like(mean)[None], mean[None], vectors]
    return Vocabulary((*SPECIAL, *words), np.concatenate(rows).astype(np.float32))


# Files of vectors ---------------------------------------------------------------------------
