"""White balance for photo files, with an exported model: no network code is needed.

    photo -> linear RGB -> illuminant -> divided out -> file of the same kind

The model is a SavedModel whose signature `serving_default` takes `images`, float32
(N, H, W, 3), linear, and returns `illuminant` (N, 3), `local_map` (N, h, w, 3), one
unit-norm illuminant per patch counted from the upper left, and `corrected`. Beside it,
VERSION/assets.extra/model.json tells `patch_size`, `view` ("whole" or "native") and
`trained_on`.
"""

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.data import images
from keras_gans.data.folders import list_images
from keras_gans.data.given import given_photo
from keras_gans.data.metadata import read_metadata
from keras_gans.data.pixels import Rows, as_linear, strips
from keras_gans.data.squares import area_average
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize, write_image, write_png
from keras_gans.dscnn.lite import MAP_PATCHES, MIN_LIT, corrected_rows, local_map
from keras_gans.dscnn.strip import draw_strip, gains_of
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder
from keras_gans.report.tables import show

BAND_PIXELS = 2**22  # of a large photo, at most this many go through the network at once


MODELS = {"linear": "dscnn", "srgb": "dscnn-photos"}


@dataclass(frozen=True)
class WhiteBalance:
    """An exported white-balance model. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        patch_size: side of a patch in pixels.
        view: "whole", "native" or the shorter side in pixels: what it is shown.
        lite: the file for LiteRT; `None` for TensorFlow.
        threads: of LiteRT; 0 for all cores.
    """

    folder: Path
    patch_size: int
    view: str | int
    lite: Path | None = None
    threads: int = 0

    @classmethod
    def find(
        cls,
        folder: Path | str | None,
        view: str | int = "model",
        default: str = "dscnn",
        backend: models.Backend = "litert",
    ) -> "WhiteBalance":
        """The model in a folder, see `models.find_model`.

        Args:
            folder: `None` for the model named `default`.
            view: "model" (what it was trained on), "whole", "native" or the shorter side in
                pixels.
            default: name of a model.
            backend: "tensorflow" for the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, no or wrong description, a view smaller than a patch.
        """

        def read(description):
            patch = models.number(description, "patch_size", 1, 4096)
            view = description["view"]
            if view not in ("whole", "native"):
                view = models.number(description, "view", patch, 2**20)
            return patch, view

        folder, (patch, trained_view) = models.find_model(
            folder,
            default,
            "python train_dscnn.py",
            read,
            "patch_size, pixels, and view, whole, native or pixels, are expected",
        )
        view = trained_view if view == "model" else view
        if view not in ("whole", "native") and not (isinstance(view, int) and view >= patch):
            raise InputError(
                f"view is whole, native or pixels, at least {patch} (a patch). Received: {view}"
            )
        lite = lite_file(folder, "-network") if backend == "litert" else None
        return cls(folder, patch, view, lite)

    @cached_property
    def local_map(self):
        """Callable, float32 (H, W, 3), linear -> the light of each patch, float32 (h, w, 3)."""
        if self.lite:
            inputs = {"images": ("float32", (1, self.patch_size, self.patch_size, 3))}
            network = load_lite(self.lite, "a DSCNN's", inputs, ["directions"], self.threads)
            return lambda image: local_map(network, image, self.patch_size)
        signature = models.load_signature(
            self.folder,
            "a white-balance",
            inputs={"images": ("float32", (None, None, None, 3))},
            outputs=["local_map"],
            name="native",  # the view is taken here, so that it may be another
        )
        return lambda image: signature(images=image[None])["local_map"][0]

    def __call__(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Takes the colour of the light out of a photo.

        Args:
            photo: see `given_photo`: uint8 is sRGB, uint16 and floats are linear.

        Returns:
            (corrected, illuminant): of the photo's kind; and linear RGB of length 1, (3,).
        """
        photo = given_photo(photo)
        if min(photo.shape[:2]) < self.patch_size:
            raise InputError(
                f"a photo is at least {self.patch_size}x{self.patch_size} pixels. "
                f"Received: {photo.shape[1]} x {photo.shape[0]}"
            )
        illuminant = estimate(photo, self)[0]
        corrected, done = corrected_rows(photo, illuminant), np.empty_like(photo)
        for rows in strips(photo.shape):
            strip = corrected[rows]
            done[rows] = _encoded(strip, photo.dtype) if photo.dtype.kind == "u" else strip
        return done, illuminant


def white_balance(
    photos,
    out: Path | str,
    model=None,
    view: str | int = "model",
    as_json: bool = False,
    backend: models.Backend = "litert",
) -> list[dict]:
    """Corrects photos and writes, for each, the corrected photo and its local-map picture.

    Every input is read once before anything is written, so that one bad file among many
    leaves nothing behind. Prints a table, or JSON, on stdout and progress on stderr.

    Args:
        photos: paths of files and folders.
        out: folder of the results.
        model: folder of a SavedModel, see `WhiteBalance.find`; by default the one in `MODELS`
            for the kind of each photo. In a finished photo the light of a good picture is
            white, in a camera's linear colours it is not, so one model cannot serve both.
        view: "model" (what the model was trained on), "whole", "native" or pixels.
        as_json: whether to print a JSON list instead of a table.
        backend: see `WhiteBalance.find`.

    Returns:
        list of dicts, one a photo: "file", "width", "height", "kind" ("srgb" or "linear"),
        "view", "illuminant" (unit norm), "gains", "corrected" and "map" (paths).

    Raises:
        InputError: a photo, the model or the output folder cannot be used.
    """
    out = Path(out)
    paths = list_images(photos)
    targets = output_paths(paths, out)
    kinds = [kind_of(path) for path in paths]
    threads = 0 if len(paths) == 1 else 1  # of one photo; several are worked on at a time
    estimators = {
        kind: replace(WhiteBalance.find(model, view, MODELS[kind], backend), threads=threads)
        for kind in set(kinds)
    }
    check_folder(out)
    console = Console(stderr=True)
    with console.status("loading the model"):
        for estimator in estimators.values():
            estimator.local_map

    work = [estimators[kind] for kind in kinds]
    sizes = [math.prod(images.photo_size(path)) for path in paths]
    with results.progress(console) as progress:

        def on_all(function, description, *arguments):
            done = results.in_parallel(
                lambda each: function(*each), list(zip(*arguments)), sizes
            )
            return list(progress.track(done, len(paths), description=description))

        lights = on_all(estimate_file, "checking", paths, work)
        out.mkdir(parents=True, exist_ok=True)
        rows = on_all(correct_file, "white balance", paths, targets, work, lights)
    if as_json:
        results.print_json(rows)
    else:
        _print_table(rows, out)
    return rows


def kind_of(path: Path) -> str:
    """ "srgb" or "linear", by the depth of a photo's file (raises `InputError`)."""
    kind = "srgb" if images.bit_depth(path) <= 8 else "linear"
    if kind == "linear" and path.suffix.lower() in (".jpg", ".jpeg"):
        raise InputError(
            f"{path}: holds a {images.file_type(path)} of 16 bits, which no JPEG can: give it "
            "the right suffix"
        )
    return kind


def estimate(image: np.ndarray | Rows, estimator: WhiteBalance) -> tuple:
    """Estimates the light of one photo.

    Args:
        image: (H, W, 3), of which rows are read as `as_linear` reads them.
        estimator: a `WhiteBalance`. Its view "whole" shows it the scene area-averaged
            into one patch, as the thumbnails it was trained on; the map is then made of
            the photo reduced to 4 patches on the shorter side, or to the whole patches it
            holds. Otherwise the estimate is the median of the map. No view enlarges.

    Returns:
        (illuminant, local_map, covered): float64 (3,) and (h, w, 3), unit norm, NaN where
        a patch is mostly black and has no vote; and the part of the photo's height and
        width that the patches of the map cover, counted from the upper left.
    """
    patch, view = estimator.patch_size, estimator.view
    height, width = image.shape[:2]
    shorter = min(height, width)
    if view == "whole":
        illuminant, _ = _run(area_average(image, patch, patch), estimator)
        unit = max(patch, shorter / MAP_PATCHES)  # pixels of the photo a patch stands for
        rows, columns = int(height / unit), int(width / unit)
        image = area_average(image, rows * patch, columns * patch)
        return illuminant, _run(image, estimator)[1], (1.0, 1.0)
    if view != "native" and view < shorter:
        scale = view / shorter
        image = area_average(image, round(scale * height), round(scale * width))
    illuminant, local_map = _run(image, estimator)
    covered = np.array(local_map.shape[:2]) * patch / image.shape[:2]
    return illuminant, local_map, tuple(covered)


def _encoded(corrected, dtype):
    """Linear values as a file holds them: sRGB in 8 bits, linear in 16."""
    return quantize(linear_to_srgb(corrected) if dtype == np.uint8 else corrected, dtype)


def _run(image, estimator):
    """The model on one image; on a large one in pieces of whole patches, whose maps
    together are the image's."""
    patch = estimator.patch_size
    high = patch * max(1, BAND_PIXELS // (patch * image.shape[1]))
    wide = patch * max(1, BAND_PIXELS // (patch * high))
    bands, votes = [], []
    for top in range(0, image.shape[0] - patch + 1, high):
        band = image[top : top + high]
        maps, lit = [], []
        for left in range(0, image.shape[1] - patch + 1, wide):
            part = as_linear(band[:, left : left + wide])
            maps.append(estimator.local_map(part).astype(np.float64))
            rows, columns = maps[-1].shape[:2]
            lights = part[: rows * patch, : columns * patch].max(axis=-1) > 0
            lights = lights.reshape(rows, patch, columns, patch)
            lit.append(lights.mean(axis=(1, 3)) >= MIN_LIT)
        bands.append(np.concatenate(maps, axis=1))
        votes.append(np.concatenate(lit, axis=1))
    lights, lit = np.concatenate(bands), np.concatenate(votes)
    lit |= not lit.any()
    illuminant = np.median(lights[lit], axis=0)
    lights[~lit] = np.nan
    return illuminant / np.linalg.norm(illuminant), lights


def estimate_file(path: Path, estimator: WhiteBalance) -> tuple:
    """What `estimate` gives, of a file that can be corrected (raises `InputError`)."""
    photo, _ = images.open_photo(path)
    height, width = photo.shape[:2]
    patch = estimator.patch_size
    if min(height, width) < patch:
        raise InputError(
            f"{path}: {width} x {height} pixels, smaller than the model's patch: "
            f"give at least {patch} x {patch}"
        )
    if not any(photo[rows].any() for rows in strips(photo.shape)):
        raise InputError(f"{path}: all black, it shows no light: leave it out")
    found = estimate(photo, estimator)
    if not np.isfinite(found[0]).all() or found[0].min() <= 0:
        raise InputError(
            f"{path}: the model gave no usable light ({found[0].round(3).tolist()}): "
            "leave the photo out, or use another model"
        )
    return found


def output_paths(paths: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Where the results of each photo go.

    Args:
        paths: list of `Path`.
        out: folder of the results.

    Returns:
        list of (corrected, map): OUT/NAME.EXT and OUT/NAME_map.png, or
        OUT/NAME.EXT_map.png where NAME occurs with several suffixes.

    Raises:
        InputError: two results would be one file, or an input would be overwritten.
    """
    stems = Counter(path.stem.lower() for path in paths)
    targets = []
    for path in paths:
        stem = path.name if stems[path.stem.lower()] > 1 else path.stem
        targets.append((Path(out) / path.name, Path(out) / f"{stem}_map.png"))
    results.check_targets(paths, targets)
    return targets


def correct_file(
    path: Path, targets: tuple[Path, Path], estimator: WhiteBalance, found: tuple
) -> dict:
    """Writes the corrected photo and its local-map picture.

    Args:
        path: of the photo.
        targets: (corrected, map), paths; see `output_paths`.
        estimator: which model it was.
        found: what `estimate_file` gave.

    Returns:
        dict, see `white_balance`.

    Raises:
        InputError: the photo cannot be read, or a result not be written.
    """
    photo, kind = images.open_photo(path)
    illuminant, local_map, covered = found
    corrected = corrected_rows(photo, illuminant)
    strip = draw_strip(path.name, kind, photo, corrected, illuminant, local_map, covered)
    # in its own place, so that there is no second large picture
    done = np.empty(photo.shape, np.uint16) if photo.dtype == np.float32 else photo
    for rows in strips(photo.shape):
        done[rows] = _encoded(corrected[rows], done.dtype)
    write_image(targets[0], done, **read_metadata(path))
    write_png(targets[1], strip)
    return {
        "file": str(path),
        "width": photo.shape[1],
        "height": photo.shape[0],
        "kind": kind,
        "view": estimator.view,
        "illuminant": [round(float(value), 6) for value in illuminant],
        "gains": [round(float(value), 6) for value in gains_of(illuminant)],
        "corrected": str(targets[0]),
        "map": str(targets[1]),
    }


def _print_table(rows, out):
    show(
        "Colour of the light: linear RGB of length 1, and the gains undoing it",
        ("file", "size", "red", "green", "blue", "gains"),
        [
            (
                Path(row["file"]).name,
                f"{row['width']} x {row['height']}",
                *(f"{value:.3f}" for value in row["illuminant"]),
                "  ".join(f"{value:.2f}" for value in row["gains"]),
            )
            for row in rows
        ],
    )
    print(f"{len(rows)} corrected, each with its local map, in {printable(out)}")
