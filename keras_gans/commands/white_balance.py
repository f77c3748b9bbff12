"""White balance for photo files, with an exported model: no network code is needed.

    photo -> linear RGB -> illuminant -> divided out -> file of the same kind, or developed raw

The model is a SavedModel whose signature `serving_default` takes `images`, float32
(N, H, W, 3), linear, and returns `illuminant` (N, 3), `local_map` (N, h, w, 3), one
unit-norm illuminant per patch counted from the upper left, and `corrected`. Beside it,
VERSION/assets.extra/model.json tells `patch_size`, `view` ("whole" or "native") and
`trained_on`.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.light import (
    Found,
    WhiteBalance,
    checked_strength,
    estimate,
    is_black,
    shown_to,
)
from keras_gans.commands.photo_files import (
    SUFFIXES,
    Wishes,
    kind_of,
    open_file,
    output_paths,
    print_table,
    size_of,
)
from keras_gans.data import raw
from keras_gans.data.folders import list_images
from keras_gans.data.photo import Photo
from keras_gans.data.write import encoded_png
from keras_gans.dscnn.strip import PANEL, draw_strip, gains_of
from keras_gans.errors import InputError
from keras_gans.files import check_folder, replacing

MODELS = {"linear": "dscnn", "srgb": "dscnn-photos", "raw": "dscnn"}


def white_balance(
    photos,
    out: Path | str,
    model=None,
    view: str | int = "model",
    as_json: bool = False,
    backend: models.Backend = "litert",
    wishes: Wishes = Wishes(),
) -> list[dict]:
    """Corrects photos and writes, for each, the corrected photo and its local-map picture.

    Every input is read before anything is written, so that one bad file among many leaves
    nothing behind. Prints a table, or JSON, on stdout and progress on stderr.

    Args:
        photos: paths of files and folders.
        out: folder of the results.
        model: folder of a SavedModel, see `WhiteBalance.find`; by default the one in `MODELS`
            for the kind of each photo. In a finished photo the light of a good picture is
            white, in a camera's linear colours it is not, so one model cannot serve both.
        view: "model" (what the model was trained on), "whole", "native" or pixels.
        as_json: whether to print a JSON list instead of a table.
        backend: see `WhiteBalance.find`.
        wishes: what else there is to say of files.

    Returns:
        list of dicts, one a photo: "file", "width", "height", "kind" ("srgb", "linear" or
        "raw"), "encoding" (its colour space), "told_by" (what says so), "notes", "view",
        "illuminant" (unit norm), "confidence" (or `None`), "strength", "gains" (that were
        applied), "corrected" and "map" (paths); of raw files also
        "as_shot" (the camera's gains, or `None`) and "xmp" (path, or `None`).

    Raises:
        InputError: a photo, the model or the output folder cannot be used.
    """
    out = Path(out)
    checked_strength(wishes.strength)  # before anything is read
    paths = list_images(photos, SUFFIXES)
    targets = output_paths(paths, out, wishes)
    kinds = [kind_of(path, wishes.given) for path in paths]
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
    sizes = [math.prod(size_of(path)) for path in paths]
    kept = np.cumsum(sizes) <= results.PIXELS_AT_ONCE  # those that need not be read again
    with results.progress(console) as progress:

        def on_all(function, description, *arguments):
            done = results.in_parallel(
                lambda each: function(*each), list(zip(*arguments)), sizes
            )
            return list(progress.track(done, len(paths), description=description))

        def check(path, estimator, keep):
            photo = open_file(path, wishes.given)
            return estimate_file(path, photo, estimator), photo if keep else None

        def correct(path, files, estimator, found):
            light, photo = found
            photo = photo or open_file(path, wishes.given)
            strength = estimator.strength(light, wishes.strength)
            return correct_file(path, photo, files, estimator, light, strength)

        lights = on_all(check, "checking", paths, work, kept)
        out.mkdir(parents=True, exist_ok=True)
        rows = on_all(correct, "white balance", paths, targets, work, lights)
    if as_json:
        results.print_json(rows)
    else:
        print_table(rows, out)
    return rows


def estimate_file(path: Path, photo: Photo | raw.Raw, estimator: WhiteBalance) -> Found:
    """The light of a photo that can be corrected.

    Returns:
        what `estimate` gives.

    Raises:
        InputError: it is too small, black, or the model gives no usable light.
    """
    height, width = photo.shape[:2]
    patch = estimator.patch_size
    if min(height, width) < patch:
        raise InputError(
            f"{path}: {width} x {height} pixels, smaller than the model's patch: "
            f"give at least {patch} x {patch}"
        )
    shown = shown_to(photo, estimator)
    if is_black(shown):
        raise InputError(f"{path}: all black, it shows no light: leave it out")
    found = estimate(shown, estimator)
    if photo.grey:
        found = found._replace(illuminant=np.full(3, 3**-0.5))
    if not np.isfinite(found.illuminant).all() or found.illuminant.min() <= 0:
        raise InputError(
            f"{path}: the model gave no usable light ({found.illuminant.round(3).tolist()}): "
            "leave the photo out, or use another model"
        )
    return found


def correct_file(
    path: Path,
    photo: Photo | raw.Raw,
    targets: tuple[Path, ...],
    estimator: WhiteBalance,
    found: Found,
    strength: float = 1.0,
) -> dict:
    """Writes the corrected photo and its local-map picture.

    Args:
        path, photo: of the photo; it is corrected in its own place, and cannot be used again.
        targets: see `output_paths`.
        estimator: which model it was.
        found: what `estimate_file` gave.
        strength: how much of the light is taken out, 0 to 1.

    Returns:
        dict, see `white_balance`.

    Raises:
        InputError: the photo cannot be read, or a result not be written.
    """
    illuminant = found.illuminant
    removed = illuminant**strength
    removed /= np.linalg.norm(removed)
    gains, kind, encoding = gains_of(removed), photo.encoding.kind, photo.encoding
    width, height = photo.size
    row = {
        "file": str(path),
        "width": width,
        "height": height,
        "kind": kind,
        "encoding": encoding.space.name,
        "told_by": encoding.told,
        "notes": list(encoding.notes),
        "view": estimator.view,
        "illuminant": [round(float(value), 6) for value in illuminant],
        "confidence": None if found.confidence is None else round(found.confidence, 4),
        "strength": round(strength, 4),
        "gains": [round(float(value), 6) for value in gains],
        "corrected": str(targets[0]),
        "map": str(targets[1]),
    }
    scale = min(1, PANEL / max(height, width))
    sides = (max(1, round(scale * side)) for side in (width, height))
    panels = photo.panels(gains, *sides)

    def picture():
        strip = draw_strip(path.name, kind, *panels, found[:3], gains)
        return encoded_png(strip)

    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(picture)
        photo.write(targets[0], gains)
    with replacing(targets[1]) as temporary:
        temporary.write_bytes(drawn.result())
    if kind == "raw":
        done = len(targets) > 2 and photo.write_xmp(targets[2], removed)
        row |= {"as_shot": photo.as_shot, "xmp": str(targets[2]) if done else None}
    return row
