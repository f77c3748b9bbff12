"""Images of real surfaces with and without defects: the three layouts that can be trained on.

`load_surfaces` tells by what a folder holds whether it is DAGM 2007, the magnetic tiles, or
`positive/ negative/ [masks/]`. All images are decoded and checked there, before any training,
and stay in memory as bytes.
"""

import contextlib
import csv
import dataclasses
import re
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from keras_gans.data import images
from keras_gans.data.images import read_grey_or_rgb
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError

SUFFIXES = (*images.SUFFIXES, ".bmp")
MASK_ENDINGS = re.compile("(_mask|_label|_gt)$", re.IGNORECASE)
UNNAMED = "defect"  # the type of images that lie in negative/ itself

LAYOUTS = (
    "DAGM 2007 (Train/*.PNG, Train/Label/*_label.PNG, or Class* folders of it), magnetic tiles "
    "(MT_*/Imgs/*.jpg, *.png), or positive/ (defect-free), negative/ (defective), [masks/]"
)


@dataclass
class _File:
    """An image to read. `train` is `None` where the split is still to be drawn."""

    path: Path
    type: str  # "" for defect-free
    group: str  # images of a group are split with the same share
    train: bool | None = None
    mask: Path | None = None


def load_surfaces(folder, test_share=0.3, seed=0):
    """Loads images of surfaces, in whichever of the three layouts they are.

    - DAGM 2007 (Wieler & Hahn): see `list_dagm`.
    - Magnetic tiles (Huang et al., 2020): see `list_magnetic_tiles`.
    - `positive/` (defect-free, as the paper has it) and `negative/` (defective), with or
      without `masks/`: see `list_positive_negative`.

    Images are 8-bit JPEG, PNG, TIFF or BMP, all grey or all in colour; RGB with three equal
    channels is grey. In masks everything above zero is defect; in JPEG ones, whose edges are
    smeared, everything above half the largest value.

    Args:
        folder: path.
        test_share: part of each kind of image that is held out for testing where the layout
            has no split of its own, in [0, 1).
        seed: int; that split is a function of it and of the file names.

    Returns:
        `Surfaces` named after the folder.

    Raises:
        InputError: folder missing or in no known layout; image damaged, deeper than 8 bits
            or transparent; grey and colour mixed; mask without its image, of another size or
            of a defect-free image with defects in it; a name that stands for two files; one
            of the two classes missing, from the set or its training part; or what the
            layout's own function finds.
    """
    folder = Path(folder)
    if not 0 <= test_share < 1:
        raise InputError(f"test share must be from 0 to below 1. Received: {test_share}")
    if not folder.exists():
        raise InputError(f"{folder}: no such folder")
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, where a folder of images is expected")

    files = _list_files(folder)
    if not files:
        raise InputError(f"{folder}: no images ({' '.join(SUFFIXES)} are read)")
    _split(files, test_share, seed)
    for name, wanted in (("defective", True), ("defect-free", False)):
        parts = [file.train for file in files if bool(file.type) == wanted]
        if not parts:
            raise InputError(f"{folder}: no {name} image among {len(files)}: add some")
        if not any(parts):
            raise InputError(
                f"{folder}: no {name} image in the training part, {len(parts)} for testing: "
                "move some, or lower the test share"
            )

    pixels, masks = zip(*_in_threads(_read, files))
    channels = [image.shape[2] for image in pixels]
    if len(set(channels)) > 1:
        grey, colour = (files[channels.index(count)].path for count in (1, 3))
        raise InputError(
            f"{folder}: {channels.count(1)} grey images and {channels.count(3)} in colour "
            f"({grey} and {colour}): convert all to grey or leave one kind out"
        )
    return Surfaces(
        name=folder.resolve().name,
        images=list(pixels),
        defective=np.array([bool(file.type) for file in files]),
        masks=list(masks),
        types=[file.type for file in files],
        train=np.array([file.train for file in files]),
        names=[file.path.relative_to(folder).as_posix() for file in files],
    )


def describe(surfaces):
    """One line on a set: sizes (width x height), both parts, the types of defects."""
    sizes = np.array([image.shape[1::-1] for image in surfaces.images])
    low, high = ("x".join(map(str, end)) for end in (sizes.min(axis=0), sizes.max(axis=0)))
    size = low if low == high else f"{low} to {high}"
    colour = "grey" if surfaces.channels == 1 else "colour"
    defective, train = surfaces.defective, surfaces.train
    types, counts = np.unique([kind for kind in surfaces.types if kind], return_counts=True)
    by_type = ", ".join(f"{kind} {count}" for kind, count in zip(types, counts))
    masked = sum(mask is not None for mask in surfaces.masks)
    unmarked = defective.sum() - masked
    return (
        f"{surfaces.name}: {len(surfaces)} {colour} images, {size}; "
        f"training {(defective & train).sum()} defective + {(~defective & train).sum()} free, "
        f"testing {(defective & ~train).sum()} + {(~defective & ~train).sum()}; "
        f"defective by type: {by_type}"
        + (f"; {unmarked} defective without a mask" if unmarked else "")
    )


def hold_out(surfaces, kind):
    """Moves all images of one type of defect to the test part.

    For the paper's third claim, that defects of a type never seen in training are found.

    Args:
        surfaces: `Surfaces`.
        kind: one of `surfaces.types`.

    Returns:
        `Surfaces` with the same images.

    Raises:
        InputError: no such type, or no defective image would be left to train on.
    """
    _check_types(surfaces, [kind])
    train = surfaces.train & (np.array(surfaces.types) != kind)
    if not (train & surfaces.defective).any():
        raise InputError(
            f"{surfaces.name}: without {kind} no defective image is left to train on; the "
            f"types of defects are {', '.join(_types(surfaces))}"
        )
    return dataclasses.replace(surfaces, train=train)


def only_types(surfaces, kinds):
    """Leaves out all defective images but those of some types.

    Args:
        surfaces: `Surfaces`.
        kinds: names out of `surfaces.types`.

    Raises:
        InputError: no such type, or no defective image would be left to train on.
    """
    _check_types(surfaces, kinds)
    chosen = surfaces.take(~surfaces.defective | np.isin(surfaces.types, kinds))
    if not (chosen.train & chosen.defective).any():
        raise InputError(f"{surfaces.name}: no training images of type {', '.join(kinds)}")
    return dataclasses.replace(chosen, name=f"{chosen.name} ({', '.join(kinds)})")


def _types(surfaces):
    return sorted({name for name in surfaces.types if name})


def _check_types(surfaces, kinds):
    types = _types(surfaces)
    for kind in kinds:
        if kind not in types:
            raise InputError(
                f"{surfaces.name}: no defects of type {kind!r}; there are {', '.join(types)}"
            )


# The three layouts ----------------------------------------------------------------------


def _list_files(folder):
    inside = _folders(folder)
    if any(_is_positive_negative(path) for path in [folder, *_parts(folder)]):
        return list_positive_negative(folder)
    if _is_dagm(folder):
        return list_dagm(folder)
    classes = [path for path in inside if path.name.lower().startswith("class")]
    if any(_is_dagm(path) for path in classes):
        return [file for path in classes for file in list_dagm(path)]
    if any(_is_tiles(path) and _folder(path, "imgs") for path in inside):
        return list_magnetic_tiles(folder)
    found = [f"{len(_images(folder, unique=False))} images"]
    found += [f"{path.name}/" for path in inside[:6]] + ["..."] * (len(inside) > 6)
    raise InputError(
        f"{folder}: unknown layout (found: {', '.join(found)}); expected: {LAYOUTS}"
    )


def list_dagm(folder):
    """Lists one class of DAGM 2007 in its own layout; the type is the folder's name.

    `Train/0576.PNG` is defective if there is `Train/Label/0576_label.PNG`. `Test/` beside
    `Train/`, if it is there, is the test part. `Labels.txt` is not read.

    Raises:
        InputError: no images in `Train` or `Test`, label without its image.
    """
    train, test = _folder(folder, "train"), _folder(folder, "test")
    files = []
    for part in [train or folder / "Train"] + [test] * (test is not None):
        listed = _by_stem(_images(part)) if part.exists() else {}
        if not listed:
            raise InputError(f"{part}: no images: unpack all of the class there")
        labels = _match(_images(_folder(part, "label")), [listed])
        for image in listed.values():
            kind = folder.resolve().name if image in labels else ""
            split = part == train if test else None
            files.append(_File(image, kind, f"{folder.name}/{kind}", split, labels.get(image)))
    return files


def list_magnetic_tiles(folder):
    """Lists the magnetic tiles in their own layout, `MT_*/Imgs`; the type is what * says.

    `NAME.png` is the mask of `NAME.jpg`; the images of `MT_Free` are defect-free. A
    `split.csv` (columns image, tile, split: train or test; others are not read) gives the
    parts, so that the exposures of one tile stay together; without it that is not known, and
    a note is printed.

    Raises:
        InputError: folder without `Imgs`, mask without its image; a `split.csv` that does not
            name every image once, names others, or cuts a tile in two.
    """
    files = []
    for path in filter(_is_tiles, _folders(folder)):
        pictures = _folder(path, "imgs")
        if pictures is None:
            raise InputError(f"{path}: no folder Imgs in it: unpack all of the set there")
        found = _images(pictures, unique=False)
        photos = [file for file in found if file.suffix.lower() != ".png"]
        masks = _match([f for f in found if f.suffix.lower() == ".png"], [_by_stem(photos)])
        group = path.name.lower().removeprefix("mt_")
        kind = "" if group == "free" else group
        files += [_File(image, kind, group, None, masks.get(image)) for image in photos]
    table = folder / "split.csv"
    if table.exists():
        parts = _read_split(table, [file.path.relative_to(folder).as_posix() for file in files])
        for file, part in zip(files, parts):
            file.train = part
    elif files:
        print(
            f"note: {folder} has no split.csv: exposures of the same tile lie in both parts, "
            "so figures on the test part are too good"
        )
    return files


def _read_split(table, names):
    """Whether each of the named images is for training, from `split.csv`."""
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            columns = [column.strip().lower() for column in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read as CSV in UTF-8 ({error})") from None
    if not {"image", "tile", "split"} <= set(columns):
        received = ", ".join(columns) or "none"
        raise InputError(f"{table}: columns image, tile, split expected, got {received}")

    known, parts, tiles = set(names), {}, {}
    for line, row in rows:
        image, tile, split = (row[key].strip() for key in ("image", "tile", "split"))
        image = image.replace("\\", "/")
        where = f"{table}, line {line}"
        if image not in known:
            raise InputError(f"{where}: no image {image!r}: add the image or remove the line")
        if image in parts:
            raise InputError(f"{where}: a second line for {image}: keep one of them")
        if split not in ("train", "test"):
            raise InputError(f"{where}: split must be train or test, got {split!r}")
        if tiles.setdefault(tile, split) != split:
            raise InputError(f"{where}: tile {tile!r} is in both parts: move it to one of them")
        parts[image] = split == "train"
    for name in names:
        if name not in parts:
            raise InputError(f"{table}: no line for {name}: add it or remove the image")
    return [parts[name] for name in names]


def list_positive_negative(folder):
    """Lists `positive/` (defect-free), `negative/` (defective) and, if there, `masks/`.

    Images lie in these or in folders one level below, whose names are the types of defects
    (`negative/scratch/a.png`). Masks have the same place and name
    (`masks/scratch/a.png`, or `a_mask`, `a_label`, `a_gt`). All of it may lie in `train/` and
    `test/`, which are the parts then.

    Raises:
        InputError: images in deeper folders, mask without its image.
    """
    parts = [folder] if _is_positive_negative(folder) else _parts(folder)
    has_test = any(part.name.lower() == "test" for part in parts if part != folder)
    files = []
    for part in parts:
        if not _is_positive_negative(part):
            raise InputError(f"{part}: no positive/ and no negative/ in it: sort its images")
        positive, negative, masks = (
            _one_level(_folder(part, name)) for name in ("positive", "negative", "masks")
        )
        owners = {}
        for place, found in masks.items():
            candidates = [_by_stem(listed.get(place, [])) for listed in (negative, positive)]
            owners |= _match(found, candidates)
        for label, listed in (("negative", negative), ("positive", positive)):
            for place, found in listed.items():
                kind = (place or UNNAMED) if label == "negative" else ""
                train = part.name.lower() == "train" if has_test else None
                for image in found:
                    group = f"{label}/{place}"
                    files.append(_File(image, kind, group, train, owners.get(image)))
    return files


def _is_dagm(folder):
    return bool(_images(_folder(folder, "train"), unique=False))


def _is_tiles(folder):
    return folder.name.lower().startswith("mt_")


def _is_positive_negative(folder):
    return bool(_folder(folder, "positive") or _folder(folder, "negative"))


def _parts(folder):
    return [path for name in ("train", "test") if (path := _folder(folder, name))]


# What the layouts share -----------------------------------------------------------------


def _visible(folder):
    """What lies in a folder (nothing, if it is `None`), sorted, without hidden files."""
    if folder is None:
        return []
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None


def _folders(folder):
    return [path for path in _visible(folder) if path.is_dir()]


def _folder(parent, name):
    """The folder of that name, in whichever case, or `None`."""
    return next((path for path in _folders(parent) if path.name.lower() == name), None)


def _images(folder, unique=True):
    """The images in a folder; `unique` refuses a.png beside a.jpg."""
    listed = [
        path
        for path in _visible(folder)
        if path.suffix.lower() in SUFFIXES and not path.is_dir()
    ]
    if unique:
        _by_stem(listed)
    return listed


def _by_stem(paths):
    """{name without suffix: path}; raises if two files share one."""
    listed = {}
    for path in paths:
        if path.stem in listed:
            raise InputError(f"{path}: the same name as {listed[path.stem].name}: rename one")
        listed[path.stem] = path
    return listed


def _one_level(folder):
    """{"" or name of a folder inside: its images}."""
    found = {"": _images(folder)}
    for path in _folders(folder):
        found[path.name] = _images(path)
        for deeper in _folders(path):
            if _images(deeper, unique=False):
                raise InputError(
                    f"{deeper}: images two folders below {folder.name}/, one is read: move "
                    "them up"
                )
    return found


def _match(masks, candidates):
    """Finds the image of each mask.

    Args:
        masks: paths.
        candidates: list of {stem: image}, in the order in which they are looked through.

    Returns:
        {image: mask}.
    """
    owners = {}
    for mask in masks:
        stems = (mask.stem, MASK_ENDINGS.sub("", mask.stem))
        matches = [listed[stem] for stem in stems for listed in candidates if stem in listed]
        if not matches:
            raise InputError(f"{mask}: a mask without its image: add the image or remove it")
        image = matches[0]
        if image in owners:
            raise InputError(f"{mask}: a second mask of {image} (the first: {owners[image]})")
        owners[image] = mask
    return owners


def _split(files, test_share, seed):
    """Draws the test part where there is none: the same share of every group."""
    rng = np.random.default_rng([seed, 3])
    for group in sorted({file.group for file in files if file.train is None}):
        members = [file for file in files if file.group == group and file.train is None]
        held = round(len(members) * test_share)
        for position, index in enumerate(rng.permutation(len(members))):
            members[index].train = position >= held


def _read(file):
    """Pixels uint8 (H, W, C) and mask, bool (H, W) or `None`, of a `_File`."""
    pixels = read_grey_or_rgb(file.path)
    if file.mask is None:
        return pixels, None
    values = read_grey_or_rgb(file.mask).max(axis=-1)
    if values.shape != pixels.shape[:2]:
        received, expected = (f"{s[1]}x{s[0]}" for s in (values.shape, pixels.shape))
        raise InputError(
            f"{file.mask}: a mask of {received} pixels for {file.path.name} of {expected}: "
            "make it as large as its image"
        )
    smeared = file.mask.suffix.lower() in (".jpg", ".jpeg")
    mask = values > (values.max() / 2 if smeared else 0)
    if not mask.any():
        return pixels, None
    if not file.type:
        raise InputError(
            f"{file.mask}: {np.count_nonzero(mask)} pixels of defect in a defect-free image: "
            "move the image to the defective ones, or clear its mask"
        )
    return pixels, mask


def _in_threads(read, files):
    """`read` of every file, in order, with a bar if that takes more than a second."""
    console = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=console, transient=True)
    bar = progress.add_task("", total=len(files))
    results, begun = [], time.monotonic()
    with contextlib.ExitStack() as stack:
        # a thread that does this itself may leave it so for good: undone here after them all
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        pool = ThreadPoolExecutor()
        stack.callback(pool.shutdown, cancel_futures=True)
        stack.callback(progress.live.stop)
        for result in pool.map(read, files):
            results.append(result)
            progress.update(bar, completed=len(results))
            if console.is_terminal and time.monotonic() - begun > 1:
                progress.start()  # does nothing the second time
    return results
