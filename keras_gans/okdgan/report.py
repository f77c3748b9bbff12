"""What a run shows: table 1, as text, CSV and picture, and rows of samples."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keras_gans.frgan.report import sample_grid, save_figure, show, write_csv
from keras_gans.metrics.features import metric_name

COLUMNS = 12  # samples in a row


def table(single, students):
    """Table 1: the GAN trained alone, each student, their mean and the best of them.

    Args:
        single: figures from `keras_gans.okdgan.evaluate.measure`, or `None`.
        students: a list of such.

    Returns:
        DataFrame: `model`, `frechet`, `kid`, `kid_std`. The mean has the standard deviation
        of the students' KID, the best is the student with the least Frechet distance.
    """
    rows = [{"model": "single", **single}] if single else []
    rows += [{"model": f"student {i}", **each} for i, each in enumerate(students, 1)]
    if students:
        mean = {name: np.mean([each[name] for each in students]) for name in ("frechet", "kid")}
        mean["kid_std"] = np.std([each["kid"] for each in students])
        rows += [{"model": "mean", **mean}, {"model": "best", **students[best(students)]}]
    return pd.DataFrame(rows, columns=["model", "frechet", "kid", "kid_std"])


def best(students):
    """Index of the student with the least Frechet distance, see `table`."""
    return int(np.argmin([each["frechet"] for each in students]))


def write_table(folder, frame, network, title):
    """Prints `table`, writes it as `table.csv`, and its distances as `table.png`.

    Args:
        folder: `Path`, exists.
        frame: from `table`.
        network: name of the extractor, which names the columns.
        title: of what is printed.
    """
    names = [metric_name(metric, network) for metric in ("frechet", "kid")]
    cells = [
        (row.model, f"{row.frechet:.2f}", f"{row.kid:.4f} ± {row.kid_std:.4f}")
        for row in frame.itertuples()
    ]
    show(title, ("model", *names), cells)
    columns = dict(zip(("frechet", "kid", "kid_std"), (*names, f"{names[1]}_std")))
    write_csv(folder / "table.csv", frame.rename(columns=columns))
    draw_table(folder / "table.png", frame[frame["model"] != "best"], names)


def draw_table(path, frame, names):
    """Draws the distances of all models as bars, KID with its standard deviation, as a PNG.

    Args:
        path: the PNG to write.
        frame: rows of `table`.
        names: of both distances.
    """
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(frame)), layout="constrained")
    for axis, column, name, spread in zip(
        figure.subplots(1, 2, sharey=True), ("frechet", "kid"), names, (None, frame["kid_std"])
    ):
        axis.barh(frame["model"], frame[column], xerr=spread, height=0.6, capsize=3)
        axis.set_xlabel(name)
        axis.grid(axis="x", alpha=0.3)
        axis.margins(x=0.1)
    axis.invert_yaxis()  # of both
    save_figure(figure, path)


def sample_rows(path, rows):
    """Writes images as a PNG, a row for each GAN.

    Args:
        path: the PNG to write; its folder exists.
        rows: list of uint8 (N, S, S, 1 or 3), all of one shape.
    """
    sample_grid(path, np.concatenate(rows), columns=len(rows[0]))
