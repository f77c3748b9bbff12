"""DAGM 2007 (Wieler & Hahn), one class of it or all, in its own layout."""

from pathlib import Path

from keras_gans.defectgan.layout import Listed, by_stem, folder_named, match_masks, pictures
from keras_gans.errors import InputError


def is_dagm(folder: Path) -> bool:
    """Whether there are images in `Train`."""
    return bool(pictures(folder_named(folder, "train")))


def list_dagm(folder: Path) -> list[Listed]:
    """Lists one class; the type is the folder's name.

    `Train/0576.PNG` is defective if there is `Train/Label/0576_label.PNG`. `Test/` beside
    `Train/`, if it is there, is the test part. `Labels.txt` is not read.

    Raises:
        InputError: no images in `Train` or `Test`, label without its image.
    """
    train, test = folder_named(folder, "train"), folder_named(folder, "test")
    files = []
    for part in [train or folder / "Train"] + [test] * (test is not None):
        listed = by_stem(pictures(part)) if part.exists() else {}
        if not listed:
            raise InputError(f"{part}: no images: unpack all of the class there")
        labels = pictures(folder_named(part, "label"))
        by_stem(labels)  # refuses a.png beside a.jpg
        owners = match_masks(labels, [listed])
        for image in listed.values():
            kind = folder.resolve().name if image in owners else ""
            split = part == train if test else None
            files.append(Listed(image, kind, f"{folder.name}/{kind}", split, owners.get(image)))
    return files
