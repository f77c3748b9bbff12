"""Speed and memory of DefectGAN beside its peers, measured in one run on this machine.

    python benchmarks/defectgan.py            6 minutes on 2 cores
    python benchmarks/defectgan.py --quick    some less, figures for orientation
    python benchmarks/defectgan.py --full     hours; up to 4 GB for each of 6 rows in training

Prints one table: a training step of batch 1; the defects of one image of 256x256 pixels, found
by DefectGAN and by the baselines of the paper's table V; the generator alone on that image; one
image of 4096x4096 pixels. Look at the ratios: milliseconds are those of this machine on this
day. PyTorch (`pip install -e .[benchmark]`) may be missing.

Every row is a process of its own that sees all cores. The processes of a section live at the
same time and take turns, so that what else the machine does meets all alike; a figure is the
median of the turns. A turn excludes loading, compilation and the first call.
"""

import importlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import (
    CORES,
    add_section,
    fastest,
    import_tensorflow,
    main_or_task,
    measure,
    new_table,
    open_console,
    prepare_folder,
    share_of_waiting,
    shortened,
    steps_for_two_seconds,
    tflite_runner,
    times,
)

SIZES = {
    "reduced": dict(channels=1, width=16, blocks=4),
    "paper": dict(channels=3, width=64, blocks=9),
}
CROP = {"reduced": 128, "paper": 256}
PARAMETERS = {"cleaner": 11_378_179, "clean_critic": 2_764_737}  # at the paper's size
NETWORKS = ("cleaner", "defecter", "clean_critic", "defect_critic")
PAPERS_MS = {"DefectGAN": 41.10, "SegNet": 39.09, "CAM": 269.6}  # table V, CCSD-NL
TILE, LARGE = 256, 4096


@dataclass(frozen=True)
class Config:
    """Measures DefectGAN and its peers; prints a table."""

    full: bool = False
    """Training and the large image at the paper's size: 64 filters and 9 residual blocks, on
    crops of 256x256 in colour, instead of 16 filters and 4 blocks on 128x128 in grey."""
    turns: int = 5
    """Measurements of every row."""
    quick: bool = False
    """Two turns, and without what compiles for long (XLA, torch.compile)."""


# What is measured -------------------------------------------------------------------------


def train_keras(folder, size, jit_compile=False, plain=False, pipeline=False):
    """`fit` on one batch that is in memory; or on the batches of train_defectgan.py."""
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    import keras

    from keras_gans.data.pipeline import step_dataset
    from keras_gans.defectgan.data import unpaired_batches
    from keras_gans.defectgan.model import DefectGAN

    networks = [keras_network(folder, size, name) for name in NETWORKS]
    if plain:
        networks = [with_group_normalization(network) for network in networks]
    gan = DefectGAN(*networks)
    optimizers = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
    gan.compile(*optimizers, jit_compile=jit_compile)
    batch = tuple(np.split(crops(size), 2))
    in_memory = tf.data.Dataset.from_tensors(batch).repeat()

    def fit(dataset, steps):
        history = gan.fit(dataset, steps_per_epoch=steps, verbose=0, shuffle=False).history
        return [history[name][0] for name in ("loss", "critic_loss")]

    losses = third_losses(lambda: fit(in_memory, 1))
    steps = steps_for_two_seconds(lambda n: fit(in_memory, n))
    runs = {"run": lambda: fit(in_memory, steps)}
    if pipeline:
        shape = (16, 512, 512, SIZES[size]["channels"])
        ng, p = (list(random_bytes(shape)) for _ in range(2))
        batch = unpaired_batches(ng, p, CROP[size], batch_size=1, seed=0)
        batches = step_dataset(batch, 0, 10**6)
        runs["pipeline"] = lambda: fit(batches, steps)
        train = tf.function(lambda *batch: gan.train_step(batch))
        runs["waiting"] = lambda: share_of_waiting(train, batches, steps)
    return runs, {"items": steps, "losses": losses}


def train_torch(folder, size, layout="contiguous_format", compiled=False):
    """The same training step in PyTorch."""
    import torch
    from torch.nn.functional import l1_loss, softplus

    torch.set_num_threads(CORES)
    networks = [torch_network(folder, size, name, layout) for name in NETWORKS]
    generators, critics = torch.nn.ModuleList(networks[:2]), torch.nn.ModuleList(networks[2:])
    g_optimizer, d_optimizer = (
        torch.optim.Adam(pair.parameters(), 2e-4, (0.5, 0.999), eps=1e-7, fused=True)
        for pair in (generators, critics)
    )
    if compiled:
        networks = [torch.compile(network) for network in networks]
    cleaner, defecter, clean_critic, defect_critic = networks
    ng, p = torch_images(crops(size), layout).split(1)

    def step():
        critics.requires_grad_(False)
        fake_p, fake_ng = cleaner(ng), defecter(p)
        cycle = l1_loss(defecter(fake_p), ng) + l1_loss(cleaner(fake_ng), p)
        adversarial = softplus(-clean_critic(fake_p)).mean()
        adversarial = adversarial + softplus(-defect_critic(fake_ng)).mean()
        g_loss = adversarial + 10 * cycle
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()

        critics.requires_grad_(True)
        d_loss = 0
        for critic, real, fake in ((clean_critic, p, fake_p), (defect_critic, ng, fake_ng)):
            d_loss = d_loss + softplus(critic(fake.detach())).mean()
            d_loss = d_loss + softplus(-critic(real)).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        return g_loss.item(), d_loss.item()

    def train(steps):
        for _ in range(steps):
            step()

    losses = third_losses(step)
    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps, "losses": losses}


def detect_defectgan(folder, size):
    """Clean, compare, denoise, cut, dilate: one graph, from 8 bits to the mask."""
    tf = import_tensorflow(CORES)
    detect = detection_graph(keras_network(folder, size, "cleaner"), TILE)
    images = tf.constant(photo(size))
    return {"run": lambda: detect(images)["mask"].numpy()}, {}


def detect_segnet(folder, size):
    """From 8 bits to the mask, where the logit is positive."""
    tf = import_tensorflow(CORES)
    from keras_gans.defectgan.segnet import build_segnet

    network = build_segnet(SIZES[size]["channels"], SIZES[size]["width"])

    @tf.function
    def detect(images):
        return network(tf.cast(images, tf.float32) / 127.5 - 1, training=False) > 0

    images = tf.constant(photo(size))
    return {"run": lambda: detect(images).numpy()}, {}


def detect_cam(folder, size):
    """From 8 bits to the mask, by Zhou et al.'s share of the map's maximum."""
    tf = import_tensorflow(CORES)
    from keras_gans.defectgan.cam import activation_network, build_cam, cam_mask

    network = activation_network(build_cam(SIZES[size]["channels"], SIZES[size]["width"]))

    @tf.function
    def activate(images):
        return network(tf.cast(images, tf.float32) / 127.5 - 1, training=False)

    images = tf.constant(photo(size))
    return {"run": lambda: cam_mask(activate(images)[0].numpy()[0, ..., 0])}, {}


def clean_keras(folder, size):
    tf = import_tensorflow(CORES)
    network = keras_network(folder, size, "cleaner")
    clean = tf.function(lambda images: network(images, training=False))
    images = tf.constant(to_float(photo(size)))
    return {"run": lambda: some_grey_levels(clean(images).numpy())}, {}


def clean_tflite(folder, size):
    runner = tflite_runner(folder / f"{size}.tflite")
    images = to_float(photo(size))
    return {"run": lambda: some_grey_levels(runner(images=images)["cleaned"])}, {}


def clean_torch(folder, size, layout="contiguous_format", compiled=False):
    import torch

    torch.set_num_threads(CORES)
    network = torch_network(folder, size, "cleaner", layout).eval()
    if compiled:
        network = torch.compile(network)
    images = torch_images(to_float(photo(size)), layout)

    @torch.inference_mode()
    def run():
        cleaned = network(images)
        return some_grey_levels(cleaned.flip(2, 3).permute(0, 2, 3, 1).numpy())

    return {"run": run}, {}


def detect_large(folder, size, tile):
    """A single call on 4096x4096 pixels, grey, and the memory in use before it."""
    import_tensorflow(CORES)
    from keras_gans.defectgan.networks import build_generator

    generator = build_generator(**SIZES[size] | {"channels": 1})
    detect = detection_graph(generator, tile)
    images = random_bytes((1, LARGE, LARGE, 1))
    if tile < LARGE:
        detect(images[:, :tile, :tile])
    status = Path("/proc/self/status").read_text()
    before = int(status.split("VmRSS:")[1].split()[0]) / 1e3
    start = time.perf_counter()
    detect(images)["mask"].numpy()
    return {}, {"once": time.perf_counter() - start, "before": before}


TRAINING = {
    "Keras, graph": (train_keras, dict(pipeline=True)),
    "Keras, graph, Keras' own normalisation": (train_keras, dict(plain=True)),
    "Keras, XLA": (train_keras, dict(jit_compile=True)),
    "PyTorch, eager, contiguous": (train_torch, {}),
    "PyTorch, eager, channels last": (train_torch, dict(layout="channels_last")),
    "PyTorch, compiled, contiguous": (train_torch, dict(compiled=True)),
}
DETECTING = {
    "DefectGAN": (detect_defectgan, {}),
    "SegNet": (detect_segnet, {}),
    "CAM": (detect_cam, {}),
}
CLEANING = {
    "Keras, graph": (clean_keras, {}),
    "TFLite float32": (clean_tflite, {}),
    "PyTorch, eager, contiguous": (clean_torch, {}),
    "PyTorch, eager, channels last": (clean_torch, dict(layout="channels_last")),
    "PyTorch, compiled, contiguous": (clean_torch, dict(compiled=True)),
}
IN_TILES, AT_ONCE = f"DefectGAN, in tiles of {TILE}", "DefectGAN, at once"
LARGE_IMAGE = {
    IN_TILES: (detect_large, dict(tile=TILE)),
    AT_ONCE: (detect_large, dict(tile=LARGE)),
}
LONG = ("Keras, XLA", "PyTorch, compiled, contiguous")


def prepare(folder):
    """Writes what the tasks share: weights, and the generators as TFLite files."""
    import_tensorflow(CORES)
    import keras

    from keras_gans.defectgan.export import convert_generator

    keras.utils.set_random_seed(0)
    for size in SIZES:
        networks = {name: build(size, name) for name in NETWORKS}
        for name, network in networks.items():
            np.savez(weights_file(folder, size, name), *network.get_weights())
        generator = networks["cleaner"]
        model = convert_generator(generator, "float32", TILE)
        (folder / f"{size}.tflite").write_bytes(model)
    return {}, {}


def weights_file(folder, size, name):
    return folder / f"{size}-{name}.npz"


def build(size, name):
    """The network of table I or II, of random weights."""
    importlib.import_module("keras_gans.quiet")  # before what imports TensorFlow
    from keras_gans.defectgan.networks import build_discriminator, build_generator

    channels, width, blocks = SIZES[size].values()
    if name.endswith("critic"):
        return build_discriminator(channels=channels, width=width)
    return build_generator(channels=channels, width=width, blocks=blocks)


def keras_network(folder, size, name):
    network = build(size, name)
    with np.load(weights_file(folder, size, name)) as arrays:
        network.set_weights(list(arrays.values()))
    check_parameters(size, name, network.count_params())
    return network


def check_parameters(size, name, count):
    expected = PARAMETERS.get(name, count) if size == "paper" else count
    assert count == expected, f"{name} has {count} parameters, not {expected}"


def with_group_normalization(network):
    """The network with Keras' own layer in the place of our `InstanceNormalization`."""
    import keras

    from keras_gans.layers import InstanceNormalization

    def replace(layer):
        if isinstance(layer, InstanceNormalization):
            return keras.layers.GroupNormalization(
                groups=-1, epsilon=layer.epsilon, center=False, scale=False
            )
        return layer.__class__.from_config(layer.get_config())

    clone = keras.models.clone_model(network, clone_function=replace)
    clone.set_weights(network.get_weights())
    return clone


def detection_graph(generator, tile):
    import tensorflow as tf

    from keras_gans.defectgan.cleaner import Cleaner
    from keras_gans.defectgan.detection import Calibration
    from keras_gans.defectgan.detection_graph import build_detection_graph
    from keras_gans.defectgan.view import View

    cleaner = Cleaner(generator, View(tile))
    detect = build_detection_graph(cleaner, Calibration(bias=0.0, threshold=10.0))
    return tf.function(detect, input_signature=[cleaner.signature])


def torch_network(folder, size, name, layout):
    """The network of table I or II in PyTorch, with the Keras network's weights.

    Where a convolution of stride 2 pads one side only, TensorFlow takes the end and PyTorch
    the beginning. So this is the network in mirror image, for images in mirror image.

    With channels last, instances are normalised by `GroupNorm`: the gradient of
    `InstanceNorm2d` is wrong then at batch 1 (PyTorch 2.13, CPU).
    """
    import torch
    from torch import nn

    def norm(filters):
        if layout == "channels_last":
            return nn.GroupNorm(filters, filters, affine=False)
        return nn.InstanceNorm2d(filters)

    builder = torch_discriminator if name.endswith("critic") else torch_generator
    network = builder(nn, norm, **SIZES[size])
    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    with np.load(weights_file(folder, size, name)) as arrays, torch.no_grad():
        weights = [torch.from_numpy(array) for array in arrays.values()]
        for layer, kernel, bias in zip(layers, weights[::2], weights[1::2], strict=True):
            layer.weight.copy_(kernel.flip(0, 1).permute(3, 2, 0, 1))
            layer.bias.copy_(bias)
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == sum(weight.numel() for weight in weights), f"{name}: not the same network"
    check_parameters(size, name, count)
    return network.to(memory_format=getattr(torch, layout))


def torch_generator(nn, norm, channels, width, blocks):
    def normalised(layer):
        return [layer, norm(layer.out_channels), nn.ReLU(inplace=True)]

    class Residual(nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    layers = [nn.ReflectionPad2d(3), *normalised(nn.Conv2d(channels, width, 7))]
    for filters in (width, 2 * width):
        layers += normalised(nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1))
    filters = 4 * width
    for _ in range(blocks):
        first = normalised(nn.Conv2d(filters, filters, 3))
        second = normalised(nn.Conv2d(filters, filters, 3))[:-1]
        pads = nn.ReflectionPad2d(1), nn.ReflectionPad2d(1)
        layers.append(Residual(pads[0], *first, pads[1], *second))
    for filters in (4 * width, 2 * width):
        layers += normalised(
            nn.ConvTranspose2d(filters, filters // 2, 3, stride=2, padding=1, output_padding=1)
        )
    last = nn.Conv2d(width, channels, 7)
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), last, nn.Tanh())


def torch_discriminator(nn, norm, channels, width, blocks):
    layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
    for filters, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
        layers.append(nn.Conv2d(filters, 2 * filters, 4, stride=stride, padding=1))
        layers += [norm(2 * filters), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))


def torch_images(images, layout):
    """(N, H, W, C) to (N, C, H, W), in mirror image: see `torch_network`."""
    import torch

    images = torch.from_numpy(images).permute(0, 3, 1, 2).flip(2, 3)
    return images.contiguous(memory_format=getattr(torch, layout))


def crops(size):
    """One defective and one defect-free crop, float32 (2, S, S, C) in [-1, 1]."""
    return to_float(random_bytes((2, CROP[size], CROP[size], SIZES[size]["channels"])))


def photo(size):
    """uint8 (1, 256, 256, C)."""
    return random_bytes((1, TILE, TILE, SIZES[size]["channels"]))


def random_bytes(shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def to_float(images):
    return images.astype(np.float32) / 127.5 - 1


def some_grey_levels(cleaned):
    return 127.5 * cleaned[0, ::16, ::16].ravel()


def third_losses(step):
    """Losses of generators and discriminators in the third step, after two updates."""
    return [step() for _ in range(3)][-1]


# Table ------------------------------------------------------------------------------------


def add_training(table, title, processes):
    reference = reference_of(processes)
    ours = processes["Keras, graph"]

    def drift(process):
        losses, expected = process.facts["losses"], ours.facts.get("losses")
        if not expected:
            return ""
        return f"{100 * np.max(np.abs(np.divide(losses, expected) - 1)):.3f} %"

    add_rows(table, title, processes, reference, drift=drift)


def add_detecting(table, title, processes, is_papers_size):
    def papers(name):
        return times(PAPERS_MS[name] / PAPERS_MS["SegNet"])

    add_rows(table, title, processes, "SegNet", papers=papers if is_papers_size else None)


def add_cleaning(table, title, processes):
    ours = processes["Keras, graph"]

    def drift(process):
        levels, expected = process.facts["result"], ours.facts.get("result")
        if not expected:
            return ""
        return f"{np.max(np.abs(np.subtract(levels, expected))):.4f} levels"

    add_rows(table, title, processes, reference_of(processes), drift=drift)


def add_rows(table, title, processes, reference, papers=None, drift=None):
    """Adds a section; `reference` is the name of the row whose ratio is 1."""
    measured = {name: p for name, p in processes.items() if not p.problem}

    def cells(name, process):
        seconds = seconds_of(process)
        ratio = ""
        if reference in measured:
            ratio = times(seconds / seconds_of(measured[reference]))
        megabytes = process.facts["megabytes"]
        memory = f"{megabytes:.0f}"
        if "before" in process.facts:
            memory += f" (+{megabytes - process.facts['before']:.0f})"
        return (
            f"{1000 * seconds:.{0 if seconds > 0.1 else 1}f}",
            ratio,
            papers(name) if papers else "",
            drift(process) if drift else "",
            memory,
            f"{process.facts['loaded']:.0f}" if process.facts["runs"] else "",
        )

    add_section(table, title, processes, cells)


def seconds_of(process):
    return process.facts["once"] if "once" in process.facts else process.median


def reference_of(processes):
    """The faster of PyTorch, eager; where it is missing, Keras."""
    return fastest(processes, "PyTorch, eager", "Keras")


def print_waiting(console, process):
    if process.problem:
        return
    waiting = np.median(process.values["waiting"])
    longer = np.median(np.divide(process.seconds["pipeline"], process.seconds["run"])) - 1
    console.print(
        f"On the batches of train_defectgan.py instead of one in memory, {100 * waiting:.1f} % "
        f"of a step is waiting for data; fit takes {100 * longer:+.0f} % (on the same cores)."
    )


def title_of(what, side, size, channels=None):
    shape = f"{side}x{side}x{channels or SIZES[size]['channels']}"
    return f"{what}, {shape}, " + "{width} filters, {blocks} blocks".format(**SIZES[size])


def main():
    import tyro

    config = tyro.cli(Config)
    turns = 2 if config.quick else config.turns
    training, detecting, cleaning = (
        shortened(tasks, config.quick, LONG) for tasks in (TRAINING, DETECTING, CLEANING)
    )
    size = "paper" if config.full else "reduced"
    large = dict(LARGE_IMAGE)
    if config.full:
        del large[AT_ONCE]  # 64 filters on 4096x4096 pixels: beyond the memory of most

    console = open_console("keras", "tensorflow", "ai-edge-litert", "torch", "numpy")
    headings = "ms", "ratio", "paper's", "drift", "memory, MB", "ready, s"
    table = new_table("DefectGAN", *headings)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepare_folder(prepare, folder)

        def rows(tasks, title, size, turns=turns):
            return measure(tasks, folder, CORES, turns, title, {"size": size})

        trained = rows(training, "training", size)
        add_training(table, title_of("Training", CROP[size], size), trained)
        for name in SIZES:
            found = rows(detecting, f"detecting, {name}", name)
            add_detecting(table, title_of("Detection", TILE, name), found, name == "paper")
        for name in SIZES:
            cleaned = rows(cleaning, f"cleaning, {name}", name)
            add_cleaning(table, title_of("Generator", TILE, name), cleaned)
        found = rows(large, "large image", size, turns=0)
        add_rows(table, title_of("Detection", LARGE, size, channels=1), found, IN_TILES)
    table.caption = (
        "ratio: of the times; 1 is the faster of PyTorch, eager, or SegNet, or the tiles. "
        "paper's: the same of table V (GTX 1080 Ti). drift: from Keras, graph: of the losses "
        "in the third step, or of pixels in grey levels, at most. memory: peak of the process, "
        "with the libraries (+ above what it held before the image)."
    )
    console.print(table)
    print_waiting(console, trained["Keras, graph"])


if __name__ == "__main__":
    main_or_task(main, globals())
