"""A list of crops, as a CSV file."""

import csv
import os
import re
from pathlib import Path

from keras_gans.data.folders import inside, natural, visible
from keras_gans.data.images import SUFFIXES
from keras_gans.data.tables import flag, read_rows, whole_number
from keras_gans.errors import InputError
from keras_gans.files import replacing
from keras_gans.okdgan.crops import Area, Crops
from keras_gans.okdgan.cutting import photo_size

# Names that the columns of a list may have.
PHOTO, CLASS, PART = ("photo", "id"), ("class", "cls", "label"), ("split", "part")

MULTI = "class:"  # begins the names of columns with 0 or 1, if a crop may have many classes


def save(crops: Crops, path: Path) -> None:
    """Writes which crops they are, as a list that `load` reads.

    The columns are photo (the file, relative to the set's folder), x, y, side; source, where
    that is not the file; split, if the set has one of its own; class, or class:NAME with 0 or
    1 for every class. About 50 bytes a crop; no pixels.

    Args:
        crops: `Crops`.
        path: the CSV file.

    Raises:
        InputError: the file cannot be written.
        ValueError: crops that are not of photos.
    """
    if crops.places is None:
        raise ValueError(f"{crops.name} has no photos to list crops of.")
    columns = {"photo": crops.files, **dict(zip(("x", "y", "side"), crops.places.T))}
    if crops.sources != crops.files:
        columns["source"] = crops.sources
    if crops.parts:
        columns["split"] = crops.parts
    if crops.labels is not None and crops.labels.ndim == 2:
        flags = crops.labels.T.astype(int)
        columns |= {MULTI + name: flag for name, flag in zip(crops.classes, flags)}
    elif crops.labels is not None:
        columns["class"] = [crops.classes[label] for label in crops.labels]
    with replacing(path) as temporary:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values()))


def list_places(
    file: Path, folder: Path, size: int, links: bool = False
) -> tuple[list[Area], tuple[str, ...], bool]:
    """The rows of a list, as areas that are the crops themselves; `links`: see `inside`."""
    columns, rows = read_rows(file, ("x", "y"), (*PHOTO, "side", "source", *CLASS, *PART))
    photo, label, part = (
        next((name for name in known if name in columns), None)
        for known in (PHOTO, CLASS, PART)
    )
    if photo is None:
        raise InputError(
            f"{file}: no column photo; expected: photo, x, y and, if wanted, side, class, "
            f"split. Received: {', '.join(columns)[:80]}"
        )
    if not rows:
        raise InputError(f"{file}: no crops in this list: add rows, or remove the file")
    several = tuple(name.removeprefix(MULTI) for name in columns if name.startswith(MULTI))
    photos, areas = {}, []
    for where, row in rows:
        if row[photo] not in photos:
            found = _find_photo(row[photo], folder, where, links)
            photos[row[photo]] = found, photo_size(found)
        x, y = (whole_number(row[name], name, where) for name in ("x", "y"))
        side = whole_number(row["side"], "side", where) if "side" in columns else size
        labels = ()
        if several:
            labels = tuple(name for name in several if flag(row[MULTI + name], name, where))
        elif label:
            if not row[label]:
                raise InputError(f"{where}: no class: fill it in, or remove the line")
            labels = (row[label],)
        box, own = (x, y, side, side), row[part] if part else None
        areas.append(Area(*photos[row[photo]], box, labels, row.get("source"), own, where))
    if several:
        return areas, several, True
    found = {name for area in areas for name in area.labels}
    return areas, tuple(sorted(found, key=natural)), False


def find_list(path: Path) -> Path | None:
    """The list of crops of a folder; `None` if it has no CSV file."""
    found = [file for file in visible(path) if file.suffix == ".csv"]
    named = [file for file in found if file.name.startswith("crops")] or found
    if len(named) > 1:
        raise InputError(
            f"{path}: which of {', '.join(file.name for file in named)} lists the crops? Call "
            "it crops.csv, and the others not crops..."
        )
    return named[0] if named else None


def _find_photo(name, folder, where, links):
    """The photo of that name, with or without suffix, in a folder or its images/."""
    for written in dict.fromkeys((name, _unescaped(name))):
        for base in (folder, folder / "images"):
            for suffix in ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
                file = inside(base, f"{written}{suffix}", where, links)
                if name and os.path.isfile(file):
                    return file
    raise InputError(f"{where}: no photo {name[:80]} in {folder} or images/: add it")


def _unescaped(name):
    """The name of which `errors.printable` made this one."""
    return re.sub(
        r"\\(u[0-9a-f]{4}|U[0-9a-f]{8}|x[0-9a-f]{2}|[nrt])",
        lambda match: match[0].encode().decode("unicode_escape"),
        name,
    )
