"""Small linear images in one `.npz` file."""

from pathlib import Path

import numpy as np

from keras_gans.data.arrays import read_npz
from keras_gans.dscnn.scenes import Scenes, check_unique, checked_scenes
from keras_gans.errors import InputError


def load_npz(path: Path) -> Scenes:
    """Loads small linear images from one `.npz` file.

    Args:
        path: file with the arrays `images` float (N, H, W, 3), linear, in [0, 1];
            `illuminants` (N, 3); `fold` int (N,); `camera` str (N,); `names` str (N,).
            Others, such as `sideways`, are not read.

    Returns:
        `Scenes` named after the file.

    Raises:
        InputError: damaged file, missing array, wrong shape or type, NaN or values outside
            [0, 1] in an image, all-black image, name given twice, zero or NaN illuminant.
    """
    path = Path(path)
    kinds = {"images": "f", "illuminants": "fiu", "fold": "iu", "camera": "U", "names": "U"}
    arrays = read_npz(path, list(kinds))
    count = len(np.atleast_1d(arrays["names"]))
    shapes = {"images": (count, None, None, 3), "illuminants": (count, 3)}
    for key, kind in kinds.items():
        array, shape = arrays[key], shapes.get(key, (count,))
        fits = array.ndim == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, array.shape)
        )
        if not fits or array.dtype.kind not in kind:
            expected = str(shape).replace("None", "any")
            raise InputError(
                f"{path}: {key} must be {_KIND_NAMES[kind]} {expected} for {count} names, "
                f"got {array.dtype} {array.shape}"
            )

    names = arrays["names"].tolist()
    check_unique(names, [path] * count)
    for name, image in zip(names, arrays["images"]):
        if not (image.min(initial=0) >= 0 and image.max(initial=0) <= 1):  # NaN fails too
            raise InputError(
                f"{path}: image {name} has NaN or values outside [0, 1]: divide it by the "
                "white level"
            )
        if not image.any():
            raise InputError(f"{path}: image {name} is all black: leave it out")
    images = arrays["images"].astype(np.float32, copy=False)
    folds, cameras = arrays["fold"], arrays["camera"]
    return checked_scenes(path.stem, images, arrays["illuminants"], folds, cameras, names, path)


_KIND_NAMES = {"f": "float", "fiu": "a number array", "iu": "integer", "U": "text"}
