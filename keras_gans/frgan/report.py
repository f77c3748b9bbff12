"""What an experiment shows: a table of errors, and grids of images (figure 3)."""

import os

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_gans.files import replacing

GAP = 2  # pixels between images
PAGE = 255
LINE = 26  # pixels of a heading
SIDE = 64  # images are enlarged to about this


def print_errors(rows):
    """Prints test errors as table 3: a row a method and number of labels.

    Args:
        rows: tuples of method, labels and the errors in percent, one a seed.
    """
    cells = [
        (method, str(labels), mean_and_scatter(errors), str(len(errors)))
        for method, labels, errors in rows
    ]
    show("test error", ("method", "labels", "test error, %", "seeds"), cells)


def mean_and_scatter(values):
    """`"7.20 ± 0.16"`: mean and sample standard deviation; the mean alone of one value."""
    text = f"{np.mean(values):.2f}"
    return text if len(values) < 2 else f"{text} ± {np.std(values, ddof=1):.2f}"


def show(title, headings, rows):
    """Prints rows of texts as a table, the first column to the left, the others right."""
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(Text(heading), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if os.isatty(1) else 120, highlight=False).print(table)


def sample_grid(path, images, columns=10):
    """Writes images row by row as a PNG, small ones enlarged by repeating pixels.

    Args:
        path: the PNG to write; its folder exists.
        images: uint8 (N, S, S, 1 or 3).
        columns: images in a row.

    Raises:
        InputError: the file cannot be written.
        ValueError: if these are no such images, or none.
    """
    _save(Image.fromarray(_grid(images, columns)), path)


def samples_beside(path, grids, columns=8):
    """Writes grids of images beside each other under their names as a PNG, as figure 3.

    Args:
        path: the PNG to write; its folder exists.
        grids: dict name -> uint8 (N, S, S, 1 or 3).
        columns: images in a row of each.

    Raises:
        InputError, ValueError: as `sample_grid`.
    """
    pictures = {name: _grid(images, columns) for name, images in grids.items()}
    font = ImageFont.load_default(size=16)
    widths = [
        max(picture.shape[1], round(font.getlength(name))) for name, picture in pictures.items()
    ]
    height = LINE + max((picture.shape[0] for picture in pictures.values()), default=0)
    gaps = 8 * GAP * (len(widths) - 1)
    page = Image.new("RGB", (max(sum(widths) + gaps, 1), height), (PAGE,) * 3)
    draw, left = ImageDraw.Draw(page), 0
    for (name, picture), width in zip(pictures.items(), widths, strict=True):
        draw.text((left + width / 2, LINE / 2), name, fill="black", font=font, anchor="mm")
        page.paste(Image.fromarray(picture), (left + (width - picture.shape[1]) // 2, LINE))
        left += width + 8 * GAP
    _save(page, path)


def _grid(images, columns):
    """uint8 (H, W, 3): the images in rows, with gaps between them."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"images must be uint8 (N, S, S, 1 or 3). Received: {images.dtype} {images.shape}"
        )
    if not len(images):
        raise ValueError("there must be an image. Received: none")
    times = max(1, round(SIDE / images.shape[1]))
    images = images.repeat(times, axis=1).repeat(times, axis=2)
    count, height, width, _ = images.shape
    columns = min(columns, count)
    rows = -(-count // columns)
    shape = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    page = np.full(shape, PAGE, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + GAP), number % columns * (width + GAP)
        page[top : top + height, left : left + width] = image
    return page


def _save(picture, path):
    with replacing(path) as temporary:
        picture.save(temporary, "PNG", optimize=True)


def draw_curves(path, frame, x_label, y_label):
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


def draw_rows(path, frame, x_label, least, legend=None):
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


def save_figure(figure, path):
    """Writes a matplotlib figure as a PNG, completely or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=90, format="png")


def write_csv(path, frame):
    """Writes a DataFrame without its index, completely or not at all."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False)
