"""What is done to one file, with models that travel along: workers need no model folders."""

import hashlib
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from keras_gans.commands import classify, detect, photo_files, white_balance
from keras_gans.commands.light import checked_strength
from keras_gans.data import images
from keras_gans.errors import InputError

Work = Callable[[Path, tuple[Path, ...]], dict]  # a file and its targets -> a row


@dataclass(frozen=True)
class Packed:
    """A model as workers get it.

    Attributes:
        estimator: a `WhiteBalance`, `Detector` or `Classifier`.
        content: of its TFLite file.
    """

    estimator: object
    content: bytes

    @classmethod
    def of(cls, found) -> "Packed":
        """Packs a model that was found (raises `InputError`: it has no TFLite file)."""
        if not found.lite:
            raise InputError(
                f"{found.folder}: no .tflite file beside it, and a batch runs on nothing else: "
                "export the model again"
            )
        name, lite = Path(found.folder.name), Path(found.lite.name)
        estimator = replace(found, folder=name, lite=lite, threads=1)
        return cls(estimator, found.lite.read_bytes())

    def load(self, network: str):
        """The estimator, its network loaded.

        Args:
            network: the attribute that loads it.
        """
        with tempfile.TemporaryDirectory() as folder:
            lite = Path(folder, self.estimator.lite.name)
            lite.write_bytes(self.content)
            estimator = replace(self.estimator, lite=lite)
            getattr(estimator, network)
        return estimator


@dataclass(frozen=True)
class Task(ABC):
    """One of the commands.

    Attributes:
        models: dict kind of file -> model.
        suffixes: of the files it takes.
        made: columns that name the files it makes.
        report, columns: the table's name, and its columns.
    """

    models: dict[str, Packed]
    suffixes: ClassVar[tuple[str, ...]] = images.SUFFIXES
    made: ClassVar[tuple[str, ...]] = ()
    report: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    @abstractmethod
    def load(self) -> Work:
        """Loads the models."""

    def targets(self, paths: list[Path], out: Path) -> list[tuple[Path, ...]]:
        """The files that are made of each (raises `InputError`: two would be one file)."""
        return [() for _ in paths]

    @staticmethod
    def listed(row: dict) -> dict:
        """A row as the table has it."""
        return row

    def digest(self) -> str:
        """Of the models and settings."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True)
class Balancing(Task):
    """White balance, see `commands.white_balance`."""

    wishes: photo_files.Wishes = photo_files.Wishes()
    suffixes = photo_files.SUFFIXES
    made = ("corrected", "map", "xmp")
    report = "illuminants.csv"
    columns = (
        "file", "width", "height", "kind", "encoding", "told_by", "notes", "view",
        "illuminant", "confidence", "strength", "gains", "corrected", "map", "as_shot", "xmp",
    )  # fmt: skip

    @classmethod
    def of(cls, model=None, view="model", wishes=photo_files.Wishes()) -> "Balancing":
        """Finds the models (raises `InputError`)."""
        checked_strength(wishes.strength)
        find = white_balance.WhiteBalance.find
        kinds = white_balance.MODELS.items()
        return cls({kind: Packed.of(find(model, view, name)) for kind, name in kinds}, wishes)

    def load(self) -> Work:
        estimators = {kind: each.load("local_map") for kind, each in self.models.items()}

        def work(path, targets):
            kind = photo_files.kind_of(path, self.wishes.given)
            photo = photo_files.open_file(path, self.wishes.given)
            found = white_balance.estimate_file(path, photo, estimators[kind])
            strength = estimators[kind].strength(found, self.wishes.strength)
            return white_balance.correct_file(
                path, photo, targets, estimators[kind], found, strength
            )

        return work

    def targets(self, paths, out):
        return photo_files.output_paths(paths, out, self.wishes)

    @staticmethod
    def listed(row):
        lists = {
            name: " ".join(map(str, row.get(name) or ()))
            for name in ("illuminant", "gains", "as_shot")
        }
        return {**row, **lists, "notes": "; ".join(row["notes"])}


@dataclass(frozen=True)
class Detection(Task):
    """Defects, see `commands.detect`."""

    min_area: int = 1
    suffixes = detect.SUFFIXES
    made = ("overlay", "mask")
    report, columns = detect.REPORT, detect.COLUMNS
    listed = staticmethod(detect.listed)

    @classmethod
    def of(cls, model=None, min_area: int = 1) -> "Detection":
        """Finds the model (raises `InputError`)."""
        found = Packed.of(detect.Detector.find(model))
        detect.check_area(min_area)
        return cls({"": found}, min_area)

    def load(self) -> Work:
        detector = self.models[""].load("signature")
        return lambda path, targets: detect.detect_file(path, targets, detector, self.min_area)

    def targets(self, paths, out):
        return detect.output_paths(paths, out)


@dataclass(frozen=True)
class Classification(Task):
    """Classes, see `commands.classify`."""

    report, columns = "classes.csv", classify.COLUMNS

    @classmethod
    def of(cls, model=None) -> "Classification":
        """Finds the model (raises `InputError`)."""
        return cls({"": Packed.of(classify.Classifier.find(model))})

    def load(self) -> Work:
        classifier = self.models[""].load("signature")
        return lambda path, targets: classify.classify_file(path, classifier)


TASKS = {"white-balance": Balancing, "detect": Detection, "classify": Classification}
