"""Tables of a run: in the terminal and as CSV files."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from keras_gans.errors import printable
from keras_gans.files import replacing

if TYPE_CHECKING:
    import pandas as pd


def mean_and_scatter(values: Sequence[float]) -> str:
    """`"7.20 ± 0.16"`: mean and sample standard deviation; the mean alone of one value."""
    text = f"{np.mean(values):.2f}"
    return text if len(values) < 2 else f"{text} ± {np.std(values, ddof=1):.2f}"


def show(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = ()
) -> None:
    """Prints rows of texts as a table.

    Args:
        title: the line above it.
        headings: of the columns.
        rows: of texts.
        left: numbers of the columns that are aligned to the left, beside the first.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        justify = "right" if number and number not in left else "left"
        table.add_column(Text(heading), justify=justify, overflow="fold", no_wrap=number > 0)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(width=None if os.isatty(1) else 120, highlight=False)
    if title:
        console.print(Text(printable(title)))
    console.print(table)


def write_csv(path: Path, frame: "pd.DataFrame") -> None:
    """Writes a DataFrame without its index, completely or not at all."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False, errors="backslashreplace")
