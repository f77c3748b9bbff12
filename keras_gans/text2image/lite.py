"""Sentences for a TFLite file, and what it makes of them, in NumPy."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_gans.data.arrays import read_npy
from keras_gans.data.reading import reading
from keras_gans.errors import InputError
from keras_gans.text2image.captions import UNKNOWN, tokenize


def build_drawing(
    network: Callable,
    whole: bool,
    words: Sequence[str],
    vectors: np.ndarray,
    length: int,
    sentence: str = "mean",
) -> Callable:
    """The signature `words` of the exported model, see `export_text_to_image`.

    Args:
        network: function of the file's inputs, for one sentence.
        whole: whether it is the whole network, which takes words one by one; or a generator.
        words: V, of which the first two are not words.
        vectors: float32 (V, D).
        length: W, words of a sentence.
        sentence: what a generator is given for one: the "sum" of its words' vectors, or "mean".
    """
    numbers = {word: number for number, word in enumerate(words)}

    def drawn(caption):
        tokens = tokenize(caption)
        if not tokens:
            raise InputError("captions must each have a word")
        places = [""] * (length - len(tokens)) + tokens[:length]
        ids = np.array([numbers.get(word, UNKNOWN) for word in places])
        row = vectors[ids][None]
        if whole:
            made = network(vectors=row, mask=ids[None] != 0)
        else:
            vector = row.sum(axis=1) / (np.count_nonzero(ids) if sentence == "mean" else 1)
            each = [network(vectors=row[:, place])["images"][0] for place in range(length)]
            made = {
                "images": network(vectors=vector.astype(np.float32))["images"],
                "pictures": [np.stack(each)],
            }
        return {
            "images": made["images"][0],
            "pictures": made["pictures"][0],
            "words": np.array([word.encode() for word in places], object),
            "known": ids > UNKNOWN,
            "count": len(tokens),
        }

    def run(captions):
        sentences = [drawn(caption) for caption in captions]
        return {name: np.stack([each[name] for each in sentences]) for name in sentences[0]}

    return run


def sentence_of(metadata: dict) -> str:
    """What a generator is given for a sentence, by its `model.json`: "mean" or "sum"."""
    settings = metadata.get("settings")
    return "sum" if isinstance(settings, dict) and settings.get("sentence") == "sum" else "mean"


def read_words(folder: Path) -> tuple[list[str], np.ndarray]:
    """The words and vectors beside a TFLite file: V of them, and float32 (V, D).

    Raises:
        InputError: they cannot be read, or do not belong together.
    """
    listed = folder / "words.txt"
    with reading(listed, "list of words"):
        words = listed.read_text(encoding="utf-8").split("\n")[:-1]
    vectors = read_npy(folder / "vectors.npy")
    if vectors.ndim != 2 or vectors.dtype != np.float32 or len(vectors) != len(words):
        raise InputError(
            f"{folder / 'vectors.npy'}: not the vectors of the {len(words)} words in {listed}: "
            "export the model again"
        )
    return words, vectors
