"""Captions in a text file an image, by class: Oxford 102 Flowers and CUB-200-2011."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_gans.data.folders import images_in, list_images, subfolders
from keras_gans.data.tables import read_lines
from keras_gans.errors import InputError
from keras_gans.text2image.captioned_images import checked_caption

# Published numbers of images, of classes, and of the classes that Reed et al. (2016) test on.
OXFORD = ("Oxford 102 Flowers", 8189, 102, 20)

CUB = ("CUB-200-2011", 11788, 200, 50)


def read_oxford(folder: Path, text: Path, seed: int) -> tuple:
    images = {path.stem: path for path in list_images(folder / "jpg")}
    texts, classes = {}, {}
    for path in _class_texts(text):
        if path.stem in texts:
            raise InputError(f"{path}: captions of an image that {texts[path.stem]} has too")
        texts[path.stem], classes[path.stem] = path, path.parent.name
    captions = match_captions(images, texts, lambda name: text / "CLASS" / f"{name}.txt")
    labels = {images[name]: label for name, label in classes.items()}
    return _in_classes(folder, text, captions, labels, OXFORD, seed)


def read_cub(folder: Path, text: Path, seed: int) -> tuple:
    images = {
        (path.parent.name, path.stem): path
        for label in class_folders(folder / "images")
        for path in list_images(label)
    }
    texts = {(path.parent.name, path.stem): path for path in _class_texts(text)}
    captions = match_captions(images, texts, lambda key: text / key[0] / f"{key[1]}.txt")
    labels = {path: label for (label, _), path in images.items()}
    return _in_classes(folder, text, captions, labels, CUB, seed)


def class_folders(folder: Path) -> list[Path]:
    """The folders of the classes (raises `InputError` if there are none)."""
    found = subfolders(folder)
    if not found:
        raise InputError(f"{folder}: no folders in it: a folder per class is expected")
    return found


def texts_in(folder: Path) -> list[Path]:
    """The text files of a folder."""
    return images_in(folder, (".txt",))


def _class_texts(text):
    return [path for label in class_folders(text) for path in texts_in(label)]


def match_captions(images: dict, texts: dict, expected: Callable) -> dict:
    """{image: its captions}, from the images and text files that have the same keys.

    Args:
        images, texts: dicts from key to `Path`.
        expected: function from a key to the text file where its captions should be.
    """
    for key, path in images.items():
        if key not in texts:
            raise InputError(f"{path}: no captions of it: add {expected(key)}, or remove it")
    for key, path in texts.items():
        if key not in images:
            raise InputError(f"{path}: captions of no image: add the image, or remove the file")
    captions = {}
    for key, path in texts.items():
        lines = read_lines(path)
        if not lines:
            raise InputError(f"{path}: empty: write a caption a line")
        captions[images[key]] = tuple(
            checked_caption(line, f"{path}: line {number}")
            for number, line in enumerate(lines, 1)
        )
    return captions


def _in_classes(folder, text, captions, labels, published, seed):
    """What `_read_captions` returns, of a set that is split by class.

    Args:
        labels: {image: its class}.
        published: name, and numbers of images, classes and test classes, as published.
    """
    name, images, all_classes, test_classes = published
    classes = sorted(set(labels.values()))
    if (len(captions), len(classes)) != (images, all_classes):
        name = folder.resolve().name
    parts = _listed_classes(folder, text, classes)
    if not parts:
        if len(classes) < 2:
            raise InputError(f"{text}: one class, {classes[0]}: two are needed, one to test on")
        count = max(1, round(len(classes) * test_classes / all_classes))
        drawn = set(np.random.default_rng(seed).permutation(classes)[:count].tolist())
        parts = {label: "test" if label in drawn else "train" for label in classes}
    return name, captions, {path: parts[label] for path, label in labels.items()}, None


def _listed_classes(folder, text, classes):
    """{class: its part} of the files that list them; empty if there are none."""
    names = ("trainvalclasses.txt", "trainclasses.txt", "valclasses.txt", "testclasses.txt")
    there = {
        name: place / name
        for name in names
        for place in (text, folder)
        if (place / name).is_file()
    }
    train = [there[name] for name in names[:3] if name in there]
    test = [there[name] for name in names[3:] if name in there]
    if bool(train) != bool(test):
        lacking = "trainvalclasses.txt" if test else "testclasses.txt"
        raise InputError(f"{(train or test)[0]}: without {lacking}: add it, or remove both")
    parts = {}
    for part, paths in (("train", train), ("test", test)):
        for path in paths:
            for number, line in enumerate(read_lines(path), 1):
                if parts.setdefault(line.strip(), part) != part:
                    raise InputError(
                        f"{path}: line {number}: class {line.strip()} is one to train on: take "
                        "it out of one of the lists"
                    )
    for label in classes:
        if parts and label not in parts:
            raise InputError(
                f"{test[0]}: class {label} is neither there nor in {train[0].name}: add it"
            )
    return parts
