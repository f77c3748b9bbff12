"""What an exported file costs and how far it is from its Keras model."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from keras_gans.export.tflite import runner
from keras_gans.quiet import stderr_hidden


def compare(paths, inputs, expected, difference, repeats=5, more=None):
    """Runs TFLite files on inputs and compares what comes out with a reference.

    Args:
        paths: dict name -> path of a file with one signature.
        inputs: list of dicts input name -> array, one a call.
        expected: list of what the reference gives, one an input.
        difference: function (expected, dict of outputs) -> number, or array of numbers.
        repeats: timed runs, after one that is not.
        more: function (list of a file's dicts of outputs) -> dict of further columns.

    Returns:
        `pandas.DataFrame`, a row a file: `name`, `size_kb` (1000 bytes), `latency_ms`
        (median), `mean` and `max` of the differences.
    """
    rows = []
    for name, path in paths.items():
        run = runner(path)
        with stderr_hidden():  # the interpreter announces its delegate at the first run
            run(**inputs[0])
        outputs = [run(**x) for x in inputs]
        drift = [
            np.ravel(difference(e, given)) for e, given in zip(expected, outputs, strict=True)
        ]
        drift = np.concatenate(drift)
        rows.append(
            {
                "name": name,
                "size_kb": Path(path).stat().st_size / 1000,
                "latency_ms": 1000 * _median_seconds(run, inputs[0], repeats),
                "mean": float(drift.mean()),
                "max": float(drift.max()),
                **(more(outputs) if more else {}),
            }
        )
    return pd.DataFrame(rows)


def print_parity(rows, title, unit):
    """Prints what `compare` gives; `unit` is that of the differences, such as `degrees`."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file")
    for heading in ("size, kB", "latency, ms", f"mean, {unit}", f"largest, {unit}"):
        table.add_column(heading, justify="right")
    for row in rows.itertuples():
        table.add_row(
            row.name,
            f"{row.size_kb:.1f}",
            f"{row.latency_ms:.1f}",
            f"{row.mean:.4f}",
            f"{row.max:.4f}",
        )
    Console(width=None if os.isatty(1) else 120).print(table)


def _median_seconds(run, inputs, repeats):
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run(**inputs)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))
