"""What a run shows: table 1, as text, CSV and picture, and rows of samples."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keras_gans.metrics.features import Extractor, metric_name
from keras_gans.okdgan.config import Config
from keras_gans.okdgan.memorisation import CHECKED
from keras_gans.report.pictures import sample_grid, save_figure
from keras_gans.report.tables import show, write_csv

if TYPE_CHECKING:
    from keras_gans.okdgan.evaluate import Data

COLUMNS = 12  # samples in a row
DISTANCES = ("frechet", "kid", "kid_std")
VALIDATION = tuple(f"validation_{name}" for name in DISTANCES)
SHARES = ("precision", "recall", "density", "coverage")
FIGURES = (*DISTANCES, *VALIDATION, "near_copies", "diversity", *SHARES)


def report(
    config: Config, folder: Path, data: "Data", extractor: Extractor, measured: dict,
    threshold: float | None,
) -> dict:  # fmt: skip
    """Prints and writes table 1, and gives all figures of a run.

    Args:
        config: the settings.
        folder: of the run.
        data: what the GANs were trained on.
        extractor: what their samples were measured with.
        measured: dict name -> figures, and the threshold, from `measure_gans`.
        threshold: of near-copies.

    Returns:
        dict for `result.json`.
    """
    crops, held_out = data.crops, len(data.held_out) if data.held_out else 0
    students = [figures for name, figures in measured.items() if name != "single"]
    schedule = config.schedule()
    write_table(
        folder, table(measured.get("single"), students), extractor.name,
        f"{config.base.upper()} on {crops.name}, {schedule.steps} steps, "
        f"{config.score_images} samples, {len(crops)} real"
        + (f", {held_out} held out" if held_out else ""),
    )  # fmt: skip
    checked = min(CHECKED, config.score_images)
    if threshold is not None:
        print(
            f"near-copies: of {checked} samples, those that correlate with a training crop by "
            f"more than {threshold:.3f}, as 1 % of the real crops do with one of another photo"
        )
    return {
        "models": measured,
        "best": best(students) + 1 if students else None,
        "network": extractor.name,
        "network_sha256": extractor.digest,
        "samples": config.score_images,
        "checked_for_copies": checked,
        "copy_threshold": threshold,
        "real": len(crops),
        "held_out": held_out,
        "steps": schedule.steps,
        "batch_size": schedule.batch_size,
        "seed": config.seed,
        "set": crops.name,
    }


def table(single: dict | None, students: list[dict]) -> pd.DataFrame:
    """Table 1: the GAN trained alone, each student, their mean and the best of them.

    Args:
        single: figures from `keras_gans.okdgan.evaluate.measure`, with `near_copies`; or
            `None`.
        students: a list of such.

    Returns:
        DataFrame: `model` and those of `FIGURES` that there are. The mean has no standard
        deviation of KID, which is one over subsets of a student's samples. See `best`.
    """
    rows = [{"model": "single", **single}] if single else []
    rows += [{"model": f"student {i}", **each} for i, each in enumerate(students, 1)]
    if students:
        mean = pd.DataFrame(students).astype(float).mean()
        mean = mean.drop([name for name in mean.index if name.endswith("_std")])
        rows += [{"model": "mean", **mean}, {"model": "best", **students[best(students)]}]
    known = [name for name in FIGURES if name in rows[0]]
    frame = pd.DataFrame(rows, columns=["model", *known])
    return frame.astype({name: float for name in known})


def best(students: list[dict]) -> int:
    """Index of the student with the least Frechet distance: that to the validation crops, if
    there are any, so that the choice is not made by the crops it was trained on."""
    name = "validation_frechet" if "validation_frechet" in students[0] else "frechet"
    return int(np.argmin([each[name] for each in students]))


def write_table(folder: Path, frame: pd.DataFrame, network: str, title: str) -> None:
    """Prints `table`, writes it as `table.csv`, and its distances as `table.png`.

    Args:
        folder: `Path`, exists.
        frame: from `table`.
        network: name of the extractor, which names the columns.
        title: of what is printed.
    """
    named = column_names(frame, network)
    shown = [name for name in frame.columns[1:] if not name.endswith("_std")]
    shares = [name for name in shown if name in SHARES]
    for part, heading in (([x for x in shown if x not in SHARES], title), (shares, "shares")):
        cells = [
            (row["model"], *(_cell(row, name) for name in part)) for _, row in frame.iterrows()
        ]
        if part:
            show(heading, ("model", *(_heading(named[name]) for name in part)), cells)
    write_csv(folder / "table.csv", frame.rename(columns=named))
    draw_table(folder / "table.png", frame[frame["model"] != "best"], named)


def column_names(frame: pd.DataFrame, network: str) -> dict[str, str]:
    """dict: what the figures of a table are called with a network's name, see `metric_name`."""
    names = {"near_copies": "near-copies"} | {name: f"{name}_{network}" for name in SHARES}
    for prefix in ("", "validation_"):
        for metric in ("frechet", "kid"):
            names[prefix + metric] = prefix + metric_name(metric, network)
        names[f"{prefix}kid_std"] = names[f"{prefix}kid"] + "_std"
    return {name: names.get(name, name) for name in frame.columns}


def _heading(name):
    """A figure's name in lines, for narrow columns: what it is of, metric, network."""
    held_out = "validation\n" if name.startswith("validation_") else ""
    metric, *network = name.removeprefix("validation_").split("_", 1)
    return held_out + "_\n".join([metric, *network])


def _cell(row, name):
    if np.isnan(row[name]):
        return "-"
    if name.endswith("kid"):
        spread = row[f"{name}_std"]
        return f"{row[name]:.4f}" + ("" if np.isnan(spread) else f" ± {spread:.4f}")
    if name == "near_copies":
        return f"{row[name]:.{0 if row[name] == int(row[name]) else 1}f}"
    return f"{row[name]:.2f}"


def draw_table(path: Path, frame: pd.DataFrame, names: dict[str, str]) -> None:
    """Draws the distances of all models as bars, KID with its standard deviation, as a PNG.

    Those to the validation crops, if there are any.

    Args:
        path: the PNG to write.
        frame: rows of `table`.
        names: dict, what the columns are called.
    """
    columns = VALIDATION if VALIDATION[0] in frame.columns else DISTANCES
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(frame)), layout="constrained")
    for axis, column, spread in zip(
        figure.subplots(1, 2, sharey=True), columns, (None, frame[columns[2]])
    ):
        axis.barh(frame["model"], frame[column], xerr=spread, height=0.6, capsize=3)
        axis.set_xlabel(names[column].replace("validation_", "validation "))
        axis.grid(axis="x", alpha=0.3)
        axis.margins(x=0.1)
    axis.invert_yaxis()  # of both
    save_figure(figure, path)


def write_sweep(folder: Path, results: dict) -> None:
    """Prints what the students reach with each rho, and writes it as `rho.csv`.

    Args:
        folder: `Path`, exists.
        results: dict rho -> figures of a run as in `result.json`, with crops held out.
    """
    rows = []
    for rho, result in results.items():
        students = [*result["models"].values()]
        frame = table(None, students).set_index("model")
        mean, chosen = frame.loc["mean"], frame.loc["best"]
        rows.append(
            {
                "rho": rho,
                "mean_frechet": mean["validation_frechet"],
                "best_frechet": chosen["validation_frechet"],
                "mean_kid": mean["validation_kid"],
                "best_kid": chosen["validation_kid"],
                "near_copies": mean["near_copies"],
                "diversity": mean["diversity"],
            }
        )
    frame = pd.DataFrame(rows)
    cells = [
        (f"{row[0]:g}", *(f"{value:.4f}" if "kid" in name else f"{value:.2f}"
                          for name, value in zip(frame.columns[1:], row[1:])))
        for row in frame.itertuples(index=False)
    ]  # fmt: skip
    network = result["network"]
    names = [_heading(metric_name(metric, network)) for metric in ("frechet", "kid")]
    headings = [f"{which}\n{name}" for name in names for which in ("mean", "best")]
    show(
        f"{len(students)} students on {result['set']}, {result['steps']} steps, distances of "
        f"{result['samples']} samples to {result['held_out']} crops held out",
        ("rho", *headings, "mean\nnear-copies", "mean\ndiversity"), cells,
    )  # fmt: skip
    write_csv(folder / "rho.csv", frame)


def sample_rows(path: Path, rows: list[np.ndarray]) -> None:
    """Writes images as a PNG, a row for each GAN.

    Args:
        path: the PNG to write; its folder exists.
        rows: list of uint8 (N, S, S, 1 or 3), all of one shape.
    """
    sample_grid(path, np.concatenate(rows), columns=len(rows[0]))
