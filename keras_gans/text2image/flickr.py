"""One file of captions for all images: Flickr8k and Flickr30k."""

import re
from pathlib import Path

from keras_gans.data.folders import list_images
from keras_gans.data.tables import read_lines, read_rows
from keras_gans.errors import InputError
from keras_gans.text2image.captioned_images import checked_caption
from keras_gans.text2image.parts import draw_parts, read_index

FOLDERS = (
    "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images", "flickr30k-images",
    "images",
)  # fmt: skip

CAPTIONS = ("*.token.txt", "*.token", "results.csv", "captions.txt")

PARTS = {"train": "Flickr_8k.trainImages.txt", "test": "Flickr_8k.testImages.txt"}

# Flickr8k as published has captions of this image, but not the image.
LOST = "2258277193_586949ec62.jpg.1"


def flickr_captions(folder: Path) -> list[Path]:
    """The files that may hold the captions; not the lemmas that Flickr8k comes with."""
    inner = _flickr_images(folder)
    for place in (folder, inner.parent, inner) if inner != folder else (folder,):
        found = [path for pattern in CAPTIONS for path in sorted(place.glob(pattern))]
        found = [path for path in found if not re.search(r"^\.|\.lemma\.", path.name)]
        if found:
            return found
    return []


def _flickr_images(folder):
    """The folder of the images; `folder` itself if none has the name of one."""
    for name in FOLDERS:
        if (folder / name).is_dir():
            nested = folder / name / name  # as some archives unpack
            return nested if nested.is_dir() else folder / name
    return folder


def read_flickr(folder: Path, seed: int) -> tuple:
    files = flickr_captions(folder)
    if len(files) > 1:
        raise InputError(f"{files[1]}: captions, as {files[0].name} has: keep one of them")
    path, inner = files[0], _flickr_images(folder)
    images = {image.name: image for image in list_images(inner)}
    found, seen = {}, {}
    for where, name, number, caption in _flickr_lines(path):
        if name == LOST and name not in images:
            continue
        if name not in images:
            raise InputError(f"{where}: no image {name} in {inner}: add it, or remove the line")
        if number is not None and (name, number) in seen:
            line = seen[name, number].rpartition(" ")[2]
            raise InputError(
                f"{where}: caption {number} of {name} is in line {line} already: remove one"
            )
        seen[name, number] = where
        found.setdefault(images[name], []).append(checked_caption(caption, where))
    for image in images.values():
        if image not in found:
            raise InputError(f"{image}: no caption of it in {path}: add some, or remove it")
    captions = {image: tuple(texts) for image, texts in found.items()}
    parts, tags = read_index(folder, captions)
    parts = parts or _flickr_parts(folder, images) or draw_parts(captions, seed)
    return folder.resolve().name, captions, parts, tags


def _flickr_lines(path):
    """(where, image, number of the caption or `None`, caption) of every line."""
    if path.name == "captions.txt":
        for where, row in read_rows(path, ("image", "caption"))[1]:
            yield where, row["image"], None, row["caption"]
        return
    lines = read_lines(path)
    if path.suffix == ".csv":  # in the published file a line lacks its second bar
        first, form, expected = 2, r"(.+?)\|\s*(\d+)\b\s*\|?(.*)", "NAME.jpg| 0| caption"
    else:
        first, form, expected = 1, r"(.+?)#(\d+)\t(.*)", "NAME.jpg#0, a tab and a caption"
    for number, line in enumerate(lines[first - 1 :], first):
        match = re.fullmatch(form, line)
        if not match:
            raise InputError(f"{path}: line {number}: {expected} is expected: mend the line")
        name, *rest = match.groups()
        yield f"{path}: line {number}", name.rstrip(), *rest


def _flickr_parts(folder, images):
    """{image: its part} by the lists of Flickr8k; empty if there are none."""
    parts = {}
    paths = {part: folder / name for part, name in PARTS.items()}
    if not any(path.exists() for path in paths.values()):
        return parts
    for part, path in paths.items():
        for number, line in enumerate(read_lines(path), 1):
            if line.strip() not in images:
                raise InputError(f"{path}: line {number}: no image {line.strip()}: remove it")
            if parts.setdefault(images[line.strip()], part) != part:
                raise InputError(
                    f"{path}: line {number}: {line.strip()} is one to train on: take it out "
                    "of one of the lists"
                )
    return {image: parts.get(image, "neither") for image in images.values()}
