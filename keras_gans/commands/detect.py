"""Finds the defects in image files, with an exported model: no network code is needed.

    image -> cleaned by the model -> difference -> mask -> regions

The model is a SavedModel as `export_defectgan` writes it: its signature `serving_default`
takes `images`, uint8 (N, H, W, C), and returns `mask`, uint8 (N, H, W), and `score` (N,)
among others. Beside it, VERSION/assets.extra/model.json tells `channels` and `calibration`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.commands.detect_description import calibration_of, rule_of, view_of
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.commands.overlay import draw_overlay
from keras_gans.commands.pieces import overlapping, step_and_margin
from keras_gans.data import images
from keras_gans.data.filters import keep_large
from keras_gans.data.folders import list_images
from keras_gans.data.given import given_levels
from keras_gans.data.pixels import Pixels
from keras_gans.data.write import write_png
from keras_gans.defectgan.detection import Calibration, largest, mask_of, score_of
from keras_gans.defectgan.levels import CalibrationRule, good_levels, histogram
from keras_gans.defectgan.lite import WHOLE, build_detection
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder, replacing
from keras_gans.report.tables import show

SUFFIXES = (*images.SUFFIXES, ".bmp")
MODEL = "defectgan"
REPORT = "detections.csv"
WHOLE_PIECE = slice(None), slice(None)
PIECE = 2048  # side of what goes through the model at once, of a larger image
COLUMNS = (
    "file", "width", "height", "score", "defective", "mask_area", "mask_share", "boxes"
)  # fmt: skip


@dataclass(frozen=True)
class Detector:
    """An exported DefectGAN. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        channels: of the images, 1 or 3.
        limit: an image whose score is above it has a defect, in grey levels.
        step: the model's tiles lie so many pixels apart.
        margin: what lies farther than this from a pixel, in pixels, does not change what is
            found there, if tiles lie as before.
        calibration, view: see `build_detection`; for LiteRT.
        rule: how `calibration` was chosen.
        cut: what masks are cut by instead of the model's own `calibration`.
        lite: the file for LiteRT; `None` for TensorFlow.
        threads: of LiteRT; 0 for all cores.
    """

    folder: Path
    channels: int
    limit: float
    step: int = 1
    margin: int = 0
    calibration: Calibration | None = None
    view: View | None = None
    rule: CalibrationRule = CalibrationRule()
    cut: Calibration | None = None
    lite: Path | None = None
    threads: int = 0

    @classmethod
    def find(
        cls, folder: Path | str | None = None, backend: models.Backend = "litert"
    ) -> "Detector":
        """The model in a folder, see `models.find_model`; by default `MODEL`.

        With "tensorflow" it is the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, or no or another model's description.
        """

        def read(description):
            channels, calibration = description["channels"], description["calibration"]
            if type(channels) is not int or channels not in (1, 3):
                raise ValueError(channels)
            names = ("threshold", "peak", "limit")
            levels = [models.number(calibration, name, 0, 255, float) for name in names]
            view = view_of(description)
            step, margin = step_and_margin(view, calibration)
            known, rule = calibration_of(calibration), rule_of(description)
            return channels, max(levels), step, margin, known, view, rule

        folder, found = models.find_model(
            folder,
            MODEL,
            "python train_defectgan.py --data DIR --reduced",
            read,
            "not a DefectGAN's (channels, 1 or 3, and calibration, threshold, peak and limit "
            "from 0 to 255, are expected)",
        )
        return cls(folder, *found, lite=lite_file(folder) if backend == "litert" else None)

    @cached_property
    def signature(self):
        """Callable, `images` uint8 (1, H, W, channels) -> dict of arrays."""
        if self.lite:
            tile = self.view.tile
            inputs = {"images": ("float32", (1, tile, tile, self.channels))}
            generator = load_lite(self.lite, "a DefectGAN's", inputs, ["cleaned"], self.threads)
            return build_detection(generator, self.calibration, self.view)
        return models.load_signature(
            self.folder,
            "a DefectGAN's",
            inputs={"images": ("uint8", (None, None, None, self.channels))},
            outputs=["mask", "score", "difference"],
        )

    def __call__(self, image: np.ndarray | Pixels, min_area: int = 1) -> tuple:
        """Finds the defects in one image.

        Args:
            image: a picture, see `given_levels`, or `Pixels`. A large one goes through the
                model in pieces that overlap, which finds the same.
            min_area: regions of fewer pixels are no defects.

        Returns:
            (score, mask, boxes): float, grey levels; bool (H, W); see `keep_large`.
        """
        check_area(min_area)
        image = image if isinstance(image, Pixels) else given_levels(image, self.channels)
        pixels = self.calibration.score_pixels if self.calibration else 1
        mask, highest = np.zeros(image.shape[:2], bool), []
        for outputs, part, place in self._parts(image):
            found = outputs["score"] if part == WHOLE_PIECE else outputs["difference"][0][part]
            highest.append(largest(np.asarray(found), pixels))
            if self.cut:
                mask[place] = mask_of(np.asarray(outputs["difference"][0]), self.cut)[part]
            else:
                mask[place] = outputs["mask"][0][part] > 0
        score = score_of(np.concatenate(highest), pixels)
        mask &= score > self.limit
        return score, *keep_large(mask, min_area)

    def difference(self, image: Pixels) -> np.ndarray:
        """What `score` and `mask` are made from, float32 (H, W), grey levels."""
        values = np.zeros(image.shape[:2], np.float32)
        for outputs, part, place in self._parts(image):
            values[place] = outputs["difference"][0][part]
        return values

    def _parts(self, image):
        """Of each piece what the model gives, the part that counts and its place."""
        height, width = image.shape[:2]
        # what is flattened by the mean of all of an image cannot be cut
        whole = height * width <= PIECE**2 or (self.view and self.view.flatten >= WHOLE)
        if whole:
            yield self.signature(images=image[:height][None]), WHOLE_PIECE, WHOLE_PIECE
            return
        down, across = (
            overlapping(size, PIECE, self.step, self.margin) for size in (height, width)
        )
        for rows, inner_rows in down:
            band = image[rows]
            for columns, inner in across:
                outputs = self.signature(images=band[:, columns][None])
                part = (
                    slice(inner_rows.start - rows.start, inner_rows.stop - rows.start),
                    slice(inner.start - columns.start, inner.stop - columns.start),
                )
                yield outputs, part, (inner_rows, inner)


def detect_files(
    paths,
    out,
    model=None,
    min_area: int = 1,
    as_json: bool = False,
    backend: models.Backend = "litert",
    wanted: FalseAlarms | None = None,
) -> list[dict]:
    """Finds the defects in images and writes what was found.

    For each image NAME_overlay.png, see `draw_overlay`, and NAME_mask.png, 255 where a defect
    is, else 0; for all of them `detections.csv` with the `COLUMNS`, the boxes as "x0 y0 x1 y1;
    ...". Every input is read once before anything is written, so that one bad file among many
    leaves nothing behind. Prints a table, or JSON, on stdout and progress on stderr.

    Args:
        paths: paths of files and folders (.jpg .jpeg .png .tif .tiff .bmp), 8-bit.
        out: folder of the results.
        model: folder of a SavedModel, see `Detector.find`.
        min_area: regions of fewer pixels are no defects: they are left out of the mask.
        as_json: whether to print a JSON list instead of a table.
        backend: see `Detector.find`.
        wanted: from which score on an image has a defect; by default the model's limit.

    Returns:
        list of dicts, one an image: "file", "width", "height", "score" (grey levels),
        "defective" (whether its mask has a region), "mask_area" (pixels), "mask_share" (of
        the image), "boxes" (lists x0, y0, x1, y1, largest area first; columns x0..x1 - 1,
        rows y0..y1 - 1), "overlay" and "mask" (paths).

    Raises:
        InputError: an image, the model or the output folder cannot be used.
    """
    out = Path(out)
    check_area(min_area)
    paths = list_images(paths, SUFFIXES)
    targets = output_paths(paths, out)
    threads = 0 if len(paths) == 1 else 1  # of one image; several go at a time
    detector = replace(Detector.find(model, backend), threads=threads)
    check_folder(out, REPORT)
    console = Console(stderr=True)
    with console.status("loading the model"):
        detector.signature
    if wanted:
        detector = with_false_alarms(detector, wanted)

    def size_of(path):
        height, width, _ = open_image(path, detector.channels).shape
        return height * width

    def detected(each):
        return detect_file(*each, detector, min_area)

    with results.progress(console) as progress:
        sizes = [size_of(path) for path in progress.track(paths, description="checking")]
        out.mkdir(parents=True, exist_ok=True)
        done = results.in_parallel(detected, list(zip(paths, targets)), sizes)
        rows = list(progress.track(done, len(paths), description="detecting"))
    results.write_report(out / REPORT, COLUMNS, map(listed, rows))
    if as_json:
        results.print_json(rows)
    else:
        _print_table(rows, out, detector.limit)
    return rows


def with_false_alarms(detector: Detector, wanted: FalseAlarms) -> Detector:
    """The detector with the limit that flags a wanted share of good images.

    With `wanted.new_surface` their pixels choose what the masks are cut by, too.

    Raises:
        InputError: an image cannot be used, or there are too few of them.
    """
    paths = list_images([wanted.good], SUFFIXES)
    pixels = detector.calibration.score_pixels

    def look(path):
        image = open_image(path, detector.channels)
        if not wanted.new_surface:
            return detector(image)[0], 0
        values = detector.difference(image)
        return score_of(values, pixels), histogram([values])

    scores, counts = zip(*results.in_parallel(look, paths, [1] * len(paths)))
    limit, cut = wanted.limit(scores), detector.calibration
    if wanted.new_surface:
        threshold, peak = good_levels(sum(counts), detector.rule)
        cut = replace(cut, threshold=threshold, peak=peak)
        detector = replace(detector, cut=cut)
    # without a pixel above these there is no mask, whatever the limit
    return replace(detector, limit=max(limit, cut.threshold, cut.peak))


def check_area(min_area: int) -> None:
    """It is a whole number, 1 or more (raises `InputError`)."""
    if not isinstance(min_area, (int, np.integer)) or min_area < 1:
        raise InputError(f"--min-area must be whole, at least 1 pixel. Received: {min_area!r}")


def open_image(path: Path, channels: int) -> Pixels:
    """Reads an image as the model takes it; grey is replicated for a model of colours.

    Args:
        path: see `images.open_grey_or_rgb`.
        channels: 1 or 3.

    Returns:
        `Pixels` (H, W, channels).

    Raises:
        InputError: as `images.open_grey_or_rgb`; a colour image for a grey model.
    """
    image = images.open_grey_or_rgb(path)
    if image.shape[2] > channels:
        raise InputError(
            f"{path}: in colour, and the model knows grey images only: convert it to grey, or "
            "name a model of colour images with --model"
        )
    return image if image.shape[2] == channels else Pixels(image.image.convert("RGB"))


def output_paths(paths: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Where the results of each image go.

    Args:
        paths: list of `Path`.
        out: folder of the results.

    Returns:
        list of (overlay, mask): OUT/NAME_overlay.png and OUT/NAME_mask.png.

    Raises:
        InputError: two results would be one file, or an input would be overwritten.
    """
    names = "overlay", "mask"
    targets = [tuple(out / f"{path.stem}_{name}.png" for name in names) for path in paths]
    results.check_targets(paths, targets)
    return targets


def detect_file(
    path: Path, targets: tuple[Path, Path], detector: Detector, min_area: int = 1
) -> dict:
    """Finds the defects in one image, and writes its overlay and its mask.

    Args:
        path: of the image.
        targets: (overlay, mask), see `output_paths`.
        detector, min_area: see `Detector`.

    Returns:
        dict, see `detect_files`.

    Raises:
        InputError: the image cannot be used, or a result not be written.
    """
    return detect_image(path, open_image(path, detector.channels), targets, detector, min_area)


def detect_image(
    path: Path, image: Pixels, targets: tuple[Path, Path], detector: Detector, min_area: int
) -> dict:
    """`detect_file` of an image that is read already."""
    score, mask, boxes = detector(image, min_area)
    height, width, channels = image.shape
    out = image if channels == 3 else Pixels(Image.new("RGB", (width, height)))
    write_png(targets[0], draw_overlay(image, mask, out))
    del image, out
    with replacing(targets[1]) as temporary:
        Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(temporary, "PNG")
    area = int(mask.sum())
    return {
        "file": str(path),
        "width": width,
        "height": height,
        "score": round(score, 4),
        "defective": bool(boxes),
        "mask_area": area,
        "mask_share": round(area / mask.size, 6),
        "boxes": boxes,
        "overlay": str(targets[0]),
        "mask": str(targets[1]),
    }


def listed(row: dict) -> dict:
    """A row of `detect_files` as `detections.csv` has it."""
    boxes = "; ".join(" ".join(map(str, corners)) for corners in row["boxes"])
    return {**row, "defective": int(row["defective"]), "boxes": boxes}


def _print_table(rows, out, limit):
    show(
        f"Score: largest difference in grey levels; above {limit:g} is a defect",
        ("file", "size", "score", "defect", "regions", "area, %"),
        [
            (
                Path(row["file"]).name,
                f"{row['width']} x {row['height']}",
                f"{row['score']:.1f}",
                "yes" if row["defective"] else "no",
                str(len(row["boxes"])),
                f"{100 * row['mask_share']:.2f}",
            )
            for row in rows
        ],
    )
    defective = sum(row["defective"] for row in rows)
    print(
        f"{defective} of {len(rows)} defective; overlays, masks, {REPORT} in {printable(out)}"
    )
