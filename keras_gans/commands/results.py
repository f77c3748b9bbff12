"""What commands do with their results: where they go, how they are listed and shown."""

import csv
import json
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from keras_gans.errors import InputError
from keras_gans.files import replacing
from keras_gans.machine import cores

PIXELS_AT_ONCE = 2**25  # of several pictures, which bounds the memory
MAX_NAME = 235  # bytes: what replaces a file has a longer name at first


def check_targets(paths: Sequence[Path], targets: Sequence[Sequence[Path]]) -> None:
    """Finds out whether results would overwrite an input, or each other, or meet a folder.

    Args:
        paths: `Path`s of the inputs.
        targets: of each input a sequence of `Path`, the files that are made of it.

    Raises:
        InputError: they would; on a disk that ignores letter case, too; their names would be
            too long; or a folder has one of them.
    """
    inputs = {path.resolve() for path in paths}
    owners = {}
    for path, files in zip(paths, targets, strict=True):
        for target in files:
            if target.resolve() in inputs:
                raise InputError(f"{target}: would overwrite an input: give another --out")
            if os.path.isdir(target):
                raise InputError(f"{target}: a folder, where a result goes: move it away")
            if len(os.fsencode(target.name)) > MAX_NAME:
                raise InputError(f"{path}: its name is too long for the results: rename it")
            other = owners.setdefault(str(target).lower(), path)
            if other is not path:
                raise InputError(
                    f"{path} and {other}: both would be written to {target}: "
                    "rename one, or give them apart with another --out"
                )


def progress(console: Console) -> Progress:
    """A progress bar on a console, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def in_parallel(work: Callable, items: Sequence, sizes: Sequence[int]) -> Iterator:
    """Applies a function to many pictures, on all cores, a bounded number of pixels at a time.

    Args:
        work: function of an item.
        items: N of them.
        sizes: their pixels.

    Yields:
        results, in the order of the items.
    """
    waiting, most = deque(), 2 * cores()
    # a thread that silences warnings itself may leave it so: undone here after them all
    with warnings.catch_warnings(), ThreadPoolExecutor(cores()) as pool:
        warnings.simplefilter("ignore")
        try:
            for item, size in zip(items, sizes, strict=True):
                while waiting and (
                    len(waiting) == most or size + sum(n for _, n in waiting) > PIXELS_AT_ONCE
                ):
                    yield waiting.popleft()[0].result()
                waiting.append((pool.submit(work, item), size))
            while waiting:
                yield waiting.popleft()[0].result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def write_report(path: Path, columns: Sequence[str], rows: Iterable[dict]) -> None:
    """Writes rows as a CSV file, completely or not at all; what is in no column is left out."""
    with (
        replacing(path) as temporary,
        # a name that is not UTF-8 must not stop the file: the table stays text
        open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def print_json(rows: list) -> None:
    """Prints results as a JSON list on stdout; in ASCII where that cannot show a name."""
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(rows, indent=1)
    print(text)
