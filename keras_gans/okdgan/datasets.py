"""Crops of photographs: CODEBRIM's boxes, folders per class, lists of crops, any photos.

`load_crops` tells by what a folder holds which of these it is. Everything wrong with the photos
is found before any training. `crop_list.save` keeps what was drawn, and `load_list` makes the
same crops again.

Places are those of pixels as they are stored in the file, before the orientation that its
EXIF data asks for. Crops are turned upright by it.
"""

import dataclasses
from pathlib import Path

import numpy as np

from keras_gans.data.folders import check_data_folder, images_in, natural, subfolders
from keras_gans.errors import InputError, printable
from keras_gans.files import remembered
from keras_gans.metrics.efficientnet_lite import weights_file
from keras_gans.okdgan import codebrim
from keras_gans.okdgan.config import Config
from keras_gans.okdgan.crop_list import find_list, list_places, save
from keras_gans.okdgan.crops import CLASSIFIER_HOLD_OUT, Crops, digest, single_labels, split
from keras_gans.okdgan.cutting import check_sizes, draw_places, read_crops, whole_photo
from keras_gans.okdgan.synthetic import synthetic_concrete

LAYOUTS = (
    "images/ and annotations/ (CODEBRIM), metadata/ and train/ (CODEBRIM's crops), images/ "
    "and crops.csv, a folder per class, or photos"
)


def load(config: Config) -> Crops:
    """The crops that the settings ask for, newly drawn and checked.

    Raises:
        InputError: what would otherwise fail only after hours of training.
    """
    if config.data is None:
        print("no --data: built-in surfaces, small networks; see BUILT_IN in okdgan/config.py")
        crops = synthetic_concrete(config.count, config.seed, config.image_size)
    else:
        crops = load_crops(
            config.data, config.count, config.image_size, config.seed, config.classes,
            config.side, config.memory_limit,
        )  # fmt: skip
        if crops.labels is not None and crops.labels.ndim == 1:  # leaves out empty classes
            found, labels = np.unique(crops.labels, return_inverse=True)
            classes = tuple(crops.classes[label] for label in found)
            crops = dataclasses.replace(crops, classes=classes, labels=labels)
    check_crops(config, crops)
    return crops


def check_crops(config: Config, crops: Crops) -> None:
    """Raises `InputError` for too few crops, or none of the classes that are needed."""
    if len(crops) < 2:
        raise InputError(f"{crops.name}: 2 crops or more are needed. Received: {len(crops)}")
    if config.base == "acgan":
        single_labels(crops, config.seed)
    crops, held_out = crops.hold_out(config.hold_out, config.seed)
    if held_out and min(len(crops), len(held_out)) < 2:
        raise InputError(
            f"{crops.name}: --hold-out {config.hold_out} leaves {len(crops)} crops to train on "
            f"and {len(held_out)} to measure on, 2 are needed of each: change it or --count"
        )
    eyes = config.eyes and weights_file()
    if config.inception or config.network or eyes or not config.measured:
        return
    if len(crops.classes) < 2:
        raise InputError(
            f"{crops.name}: classes of which a network could learn what to look at: "
            f"{len(crops.classes)}; give --inception or --network, or two classes or more"
        )
    split(crops, CLASSIFIER_HOLD_OUT, config.seed)


def stored(config: Config, folder: Path, crops: Crops | None) -> Crops:
    """The crops of a run: drawn once, kept as a list, and never drawn again.

    Args:
        config: the settings.
        folder: of the run. It gets `crops.csv`, if the crops are of photos, and `crops.json`.
        crops: newly drawn ones, if there are any yet.

    Raises:
        InputError: the photos have changed since.
    """
    drawn, places = folder / "crops.json", folder / "crops.csv"
    if crops is None and drawn.exists() and config.data is not None:
        crops = load_list(places, config.data, config.image_size, config.memory_limit)
    crops = crops or load(config)
    if not drawn.exists() and crops.places is not None:
        save(crops, places)
    remembered(drawn, lambda: {"crops": len(crops), "set": crops.name}, digest(crops))
    return crops


def load_crops(
    path: Path,
    count: int | None = 2642,
    size: int = 64,
    seed: int = 0,
    classes: tuple[str, ...] | None = None,
    side: int | None = None,
    memory_limit: int | None = None,
) -> Crops:
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
        memory_limit: MiB of crops from which on they are kept on disk, see `data/on_disk.py`.

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
    published = True
    if (path / "metadata").is_dir():
        areas, known, several = codebrim.list_crops(path, side or size)
    elif (path / "annotations").is_dir():
        areas, known, several = codebrim.list_boxes(path)
    else:
        published = False
        listed = find_list(path) if (path / "images").is_dir() else None
        areas, known, several = list_places(listed, path, size) if listed else _photos(path)
    if classes is None and published:
        classes = [each for each in known if each != codebrim.CLASSES["Background"]]
    areas, known = _of_classes(areas, known, classes, path)
    check_sizes(areas, side or size)
    chosen = draw_places(areas, count, size, side if known or side else size, seed)
    return _printable(read_crops(chosen, known, several, path, name, size, memory_limit))


def load_list(
    path: Path, folder: Path, size: int = 64, memory_limit: int | None = None
) -> Crops:
    """Makes the crops of a list again.

    Args:
        path: CSV file that `save` wrote.
        folder: that of the photos, as it was given to `load_crops`.
        size: side in pixels of the crops returned.
        memory_limit: see `load_crops`.

    Returns:
        `Crops`, equal to those saved, if the photos are the same; classes without a crop are
        left out, unless a crop may have several.

    Raises:
        InputError: the list or a photo cannot be used.
    """
    folder, name = _root(folder)
    areas, known, several = list_places(Path(path), folder, size, links=True)
    check_sizes(areas, size)
    chosen = [(area, area.box[:3]) for area in areas]
    return _printable(read_crops(chosen, known, several, folder, name, size, memory_limit))


def _printable(crops):
    """The crops with all names on one line of UTF-8, so that no table fails to be written."""
    names = {
        field: values and tuple(map(printable, values))
        for field in ("classes", "sources", "parts", "files")
        if (values := getattr(crops, field)) is not None
    }
    return dataclasses.replace(crops, name=printable(crops.name), **names)


def _root(path):
    """The folder to look at, and the set's name."""
    path = Path(path)
    check_data_folder(path, LAYOUTS)
    name = path.resolve().name
    inside = [path / each for each in codebrim.FOLDERS if (path / each).is_dir()]
    if inside:
        path = inside[0]
    if (path / "annotations").is_dir() and (path / "images").is_dir():
        photos = len(images_in(path / "images"))
        name = "CODEBRIM" if photos == codebrim.PHOTOS else f"CODEBRIM format, {photos} photos"
    elif (path / "metadata").is_dir():
        name = "CODEBRIM's crops"
    return path, name


def _photos(path):
    """A folder per class, or photos without classes; the whole photo is the area."""
    own = images_in(path)
    folders = [each for each in subfolders(path) if images_in(each)]
    if not own and [each.name for each in folders] == ["images"]:
        own, folders = images_in(path / "images"), []
    if own and folders:
        raise InputError(
            f"{own[0]}: a photo beside the folder {folders[0].name}/: move it into the folder "
            "of its class, or the folder away"
        )
    if not own and not folders:
        raise InputError(f"{path}: no images found; expected: {LAYOUTS}")
    if own:
        return [whole_photo(file, ()) for file in own], (), False
    areas = [
        whole_photo(file, (folder.name,)) for folder in folders for file in images_in(folder)
    ]
    return areas, tuple(sorted((folder.name for folder in folders), key=natural)), False


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
