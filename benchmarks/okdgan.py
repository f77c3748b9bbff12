"""Speed and memory of OKD-SAGAN beside PyTorch, measured in one run on this machine.

    python benchmarks/okdgan.py            25 to 60 minutes on 2 cores; up to 4 GB for each of
                                           8 rows in training
    python benchmarks/okdgan.py --quick    13 minutes, figures for orientation

The paper's networks take 10 images a step, with --quick 4, and not the paper's 25: with these
three students alone take 6 GB.

Prints two tables: a training step of SAGAN alone and of three students with their connectors;
and generating one image and a hundred. Both are of the paper's sizes and of those of
`train_okdgan.py --reduced`, but with spectral normalisation in all networks. Below the first
stands what self-attention costs, how long training waits for data, and what a step of 2, 3 and
5 students costs beside as many steps of SAGAN and of a connector. Look at the ratios: the
seconds are those of this machine on this day. PyTorch
(`pip install -e .[benchmark]`) may be missing; its compiler cannot differentiate twice, as the
gradient penalty needs it, so that it takes part in generating alone.

Before, both libraries take three steps of three students from the same weights, latents and
interpolations; nothing is measured unless they agree.

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

SIDE, LATENT = 64, 128
WIDTHS = {"paper": 64, "reduced": 16}
ATTENTION = {"paper": (32,), "reduced": (8,)}  # sides of the maps that have it
BATCH = {"paper": 10, "reduced": 25}
QUICK_BATCH = {"paper": 4, "reduced": 25}
PARAMETERS = {"generator": 3_811_204, "critic": 2_769_858}  # trainable, at the paper's size
RATES = (1e-4, 4e-4, 5e-5)  # of generators, critics, connectors
RHO, PENALTY = 0.1, 10.0
STUDENTS = (2, 3, 5)
GENTLE = 1e-3  # learning rate of gradient descent, from random weights without overshooting
STORED = 2642  # crops that the input pipeline draws from
FEW, MANY = 1, 100  # images that are generated at once
COMPARED, STEPS = 4, 3  # images and steps of the comparison of the libraries
GAMMA = 0.5  # of self-attention in the comparison; at the 0 of the start it would not show


@dataclass(frozen=True)
class Config:
    """Measures OKD-SAGAN and PyTorch; prints two tables."""

    turns: int = 5
    """Measurements of every row; of steps that take more than 4 seconds, three at most."""
    quick: bool = False
    """Two turns, the paper's training step on 4 images instead of 10, and without what
    compiles for long (torch.compile)."""


# What is measured -------------------------------------------------------------------------


def train_keras(folder, size, batch, students=0, attention=True, pipeline=False):
    """`fit` on one batch that is in memory; or on the batches of train_okdgan.py.

    Args:
        students: 0 for SAGAN alone.
    """
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    from keras_gans.data.pipeline import step_dataset
    from keras_gans.okdgan.data import crop_batches

    gan = keras_gan(size, students, attention)
    gan.compile(*keras_adams()[: 3 if students else 2], jit_compile=False)
    data = tf.data.Dataset.from_tensors(random_images(batch)).repeat()
    if pipeline:
        data = step_dataset(crop_batches(random_bytes(STORED), batch, seed=0), 0, 10**6)

    def fit(steps):
        gan.fit(data, steps_per_epoch=steps, verbose=0, shuffle=False)

    steps = steps_for_two_seconds(fit)
    runs = {"run": lambda: fit(steps)}
    if pipeline:
        train = tf.function(lambda images: gan.train_step(images))
        tuples = data.map(lambda images: (images,))
        runs["waiting"] = lambda: share_of_waiting(train, tuples, steps)
    return runs, {"items": steps}


def connect_keras(folder, size, batch):
    """The update of one connector."""
    tf = import_tensorflow(CORES)
    import keras

    from keras_gans.okdgan.distillation import advance_spectral_norms
    from keras_gans.okdgan.gan import wgan_gp_loss

    connector = build_networks(size)[1]
    optimizer = keras_adams()[2]
    optimizer.build(connector.trainable_variables)
    seeds = keras.random.SeedGenerator(0)
    images = tf.constant(random_images(batch)), tf.constant(random_images(batch)[::-1])

    @tf.function
    def step():
        advance_spectral_norms([connector])
        with tf.GradientTape() as tape:
            loss, _ = wgan_gp_loss(connector, *images, PENALTY, seeds)
        variables = connector.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def train(steps):
        for _ in range(steps):
            loss = step()
        loss.numpy()

    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps}


def train_torch(folder, size, batch, students=0, layout="contiguous_format"):
    """The same training step in PyTorch."""
    import torch

    torch.set_num_threads(CORES)
    networks = torch_networks(folder, size, layout)
    kinds = [list(kind[: students or 1]) for kind in networks]
    step = torch_step(*kinds, torch_adam, bool(students))
    images = torch_images(random_images(batch), layout)

    def latents():
        return torch.randn(batch, LATENT)

    def train(steps):
        for _ in range(steps):
            step(images, latents, lambda: torch.rand(batch, 1, 1, 1))

    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps}


def generate_keras(folder, size, predict=False):
    """From z to 8 bits, by a traced function or by `predict`."""
    tf = import_tensorflow(CORES)
    import keras

    keras.utils.disable_interactive_logging()
    generator = keras_students(folder, size)[0].generator

    def to_bytes(images):
        return tf.cast(tf.round((images + 1) * 127.5), tf.uint8)

    if predict:

        def generate(z):
            return to_bytes(generator.predict(z, batch_size=len(z), verbose=0))

    else:

        @tf.function(input_signature=[tf.TensorSpec([None, LATENT])])
        def generate(z):
            return to_bytes(generator(z, training=False))

    return generating(lambda z: generate(z).numpy())


def generate_saved_model(folder, size):
    tf = import_tensorflow(CORES)
    signature = saved_signature(folder / size / "1")
    return generating(lambda z: signature(z=tf.constant(z))["images"].numpy())


def generate_tflite(folder, size, precision):
    """The files make one image at a time."""
    runner = tflite_runner(folder / size / f"{size}-{precision}.tflite")
    return generating(lambda z: np.concatenate([runner(z=row[None])["images"] for row in z]))


def generate_torch(folder, size, layout="contiguous_format", compiled=False):
    """The same in PyTorch; sigma is worked out beforehand."""
    import torch

    torch.set_num_threads(CORES)
    network = torch_networks(folder, size, layout)[0][0].eval()
    divide_by_sigma(network)
    if compiled:
        network = torch.compile(network, dynamic=False)

    @torch.inference_mode()
    def generate(z):
        images = network(torch.from_numpy(z)).add(1).mul(127.5).round().to(torch.uint8)
        return images.permute(0, 2, 3, 1).contiguous().numpy()

    return generating(generate)


def generating(generate):
    """The runs of a row: many images, and few."""
    z = random_latents(1, MANY)[0]
    runs = {
        "run": lambda: generate(z)[:FEW].ravel().astype(float),
        "few": lambda: generate(z[:FEW]),
    }
    return runs, {"items": MANY}


def compare(folder):
    """How far PyTorch is from what `prepare` found with Keras, of the same weights.

    Returns:
        no runs, and a dict of the largest differences: of the scores of the `critic`, of
        generated `images`, and of the `losses`, each as a share of the largest value.

    Raises:
        AssertionError: too far.
    """
    import torch

    differences = {"critic": 0.0, "images": 0.0, "losses": 0.0}
    for size in WIDTHS:
        with np.load(folder / f"{size}-expected.npz") as arrays:
            expected = dict(arrays)
        networks = torch_networks(folder, size, gamma=GAMMA)
        real = torch_images(random_images(COMPARED), "contiguous_format")
        latents = [torch.from_numpy(z) for z in random_latents(STEPS, COMPARED)]
        epsilon = torch.from_numpy(interpolation(COMPARED))
        generators, critics, connectors = networks
        with torch.no_grad():
            images = generators[0].eval()(latents[0]).permute(0, 2, 3, 1)
            found = {"critic": critics[0](real), "images": images}
        found = {name: values.numpy() for name, values in found.items()}
        generators[0].train()
        step = torch_step(
            generators, critics, connectors,
            lambda parameters, rate: torch.optim.SGD(parameters, GENTLE), True,
        )  # fmt: skip
        drawn = iter(latents)
        for _ in range(STEPS):
            found["losses"] = step(real, lambda: next(drawn), lambda: epsilon)
        for name, values in found.items():
            difference = np.max(np.abs(values - expected[name]))
            share = float(difference / np.max(np.abs(expected[name])))
            differences[name] = max(differences[name], share)
    for name, difference in differences.items():
        assert difference < 1e-4, f"PyTorch's {name} differ by {difference:.1e}"
    return {}, differences


SINGLE, THREE = "Keras, SAGAN alone", "Keras, three students"
CONNECTOR = "Keras, a connector"
OWN_BATCHES = "Keras, SAGAN, on the script's batches"
WITHOUT_ATTENTION = "Keras, SAGAN without self-attention"
LAST = dict(layout="channels_last")
TRAINING = {
    SINGLE: (train_keras, {}),
    "PyTorch, SAGAN alone, contiguous": (train_torch, {}),
    "PyTorch, SAGAN alone, channels last": (train_torch, LAST),
    OWN_BATCHES: (train_keras, dict(pipeline=True)),
    WITHOUT_ATTENTION: (train_keras, dict(attention=False)),
    THREE: (train_keras, dict(students=3)),
    "PyTorch, three students, contiguous": (train_torch, dict(students=3)),
    "PyTorch, three students, channels last": (train_torch, LAST | dict(students=3)),
}
COST = {
    SINGLE: (train_keras, {}),
    CONNECTOR: (connect_keras, {}),
    **{f"Keras, {n} students": (train_keras, dict(students=n)) for n in STUDENTS},
}
GENERATING = {
    "Keras, graph": (generate_keras, {}),
    "Keras, predict": (generate_keras, dict(predict=True)),
    "SavedModel": (generate_saved_model, {}),
    "TFLite float32": (generate_tflite, dict(precision="float32")),
    "TFLite float16": (generate_tflite, dict(precision="float16")),
    **torch_rows(generate_torch),
}
LONG = "PyTorch, compiled"
AGREEMENT = (
    "PyTorch's networks have as many parameters and compute the same: of the same weights, "
    "scores within {critic:.0e}, generated images within {images:.0e} and the losses of the "
    "third step of three students within {losses:.0e} of the largest."
)


# Keras ------------------------------------------------------------------------------------


def prepare(folder):
    """Writes what the tasks share: weights, exported models, and what Keras computes."""
    importlib.import_module("keras_gans.quiet")
    import keras

    from keras_gans.export.generator import export_generator

    for size in WIDTHS:
        keras.utils.set_random_seed(0)
        gans = keras_gan(size, max(STUDENTS))
        for kind in ("generators", "critics", "connectors"):
            for number, network in enumerate(getattr(gans, kind)):
                np.savez(folder / f"{size}-{kind}-{number}.npz", *network.get_weights())
        np.savez(folder / f"{size}-expected.npz", **what_keras_computes(folder, size))
        export_generator(gans.generators[0], folder / size, {}, "normal")
    return {}, {}


def what_keras_computes(folder, size):
    """Scores, generated images, and the losses of the third step of three students.

    The steps are plain gradient descent: what Adam does with gradients near zero depends on
    their last digits, and on where its epsilon stands.

    Returns:
        dict: `critic` (N, 1); `images` (N, S, S, 3); `losses`, in the order of
        `OnlineDistillation`.
    """
    import keras

    from keras_gans.okdgan.distillation import OnlineDistillation

    networks = keras_networks(folder, size, gamma=GAMMA)
    gans = OnlineDistillation(*networks, RHO, PENALTY)
    latents, images = random_latents(STEPS, COMPARED), random_images(COMPARED)
    first = gans.students[0]
    found = {
        "critic": first.critic(images).numpy(),
        "images": first.generator(latents[0], training=False).numpy(),
    }
    gans.compile(*(keras.optimizers.SGD(GENTLE) for _ in range(3)))
    drawn = iter(latents)
    first.sample_latents = lambda batch: next(drawn)
    uniform = keras.random.uniform
    keras.random.uniform = lambda *_, **__: interpolation(COMPARED)
    for _ in range(STEPS):
        gans.reset_metrics()
        losses = gans.train_step(images)
    keras.random.uniform = uniform
    return found | {"losses": [float(loss) for loss in losses.values()]}


def keras_gan(size, students, attention=True):
    """SAGAN alone, or students and connectors, of random weights."""
    from keras_gans.okdgan.distillation import OnlineDistillation
    from keras_gans.okdgan.sagan import SAGAN

    gans = [
        SAGAN(*build_networks(size, attention), PENALTY, seed=number)
        for number in range(students or 1)
    ]
    if not students:
        return gans[0]
    connectors = [build_networks(size, attention)[1] for _ in gans]
    return OnlineDistillation(gans, connectors, RHO, PENALTY)


def build_networks(size, attention=True):
    """Generator and critic, of random weights."""
    importlib.import_module("keras_gans.quiet")  # before what imports TensorFlow
    from keras_gans.okdgan.networks import build_critic, build_generator

    options = SIDE, 3, WIDTHS[size]
    sides = ATTENTION[size] if attention else ()
    networks = (
        build_generator(*options, LATENT, attention=sides),
        build_critic(*options, attention=sides),
    )
    for name, network in zip(PARAMETERS, networks):
        count = sum(np.prod(weight.shape) for weight in network.trainable_weights)
        if size == "paper" and attention:
            expected = PARAMETERS[name]
            assert count == expected, f"the {name} has {count} parameters, not {expected}"
    return networks


def keras_students(folder, size, count=1):
    """SAGANs with the weights that `prepare` has written."""
    from keras_gans.okdgan.sagan import SAGAN

    gans = []
    for number in range(count):
        networks = build_networks(size)
        for kind, network in zip(("generators", "critics"), networks):
            network.set_weights(stored_weights(folder, size, kind, number))
        gans.append(SAGAN(*networks, PENALTY))
    return gans


def keras_networks(folder, size, gamma, count=3):
    """Students and connectors with the weights that `prepare` has written."""
    students = keras_students(folder, size, count)
    connectors = []
    for number in range(count):
        connectors.append(build_networks(size)[1])
        connectors[-1].set_weights(stored_weights(folder, size, "connectors", number))
    for network in (*(n for s in students for n in (s.generator, s.critic)), *connectors):
        for layer in network.layers:
            if hasattr(layer, "gamma") and layer.gamma.shape == ():
                layer.gamma.assign(gamma)
    return students, connectors


def stored_weights(folder, size, kind, number):
    with np.load(folder / f"{size}-{kind}-{number}.npz") as arrays:
        return list(arrays.values())


def keras_adams():
    import keras

    return [keras.optimizers.Adam(rate, 0.0, 0.9) for rate in RATES]


# PyTorch ----------------------------------------------------------------------------------


def torch_adam(parameters, rate):
    import torch

    return torch.optim.Adam(parameters, rate, (0.0, 0.9), eps=1e-7, fused=True)


def torch_step(generators, critics, connectors, optimizer, distill):
    """`OnlineDistillation.train_step` in PyTorch, or, of one network each, `SAGAN.train_step`.

    Args:
        generators, critics, connectors: lists of networks.
        optimizer: function of parameters and learning rate.
        distill: whether there are connectors.

    Returns:
        function of (real, latents, epsilon), where `latents()` gives z and `epsilon()` the
        interpolation, to the losses.
    """
    import torch

    connectors = connectors if distill else []

    def parameters_of(networks):
        return [parameter for network in networks for parameter in network.parameters()]

    kinds = generators, critics, connectors
    optimizers = [optimizer(parameters_of(kind), rate)
                  for kind, rate in zip(kinds, RATES) if kind]  # fmt: skip
    judges = parameters_of([*critics, *connectors])

    def critic_loss(critic, real, generated, epsilon):
        on_real, on_generated = critic(torch.cat([real, generated])).chunk(2)
        distance = on_real.mean() - on_generated.mean()
        between = (epsilon * generated + (1 - epsilon) * real).requires_grad_()
        scores = critic(between).sum()
        (slopes,) = torch.autograd.grad(scores, between, create_graph=True)
        lengths = (slopes.square().sum(dim=(1, 2, 3)) + 1e-12).sqrt()
        return PENALTY * (lengths - 1).square().mean() - distance, distance

    def update(which, networks, images, others, epsilon):
        advance_spectral_norms(networks)
        found = [
            critic_loss(network, real, generated, epsilon())
            for network, generated, real in zip(networks, images, others)
        ]
        optimizers[which].zero_grad()
        sum(loss for loss, _ in found).backward()
        optimizers[which].step()
        return found

    def step(real, latents, epsilon):
        z = latents()
        advance_spectral_norms(generators)
        images = [generator(z) for generator in generators]
        shown = [x.detach() for x in images]
        on_critics = update(1, critics, shown, [real] * len(shown), epsilon)
        on_connectors = []
        if connectors:
            following = [*shown[1:], shown[0]]
            on_connectors = update(2, connectors, shown, following, epsilon)

        for parameter in judges:
            parameter.requires_grad_(False)
        losses = [-critic(x).mean() for critic, x in zip(critics, images)]
        for number, connector in enumerate(connectors):
            losses[number] = losses[number] - RHO * connector(images[number]).mean()
        optimizers[0].zero_grad()
        sum(losses).backward()
        optimizers[0].step()
        for parameter in judges:
            parameter.requires_grad_(True)
        values = [value for found, loss in zip(on_critics, losses) for value in (*found, loss)]
        values += [value for found in on_connectors for value in found]
        return [value.item() for value in values]

    return step


def torch_networks(folder, size, layout="contiguous_format", gamma=None, count=3):
    """Generators, critics and connectors in PyTorch, with the Keras networks' weights.

    Returns:
        three lists.
    """
    import torch

    kinds = []
    for kind in ("generators", "critics", "connectors"):
        kinds.append([])
        for number in range(count):
            weights = stored_weights(folder, size, kind, number)
            expected = sum(weight.size for weight in weights)
            remaining = iter(map(torch.from_numpy, weights))
            build = torch_generator if kind == "generators" else torch_critic
            network = build(remaining, ATTENTION[size])
            tensors = [*network.parameters(), *network.buffers()]
            found = sum(t.numel() for t in tensors if t.dtype == torch.float32)
            assert found == expected, f"{kind} have {found} values, not {expected}"
            for name, value in network.named_parameters():
                if gamma is not None and name.endswith("gamma"):
                    value.data.fill_(gamma)
            kinds[-1].append(network.to(memory_format=getattr(torch, layout)))
    return kinds


def torch_layers():
    """Layers with spectral normalisation, and self-attention; as a namespace."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Spectral:
        """The kernel divided by sigma = |W u|; `advance` moves u by a power iteration."""

        outputs = 0  # the axis of the output channels

        @property
        def matrix(self):
            return self.weight.movedim(self.outputs, 0).flatten(1)

        @torch.no_grad()
        def advance(self):
            v = F.normalize(self.u @ self.matrix, dim=0, eps=1e-12)
            self.u.copy_(F.normalize(self.matrix @ v, dim=0, eps=1e-12))

        @property
        def normal(self):
            if self.divided:
                return self.weight
            square = (self.u @ self.matrix).square().sum()
            return self.weight / square.clamp_min(1e-12).sqrt()

        def load(self, kernel, weights, order=lambda values: values):
            set_values(self, weight=kernel)
            if self.bias is not None:
                set_values(self, bias=next(weights))
            self.register_buffer("u", order(next(weights)).flatten())
            self.divided = False
            return self

    class Linear(Spectral, nn.Linear):
        def forward(self, x):
            return F.linear(x, self.normal, self.bias)

    class Convolution(Spectral, nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, self.normal, self.bias, 2, 1)

    class Transposed(Spectral, nn.ConvTranspose2d):
        outputs = 1

        def forward(self, x):
            return F.conv_transpose2d(x, self.normal, self.bias, 2, 1)

    class SelfAttention(nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.gamma = nn.Parameter(next(weights).clone())
            self.f, self.g, self.h = (dense(weights) for _ in range(3))

        def forward(self, x):
            places = x.flatten(2).mT  # (N, H W, C)
            scores = self.g(places) @ self.f(places).mT
            found = scores.softmax(dim=-1) @ self.h(places)
            return x + self.gamma * found.mT.reshape(x.shape)

    def dense(weights, order=lambda values: values):
        kernel = order(next(weights))
        return Linear(*kernel.shape, bias=False).load(kernel.T, weights, order)

    def convolution(weights):
        kernel = next(weights).permute(3, 2, 0, 1)
        layer = Convolution(*kernel.shape[1::-1], 4, stride=2, padding=1)
        return layer.load(kernel, weights)

    def transposed(weights):
        kernel = next(weights).permute(3, 2, 0, 1)
        layer = Transposed(*kernel.shape[:2], 4, stride=2, padding=1, bias=False)
        return layer.load(kernel, weights)

    return dense, convolution, transposed, SelfAttention


def torch_generator(weights, attention):
    from torch import nn

    dense, _, transposed, SelfAttention = torch_layers()

    def normalised(channels):
        norm = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)
        names = "weight", "bias", "running_mean", "running_var"
        set_values(norm, **{name: next(weights) for name in names})
        return norm, nn.ReLU()

    def pixels_last(values):
        """(..., rows x columns x channels) to the same in PyTorch's order."""
        return values.unflatten(-1, (4, 4, -1)).movedim(-1, -3).flatten(-3)

    first = dense(weights, pixels_last)
    channels, side = first.out_features // 16, 4
    layers = [first, nn.Unflatten(1, (channels, 4, 4)), *normalised(channels)]
    while side < SIDE // 2:
        side, channels = 2 * side, channels // 2
        layers += [transposed(weights), *normalised(channels)]
        if side in attention:
            layers.append(SelfAttention(weights))
    kernel = next(weights).permute(3, 2, 0, 1)
    last = nn.ConvTranspose2d(*kernel.shape[:2], 4, stride=2, padding=1)
    set_values(last, weight=kernel, bias=next(weights))
    return nn.Sequential(*layers, last, nn.Tanh())


def torch_critic(weights, attention):
    from torch import nn

    _, convolution, _, SelfAttention = torch_layers()
    layers, side = [], SIDE
    while side > 4:
        side //= 2
        layers += [convolution(weights), nn.LeakyReLU(0.1)]
        if side in attention:
            layers.append(SelfAttention(weights))
    kernel = next(weights).unflatten(0, (4, 4, -1)).movedim(2, 0).flatten(0, 2)
    last = nn.Linear(*kernel.shape)
    set_values(last, weight=kernel.T, bias=next(weights))
    return nn.Sequential(*layers, nn.Flatten(), last)


def advance_spectral_norms(networks):
    for network in networks:
        for layer in spectral_layers(network):
            layer.advance()


def divide_by_sigma(network):
    import torch

    with torch.no_grad():
        for layer in spectral_layers(network):
            layer.weight.copy_(layer.normal)
            layer.divided = True


def spectral_layers(network):
    return [layer for layer in network.modules() if hasattr(layer, "advance")]


def torch_images(images, layout):
    """(N, H, W, C) to (N, C, H, W)."""
    import torch

    images = torch.from_numpy(images).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=getattr(torch, layout))


# Images -----------------------------------------------------------------------------------


def random_images(count):
    """float32 (N, S, S, 3) in [-1, 1]."""
    return random_bytes(count).astype(np.float32) / 127.5 - 1


def random_bytes(count):
    """uint8 (N, S, S, 3)."""
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def random_latents(many, count):
    """float32 (many, N, latent), standard normal."""
    return np.random.default_rng(1).standard_normal((many, count, LATENT), np.float32)


def interpolation(count):
    """Numbers between 0 and 1, float32 (N, 1, 1, 1), instead of random ones."""
    return np.linspace(0.1, 0.9, count, dtype=np.float32).reshape(-1, 1, 1, 1)


# Tables -----------------------------------------------------------------------------------


def add_training(table, title, processes):
    def cells(name, process):
        kind = "three" in name
        like = {each: other for each, other in processes.items() if ("three" in each) == kind}
        reference = processes[fastest(like, "PyTorch", "Keras")]
        return step_cells(f"{1000 * process.median:.0f}", process, reference)

    add_section(table, title, processes, cells)


def print_costs(console, size, processes):
    """What parts of the training step cost, beside the whole."""
    whole, without, own = (processes[n] for n in (SINGLE, WITHOUT_ATTENTION, OWN_BATCHES))
    if not whole.problem and not without.problem:
        share = 100 * (1 - without.median / whole.median)
        console.print(f"{size}: self-attention takes {share:.0f} % of SAGAN's step.")
    if not own.problem:
        waiting = 100 * np.median(own.values["waiting"])
        console.print(
            f"{size}: on the batches of train_okdgan.py {waiting:.1f} % of a step of SAGAN is "
            "waiting for data."
        )


def add_cost(table, title, processes):
    """What N students cost beside N times one of them and its connector."""
    table.add_section()
    table.add_row(title, style="bold")
    for name, process in processes.items():
        if process.problem:
            table.add_row(name, process.problem)
    single, connector = processes[SINGLE], processes[CONNECTOR]
    if single.problem or connector.problem:
        return
    for count in STUDENTS:
        process = processes[f"Keras, {count} students"]
        if process.problem:
            continue
        parts = count * (single.median + connector.median)
        table.add_row(
            f"{count} students",
            f"{1000 * process.median:.0f}",
            f"{1000 * parts:.0f}",
            times(process.median / parts),
            f"{process.facts['megabytes']:.0f}",
        )


def add_generating(table, title, processes):
    reference = processes.get(fastest(processes, "PyTorch, eager", "Keras, graph"))
    expected = processes["Keras, graph"].facts.get("result")

    def cells(name, process):
        speeds = []
        for few in (True, False):
            seconds, others = (seconds_of(each, few) for each in (process, reference))
            speeds += [rate(seconds), times(others / seconds)]
        drift = ""
        if expected:
            drift = np.max(np.abs(np.subtract(process.facts["result"], expected)))
            drift = f"{drift:.0f}"
        megabytes, ready = process.facts["megabytes"], process.facts["loaded"]
        return *speeds, drift, f"{megabytes:.0f}", f"{ready:.0f}"

    add_section(table, title, processes, cells)


def seconds_of(process, few):
    """For an image, of few or of many at once."""
    return float(np.median(process.seconds["few"])) / FEW if few else process.median


def title_of(size, what=""):
    return f"{size}, width {WIDTHS[size]}{what}"


def main():
    import tyro

    config = tyro.cli(Config)
    turns = 2 if config.quick else config.turns
    sizes = QUICK_BATCH if config.quick else BATCH
    generating = shortened(GENERATING, config.quick, LONG)
    console = open_console("keras", "tensorflow", "ai-edge-litert", "torch", "numpy")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepare_folder(prepare, folder)
        compare_libraries(console, compare, folder, AGREEMENT)

        table = new_table(
            "OKD-SAGAN, a training step", "ms", "ratio", "memory, MB", "ratio", "ready, s"
        )
        trained = {}
        for size, batch in sizes.items():
            settings = {"size": size, "batch": batch}
            trained[size] = measure(
                TRAINING, folder, CORES, turns, f"training, {size}", settings
            )
            add_training(table, title_of(size, f", batch {batch}"), trained[size])
        table.caption = (
            "ratio: to the faster of PyTorch, of SAGAN alone or of three students with their "
            "connectors. memory: peak of the process, with the libraries."
        )
        console.print(table)
        for size, processes in trained.items():
            print_costs(console, size, processes)

        table = new_table("N students in one step", "ms", "parts, ms", "ratio", "memory, MB")
        for size, batch in sizes.items():
            settings = {"size": size, "batch": batch}
            found = measure(COST, folder, CORES, turns, f"students, {size}", settings)
            add_cost(table, title_of(size, f", batch {batch}"), found)
        table.caption = (
            "parts: N steps of SAGAN alone and N updates of a connector; that each generator "
            "also learns from its connector's scores is not among them."
        )
        console.print(table)

        headings = [text for n in (FEW, MANY) for text in (f"{n} at once", "ratio")]
        headings += ["drift", "memory, MB", "ready, s"]
        table = new_table("SAGAN's generator, images a second", *headings)
        for size in sizes:
            title = f"generating, {size}"
            found = measure(generating, folder, CORES, turns, title, {"size": size})
            add_generating(table, title_of(size), found)
        table.caption = (
            "ratio: to the PyTorch, eager, that is faster on many. drift: from Keras, graph, "
            "of 8-bit values, at most, with random weights. The TFLite files make one image at "
            "a time. memory: peak of the process, with the libraries."
        )
        console.print(table)


if __name__ == "__main__":
    main_or_task(main, globals())
