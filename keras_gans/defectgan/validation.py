"""Items of the training part, held out to choose between designs (ours).

The masks of the held-out items measure designs in a study. Training and its calibration never
see them, and the test part is left alone.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_gans.data.tables import read_rows
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError

TABLES = {"split.csv": ("image", "tile"), "index.csv": ("name", "item")}


def validation(surfaces: Surfaces, folder: Path | None, share: float, seed: int) -> Surfaces:
    """The training part alone, in which held-out items are what is tested.

    Images of an item stay together. A table tells which these are, `split.csv` (image, tile) or
    `index.csv` (name, item); without one each image is an item. The same share of the items of
    each type of defect is held out, and of those without any.

    Args:
        surfaces: of which the test images are left out.
        folder: of the set; `None` for the built-in one.
        share: part of the items, in (0, 1).
        seed: the draw is a function of it and of the items' names.

    Raises:
        InputError: a table cannot be read, or nothing is left to train on or to test.
    """
    training = surfaces.take(surfaces.train)
    items = items_of(folder) if folder else {}
    names = [items.get(name, name) for name in training.names]
    kinds = {}
    for name, kind in zip(names, training.types):
        kinds[name] = max(kinds.get(name, ""), kind)  # any defect is more than none
    rng = np.random.default_rng([seed, 11])
    held = set()
    for kind in sorted(set(kinds.values())):
        members = sorted(name for name in kinds if kinds[name] == kind)
        held |= set(rng.permutation(members)[: round(share * len(members))].tolist())
    train = np.array([name not in held for name in names])
    for part in (train, ~train):
        if len(set(training.defective[part].tolist())) < 2:
            raise InputError(
                f"--validation-share {share}: both parts need defective and defect-free "
                f"images; {surfaces.name} has {len(kinds)} items to train on"
            )
    return replace(training, train=train)


def items_of(folder: Path) -> dict[str, str]:
    """Name of an image -> its item, by the tables of `TABLES` that are in the folder."""
    found = {}
    for name, columns in TABLES.items():
        if (folder / name).exists():
            for _, row in read_rows(folder / name, columns)[1]:
                image, item = (row[column] for column in columns)
                found[image.replace("\\", "/")] = item
    return found
