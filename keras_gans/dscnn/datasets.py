"""Photographs with known lights, in whichever layout they are.

All labels and the start and end of every image file are checked before any training. Pixels are
read when an image is asked for.
"""

import os
from pathlib import Path

from keras_gans.data.reading import check_regular
from keras_gans.dscnn.color_checker import load_color_checker
from keras_gans.dscnn.config import BUILT_IN_SCENES, Config
from keras_gans.dscnn.photo_casts import load_photos
from keras_gans.dscnn.scene_arrays import load_npz
from keras_gans.dscnn.scene_folder import load_folder
from keras_gans.dscnn.scenes import Scenes, find_files, joined
from keras_gans.dscnn.synthetic import synthetic_scenes
from keras_gans.errors import InputError


def load(config: Config) -> Scenes:
    """The scenes that the settings ask for."""
    if config.photos:
        return load_photos(config.data, config.patch_size, config.seed)
    if not config.data:
        print("no --data: built-in synthetic scenes and a short run (see --help for both)")
        return synthetic_scenes(BUILT_IN_SCENES, seed=config.seed)
    return joined([load_scenes(path) for path in config.data])


def load_scenes(path: Path) -> Scenes:
    """Loads a set of scenes, in whichever of the three layouts it is.

    - A folder with `real_illum_568..mat`: see `load_color_checker`.
    - An `.npz` file, or a folder that holds one and no CSV: see `load_npz`.
    - Any other folder: see `load_folder`.

    Args:
        path: the folder or file.

    Returns:
        `Scenes`.

    Raises:
        InputError: nothing there, or what the layout's own loader finds.
    """
    path = Path(path)
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file or folder")
    if not path.is_dir():
        check_regular(path)
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path}: a folder or an .npz file is expected")
        return load_npz(path)
    if find_files(path, "real_illum*.mat") or find_files(path, "*_macbeth.txt"):
        return load_color_checker(path)
    archives = sorted(path.glob("*.npz"))
    if len(archives) == 1 and not any(path.glob("*.csv")):
        return load_npz(archives[0])
    return load_folder(path)
