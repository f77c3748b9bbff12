"""Speed and memory of FR-GAN beside PyTorch, measured in one run on this machine.

    python benchmarks/frgan.py            15 to 20 minutes on 2 cores; up to 2.5 GB for each of
                                          8 rows in training
    python benchmarks/frgan.py --quick    5 to 8 minutes, figures for orientation; the paper's
                                          networks take 20 images a step instead of 100

Prints two tables: a training step, with what the term of equation 9 and the SE block cost and
how long training waits for data; classifying one image and a hundred. Both are of the paper's
sizes and of those of `train_frgan.py --reduced`. Look at the ratios: images a second are those
of this machine on this day. PyTorch (`pip install -e .[benchmark]`) may be missing.

Before, both libraries take three steps from the same weights on the same images, without noise
and dropout; nothing is measured unless they agree.

Every row is a process of its own that sees all cores. The processes of a section live at the
same time and take turns, so that what else the machine does meets all alike; a figure is the
median of the turns. A turn excludes loading, compilation and the first call.
"""

import importlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import (
    CORES,
    add_section,
    compare_libraries,
    fastest,
    import_tensorflow,
    main_or_task,
    measure,
    new_table,
    open_console,
    prepare_folder,
    rate,
    saved_signature,
    set_values,
    share_of_waiting,
    shortened,
    step_cells,
    steps_for_two_seconds,
    tflite_runner,
    times,
    torch_rows,
)

SIDE, CLASSES, LATENT = 32, 10, 100
WIDTHS = {"paper": (128, 64), "reduced": (32, 16)}  # of generator and discriminator
BATCH = {"paper": 100, "reduced": 50}
QUICK_BATCH = {"paper": 20, "reduced": 50}
PARAMETERS = {"generator": 4_959_110, "discriminator": 793_684}  # at the paper's size
LEARNING_RATE, BETA_1 = 3e-4, 0.5
GENTLE = 1e-5  # learning rate of gradient descent, from random weights without overshooting
STORED = 10_000  # images that the input pipeline draws from
FEW, MANY = 1, 100  # images that are classified at once
COMPARED = 8  # images that the comparison of the libraries trains on


@dataclass(frozen=True)
class Config:
    """Measures FR-GAN and PyTorch; prints two tables."""

    turns: int = 5
    """Measurements of every row; of steps that take more than 4 seconds, three at most."""
    quick: bool = False
    """Two turns, the paper's training step on 20 images instead of 100, and without what
    compiles for long (torch.compile)."""


# What is measured -------------------------------------------------------------------------


def train_keras(folder, size, batch, consistency=True, se=True, pipeline=False):
    """`fit` on one batch that is in memory; or on the batches of train_frgan.py."""
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    import keras

    from keras_gans.data.pipeline import step_dataset
    from keras_gans.frgan.data import Views, semi_supervised_batches
    from keras_gans.frgan.model import FRGAN
    from keras_gans.layers import initialize_from_data

    views = Views(2 if consistency else 1)
    generator, discriminator = build_networks(size, se=se)
    (labelled, labels), unlabelled = random_batch(batch, views.count)
    initialize_from_data(discriminator, labelled[:COMPARED])
    initialize_from_data(generator, random_latents(1, COMPARED)[0])
    gan = FRGAN(generator, discriminator, consistency_weight=1.0 if consistency else 0.0)
    optimizers = (keras.optimizers.Adam(LEARNING_RATE, BETA_1) for _ in range(2))
    gan.compile(*optimizers, jit_compile=False)
    batches = tf.data.Dataset.from_tensors(((labelled, labels), unlabelled)).repeat()
    if pipeline:
        images = random_bytes(STORED)
        known = np.arange(STORED // 10)
        drawn = semi_supervised_batches(images, known, known % CLASSES, batch, 0, views)
        batches = step_dataset(drawn, 0, 10**6)

    def fit(steps):
        gan.fit(batches, steps_per_epoch=steps, verbose=0, shuffle=False)

    steps = steps_for_two_seconds(fit)
    runs = {"run": lambda: fit(steps)}
    if pipeline:
        train = tf.function(lambda *batch: gan.train_step(batch))
        runs["waiting"] = lambda: share_of_waiting(train, batches, steps)
    return runs, {"items": steps * batch}


def train_torch(folder, size, batch, layout="contiguous_format", compiled=False):
    """The same training step in PyTorch."""
    import torch

    torch.set_num_threads(CORES)
    networks = torch_networks(folder, size, layout)
    step = torch_step(*networks, torch_adam, compiled)
    (labelled, labels), views = random_batch(batch)
    labelled, *views = (torch_images(images, layout) for images in (labelled, *views))
    labels = torch.from_numpy(labels)

    def latents():
        return 2 * torch.rand(batch, LATENT) - 1

    def train(steps):
        for _ in range(steps):
            step(labelled, labels, views, latents)

    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps * batch}


def classify_keras(folder, size, predict=False):
    """From 8 bits to probabilities, by a traced function or by `predict`."""
    tf = import_tensorflow(CORES)
    import keras

    from keras_gans.frgan import data

    keras.utils.disable_interactive_logging()
    network = keras_networks(folder, size)[1]
    if predict:

        def classify(images):
            logits = network.predict(to_float(images), batch_size=len(images), verbose=0)
            return tf.nn.softmax(logits)

    else:

        @tf.function(input_signature=[tf.TensorSpec([None, SIDE, SIDE, 3], tf.uint8)])
        def classify(images):
            return tf.nn.softmax(network(data.to_float(images), training=False))

    return classifying(lambda images: classify(images).numpy())


def classify_saved_model(folder, size):
    tf = import_tensorflow(CORES)
    signature = saved_signature(folder / size / "1")
    return classifying(
        lambda images: signature(images=tf.constant(images))["probabilities"].numpy()
    )


def classify_tflite(folder, size, precision):
    """The files take one image at a time."""
    runner = tflite_runner(folder / size / f"{size}-{precision}.tflite")

    def classify(images):
        floats = to_float(images)[:, None]
        return np.concatenate([runner(images=image)["probabilities"] for image in floats])

    return classifying(classify)


def classify_torch(folder, size, layout="contiguous_format", compiled=False):
    """The same in PyTorch; weight normalisation is worked out beforehand."""
    import torch
    from torch.nn.utils import parametrize

    torch.set_num_threads(CORES)
    network = torch_networks(folder, size, layout)[1].eval()
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    network.to(memory_format=getattr(torch, layout))
    if compiled:
        network = torch.compile(network, dynamic=False)

    @torch.inference_mode()
    def classify(images):
        images = torch.from_numpy(images).permute(0, 3, 1, 2)
        images = images.to(torch.float32, memory_format=getattr(torch, layout))
        return network(images.div_(127.5).sub_(1)).softmax(dim=1).numpy()

    return classifying(classify, mirror=True)


def classifying(classify, mirror=False):
    """The runs of a row: many images, and few."""
    images = random_bytes(MANY)
    if mirror:
        images = images[:, ::-1, ::-1].copy()
    runs = {
        "run": lambda: 100 * classify(images).ravel(),
        "few": lambda: classify(images[:FEW]),
    }
    return runs, {"items": MANY}


def compare(folder):
    """How far PyTorch is from what `prepare` found with Keras, of the same weights.

    Returns:
        no runs, and a dict of the largest differences: of `logits`, generated `images`, and
        `losses`, these as a share of the discriminator's loss.

    Raises:
        AssertionError: too far.
    """
    import torch

    differences = {"logits": 0.0, "images": 0.0, "losses": 0.0}
    for size in WIDTHS:
        with np.load(folder / f"{size}-expected.npz") as arrays:
            expected = dict(arrays)
        networks = torch_networks(folder, size, dropout=0.0, noise=0.0)
        generator, discriminator = (network.eval() for network in networks)
        (labelled, labels), views = random_batch(COMPARED)
        labelled, *views = (
            torch_images(images, "contiguous_format") for images in (labelled, *views)
        )
        latents = [torch.from_numpy(z) for z in random_latents(6, COMPARED)]
        with torch.inference_mode():
            generated = generator(latents[0]).flip(2, 3).permute(0, 2, 3, 1)
            found = {"logits": discriminator(labelled), "images": generated}
        found = {name: values.numpy() for name, values in found.items()}
        step = torch_step(
            generator.train(),
            discriminator.train(),
            lambda parameters: torch.optim.SGD(parameters, GENTLE),
        )
        drawn = iter(latents)
        for _ in range(3):
            found["losses"] = step(
                labelled, torch.from_numpy(labels), views, lambda: next(drawn)
            )
        whole = expected["losses"][0]
        expected["losses"] /= whole
        found["losses"] = np.divide(found["losses"], whole)
        for name, values in found.items():
            difference = float(np.max(np.abs(values - expected[name])))
            differences[name] = max(differences[name], difference)
    for name, most in (("logits", 1e-4), ("images", 1e-4), ("losses", 3e-5)):
        assert differences[name] < most, f"PyTorch's {name} differ by {differences[name]:.1e}"
    return {}, differences


OWN_BATCHES = "Keras, graph, on the script's batches"
WITHOUT_CONSISTENCY = "Keras, graph, without eq. 9"
WITHOUT_SE = "Keras, graph, without SE"
TRAINING = {
    "Keras, graph": (train_keras, {}),
    OWN_BATCHES: (train_keras, dict(pipeline=True)),
    WITHOUT_CONSISTENCY: (train_keras, dict(consistency=False)),
    WITHOUT_SE: (train_keras, dict(se=False)),
    **torch_rows(train_torch),
}
CLASSIFYING = {
    "Keras, graph": (classify_keras, {}),
    "Keras, predict": (classify_keras, dict(predict=True)),
    "SavedModel": (classify_saved_model, {}),
    "TFLite float32": (classify_tflite, dict(precision="float32")),
    "TFLite int8": (classify_tflite, dict(precision="int8")),
    **torch_rows(classify_torch),
}
LONG = "PyTorch, compiled"
AGREEMENT = (
    "PyTorch's networks have as many parameters and compute the same: of the same weights, "
    "logits within {logits:.0e}, generated images within {images:.0e}, and the losses of the "
    "third step within {losses:.0e} of their sum."
)


# Keras ------------------------------------------------------------------------------------


def prepare(folder):
    """Writes what the tasks share: weights, exported models, and what Keras computes."""
    importlib.import_module("keras_gans.quiet")
    import keras

    from keras_gans.frgan.export import export_classifier
    from keras_gans.layers import initialize_from_data

    classes = [str(label) for label in range(CLASSES)]
    for size in WIDTHS:
        keras.utils.set_random_seed(0)
        generator, discriminator = build_networks(size)
        images = random_bytes(MANY)
        initialize_from_data(discriminator, to_float(images))
        initialize_from_data(generator, random_latents(1, MANY)[0])
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            np.savez(folder / f"{size}-{name}.npz", *network.get_weights())
        np.savez(folder / f"{size}-expected.npz", **what_keras_computes(folder, size))
        export_classifier(discriminator, classes, folder / size, {}, images[:20])
    return {}, {}


def what_keras_computes(folder, size):
    """Logits, generated images, and the losses of the third step, without noise and dropout.

    The steps are plain gradient descent: what Adam does with gradients near zero depends on
    their last digits, and on where its epsilon stands.

    Returns:
        dict: `logits` (N, K); `images` (N, S, S, 3); `losses` (5,), in the order of
        `FRGAN.METRICS`.
    """
    import keras

    from keras_gans.frgan.model import FRGAN

    generator, discriminator = keras_networks(folder, size, dropout=0.0, noise=0.0)
    batch = random_batch(COMPARED)
    latents = random_latents(6, COMPARED)
    logits = discriminator(batch[0][0]).numpy()
    images = generator(latents[0]).numpy()
    gan = FRGAN(generator, discriminator)
    gan.compile(*(keras.optimizers.SGD(GENTLE) for _ in range(2)))
    drawn = iter(latents)
    gan.latents = lambda count: next(drawn)
    for _ in range(3):
        gan.reset_metrics()
        losses = gan.train_step(batch)
    losses = [float(losses[name]) for name in gan.METRICS]
    return {"logits": logits, "images": images, "losses": losses}


def build_networks(size, se=True, **settings):
    """Generator and discriminator of table 1, of random weights."""
    importlib.import_module("keras_gans.quiet")  # before what imports TensorFlow
    from keras_gans.frgan.networks import build_discriminator, build_generator

    widths = WIDTHS[size]
    generator = build_generator(SIDE, width=widths[0], latent=LATENT)
    discriminator = build_discriminator(
        SIDE, classes=CLASSES, width=widths[1], se=se, **settings
    )
    return generator, discriminator


def keras_networks(folder, size, **settings):
    """The same with the weights that `prepare` has written."""
    networks = build_networks(size, **settings)
    for name, network in zip(PARAMETERS, networks):
        with np.load(folder / f"{size}-{name}.npz") as arrays:
            network.set_weights(list(arrays.values()))
        check_parameters(size, name, network.count_params())
    return networks


def check_parameters(size, name, count):
    expected = PARAMETERS[name] if size == "paper" else count
    assert count == expected, f"the {name} has {count} parameters, not {expected}"


# PyTorch ----------------------------------------------------------------------------------


def torch_adam(parameters):
    import torch

    return torch.optim.Adam(parameters, LEARNING_RATE, (BETA_1, 0.999), eps=1e-7, fused=True)


def torch_step(generator, discriminator, optimizer, compiled=False):
    """`FRGAN.train_step` in PyTorch.

    Args:
        optimizer: function of parameters.
        compiled: whether the networks are compiled.

    Returns:
        function of (labelled, labels, views, latents), where `latents()` gives z, to the five
        losses.
    """
    import torch
    from torch.nn.functional import cross_entropy, softplus

    d_parameters = list(discriminator.parameters())
    g_optimizer = optimizer(generator.parameters())
    d_optimizer = optimizer(d_parameters)
    if compiled:  # a graph for each of the discriminator's two batch sizes
        generator = torch.compile(generator, dynamic=False)
        discriminator = torch.compile(discriminator, dynamic=False)

    def adversarial_loss(logits, real):
        logits = logits.logsumexp(dim=1)
        return softplus(-logits if real else logits).mean()

    def step(labelled, labels, views, latents):
        count = len(views[0])
        with torch.no_grad():
            generated = generator(latents())
        images = torch.cat([labelled, *views, generated])
        parts = [len(labelled)] + [count] * (len(views) + 1)
        on_labelled, *on_views, on_generated = discriminator(images).split(parts)
        supervised = cross_entropy(on_labelled, labels)
        adversarial = adversarial_loss(on_views[0], True)
        adversarial = adversarial + adversarial_loss(on_generated, False)
        difference = on_views[0].softmax(dim=1) - on_views[1].softmax(dim=1)
        consistency = difference.square().sum(dim=1).mean()
        loss = supervised + adversarial + consistency
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()
        accuracy = (on_labelled.argmax(dim=1) == labels).float().mean()

        for parameter in d_parameters:
            parameter.requires_grad_(False)
        generator_loss = adversarial_loss(discriminator(generator(latents())), True)
        g_optimizer.zero_grad()
        generator_loss.backward()
        g_optimizer.step()
        for parameter in d_parameters:
            parameter.requires_grad_(True)
        losses = loss, supervised, adversarial, consistency, generator_loss, accuracy
        return [value.item() for value in losses][:-1]

    return step


def torch_networks(folder, size, layout="contiguous_format", dropout=0.2, noise=0.037):
    """Generator and discriminator of table 1 in PyTorch, with the Keras networks' weights.

    Where a transposed convolution of stride 2 cuts one side more, TensorFlow takes the end and
    PyTorch the beginning. So these are the networks in mirror image, for images in mirror
    image.
    """
    import torch

    networks = []
    for name in PARAMETERS:
        with np.load(folder / f"{size}-{name}.npz") as arrays:
            weights = [torch.from_numpy(array) for array in arrays.values()]
        remaining = iter(weights)
        if name == "generator":
            network = torch_generator(remaining)
        else:
            network = torch_discriminator(remaining, dropout, noise)
        tensors = [*network.parameters(), *network.buffers()]
        count = sum(tensor.numel() for tensor in tensors if tensor.ndim)  # no counters
        expected = sum(weight.numel() for weight in weights)
        assert count == expected, f"the {name} has {count} parameters, not {expected}"
        check_parameters(size, name, count)
        networks.append(network.to(memory_format=getattr(torch, layout)))
    return networks


def torch_generator(weights):
    from torch import nn

    start = SIDE // 8

    def pixels_last(features):
        """(..., rows x columns x channels) to the same in PyTorch's order, mirrored."""
        maps = features.unflatten(-1, (start, start, -1)).flip(-3, -2)
        return maps.movedim(-1, -3).flatten(-3)

    def normalised(layer, order=lambda vector: vector):
        gamma, beta, mean, variance = (order(next(weights)) for _ in range(4))
        flat = isinstance(layer, nn.Linear)
        norm = (nn.BatchNorm1d if flat else nn.BatchNorm2d)(len(gamma), eps=1e-5, momentum=0.1)
        set_values(norm, weight=gamma, bias=beta, running_mean=mean, running_var=variance)
        return [layer, norm, nn.ReLU()]

    kernel = pixels_last(next(weights))
    dense = nn.Linear(*kernel.shape, bias=False)
    set_values(dense, weight=kernel.T)
    layers = normalised(dense, pixels_last)
    layers.append(nn.Unflatten(1, (-1, start, start)))
    for _ in range(2):
        layers += normalised(transposed_convolution(next(weights), bias=False))
    last = with_weight_norm(transposed_convolution(next(weights)), weights, dim=1)
    return nn.Sequential(*layers, last, nn.Tanh())


def torch_discriminator(weights, dropout, noise):
    import torch
    from torch import nn

    class GaussianNoise(nn.Module):
        def forward(self, x):
            return x + noise * torch.randn_like(x) if self.training else x

    class SqueezeExcite(nn.Sequential):
        def forward(self, x):
            return x * super().forward(x.mean(dim=(2, 3)))[:, :, None, None]

    def dense(**kwargs):
        kernel = next(weights)
        layer = nn.Linear(*kernel.shape, **kwargs)
        set_values(layer, weight=kernel.T)
        return layer

    def convolutions(count):
        for _ in range(count):
            kernel = next(weights)
            size, _, inputs, outputs = kernel.shape
            layer = nn.Conv2d(inputs, outputs, size, padding=size // 2)
            set_values(layer, weight=mirrored(kernel))
            yield with_weight_norm(layer, weights)
            yield nn.LeakyReLU(0.2)

    layers = [GaussianNoise(), nn.Dropout(dropout), *convolutions(3)]
    layers += [nn.MaxPool2d(2), nn.Dropout(dropout), *convolutions(3)]
    squeeze = dense(bias=False), nn.ReLU(), dense(bias=False), nn.Sigmoid()
    layers += [nn.MaxPool2d(2), SqueezeExcite(*squeeze), nn.Dropout(dropout)]
    layers += [*convolutions(3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, with_weight_norm(dense(), weights))


def transposed_convolution(kernel, **settings):
    from torch import nn

    size, _, outputs, inputs = kernel.shape
    layer = nn.ConvTranspose2d(
        inputs, outputs, size, stride=2, padding=2, output_padding=1, **settings
    )
    set_values(layer, weight=mirrored(kernel))
    return layer


def with_weight_norm(layer, weights, dim=0):
    """The layer, weight-normalised over all axes but `dim`; bias and lengths come next."""
    from torch.nn.utils.parametrizations import weight_norm

    set_values(layer, bias=next(weights))
    layer = weight_norm(layer, dim=dim)
    lengths = layer.parametrizations.weight
    set_values(lengths, original0=next(weights).reshape(lengths.original0.shape))
    return layer


def mirrored(kernel):
    """A kernel of TensorFlow, (H, W, A, B), as PyTorch's (B, A, H, W), in mirror image."""
    return kernel.flip(0, 1).permute(3, 2, 0, 1)


def torch_images(images, layout):
    """(N, H, W, C) to (N, C, H, W), in mirror image: see `torch_networks`."""
    import torch

    images = torch.from_numpy(images).permute(0, 3, 1, 2).flip(2, 3)
    return images.contiguous(memory_format=getattr(torch, layout))


# Images -----------------------------------------------------------------------------------


def random_batch(count, views=2):
    """((labelled float32 (B, S, S, 3), labels (B,)), views float32 (V, B, S, S, 3))."""
    images = to_float(random_bytes((views + 1) * count))
    images = images.reshape(views + 1, count, SIDE, SIDE, 3)
    return (images[0], np.arange(count) % CLASSES), images[1:]


def random_bytes(count):
    """uint8 (N, S, S, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def random_latents(times, count):
    """float32 (times, N, latent) in [-1, 1]."""
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (times, count, LATENT)).astype(np.float32)


def to_float(images):
    return images.astype(np.float32) / 127.5 - 1


# Tables -----------------------------------------------------------------------------------


def add_training(table, title, processes):
    reference = processes.get(reference_of(processes))

    def cells(name, process):
        return step_cells(rate(process.median), process, reference)

    add_section(table, title, processes, cells)


def print_costs(console, size, processes):
    """What parts of the training step cost, beside the whole."""
    whole = processes["Keras, graph"]
    if whole.problem:
        return
    costs = []
    for part, name in (("eq. 9", WITHOUT_CONSISTENCY), ("the SE block", WITHOUT_SE)):
        if not processes[name].problem:
            longer = 100 * (whole.median / processes[name].median - 1)
            costs.append(f"{part} {longer:+.0f} %")
    if costs:
        console.print(f"{size}: in the time of a step without it, {', '.join(costs)}.")
    own = processes[OWN_BATCHES]
    if not own.problem:
        waiting = 100 * np.median(own.values["waiting"])
        longer = 100 * (own.median / whole.median - 1)
        console.print(
            f"{size}: on the batches of train_frgan.py instead of one in memory, "
            f"{waiting:.1f} % of a step is waiting for data; fit takes {longer:+.0f} % "
            "(on the same cores)."
        )


def add_classifying(table, title, processes):
    reference = processes.get(reference_of(processes))
    expected = processes["Keras, graph"].facts.get("result")

    def cells(name, process):
        speeds = []
        for few in (True, False):
            seconds, others = (seconds_of(each, few) for each in (process, reference))
            speeds += [rate(seconds), times(others / seconds)]
        drift = ""
        if expected:
            drift = np.max(np.abs(np.subtract(process.facts["result"], expected)))
            drift = f"{drift:.4f}"
        megabytes, ready = process.facts["megabytes"], process.facts["loaded"]
        return *speeds, drift, f"{megabytes:.0f}", f"{ready:.0f}"

    add_section(table, title, processes, cells)


def seconds_of(process, few):
    """For an image, of few or of many at once."""
    return float(np.median(process.seconds["few"])) / FEW if few else process.median


def reference_of(processes):
    """The faster of PyTorch, eager; where it is missing, Keras."""
    return fastest(processes, "PyTorch, eager", "Keras, graph")


def title_of(size, what=""):
    generator, discriminator = WIDTHS[size]
    return f"{size}, width {discriminator} and {generator}{what}"


def main():
    import tyro

    config = tyro.cli(Config)
    turns = 2 if config.quick else config.turns
    sizes = QUICK_BATCH if config.quick else BATCH
    training, classifying = (
        shortened(tasks, config.quick, LONG) for tasks in (TRAINING, CLASSIFYING)
    )
    console = open_console("keras", "tensorflow", "ai-edge-litert", "torch", "numpy")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepare_folder(prepare, folder)
        compare_libraries(console, compare, folder, AGREEMENT)

        table = new_table(
            "FR-GAN, a training step", "images/s", "ratio", "memory, MB", "ratio", "ready, s"
        )
        trained = {}
        for size, batch in sizes.items():
            settings = {"size": size, "batch": batch}
            trained[size] = measure(
                training, folder, CORES, turns, f"training, {size}", settings
            )
            add_training(table, title_of(size, f", batch {batch}"), trained[size])
        table.caption = (
            "ratio: to the faster of PyTorch, eager. images/s: for each labelled image there "
            "are two views of an unlabelled one and two generated ones. memory: peak of the "
            "process, with the libraries."
        )
        console.print(table)
        for size, processes in trained.items():
            print_costs(console, size, processes)

        headings = [text for n in (FEW, MANY) for text in (f"{n} at once", "ratio")]
        headings += ["drift", "memory, MB", "ready, s"]
        table = new_table("FR-GAN, images classified a second", *headings)
        for size in sizes:
            title = f"classifying, {size}"
            found = measure(classifying, folder, CORES, turns, title, {"size": size})
            add_classifying(table, title_of(size), found)
        table.caption = (
            "ratio: to the PyTorch, eager, that is faster on many. drift: from Keras, graph, "
            "of probabilities in percentage points, at most, with random weights. The TFLite "
            "files take one image at a time. memory: peak of the process, with the libraries."
        )
        console.print(table)


if __name__ == "__main__":
    main_or_task(main, globals())
