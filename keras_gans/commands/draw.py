"""Draws sentences with an exported model: no network code is needed.

The model is a SavedModel as `keras_gans.text2image.export.export_text_to_image` writes it: its
signature `words` makes, of `captions`, a picture of every sentence and one of every word of it,
and tells which words it knows.
"""

import contextlib
import importlib.util
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.data.images import SUFFIXES
from keras_gans.data.reading import reading
from keras_gans.data.write import write_png
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder
from keras_gans.text2image.lite import build_drawing, read_words, sentence_of

MODEL = "text2image"
BATCH = 8  # sentences drawn at a time
SIZES = 8, 4096  # of --size
WORDS_SIZE = 1024  # of --size with --words at most: a strip has 25 pictures side by side
LONGEST = 10_000  # bytes of a sentence, as many as a model takes
FILE_BYTES, SENTENCES = 2**26, 100_000  # of --file at most
QUOTED = 60  # characters of a sentence in a message, at most

GAP, LINE, FONT = 4, 22, 13  # of a strip, in pixels: between pictures, height of words, letters
SIDE = 64  # pictures of a strip are at least as large
KNOWN, UNKNOWN = "black", (170, 170, 170)  # colours of words


@dataclass(frozen=True)
class Drawer:
    """An exported text-to-image model. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        vocabulary: how many words it knows.
        length: of a sentence so many words are drawn; 0 if it is not told.
        vector_size: numbers of a word.
        sentence: what a generator is given, the "mean" or the "sum" of the words' vectors.
        lite: the file for LiteRT; `None` for TensorFlow.
    """

    folder: Path
    vocabulary: int
    length: int = 0
    vector_size: int = 0
    sentence: str = "mean"
    lite: Path | None = None

    @classmethod
    def find(
        cls, folder: Path | str | None = None, backend: models.Backend = "litert"
    ) -> "Drawer":
        """The model in a folder, see `models.find_model`; by default `MODEL`.

        With "tensorflow" it is the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, or no or another model's description.
        """
        expected = "not a text-to-image model's (vocabulary is expected)"
        train = "python train_text2image.py"
        folder, found = models.find_model(folder, MODEL, train, _sizes, expected)
        told = all(found) and backend == "litert"
        return cls(folder, *found, lite_file(folder) if told else None)

    @cached_property
    def signature(self):
        """Callable, `captions` str (N,) -> dict of arrays."""
        if self.lite:
            return self._on_lite()
        return models.load_signature(
            self.folder,
            "a text-to-image model's",
            inputs={"captions": ("string", (None,))},
            outputs=["images", "pictures", "words", "known", "count"],
            name="words",
        )

    def _on_lite(self):
        words, vectors = read_words(self.lite.parent)
        model, places = "a text-to-image", (1, self.length)
        inputs = {"vectors": ("float32", (*places, self.vector_size)), "mask": ("bool", places)}
        try:
            network = load_lite(self.lite, model, inputs, ["images", "pictures"])
        except InputError:  # a generator alone
            inputs = {"vectors": ("float32", (1, self.vector_size))}
            network = load_lite(self.lite, model, inputs, ["images"])
        return build_drawing(
            network, "mask" in inputs, words, vectors, self.length, self.sentence
        )

    def __call__(self, sentences: str | Sequence[str]) -> np.ndarray:
        """Draws one sentence, uint8 (S, S, 3), or several, uint8 (N, S, S, 3).

        Raises:
            InputError: no sentence, or one of which no word is known.
        """
        one = not isinstance(sentences, Iterable) or isinstance(sentences, str)
        sentences = [sentences] if one else list(sentences)
        if not sentences or not all(isinstance(each, str) for each in sentences):
            raise InputError(f"sentences are expected, as str. Received: {sentences!r:.60}")
        drawn = self.words(sentences)
        for place, known in zip(sentences, drawn["known"]):
            if not known.any():
                raise InputError(f"{place!r:.60}: the model knows none of these words")
        return drawn["images"][0] if one else drawn["images"]

    def words(self, sentences: Sequence[str]) -> dict[str, np.ndarray]:
        """Draws sentences word by word.

        Args:
            sentences: N of them.

        Returns:
            dict: `images` uint8 (N, S, S, 3), a picture of each sentence; `pictures` uint8
            (N, W, S, S, 3), one of each word; `words`, bytes (N, W), `known`, bool (N, W), and
            `count`, int (N,), the words of the sentence.
        """
        return self.signature(captions=list(sentences))


def _sizes(description):
    vocabulary = models.number(description, "vocabulary", 1, 2**31 - 1)
    given = {"length": 0, "vector_size": 0} | description
    length, size = (models.number(given, name, 0, 2**16) for name in ("length", "vector_size"))
    return vocabulary, length, size, sentence_of(description)


def draw(
    sentences: Sequence[str] = (),
    file: Path | None = None,
    *,
    out: Path | str,
    model=None,
    words: bool = False,
    size: int | None = None,
    backend: models.Backend = "litert",
) -> list[Path]:
    """Draws sentences and writes the pictures as PNG.

    All sentences are drawn once before anything is written, and nothing is if any cannot be
    drawn; in memory is one batch, however many there are. Prints what was drawn on stdout, and
    unknown words, words that are too many, and progress on stderr.

    Args:
        sentences: list of str.
        file: UTF-8 text with a sentence a line, instead of them.
        out: the picture of one sentence, NAME.png, which replaces one that is there; or a
            folder, made if missing, of 00001.png and so on in the order of the sentences. No
            file in the folder is overwritten.
        model: folder of a SavedModel, see `Drawer.find`.
        words: whether to write, beside every NAME.png, NAME_words.png, see `word_strip`.
        size: side of the pictures in pixels, which are enlarged or reduced then; by default
            the model's.
        backend: see `Drawer.find`.

    Returns:
        list of `Path`, the pictures of the sentences.

    Raises:
        InputError: a sentence, the file, the size, the model or `out` cannot be used.
    """
    out = Path(out)
    if size is not None and not SIZES[0] <= size <= SIZES[1]:
        raise InputError(f"--size must be from {SIZES[0]} to {SIZES[1]}. Received: {size}")
    if words and size is not None and size > WORDS_SIZE:
        raise InputError(f"--size must be at most {WORDS_SIZE} with --words. Received: {size}")
    sentences = read_sentences(sentences, file)
    targets = _targets(out, len(sentences), words, file)
    drawer = Drawer.find(model, backend)
    check_folder(targets[0].parent)
    console = Console(stderr=True)
    with console.status("loading the model"):
        drawer.signature

    notes, kept = [], []
    with results.progress(console) as progress:
        for place, one in _drawn(drawer, sentences, progress, "checking"):
            notes += check_words(place, one, drawer)
            if len(sentences) <= BATCH:  # more are drawn once again to be written
                kept.append((place, one))
        for note in notes:
            print(printable(note), file=sys.stderr)
        targets[0].parent.mkdir(parents=True, exist_ok=True)
        drawn = kept or _drawn(drawer, sentences, progress, "drawing")
        for target, (_, one) in zip(targets, drawn, strict=True):
            image = _resized(one["images"], size)
            write_png(target, image)
            if words:
                write_png(_strip_path(target), word_strip(one, size))
    height, width = image.shape[:2]
    count = "1 picture" if len(targets) == 1 else f"{len(targets)} pictures"
    print(f"{count} of {width} x {height} in {printable(out)}")
    return targets


def _drawn(drawer, sentences, progress, description) -> Iterator[tuple[str, dict]]:
    """What a message calls each sentence, and what the model makes of it."""
    task = progress.add_task(description, total=len(sentences))
    for first in range(0, len(sentences), BATCH):
        batch = sentences[first : first + BATCH]
        made = drawer.words([text for _, text in batch])
        for number, (place, _) in enumerate(batch):
            yield place, {name: values[number] for name, values in made.items()}
            progress.advance(task)


def word_strip(drawn: dict[str, np.ndarray], size: int | None = None) -> np.ndarray:
    """Draws the pictures of a sentence's words side by side, each under its word.

    Unknown words are grey. Where the picture of the sentence is not that of its last word, it
    follows under "all".

    Args:
        drawn: dict of one sentence: `words`, bytes (W,), `known`, bool (W,), `pictures`, uint8
            (W, S, S, 3), `images`, uint8 (S, S, 3).
        size: side of the pictures in pixels; by default S, or the double, triple and so on
            that is `SIDE` or more.

    Returns:
        uint8 (height, width, 3), on white.
    """
    cells = [
        (word.decode(), KNOWN if known else UNKNOWN, picture)
        for word, known, picture in zip(drawn["words"], drawn["known"], drawn["pictures"])
        if word
    ]
    if (drawn["images"] != drawn["pictures"][-1]).any():
        cells.append(("all", KNOWN, drawn["images"]))
    size = size or -(-SIDE // len(drawn["images"])) * len(drawn["images"])
    font = _font()
    widths = [max(size, round(font.getlength(word))) + GAP for word, *_ in cells]
    page = Image.new("RGB", (sum(widths) + GAP, LINE + size + GAP), "white")
    pen, left = ImageDraw.Draw(page), GAP
    for (word, colour, picture), width in zip(cells, widths):
        middle = left + (width - GAP) / 2
        pen.text((middle, LINE / 2), word, fill=colour, font=font, anchor="mm")
        picture = Image.fromarray(_resized(picture, size))
        page.paste(picture, (round(middle - size / 2), LINE))
        left += width
    return np.asarray(page)


def _font():
    """A font with accents, which Pillow's own lacks: matplotlib's, or the system's."""
    found = importlib.util.find_spec("matplotlib")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found else Path()
    with contextlib.suppress(OSError):
        return ImageFont.truetype(folder / "DejaVuSans.ttf", FONT)
    for name in ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf"):
        with contextlib.suppress(OSError):
            return ImageFont.truetype(name, FONT)
    return ImageFont.load_default(size=FONT)


def read_sentences(sentences: Sequence[str], file: Path | None = None) -> list[tuple[str, str]]:
    """Sentences, or those of a file: list of (what a message calls it, sentence).

    Raises:
        InputError: none, or one that cannot be drawn; a file that is no such text.
    """
    if file is None:
        if not sentences:
            raise InputError('no sentence is given: write one in quotes, "this flower is pink"')
        found = [(f'"{_quoted(text)}"', text) for text in sentences]
    elif sentences:
        raise InputError(f"{file}: --file is instead of sentences on the command line")
    else:
        file = Path(file)
        with reading(file, "list of sentences"):
            if file.stat().st_size > FILE_BYTES:
                raise InputError(f"{file}: more than {FILE_BYTES >> 20} MB: divide it")
            try:
                lines = file.read_text(encoding="utf-8-sig").split("\n", SENTENCES + 1)
            except UnicodeDecodeError:
                raise InputError(f"{file}: not UTF-8 text: save it as UTF-8") from None
        lines = lines if lines[-1] else lines[:-1]  # what follows the last line's end
        if not lines:
            raise InputError(f"{file}: empty: write a sentence a line")
        if len(lines) > SENTENCES:
            raise InputError(f"{file}: more than {SENTENCES} lines: divide it")
        found = [(f"{file}: line {number}", text) for number, text in enumerate(lines, 1)]
    for place, text in found:
        if not text.strip():
            raise InputError(f"{place}: an empty sentence has no picture: leave it out")
        try:
            length = len(text.encode())
        except UnicodeEncodeError:
            raise InputError(f"{place}: not UTF-8 text: give it in a file, --file") from None
        if length > LONGEST:
            raise InputError(f"{place}: {length} bytes, where {LONGEST} are allowed: cut it")
        if not any(unicodedata.category(each)[0] in "LMN" for each in text):
            raise InputError(f"{place}: no words: write some")
    return found


def _quoted(text):
    text = " ".join(text.split())
    text = text if len(text) <= QUOTED else text[: QUOTED - 3] + "..."
    return text.encode(errors="replace").decode()


def _targets(out, count, words, file):
    """Paths of the pictures."""
    suffix = out.suffix.lower()
    if suffix == ".png" and not out.is_dir():
        if count > 1:
            raise InputError(
                f"{out}: one picture, but there are {count} sentences: put a sentence in "
                "quotes, or name a folder with --out"
            )
        targets = [out]
    elif suffix in SUFFIXES and not out.is_dir():
        raise InputError(f"{out}: pictures are PNG: give --out a name that ends in .png")
    else:
        targets = [out / f"{number:05}.png" for number in range(1, count + 1)]
    strips = [_strip_path(target) for target in targets] if words else []
    for target in targets + strips:
        if file is not None and target.resolve() == Path(file).resolve():
            raise InputError(f"{target}: would overwrite an input: give another --out")
        if target.is_dir():
            raise InputError(f"{target}: a folder: give another --out")
        if targets != [out] and target.exists():
            raise InputError(f"{target}: is there already: give another --out")
    return targets


def _strip_path(path):
    return path.with_name(f"{path.stem}_words.png")


def check_words(place: str, drawn: dict[str, np.ndarray], drawer: Drawer) -> list[str]:
    """What there is to say of a sentence's words: list of lines.

    Args:
        place: what the lines call the sentence.
        drawn: one sentence of what `Drawer.words` gives.
        drawer: that drew it.

    Raises:
        InputError: none of them is known.
    """
    words = [word.decode() for word in drawn["words"]]
    pairs = list(zip(words, drawn["known"]))
    unknown = list(dict.fromkeys(word for word, known in pairs if word and not known))
    notes = []
    if drawn["count"] > len(words):
        notes = [f"{place}: {drawn['count']} words, of which the first {len(words)} are drawn"]
    if not drawn["known"].any():
        listed = drawer.folder.parent / "words.txt"
        mend = f"; {models.shown(listed)} has them" if listed.exists() else ""
        what = f"unknown words only ({', '.join(unknown)})" if unknown else "no words"
        raise InputError(f"{place}: {what}: the model knows {drawer.vocabulary} words{mend}")
    if unknown:
        notes.append(f"{place}: words that the model does not know: {', '.join(unknown)}")
    return notes


def _resized(image, size):
    if size in (None, len(image)):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))
