"""Images of surfaces with and without defects, in whichever layout a folder has.

All are decoded and checked before any training, and stay in memory as bytes.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_gans.data.folders import check_data_folder, in_threads, subfolders
from keras_gans.data.images import read_grey_or_rgb
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.dagm import is_dagm, list_dagm
from keras_gans.defectgan.flatten import chosen_radius, flattened_surfaces
from keras_gans.defectgan.layout import SUFFIXES, Listed, pictures
from keras_gans.defectgan.lite import WHOLE
from keras_gans.defectgan.magnetic_tiles import is_magnetic_tiles, list_magnetic_tiles
from keras_gans.defectgan.masks import print_notes, read_mask
from keras_gans.defectgan.positive_negative import is_positive_negative, list_positive_negative
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.defectgan.synthetic import synthetic_surfaces
from keras_gans.errors import InputError, printable

BUILT_IN_IMAGES = dict(free=400, defective=400)

LAYOUTS = (
    "DAGM 2007 (Train/*.PNG, Train/Label/*_label.PNG, or Class* folders of it), magnetic tiles "
    "(MT_*/Imgs/*.jpg, *.png), or positive/ (defect-free), negative/ (defective), [masks/]"
)


def load(config: Config) -> tuple[Surfaces, Config]:
    """The surfaces that a run is on, flattened where wanted, and its complete settings.

    Returns:
        surfaces, and `config` with `channels`, `candidates`, `reduce`, `flatten` and
        `drawn_defects` chosen by them if None.

    Raises:
        InputError: as `load_surfaces`; settings that these surfaces do not allow.
    """
    if config.data is None:
        print(
            "no --data: built-in surfaces and a small network, BUILT_IN in defectgan/config.py"
        )
        surfaces = synthetic_surfaces(
            **BUILT_IN_IMAGES, seed=config.seed, test_share=config.test_share
        )
    else:
        surfaces = load_surfaces(config.data, config.test_share, config.seed)
    candidates = config.candidates or chosen_candidates(surfaces, config.image_size)
    config = replace(config, candidates=candidates)
    config = replace(
        config,
        channels=config.channels or surfaces.channels,
        reduce=config.reduce
        or chosen_reduction(surfaces, config.image_size, config.crops, config.bag),
    )
    surfaces = surfaces.with_channels(config.channels)
    if config.types:
        surfaces = surfaces.only_types(config.types)
    if config.hold_out:
        surfaces = surfaces.hold_out(config.hold_out)
    print(surfaces.describe())
    if config.flatten is None:
        config = replace(config, flatten=chosen_radius(surfaces.take(surfaces.train)))
    if config.flatten:
        surfaces = flattened_surfaces(surfaces, config.flatten)
    if config.drawn_defects is None:
        config = replace(config, drawn_defects=float(0 < config.flatten < WHOLE))
    _check(surfaces, config)
    return surfaces, config


def chosen_candidates(surfaces: Surfaces, image_size: int) -> int:
    """As many crops as cover the median image, at least 4 and at most 16."""
    areas = [np.prod(image.shape[:2]) for image in surfaces.images]
    return int(np.clip(round(np.median(areas) / image_size**2), 4, 16))


def chosen_reduction(surfaces: Surfaces, image_size: int, crops: bool, bag: int = 1) -> int:
    """The factor at which the largest image fits a square of `image_size`.

    With `crops`: at which half of the images are at most 5/3 of a crop high or wide. With more
    than one crop of an image in a `bag`: at which these are about as large as the image.
    """
    if bag > 1:
        areas = [np.prod(image.shape[:2]) for image in surfaces.images]
        return max(1, round(np.sqrt(np.median(areas) / bag) / image_size))
    if not crops:
        return -(-max(max(image.shape[:2]) for image in surfaces.images) // image_size)
    side = np.median([min(image.shape[:2]) for image in surfaces.images])
    return max(1, round(side * 3 / (5 * image_size)))


def _check(surfaces, config):
    """What would otherwise fail only after hours of training."""
    if surfaces.train.all():
        raise InputError(f"{surfaces.name}: no test images; raise --test-share")
    surfaces.reduced(config.reduce)
    steps = config.schedule(surfaces.take(surfaces.train)).steps
    if config.critic_warmup >= steps:
        raise InputError(
            f"--critic-warmup must be less than the {steps} steps in all. Received: "
            f"{config.critic_warmup}"
        )


def load_surfaces(folder: Path, test_share: float = 0.3, seed: int = 0) -> Surfaces:
    """Loads images of surfaces, in whichever of `LAYOUTS` they are.

    Images are 8-bit JPEG, PNG, TIFF or BMP, all grey or all in colour; RGB with three equal
    channels is grey. For masks see `read_mask`; a note is printed of those that can be read in
    more than one way.

    Args:
        folder: of the set, which is named after it.
        test_share: part of each kind of image that is held out for testing where the layout
            has no split of its own, in [0, 1).
        seed: that split is a function of it and of the file names.

    Raises:
        InputError: a folder, an image, a mask or a table that cannot be used.
    """
    folder = Path(folder)
    if not 0 <= test_share < 1:
        raise InputError(f"test share must be from 0 to below 1. Received: {test_share}")
    check_data_folder(folder, LAYOUTS)
    files = _list_files(folder)
    if not files:
        raise InputError(f"{folder}: no images ({' '.join(SUFFIXES)} are read)")
    _split(files, test_share, seed)
    for name, wanted in (("defective", True), ("defect-free", False)):
        parts = [file.train for file in files if bool(file.type) == wanted]
        if not parts:
            raise InputError(f"{folder}: no {name} image among {len(files)}: add some")
        if not any(parts):
            raise InputError(
                f"{folder}: no {name} image in the training part, {len(parts)} for testing: "
                "move some, or lower the test share"
            )

    pixels, masks, notes = zip(*in_threads(_read, files))
    print_notes([file.mask for file in files], notes)
    channels = [image.shape[2] for image in pixels]
    if len(set(channels)) > 1:
        grey, colour = (files[channels.index(count)].path for count in (1, 3))
        raise InputError(
            f"{folder}: {channels.count(1)} grey images and {channels.count(3)} in colour "
            f"({grey} and {colour}): convert all to grey or leave one kind out"
        )
    return Surfaces(
        name=printable(folder.resolve().name),
        images=list(pixels),
        defective=np.array([bool(file.type) for file in files]),
        masks=list(masks),
        types=[printable(file.type) for file in files],
        train=np.array([file.train for file in files]),
        names=[printable(file.path.relative_to(folder).as_posix()) for file in files],
    )


def _list_files(folder):
    inside = subfolders(folder)
    if is_positive_negative(folder):
        return list_positive_negative(folder)
    if is_dagm(folder):
        return list_dagm(folder)
    classes = [path for path in inside if path.name.lower().startswith("class")]
    if any(is_dagm(path) for path in classes):
        return [file for path in classes for file in list_dagm(path)]
    if is_magnetic_tiles(folder):
        return list_magnetic_tiles(folder)
    found = [f"{len(pictures(folder))} images"]
    found += [f"{path.name}/" for path in inside[:6]] + ["..."] * (len(inside) > 6)
    raise InputError(
        f"{folder}: unknown layout (found: {', '.join(found)}); expected: {LAYOUTS}"
    )


def _split(files, test_share, seed):
    """Draws the test part where there is none: the same share of every group."""
    rng = np.random.default_rng([seed, 3])
    for group in sorted({file.group for file in files if file.train is None}):
        members = [file for file in files if file.group == group and file.train is None]
        held = round(len(members) * test_share)
        for position, index in enumerate(rng.permutation(len(members))):
            members[index].train = position >= held


def _read(file: Listed):
    """Pixels uint8 (H, W, C), mask, bool (H, W) or `None`, and a note on it."""
    pixels = read_grey_or_rgb(file.path)
    if file.mask is None:
        return pixels, None, ""
    mask, note = read_mask(file.mask)
    if mask.shape != pixels.shape[:2]:
        received, expected = (f"{s[1]}x{s[0]}" for s in (mask.shape, pixels.shape))
        raise InputError(
            f"{file.mask}: a mask of {received} pixels for {file.path.name} of {expected}: "
            "make it as large as its image"
        )
    if not mask.any():
        return pixels, None, note
    if not file.type:
        raise InputError(
            f"{file.mask}: {np.count_nonzero(mask)} pixels of defect in a defect-free image: "
            "move the image to the defective ones, or clear its mask"
        )
    return pixels, mask, note
