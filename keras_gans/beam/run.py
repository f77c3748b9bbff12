"""A batch from the command line: one job, its tables, one line."""

import contextlib
import importlib.metadata
import json
import logging
import os
import re
import tempfile
import threading
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from keras_gans import __version__
from keras_gans.beam.files import AS_IS, is_local, matches, store
from keras_gans.beam.tables import BAD, forget_bad, write_tables
from keras_gans.beam.transforms import OnFiles
from keras_gans.errors import InputError, OutputError, printable
from keras_gans.files import check_folder, remove_leftovers
from keras_gans.machine import cores
from keras_gans.stderr import stderr_hidden

SETTINGS = "batch.json"
AGAIN = "what is done stays; the same command goes on"


def run(command: str, files: OnFiles, runner: str, options: list[str]) -> None:
    """Does what is missing, makes the tables anew and prints one line.

    Args:
        command: "white-balance", "detect" or "classify".
        files: the command as a transform.
        runner: name of one of Beam's runners.
        options: Beam's pipeline options.

    Raises:
        InputError: the folder holds results of other settings, no file matches.
        OutputError: the job stopped.
    """
    local = runner == "DirectRunner"
    logging.getLogger().setLevel(logging.ERROR if local else logging.INFO)
    if is_local(files.out):
        check_folder(files.out)
    if not any(any(matches(each, 1)) for each in files.patterns):
        raise InputError(f"{' '.join(files.patterns)}: no such file")
    _check_settings(command, files)
    if is_local(files.out):
        remove_leftovers(Path(files.out).rglob(".*.part"))
    forget_bad(files.out)
    hidden = local and not any("log_level" in option for option in options)
    options = [f"--runner={runner}", *(_local(options) if local else ()), *options]
    try:
        with _ended_workers_told(), stderr_hidden() if hidden else contextlib.nullcontext():
            pipeline = beam.Pipeline(options=PipelineOptions(options))
            pipeline | command >> files
            pipeline.run().wait_until_finish()
    except Exception as error:  # a runner raises nearly every type there is
        line = str(error).strip().splitlines() or [type(error).__name__]
        raise OutputError(f"the job stopped ({printable(line[-1])[:200]}): {AGAIN}") from None
    good, bad = write_tables(files.out, command)
    report = f"{files.out}/{files.task.report}"
    print(printable(f"{good} done, listed in {report}; {bad} bad, in {files.out}/{BAD}"))


def _local(options):
    """As many processes as cores; and Beam's own runner, not one that is downloaded."""
    local = ["--allow_unsafe_triggers", "--default_sdk_harness_log_level=ERROR"]
    if not any(option.startswith("--direct_") for option in options):
        local += ["--direct_running_mode=multi_processing"]
        local += [f"--direct_num_workers={cores()}"]
    return local


def _check_settings(command, files):
    """Results of different settings do not mix."""
    name = f"{files.out}/{SETTINGS}"
    settings = {
        "keras_gans": __version__,
        "pillow": importlib.metadata.version("pillow"),
        "command": command,
        "root": files.root,
        "models and settings": files.task.digest(),
    }
    if FileSystems.exists(name):
        try:
            with FileSystems.open(name, **AS_IS) as file:
                found = dict(json.loads(file.read()))
        except ValueError:
            raise InputError(f"{name}: damaged: give another --out") from None
        if other := [each for each in settings if found.get(each) != settings[each]]:
            raise InputError(f"{name}: made with another {other[0]}: give another --out")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SETTINGS)
        path.write_text(json.dumps(settings, indent=2) + "\n")
        store(path, name)


@contextlib.contextmanager
def _ended_workers_told():
    """The DirectRunner waits for ever for a process that was killed: ends the program then."""
    shown, before = os.dup(2), threading.excepthook

    def told(of):
        if of.thread is None or of.thread.name != "run_worker":
            return before(of)
        code = int("".join(re.findall(r"-?\d+$", str(of.exc_value))) or 1)
        ends = {2: ("interrupted", 130), 15: ("terminated", 143)}  # Ctrl-C reaches all alike
        lost = f"error: a worker was ended ({of.exc_value}): {AGAIN}", 2
        line, exit_code = ends.get(-code if code < 0 else code - 128, lost)
        os.write(shown, f"keras_gans: {line}\n".encode())
        os._exit(exit_code)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before
        os.close(shown)
