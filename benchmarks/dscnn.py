"""Speed and memory of DSCNN beside its peers, measured in one run on this machine.

    python benchmarks/dscnn.py            6 to 9 minutes on 2 cores
    python benchmarks/dscnn.py --quick    2 to 4 minutes, figures for orientation

Prints three tables: training; estimating the light of one photo of 1920x1080 pixels, with one
thread and with all cores; memory. Look at the ratios: milliseconds are those of this machine
on this day. PyTorch and OpenCV (`pip install -e .[benchmark]`) may be missing.

Every row is a process of its own that sees one core or all of them. The processes of a table
live at the same time and take turns, so that what else the machine does meets all alike; a
figure is the median of the turns. A turn excludes loading, compilation and the first call.
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import (
    CORES,
    fastest,
    import_tensorflow,
    main_or_task,
    measure,
    new_table,
    open_console,
    prepare_folder,
    saved_signature,
    share_of_waiting,
    shortened,
    steps_for_two_seconds,
    tflite_runner,
    times,
)

HEIGHT, WIDTH, PATCH = 1080, 1920, 64
L2 = 1e-4


@dataclass(frozen=True)
class Config:
    """Measures DSCNN and its peers; prints tables."""

    batch_size: int = 128
    """Patches in a training batch."""
    turns: int = 5
    """Measurements of every row."""
    quick: bool = False
    """Two turns, and without what compiles for long (XLA, torch.compile)."""


# What is measured -------------------------------------------------------------------------


def train_keras(folder, batch_size, jit_compile=False, plain=False, pipeline=False):
    """`fit` on one batch that is in memory; or on the batches of train_dscnn.py."""
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    import keras

    from keras_gans.data.pipeline import step_dataset
    from keras_gans.dscnn.config import Augmentation
    from keras_gans.dscnn.data import Patches, training_batches
    from keras_gans.dscnn.model import compile_dscnn

    network = with_keras_batch_normalization(dscnn()) if plain else dscnn()
    compile_dscnn(network, 1e-3)
    network.jit_compile = jit_compile
    rng = np.random.default_rng(0)
    patches = Patches(
        rng.integers(0, 2**16, (2048, PATCH, PATCH, 3), np.uint16),
        rng.uniform(0.3, 1, (2048, 3)).astype(np.float32),
        rng.integers(0, 2, 2048).astype(np.int32),
    )
    paper = training_batches(patches, batch_size, 0)
    data = {"run": tf.data.Dataset.from_tensors(paper(np.int64(0))).repeat()}
    if pipeline:
        augmented = training_batches(patches, batch_size, 0, Augmentation())
        for name, batch in (("paper", paper), ("augmented", augmented)):
            data[name] = step_dataset(batch, 0, 10**6)
    keras.utils.disable_interactive_logging()

    def fit(dataset, steps):
        network.fit(dataset, steps_per_epoch=steps, verbose=0, shuffle=False)

    steps = steps_for_two_seconds(lambda n: fit(data["run"], n))
    runs = {name: lambda d=dataset: fit(d, steps) for name, dataset in data.items()}
    if pipeline:
        train = network.train_on_batch
        runs["waiting, paper"] = lambda: share_of_waiting(train, data["paper"], steps)
        runs["waiting, augmented"] = lambda: share_of_waiting(train, data["augmented"], steps)
    return runs, {"items": steps * batch_size}


def train_torch(folder, batch_size, layout="channels_last", compiled=False):
    """The same training step in PyTorch."""
    import torch

    torch.set_num_threads(CORES)
    layout = getattr(torch, layout)
    network = torch_dscnn(folder).to(memory_format=layout)
    kernels = [p for p in network.parameters() if p.ndim == 4]
    others = [p for p in network.parameters() if p.ndim < 4]
    # Adam's weight decay is the gradient of an L2 penalty of half its weight
    optimizer = torch.optim.Adam(
        [{"params": kernels, "weight_decay": 2 * L2}, {"params": others}],
        eps=1e-7,
        fused=True,
    )
    run = torch.compile(network) if compiled else network
    x = torch.rand(batch_size, 3, PATCH, PATCH).to(memory_format=layout)
    y = torch.rand(batch_size, 3) + 0.3

    def train(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            p = run(x)
            sine = torch.linalg.norm(torch.linalg.cross(y, p), dim=1)
            loss = torch.rad2deg(torch.atan2(sine, (y * p).sum(dim=1))).mean()
            loss.backward()
            optimizer.step()

    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps * batch_size}


def estimate_keras(folder, threads):
    """Patches cut by NumPy, `predict`, median by NumPy."""
    import_tensorflow(threads)
    import keras

    from keras_gans.dscnn.data import cut_patches

    keras.utils.disable_interactive_logging()
    network = dscnn(folder)
    photo = np.load(folder / "photo.npy")

    def run():
        patches = cut_patches(photo, PATCH).reshape(-1, PATCH, PATCH, 3)
        return unit_median(network.predict(patches, batch_size=len(patches), verbose=0))

    return {"run": run}, {}


def estimate_saved_model(folder, threads, signature="illuminant"):
    tf = import_tensorflow(threads)
    function = saved_signature(folder / "model" / "1", signature)
    photo = tf.constant(np.load(folder / "photo.npy")[None])
    return {"run": lambda: function(images=photo)[signature].numpy()[0]}, {}


def estimate_tflite(folder, threads, precision):
    runner = tflite_runner(folder / "model" / f"dscnn-{precision}.tflite", threads)
    photo = np.load(folder / "photo.npy")[None]
    return {"run": lambda: runner(images=photo)["illuminant"][0]}, {}


def estimate_torch(folder, threads, layout="channels_last", compiled=False):
    """The same in PyTorch: patches, network, unit vectors, median."""
    import torch

    torch.set_num_threads(threads)
    layout = getattr(torch, layout)
    photo = torch.from_numpy(np.load(folder / "photo.npy"))
    rows, columns = HEIGHT // PATCH, WIDTH // PATCH
    network = torch_dscnn(folder).eval().to(memory_format=layout)
    if compiled:
        from torch._inductor import config

        config.freezing = True  # folds batch normalisation
        network = torch.compile(network)

    @torch.inference_mode()
    def run():
        grid = photo[: rows * PATCH, : columns * PATCH]
        grid = grid.reshape(rows, PATCH, columns, PATCH, 3).permute(0, 2, 4, 1, 3)
        patches = grid.reshape(-1, 3, PATCH, PATCH).contiguous(memory_format=layout)
        votes = torch.nn.functional.normalize(network(patches))
        median = votes.quantile(0.5, dim=0)  # `median` takes the lower of the middle two
        return torch.nn.functional.normalize(median, dim=0).numpy()

    return {"run": run}, {}


def estimate_statistical(folder, threads, method):
    from keras_gans.dscnn.statistical import estimate_all, grey_edge, methods

    photo = np.load(folder / "photo.npy")
    if method == "all":
        return {"run": lambda: estimate_all([photo])}, {}
    return {"run": lambda: grey_edge(photo, **methods(photo.shape)[method])}, {}


def balance_opencv(folder, threads, method):
    """OpenCV does not tell its estimate: the photo, in 8 bits, is corrected as well."""
    import cv2

    cv2.setNumThreads(threads)
    balance = getattr(cv2.xphoto, f"create{method}")()
    photo = np.round(np.load(folder / "photo.npy")[..., ::-1] * 255).astype(np.uint8)
    return {"run": lambda: balance.balanceWhite(photo)}, {}


TRAINING = {
    "Keras, graph": (train_keras, dict(pipeline=True)),
    "Keras, graph, Keras' own batch norm": (train_keras, dict(plain=True)),
    "Keras, XLA": (train_keras, dict(jit_compile=True)),
    "PyTorch, eager, channels last": (train_torch, {}),
    "PyTorch, eager, contiguous": (train_torch, dict(layout="contiguous_format")),
    "PyTorch, compiled, channels last": (train_torch, dict(compiled=True)),
}
ESTIMATING = {
    "TFLite float32": (estimate_tflite, dict(precision="float32")),
    "TFLite float16": (estimate_tflite, dict(precision="float16")),
    "TFLite int8": (estimate_tflite, dict(precision="int8")),
    "Keras, predict": (estimate_keras, {}),
    "SavedModel": (estimate_saved_model, {}),
    "SavedModel, and correction": (estimate_saved_model, dict(signature="corrected")),
    "PyTorch, eager, channels last": (estimate_torch, {}),
    "PyTorch, eager, contiguous": (estimate_torch, dict(layout="contiguous_format")),
    "PyTorch, compiled, channels last": (estimate_torch, dict(compiled=True)),
    "grey-world": (estimate_statistical, dict(method="grey-world")),
    "white-patch": (estimate_statistical, dict(method="white-patch")),
    "shades-of-grey": (estimate_statistical, dict(method="shades-of-grey")),
    "general-grey-world": (estimate_statistical, dict(method="general-grey-world")),
    "grey-edge-1": (estimate_statistical, dict(method="grey-edge-1")),
    "grey-edge-2": (estimate_statistical, dict(method="grey-edge-2")),
    "all six, on 640x360 pixels": (estimate_statistical, dict(method="all")),
    "OpenCV SimpleWB, and correction": (balance_opencv, dict(method="SimpleWB")),
    "OpenCV GrayworldWB, and correction": (balance_opencv, dict(method="GrayworldWB")),
    "OpenCV LearningBasedWB, and correction": (
        balance_opencv,
        dict(method="LearningBasedWB"),
    ),
}
LONG = ("Keras, XLA", "PyTorch, compiled, channels last")


def dscnn(folder=None):
    """The network of table 1, of random weights or those in the folder."""
    importlib.import_module("keras_gans.quiet")  # before what imports TensorFlow
    from keras_gans.dscnn.networks import build_dscnn

    network = build_dscnn(PATCH, l2=L2)
    if folder:
        with np.load(folder / "weights.npz") as arrays:
            network.set_weights(list(arrays.values()))
    return network


def with_keras_batch_normalization(network):
    """The network with `keras.layers.BatchNormalization` in the place of our faster one."""
    import keras

    def replace(layer):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer_class = keras.layers.BatchNormalization if normalises else layer.__class__
        return layer_class.from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=replace)


def torch_dscnn(folder):
    """The network of table 1 in PyTorch, with the Keras network's weights."""
    import torch
    from torch import nn

    with np.load(folder / "weights.npz") as arrays:
        weights = iter([torch.from_numpy(array) for array in arrays.values()])

    def convolution(kernel, **kwargs):
        kernel = kernel.permute(3, 2, 0, 1).contiguous()
        layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:], **kwargs)
        layer.weight = nn.Parameter(kernel)
        return layer

    def depthwise(kernel):
        kernel = kernel.permute(0, 1, 3, 2)
        channels = kernel.shape[-1]
        layer = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        layer.weight = nn.Parameter(kernel.permute(3, 2, 0, 1).contiguous())
        return layer

    def normalisation():
        gamma, beta, mean, variance = (next(weights) for _ in range(4))
        layer = nn.BatchNorm2d(len(gamma), eps=1e-3, momentum=0.1)
        layer.weight, layer.bias = nn.Parameter(gamma), nn.Parameter(beta)
        layer.running_mean, layer.running_var = mean, variance
        return layer

    layers = []
    for _ in range(2):
        layers += [convolution(next(weights), bias=False), normalisation(), nn.ReLU()]
    size = PATCH - 4
    for _ in range(4):
        for last in (False, True):
            layers += [depthwise(next(weights)), convolution(next(weights), bias=False)]
            layers += [normalisation()] if last else [normalisation(), nn.ReLU()]
        # TensorFlow pads an even size at the end only
        even = size % 2 == 0
        layers.append(nn.MaxPool2d(3, 2, padding=0 if even else 1, ceil_mode=even))
        size = (size + 1) // 2
    colour = convolution(next(weights), padding=1)
    colour.bias = nn.Parameter(next(weights))
    return nn.Sequential(*layers, colour, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def unit_median(directions):
    votes = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    median = np.median(votes, axis=0)
    return median / np.linalg.norm(median)


def prepare(folder):
    """Writes what the tasks share: photo, weights, SavedModel and TFLite files."""
    network = dscnn()

    from keras_gans.dscnn.export import export_dscnn
    from keras_gans.dscnn.synthetic import synthetic_scenes

    scene = synthetic_scenes(1, size=(HEIGHT // 4, WIDTH // 4)).images[0]
    photo = np.asarray(scene, np.float32).repeat(4, axis=0).repeat(4, axis=1)
    np.save(folder / "photo.npy", photo)
    # weights as after training: they differ, and batch normalisation has statistics
    rng = np.random.default_rng(0)
    weights = [
        rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in network.get_weights()
    ]
    network.set_weights(weights)
    np.savez(folder / "weights.npz", *network.get_weights())
    parts = [photo[y : y + 256, x : x + 256] for y in (0, 256) for x in (0, 256, 512, 768)]
    export_dscnn(network, folder / "model", {}, parts)
    return {}, {}


# Tables -----------------------------------------------------------------------------------


def print_training(console, processes):
    table = new_table("Training, 64x64 patches", "images/s", "ratio", "ready after, s")
    reference = fastest(processes, "PyTorch", "Keras")
    for name, process in processes.items():
        if process.problem:
            table.add_row(name, process.problem)
            continue
        ratio = processes[reference].median / process.median
        ready = process.facts["loaded"]
        table.add_row(name, f"{1 / process.median:.0f}", times(ratio), f"{ready:.0f}")
    table.caption = f"ratio: to {reference}. One training step with loss, L2 penalty and Adam."
    console.print(table)

    keras = processes["Keras, graph"]
    if keras.problem:
        return
    console.print("On the batches of train_dscnn.py instead of one in memory:")
    for name, data in (("paper", "no augmentation"), ("augmented", "augmented")):
        waiting = np.median(keras.values[f"waiting, {name}"])
        longer = np.median(np.divide(keras.seconds[name], keras.seconds["run"])) - 1
        console.print(
            f"  {data}: {100 * waiting:.1f} % of a step is waiting for data; "
            f"fit takes {100 * longer:+.0f} % (on the same cores)"
        )


def print_estimating(console, columns):
    """`columns`: dict heading -> dict of processes."""
    headings = [text for name in columns for text in (f"{name}, ms", "speed")]
    table = new_table(
        f"Estimating the light of one photo, {WIDTH}x{HEIGHT}", *headings, "angle"
    )
    for name in next(iter(columns.values())):
        cells = []
        for processes in columns.values():
            process, reference = processes[name], reference_of(processes)
            if process.problem:
                cells += [process.problem, ""]
                continue
            seconds = process.median
            speed = processes[reference].median / seconds
            cells += [f"{1000 * seconds:.1f}", times(speed)]
        table.add_row(name, *cells, angle_to_keras(name, processes))
    references = " and ".join(dict.fromkeys(map(reference_of, columns.values())))
    table.caption = (
        f"speed: {references} = 1. angle: to Keras, degrees, of the same network with random "
        "weights."
    )
    console.print(table)


def print_memory(console, training, columns):
    groups = {"training": training, "estimating": list(columns.values())[-1]}  # all cores
    table = new_table(
        "Peak memory of the process", *[h for g in groups for h in (f"{g}, MB", "ratio")]
    )
    for name in {**groups["training"], **groups["estimating"]}:
        cells = []
        for processes in groups.values():
            process = processes.get(name)
            if process is None or process.problem:
                cells += ["", ""]
                continue
            megabytes = process.facts["megabytes"]
            ratio = megabytes / processes[reference_of(processes)].facts["megabytes"]
            cells += [f"{megabytes:.0f}", times(ratio)]
        table.add_row(name, *cells)
    references = " and ".join(dict.fromkeys(map(reference_of, groups.values())))
    table.caption = f"with the libraries; ratio: to {references}."
    console.print(table)


def reference_of(processes):
    """The faster of PyTorch, eager; where it is missing, Keras."""
    return fastest(processes, "PyTorch, eager", "Keras")


def angle_to_keras(name, processes):
    networks = ("TFLite", "Keras", "SavedModel", "PyTorch")
    ours = processes[name].facts.get("result")
    keras = processes["Keras, predict"].facts.get("result")
    if not ours or not keras or not name.startswith(networks):
        return ""
    sine = np.linalg.norm(np.cross(ours, keras))
    return f"{np.degrees(np.arctan2(sine, np.dot(ours, keras))):.3f}"


def main():
    import tyro

    config = tyro.cli(Config)
    turns = 2 if config.quick else config.turns
    training, estimating = (
        shortened(tasks, config.quick, LONG) for tasks in (TRAINING, ESTIMATING)
    )
    packages = "keras", "tensorflow", "ai-edge-litert", "torch", "numpy"
    console = open_console(*packages, "opencv-contrib-python-headless")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepare_folder(prepare, folder)
        trained = measure(
            training, folder, CORES, turns, "training", {"batch_size": config.batch_size}
        )
        print_training(console, trained)
        columns = {}
        for threads in sorted({1, CORES}):
            name = "one thread" if threads == 1 else f"{threads} threads"
            columns[name] = measure(
                estimating, folder, threads, turns, f"estimating, {name}", {"threads": threads}
            )
    print_estimating(console, columns)
    print_memory(console, trained, columns)


if __name__ == "__main__":
    main_or_task(main, globals())
