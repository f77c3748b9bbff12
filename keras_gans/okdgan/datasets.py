"""Crops of photographs: CODEBRIM's boxes, folders per class, lists of crops, any photos.

`load_crops` looks at what lies in a folder, draws crops by a seed and reads the photographs
they come from, so everything wrong with them is found before any training. `save` keeps what
was drawn, as a list with which `load` makes the same crops again.

Places are those of pixels as they are stored in the file, before the orientation that its
EXIF data asks for; crops are turned upright by it.
"""

import csv
import dataclasses
import hashlib
import re
import warnings
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from keras_gans.data.images import DAMAGE, SUFFIXES, bit_depth, read_linear
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.errors import InputError
from keras_gans.files import replacing

# CODEBRIM's names of its classes, and ours.
CODEBRIM = {
    "Background": "background",
    "Crack": "crack",
    "Spallation": "spallation",
    "Efflorescence": "efflorescence",
    "ExposedBars": "exposed bar",
    "CorrosionStain": "corrosion stain",
}
CODEBRIM_PHOTOS = 1590  # of the original images, as published
CODEBRIM_FOLDERS = (
    "original_dataset", "classification_dataset_balanced", "classification_dataset"
)  # fmt: skip

LAYOUTS = (
    "images/ and annotations/ (CODEBRIM), metadata/ and train/ (CODEBRIM's crops), images/ "
    "and crops.csv, a folder per class, or photos"
)

# Names that the columns of a list may have.
PHOTO, CLASS, PART = ("photo", "id"), ("class", "cls", "label"), ("split", "part")
MULTI = "class:"  # begins the names of columns with 0 or 1, if a crop may have many classes

# What Pillow has to do to turn an image upright, by the number in the EXIF data.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112

DRY = 50  # turns of drawing without a new crop, after which no more are expected


@dataclass(frozen=True)
class Crops:
    """Square crops of photographs.

    Attributes:
        name: what to call the set where its figures are given.
        classes: the names of the K classes, tuple of str; () if there are none.
        images: uint8 (N, S, S, 3), sRGB.
        labels: int64 (N,), 0 to K - 1; or bool (N, K), if a crop may have several classes;
            `None` without classes. See `single_labels`.
        sources: N str, the photo that each crop is of. Crops of one photo look alike, so a
            split has to be one of photos; see `split`.
        places: int64 (N, 3): x, y, side, in pixels of the photo; `None` if there is no photo.
        parts: N str, what the data set's own split calls each crop's part, such as "train"; ""
            where it says nothing. `None` if it has no split.
        files: N str, the files, relative to the set's folder; `None` if there are none.
    """

    name: str
    classes: tuple
    images: np.ndarray
    labels: np.ndarray | None
    sources: tuple
    places: np.ndarray | None = None
    parts: tuple | None = None
    files: tuple | None = None

    def __len__(self):
        return len(self.images)

    def take(self, selection):
        """The crops that `selection` (indices or bool (N,)) chooses, as `Crops`."""
        chosen = np.arange(len(self))[selection]

        def of(values):
            if values is None or isinstance(values, np.ndarray):
                return None if values is None else values[chosen]
            return tuple(values[i] for i in chosen)

        return Crops(
            self.name,
            self.classes,
            *map(of, (self.images, self.labels, self.sources)),
            *map(of, (self.places, self.parts, self.files)),
        )


def load_crops(path, count=2642, size=64, seed=0, classes=None, side=None):
    """Loads crops from a folder, in whichever of these layouts it is.

    - `images/*.jpg` and `annotations/*.xml`: CODEBRIM as published, `original_dataset` (Mundt
      et al., CVPR 2019). A crop is the square of a box; it has all classes of the box.
    - `metadata/*.xml` and `train/`, `val/`, `test/`: CODEBRIM's `classification_dataset`, whose
      images are crops of photos already. Those smaller than a crop are left out.
    - `images/` and a list of crops, `crops*.csv` or the only CSV file there, with the columns
      photo (or id), x, y and, as you like, side (else it is `size`), class (cls, label),
      split. A crop is a line of it.
    - a folder per class, with photos.
    - photos, without classes; also in `images/` alone.

    Where the layout has classes, but is no list, a crop is a square out of the annotated area
    (the box, or the whole photo): its side is 3/4 of the shorter side or more, but not less
    than `size`, and its place is random. So it shows most of what its label speaks of. Photos
    without classes give random squares of `size` pixels, all photos equally many. No crop is
    taken twice; every area gives one crop before any gives a second.

    Args:
        path: the folder.
        count: how many crops to draw; there are fewer where so many different ones are not
            found. `None` takes one of each area, and all of a list.
        size: side in pixels of the crops returned; larger squares are reduced to it.
        seed: int, not negative; the draw is a function of the files and these arguments.
        classes: names of the classes to take; by default all but CODEBRIM's "background". Of
            crops with several classes, those named count; crops with none of them are left.
        side: side in pixels of the squares in the photos, instead of the above. A square so
            small may miss what the label of its area speaks of.

    Returns:
        `Crops`, sorted by photo. It is named after the folder; "CODEBRIM" if it has the
        published number of photos, else "CODEBRIM format" with the number it has. Classes are
        in CODEBRIM's order, or in that of their names ("2" before "10").

    Raises:
        InputError: no such folder, no known layout; a missing or damaged photo, or one smaller
            than a crop; XML or CSV that cannot be used; a box outside of its photo; a class
            that is not there; no crops.
        ValueError: `count`, `size`, `side` or `seed` out of range.
    """
    if (count is not None and count < 1) or size < 8 or seed < 0 or (side and side < size):
        raise ValueError(
            "`count` must be at least 1, `size` 8, `seed` 0, `side` `size`. "
            f"Received: {count}, {size}, {seed}, {side}"
        )
    path, name = _root(path)
    codebrim = True
    if (path / "metadata").is_dir():
        areas, known, several = _codebrim_crops(path, side or size)
    elif (path / "annotations").is_dir():
        areas, known, several = _codebrim_boxes(path)
    else:
        codebrim = False
        listed = _list_file(path) if (path / "images").is_dir() else None
        areas, known, several = _listed(listed, path, size) if listed else _photos(path)
    if classes is None and codebrim:
        classes = [each for each in known if each != CODEBRIM["Background"]]
    areas, known = _of_classes(areas, known, classes, path)
    _check_sizes(areas, side or size)
    chosen = _drawn(areas, count, size, side if known or side else size, seed)
    return _read(chosen, known, several, path, name, size)


def save(crops, path):
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


def load(path, folder, size=64):
    """Makes the crops of a list again.

    Args:
        path: CSV file that `save` wrote.
        folder: that of the photos, as it was given to `load_crops`.
        size: side in pixels of the crops returned.

    Returns:
        `Crops`, equal to those saved, if the photos are the same; classes without a crop are
        left out, unless a crop may have several.

    Raises:
        InputError: the list or a photo cannot be used.
    """
    folder, name = _root(folder)
    areas, known, several = _listed(Path(path), folder, size)
    _check_sizes(areas, size)
    chosen = [(area, area.box[:3]) for area in areas]
    return _read(chosen, known, several, folder, name, size)


def split(crops, share, seed=0):
    """Divides crops by photo: those of one photo are all in one part.

    Args:
        crops: `Crops`.
        share: of the photos, 0 to 1, how much the second part has; at least one photo is in
            each.
        seed: int; the parts are a function of (sources, share, seed).

    Returns:
        (first, second): int64, indices into the crops, ascending.

    Raises:
        InputError: fewer than two photos.
        ValueError: another `share`.
    """
    if not 0 < share < 1:
        raise ValueError(f"`share` must be between 0 and 1. Received: {share}")
    photos, index = np.unique(np.asarray(crops.sources), return_inverse=True)
    if len(photos) < 2:
        raise InputError(
            f"{crops.name}: all crops are of one photo, {photos[0]}: a part to measure on "
            "needs photos of its own; add some"
        )
    second = min(max(round(share * len(photos)), 1), len(photos) - 1)
    held = np.random.default_rng(seed).permutation(len(photos))[:second]
    inside = np.isin(index, held)
    return np.flatnonzero(~inside), np.flatnonzero(inside)


def single_labels(crops, seed=0):
    """One class for each crop, as networks with a class label take it.

    Args:
        crops: `Crops`. Of a crop with several classes one is drawn.
        seed: int; the draw is a function of it and of the labels.

    Returns:
        int64 (N,), 0 to K - 1.

    Raises:
        InputError: crops without classes.
    """
    if crops.labels is None:
        raise InputError(
            f"{crops.name}: photos without classes: sort them into a folder per class"
        )
    if crops.labels.ndim == 1:
        return crops.labels
    luck = np.random.default_rng(seed).random(crops.labels.shape)
    return np.where(crops.labels, luck, -1).argmax(axis=1).astype(np.int64)


def digest(crops):
    """SHA-256 of pixels, classes and labels, as hex digits."""
    content = hashlib.sha256(crops.images)
    content.update(" ".join(crops.classes).encode())
    if crops.labels is not None:
        content.update(np.ascontiguousarray(crops.labels))
    return content.hexdigest()


def describe(crops):
    """One line on a set: its classes, crops and photos."""
    count, size = crops.images.shape[:2]
    line = f"{crops.name}: {count} crops of {size}x{size} from {len(set(crops.sources))} photos"
    if crops.labels is None:
        return line + ", no classes"
    numbers = crops.labels.sum(axis=0) if crops.labels.ndim == 2 else np.bincount(
        crops.labels, minlength=len(crops.classes)
    )  # fmt: skip
    shown = [f"{name} {number}" for name, number in zip(crops.classes, numbers)]
    shown = shown if len(shown) <= 8 else [*shown[:6], "...", shown[-1]]
    several = ", a crop may have several" if crops.labels.ndim == 2 else ""
    return f"{line}; {', '.join(shown)}{several}"


# Layouts ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Area:
    """Where a crop may be drawn.

    Attributes:
        file: `Path` of the photo.
        photo: (width, height) of it in pixels.
        box: (x, y, width, height) of the area in pixels.
        labels: tuple of class names.
        source: what the photo is called; `None` for the file's name.
        part: of the data set's own split; `None` if it has none.
        listed: `None`, or, if the area is itself the crop, what names it in messages.
    """

    file: Path
    photo: tuple
    box: tuple
    labels: tuple
    source: str | None = None
    part: str | None = None
    listed: str | None = None


def _root(path):
    """The folder to look at, and the set's name."""
    path = Path(path)
    if not path.is_dir():
        state = "a file" if path.exists() else "no such folder"
        raise InputError(f"{path}: {state}; a folder is expected with {LAYOUTS}")
    name = path.resolve().name
    inside = [path / each for each in CODEBRIM_FOLDERS if (path / each).is_dir()]
    if inside:
        path = inside[0]
    if (path / "annotations").is_dir() and (path / "images").is_dir():
        photos = len(_images_in(path / "images"))
        name = "CODEBRIM" if photos == CODEBRIM_PHOTOS else f"CODEBRIM format, {photos} photos"
    elif (path / "metadata").is_dir():
        name = "CODEBRIM's crops"
    return path, name


def _images_in(folder):
    """Images of a folder, which may have none; not the hidden files that macOS adds."""
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def _codebrim_boxes(path):
    """The boxes of `annotations/*.xml`, as areas; photos without annotation have none."""
    photos = path / "images"
    if not photos.is_dir():
        raise InputError(f"{photos}: no such folder: put the photos of annotations/ there")
    files = [
        file
        for file in sorted((path / "annotations").glob("*.xml"))
        if not file.name.startswith(".")
    ]
    if not files:
        raise InputError(f"{path / 'annotations'}: no .xml files there: add them")
    by_stem = {photo.stem: photo for photo in _images_in(photos)}
    areas = []
    for file in files:
        photo = by_stem.get(file.stem)
        if photo is None:
            raise InputError(
                f"{photos / file.stem}.jpg: missing, {file.name} is its annotation: add it, or "
                "remove the annotation"
            )
        root, size = _xml(file), _photo_size(photo)
        stated = tuple(_integer(root, f"size/{each}", file) for each in ("width", "height"))
        if stated != size:
            raise InputError(
                f"{photo}: {size[0]}x{size[1]} pixels, its annotation says "
                f"{stated[0]}x{stated[1]}: restore the photo of that size"
            )
        for number, node in enumerate(root.iter("object"), start=1):
            where = f"{file}: object {number}"
            labels = _flags(node.find("Defect"), where)
            areas.append(_Area(photo, size, _box(node, size, where), labels))
    return areas, tuple(CODEBRIM.values()), True


def _codebrim_crops(path, size):
    """The images of `train/`, `val/` and `test/`, whole, labelled by `metadata/*.xml`.

    Those smaller than `size` are left out.
    """
    flags = {}
    for name in ("background", "defects"):
        file = path / "metadata" / f"{name}.xml"
        if not file.is_file():
            raise InputError(f"{file}: no such file: restore it from the published data set")
        for node in _xml(file).iter("Defect"):
            image = node.get("name")
            if image is None:
                raise InputError(f"{file}: a Defect without a name: restore the file")
            flags[image] = _flags(node, f"{file}: {image}")
    areas = []
    for part in ("train", "val", "test"):
        for kind in ("background", "defects"):
            folder = path / part / kind
            for file in _images_in(folder) if folder.is_dir() else ():
                if file.name not in flags:
                    raise InputError(
                        f"{file}: is not in {path / 'metadata' / kind}.xml: remove it, or "
                        "add it there"
                    )
                source = re.sub(r"_crop_\d+$", "", file.stem)
                areas.append(_whole(file, flags[file.name], source, part))
    areas = [area for area in areas if min(area.photo) >= size]
    if not areas:
        raise InputError(
            f"{path}: no images of {size}x{size} and more in train/, val/ and test/: restore "
            "the folders, or ask for smaller crops"
        )
    return areas, tuple(CODEBRIM.values()), True


def _listed(file, folder, size):
    """The rows of a list, as areas that are the crops themselves."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened)
            names, rows = reader.fieldnames or (), list(reader)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{file}: not a CSV file in UTF-8: save it as one") from None
    photo, label, part = (
        next((name for name in known if name in names), None) for known in (PHOTO, CLASS, PART)
    )
    missing = [name for name in ("x", "y") if name not in names]
    missing = ["photo"] * (photo is None) + missing
    if missing:
        raise InputError(
            f"{file}: no column {missing[0]}; expected: photo,x,y and, as you like, "
            f"side,class,split. Received: {','.join(names)[:80]}"
        )
    if not rows:
        raise InputError(f"{file}: no crops in this list: add rows, or remove the file")
    several = tuple(name.removeprefix(MULTI) for name in names if name.startswith(MULTI))
    photos, areas = {}, []
    for line, row in enumerate(rows, start=2):
        where = f"{file}: line {line}"
        if None in row or None in row.values():
            raise InputError(f"{where}: not as many values as columns: mend the line")
        if row[photo] not in photos:
            found = _find_photo(row[photo], folder, where)
            photos[row[photo]] = found, _photo_size(found)
        x, y = (_number(row, name, where) for name in ("x", "y"))
        side = _number(row, "side", where) if "side" in names else size
        labels = ()
        if several:
            labels = tuple(name for name in several if _flag(row[MULTI + name], where))
        elif label:
            if not row[label].strip():
                raise InputError(f"{where}: no class: fill it in, or remove the line")
            labels = (row[label].strip(),)
        box, own = (x, y, side, side), row[part] if part else None
        areas.append(_Area(*photos[row[photo]], box, labels, row.get("source"), own, where))
    if several:
        return areas, several, True
    found = {name for area in areas for name in area.labels}
    return areas, tuple(sorted(found, key=_natural)), False


def _photos(path):
    """A folder per class, or photos without classes; the whole photo is the area."""
    own = _images_in(path)
    folders = sorted(
        each for each in path.iterdir() if each.is_dir() and not each.name.startswith(".")
    )
    folders = [each for each in folders if _images_in(each)]
    if not own and [each.name for each in folders] == ["images"]:
        own, folders = _images_in(path / "images"), []
    if own and folders:
        raise InputError(
            f"{own[0]}: a photo beside the folder {folders[0].name}/: move it into the folder "
            "of its class, or the folder away"
        )
    if not own and not folders:
        raise InputError(f"{path}: no images found; expected: {LAYOUTS}")
    if own:
        return [_whole(file, ()) for file in own], (), False
    areas = [_whole(file, (folder.name,)) for folder in folders for file in _images_in(folder)]
    return areas, tuple(sorted((folder.name for folder in folders), key=_natural)), False


def _whole(file, labels, source=None, part=None):
    """A whole photo as the area."""
    size = _photo_size(file)
    return _Area(file, size, (0, 0, *size), labels, source, part)


def _of_classes(areas, known, wanted, path):
    """The areas that have a class that is wanted, and the wanted classes, in their order."""
    if not known:
        if wanted:
            raise InputError(
                f"{path}: photos without classes, {', '.join(wanted)} cannot be chosen: sort "
                "them into a folder per class"
            )
        return areas, known
    wanted = known if wanted is None else wanted
    for name in wanted:
        if name not in known:
            raise InputError(f"{path}: no class {name}; there are: {', '.join(known)}")
    kept = tuple(name for name in known if name in wanted)
    chosen = []
    for area in areas:
        labels = tuple(name for name in area.labels if name in kept)
        if labels:
            chosen.append(dataclasses.replace(area, labels=labels))
    if not chosen:
        raise InputError(f"{path}: no crops of the classes {', '.join(kept)}: name others")
    return chosen, kept


# Annotations ------------------------------------------------------------------------------


def _xml(file):
    try:
        return ET.parse(file).getroot()
    except ET.ParseError as error:
        raise InputError(f"{file}: not readable as XML ({error}): restore the file") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None


def _integer(node, name, where):
    text = node.findtext(name, "").strip()
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise InputError(f"{where}: {name} is {text or 'missing'}, a number is expected: "
                         "mend or restore the file") from None  # fmt: skip


def _box(node, size, where):
    """(x, y, width, height) of `bndbox`, without what lies beyond the photo."""
    corners = [_integer(node, f"bndbox/{each}", where) for each in ("xmin", "ymin")]
    ends = [_integer(node, f"bndbox/{each}", where) for each in ("xmax", "ymax")]
    start = [max(corner, 0) for corner in corners]
    length = [min(end, limit) - first for end, limit, first in zip(ends, size, start)]
    if min(length) <= 0:
        raise InputError(
            f"{where}: box {(*corners, *ends)} is empty or outside of the {size[0]}x{size[1]} "
            "photo: mend or remove the object"
        )
    return (*start, *length)


def _flags(node, where):
    """The classes that a `Defect` node has, as our names."""
    if node is None:
        raise InputError(f"{where}: no Defect: mend or remove the object")
    labels = []
    for child in node:
        if child.tag not in CODEBRIM:
            raise InputError(
                f"{where}: unknown class {child.tag}; there are: {', '.join(CODEBRIM)}"
            )
        if _flag(child.text or "", where):
            labels.append(CODEBRIM[child.tag])
    if not labels:
        raise InputError(f"{where}: no class is 1: mend or remove it")
    if len(labels) > 1 and CODEBRIM["Background"] in labels:
        raise InputError(f"{where}: both Background and a defect are 1: mend or remove it")
    return tuple(name for name in CODEBRIM.values() if name in labels)


def _flag(text, where):
    if text.strip() not in ("0", "1"):
        raise InputError(f"{where}: a class is {text.strip() or 'empty'}, 0 or 1 is expected")
    return text.strip() == "1"


def _number(row, name, where):
    try:
        number = int(row[name])
    except ValueError:
        number = -1
    if number < 0:
        raise InputError(
            f"{where}: {name} is {row[name]!r}, a whole number of pixels is expected"
        )
    return number


def _list_file(path):
    """The list of crops of a folder; `None` if it has no CSV file."""
    found = sorted(file for file in path.glob("*.csv") if not file.name.startswith("."))
    named = [file for file in found if file.name.startswith("crops")] or found
    if len(named) > 1:
        raise InputError(
            f"{path}: which of {', '.join(file.name for file in named)} lists the crops? Call "
            "it crops.csv, and the others not crops..."
        )
    return named[0] if named else None


def _find_photo(name, folder, where):
    """The photo of that name, with or without suffix, in a folder or its images/."""
    for base in (folder, folder / "images"):
        for suffix in ("", *SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)):
            file = base / f"{name}{suffix}"
            if name.strip() and file.is_file():
                return file
    raise InputError(f"{where}: no photo {name} in {folder} or images/: add it")


def _natural(name):
    """Sorts "2" before "10" and "b" after "A"."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name


# Crops ------------------------------------------------------------------------------------


def _check_sizes(areas, size):
    """Finds photos that are too small, and crops of a list that lie outside."""
    for area in areas:
        width, height = area.photo
        x, y, side, _ = area.box
        if area.listed and (side < 1 or x + side > width or y + side > height):
            raise InputError(
                f"{area.listed}: {side}x{side} pixels at {x}, {y} are outside of the "
                f"{width}x{height} photo: mend or remove the line"
            )
        if not area.listed and min(width, height) < size:
            raise InputError(
                f"{area.file}: {width}x{height} pixels, less than a crop of {size}x{size}: "
                "remove it, or ask for smaller crops"
            )


def _drawn(areas, count, size, side, seed):
    """Draws crops, in turn from all areas, none twice.

    Args:
        areas: list of `_Area`.
        count: `None` for one of each area.
        size: the least side in pixels.
        side: of the squares; `None` for 3/4 of the area's shorter side or more.
        seed: int.

    Returns:
        list of (area, (x, y, side)), in the order of the areas.
    """
    rng = np.random.default_rng(seed)
    wanted = len(areas) if count is None else count
    found, dry = {}, 0
    while len(found) < wanted and dry < DRY:
        before = len(found)
        for index in rng.permutation(len(areas)):
            area = areas[index]
            place = area.box[:3] if area.listed else _square(area, rng.random(3), size, side)
            key = index if area.listed else (area.file, *place)
            found.setdefault(key, (int(index), place))
            if len(found) == wanted:
                break
        dry = dry + 1 if len(found) == before else 0
    return [(areas[index], place) for index, place in sorted(found.values())]


def _square(area, luck, size, side):
    """(x, y, side) of a random square of an area, for three random numbers in [0, 1)."""
    lengths = area.box[2:]
    if side is None:
        shorter = min(lengths)
        least = max(size, -(-3 * shorter // 4))
        side = least + int(luck[2] * max(shorter - least + 1, 1))
    place = []
    for corner, length, limit, part in zip(area.box, lengths, area.photo, luck):
        # in the area, or, where that is too small, around its middle
        free = length - side
        first = corner + (int(part * (free + 1)) if free >= 0 else free // 2)
        place.append(min(max(first, 0), limit - side))
    return (*place, side)


def _read(chosen, classes, several, path, name, size):
    """Reads the crops that were chosen, each photo once.

    Args:
        chosen: list of (area, (x, y, side)).
        classes: tuple of names.
        several: whether a crop may have several of them.
        path: the set's folder.
        name: the set's name.
        size: side of the crops returned.

    Returns:
        `Crops`.
    """
    by_file = {}
    for number, (area, _) in enumerate(chosen):
        by_file.setdefault(area.file, []).append(number)
    images = np.empty((len(chosen), size, size, 3), np.uint8)
    console = Console(stderr=True)

    def cut(file):
        numbers = by_file[file]
        return numbers, _cut(file, [chosen[number][1] for number in numbers], size)

    # a thread that silences warnings itself may leave it so: undone here after them all
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")
        results = pool.map(cut, by_file)
        try:
            bar = track(
                results, "reading", len(by_file), console=console, transient=True,
                disable=not console.is_terminal,
            )  # fmt: skip
            for numbers, crops in bar:
                images[numbers] = crops
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    areas = [area for area, _ in chosen]
    files = tuple(area.file.relative_to(path).as_posix() for area in areas)
    parts = tuple(area.part or "" for area in areas)
    return Crops(
        name,
        classes,
        images,
        _labels(areas, classes, several),
        tuple(area.source or file for area, file in zip(areas, files)),
        np.array([place for _, place in chosen], np.int64),
        parts if any(parts) else None,
        files,
    )


def _labels(areas, classes, several):
    """int64 (N,), bool (N, K) for several classes a crop, or `None` without classes."""
    if not classes:
        return None
    table = np.array([[name in area.labels for name in classes] for area in areas])
    return table if several else table.argmax(axis=1).astype(np.int64)


def _photo_size(file):
    """(width, height) as stored, from the header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                return image.size
    except DAMAGE:
        raise _damaged(file) from None


def _cut(file, places, size):
    """Cuts squares out of a photo, reduces them and turns them upright.

    Args:
        file: the photo; more than 8 bits a channel are linear and get the sRGB curve.
        places: list of (x, y, side).
        size: side of the result.

    Returns:
        list of uint8 (size, size, 3).
    """
    try:
        with Image.open(file) as image:
            width = image.width
            if image.format == "JPEG":  # decoded smaller where all crops allow it
                least = min(side for *_, side in places) / size
                image.draft(image.mode, (int(width / least), int(image.height / least)))
            image.load()
            orientation = image.getexif().get(ORIENTATION)  # a TIFF is upright by now
            image = _rgb(file, image)
    except DAMAGE:
        raise _damaged(file) from None
    scale = image.width / width
    crops = []
    for x, y, side in places:
        if side == size and scale == 1:
            crop = image.crop((x, y, x + side, y + side))
        else:
            box = tuple(scale * value for value in (x, y, x + side, y + side))
            box = (*box[:2], min(box[2], image.width), min(box[3], image.height))
            crop = image.resize((size, size), Image.Resampling.LANCZOS, box)
        if orientation in UPRIGHT:
            crop = crop.transpose(UPRIGHT[orientation])
        crops.append(np.asarray(crop))
    return crops


def _rgb(file, image):
    if image.format in ("PNG", "TIFF") and bit_depth(file) > 8:
        return Image.fromarray(quantize(linear_to_srgb(read_linear(file)), np.uint8))
    return (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")


def _damaged(file):
    return InputError(f"{file}: damaged, or no image: copy it again or remove it")
