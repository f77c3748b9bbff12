"""From captions to word vectors: words, word2vec, files of vectors, sentences of numbers.

A sentence of the network has W slots (25). It is cut to its first W words, or padded in front,
so that the last slot holds its last word. The report takes vectors of 400 numbers.
"""

import contextlib
import functools
import gzip
import itertools
import unicodedata
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from keras_gans.errors import InputError
from keras_gans.files import replacing

PADDING, UNKNOWN = 0, 1  # the first two rows of every table of vectors
SPECIAL = ("", "<unknown>")  # and what stands there instead of words

# What `tokenize` splits at, as a regular expression of RE2. The same in a TensorFlow graph:
#     text = tf.strings.regex_replace(text, SEPARATORS, " ")
#     tokens = tf.strings.split(tf.strings.lower(text, encoding="utf-8"))
SEPARATORS = r"[^\p{L}\p{M}\p{N}]+"

KINDS = "word2vec text or binary, GloVe text (each also as .gz) or gensim's .kv"
LONGEST = 1 << 20  # bytes of a line; longer ones are no text
LARGEST = 1 << 14  # numbers of a vector; more are no vectors
BLOCK = 1 << 20  # bytes read at a time


def tokenize(text):
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


def count_words(captions):
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


def train_word2vec(captions, size=400, skip_gram=False, window=5, epochs=20, seed=0):
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
    return _vocabulary(model.wv.index_to_key, model.wv.vectors)


def load_vectors(path, words, size=None):
    """Reads the vectors of some words from a file; of the others, nothing is kept.

    What kind of file it is, is told by its content: word2vec's text (fastText's .vec too) or
    binary format, GloVe's text, each also compressed by gzip, or vectors or a model that gensim
    saved. The last are unpickled, which can run any code: take them only from those you trust.

    A word that the file has in other letter case only (`Paris`) takes that vector.

    Args:
        path: the file.
        words: iterable of str in lower case, those that are wanted.
        size: numbers D that a vector must have, `None` for any.

    Returns:
        `Vocabulary` of the words found, in the order of `words`.

    Raises:
        InputError: missing, truncated or no such file; vectors of another size; NaN or
            infinity; none of the words found.
    """
    path, wanted = Path(path), [word for word in dict.fromkeys(words) if word not in SPECIAL]
    with _damage_reported(path):
        with open(path, "rb") as file:
            start = file.read(2)
        if start[:1] == b"\x80":  # pickle
            found = _read_gensim(path, set(wanted), size)
        else:
            with gzip.open(path) if start == b"\x1f\x8b" else open(path, "rb") as file:
                found = _read_vectors(file, path, set(wanted), size)
    known = [word for word in wanted if word in found]
    if not known:
        shown = ", ".join(wanted[:3])
        raise InputError(
            f"{path}: has none of the {len(wanted)} words of the captions ({shown}, ...): give "
            "vectors of the captions' language"
        )
    return _vocabulary(known, np.stack([found[word] for word in known]))


def save_vocabulary(vocabulary, path):
    """Writes a vocabulary as .npz, complete or not at all.

    Raises:
        InputError: the file cannot be written.
    """
    words = np.frombuffer("\n".join(vocabulary.words).encode(), np.uint8)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, words=words, vectors=vocabulary.vectors)


def load_vocabulary(path):
    """Reads what `save_vocabulary` wrote.

    Raises:
        InputError: missing or damaged file, or another one.
    """
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            words = tuple(arrays["words"].tobytes().decode().split("\n"))
            return Vocabulary(words, arrays["vectors"])
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; the run stores its word vectors") from None
    except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError,
            zipfile.BadZipFile, zlib.error):  # fmt: skip
        raise InputError(
            f"{path}: not a vocabulary, or damaged: restore the file that the run wrote"
        ) from None


def _vocabulary(words, vectors):
    """`Vocabulary` of words and their vectors, with the two special rows before them."""
    mean = np.mean(vectors, axis=0, dtype=np.float64)
    rows = [np.zeros_like(mean)[None], mean[None], vectors]
    return Vocabulary((*SPECIAL, *words), np.concatenate(rows).astype(np.float32))


# Files of vectors ---------------------------------------------------------------------------


@contextlib.contextmanager
def _damage_reported(path):
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{path}: truncated or damaged gzip file: fetch it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def _not_vectors(path):
    return InputError(f"{path}: not a file of word vectors: give {KINDS}")


def _check_size(path, received, size):
    if size not in (None, received):
        raise InputError(
            f"{path}: vectors of {received} numbers, {size} are asked for: ask for {received}, "
            "or give another file"
        )


def _read_vectors(file, path, wanted, size):
    """{word: float32 (D,)} of those wanted, from an open text or binary file."""
    first = file.readline(LONGEST)
    fields = first.split()
    header = len(fields) == 2 and all(field.isdigit() for field in fields)
    if header:
        count, received = map(int, fields)
        second = file.readline(LONGEST)
        tail = second.split()[1:][-received:]
        text = _numbers(tail, len(tail)) is not None
        if count and not second:
            raise InputError(f"{path}: truncated: no vectors after line 1: fetch it again")
    else:
        count, received, text = None, len(fields) - 1, True
        if _numbers(fields[1:], received) is None:
            raise _not_vectors(path)
    if not 0 < received <= LARGEST:
        raise _not_vectors(path)
    _check_size(path, received, size)
    file.seek(len(first) if header else 0)
    if not text:
        entries = _binary_entries(file, path, count, received)
        return _select(entries, path, wanted, received, lambda data: np.frombuffer(data, "<f4"))
    entries = _text_entries(file, path, count, received, 2 if header else 1)
    return _select(
        entries, path, wanted, received, lambda data: _numbers(data.split(), received)
    )


def _read_gensim(path, wanted, size):
    """{word: float32 (D,)} of those wanted, from what gensim saved."""
    from gensim.models import KeyedVectors

    try:
        loaded = KeyedVectors.load(str(path), mmap="r")
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename}: no such file: gensim saved it with {path.name}; put it there"
        ) from None
    except Exception:  # unpickling raises nearly every type there is
        raise _not_vectors(path) from None
    vectors = getattr(loaded, "wv", loaded)
    if not isinstance(vectors, KeyedVectors):
        raise _not_vectors(path)
    _check_size(path, vectors.vector_size, size)
    entries = (
        (word.encode(), f"vector {row + 1}", row) for word, row in vectors.key_to_index.items()
    )
    return _select(entries, path, wanted, vectors.vector_size, vectors.vectors.__getitem__)


def _select(entries, path, wanted, size, parse):
    """{word: float32 (size,)} of the entries wanted; the word's own letter case is preferred.

    Args:
        entries: iterable of (word as UTF-8, its place in the file, its data).
        wanted: set of str in lower case.
        parse: function from the data to the numbers, or to `None` if it has not `size` of them.
    """
    own_case, other_case = {}, {}
    for word, place, data in entries:
        try:
            word = word.decode()
        except UnicodeDecodeError:
            continue
        key, found = (word, own_case) if word in wanted else (word.lower(), other_case)
        if key not in wanted or key in found:
            continue
        vector = parse(data)
        if vector is None or not np.isfinite(vector).all():
            raise InputError(
                f"{path}: {place} ({word}): {size} finite numbers are expected: fetch the file "
                "again, or remove the word"
            )
        found[key] = np.array(vector, np.float32)  # a copy, not the block it is a part of
    return other_case | own_case


def _text_entries(file, path, count, size, first_line):
    """(word, "line n", the rest of the line) of each line, as bytes."""
    lines = iter(functools.partial(file.readline, LONGEST), b"")
    number = 0
    for number, line in enumerate(itertools.islice(lines, count), 1):
        place = f"line {first_line + number - 1}"
        if len(line) == LONGEST:
            raise InputError(f"{path}: {place}: too long for a vector: give {KINDS}")
        # GloVe has words with spaces in them, no caption has
        if line.count(b" ") > size + 1 and len(line.split()) > size + 1:
            continue
        word, *numbers = line.split(None, 1) or [b""]
        yield word, place, *(numbers or [b""])
    if count is not None and number < count:
        raise InputError(
            f"{path}: truncated: {number} vectors, line 1 says {count}: fetch it again"
        )
    if number and len(line.split()) <= size and line.strip():
        raise InputError(f"{path}: truncated at its last line, {place}: fetch it again")


def _binary_entries(file, path, count, size):
    """(word, "vector n", the vector's bytes) of each word."""
    length, block, position = 4 * size, b"", 0
    for number in range(1, count + 1):
        while (end := block.find(b" ", position)) < 0 or end + 1 + length > len(block):
            if end < 0 and len(block) - position > LONGEST:
                raise _not_vectors(path)
            more = file.read(BLOCK)
            if not more:
                raise InputError(
                    f"{path}: truncated at vector {number} of {count}: fetch it again"
                )
            block, position = block[position:] + more, 0
        start, word = end + 1, block[position:end].lstrip(b"\n")
        position = start + length
        yield word, f"vector {number}", block[start:position]


def _numbers(fields, size):
    """float32 (size,), or `None` if these are not so many numbers."""
    try:
        return np.array(fields, np.float32) if size and len(fields) == size else None
    except ValueError:
        return None
