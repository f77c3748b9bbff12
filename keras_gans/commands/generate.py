"""Makes images with an exported generator: no network code is needed.

The model is a SavedModel as `keras_gans.export.generator.export_generator` writes it: its
signature `from_seed` makes images number `first` to `first + count - 1` of a `seed`, of a
`label` if it was trained with classes.
"""

import os
import re
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.data.write import write_png
from keras_gans.errors import InputError, printable
from keras_gans.export.draws import label_number, latent_vector
from keras_gans.files import check_folder
from keras_gans.report.pictures import grid

MODEL = "frgan-generator"
BATCH = 32  # images made at a time
GRID = "grid.png"
GRID_IMAGES = 100  # at most, the first ones
SEEDS = 2**63  # an int64
MOST = 2**63 - 5000  # images; what is above does not fit into an int64 with a batch


@dataclass(frozen=True)
class Generator:
    """An exported generator. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        classes: names of the classes it was trained with; () if there are none.
        latent, distribution: length of z, and what it is drawn from, see `latent_vector`.
        lite: the file for LiteRT; `None` for TensorFlow.
    """

    folder: Path
    classes: tuple[str, ...]
    latent: int
    distribution: str = "uniform"
    lite: Path | None = None

    @classmethod
    def find(
        cls, folder: Path | str | None = None, backend: models.Backend = "litert"
    ) -> "Generator":
        """The model in a folder, see `models.find_model`; by default `MODEL`.

        With "tensorflow" it is the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, or no or another model's description.
        """

        def read(description):
            latent = models.number(description, "latent", 1, 2**20)
            classes = tuple(models.names({"classes": []} | description, "classes"))
            distribution = description.get("distribution", "uniform")
            if distribution not in ("uniform", "normal"):
                raise ValueError(distribution)
            return classes, latent, distribution

        train = "python train_frgan.py` or `python train_okdgan.py"
        expected = "not a generator's (latent, and classes if any, are expected)"
        folder, found = models.find_model(folder, MODEL, train, read, expected)
        return cls(folder, *found, lite_file(folder) if backend == "litert" else None)

    @cached_property
    def signature(self):
        """Callable, `first`, `count`, `seed` and, with classes, `label` -> dict of arrays."""
        if self.lite:
            return self._on_lite()
        inputs = {"first": ("int64", ()), "count": ("int32", ()), "seed": ("int64", ())}
        if self.classes:
            inputs["label"] = ("int32", ())
        return models.load_signature(
            self.folder, "a generator's", inputs, outputs=["images"], name="from_seed"
        )

    def _on_lite(self):
        inputs = {"z": ("float32", (1, self.latent))}
        inputs |= {"label": ("int32", (1,))} if self.classes else {}
        network = load_lite(self.lite, "a generator's", inputs, ["images"])

        def one(number, seed, label):
            given = {"z": latent_vector(seed, number, self.latent, self.distribution)[None]}
            if self.classes:
                chosen = label_number(seed, number, len(self.classes)) if label < 0 else label
                given["label"] = np.array([chosen], np.int32)
            return network(**given)["images"]

        def from_seed(first, count, seed, label=-1):
            numbers = range(first, first + count)
            return {"images": np.concatenate([one(each, seed, label) for each in numbers])}

        return from_seed

    def __call__(
        self, count: int, seed: int = 0, label: str | None = None, first: int = 0
    ) -> np.ndarray:
        """Makes images number `first` to `first + count - 1` of a seed.

        Args:
            count: of images, 1 or more. All of them are in memory at once.
            seed: int from 0 to 2**63 - 1.
            label: name of a class; by default each image has one at random.
            first: number of the first image, 0 or more.

        Returns:
            uint8 (count, H, W, 1 or 3).

        Raises:
            InputError: no such class; a count, seed or number out of range.
        """
        _check("count", count, 1, MOST)
        _check("seed", seed, 0, SEEDS - 1)
        _check("first", first, 0, MOST - count)
        options = {"label": self.number(label)} if self.classes or label else {}
        options["seed"] = seed
        end = first + count
        made = [
            self.signature(first=start, count=min(BATCH, end - start), **options)["images"]
            for start in range(first, end, BATCH)
        ]
        return np.concatenate(made)

    def number(self, label: str | None) -> int:
        """The number of a class; -1 for `None`, which is any (raises `InputError`)."""
        if label is None:
            return -1
        if label not in self.classes:
            known = f"its classes are {', '.join(self.classes)}"
            known = known if self.classes else "it has no classes"
            raise InputError(f"{models.shown(self.folder)}: no class {label!r}: {known}")
        return self.classes.index(label)


def generate(
    out: Path | str,
    model=None,
    count: int = 24,
    seed: int = 0,
    label: str | None = None,
    backend: models.Backend = "litert",
) -> Path:
    """Makes images and writes them as 00001.png and so on, and the first of them as `GRID`.

    Each is written, whole, as soon as it is made; in memory is one batch, whatever `count` is.
    Image number i of a seed is the same whatever `count` is. Prints what was made on stdout,
    and progress on stderr.

    Args:
        out: folder of the images, made if missing. No file in it is overwritten.
        model: folder of a SavedModel, see `Generator.find`.
        count: of images, 1 or more.
        seed: int from 0 to 2**63 - 1.
        label: name of the class to make images of; by default each image has one at random.
        backend: see `Generator.find`.

    Returns:
        path of the grid.

    Raises:
        InputError: the count, the seed, the label, the model or the folder cannot be used; the
            disk is full. What was written until then stays.
    """
    out = Path(out)
    _check("--count", count, 1, MOST)
    _check("--seed", seed, 0, SEEDS - 1)
    _check_free(out, count)
    generator = Generator.find(model, backend)
    generator.number(label)
    check_folder(out)
    console = Console(stderr=True)
    with console.status("loading the model"):
        generator.signature

    out.mkdir(parents=True, exist_ok=True)
    shown = []
    with results.progress(console) as progress:
        task = progress.add_task("generating", total=count)
        for first in range(0, count, BATCH):
            images = generator(min(BATCH, count - first), seed, label, first)
            for number, image in enumerate(images, first + 1):
                image = image.repeat(3 // image.shape[2], axis=2)
                write_png(out / f"{number:05}.png", image)
                if len(shown) < GRID_IMAGES:
                    shown.append(image)
                progress.advance(task)
    write_png(out / GRID, grid(shown, columns=int(np.ceil(np.sqrt(len(shown))))))
    height, width = image.shape[:2]
    print(
        f"{count} image{'s' * (count > 1)} of {width} x {height}, seed {seed}, and {GRID} in "
        f"{printable(out)}"
    )
    return out / GRID


def _check(name, value, low, high):
    if not isinstance(value, Integral):
        raise InputError(f"{name} must be a whole number. Received: {value!r}")
    if not low <= value <= high:
        raise InputError(f"{name} must be from {low} to {high}. Received: {value}")


def _check_free(out, count):
    """Refuses a folder with a file of a name that will be written."""
    names = os.listdir(out) if os.path.isdir(out) else []
    numbers = (int(name[:-4]) for name in names if re.fullmatch(r"[0-9]{5,19}\.png", name))
    taken = [f"{number:05}.png" for number in sorted(numbers) if 1 <= number <= count]
    for name in [*taken, GRID]:
        if name in names:
            raise InputError(f"{out / name}: is there already: give another --out")
