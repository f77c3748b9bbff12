"""SVHN's cropped digits (format 2): fetched and read."""

from pathlib import Path

import numpy as np

from keras_gans.data.arrays import read_mat
from keras_gans.data.downloads import download
from keras_gans.data.squares import fitted_square
from keras_gans.data.srgb import srgb_to_linear
from keras_gans.errors import InputError
from keras_gans.frgan.labelled_images import LabelledImages

# The authors publish no checksums. These are the sizes and MD5 sums that torchvision
# (datasets/svhn.py) and many others check their copies against.
URL = "https://ufldl.stanford.edu/housenumbers/"
FILES = {  # name: (bytes, MD5)
    "train_32x32.mat": (182040794, "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test_32x32.mat": (64275384, "eb5a983be6a315427106f1b164d9cef3"),
    "extra_32x32.mat": (1329278602, "a93ce644f1a588dc4d68dda5feec44a7"),
}
SIZES = (73257, 26032)  # images of training and test


def download_svhn(folder: Path, extra: bool = False) -> None:
    """Fetches SVHN's cropped digits; what is there already is checked and kept.

    Args:
        folder: where to put the files; it is made.
        extra: whether the 1.3 GB of `extra_32x32.mat` are fetched too.

    Raises:
        InputError: see `downloads.download`.
    """
    for name, (size, md5) in FILES.items():
        if extra or not name.startswith("extra"):
            download(URL + name, Path(folder) / name, md5, size)


def load_svhn(path: Path, image_size: int = 32, extra: bool = False) -> LabelledImages:
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
    names = [name for name in FILES if extra or not name.startswith("extra")]
    for name in names:
        if not (path / name).is_file():
            raise InputError(f"{path / name}: no such file: put it there from {URL}{name}")
    parts = [_read_svhn(path / name, image_size) for name in names]
    (train_images, train_labels), (test_images, test_labels) = parts[:2]
    sizes = (len(train_labels), len(test_labels))
    name = "SVHN" if sizes == SIZES else "SVHN format, {} + {} digits".format(*sizes)
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
    variables = read_mat(path, ["X", "y"])
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
