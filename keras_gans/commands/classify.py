"""Classifies image files, with an exported model: no network code is needed.

The model is a SavedModel as `export_classifier` writes it: its signature `serving_default`
takes `images`, uint8 (N, H, W, 3), and returns `probabilities`, float32 (N, K). Beside it,
VERSION/assets.extra/model.json tells the `classes`.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from keras_gans.commands import models, results
from keras_gans.data import images
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.errors import InputError
from keras_gans.files import check_folder, replacing

MODEL = models.SAVED_MODELS / "frgan-classifier"
COLUMNS = (
    "file", "width", "height", "label", "probability", "second", "second_probability"
)  # fmt: skip
BATCH, BATCH_PIXELS = 64, 2**22  # at most so many images, or pixels of more than one, at once


@dataclass(frozen=True)
class Classifier:
    """An exported model, ready to run.

    Attributes:
        folder: the version's folder.
        classes: list of names.
        signature: callable, `images` uint8 (N, H, W, 3) -> dict of tensors; None until loaded.
    """

    folder: Path
    classes: list
    signature: object = None


def classify_files(paths, out=None, model=None, as_json=False):
    """Tells what is on images.

    Every image is read once before anything is written. Prints a table, or JSON, on stdout and
    progress on stderr.

    Args:
        paths: paths of files and folders (.jpg .jpeg .png .tif .tiff); read as the loader of
            training folders reads them.
        out: CSV file to write, with the `COLUMNS`; it replaces one that is there. `None`
            writes nothing.
        model: folder of a SavedModel, see `find_model`; by default `MODEL`.
        as_json: whether to print a JSON list instead of a table.

    Returns:
        list of dicts, one an image: the `COLUMNS` ("second" is the second likeliest) and
        "probabilities" (class -> probability).

    Raises:
        InputError: an image, the model or the CSV file cannot be used.
    """
    paths = images.list_images(paths)
    if out is not None:
        out = Path(out)
        _check_report(out, paths)
    classifier = find_model(model)
    console = Console(stderr=True)
    with console.status("loading TensorFlow and the model"):
        classifier = load(classifier)

    with results.progress(console) as progress:
        for path in progress.track(paths, description="checking"):
            images.read_photo(path)
        seen = progress.track(paths, description="classifying")
        rows = [row for batch in batches(seen) for row in _classify(*batch, classifier)]
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        _write_report(out, rows)
    if as_json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    else:
        _print_table(rows, out)
    return rows


# The images ---------------------------------------------------------------------------------


def read(path):
    """Reads an image as the model takes it: uint8 (H, W, 3), sRGB.

    Those of 8 bits as they are in the file, deeper ones (linear) with the sRGB curve; grey is
    replicated and transparency dropped.

    Raises:
        InputError: as `images.read_photo`.
    """
    return quantize(linear_to_srgb(images.read_photo(path)[0]), np.uint8)


def batches(paths):
    """Reads images, in their order, and puts together neighbours of one size.

    Args:
        paths: iterable of `Path`.

    Yields:
        (list of paths, uint8 (N, H, W, 3)): at most `BATCH` images, and of more than one at
        most `BATCH_PIXELS`.
    """
    names, pixels = [], []
    for path in paths:
        image = read(path)
        area = image.shape[0] * image.shape[1]
        full = len(pixels) == BATCH or (len(pixels) + 1) * area > BATCH_PIXELS
        if pixels and (full or image.shape != pixels[0].shape):
            yield names, np.stack(pixels)
            names, pixels = [], []
        names.append(path)
        pixels.append(image)
    if pixels:
        yield names, np.stack(pixels)


# The model ----------------------------------------------------------------------------------


def find_model(folder=None):
    """Finds a model and reads its description, without loading it.

    Args:
        folder: a SavedModel's folder, or the folder of its numbered versions, of which the
            highest is taken; `None` for `MODEL`.

    Returns:
        `Classifier` without a signature.

    Raises:
        InputError: no model there, or no or another model's description.
    """

    def read(description):
        classes = description["classes"]
        names = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
        if not names or len(classes) < 2:
            raise ValueError(classes)
        return classes

    folder, classes = models.find_model(
        folder,
        train="python train_frgan.py",
        read=read,
        expected="not a classifier's (names of two or more classes are expected)",
        default=MODEL,
    )
    return Classifier(folder, classes)


def load(classifier):
    """Loads the SavedModel of a `Classifier`.

    Returns:
        `Classifier` with its signature.

    Raises:
        InputError: not a SavedModel with this signature.
    """
    signature = models.load_signature(
        classifier.folder,
        "a classifier's",
        inputs={"images": ("uint8", (None, None, None, 3))},
        outputs=["probabilities"],
    )
    return Classifier(classifier.folder, classifier.classes, signature)


# The results --------------------------------------------------------------------------------


def _classify(paths, pixels, classifier):
    probabilities = classifier.signature(images=pixels)["probabilities"].numpy()
    height, width = pixels.shape[1:3]
    for path, row in zip(paths, probabilities):
        first, second = np.argsort(-row, kind="stable")[:2]
        row = [round(float(value), 6) for value in row]
        yield {
            "file": str(path),
            "width": width,
            "height": height,
            "label": classifier.classes[first],
            "probability": row[first],
            "second": classifier.classes[second],
            "second_probability": row[second],
            "probabilities": dict(zip(classifier.classes, row)),
        }


def _check_report(path, inputs):
    if path.is_dir():
        raise InputError(f"{path}: a folder: name a CSV file with --out")
    if path.resolve() in {each.resolve() for each in inputs}:
        raise InputError(f"{path}: would overwrite an input: give another --out")
    check_folder(path.parent)


def _write_report(path, rows):
    with (
        replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _print_table(rows, out):
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name, justify in (("size", "right"), ("label", "left"), ("%", "right"),
                          ("second guess", "left"), ("%", "right")):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=True)
    for row in rows:
        table.add_row(
            Path(row["file"]).name,
            f"{row['width']} x {row['height']}",
            row["label"],
            f"{100 * row['probability']:.1f}",
            row["second"],
            f"{100 * row['second_probability']:.1f}",
        )
    console = Console(highlight=False, markup=False)
    console.print(table)
    console.print(f"{len(rows)} classified" + (f"; listed in {out}" if out else ""))
