"""What an experiment shows: table V on these images, and pictures of what was found."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_gans.defectgan.detect import to_grey
from keras_gans.defectgan.evaluate import table
from keras_gans.files import replacing

HEADINGS = {
    "miou": "mIoU, %",
    "auroc": "AUROC",
    "false_pixels": "false pixels, %",
    "false_images": "false alarms, %",
    "t_test_ms": "t_test, ms",
    "training_seconds": "training, s",
}


def write(
    folder, surfaces, detectors, measured, cleaning=None, conditions=None, training_seconds=None
):
    """Prints table V and how well G1 cleans; writes figures and pictures.

    Into the folder go `metrics.jsonl` (a row a method: the columns of `evaluate.table`, the
    conditions, and with the first method the cleaning figures), `detections.csv` (every test
    image) and `detections.png` (see `choose_examples`).

    Args:
        folder: the run's.
        surfaces: `Surfaces`.
        detectors: list of detectors, DefectGAN's first, see `evaluate`; they run once more,
            on the images shown.
        measured: DataFrame from `evaluate.run_detector`, of all methods, DefectGAN first.
        cleaning: dict from `evaluate.cleaning_distance`, or `None`.
        conditions: dict of what the figures depend on beside the images, such as seed and
            rule of the threshold.
        training_seconds: dict method -> seconds.

    Returns:
        DataFrame: `evaluate.table`.
    """
    folder = Path(folder)
    figures = table(measured)
    tested = measured[measured["method"] == figures.index[0]]
    defective = int(tested["defective"].sum())
    everywhere = {"set": surfaces.name, "defective": defective}
    everywhere |= {"free": len(tested) - defective} | (conditions or {})
    recorded = figures.assign(**everywhere)
    recorded["training_seconds"] = pd.Series(training_seconds or {}, dtype=float)
    for name, value in (cleaning or {}).items():
        recorded.loc[figures.index[0], f"cleaning_{name}"] = value
    with replacing(folder / "metrics.jsonl") as temporary:
        recorded.reset_index().to_json(temporary, orient="records", lines=True)
    with replacing(folder / "detections.csv") as temporary:
        by_image(measured).to_csv(temporary, index=False)
    draw_examples(
        folder / "detections.png", surfaces, detectors, measured, choose_examples(tested)
    )

    sizes = np.array([surfaces.images[i].shape[1::-1] for i in tested["index"]])
    low, high = ("x".join(map(str, end)) for end in (sizes.min(axis=0), sizes.max(axis=0)))
    show(
        figures.assign(training_seconds=recorded["training_seconds"]),
        f"{surfaces.name}: {len(tested)} test images, {defective} defective, "
        f"{low if low == high else f'{low} to {high}'} pixels",
    )
    if cleaning:
        show_cleaning(cleaning)
    return figures


def by_image(measured):
    """What was measured with a row an image: IoU, score and share marked of each method.

    Args:
        measured: from `evaluate.run_detector`.

    Returns:
        DataFrame: `name`, `type`, `defective`, and `METHOD iou`, `METHOD score`,
        `METHOD marked` for each method.
    """
    keys = ["name", "type", "defective"]
    parts = []
    for method, part in measured.groupby("method", sort=False):
        part = part.set_index("index")
        figures = part[["iou", "score", "marked"]].add_prefix(f"{method} ")
        parts.append(figures if parts else part[keys].join(figures))
    return pd.concat(parts, axis=1).reset_index(drop=True)


# What is printed ----------------------------------------------------------------------------


def show(figures, title):
    """Prints `evaluate.table`; shares in percent, as in the paper."""
    out = Table(
        title=Text(title),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    out.add_column("method", no_wrap=True)
    for column in figures.columns:
        heading = HEADINGS.get(column) or column.removeprefix("miou_")
        out.add_column(Text(heading), justify="right", overflow="fold")
    for method, *row in figures.itertuples():
        cells = [_cell(*pair) for pair in zip(figures.columns, row, strict=True)]
        out.add_row(Text(method), *cells)
    _console().print(out)


def _cell(column, value):
    if np.isnan(value):
        return "-"
    if column == "auroc":
        return f"{value:.3f}"
    if column == "t_test_ms":
        return f"{value:.1f}"
    if column == "training_seconds":
        return f"{value:.0f}"
    return f"{100 * value:.2f}"


def show_cleaning(cleaning):
    """Prints `evaluate.cleaning_distance` in two lines."""
    values = {name: f"{value:.2f}" for name, value in cleaning.items()}
    line = (
        "distance to the surface without defects, as taken -> cleaned:\n  at the defects "
        "{defective} -> {defective_cleaned}, on defect-free images {free} -> {free_cleaned}"
    )
    line = line.format(**values)
    if not np.isnan(cleaning["closed"]):
        line += f"; cleaning goes {100 * cleaning['closed']:.0f} % of the way"
    _console().print(Text(line))


def _console():
    return Console(width=None if os.isatty(1) else 140, highlight=False)


# Pictures -----------------------------------------------------------------------------------


def choose_examples(tested, count=8):
    """Chooses images to show: every type of defect, well and badly found ones.

    The rows are divided among the types of defect, and within a type go to evenly spaced
    quantiles of the IoU (a single row to its median); without any true mask, of the score.
    The last row is the defect-free image of median score.

    Args:
        tested: DataFrame from `evaluate.run_detector`, of one method.
        count: images, at most; with more types of defect than rows some are left out.

    Returns:
        list of `index` in `Surfaces`.
    """
    free = tested[~tested["defective"]].sort_values("score")["index"].tolist()
    last = free[(len(free) - 1) // 2 :][:1]
    types = []
    for _, part in tested[tested["defective"]].groupby("type"):
        known = part.dropna(subset="iou")
        part = known if len(known) else part
        types.append(part.sort_values(["iou", "score"])["index"].tolist())
    chosen, rows = [], count - len(last)
    for number, ranked in enumerate(types):
        share = len(range(number, rows, len(types)))
        quantiles = (np.arange(share) + 0.5) / max(share, 1)
        places = np.unique((quantiles * len(ranked)).astype(int))
        chosen += [ranked[place] for place in places]
    return chosen + last


def draw_examples(path, surfaces, detectors, measured, indices):
    """Draws images, what DefectGAN makes of them and what each method finds, as a grey PNG.

    Above each row stand the figures: IoU of a defective image, share of the pixels that count
    as false alarms of a defect-free one.

    Args:
        path: the PNG to write.
        surfaces, detectors, measured: see `write`.
        indices: of the images to show.
    """
    by_method = measured.set_index(["index", "method"])
    rows, captions, headings = [], [], []
    for index in indices:
        image, true = surfaces.images[index], surfaces.masks[index]
        defective = surfaces.defective[index]
        found = {}
        for detector in detectors:
            found |= detector(image)
        masks = {name: one.mask & bool(one.judged or defective) for name, one in found.items()}
        first, *others = found
        panels = {"input": _grey(image)}
        if found[first].cleaned is not None:
            panels["cleaned"] = _grey(found[first].cleaned)
            panels[f"difference x{GAIN}"] = found[first].difference
        panels[first] = masks[first]
        if true is not None:
            panels["truth"] = true
        else:  # nothing, or unknown
            unknown = np.full(image.shape[:2], 128, np.uint8)
            panels["truth"] = unknown if defective else np.zeros(image.shape[:2], bool)
        panels |= {name: masks[name] for name in others}
        headings = list(panels)
        rows.append(list(panels.values()))

        column, what = ("iou", "IoU") if defective else ("marked", "marked")
        values = [(name, 100 * by_method.loc[(index, name), column]) for name in found]
        told = " | ".join(f"{name} {v:.1f} %" for name, v in values if not np.isnan(v))
        kind = surfaces.types[index] or ("defective" if defective else "defect-free")
        captions.append(f"{kind}; {what}: {told or 'unknown'} ({surfaces.names[index]})")
    sample_grid(path, headings, rows, captions)


GAIN = 4  # of differences, to be seen
GAP, LINE = 4, 15  # pixels: between panels, and the height of a line of text
PAGE = (208, 208, 208)  # neither a mask's black nor its white


def sample_grid(path, headings, rows, captions=None, side=128):
    """Writes pictures in rows and columns as a PNG, completely or not at all.

    Each is fitted into a square, its proportions kept: reduced by averaging, enlarged by
    repeating pixels. The PNG is in colour only if any picture is.

    Args:
        path: the PNG to write; its folder exists.
        headings: a text a column.
        rows: list of lists of pictures, as many as headings: uint8 (H, W), (H, W, 1) or
            (H, W, 3); bool (H, W), white where True; float (H, W), a difference in grey
            levels, shown `GAIN` times as bright.
        captions: a text a row, above it, or `None`.
        side: of the squares, in pixels.

    Raises:
        InputError: the file cannot be written.
        ValueError: a row of another length, or a picture of another type.
    """
    lines = LINE if captions else 0
    height = LINE + len(rows) * (lines + side + GAP)
    page = Image.new("RGB", (len(headings) * (side + GAP), height), PAGE)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default()

    def text(x, y, words):
        words = words.encode("ascii", "replace").decode()  # all that the font has
        draw.text((x + 2, y + 2), words, fill="black", font=font)

    for column, heading in enumerate(headings):
        text(column * (side + GAP), 0, heading)
    for number, row in enumerate(rows):
        top = LINE + number * (lines + side + GAP)
        if captions:
            text(0, top, captions[number])
        for column, (_, picture) in enumerate(zip(headings, row, strict=True)):
            picture = _fitted(_pixels(picture), side)
            left = column * (side + GAP) + (side - picture.width) // 2
            page.paste(picture, (left, top + lines + (side - picture.height) // 2))
    pixels = np.asarray(page)
    if (pixels == pixels[..., :1]).all():
        page = page.convert("L")
    with replacing(path) as temporary:
        page.save(temporary, "PNG", optimize=True)


def _grey(image):
    return np.rint(to_grey(image)).astype(np.uint8)


def _pixels(picture):
    """uint8 (H, W) or (H, W, 3) of any picture that `sample_grid` takes."""
    picture = np.asarray(picture)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    kind, colours = picture.dtype.kind, picture.ndim == 3 and picture.shape[2] == 3
    if picture.dtype == np.uint8 and (picture.ndim == 2 or colours):
        return picture
    if picture.ndim != 2 or kind not in "bf":
        raise ValueError(
            "a picture must be uint8 (H, W) or (H, W, 3), or bool or float (H, W). "
            f"Received: {picture.dtype} {picture.shape}"
        )
    return np.clip(picture * (GAIN if kind == "f" else 255.0), 0, 255).astype(np.uint8)


def _fitted(pixels, side):
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
