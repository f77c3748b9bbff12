"""Where the time of a training step goes, and how near it comes to what the machine can do.

    python -m benchmarks.kernels        3 minutes on 2 cores

The steps are those of the built-in runs. TensorFlow's profiler times every kernel; kernels may
run at the same time, so shares are of their sum. The work counted is that of convolutions and
matrix products, a multiplication and an addition being two operations.
"""

import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from math import prod
from pathlib import Path

from keras_gans.training.device import set_up

import tensorflow as tf
import tyro
from tensorflow.python.framework import op_callbacks
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.common import new_table, open_console
from benchmarks.steps import ROOMS

OUTER = ("While", "If", "Call")  # kernels that contain others
FIRST = 7  # kinds of kernels that are named


@dataclass(frozen=True)
class Config:
    """Profiles a step of every room; prints a table."""

    steps: int = 5
    """That are profiled."""


def best_of(count, run):
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def limits():
    """What the machine can do: (operations, bytes) a second."""
    side, numbers = 2048, 2**26
    factor, values = tf.random.normal((side, side)), tf.zeros(numbers)
    product, copy = tf.function(lambda: factor @ factor), tf.function(lambda: values + 1)
    operations = 2 * side**3 / best_of(6, product)
    return operations, 2 * values.dtype.size * numbers / best_of(6, copy)


def work(step):
    """Operations of the convolutions and matrix products of a step, which is run eagerly."""
    found = 0

    def count(kind, inputs, attributes, outputs, *_):
        nonlocal found
        found += 2 * multiplications(tf.compat.as_str(kind), inputs, attributes, outputs)

    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(count)
    step()
    op_callbacks.remove_op_callback(count)
    tf.config.run_functions_eagerly(False)
    return found


def multiplications(kind, inputs, attributes, outputs):
    """Of a convolution, the gradient of one, or a product of matrices; 0 of all else."""
    if kind in ("MatMul", "BatchMatMulV2"):
        named = dict(zip(attributes[::2], attributes[1::2], strict=True))
        turned = named["transpose_a" if kind == "MatMul" else "adj_x"]
        return prod(outputs[0].shape) * inputs[0].shape[-2 if turned else -1]
    if not kind.startswith(("Conv2D", "DepthwiseConv2dNative")):
        return 0
    kernel = (outputs[0] if kind.endswith("Filter") else inputs[1]).shape
    maps = inputs[2] if "Backprop" in kind else outputs[0]  # of the convolution itself
    return prod(maps.shape) * prod(kernel[: 2 if kind.startswith("Depthwise") else 3])


def kernels(folder):
    """Seconds of each type of kernel in a profile: a `Counter`."""
    (path,) = Path(folder).rglob("*.xplane.pb")
    found, space = Counter(), xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        if not plane.name.startswith("/host:CPU"):
            continue
        for event in (event for line in plane.lines for event in line.events):
            name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            kind = kind.removeprefix("_").removeprefix("MklNative").removeprefix("Mkl")
            inner = name and not name.endswith(":") and not kind.endswith(OUTER)
            if inner and kind.isidentifier():
                found[kind] += event.duration_ps / 1e12
    return found


def main(config):
    console = open_console("tensorflow", "keras")
    set_up(deterministic=False)
    operations, moved = limits()
    console.print(
        f"{operations / 1e9:.0f} GFLOP a second in a product of matrices, "
        f"{moved / 1e9:.0f} GB a second of memory read and written"
    )
    table = new_table(
        "a step", "ms", "GFLOP", "GFLOP a second", "share of the kernels' time, %"
    )
    for room, build in ROOMS.items():
        model, batch = build()
        step = tf.function(model.train_step)
        step(batch)
        seconds = best_of(config.steps, lambda: step(batch))
        with tempfile.TemporaryDirectory() as folder:
            with tf.profiler.experimental.Profile(folder):
                for _ in range(config.steps):
                    step(batch)
            found = kernels(folder)
        done = work(lambda: model.train_step(batch))
        shares = (
            f"{kind} {100 * spent / found.total():.0f}"
            for kind, spent in found.most_common(FIRST)
        )
        table.add_row(
            room,
            f"{1e3 * seconds:.0f}",
            f"{done / 1e9:.1f}",
            f"{done / seconds / 1e9:.0f}",
            ", ".join(shares),
        )
    console.print(table)


if __name__ == "__main__":
    main(tyro.cli(Config))
