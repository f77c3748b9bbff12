"""The commands as transforms of Apache Beam.

    patterns -> names, grouped by what they would be written to -> those that are missing
    -> one at a time: fetched, worked on, stored -> row -> record

Only names and rows are elements; a picture is on one worker's disk at a time.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils.shared import Shared

from keras_gans.beam import tasks
from keras_gans.beam.files import (
    check_scheme,
    fetch,
    is_local,
    matches,
    pattern_of,
    plain,
    root_of,
    store,
)
from keras_gans.beam.tables import Record, recorded
from keras_gans.commands.photo_files import SUFFIXES, Wishes
from keras_gans.errors import InputError, printable

ONE = threading.Lock()  # photo at a time in a process, which may have many threads
# what is left of a name stays the same in the names of its results
ADDED = re.compile(rf"(_map|_mask|_overlay|{'|'.join(map(re.escape, (*SUFFIXES, '.bmp')))})+$")


class Results(NamedTuple):
    """What a transform gives; of this run alone.

    Attributes:
        rows: dicts, as the command has them with --json.
        bad: dicts, "file" and "reason".
    """

    rows: beam.PCollection
    bad: beam.PCollection


class OnFiles(beam.PTransform):
    """Applies a task to the files of some patterns; those that are done already are left out.

    Attributes:
        patterns: list of str.
        out: folder of the results; those of ROOT/a/b.png are in OUT/a.
        root: what is above all files.
        task: a `Task`.
    """

    def __init__(self, patterns: str | Iterable[str], out: str, task: tasks.Task):
        """
        Raises:
            InputError: the results would lie among the inputs, or no file system takes a name.
        """
        super().__init__()
        patterns = [patterns] if isinstance(patterns, str) else patterns
        self.patterns, self.out = [pattern_of(str(each)) for each in patterns], plain(str(out))
        for name in (*self.patterns, self.out):
            check_scheme(name)
        self.task = task
        local = [is_local(each) for each in self.patterns]
        if any(local) and not all(local):
            raise InputError("give files of a disk and of buckets apart, with two --out")
        self.root = root_of(self.patterns)
        if _whole(f"{self.root or '.'}/").startswith(_whole(f"{self.out}/")):
            raise InputError(f"{self.out}: the inputs lie there: give another --out")

    def expand(self, begin) -> Results:
        small = replace(self.task, models={})
        files = (
            begin
            | "patterns" >> beam.Create(self.patterns)
            | "list" >> beam.FlatMap(_listed, self.root, self.out)
        )
        done = (
            begin
            | "records" >> beam.Create([f"{self.out}/records/done-*.jsonl"])
            | "list records" >> beam.FlatMap(matches)
            | "spread" >> beam.Reshuffle()
            | "read records" >> beam.FlatMap(recorded)
            | "made before" >> beam.Map(_made, self.task.made, self.root)
        )
        planned = (
            {"files": files, "done": done}
            | "group" >> beam.CoGroupByKey()
            | "missing" >> beam.ParDo(Plan(small, self.out)).with_outputs("bad", main="do")
        )
        worked = planned.do | "work" >> beam.ParDo(Apply(self.task)).with_outputs(
            "bad", main="rows"
        )
        rows = worked.rows | "record" >> beam.ParDo(Record(self.out, "done"))
        bad = (planned.bad, worked.bad) | beam.Flatten()
        return Results(rows, bad | "record bad" >> beam.ParDo(Record(self.out, "bad")))


class WhiteBalance(OnFiles):
    """`keras-gans white-balance` on many files."""

    def __init__(self, patterns, out: str, model=None, view="model", wishes: Wishes = Wishes()):
        """
        Args:
            patterns: str or list of str, such as "gs://photos/**.jpg".
            out: folder of the results.
            model, view, wishes: see `commands.white_balance`.

        Raises:
            InputError: the model cannot be used; as `OnFiles`.
        """
        super().__init__(patterns, out, tasks.Balancing.of(model, view, wishes))


class Detect(OnFiles):
    """`keras-gans detect` on many files."""

    def __init__(self, patterns, out: str, model=None, min_area: int = 1):
        """
        Args:
            patterns, out: see `WhiteBalance`.
            model, min_area: see `commands.detect`.

        Raises:
            InputError: the model cannot be used; as `OnFiles`.
        """
        super().__init__(patterns, out, tasks.Detection.of(model, min_area))


class Classify(OnFiles):
    """`keras-gans classify` on many files."""

    def __init__(self, patterns, out: str, model=None):
        """
        Args:
            patterns, out: see `WhiteBalance`.
            model: see `commands.classify`.

        Raises:
            InputError: the model cannot be used; as `OnFiles`.
        """
        super().__init__(patterns, out, tasks.Classification.of(model))


class Plan(beam.DoFn):
    """Of files whose results could be named alike, those that are to do and what they make."""

    def __init__(self, task: tasks.Task, out: str):
        self.task, self.out = task, out

    def process(self, group):
        (folder, _), members = group
        made = dict(members["done"])
        out = f"{self.out}/{folder}" if folder else self.out
        names = []
        for name in sorted(set(map(os.fsdecode, members["files"]))):
            known, last = " ".join(self.task.suffixes), name.rpartition("/")[2]
            if ".." in folder.split("/"):
                yield _bad(name, f"{name}: leads out of its folder: rename it")
            elif Path(last).suffix.lower() not in self.task.suffixes:
                yield _bad(name, f"{name}: not an image that can be read ({known} are)")
            else:
                names.append((name, Path(last)))
        try:
            targets = self.task.targets([path for _, path in names], Path("out"))
        except InputError as error:
            targets, reason = [None] * len(names), str(error)
        for (name, _), files in zip(names, targets):
            before = made.get(_text(name))
            if before is not None and all(map(FileSystems.exists, before)):
                continue
            if files is None:
                yield _bad(name, reason)
            else:
                yield os.fsencode(name), [os.fsencode(f"{out}/{file.name}") for file in files]


class Apply(beam.DoFn):
    """Works on one file, with models that a process loads once."""

    def __init__(self, task: tasks.Task):
        self.task, self.shared = task, Shared()

    def setup(self):
        self.work = self.shared.acquire(self.task.load)

    def process(self, element):
        name, targets = os.fsdecode(element[0]), [*map(os.fsdecode, element[1])]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "in", name.rpartition("/")[2])
            files = [Path(folder, "out", target.rpartition("/")[2]) for target in targets]
            (path.parent.parent / "out").mkdir()
            try:
                fetch(name, path)
                with ONE:
                    row = self.work(path, tuple(files))
            except InputError as error:
                yield _bad(name, str(error).replace(str(path), name))
                return
            except Exception as error:  # one file among millions: told, and left out
                yield _bad(name, f"{name}: {type(error).__name__}: {error}")
                return
            for file, target in zip(files, targets):
                if file.exists():
                    store(file, target)
        names = dict(zip(map(str, (path, *files)), (name, *targets)))
        yield {
            key: _text(names.get(value, value)) if isinstance(value, str) else value
            for key, value in row.items()
        }


def _listed(pattern, root, out):
    """((folder, stem), name) of each file that is no result; the name in bytes, which need not
    be UTF-8."""
    for name in matches(pattern):
        if not _whole(name).startswith(_whole(f"{out}/")):
            yield _key(_text(name), root), os.fsencode(name)


def _made(row, columns, root):
    """((folder, stem), (name, files)) of a file that is done."""
    files = [row[column] for column in columns if row.get(column)]
    return _key(row["file"], root), (row["file"], files)


def _key(name, root):
    """What two files have in common if their results could have one name."""
    folder, _, last = name[len(root) + 1 if root else 0 :].rpartition("/")
    return folder, ADDED.sub("", last.lower())


def _bad(name, reason):
    return beam.pvalue.TaggedOutput(
        "bad", {"file": _text(name), "reason": printable(_text(reason))}
    )


def _text(name):
    """A name as tables have it: bytes that are not UTF-8 as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _whole(name):
    last = "/" if name.endswith("/") else ""
    return os.path.abspath(name) + last if is_local(name) else name
