"""Tells what is on image files, with an exported model: no network code is needed.

The model is a SavedModel as `export_classifier` writes it. Its signature `serving_default`
takes `images`, uint8 (N, H, W, 3), and returns `probabilities`, float32 (N, K). Beside it,
VERSION/assets.extra/model.json tells the `classes`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.data import images
from keras_gans.data.folders import list_images
from keras_gans.data.given import given_levels
from keras_gans.data.pixels import as_linear
from keras_gans.data.squares import fitted_square, read_levels
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder
from keras_gans.report.tables import show

MODEL = "frgan-classifier"
COLUMNS = (
    "file", "width", "height", "label", "probability", "second", "second_probability"
)  # fmt: skip


@dataclass(frozen=True)
class Classifier:
    """An exported classifier. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        classes: names of the K classes.
        size: side of what the network looks at; 0 if it is not told.
        lite: the file for LiteRT; `None` for TensorFlow.
        threads: of LiteRT; 0 for all cores.
    """

    folder: Path
    classes: list[str]
    size: int = 0
    lite: Path | None = None
    threads: int = 0

    @classmethod
    def find(
        cls, folder: Path | str | None = None, backend: models.Backend = "litert"
    ) -> "Classifier":
        """The model in a folder, see `models.find_model`; by default `MODEL`.

        With "tensorflow" it is the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, or no or another model's description.
        """

        def read(description):
            classes = models.names(description, "classes")
            if len(classes) < 2:
                raise ValueError(classes)
            return classes, models.number(
                {"image_size": 0} | description, "image_size", 0, 4096
            )

        expected = "not a classifier's (names of two or more classes are expected)"
        train = "python train_frgan.py"
        folder, (classes, size) = models.find_model(folder, MODEL, train, read, expected)
        lite = lite_file(folder) if size and backend == "litert" else None
        return cls(folder, classes, size, lite)

    @cached_property
    def signature(self):
        """Callable, `images` uint8 (N, H, W, 3) -> dict of arrays."""
        if self.lite:
            inputs = {"images": ("float32", (1, self.size, self.size, 3))}
            outputs = ["probabilities"]
            network = load_lite(self.lite, "a classifier's", inputs, outputs, self.threads)
            return lambda images: {
                "probabilities": np.concatenate([self._look(network, each) for each in images])
            }
        return models.load_signature(
            self.folder,
            "a classifier's",
            inputs={"images": ("uint8", (None, None, None, 3))},
            outputs=["probabilities"],
        )

    def _look(self, network, image):
        square = fitted_square(as_linear(image), self.size)
        scaled = square[None].astype(np.float32) / np.float32(127.5) - 1
        return network(images=scaled)["probabilities"]

    def __call__(self, images: np.ndarray | Iterable) -> tuple[list[str], np.ndarray]:
        """Tells what is on images.

        Args:
            images: pictures, see `given_levels`: a list, an array (N, H, W, 3), or one.

        Returns:
            (labels, probabilities): the likeliest class of each image; float32 (N, K), in the
            order of `classes`.

        Raises:
            InputError: no images, or what is no picture.
        """
        one = getattr(images, "ndim", 4) < 4 or not isinstance(images, Iterable)
        levels = [given_levels(image) for image in ([images] if one else images)]
        if not levels:
            raise InputError("no images: give one or more")
        alike = len({image.shape for image in levels}) == 1  # these go at once
        batches = [np.stack(levels)] if alike else [image[None] for image in levels]
        made = [self.signature(images=batch)["probabilities"] for batch in batches]
        probabilities = np.concatenate(made)
        return [self.classes[k] for k in probabilities.argmax(axis=1)], probabilities


def classify_files(
    paths, out=None, model=None, as_json: bool = False, backend: models.Backend = "litert"
) -> list[dict]:
    """Tells what is on images.

    All images are looked at before anything is written. Prints a table, or JSON, on stdout and
    progress on stderr.

    Args:
        paths: of files and folders (.jpg .jpeg .png .tif .tiff).
        out: CSV file to write, with the `COLUMNS`; it replaces one that is there. `None`
            writes nothing.
        model: folder of a SavedModel, see `Classifier.find`.
        as_json: whether to print a JSON list instead of a table.
        backend: see `Classifier.find`.

    Returns:
        list of dicts, one an image: the `COLUMNS` ("second" is the second likeliest) and
        "probabilities" (class -> probability).

    Raises:
        InputError: an image, the model or the CSV file cannot be used.
    """
    paths = list_images(paths)
    if out is not None:
        out = Path(out)
        _check_report(out, paths)
    classifier = replace(Classifier.find(model, backend), threads=1)
    console = Console(stderr=True)
    with console.status("loading the model"):
        classifier.signature

    sizes = [math.prod(images.photo_size(path)) for path in paths]
    with results.progress(console) as progress:
        looked = results.in_parallel(lambda path: classify_file(path, classifier), paths, sizes)
        rows = list(progress.track(looked, len(paths), description="classifying"))
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        results.write_report(out, COLUMNS, rows)
    if as_json:
        results.print_json(rows)
    else:
        _print_table(rows, out)
    return rows


def classify_file(path: Path, classifier: Classifier) -> dict:
    """Tells what is on one image.

    Returns:
        dict, see `classify_files`.

    Raises:
        InputError: the image cannot be used.
    """
    image = read_levels(path)
    row = classifier.signature(images=image[None])["probabilities"][0]
    first, second = np.argsort(-row, kind="stable")[:2]
    row = [round(float(value), 6) for value in row]
    return {
        "file": str(path),
        "width": image.shape[1],
        "height": image.shape[0],
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
    if path.suffix.lower() in images.SUFFIXES:
        raise InputError(f"{path}: called as an image: name a CSV file with --out")
    check_folder(path.parent)


def _print_table(rows, out):
    show(
        "",
        ("file", "size", "label", "%", "second guess", "%"),
        [
            (
                Path(row["file"]).name,
                f"{row['width']} x {row['height']}",
                row["label"],
                f"{100 * row['probability']:.1f}",
                row["second"],
                f"{100 * row['second_probability']:.1f}",
            )
            for row in rows
        ],
        left=(2, 4),
    )
    print(f"{len(rows)} classified" + (f"; listed in {printable(out)}" if out else ""))
