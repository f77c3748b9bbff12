"""Distributed training: what one and two workers do here, and on paper what many GPUs would.

    python -m benchmarks.distribute              6 minutes at most
    python -m benchmarks.distribute --seconds 0  the calculation alone

Measured are the models of the built-in runs (DSCNN's is the paper's). Two workers on this
machine talk over the loopback: what goes over it is counted, so nothing else should. The
calculation counts, for the paper's networks and its batch on each GPU, the multiplications of a
step and the bytes that the replicas exchange.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from keras_gans.training.device import start

import keras
import numpy as np
import tensorflow as tf
import tyro
from rich.console import Console

from benchmarks.common import new_table
from benchmarks.steps import ROOMS
from keras_gans.defectgan import networks as defectgan
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.okdgan import networks as okdgan
from keras_gans.text2image import networks as text2image
from keras_gans.training import distribute
from keras_gans.training.schedule import Schedule

SPEED = 20e12  # assumed floating-point operations a second of a GPU on such small networks
LONGEST = 110  # seconds of each of the three measurements of all models
# replicas, bandwidth of the slowest link in the ring (bytes a second), seconds a collective
CLUSTERS = {
    "8 GPUs, NVLink": (8, 230e9, 30e-6),
    "64 GPUs, 8 hosts, 100 Gbit/s": (64, 12.5e9, 1e-4),
}


@dataclass(frozen=True)
class Config:
    """Times one and two workers; prints two tables."""

    seconds: float = 5.0
    """For which each model is trained by one thread; two workers do as many steps. 0 leaves
    the measurement out."""
    task: str = ""
    """For the benchmark itself: what its processes are to do, and how many steps."""
    steps: tuple[int, ...] = ()
    replicas: int = 1


@dataclass(frozen=True)
class Step:
    """A training step of the paper on one GPU.

    Attributes:
        batch: images.
        passes: (network, how often an image of the batch goes through forward and how often
            backward, in passes) of each network; a pass backward costs two forward.
        copies: of each network (students).
    """

    batch: int
    passes: list
    copies: int = 1

    @property
    def operations(self):
        each = sum(operations(net) * (ahead + 2 * back) for net, ahead, back in self.passes)
        return self.batch * self.copies * each

    @property
    def bytes(self):
        """Of the gradients."""
        variables = [v for net, *_ in self.passes for v in net.trainable_variables]
        return 4 * self.copies * sum(int(np.prod(v.shape)) for v in variables)

    @property
    def collectives(self):
        """Gradients of each network, the figures, and each batch norm forward and backward.

        A network is called at most three times a step, each time with images of one kind.
        """
        norms = sum(
            2 * min(3, round(ahead)) * isinstance(layer, keras.layers.BatchNormalization)
            for net, ahead, _ in self.passes
            for layer in net.layers
        )
        return len(self.passes) + 1 + self.copies * norms


def operations(network):
    """Floating-point operations of a pass forward of one image, of its convolutions."""
    found = 0
    for layer in network.layers:
        kernels = [v for v in layer.weights if len(v.shape) in (2, 4) and "kernel" in v.name]
        if not kernels:
            continue
        shape = layer.input.shape if "transpose" in layer.name else layer.output.shape
        places = int(np.prod([side or 1 for side in shape[1:-1]]))
        found += 2 * places * sum(int(np.prod(v.shape)) for v in kernels)
    return found


def paper():
    """The five steps at the papers' sizes."""
    image = keras.Input((256, 256, 3))  # theirs have any size
    generator, critic = (
        keras.models.clone_model(network, input_tensors=image)
        for network in (defectgan.build_generator(), defectgan.build_discriminator())
    )
    words = text2image.build_generator()
    drawn = 13  # words of a sentence in the mean, assumed
    return {
        "DSCNN": Step(128, [(build_dscnn(), 1, 1)]),
        # translations and cycles; critics on the generators' images, then on four kinds
        "DefectGAN": Step(1, [(generator, 2, 2), (critic, 3, 3)], copies=2),
        "FR-GAN": Step(100, [(frgan.build_generator(), 2, 1),
                             (frgan.build_discriminator(), 5, 5)]),
        # three students; critics with the slopes of slopes, connectors with theirs
        "OKD-SAGAN": Step(25, [(okdgan.build_generator(), 1, 1), (okdgan.build_critic(), 5, 6),
                               (okdgan.build_critic(), 5, 6)], copies=3),
        "text to image": Step(64, [(words, drawn, drawn),
                                   (text2image.build_discriminator(), 3 * drawn, 3 * drawn)]),
    }  # fmt: skip


def on_paper(console):
    table = new_table(
"On paper: efficiency with the paper's batch on each GPU",
        "GFLOP a step", "MB a step", "collectives", *CLUSTERS, "bottleneck",
    )  # fmt: skip
    for name, step in paper().items():
        compute, cells = step.operations / SPEED, []
        for count, bandwidth, latency in CLUSTERS.values():
            ring = 2 * (count - 1) / count * step.bytes / bandwidth
            waits = step.collectives * latency
            cells.append(f"{compute / (compute + ring + waits):.0%}")
        table.add_row(
            name, f"{step.operations / 1e9:.0f}", f"{step.bytes / 1e6:.1f}",
            str(step.collectives), *cells, "gradients" if ring > waits else "latency",
        )  # fmt: skip
    console.print(table)


# Measured -----------------------------------------------------------------------------------


class Clock(keras.callbacks.Callback):
    """Times the steps after the first, which traces, and what goes over the loopback by then.

    Args:
        seconds: after which the training is ended; `None` for its own end.
    """

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.seen = seconds, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((time.perf_counter(), sent()))
        if self.seconds and self.seen[-1][0] > self.seen[0][0] + self.seconds:
            self.model.stop_training = True

    @property
    def figures(self):
        """Steps, steps a second and bytes a step."""
        steps = len(self.seen) - 1
        seconds, count = np.subtract(self.seen[-1], self.seen[0])
        return steps, steps / seconds, count / steps


def sent():
    """Bytes that went over the loopback since the machine started; 0 where none tells."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return 0
    return next((int(each.split()[9]) for each in lines if each.split()[0] == "lo:"), 0)


def train(config):
    """Trains all models for some steps; the chief prints a line of each."""
    start(config)
    tf.config.experimental.enable_op_determinism()  # as the scripts do
    for name, steps in itertools.zip_longest(ROOMS, config.steps):
        if distribute.team() and steps is None:  # one thread was not done in time
            break
        keras.utils.set_random_seed(0)
        model, batch = ROOMS[name]()
        batch = tf.nest.map_structure(lambda each: each[: len(each) // 2 * 2], batch)
        if distribute.team():
            clock = Clock(None)
            schedule = Schedule(2, steps + 1, 1)
            distribute.train(model, lambda step, batch=batch: batch, schedule, 0, [clock])
        else:
            clock = Clock(config.seconds)
            data = tf.data.Dataset.from_tensors(batch).repeat()
            model.fit(data, steps_per_epoch=10**6, verbose=0, shuffle=False, callbacks=[clock])
        if distribute.is_chief():
            print("measured", *clock.figures, flush=True)


def rates(config, workers, threads, steps=()):
    """Of each model (steps, steps a second, bytes a step), with so many workers and threads.

    Those that are not done within `LONGEST` are left out.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    names = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    limits = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(threads))
    command = [sys.executable, "-m", "benchmarks.distribute", "--task", "train"]
    command += ["--seconds", str(config.seconds), "--steps", *map(str, steps)]
    processes = []
    for number in range(workers):
        task = {"type": "worker", "index": number}
        told = {"TF_CONFIG": json.dumps({"cluster": {"worker": names}, "task": task})}
        processes.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env=os.environ | limits | told
            )
        )
    late = threading.Timer(LONGEST, lambda: [process.kill() for process in processes])
    late.start()
    lines = processes[0].communicate()[0].splitlines()
    for process in processes:
        process.wait()
    late.cancel()
    lines = [line.split() for line in lines if line.startswith("measured")]
    return [(int(steps), float(rate), float(count)) for _, steps, rate, count in lines]


def measured(console, config):
    table = new_table(
        "Steps a second, at the size of the built-in runs", "1 thread", "2 threads",
        "2 workers, 1 thread each", "workers / threads", "MB sent a worker and step",
    )  # fmt: skip
    one = rates(config, 1, 1)
    two = rates(config, 1, 2)
    workers = rates(config, 2, 1, [each[0] for each in one])
    for name, *each in itertools.zip_longest(ROOMS, one, two, workers):
        cells = ["-" if found is None else f"{found[1]:.2f}" for found in each]
        if None not in each:
            cells += [f"{each[2][1] / each[1][1]:.2f}", f"{each[2][2] / 2e6:.1f}"]
        table.add_row(name, *cells)
    console.print(table)
    load = os.getloadavg()[0]
    console.print(f"load of the machine at the end: {load:.1f}, {os.cpu_count()} cores")


def main(config):
    if config.task:
        train(config)
        return
    console = Console()
    if config.seconds:
        measured(console, config)
    on_paper(console)


if __name__ == "__main__":
    main(tyro.cli(Config))
