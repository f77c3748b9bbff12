"""Images with few labels: SVHN's cropped digits, or photographs in a folder per class.

All of a set is read and checked before any training.
"""

from pathlib import Path

import numpy as np

from keras_gans.data.folders import (
    check_data_folder,
    images_in,
    list_images,
    natural,
    subfolders,
)
from keras_gans.data.on_disk import sha256, subset
from keras_gans.data.squares import read_squares
from keras_gans.errors import InputError, printable
from keras_gans.files import remembered
from keras_gans.frgan.config import Config
from keras_gans.frgan.labelled_images import LabelledImages, draw_labelled, wrong_labels
from keras_gans.frgan.svhn import FILES, download_svhn, load_svhn
from keras_gans.frgan.synthetic import synthetic_digits

LAYOUTS = (
    "train_32x32.mat and test_32x32.mat (SVHN), or train/CLASS/ and test/CLASS/ with images "
    "and, as you like, unlabelled/"
)


def load(config: Config) -> LabelledImages:
    """The images that the settings ask for, with labels enough for all their runs.

    Raises:
        InputError: what would otherwise fail only after hours of training.
    """
    if config.data is None:
        print("no --data: built-in digits and a small network, see BUILT_IN in frgan/config.py")
        images = synthetic_digits(size=config.image_size)
    else:
        if config.download:
            download_svhn(config.data, config.extra)
        images = load_labelled_images(
            config.data, config.image_size, config.extra, config.memory_limit
        )
    for count in config.label_counts():
        draw_labelled(images.train_labels, count, images.classes, config.seed)
    return images


def labelled_subset(
    config: Config, folder: Path, images: LabelledImages
) -> tuple[np.ndarray, np.ndarray]:
    """Which labels may be used, drawn once and stored with the run.

    Returns:
        indices int64 (M,), and their labels (M,), with `--label-noise` some of them wrong.

    Raises:
        InputError: they were drawn from other images.
    """
    digest = sha256(images.train_images)
    digest.update(images.train_labels)

    def draw():
        indices = draw_labelled(images.train_labels, config.labels, images.classes, config.seed)
        labels = wrong_labels(
            images.train_labels[indices], config.label_noise, images.classes, config.seed
        )
        return {"indices": indices.tolist(), "labels": labels.tolist()}

    def fits(drawn):
        count, classes = len(images.train_labels), len(images.classes)
        return (
            {type(each) for values in drawn.values() for each in values} <= {int}
            and len(drawn["indices"]) == len(drawn["labels"]) > 0
            and 0 <= min(drawn["indices"]) <= max(drawn["indices"]) < count
            and -1 <= min(drawn["labels"]) <= max(drawn["labels"]) < classes
        )

    drawn = remembered(folder / "labelled.json", draw, digest.hexdigest(), fits)
    return np.array(drawn["indices"]), np.array(drawn["labels"])


def load_labelled_images(
    path: Path, image_size: int = 32, extra: bool = False, memory_limit: int | None = None
) -> LabelledImages:
    """Loads a set of images, in whichever of the two layouts it is.

    - `train_32x32.mat` and `test_32x32.mat`: see `load_svhn`.
    - `train/CLASS/` and `test/CLASS/`: see `load_folders`.

    Args:
        path: the folder.
        image_size: side in pixels of the images returned.
        extra: whether SVHN's `extra_32x32.mat` is used too, without its labels.
        memory_limit: see `load_folders`.

    Returns:
        `LabelledImages`.

    Raises:
        InputError: no such folder, neither layout, or what the layout's own loader finds.
    """
    path = Path(path)
    check_data_folder(path, LAYOUTS)
    if any((path / name).exists() for name in FILES):
        return load_svhn(path, image_size, extra)
    if not (path / "train").is_dir() and not (path / "test").is_dir():
        raise InputError(f"{path}: unknown layout; expected: {LAYOUTS}")
    if extra:
        raise InputError(
            f"{path}: extra images are SVHN's; images without label belong in unlabelled/, "
            "where they are always used"
        )
    return load_folders(path, image_size, memory_limit)


# Folders ----------------------------------------------------------------------------------


def load_folders(
    path: Path, image_size: int = 32, memory_limit: int | None = None
) -> LabelledImages:
    """Loads photographs from `train/CLASS/`, `test/CLASS/` and, if it is there, `unlabelled/`.

    Photographs may have any size: the largest square of the middle is reduced or enlarged.
    Grey ones are read as colour, transparency is dropped, 16-bit ones (linear) get the sRGB
    curve.

    Args:
        path: folder.
        image_size: side of the images returned.
        memory_limit: MiB of images from which on they are kept on disk, see `data/on_disk.py`.

    Returns:
        `LabelledImages` named after the folder; classes in the order of their names, numbers
        by their value ("2" before "10"). Images of `unlabelled/` come last, with label -1.

    Raises:
        InputError: no `train` or `test`, a class without images or in one of them alone,
            fewer than two classes, images outside the classes' folders, a damaged image.
    """
    path = Path(path)
    parts = [_classes(path / "train"), _classes(path / "test")]
    names = sorted(parts[0], key=natural)
    for part, listed, other in (("train", *parts), ("test", *parts[::-1])):
        for name in sorted(listed.keys() - other.keys(), key=natural):
            lacking = "test" if part == "train" else "train"
            raise InputError(
                f"{path / part / name}: class {name} is not in {lacking}/: add images of it "
                "there or remove it"
            )
    if len(names) < 2:
        raise InputError(f"{path / 'train'}: one class, {names[0]}: two or more are needed")
    files, labels = [], []
    for part in parts:
        files.append([file for name in names for file in part[name]])
        labels.append(np.repeat(np.arange(len(names)), [len(part[name]) for name in names]))
    if (path / "unlabelled").exists():
        more = list_images(path / "unlabelled")
        files[0] += more
        labels[0] = np.concatenate([labels[0], np.full(len(more), -1)])
    images = read_squares(files[0] + files[1], image_size, memory_limit)
    count = len(files[0])
    return LabelledImages(
        printable(path.resolve().name),
        tuple(map(printable, names)),
        subset(images, slice(count)),
        labels[0],
        subset(images, slice(count, None)),
        labels[1],
    )


def _classes(folder):
    """{class: its images} of `train` or `test`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: put a folder per class there")
    folders = subfolders(folder)
    if not folders:
        raise InputError(f"{folder}: no folders in it: sort its images into one per class")
    for path in images_in(folder):
        raise InputError(f"{path}: an image of no class: move it to its class's folder")
    return {path.name: list_images(path) for path in folders}
