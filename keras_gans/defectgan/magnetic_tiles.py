"""The magnetic tiles (Huang et al., The Visual Computer 36, 2020) in their own layout."""

from pathlib import Path

from keras_gans.data.folders import subfolders
from keras_gans.data.tables import read_rows
from keras_gans.defectgan.layout import Listed, by_stem, folder_named, match_masks, pictures
from keras_gans.errors import InputError


def is_magnetic_tiles(folder: Path) -> bool:
    """Whether there is a folder `MT_*/Imgs`."""
    return any(folder_named(path, "imgs") for path in _kinds(folder))


def list_magnetic_tiles(folder: Path) -> list[Listed]:
    """Lists the images in `MT_*/Imgs`; the type is what * says.

    `NAME.png` is the mask of `NAME.jpg`; the images of `MT_Free` are defect-free. A
    `split.csv` (columns image, tile, split: train or test; others are not read) gives the
    parts, so that the exposures of one tile stay together; without it that is not known, and
    a note is printed.

    Raises:
        InputError: folder without `Imgs`, mask without its image; a `split.csv` that does not
            name every image once, names others, or cuts a tile in two.
    """
    files = []
    for path in _kinds(folder):
        inside = folder_named(path, "imgs")
        if inside is None:
            raise InputError(f"{path}: no folder Imgs in it: unpack all of the set there")
        photos = [file for file in pictures(inside) if file.suffix.lower() != ".png"]
        masks = [file for file in pictures(inside) if file.suffix.lower() == ".png"]
        owners = match_masks(masks, [by_stem(photos)])
        group = path.name.lower().removeprefix("mt_")
        kind = "" if group == "free" else group
        files += [Listed(image, kind, group, None, owners.get(image)) for image in photos]
    table = folder / "split.csv"
    if table.exists():
        names = [file.path.relative_to(folder).as_posix() for file in files]
        parts = _read_split(table, set(names))
        for file, name in zip(files, names):
            if name not in parts:
                raise InputError(f"{table}: no line for {name}: add it or remove the image")
            file.train = parts[name]
    elif files:
        print(
            f"note: {folder} has no split.csv: exposures of the same tile lie in both parts, "
            "so figures on the test part are too good"
        )
    return files


def _kinds(folder):
    return [path for path in subfolders(folder) if path.name.lower().startswith("mt_")]


def _read_split(table, names):
    """dict image -> whether it is for training."""
    parts, tiles = {}, {}
    for where, row in read_rows(table, ("image", "tile", "split"))[1]:
        image, tile, split = row["image"].replace("\\", "/"), row["tile"], row["split"]
        if image not in names:
            raise InputError(f"{where}: no image {image!r}: add the image or remove the line")
        if image in parts:
            raise InputError(f"{where}: a second line for {image}: keep one of them")
        if split not in ("train", "test"):
            raise InputError(f"{where}: split must be train or test, got {split!r}")
        if tiles.setdefault(tile, split) != split:
            raise InputError(f"{where}: tile {tile!r} is in both parts: move it to one of them")
        parts[image] = split == "train"
    return parts
