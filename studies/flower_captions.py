"""Sentences for photographs of flowers that have none: their kind, and the colours they show.

    python -m studies.flower_captions --data DIR --out FOLDER

DIR has train/KIND/*.jpg and test/KIND/*.jpg, such as TensorFlow's flower_photos. FOLDER gets
what train_text2image.py reads: NAME.jpg, reduced to squares, NAME.txt with five sentences, and
index.csv with the part, the kind and the colours of each. No person has looked at them: the
kind is the folder's name, the words for colours are those of clusters in CIELAB.
"""

from keras_gans.program import command_line, report_input_errors

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from keras_gans.errors import InputError
from keras_gans.training.settings import Within


@dataclass(frozen=True)
class CaptionConfig:
    """Writes a folder of photographs with sentences."""

    data: Path
    """Folder with train/KIND/ and test/KIND/."""
    out: Path
    """Folder to make; it must not exist."""
    image_size: Annotated[int, Within(16, 1024)] = 64
    """Side of the squares."""
    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    """Of the choice of phrasings."""

    def preset(self) -> dict:
        """No other defaults."""
        return {}

    def check(self) -> None:
        """Finds out whether FOLDER can be made."""
        if self.out.exists():
            raise InputError(f"{self.out}: is there already; name a new folder with --out")


if __name__ == "__main__":  # before what takes seconds is imported
    config = command_line(CaptionConfig)

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import binary_fill_holes
from skimage.color import rgb2lab
from skimage.morphology import closing, disk
from sklearn.cluster import KMeans

from keras_gans.data.folders import check_data_folder, images_in, in_threads, subfolders
from keras_gans.data.squares import read_squares
from keras_gans.report.tables import write_csv
from keras_gans.text2image.captioned_images import PARTS

CLUSTERS = 6
NEAR = 0.5  # of half the side: deviation of the Gaussian by which a pixel belongs to the flower
LEAST = 0.06  # of the Gaussian's weight, for petals
SKY = 0.35  # of the pixels at the edge: white with so many is no flower's
GAPS = 0.05  # of the side, between petals: closed, so that what they surround is a hole
HOLES = 0.05  # of petals and holes, for a centre
DISC = 0.35  # of half the side: radius of the middle of the petals
CORE = 0.25  # of the disc, for a centre

# sRGB colours of a word; a cluster has the word of the nearest in CIELAB (CIE76)
WORDS = {
    "white": [(245, 245, 240), (215, 215, 215), (225, 220, 235), (185, 185, 185)],
    "yellow": [(250, 215, 30), (225, 185, 20), (250, 235, 120), (200, 160, 20)],
    "orange": [(240, 130, 30), (250, 160, 60), (215, 100, 20)],
    "red": [(200, 20, 30), (140, 10, 25), (225, 50, 60)],
    "pink": [(240, 150, 180), (220, 90, 140), (245, 195, 205), (200, 60, 110)],
    "purple": [(130, 60, 150), (90, 40, 110), (170, 120, 190), (70, 30, 80)],
    "dark": [(15, 15, 15), (35, 38, 35), (60, 40, 25), (100, 65, 35)],
    "green": [(90, 130, 50), (60, 90, 40), (120, 150, 80), (40, 60, 30), (160, 190, 110),
              (130, 170, 50)],
    "grey": [(120, 120, 120), (150, 150, 145), (80, 82, 80), (140, 100, 60)],
    "blue": [(100, 150, 220), (50, 90, 170), (150, 190, 235), (180, 205, 235)],
}  # fmt: skip
PETALS = ("white", "yellow", "orange", "red", "pink", "purple")
CENTRES = ("yellow", "orange", "dark", "red", "purple")

SINGULAR = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}
BOTH = (
    "this {kind} has {petals} petals and a {centre} centre",
    "a {petals} {kind} with a {centre} centre",
    "the {kind} is {petals} and its centre is {centre}",
    "{petals} petals around the {centre} centre of a {kind}",
    "this {kind} is {petals} with a {centre} middle",
    "a {centre} centre and {petals} petals on a {kind}",
)
ONE = (
    "a {petals} {kind}",
    "this {kind} is {petals}",
    "the petals of this {kind} are {petals}",
    "a {kind} with {petals} petals",
    "this is a {petals} {kind}",
    "{petals} petals of a {kind}",
    "a photo of a {petals} {kind}",
)
NONE = ("a {kind}", "this is a {kind}", "a photo of a {kind}", "this flower is a {kind}",
        "the flower in this photo is a {kind}")  # fmt: skip
SENTENCES = 5


def flower_colours(image: np.ndarray) -> tuple[str, str]:
    """The words for the colours of petals and centre; "" for what is not found.

    The pixels are put into `CLUSTERS` by k-means in CIELAB, each cluster gets a word, those of
    one word are one. Petals are the word with most pixels near the middle, some taken off for
    those at the edge. The centre is a word that lies in their holes for the most part or, if
    there is none, one that fills a disc in their middle and hardly comes to the edge.

    Args:
        image: uint8 (S, S, 3), sRGB.
    """
    side = len(image)
    lab = rgb2lab(image / 255).reshape(-1, 3)
    clusters = min(CLUSTERS, len(np.unique(image.reshape(-1, 3), axis=0)))
    found = KMeans(clusters, n_init=1, random_state=0).fit(lab)
    known = rgb2lab(np.array([colour for group in WORDS.values() for colour in group]) / 255)
    names = np.repeat(list(WORDS), [len(group) for group in WORDS.values()])
    apart = np.linalg.norm(found.cluster_centers_[:, None] - known, axis=2)
    words = names[apart.argmin(axis=1)][found.labels_].reshape(side, side)

    places = (np.indices((side, side)) - (side - 1) / 2) / (side / 2)
    distance = np.hypot(*places)
    near, edge = np.exp(-((distance / NEAR) ** 2)), distance > 0.95
    near /= near.sum()

    scores = {}
    for word in PETALS:
        of_word = words == word
        at_middle, at_edge = near[of_word].sum(), np.mean(of_word[edge])
        if at_middle >= LEAST and not (word == "white" and at_edge > SKY):
            scores[word] = at_middle - 0.5 * at_edge * np.mean(of_word)
    if not scores:
        return "", ""
    petals = max(scores, key=scores.get)
    of_petals = words == petals
    whole = binary_fill_holes(closing(of_petals, disk(round(GAPS * side))))
    weights = near * of_petals
    middle = (places * weights).sum(axis=(1, 2)) / weights.sum()
    disc = np.hypot(*(places - middle[:, None, None])) < DISC
    found = {}
    for word in CENTRES:
        of_word = words == word
        inside, share = np.sum(whole & of_word), np.mean(of_word[disc])
        if word == petals:
            continue
        if inside > of_word.sum() / 2 and inside >= HOLES * whole.sum():
            found[word] = 1 + inside
        elif share >= CORE and np.mean(of_word[edge]) < 0.15:
            found[word] = share
    return petals, max(found, key=found.get, default="")


def sentences(kind: str, petals: str, centre: str, rng: np.random.Generator) -> list[str]:
    """`SENTENCES` phrasings of what is known, drawn at random."""

    def draw(phrasings, count):
        chosen = rng.permutation(len(phrasings))[:count]
        known = {"kind": kind, "petals": petals, "centre": centre}
        texts = [phrasings[each].format(**known) for each in chosen]
        return [text.replace("a orange", "an orange") for text in texts]

    if not petals:
        return draw(NONE, SENTENCES)
    if not centre:
        return draw(ONE, SENTENCES)
    return draw(BOTH, 3) + draw(ONE, SENTENCES - 3)


def as_jpeg(image: np.ndarray) -> bytes:
    """A picture, uint8 (S, S, 3), as a file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=92)
    return file.getvalue()


@report_input_errors
def main(config):
    expected = "train/KIND/ and test/KIND/"
    check_data_folder(config.data, expected)
    rows = {}
    for part in PARTS:
        check_data_folder(config.data / part, expected)
        for folder in subfolders(config.data / part):
            kind = SINGULAR.get(folder.name, folder.name)
            for path in images_in(folder):
                name = f"{kind}-{path.stem}.jpg"
                if name in rows:
                    raise InputError(f"{path}: another photograph would be {name}: rename one")
                rows[name] = path, part, kind
    if not rows:
        raise InputError(f"{config.data}: no images; expected: {expected}")
    squares = read_squares([path for path, *_ in rows.values()], config.image_size)
    files = [as_jpeg(square) for square in squares]
    # of what will be read: k-means ends elsewhere where a picture differs by a few levels
    images = [np.asarray(Image.open(io.BytesIO(file))) for file in files]
    colours = list(in_threads(flower_colours, images, "clustering"))
    rng = np.random.default_rng(config.seed)
    config.out.mkdir(parents=True)
    for name, file, words in zip(rows, files, colours, strict=True):
        (config.out / name).write_bytes(file)
        text = "\n".join(sentences(rows[name][-1], *words, rng))
        (config.out / name).with_suffix(".txt").write_text(f"{text}\n")
    parts = [(name, *known) for name, (_, *known) in rows.items()]
    frame = pd.DataFrame(parts, columns=["image", "split", "tags"])
    frame["petals"], frame["centre"] = zip(*colours, strict=True)
    write_csv(config.out / "index.csv", frame)
    print(frame.groupby(["tags", "petals"]).size().unstack(fill_value=0))
    print(frame.groupby(["tags", "centre"]).size().unstack(fill_value=0))
    print(f"{len(frame)} photographs with sentences in {config.out}")


if __name__ == "__main__":
    main(config)
