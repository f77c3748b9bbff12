"""What an experiment shows: table V on these images, and pictures of what was found."""

from pathlib import Path

import numpy as np
import pandas as pd

from keras_gans.defectgan.config import Config
from keras_gans.defectgan.detection import to_grey
from keras_gans.defectgan.evaluate import Measured, table
from keras_gans.defectgan.html_report import write_html
from keras_gans.defectgan.pictures import GAIN, panel_rows
from keras_gans.defectgan.surfaces import Surfaces, sizes_of
from keras_gans.files import write_json
from keras_gans.report import tables

HEADINGS = {
    "miou": "mIoU, %",
    "auroc": "AUROC",
    "pixel_auroc": "pixel AUROC",
    "aupro": "AUPRO",
    "f1": "F1, %",
    "false_at_90": "at recall 90 %",
    "false_at_95": "at 95 %",
    "false_pixels": "false pixels, %",
    "false_images": "false alarms, %",
    "t_test_ms": "t_test, ms",
    "training_seconds": "training, s",
}
ABOUT_IMAGES = (
    "auroc", "false_images", "false_at_90", "false_at_95", "t_test_ms", "training_seconds"
)  # fmt: skip


def write(
    folder: Path,
    config: Config,
    surfaces: Surfaces,
    measured: Measured,
    cleaning: dict[str, float],
    limit: float,
) -> dict[str, float]:
    """Prints table V and how well G1 cleans; writes figures and pictures.

    Into the folder go `result.json` (all figures and what they depend on), `detections.csv`
    (every test image), `detections.png` (see `choose_examples`) and `report.html` (all of it,
    see `write_html`).

    Args:
        folder: the run's, with the `metrics.jsonl` of every training.
        config: settings.
        surfaces: what was measured.
        measured: all methods, DefectGAN first.
        cleaning: see `cleaning_distance`.
        limit: of DefectGAN's `Calibration`.

    Returns:
        the figures of DefectGAN.
    """
    rows = measured.rows
    figures = table(rows, measured.pixels)
    first = figures.index[0]
    tested = rows[rows["method"] == first]
    defective = int(tested["defective"].sum())
    timed = figures.assign(
        training_seconds=[_training_seconds(folder, method) for method in figures.index]
    )
    result = {
        "set": surfaces.name,
        "defective": defective,
        "free": len(tested) - defective,
        "seed": config.seed,
        "hold_out": config.hold_out,
        "rule": str(config.calibration),
        "methods": {method: _known(row) for method, row in timed.iterrows()},
        "cleaning": _known(cleaning),
    }
    write_json(folder / "result.json", result)
    tables.write_csv(folder / "detections.csv", by_image(rows))
    draw_examples(folder / "detections.png", surfaces, measured, choose_examples(tested))

    sizes = sizes_of([surfaces.images[i] for i in tested["index"]])
    title = f"{surfaces.name}: {len(tested)} test images, {defective} defective, {sizes} pixels"
    show(timed, title)
    write_html(
        folder / "report.html", title, [part[1:] for part in _parts(timed)], tested, limit
    )
    show_cleaning(cleaning)
    return figures.loc[first].dropna().round(4).to_dict()


def by_image(rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured with a row an image: IoU, score and share marked of each method.

    Returns:
        DataFrame: `name`, `type`, `defective`, and `METHOD iou`, `METHOD score`,
        `METHOD marked` for each method.
    """
    keys = ["name", "type", "defective"]
    parts = []
    for method, part in rows.groupby("method", sort=False):
        part = part.set_index("index")
        figures = part[["iou", "score", "marked"]].add_prefix(f"{method} ")
        parts.append(figures if parts else part[keys].join(figures))
    return pd.concat(parts, axis=1).reset_index(drop=True)


def _known(figures):
    """JSON has no NaN."""
    return {name: None if np.isnan(x) else np.asarray(x).item() for name, x in figures.items()}


def _training_seconds(folder, method):
    """Of a method's network: "CAM, half maximum" is that of cam/."""
    log = folder / method.split(",")[0].lower() / "metrics.jsonl"
    rows = pd.read_json(log, lines=True) if log.exists() else {}
    return float(rows["seconds"].sum()) if "seconds" in rows else float("nan")


# What is printed ----------------------------------------------------------------------------


def show(figures: pd.DataFrame, title: str) -> None:
    """Prints `evaluate.table`, masks and images apart; shares in percent, as in the paper."""
    for name, headings, rows in _parts(figures):
        tables.show(f"{title}: {name}" if name == "masks" else name, headings, rows)


def _parts(figures):
    """The table in two parts: name, headings, rows of texts."""
    about_images = figures.columns.isin(ABOUT_IMAGES)
    for part, name in ((~about_images, "masks"), (about_images, "images")):
        columns = figures.columns[part]
        headings = [HEADINGS.get(each) or each.removeprefix("miou_") for each in columns]
        rows = [
            [method, *(_cell(*pair) for pair in zip(columns, row, strict=True))]
            for method, *row in figures[columns].itertuples()
        ]
        yield name, ["method", *headings], rows


def _cell(column, value):
    if np.isnan(value):
        return "-"
    if column in ("auroc", "pixel_auroc", "aupro"):
        return f"{value:.3f}"
    if column == "t_test_ms":
        return f"{value:.1f}"
    if column == "training_seconds":
        return f"{value:.0f}"
    return f"{100 * value:.2f}"


def show_cleaning(cleaning: dict[str, float]) -> None:
    """Prints `cleaning_distance` in two lines."""
    values = {name: f"{value:.2f}" for name, value in cleaning.items()}
    line = (
        "distance to the surface without defects, as taken -> cleaned:\n  at the defects "
        "{defective} -> {defective_cleaned}, on defect-free images {free} -> {free_cleaned}"
    )
    line = line.format(**values)
    if not np.isnan(cleaning["closed"]):
        line += f"; cleaning goes {100 * cleaning['closed']:.0f} % of the way"
    print(line)


# Pictures -----------------------------------------------------------------------------------


def choose_examples(tested: pd.DataFrame, count: int = 8) -> list[int]:
    """Chooses images to show: every type of defect, well and badly found ones.

    The rows are divided among the types of defect, and within a type go to evenly spaced
    quantiles of the IoU (a single row to its median); without any true mask, of the score.
    The last row is the defect-free image of median score.

    Args:
        tested: `Measured.rows` of one method.
        count: images, at most; with more types of defect than rows some are left out.

    Returns:
        values of `index`.
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


def draw_examples(
    path: Path, surfaces: Surfaces, measured: Measured, indices: list[int]
) -> None:
    """Draws images, what DefectGAN makes of them and what each method finds, as a grey PNG.

    Above each row stand the figures: IoU of a defective image, share of the pixels that count
    as false alarms of a defect-free one.

    """
    by_method = measured.rows.set_index(["index", "method"])
    methods = measured.rows["method"].unique()
    rows, captions, headings = [], [], []
    for index in indices:
        panels = _panels(surfaces, index, {m: measured.shown[index, m] for m in methods})
        headings = list(panels)
        rows.append(list(panels.values()))

        defective = surfaces.defective[index]
        column, what = ("iou", "IoU") if defective else ("marked", "marked")
        values = [(name, 100 * by_method.loc[(index, name), column]) for name in methods]
        told = " | ".join(f"{name} {v:.1f} %" for name, v in values if not np.isnan(v))
        kind = surfaces.types[index] or ("defective" if defective else "defect-free")
        captions.append(f"{kind}; {what}: {told or 'unknown'} ({surfaces.names[index]})")
    panel_rows(path, headings, rows, captions)


def _panels(surfaces, index, found):
    """dict heading -> picture."""
    image, true = surfaces.images[index], surfaces.masks[index]
    defective = surfaces.defective[index]
    masks = {name: one.mask * bool(one.judged or defective) for name, one in found.items()}
    first, *others = found
    panels = {"input": np.rint(to_grey(image)).astype(np.uint8)}
    if found[first].cleaned is not None:
        panels["cleaned"] = found[first].cleaned
        panels[f"difference x{GAIN}"] = found[first].difference
    panels[first] = masks[first]
    if true is not None:
        panels["truth"] = true
    else:  # nothing, or unknown
        panels["truth"] = np.full(image.shape[:2], 128 if defective else 0, np.uint8)
    return panels | {name: masks[name] for name in others}
