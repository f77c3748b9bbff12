"""Files of word vectors: word2vec, GloVe, gensim."""

import functools
import gzip
import itertools
from pathlib import Path

import numpy as np

from keras_gans.data.reading import reading
from keras_gans.errors import InputError
from keras_gans.text2image.captions import SPECIAL, Vocabulary, build_vocabulary

KINDS = "word2vec text or binary, GloVe text (each also as .gz) or gensim's .kv"

LONGEST = 1 << 20  # bytes of a line; longer ones are no text

LARGEST = 1 << 14  # numbers of a vector; more are no vectors

BLOCK = 1 << 20  # bytes read at a time


def load_vectors(path: Path, words, size: int | None = None, trust: bool = False) -> Vocabulary:
    """Reads the vectors of some words from a file; of the others, nothing is kept.

    What kind of file it is, is told by its content: word2vec's text (fastText's .vec too) or
    binary format, GloVe's text, each also compressed by gzip, or vectors or a model that gensim
    saved. The last are pickles, which can run any code when they are read.

    A word that the file has in other letter case only (`Paris`) takes that vector.

    Args:
        path: the file.
        words: iterable of str in lower case, those that are wanted.
        size: numbers D that a vector must have, `None` for any.
        trust: whether pickles are read.

    Returns:
        `Vocabulary` of the words found, in the order of `words`.

    Raises:
        InputError: missing, truncated or no such file; a pickle without `trust`; vectors of
            another size; NaN or infinity; none of the words found.
    """
    path, wanted = Path(path), [word for word in dict.fromkeys(words) if word not in SPECIAL]
    with reading(path, "file of word vectors"), open(path, "rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        with gzip.open(plain) if zipped else plain as file:
            pickled = file.read(1) == b"\x80"
            file.seek(0)
            if pickled and not trust:
                raise InputError(
                    f"{path}: a pickle, as gensim saves it, which can run any code when it is "
                    "read: give --trust-vectors if you trust it, or save the vectors with "
                    "gensim's save_word2vec_format"
                )
            found = (
                _read_gensim(path, set(wanted), size)
                if pickled
                else _read_vectors(file, path, set(wanted), size)
            )
    known = [word for word in wanted if word in found]
    if not known:
        shown = ", ".join(wanted[:3])
        raise InputError(
            f"{path}: has none of the {len(wanted)} words of the captions ({shown}, ...): give "
            "vectors of the captions' language"
        )
    return build_vocabulary(known, np.stack([found[word] for word in known]))


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
    header = len(fields) == 2 and all(field.isdigit() and len(field) <= 15 for field in fields)
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
