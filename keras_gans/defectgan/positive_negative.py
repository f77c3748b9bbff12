"""Any set of images, sorted into `positive/` (defect-free) and `negative/` (defective)."""

from pathlib import Path

from keras_gans.data.folders import subfolders
from keras_gans.defectgan.layout import Listed, by_stem, folder_named, match_masks, pictures
from keras_gans.errors import InputError

UNNAMED = "defect"  # the type of images that lie in negative/ itself


def is_positive_negative(folder: Path) -> bool:
    """Whether there is one of both, perhaps in `train/` or `test/`."""
    return any(_has_labels(path) for path in [folder, *_parts(folder)])


def list_positive_negative(folder: Path) -> list[Listed]:
    """Lists `positive/` (defect-free), `negative/` (defective) and, if there, `masks/`.

    Images lie in these or in folders one level below, whose names are the types of defects
    (`negative/scratch/a.png`). Masks have the same place and name
    (`masks/scratch/a.png`, or `a_mask`, `a_label`, `a_gt`). All of it may lie in `train/` and
    `test/`, which are the parts then.

    Raises:
        InputError: images in deeper folders, mask without its image.
    """
    parts = [folder] if _has_labels(folder) else _parts(folder)
    has_test = any(part.name.lower() == "test" for part in parts if part != folder)
    files = []
    for part in parts:
        if not _has_labels(part):
            raise InputError(f"{part}: no positive/ and no negative/ in it: sort its images")
        positive, negative, masks = (
            _one_level(folder_named(part, name)) for name in ("positive", "negative", "masks")
        )
        owners = {}
        for place, found in masks.items():
            candidates = [by_stem(listed.get(place, [])) for listed in (negative, positive)]
            owners |= match_masks(found, candidates)
        train = part.name.lower() == "train" if has_test else None
        for label, listed in (("negative", negative), ("positive", positive)):
            for place, found in listed.items():
                kind = (place or UNNAMED) if label == "negative" else ""
                group = f"{label}/{place}"
                files += [Listed(path, kind, group, train, owners.get(path)) for path in found]
    return files


def _has_labels(folder):
    return bool(folder_named(folder, "positive") or folder_named(folder, "negative"))


def _parts(folder):
    return [path for name in ("train", "test") if (path := folder_named(folder, name))]


def _one_level(folder):
    """dict "" or name of a folder inside -> its images."""
    if folder is None:
        return {"": []}
    found = {"": pictures(folder)} | {path.name: pictures(path) for path in subfolders(folder)}
    for path in subfolders(folder):
        for deeper in subfolders(path):
            if pictures(deeper):
                raise InputError(
                    f"{deeper}: images two folders below {folder.name}/, one is read: move "
                    "them up"
                )
    for listed in found.values():
        by_stem(listed)  # refuses a.png beside a.jpg
    return found
