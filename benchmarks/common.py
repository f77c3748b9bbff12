"""What the benchmarks share: rows that are processes of their own and take turns.

A task is a function of the script, `task(folder, **arguments)`. It prepares itself and returns
a dict of functions without arguments, all of which are measured at every turn ("run" gives the
row's figure), and a dict of facts about the row.
"""

import contextlib
import importlib.metadata
import inspect
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

# Nothing large is imported up here: all processes would hold it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from keras_gans.machine import cores, processor

CORES = cores()


def main_or_task(main, tasks):
    """Runs `main`; in a process that `Process` has started, one of the `tasks` instead.

    Args:
        main: function without arguments.
        tasks: dict name -> task, such as `globals()`.
    """
    if sys.argv[1:2] != ["serve"]:
        return main()
    task, folder, arguments, seen = sys.argv[2:]
    os.sched_setaffinity(0, json.loads(seen))
    serve(tasks[task], Path(folder), json.loads(arguments))


# For tasks --------------------------------------------------------------------------------


def import_tensorflow(threads):
    from keras_gans.quiet import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf


def saved_signature(folder, name="serving_default"):
    """A signature of a SavedModel, whose variables stay alive with it."""
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    signature = model.signatures[name]
    signature.model = model
    return signature


def tflite_runner(path, threads=CORES):
    """The signature of a TFLite file."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path), num_threads=threads).get_signature_runner()


def set_values(module, **values):
    """Gives parameters of a PyTorch module values of their shape."""
    import torch

    with torch.no_grad():
        for name, value in values.items():
            tensor = getattr(module, name)
            assert tensor.shape == value.shape, f"{name}: {tensor.shape}, {value.shape}"
            tensor.copy_(value)


def torch_rows(task):
    """A task of PyTorch in both memory layouts, eager and compiled."""
    last = {"layout": "channels_last"}
    return {
        "PyTorch, eager, contiguous": (task, {}),
        "PyTorch, eager, channels last": (task, last),
        "PyTorch, compiled, contiguous": (task, {"compiled": True}),
        "PyTorch, compiled, channels last": (task, last | {"compiled": True}),
    }


def steps_for_two_seconds(train):
    train(1)
    start = time.perf_counter()
    train(2)
    return min(max(round(4 / (time.perf_counter() - start)), 1), 30)


def share_of_waiting(train_on_batch, dataset, steps):
    """Share of the time in which training waits for its next batch."""
    batches, waited = iter(dataset), 0.0
    train_on_batch(*next(batches))
    start = time.perf_counter()
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        train_on_batch(*batch)
    return waited / (time.perf_counter() - start)


# Processes --------------------------------------------------------------------------------


def serve(task, folder, arguments):
    """Runs a task in this process: one turn for each line on stdin, answers on stdout."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def answer(**values):
        print(json.dumps(values), file=answers, flush=True)

    start = time.perf_counter()
    try:
        runs, facts = task(folder, **arguments)
        loaded = time.perf_counter() - start
        results = {name: run() for name, run in runs.items()}
    except ModuleNotFoundError as error:
        return answer(problem=f"not installed ({error.name})")
    except Exception as error:  # a row that cannot be measured must not end the others
        text = str(error).strip().splitlines() or [""]
        return answer(problem=f"{type(error).__name__}: {text[-1]}")
    result = next(iter(results.values()), None)
    is_vector = isinstance(result, np.ndarray) and result.ndim == 1
    result = result.tolist() if is_vector else None
    answer(**facts, runs=list(runs), loaded=loaded, result=result)
    for name in sys.stdin:
        run = runs[name.strip()]
        calls, start = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < 0.3:
            value = run()
            calls += 1
        seconds = (time.perf_counter() - start) / calls
        answer(seconds=seconds, value=value if isinstance(value, float) else None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer(megabytes=peak / (1e6 if sys.platform == "darwin" else 1e3))


class Process:
    """A task in a process of its own that sees one core or all."""

    def __init__(self, task, folder, threads, arguments):
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONWARNINGS": "ignore",
        }
        seen = sorted(os.sched_getaffinity(0))[:threads]
        self._process = subprocess.Popen(
            [
                sys.executable,
                inspect.getfile(task),
                "serve",
                task.__name__,
                str(folder),
                json.dumps(arguments),
                json.dumps(seen),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        self.facts = self._read()
        self.seconds, self.values = {}, {}

    @property
    def problem(self):
        return self.facts.get("problem")

    def turn(self, name):
        with contextlib.suppress(BrokenPipeError):  # it has ended, as `_read` will find
            print(name, file=self._process.stdin, flush=True)
        answer = self._read()
        if "problem" in answer:
            self.facts = answer
        else:
            self.seconds.setdefault(name, []).append(answer["seconds"])
            self.values.setdefault(name, []).append(answer["value"])

    def close(self):
        """Ends the process; `facts` then has its peak memory."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self.problem:
            self.facts |= self._read()
        self._process.wait()

    @property
    def median(self):
        """Seconds that "run" takes for an item."""
        return float(np.median(self.seconds["run"])) / self.facts.get("items", 1)

    def _read(self):
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"problem": "ended without an answer"}


def prepare_folder(prepare, folder):
    """Runs a task that writes what the others share; ends the program if it cannot."""
    process = Process(prepare, folder, CORES, {})
    if process.problem:
        sys.exit(f"the networks could not be exported: {process.problem}")
    process.close()


def compare_libraries(console, compare, folder, agreement):
    """Prints how far PyTorch is from Keras; ends the program if it is too far.

    Args:
        compare: task whose facts say how far, and that fails if that is too much.
        agreement: what to print, with the names of facts in braces.
    """
    process = Process(compare, folder, CORES, {})
    process.close()
    if process.problem and not process.problem.startswith("not installed"):
        sys.exit(f"PyTorch does not compute what Keras computes: {process.problem}")
    if process.problem:
        console.print(f"PyTorch is {process.problem}.")
    else:
        console.print(agreement.format(**process.facts))


def shortened(tasks, quick, long):
    """The tasks, of a quick run without those whose names begin with one of `long`."""
    return {name: t for name, t in tasks.items() if not (quick and name.startswith(long))}


def measure(tasks, folder, threads, turns, title, arguments):
    """Starts the tasks one after the other, then lets them take turns.

    Returns:
        dict name -> `Process`, ended.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    processes = {}
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=len(tasks) * (turns + 1))
        for name, (task, settings) in tasks.items():
            progress.update(bar, description=f"{title}: {name}")
            processes[name] = Process(task, folder, threads, arguments | settings)
            progress.advance(bar)
        progress.update(bar, description=title)
        for turn in range(turns):
            for process in processes.values():
                if process.problem:
                    continue
                seconds = sum(process.seconds.values(), [])
                slow = turn >= 3 and np.median(seconds) > 4
                if not slow:
                    for name in process.facts["runs"]:
                        process.turn(name)
            progress.advance(bar, len(tasks))
        for process in processes.values():
            process.close()
    return processes


# Tables -----------------------------------------------------------------------------------


def open_console(*packages):
    """A console, on which stands what measures; with a warning if other programs run."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(machine(packages))
    load = os.getloadavg()[0]
    if load > 0.2 * CORES:
        console.print(
            f"Other programs are running (load {load:.1f}): rows suffer, and unequally."
        )
    return console


def new_table(title, *headings):
    from rich.table import Table

    table = Table(title=title, caption_justify="left", title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def add_section(table, title, processes, cells):
    """A title, and a row for each process.

    Args:
        cells: function of (name, process) to the cells of a row behind its name; a process
            that could not be measured has its problem there.
    """
    table.add_section()
    table.add_row(title, style="bold")
    for name, process in processes.items():
        table.add_row(name, *([process.problem] if process.problem else cells(name, process)))


def step_cells(speed, process, reference):
    """Cells of a training step: speed, ratio; megabytes, ratio; seconds until it is ready."""
    megabytes = process.facts["megabytes"]
    return (
        speed,
        times(reference.median / process.median),
        f"{megabytes:.0f}",
        times(megabytes / reference.facts["megabytes"]),
        f"{process.facts['loaded']:.0f}",
    )


def fastest(processes, *libraries):
    """The fastest row of the first of the libraries that has been measured: its name.

    Args:
        libraries: how the names of their rows begin, such as "PyTorch, eager".
    """
    seconds = {name: each.median for name, each in processes.items() if not each.problem}
    for library in libraries:
        names = [name for name in seconds if name.startswith(library)]
        if names:
            return min(names, key=seconds.get)
    return None


def times(ratio):
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def rate(seconds):
    """How many a second."""
    return f"{1 / seconds:.{0 if seconds < 0.1 else 1}f}"


def machine(packages):
    """Processor, cores and versions, in one line."""
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            pass
    python = f"Python {platform.python_version()}"
    return f"{processor()}, {CORES} cores; {python}, {', '.join(versions)}"
