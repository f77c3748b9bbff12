"""Training steps on a GPU: ours, compiled by XLA and run by JAX, beside PyTorch's.

    python benchmarks/gpu.py --rooms dscnn frgan

The networks are those of the other benchmarks, at the papers' sizes, on one batch that is in
the GPU's memory. Both may compute convolutions in TF32. Each row is a process of its own, one
after the other.
"""

import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import common  # noqa: F401

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
    import keras_gans.training.device  # noqa: F401

    import jax
    import keras
    import tensorflow as tf

    from keras_gans.layers import max_pool
    from keras_gans.training.through_jax import Steps

    jax.config.update("jax_enable_x64", True)
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

    torch.set_default_device("cuda")
    torch.set_float32_matmul_precision("high")
    from_numpy = torch.from_numpy
    torch.from_numpy = lambda array: from_numpy(array).cuda()
    torch.Tensor.item = torch.Tensor.detach  # without waiting for each step's losses
    runs, facts = task(folder, **arguments)
    return runs["run"], torch.cuda.synchronize, torch.cuda.max_memory_allocated


def prepare(module, folder):
    """Writes the weights that the libraries share, and exports nothing."""
    module.what_keras_computes = lambda *_: {}
    for place, name in EXPORTS:
        setattr(importlib.import_module(f"keras_gans.{place}"), name, lambda *_: b"")
    module.prepare(folder)


def serve(row, room, folder, seconds):
    """One row: seconds of a step, and its peak of memory."""
    module = importlib.import_module(room.split(",")[0])
    if row == "prepare":
        prepare(module, folder)
        return {}
    module.steps_for_two_seconds = lambda train: train(1) or 1
    arguments = ROOMS[room][0] | ROWS[row]
    ours = row == "Keras"
    start = time.perf_counter()
    begin, task = (keras_step, module.train_keras) if ours else (torch_step, module.train_torch)
    step, wait, memory = begin(task, folder, arguments)
    step()
    wait()
    ready = time.perf_counter() - start
    few = 1
    while True:
        start = time.perf_counter()
        for _ in range(few):
            step()
        wait()
        spent = time.perf_counter() - start
        if spent > seconds:
            break
        few = max(2 * few, round(few * 1.2 * seconds / max(spent, 1e-3)))
    return {"seconds": spent / few, "bytes": memory(), "ready": ready}


def main():
    import tyro

    config = tyro.cli(Config)
    print(f"{'':42} {'ms a step':>10} {'images/s':>10} {'ratio':>6} {'MiB':>7} {'ready, s':>9}")
    for room in config.rooms:
        print(room)
        with tempfile.TemporaryDirectory() as folder:
            call("prepare", room, folder)
            first = None
            for row in ROWS:
                found = call(row, room, folder, config.seconds)
                if "seconds" not in found:
                    print(f"  {row:40} {found['problem']}", flush=True)
                    continue
                seconds = found["seconds"]
                first = first or seconds
                print(f"  {row:40} {1000 * seconds:10.2f} {ROOMS[room][1] / seconds:10.0f} "
                      f"{seconds / first:6.2f} {found['bytes'] / 2**20:7.0f} "
                      f"{found['ready']:9.0f}", flush=True)  # fmt: skip


def call(row, room, folder, seconds=0.0):
    """What a process of its own gives."""
    command = [sys.executable, __file__, "serve", row, room, folder, str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"problem": (done.stderr.strip().splitlines() or ["ended"])[-1][:200]}
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        row, room, folder, seconds = sys.argv[2:]
        print(json.dumps(serve(row, room, Path(folder), float(seconds))))
    else:
        main()
