"""White balance for photo files, with an exported model: no network code is needed.

    photo -> linear RGB -> illuminant -> divided out -> file of the same kind

The model is a SavedModel whose signature `serving_default` takes `images`, float32
(N, H, W, 3), linear, and returns `illuminant` (N, 3), `local_map` (N, h, w, 3), one
unit-norm illuminant per patch counted from the upper left, and `corrected`. Beside it,
VERSION/assets.extra/model.json tells `patch_size`, `view` ("whole" or "native") and
`trained_on`.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Console
from rich.table import Table

from keras_gans.commands import models, results
from keras_gans.data import images
from keras_gans.data.squares import area_average
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize, write_image, write_png
from keras_gans.errors import InputError
from keras_gans.files import check_folder

BAND_PIXELS = 2**22  # of a large photo, at most this many go through the network at once
MIN_LIT = 0.5  # a patch of which less is above zero has no vote, as in `estimate.py`
MAP_PATCHES = 4  # rows (or columns) of the local map along a photo's shorter side


@dataclass(frozen=True)
class Estimator:
    """An exported model, ready to run.

    Attributes:
        folder: the version's folder.
        patch_size: side of a patch in pixels.
        view: "whole", "native" or the shorter side in pixels: what it is shown.
        signature: callable, array (1, H, W, 3) -> dict of tensors; None until loaded.
    """

    folder: Path
    patch_size: int
    view: str | int
    signature: object = None


MODELS = {
    "linear": models.SAVED_MODELS / "dscnn",
    "srgb": models.SAVED_MODELS / "dscnn-photos",
}


def white_balance(photos, out, model=None, view="model", as_json=False):
    """Corrects photos and writes, for each, the corrected photo and its local-map picture.

    Every input is read once before anything is written, so that one bad file among many
    leaves nothing behind. Prints a table, or JSON, on stdout and progress on stderr.

    Args:
        photos: paths of files and folders.
        out: folder of the results.
        model: folder of a SavedModel, see `find_model`; by default the one in `MODELS` for
            the kind of each photo. In a finished photo the light of a good picture is
            white, in a camera's linear colours it is not, so one model cannot serve both.
        view: "model" (what the model was trained on), "whole", "native" or pixels.
        as_json: whether to print a JSON list instead of a table.

    Returns:
        list of dicts, one a photo: "file", "width", "height", "kind" ("srgb" or "linear"),
        "view", "illuminant" (unit norm), "gains", "corrected" and "map" (paths).

    Raises:
        InputError: a photo, the model or the output folder cannot be used.
    """
    out = Path(out)
    paths = images.list_images(photos)
    targets = output_paths(paths, out)
    kinds = ["srgb" if images.bit_depth(path) <= 8 else "linear" for path in paths]
    estimators = {kind: find_model(model or MODELS[kind], view) for kind in set(kinds)}
    check_folder(out)
    console = Console(stderr=True)
    with console.status("loading TensorFlow and the model"):
        estimators = {kind: load(estimator) for kind, estimator in estimators.items()}

    work = list(zip(paths, targets, [estimators[kind] for kind in kinds]))
    with results.progress(console) as progress:
        for path, _, estimator in progress.track(work, description="checking"):
            _read(path, estimator)
        out.mkdir(parents=True, exist_ok=True)
        rows = [
            _correct_file(path, target, estimator)
            for path, target, estimator in progress.track(work, description="white balance")
        ]
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _print_table(rows, out)
    return rows


# The photo --------------------------------------------------------------------------


def estimate(image, estimator):
    """Estimates the light of one photo.

    Args:
        image: float32 (H, W, 3), linear.
        estimator: a loaded `Estimator`. Its view "whole" shows it the scene area-averaged
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


def correct(image, illuminant, keep_white=False):
    """Divides the light out of a photo (von Kries), leaving green as it is.

    Args:
        image: float32 (H, W, 3), linear, in [0, 1].
        illuminant: (3,), positive, of any length.
        keep_white: whether pixels clipped in all channels stay white. They carry no
            colour any more, and divided they would take on the light's complement. It
            fades in over the last tenth below 1.

    Returns:
        float32 (H, W, 3), linear, clipped to [0, 1].
    """
    gains = _gains(illuminant).astype(np.float32)
    corrected = image * gains
    if keep_white:
        white = np.clip(10 * image.min(axis=-1, keepdims=True) - 9, 0, 1)
        corrected += white * (1 - corrected)
    return np.clip(corrected, 0, 1, out=corrected)


def _run(image, estimator):
    """The model on one image; on a large one in bands of whole patches, whose maps
    together are the image's."""
    patch = estimator.patch_size
    band = patch * max(1, BAND_PIXELS // (patch * image.shape[1]))
    maps, lit = [], []
    for top in range(0, image.shape[0] - patch + 1, band):
        part = image[top : top + band]
        outputs = estimator.signature(images=part[None])
        maps.append(outputs["local_map"].numpy()[0].astype(np.float64))
        rows, columns = maps[-1].shape[:2]
        lights = part[: rows * patch, : columns * patch].max(axis=-1) > 0
        lights = lights.reshape(rows, patch, columns, patch)
        lit.append(lights.mean(axis=(1, 3)) >= MIN_LIT)
    local_map, lit = np.concatenate(maps), np.concatenate(lit)
    lit |= not lit.any()
    if len(maps) == 1:
        illuminant = outputs["illuminant"].numpy()[0].astype(np.float64)
    else:
        illuminant = np.median(local_map[lit], axis=0)
    local_map[~lit] = np.nan
    return illuminant / np.linalg.norm(illuminant), local_map


def _gains(illuminant):
    illuminant = np.asarray(illuminant, np.float64)
    return illuminant[1] / illuminant


def _read(path, estimator):
    image, kind = images.read_photo(path)
    height, width = image.shape[:2]
    patch = estimator.patch_size
    if min(height, width) < patch:
        raise InputError(
            f"{path}: {width} x {height} pixels, smaller than the model's patch: "
            f"give at least {patch} x {patch}"
        )
    if not image.any():
        raise InputError(f"{path}: all black, it shows no light: leave it out")
    return image, kind


# The model --------------------------------------------------------------------------


def find_model(folder, view="model"):
    """Finds a model and reads its description, without loading it.

    Args:
        folder: a SavedModel's folder, or the folder of its numbered versions, of which
            the highest is taken.
        view: "model", "whole", "native" or the shorter side in pixels.

    Returns:
        `Estimator` without a signature.

    Raises:
        InputError: no model there, no or wrong description, a view smaller than a patch.
    """
    folder, (patch, trained_view) = models.find_model(
        folder,
        train="python train_dscnn.py",
        read=lambda description: (int(description["patch_size"]), description["view"]),
        expected="a JSON object with patch_size and view is expected",
    )
    view = trained_view if view == "model" else view
    if view not in ("whole", "native") and not (isinstance(view, int) and view >= patch):
        raise InputError(
            f"view is whole, native or pixels, at least {patch} (a patch). Received: {view}"
        )
    return Estimator(folder, patch, view)


def load(estimator):
    """Loads the SavedModel of an `Estimator`.

    Returns:
        `Estimator` with its signature.

    Raises:
        InputError: not a SavedModel with this signature.
    """
    run = models.load_signature(
        estimator.folder,
        "a white-balance",
        inputs={"images": ("float32", (None, None, None, 3))},
        outputs=["illuminant", "local_map"],
    )
    return Estimator(estimator.folder, estimator.patch_size, estimator.view, run)


# The files --------------------------------------------------------------------------


def output_paths(paths, out):
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


def _correct_file(path, targets, estimator):
    image, kind = _read(path, estimator)
    illuminant, local_map, covered = estimate(image, estimator)
    if not np.isfinite(illuminant).all() or illuminant.min() <= 0:
        raise InputError(
            f"{path}: the model gave no usable light ({illuminant.round(3).tolist()}): "
            "leave the photo out, or use another model"
        )
    corrected = correct(image, illuminant, keep_white=kind == "srgb")
    if kind == "srgb":
        pixels = quantize(linear_to_srgb(corrected), np.uint8)
        write_image(targets[0], pixels, **images.read_metadata(path))
    else:
        write_image(targets[0], quantize(corrected, np.uint16))
    strip = draw_strip(path.name, kind, image, corrected, illuminant, local_map, covered)
    write_png(targets[1], strip)
    return {
        "file": str(path),
        "width": image.shape[1],
        "height": image.shape[0],
        "kind": kind,
        "view": estimator.view,
        "illuminant": [round(float(value), 6) for value in illuminant],
        "gains": [round(float(value), 6) for value in _gains(illuminant)],
        "corrected": str(targets[0]),
        "map": str(targets[1]),
    }


def _print_table(rows, out):
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("size", "red", "green", "blue", "gains"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        light = [f"{value:.3f}" for value in row["illuminant"]]
        gains = "  ".join(f"{value:.2f}" for value in row["gains"])
        size = f"{row['width']} x {row['height']}"
        table.add_row(Path(row["file"]).name, size, *light, gains)
    console = Console(highlight=False)
    console.print("Colour of the light: linear RGB of length 1, and the gains undoing it")
    console.print(table)
    console.print(f"{len(rows)} corrected, each with its local map, in {out}")


# The picture ------------------------------------------------------------------------

PANEL = 480  # longest side of one of the three pictures, pixels
MARGIN = 16
BACKGROUND, TEXT, FAINT = (38, 38, 38), (235, 235, 235), (150, 150, 150)
NO_VOTE = (64, 64, 64)


def draw_strip(name, kind, image, corrected, illuminant, local_map, covered):
    """Draws a photo, the light found in each part of it, and the corrected photo.

    Args:
        name: of the photo.
        kind: "srgb" or "linear"; linear sensor data is shown brightened, both alike.
        image, corrected: float32 (H, W, 3), linear.
        illuminant, local_map, covered: as `estimate` gives them.

    Returns:
        uint8 (height, width, 3).
    """
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        image, corrected = (area_average(im, *size[::-1]) for im in (image, corrected))
    exposure = 1.0
    if kind == "linear":
        exposure = 0.9 / max(float(np.percentile(corrected, 99)), 1e-4)
    panels = (
        _panel(image * exposure, size),
        _map_panel(local_map, covered, size),
        _panel(corrected * exposure, size),
    )

    title, label = ImageFont.load_default(size=17), ImageFont.load_default(size=14)
    column = max(size[0], 250)
    strip = Image.new("RGB", (3 * column + 4 * MARGIN, size[1] + 2 * MARGIN + 84), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    gains = "  ".join(f"{value:.2f}" for value in _gains(illuminant))
    light = "  ".join(f"{value:.3f}" for value in illuminant)
    rows, columns = local_map.shape[:2]
    cosines = np.clip(local_map[~np.isnan(local_map[..., 0])] @ illuminant, -1, 1)
    spread = np.degrees(np.arccos(cosines).mean())
    texts = (
        ("as taken", _shortened(name, label, column)),
        (
            f"light in {columns} x {rows} patches",
            f"{spread:.1f}\N{DEGREE SIGN} from the estimate on average",
        ),
        ("corrected", f"gains  {gains}"),
    )
    below = MARGIN + size[1] + 10
    for i, (panel, (first, second)) in enumerate(zip(panels, texts)):
        left = MARGIN + i * (column + MARGIN)
        strip.paste(panel, (left, MARGIN))
        draw.text((left, below), first, TEXT, font=title)
        draw.text((left, below + 26), second, FAINT, font=label)
    left, top = 2 * MARGIN + column, below + 52
    swatch = tuple(int(value) for value in _colour(illuminant))
    draw.rectangle((left, top, left + 43, top + 19), swatch)
    draw.text((left + 53, top + 1), f"estimate  {light}", TEXT, font=label)
    return np.asarray(strip)


def _panel(image, size):
    pixels = quantize(linear_to_srgb(image), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def _map_panel(local_map, covered, size):
    """The patches' colours where the patches lie; grey is what has no vote."""
    panel = Image.new("RGB", size, NO_VOTE)
    part = max(1, round(size[0] * covered[1])), max(1, round(size[1] * covered[0]))
    voted = ~np.isnan(local_map[..., :1])
    colours = np.where(voted, _colour(np.nan_to_num(local_map)), np.uint8(NO_VOTE))
    patches = Image.fromarray(colours)
    panel.paste(patches.resize(part, Image.Resampling.NEAREST), (0, 0))
    return panel


def _colour(illuminants):
    """uint8 sRGB of lights, each as bright as can be shown."""
    illuminants = np.maximum(illuminants, 0)
    brightest = np.maximum(illuminants.max(axis=-1, keepdims=True), 1e-9)
    return quantize(linear_to_srgb(illuminants / brightest), np.uint8)


def _shortened(text, font, width):
    while font.getlength(text) > width:
        text = text[: len(text) // 2 - 2] + "..." + text[len(text) // 2 + 2 :]
    return text
