"""The files of `white-balance`: photos and camera raw, and what is told of them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from keras_gans.commands import results
from keras_gans.commands.light import Strength
from keras_gans.data import images, raw
from keras_gans.data.encoding import Input, encoding_of
from keras_gans.data.photo import Photo, open_photo
from keras_gans.errors import InputError, printable
from keras_gans.report.tables import show

SUFFIXES = (*images.SUFFIXES, *raw.SUFFIXES)


@dataclass(frozen=True)
class Wishes:
    """What a user says of files and results.

    Attributes:
        given: what files hold that do not say it themselves: "srgb" or "linear".
        raw_format: of developed raw files: "tiff", of 16 bits, or "jpeg".
        xmp: whether raw files get a sidecar.
        strength: how much of the light is taken out, 0 to 1, or "auto": less where the model
            is unsure.
    """

    given: Input | None = None
    raw_format: Literal["tiff", "jpeg"] = "tiff"
    xmp: bool = False
    strength: Strength = "auto"


def kind_of(path: Path, given: Input | None = None) -> str:
    """ "srgb", "linear" or "raw": what a photo's file holds (raises `InputError`)."""
    if raw.is_raw(path):
        return "raw"
    if images.bit_depth(path) > 8 and path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(
            f"{path}: holds a {images.file_type(path)} of 16 bits, which no JPEG can: give it "
            "the right suffix"
        )
    return encoding_of(path, given).kind


def open_file(path: Path, given: Input | None = None) -> Photo | raw.Raw:
    """A photo or a camera's raw file (raises `InputError`)."""
    return raw.open_raw(path) if raw.is_raw(path) else open_photo(path, given)


def size_of(path: Path) -> tuple[int, int]:
    """(width, height) of a photo or a raw file (raises `InputError`)."""
    return raw.raw_size(path) if raw.is_raw(path) else images.photo_size(path)


def output_paths(paths: list[Path], out: Path, wishes: Wishes = Wishes()) -> list[tuple]:
    """Where the results of each photo go.

    Args:
        paths: list of `Path`.
        out: folder of the results.
        wishes: format of developed raw files, and whether they get a sidecar.

    Returns:
        list of (corrected, map) or (corrected, map, sidecar): OUT/NAME.EXT and
        OUT/NAME_map.png, or OUT/NAME.EXT_map.png where NAME occurs with several suffixes; of a
        raw file OUT/NAME.tiff or OUT/NAME.jpg, or OUT/NAME.EXT.tiff, and OUT/NAME.xmp.

    Raises:
        InputError: two results would be one file, or an input would be overwritten.
    """
    stems = Counter(path.stem.lower() for path in paths)
    suffix = {"tiff": ".tiff", "jpeg": ".jpg"}[wishes.raw_format]
    targets = []
    for path in paths:
        stem = path.name if stems[path.stem.lower()] > 1 else path.stem
        names = [path.name, f"{stem}_map.png"]
        if raw.is_raw(path):
            names = [stem + suffix, names[1], *([f"{path.stem}.xmp"] if wishes.xmp else [])]
        targets.append(tuple(Path(out) / name for name in names))
    results.check_targets(paths, targets)
    return targets


def print_table(rows: list[dict], out: Path) -> None:
    """Shows the results of photos, see `white_balance`, as a table and some lines."""
    show(
        "Colour of the light: linear RGB of length 1, and the gains undoing it",
        ("file", "size", "taken for", "red", "green", "blue", "sure", "gains"),
        [
            (
                Path(row["file"]).name,
                f"{row['width']} x {row['height']}",
                row["encoding"],
                *(f"{value:.3f}" for value in row["illuminant"]),
                "" if row["confidence"] is None else f"{row['confidence']:.2f}",
                "  ".join(f"{value:.2f}" for value in row["gains"]),
            )
            for row in rows
        ],
    )
    for row in rows:
        name = printable(Path(row["file"]).name)
        for note in row["notes"]:
            print(f"{name}: {printable(note)}")
        if row.get("as_shot"):
            print(f"{name}: as shot {'  '.join(f'{value:.2f}' for value in row['as_shot'])}")
    print(f"{_told(rows)}.")
    print(f"{len(rows)} corrected, each with its local map, in {printable(out)}")


def _told(rows):
    """One line: what files were taken for, and what says so."""
    ways = Counter((row["encoding"], row["told_by"]) for row in rows)
    said = (f"{name} by {told} ({count})" for (name, told), count in ways.items())
    return f"Taken for {printable(', '.join(said))}"
