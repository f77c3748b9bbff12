"""What a run shows: the pictures of a sentence word by word, and tables of figures."""

from pathlib import Path

import keras
import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from keras_gans.files import replacing
from keras_gans.report.pictures import GAP, PAGE, SIDE
from keras_gans.report.tables import show, write_csv
from keras_gans.text2image.captions import Vocabulary, tokenize
from keras_gans.text2image.config import Config
from keras_gans.text2image.data import sentence_vectors
from keras_gans.text2image.evaluate import draw_last, draw_vectors

LINE = 17  # pixels for a word beneath its picture
FONT, SMALLEST = 12, 8  # sizes of words; longer ones are set smaller, then cut off
FRAME = (214, 39, 40)  # around the picture of the last word
WIDE = 4 * GAP  # pixels between the pictures and the real image

DISTANCES = ("matched", "shuffled", "ratio", "nearer", "mean_image", "diversity",
             "real_diversity")  # fmt: skip
COLOURS = ("petals", "centres", "both")


def word_grid(path: Path, sentences: list[str], pictures: np.ndarray, real: np.ndarray) -> None:
    """Writes a row for each sentence as a PNG: every word's picture above the word.

    Rows end at the right, so that the pictures of last words, in red frames, stand one above
    the other beside the real images. Slots of padding are left out.

    Args:
        path: the PNG to write; its folder exists.
        sentences: N str.
        pictures: uint8 (N, W, S, S, 3), see `keras_gans.text2image.evaluate.draw`; a sentence
            of n words has the last n of them, one of more than W words is cut.
        real: uint8 (N, S, S, 3), an image that belongs to each sentence.

    Raises:
        InputError: the file cannot be written.
        ValueError: other types or shapes, no sentence, or one without words.
    """
    pictures, real = np.asarray(pictures), np.asarray(real)
    right = pictures.ndim == 5 and pictures.shape[-1] == 3 and len(pictures) == len(sentences)
    if not right or real.shape != (len(sentences), *pictures.shape[2:]):
        raise ValueError(
            "there must be pictures (N, W, S, S, 3) of N sentences and real (N, S, S, 3). "
            f"Received: {len(sentences)} sentences, {pictures.shape}, {real.shape}"
        )
    if pictures.dtype != np.uint8 or real.dtype != np.uint8:
        raise ValueError(f"images must be uint8. Received: {pictures.dtype}, {real.dtype}")
    rows = [tokenize(sentence)[: pictures.shape[1]] for sentence in sentences]
    if not rows or not all(rows):
        raise ValueError(f"there must be words in each sentence. Received: {sentences}")

    side = max(1, round(SIDE / pictures.shape[2])) * pictures.shape[2]
    column, row = side + 2 * GAP, side + LINE + 2 * GAP
    longest = max(map(len, rows))
    width = longest * column + WIDE + column
    page = Image.new("RGB", (width, len(rows) * row), (PAGE,) * 3)
    draw = ImageDraw.Draw(page)

    def put(image, text, left, top):
        page.paste(Image.fromarray(image).resize((side, side), 0), (left + GAP, top + GAP))
        font, text = _fitting(text, column)
        at = left + column / 2, top + 2 * GAP + side + LINE / 2
        draw.text(at, text, fill="black", font=font, anchor="mm")

    for number, words in enumerate(rows):
        top, end = number * row, longest * column
        for back, word in enumerate(reversed(words), 1):
            put(pictures[number, -back], word, end - back * column, top)
        draw.rectangle((end - column, top, end - 1, top + side + 2 * GAP - 1), None, FRAME, GAP)
        put(real[number], "(real)", end + WIDE, top)
    with replacing(path) as temporary:
        page.save(temporary, "PNG", optimize=True)


def _fitting(text, width):
    """A font and as much of a text as fits into `width` pixels."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for size in range(FONT, SMALLEST - 1, -1):
        font = ImageFont.truetype(path, size)
        if font.getlength(text) <= width:
            return font, text
    kept = len(text)
    while kept > 1 and font.getlength(text[:kept] + "…") > width:
        kept -= 1
    return font, text[:kept] + "…"


def table(rows: dict[str, dict]) -> pd.DataFrame:
    """The figures of several models, a row each.

    Args:
        rows: dict from the model's name to its figures, those of `evaluate.distances` and,
            where there are any, of `evaluate.colour_agreement`.

    Returns:
        DataFrame: `model`, then the figures.
    """
    return pd.DataFrame([{"model": name, **figures} for name, figures in rows.items()])


def write_table(folder: Path, rows: dict[str, dict], title: str) -> None:
    """Prints the figures of models with what they are to be compared with, writes `table.csv`.

    Args:
        folder: `Path`, exists.
        rows: see `table`.
        title: of what is printed, such as the name of the data set.
    """
    headings = ("model", "distance", "to others", "ratio", "nearer, %", "mean image",
                "diversity", "of real")  # fmt: skip
    cells = [
        (name, *(f"{figures[key]:.1f}" if key == "nearer" else f"{figures[key]:.3f}"
                 for key in DISTANCES))
        for name, figures in rows.items() if "matched" in figures
    ]  # fmt: skip
    if cells:
        show(f"{title}: distance of pictures to real images", headings, cells)
    cells = [
        (name, *(f"{figures[key]:.1f} ({figures[f'{key}_chance']:.1f})" for key in COLOURS))
        for name, figures in rows.items() if "both" in figures
    ]  # fmt: skip
    if cells:
        headings = "model", *(f"{key}, %" for key in COLOURS)
        show(f"{title}: colours as in the caption (by chance)", headings, cells)
    write_csv(folder / "table.csv", table(rows))


def vectors_of(config: Config, vocabulary: Vocabulary, ids: np.ndarray) -> np.ndarray:
    """What dcgan and gnn draw sentences from: their vectors, see `--sentence`, or noise.

    Returns:
        float32 (N, D).
    """
    if config.condition == "noise":
        rng = np.random.default_rng(config.seed)
        return rng.uniform(-1, 1, (len(ids), config.vector_size)).astype(np.float32)
    return sentence_vectors(ids, vocabulary.vectors, config.sentence)


def draw_sentences(
    config: Config, network: keras.Model, vocabulary: Vocabulary, captions: list[str]
) -> np.ndarray:
    """Draws each sentence: uint8 (N, S, S, 3)."""
    ids = vocabulary.encode(captions, config.words)
    if config.model == "full":
        return draw_last(network, vocabulary.vectors, ids)
    return draw_vectors(network, vectors_of(config, vocabulary, ids))
