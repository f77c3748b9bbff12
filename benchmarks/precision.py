"""A training step in bfloat16 and float16 as a ratio to float32, in every room.

    python -m benchmarks.precision        about 10 minutes on 2 cores

Networks and batches are those of the built-in runs. The precisions take turns; the fastest
step of each counts.
"""

import math
import time
from dataclasses import dataclass

from keras_gans.training.device import set_up

import tensorflow as tf
import tyro

from benchmarks.common import new_table, open_console
from benchmarks.steps import ROOMS
from keras_gans.training.precision import POLICIES, built_in

PRECISIONS = ("float32", *POLICIES)


@dataclass(frozen=True)
class Config:
    """Times a step in each precision; prints a table."""

    turns: int = 5
    """Steps of each precision."""


def main(config):
    console = open_console("tensorflow", "keras")
    set_up(deterministic=False)
    table = new_table("step", "float32, s", *(f"{name}, ratio" for name in POLICIES))
    for name, room in ROOMS.items():
        steps = {}
        for precision in PRECISIONS:
            model, batch = built_in(precision, room)
            steps[precision] = tf.function(model.train_step), batch
        best = dict.fromkeys(PRECISIONS, math.inf)
        for _ in range(config.turns + 1):  # the first traces
            for precision, (step, batch) in steps.items():
                start = time.perf_counter()
                step(batch)
                best[precision] = min(best[precision], time.perf_counter() - start)
        ratios = (f"{best[half] / best['float32']:.1f}" for half in POLICIES)
        table.add_row(name, f"{best['float32']:.2f}", *ratios)
    console.print(table)


if __name__ == "__main__":
    main(tyro.cli(Config))
