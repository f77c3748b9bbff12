"""What the three layouts of data sets share: images, and the masks that belong to them."""

import re
from dataclasses import dataclass
from pathlib import Path

from keras_gans.data import images
from keras_gans.data.folders import images_in, subfolders
from keras_gans.errors import InputError

SUFFIXES = (*images.SUFFIXES, ".bmp")
MASK_ENDINGS = re.compile("(_mask|_label|_gt)$", re.IGNORECASE)


@dataclass
class Listed:
    """An image to read. `train` is `None` where the split is still to be drawn."""

    path: Path
    type: str  # "" for defect-free
    group: str  # images of a group are split with the same share
    train: bool | None = None
    mask: Path | None = None


def folder_named(parent: Path, name: str) -> Path | None:
    """The folder of that name, in whichever case."""
    return next((path for path in subfolders(parent) if path.name.lower() == name), None)


def pictures(folder: Path | None) -> list[Path]:
    """The images in a folder, sorted by name; none without a folder."""
    return images_in(folder, SUFFIXES) if folder else []


def by_stem(paths: list[Path]) -> dict[str, Path]:
    """Name without suffix -> path.

    Raises:
        InputError: two files share one, as a.png and a.jpg.
    """
    listed = {}
    for path in paths:
        if path.stem in listed:
            raise InputError(f"{path}: the same name as {listed[path.stem].name}: rename one")
        listed[path.stem] = path
    return listed


def match_masks(masks: list[Path], candidates: list[dict[str, Path]]) -> dict[Path, Path]:
    """Finds the image of each mask: the same name, perhaps without one of `MASK_ENDINGS`.

    Args:
        masks: paths.
        candidates: see `by_stem`, in the order in which they are looked through.

    Returns:
        image -> mask.

    Raises:
        InputError: a mask without its image, or a second one.
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
