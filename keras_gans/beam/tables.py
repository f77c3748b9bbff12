"""Records of what is done, and the tables that are made of them."""

import contextlib
import itertools
import json
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from keras_gans.beam.files import AS_IS, matches, store
from keras_gans.beam.tasks import TASKS
from keras_gans.commands.results import in_parallel, write_report

BAD = "bad.jsonl"
ROWS, SECONDS = 500, 300  # what a worker records at once, at most


class Record(beam.DoFn):
    """Writes rows as files of JSON lines, OUT/records/KIND-*.jsonl, and passes them on."""

    def __init__(self, out: str, kind: str):
        self.name = f"{out}/records/{kind}"

    def start_bundle(self):
        self.lines, self.since = [], time.monotonic()

    def process(self, row):
        self.lines.append(json.dumps(row) + "\n")
        if len(self.lines) >= ROWS or time.monotonic() - self.since > SECONDS:
            self.finish_bundle()
        yield row

    def finish_bundle(self):
        if self.lines:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "lines")
                path.write_text("".join(self.lines))
                store(path, f"{self.name}-{uuid.uuid4().hex}.jsonl")
        self.start_bundle()


def recorded(name: str) -> list[dict]:
    """The rows of one file of records."""
    with FileSystems.open(name, **AS_IS) as file:
        return [json.loads(line) for line in file.read().splitlines()]


def forget_bad(out: str) -> None:
    """Removes the records of bad files: the next run finds out anew which are."""
    if names := list(matches(f"{out}/records/bad-*.jsonl")):
        FileSystems.delete(names)


def write_tables(out: str, command: str) -> tuple[int, int]:
    """Makes the tables of all records, sorted by file, each file once.

    They are sorted on the disk, some 300 bytes a file: memory does not grow with them.

    Args:
        out: folder of the results.
        command: "white-balance", "detect" or "classify".

    Returns:
        (rows in the table, bad files). The table has the command's columns; `BAD` is JSON
        lines, {"file": ..., "reason": ...}.
    """
    task = TASKS[command]
    shards = list(matches(f"{out}/records/*.jsonl"))
    counts = [0, 0]
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(sqlite3.connect(Path(folder, "rows.db"))) as rows,
    ):
        rows.execute("CREATE TABLE rows (file TEXT, bad INTEGER, line TEXT)")
        for lines in in_parallel(recorded, shards, [0] * len(shards)):
            listed = ((row["file"], "reason" in row, json.dumps(row)) for row in lines)
            rows.executemany("INSERT INTO rows VALUES (?, ?, ?)", listed)
        found = rows.execute("SELECT file, bad, line FROM rows ORDER BY file, bad, line")

        def good(bad_file):
            for _, group in itertools.groupby(found, lambda each: each[0]):
                _, bad, line = next(group)
                counts[bad] += 1
                if bad:
                    bad_file.write(line + "\n")
                else:
                    yield task.listed(json.loads(line))

        table, bad = Path(folder, "table.csv"), Path(folder, BAD)
        with open(bad, "w") as bad_file:
            write_report(table, task.columns, good(bad_file))
        store(table, f"{out}/{task.report}")
        store(bad, f"{out}/{BAD}")
    return counts[0], counts[1]
