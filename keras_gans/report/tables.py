"""Tables of a run: in the terminal and as CSV files."""

import os

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_gans.files import replacing


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


def write_csv(path, frame):
    """Writes a DataFrame without its index, completely or not at all."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False)
