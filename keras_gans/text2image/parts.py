"""Which images are for training, which for testing; and tags."""

from collections import Counter
from pathlib import Path

import numpy as np

from keras_gans.data.tables import read_rows
from keras_gans.errors import InputError
from keras_gans.text2image.captioned_images import PARTS
from keras_gans.text2image.captions import tokenize

TEST_SHARE = 0.1  # of the images, where the set defines no test images

OTHER_PARTS = ("val", "valid", "validation", "dev")  # of index.csv; left out


def draw_parts(captions: dict, seed: int) -> dict[Path, str]:
    """{image: its part}: a tenth of them to test on, one at least."""
    paths = sorted(captions)
    if len(paths) < 2:
        raise InputError(f"{paths[0]}: the only image: two are needed, one to test on")
    count = max(1, round(TEST_SHARE * len(paths)))
    drawn = set(np.random.default_rng(seed).permutation(len(paths))[:count].tolist())
    return {path: "test" if i in drawn else "train" for i, path in enumerate(paths)}


def read_index(folder: Path, captions: dict) -> tuple[dict | None, dict | None]:
    """({image: its part}, {image: set of its tags}) of `index.csv`, `None` for what is not."""
    path = folder / "index.csv"
    if not path.exists():
        return None, None
    images = {image.name: image for image in captions}
    parts, tags = {}, {}
    columns, rows = read_rows(path, ("image",), ("split", "tags"))
    for where, row in rows:
        image = images.get(row["image"])
        if image is None or image in parts:
            state = "no image" if image is None else "a second line of"
            raise InputError(f"{where}: {state} {row['image']}: remove the line")
        parts[image] = row.get("split")
        if parts[image] not in (None, *PARTS, *OTHER_PARTS):
            raise InputError(f"{where}: split {parts[image]!r}: train, test or val is expected")
        tags[image] = {each.strip() for each in (row.get("tags") or "").casefold().split(";")}
    for image in images.values():
        if image not in parts:
            raise InputError(f"{path}: no line of {image.name}: add it")
    return None if None in parts.values() else parts, tags if "tags" in columns else None


def with_tag(
    folder: Path, paths: list[Path], captions: dict, tags: dict | None, tag: str
) -> list[Path]:
    """Those of the images that have a tag."""
    if tags is not None:
        where, wanted = folder / "index.csv", tag.casefold().strip()
    else:
        where, wanted = folder, " ".join(tokenize(tag))
        if len(wanted.split()) != 1:
            raise InputError(f"tag {tag!r}: a word of the captions is expected")
        tags = {path: set(tokenize(" ".join(captions[path]))) for path in paths}
    found = [path for path in paths if wanted and wanted in tags[path]]
    if not found:
        counts = Counter(each for path in paths for each in tags[path] if each)
        known = ", ".join(sorted(counts, key=lambda each: (-counts[each], each))[:12])
        raise InputError(f"{where}: no image has the tag {tag!r}: try another, such as {known}")
    return found
