"""What an exported file costs and how far it is from its Keras model."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from keras_gans.export.runtimes import runner
from keras_gans.quiet import stderr_hidden
from keras_gans.report.tables import show


def compare(
    paths: dict[str, Path],
    inputs: Sequence[dict[str, np.ndarray]],
    expected: Sequence,
    difference: Callable[..., np.ndarray | float],
    repeats: int = 5,
    more: Callable[[list[dict[str, np.ndarray]]], dict] | None = None,
) -> pd.DataFrame:
    """Runs TFLite files on inputs and compares their outputs with a reference.

    Args:
        paths: name -> path of a file with one signature.
        inputs: named arrays, one dict a call.
        expected: the reference's results, one a call.
        difference: function of one of `expected` and a dict of outputs.
        repeats: timed runs, after one that is not.
        more: function from a file's outputs, one dict a call, to further columns.

    Returns:
        A row a file: `name`, `size_kb` (1000 bytes), `latency_ms` (median), `mean` and `max`
        of the differences.
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


def print_parity(rows: pd.DataFrame, title: str, unit: str) -> None:
    """Prints the table of `compare`; `unit` is that of the differences, such as `degrees`."""
    headings = "file", "size, kB", "latency, ms", f"mean, {unit}", f"largest, {unit}"
    cells = (
        (
            row.name,
            f"{row.size_kb:.1f}",
            f"{row.latency_ms:.1f}",
            f"{row.mean:.4f}",
            f"{row.max:.4f}",
        )
        for row in rows.itertuples()
    )
    show(title, headings, cells)


def _median_seconds(run, inputs, repeats):
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run(**inputs)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))
