"""Training steps on a GPU: ours, compiled by XLA and run by JAX, beside PyTorch's.

    python benchmarks/gpu.py --rooms dscnn frgan

The networks are those of the other benchmarks, at the papers' sizes, on one batch that is in
the GPU's memory. Both may compute in TF32. Each row is a process of its own; all get ready at
once, and are measured one after the other.
"""

import importlib
import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

from common import rate, times

ROOMS = {
    "dscnn": ({"batch_size": 128}, 128),
    "defectgan": ({"size": "paper"}, 1),
    "frgan": ({"size": "paper", "batch": 100}, 100),
    "okdgan": ({"size": "paper", "batch": 10}, 10),
    "okdgan, 3 students": ({"size": "paper", "batch": 10, "students": 3}, 10),
    "text2image": ({"size": "report", "batch": 8}, 8),
}  # arguments of the tasks, and images (of text2image sentences) in a batch
EXPORTS = (
    ("dscnn.export", "export_dscnn"),
    ("defectgan.export", "convert_generator"),
    ("export.generator", "export_generator"),
    ("frgan.export", "export_classifier"),
    ("text2image.export", "export_text_to_image"),
)
ROWS = {
    "Keras": {},
    "PyTorch": {"layout": "contiguous_format"},
    "PyTorch, channels last": {"layout": "channels_last"},
    "PyTorch, compiled": {"layout": "contiguous_format", "compiled": True},
}


@dataclass(frozen=True)
class Config:
    """Measures training steps of all networks; prints a table."""

    rooms: tuple[Literal[tuple(ROOMS)], ...] = tuple(ROOMS)
    seconds: float = 3.0
    """For which a step is repeated, after it was warm."""


def keras_step(task, folder, arguments):
    """Function that does a step, one that waits for the device, and one of its memory."""
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    import jax
    import keras

    from keras_gans.layers import max_pool
    from keras_gans.training.through_jax import Steps

    max_pool.SLICED = True
    known, fit = [], keras.Model.fit

    def fit_once(model, data, **options):  # builds all variables, on the CPU
        if not known:
            known[:] = model, next(iter(data))
            fit(model, data, steps_per_epoch=1, verbose=0, shuffle=False)
        return SimpleNamespace(history=defaultdict(lambda: [0.0]))

    keras.Model.fit = fit_once
    task(folder, **arguments)
    model, batch = known
    steps = Steps(model)
    steps.compile(batch)
    steps.push()
    given = [steps.put(each) for each in tf.nest.flatten(batch)]
    last = {}

    def step():
        last.update(steps.run(given))

    def wait():
        return [float(value) for value in last.values()]

    def memory():
        return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)

    return step, wait, memory


def torch_step(task, folder, arguments):
    """The same for PyTorch."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"  # which is for trying this out
    torch.set_default_device(device)
    torch.set_float32_matmul_precision("high")
    from_numpy = torch.from_numpy
    torch.from_numpy = lambda array: from_numpy(array).to(device)
    torch.Tensor.item = torch.Tensor.detach  # without waiting for each step's losses
    runs, _ = task(folder, **arguments)
    if device == "cpu":
        return runs["run"], lambda: None, lambda: 0
    return runs["run"], torch.cuda.synchronize, torch.cuda.max_memory_allocated


def prepare(folder, module):
    """Writes the weights that the libraries share, and exports nothing."""
    module.what_keras_computes = lambda *_: {}
    for place, name in EXPORTS:
        setattr(importlib.import_module(f"keras_gans.{place}"), name, lambda *_: b"")
    module.prepare(folder)


def serve(row, room, folder, seconds):
    """One row: gets ready, says so, and measures when it is told to."""
    module = importlib.import_module(room.split(",")[0])
    if row == "prepare":
        return prepare(folder, module)
    module.steps_for_two_seconds = lambda train: train(1) or 1
    begin, task = (
        (keras_step, module.train_keras) if row == "Keras" else (torch_step, module.train_torch)
    )
    start = time.perf_counter()
    arguments = ROOMS[room][0] | ROWS[row]
    if room == "text2image" and row == "Keras":
        arguments["normalisation"] = "filled"  # whose shapes do not depend on the words
    step, wait, memory = begin(task, folder, arguments)
    step()
    wait()
    print(json.dumps({"ready": time.perf_counter() - start}), flush=True)
    sys.stdin.readline()
    count = 2
    while True:
        start = time.perf_counter()
        for _ in range(count):
            step()
        wait()
        spent = time.perf_counter() - start
        if spent >= seconds:
            break
        count = math.ceil(count * max(1.2 * seconds / max(spent, 1e-3), 1.5))
    print(json.dumps({"seconds": spent / count, "bytes": memory()}), flush=True)


class Row:
    """A process of its own, which gets ready at once."""

    def __init__(self, row, room, folder, seconds=0.0):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", row, room, str(folder), str(seconds)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
        )  # fmt: skip

    def figures(self):
        """What it found; a dict of its problem if it has failed."""
        ready = self.process.stdout.readline()
        found, _ = self.process.communicate("go\n" if ready else None)
        if found:
            return json.loads(ready) | json.loads(found)
        self.log.seek(0)
        return {"problem": (self.log.read().strip().splitlines() or ["ended"])[-1][:200]}


def show(row, images, found, reference):
    if "problem" in found:
        print(f"  {row:26} {found['problem']}")
        return
    seconds = found["seconds"]
    ratio = times(seconds / reference.get("seconds", math.nan))
    print(f"  {row:26} {1000 * seconds:9.2f} {rate(seconds / images):>9} {ratio:>6} "
          f"{found['bytes'] / 2**20:7.0f} {found['ready']:6.0f}")  # fmt: skip


def main():
    import tyro

    config = tyro.cli(Config)
    with tempfile.TemporaryDirectory() as root:
        folders = {room: Path(root) / room.split(",")[0] for room in config.rooms}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        for first in [Row("prepare", room, folder) for room, folder in folders.items()]:
            found = first.figures()
            if first.process.returncode:
                print(found["problem"])
        rows = {
            room: {row: Row(row, room, folder, config.seconds) for row in ROWS}
            for room, folder in folders.items()
        }
        for each in rows.values():  # all are ready before the first is measured
            for one in each.values():
                select.select([one.process.stdout], [], [])
        print(f"{'':28} {'ms a step':>9} {'images/s':>9} {'ratio':>6} {'MiB':>7} {'ready':>6}")
        for room, each in rows.items():
            print(f"{room}, batch of {ROOMS[room][1]}")
            reference = {}
            for row, one in each.items():
                found = one.figures()
                reference = reference or found
                show(row, ROOMS[room][1], found, reference)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        row, room, folder, seconds = sys.argv[2:]
        serve(row, room, Path(folder), float(seconds))
    else:
        main()
