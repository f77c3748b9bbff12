"""What an experiment shows: test errors, and curves over the runs of a study (figure 4)."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from keras_gans.report.pictures import save_figure
from keras_gans.report.tables import mean_and_scatter, show

# Table 3 of the paper: test error on SVHN in percent, by the number of labels
PUBLISHED = {
    "M1+M2": {1000: "36.02 ± 0.10"},
    "VAT": {1000: "24.63"},
    "ADGM": {1000: "22.86"},
    "SDGM": {1000: "16.61 ± 0.24"},
    "Improved-GAN": {500: "18.44 ± 4.8", 1000: "8.11 ± 1.3"},
    "ALI": {1000: "7.42 ± 0.65"},
    "Pi-model": {500: "7.05 ± 0.30", 1000: "5.43 ± 0.25"},
    "Temporal ensembling": {500: "5.12 ± 0.13", 1000: "4.42 ± 0.16"},
    "FR-GAN with regular term": {500: "15.62 ± 0.16", 1000: "8.13 ± 0.22"},
    "FR-GAN": {500: "13.41 ± 0.20", 1000: "7.20 ± 0.16"},
}


def is_svhn(set_name: str) -> bool:
    """Whether the paper's figures are of this set of images."""
    return set_name.lower().startswith("svhn")


def print_result(figures: dict, method: str) -> None:
    """Prints the test errors of one run, by a method's name and of labels only.

    Below those of SVHN stand the published ones for as many labels.
    """
    names = {"labels_only_error": "labels only", "test_error": method}
    labels = figures["labels"]
    rows = [(names[name], labels, [figures[name]]) for name in names if name in figures]
    print_errors(rows, (labels,) if is_svhn(figures["set"]) else ())


def print_errors(rows: list[tuple], published: tuple[int, ...] = ()) -> None:
    """Prints test errors as table 3: a row a method and number of labels.

    Args:
        rows: tuples of method, labels and the errors in percent, one a seed.
        published: numbers of labels for which the paper's rows stand below.
    """
    cells = [
        (method, str(labels), mean_and_scatter(errors), str(len(errors)))
        for method, labels, errors in rows
    ]
    cells += [
        (f"{method}, published", str(labels), errors[labels], "")
        for labels in published
        for method, errors in PUBLISHED.items()
        if labels in errors
    ]
    show("test error", ("method", "labels", "test error, %", "seeds"), cells)


def draw_curves(path: Path, frame: pd.DataFrame, x_label: str, y_label: str) -> None:
    """Draws the mean value of every row against its columns as a PNG, as figure 4.

    Bars are one standard deviation over the seeds, small dots the runs.

    Args:
        path: the PNG to write.
        frame: DataFrame of runs: `row`, `column` (numbers, or their texts), `value`.
    """
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axis = figure.subplots()
    for row, runs in frame.groupby("row", sort=False):
        runs = runs.assign(column=runs["column"].astype(float))
        points = runs.groupby("column")["value"].agg(["mean", "std"])
        line, *_ = axis.errorbar(
            points.index, points["mean"], points["std"], fmt="o-", capsize=3, label=row
        )
        axis.plot(runs["column"], runs["value"], ".", color=line.get_color(), alpha=0.5)
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save_figure(figure, path)


def draw_rows(
    path: Path, frame: pd.DataFrame, x_label: str, least: float, legend: str | None = None
) -> None:
    """Draws a table as a PNG: a line a row, a colour a column; see `draw_curves`.

    Args:
        path: the PNG to write.
        frame: DataFrame of runs: `row`, `column`, `value`.
        x_label: what the values are.
        least: the least that a value can be, where the axis starts.
        legend: what the columns are.
    """
    rows, columns = list(frame["row"].unique()), list(frame["column"].unique())
    figure = Figure(figsize=(7, 1.2 + 0.5 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for number, column in enumerate(columns):
        runs = frame[frame["column"] == column]
        shift = 0.16 * (number - (len(columns) - 1) / 2)
        points = runs.groupby("row", sort=False)["value"].agg(["mean", "std"])
        line, *_ = axis.errorbar(
            points["mean"],
            points.index.map(rows.index) + shift,
            xerr=points["std"],
            fmt="o",
            capsize=3,
            label=column,
        )
        at = runs["row"].map(rows.index) + shift
        axis.plot(runs["value"], at, ".", color=line.get_color(), alpha=0.5)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(left=least)
    axis.set_xlabel(x_label)
    axis.grid(alpha=0.3)
    figure.legend(*axis.get_legend_handles_labels(), title=legend, loc="outside upper right",
                  fontsize=8, ncols=len(columns))  # fmt: skip
    save_figure(figure, path)
