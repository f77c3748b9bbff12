"""Images with few labels: SVHN's cropped digits, or photographs in a folder per class.

`load_labelled_images` looks at what lies in a folder and reads it whole, so everything wrong
with it is found before any training.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io

from keras_gans.data.downloads import download
from keras_gans.data.images import SUFFIXES, list_images
from keras_gans.data.squares import fitted_square, read_squares
from keras_gans.data.srgb import srgb_to_linear
from keras_gans.errors import InputError

# The authors publish no checksums. These are the sizes and MD5 sums that torchvision
# (datasets/svhn.py) and many others check their copies against.
SVHN_URL = "http://ufldl.stanford.edu/housenumbers/"
SVHN_FILES = {  # name: (bytes, MD5)
    "train_32x32.mat": (182040794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test_32x32.mat": (64275384, "eb5a983be6a315427106f1b164d9cef3"),
    "extra_32x32.mat": (1329278602, "a93ce644f1a588dc4d68dda5feec44a7"),
}
SVHN_SIZES = (73257, 26032)  # images of training and test

LAYOUTS = (
    "train_32x32.mat and test_32x32.mat (SVHN), or train/CLASS/ and test/CLASS/ with images "
    "and, as you like, unlabelled/"
)


@dataclass(frozen=True)
class LabelledImages:
    """A set of images in two parts. Not all labels of the first are known.

    Attributes:
        name: what to call the set where its figures are given.
        classes: the names of the K classes, tuple of str.
        train_images: uint8 (N, S, S, 3), sRGB.
        train_labels: int64 (N,), 0 to K - 1, and -1 where it is unknown.
        test_images: uint8 (M, S, S, 3).
        test_labels: int64 (M,), 0 to K - 1.
    """

    name: str
    classes: tuple[str, ...]
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def load_labelled_images(path, image_size=32, extra=False):
    """Loads a set of images, in whichever of the two layouts it is.

    - `train_32x32.mat` and `test_32x32.mat`: see `load_svhn`.
    - `train/CLASS/` and `test/CLASS/`: see `load_folders`.

    Args:
        path: the folder.
        image_size: side in pixels of the images returned.
        extra: whether SVHN's `extra_32x32.mat` is used too, without its labels.

    Returns:
        `LabelledImages`.

    Raises:
        InputError: no such folder, neither layout, or what the layout's own loader finds.
    """
    path = Path(path)
    if not path.is_dir():
        state = "a file" if path.exists() else "no such folder"
        raise InputError(f"{path}: {state}; a folder is expected with {LAYOUTS}")
    if any((path / name).exists() for name in SVHN_FILES):
        return load_svhn(path, image_size, extra)
    if not (path / "train").is_dir() and not (path / "test").is_dir():
        raise InputError(f"{path}: unknown layout; expected: {LAYOUTS}")
    if extra:
        raise InputError(
            f"{path}: extra images are SVHN's; images without label belong in unlabelled/, "
            "where they are always used"
        )
    return load_folders(path, image_size)


def download_svhn(folder, extra=False):
    """Fetches SVHN's cropped digits; what is there already is checked and kept.

    Args:
        folder: where to put the files; it is made.
        extra: whether the 1.3 GB of `extra_32x32.mat` are fetched too.

    Raises:
        InputError: see `downloads.download`.
    """
    for name, (size, md5) in SVHN_FILES.items():
        if extra or not name.startswith("extra"):
            download(SVHN_URL + name, Path(folder) / name, md5, size)


def draw_labelled(labels, count, classes, seed):
    """Chooses the images whose labels are used: the same number of every class.

    Where `count` is no multiple of the number of classes, the first ones have one more. A
    draw holds all smaller draws of the same seed.

    Args:
        labels: int64 (N,), -1 where unknown.
        count: labels wanted; `None` for all there are.
        classes: names of the classes.
        seed: int, not negative; the choice is a function of (labels, count, seed).

    Returns:
        int64 (count,), indices into `labels`, ascending.

    Raises:
        InputError: a class with fewer labelled images than that, or with none; fewer labels
            than classes.
    """
    labels = np.asarray(labels)
    if count is not None and count < len(classes):
        raise InputError(
            f"{count} labels for {len(classes)} classes: ask for at least one of each class"
        )
    chosen = []
    for label, name in enumerate(classes):
        members = np.flatnonzero(labels == label)
        wanted = len(members)
        if count is not None:
            wanted = count // len(classes) + (label < count % len(classes))
        if not len(members):
            raise InputError(f"class {name}: no labelled images: add some")
        if wanted > len(members):
            raise InputError(
                f"class {name}: {wanted} labelled images asked for, there are {len(members)}: "
                "ask for fewer labels or add images"
            )
        rng = np.random.default_rng([seed, label])
        chosen.append(rng.permutation(members)[:wanted])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def wrong_labels(labels, share, classes, seed):
    """Replaces some of the labels by wrong ones, to see what they do (the paper's figure 4).

    Which images are hit, and what they are called instead, is random; each of the other
    classes is equally likely. A larger share hits all images that a smaller one hits.

    Args:
        labels: int64 (N,); -1 stays.
        share: of the known labels, the part to replace, 0 to 1.
        classes: names of the classes, at least two.
        seed: int, not negative.

    Returns:
        int64 (N,); exactly `round(share n)` of n known labels are others than before.

    Raises:
        InputError: share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of wrong labels is 0 to 1. Received: {share}")
    labels = np.array(labels, np.int64)
    known = np.flatnonzero(labels >= 0)
    rng = np.random.default_rng([seed, 1])
    hit = rng.permutation(known)[: round(share * len(known))]
    shifts = rng.integers(1, len(classes), size=len(known))[: len(hit)]
    labels[hit] = (labels[hit] + shifts) % len(classes)
    return labels


def describe(images, labelled_count):
    """One line on a set: its classes, and the images of both parts.

    Args:
        images: `LabelledImages`.
        labelled_count: how many labels of the training images are used.
    """
    names = images.classes
    shown = ", ".join(names if len(names) <= 12 else (*names[:9], "...", names[-1]))
    size = images.train_images.shape[1]
    unlabelled = len(images.train_images) - labelled_count
    return (
        f"{images.name}: {len(names)} classes ({shown}), {size}x{size}; "
        f"training {labelled_count} labelled + {unlabelled} unlabelled, "
        f"testing {len(images.test_images)}"
    )


# SVHN -------------------------------------------------------------------------------------


def load_svhn(path, image_size=32, extra=False):
    """Loads cropped digits of SVHN (format 2), as published.

    Each file holds X, uint8 (32, 32, 3, N), and y, (N, 1), the digit, 10 for a 0.

    Args:
        path: folder with `train_32x32.mat`, `test_32x32.mat` and, for `extra`,
            `extra_32x32.mat`.
        image_size: side of the images returned; other sizes than 32 are enlarged or reduced.
        extra: whether the extra images follow those for training, with label -1. With the
            published 531 131 images this needs about 4 GB of memory.

    Returns:
        `LabelledImages`, classes "0" to "9". It is named "SVHN" if it has the published
        numbers of images, else "SVHN format" with the numbers it has.

    Raises:
        InputError: missing or unreadable file, MATLAB 7.3 (HDF5), no X or y, other shapes or
            types, X and y of different lengths, a label outside 1 to 10.
    """
    path = Path(path)
    names = [name for name in SVHN_FILES if extra or not name.startswith("extra")]
    for name in names:
        if not (path / name).is_file():
            raise InputError(f"{path / name}: no such file: put it there from {SVHN_URL}{name}")
    parts = [_read_svhn(path / name, image_size) for name in names]
    (train_images, train_labels), (test_images, test_labels) = parts[:2]
    sizes = (len(train_labels), len(test_labels))
    name = "SVHN" if sizes == SVHN_SIZES else "SVHN format, {} + {} digits".format(*sizes)
    if extra:
        more = parts[2][0]
        train_images = np.concatenate([train_images, more])
        train_labels = np.concatenate([train_labels, np.full(len(more), -1)])
        name += f" with {len(more)} extra"
    digits = tuple("0123456789")
    return LabelledImages(name, digits, train_images, train_labels, test_images, test_labels)


def _read_svhn(path, image_size):
    """Images uint8 (N, S, S, 3) and labels int64 (N,), 0 to 9, of one file."""
    restore = "restore the published file"
    try:
        hdf5 = scipy.io.matlab.matfile_version(path)[0] == 2
        variables = {} if hdf5 else scipy.io.loadmat(path, variable_names=["X", "y"])
    except Exception:  # scipy raises nearly every type there is on a damaged file
        raise InputError(f"{path}: not a readable MATLAB file: {restore}") from None
    if hdf5:
        raise InputError(
            f"{path}: a MATLAB 7.3 file (HDF5), which is not read: save it with -v7, or "
            f"{restore}"
        )
    for name in ("X", "y"):
        if name not in variables:
            raise InputError(f"{path}: no variable {name}: {restore}")
    x, y = variables.pop("X"), variables.pop("y")
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3) or not x.shape[3]:
        raise InputError(
            f"{path}: X is {x.dtype} {x.shape}, uint8 (32, 32, 3, N) is expected: {restore}"
        )
    if y.dtype.kind not in "uif" or y.size != max(y.shape):
        raise InputError(
            f"{path}: y is {y.dtype} {y.shape}, numbers (N, 1) are expected: {restore}"
        )
    y = y.ravel()
    if len(y) != x.shape[3]:
        raise InputError(f"{path}: {len(y)} labels y for {x.shape[3]} images X: {restore}")
    wrong = y[~np.isin(y, np.arange(1, 11))]
    if wrong.size:
        raise InputError(
            f"{path}: label {wrong[0]} in y, 1 to 10 are expected, 10 for the digit 0: "
            f"{restore}"
        )
    images = np.ascontiguousarray(x.transpose(3, 0, 1, 2))
    if image_size != 32:
        levels = srgb_to_linear(np.arange(256) / 255)
        images = np.stack([fitted_square(levels[image], image_size) for image in images])
    return images, y.astype(np.int64) % 10


# Folders ----------------------------------------------------------------------------------


def load_folders(path, image_size=32):
    """Loads photographs from `train/CLASS/`, `test/CLASS/` and, if it is there, `unlabelled/`.

    Photographs may have any size: the largest square of the middle is reduced or enlarged.
    Grey ones are read as colour, transparency is dropped, 16-bit ones (linear) get the sRGB
    curve.

    Args:
        path: folder.
        image_size: side of the images returned.

    Returns:
        `LabelledImages` named after the folder; classes in the order of their names, numbers
        by their value ("2" before "10"). Images of `unlabelled/` come last, with label -1.

    Raises:
        InputError: no `train` or `test`, a class without images or in one of them alone,
            fewer than two classes, images outside the classes' folders, a damaged image.
    """
    path = Path(path)
    parts = [_classes(path / "train"), _classes(path / "test")]
    names = sorted(parts[0], key=_natural)
    for part, listed, other in (("train", *parts), ("test", *parts[::-1])):
        for name in sorted(listed.keys() - other.keys(), key=_natural):
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
    images = read_squares(files[0] + files[1], image_size)
    count = len(files[0])
    return LabelledImages(
        path.resolve().name, tuple(names), images[:count], labels[0], images[count:], labels[1]
    )


def _classes(folder):
    """{class: its images} of `train` or `test`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: put a folder per class there")
    inside = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    folders = [path for path in inside if path.is_dir()]
    if not folders:
        raise InputError(f"{folder}: no folders in it: sort its images into one per class")
    for path in inside:
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            raise InputError(f"{path}: an image of no class: move it to its class's folder")
    return {path.name: list_images(path) for path in folders}


def _natural(name):
    """Sorts "2" before "10" and "b" after "A"."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name
