"""Distributed training: what one and two workers do here, and on paper what many GPUs would.

    python -m benchmarks.distribute            about 3 minutes on 2 cores
    python -m benchmarks.distribute --steps 0  the calculation alone

Measured is DSCNN at the paper's size. The calculation counts, for the paper's networks and its
batch on each GPU, the multiplications of a step and the bytes that the replicas exchange.
"""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

from keras_gans.training.device import start

import keras
import numpy as np
import tensorflow as tf
import tyro
from rich.console import Console

from benchmarks.common import new_table
from keras_gans.defectgan import networks as defectgan
from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.okdgan import networks as okdgan
from keras_gans.text2image import networks as text2image
from keras_gans.training import distribute
from keras_gans.training.schedule import Schedule

SPEED = 20e12  # assumed floating-point operations a second of a GPU on such small networks
# replicas, bandwidth of the slowest link in the ring (bytes a second), seconds a collective
CLUSTERS = {
    "8 GPUs, NVLink": (8, 230e9, 30e-6),
    "64 GPUs, 8 hosts, 100 Gbit/s": (64, 12.5e9, 1e-4),
}


@dataclass(frozen=True)
class Config:
    """Times one and two workers; prints two tables."""

    steps: int = 30
    """Steps of DSCNN that are timed."""
    task: str = ""
    """For the benchmark itself: what its processes are to do."""
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


def train(config):
    """Steps a second of DSCNN, printed by the chief."""
    start(config)
    keras.utils.set_random_seed(0)
    network = build_dscnn()
    compile_dscnn(network, 1e-3)
    random = np.random.default_rng(0)
    x = tf.constant(random.uniform(0.1, 1, (128, 64, 64, 3)), tf.float32)
    y = tf.constant(random.uniform(0.1, 1, (128, 3)), tf.float32)
    times = []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter())
    )
    schedule = Schedule(128, config.steps + 1, 1)
    if distribute.team():
        distribute.train(network, lambda step: (x, y), schedule, 0, [clock])
    else:
        data = tf.data.Dataset.from_tensors((x, y)).repeat()
        network.fit(data, steps_per_epoch=schedule.steps, verbose=0, callbacks=[clock])
    if distribute.is_chief():
        print("rate", config.steps / (times[-1] - times[0]))


def rate(config, workers, threads):
    """Steps a second of so many workers with so many threads each."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    names = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    limits = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(threads))
    command = [sys.executable, "-m", "benchmarks.distribute", "--task", "train"]
    processes = []
    for number in range(workers):
        task = {"type": "worker", "index": number}
        told = {"TF_CONFIG": json.dumps({"cluster": {"worker": names}, "task": task})}
        processes.append(
            subprocess.Popen(
                [*command, "--steps", str(config.steps)], stdout=subprocess.PIPE, text=True,
                env=os.environ | limits | told,
            )
        )  # fmt: skip
    [line] = [line for line in processes[0].communicate()[0].splitlines() if "rate" in line]
    for process in processes:
        process.wait()
    return float(line.split()[1])


def measured(console, config):
    table = new_table("DSCNN, 128 patches of 64x64 a step", "steps a second")
    for title, workers, threads in (
        ("one process, 1 thread", 1, 1),
        ("one process, 2 threads", 1, 2),
        ("two workers, 1 thread each", 2, 1),
    ):
        table.add_row(title, f"{rate(config, workers, threads):.2f}")
    console.print(table)
    load = os.getloadavg()[0]
    console.print(f"load of the machine at the end: {load:.1f}, {os.cpu_count()} cores")


def main(config):
    if config.task:
        train(config)
        return
    console = Console()
    if config.steps:
        measured(console, config)
    on_paper(console)


if __name__ == "__main__":
    main(tyro.cli(Config))
