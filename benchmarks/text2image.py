"""Speed and memory of the text-to-image network beside PyTorch, measured in one run.

    python benchmarks/text2image.py            20 minutes on 2 cores; up to 1.7 GB for each of
                                               7 rows in training
    python benchmarks/text2image.py --quick    7 minutes, figures for orientation; the report's
                                               network takes 2 sentences a step instead of 8

Prints three tables: a training step, and how long it waits for data; the ConvLSTM alone, beside
`keras.layers.ConvLSTM2D`, as a loop, unrolled and under XLA; drawing one sentence and sixteen.
All are of the report's sizes and of those of `train_text2image.py --reduced`, with 25 slots.
Look at the ratios: sentences a second are those of this machine on this day. PyTorch
(`pip install -e .[benchmark]`) may be missing.

Before, both libraries take three steps from the same weights on the same sentences; nothing is
measured unless they agree.

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

WORDS, VECTOR_SIZE = 25, 400
SHORTEST, LONGEST = 8, 18  # words in a sentence
SIZES = {
    "report": dict(image_size=64, width=64, filters=3),
    "reduced": dict(image_size=32, width=16, filters=16),
}
BATCH = {"report": 8, "reduced": 16}
QUICK_BATCH = {"report": 2, "reduced": 16}
PARAMETERS = {"network": 7_622_184, "discriminator": 1_046_785}  # at the report's size
LEARNING_RATE, BETA_1 = 2e-4, 0.5
GENTLE = 3e-5  # learning rate of gradient descent, from random weights without overshooting
BLOCK = 32  # words are packed in multiples of it
STORED = 2000  # images and sentences that the input pipeline draws from
FEW, MANY = 1, 16  # sentences that are drawn at once
COMPARED = 4  # sentences that the comparison of the libraries trains on


@dataclass(frozen=True)
class Config:
    """Measures the text-to-image network and PyTorch; prints three tables."""

    turns: int = 5
    """Measurements of every row; of steps that take more than 4 seconds, three at most."""
    quick: bool = False
    """Two turns, the report's training step on 2 sentences instead of 8, and without what
    compiles for long (torch.compile, an unrolled loop under XLA)."""


# What is measured -------------------------------------------------------------------------


def train_keras(folder, size, batch, unroll=False, pipeline=False, **settings):
    """`fit` on one batch that is in memory; or on the batches of train_text2image.py."""
    from keras_gans.quiet import tensorflow as tf  # isort: skip

    import keras

    from keras_gans.data.pipeline import step_dataset
    from keras_gans.text2image.data import Sentences, sentence_batches
    from keras_gans.text2image.model import TextToImage

    gan = TextToImage(*build_networks(size, unroll=unroll, **settings))
    optimizers = (keras.optimizers.Adam(LEARNING_RATE, BETA_1) for _ in range(2))
    gan.compile(*optimizers, jit_compile=False)
    batches = tf.data.Dataset.from_tensors(random_batch(size, batch)).repeat()
    if pipeline:
        words, table, ids = random_sentences(STORED)
        images = random_bytes(size, STORED)
        sentences = Sentences(images, ids, np.arange(STORED), table)
        batches = step_dataset(sentence_batches(sentences, batch, seed=0), 0, 10**6)

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
    step = torch_step(*torch_networks(folder, size, layout), torch_adam, compiled)
    tensors = torch_batch(random_batch(size, batch), layout)

    def train(steps):
        for _ in range(steps):
            step(*tensors)

    steps = steps_for_two_seconds(train)
    return {"run": lambda: train(steps)}, {"items": steps * batch}


def convlstm_keras(folder, size, batch, ours=True, unroll=False, xla=False):
    """The ConvLSTM alone, forwards and backwards, without a mask."""
    tf = import_tensorflow(CORES)
    import keras

    from keras_gans.layers import PeepholeConvLSTM2D

    filters = SIZES[size]["filters"]
    if ours:
        layer = PeepholeConvLSTM2D(filters, unroll=unroll)
    else:
        layer = keras.layers.ConvLSTM2D(
            filters, 3, padding="same", return_sequences=True, unroll=unroll
        )
    maps = tf.constant(random_maps(size, batch))
    layer.build(maps.shape)
    weights = [variable.value for variable in layer.trainable_variables]

    @tf.function(jit_compile=xla)
    def slopes(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            loss = tf.reduce_sum(tf.square(layer(maps)))
        return tape.gradient(loss, [maps, *weights])

    return {"run": lambda: [each.numpy() for each in slopes(maps)[1:]]}, {"items": batch}


def convlstm_torch(folder, size, batch, layout="contiguous_format", compiled=False):
    import torch

    torch.set_num_threads(CORES)
    layer = torch_networks(folder, size, layout)[0].lstm
    if compiled:
        layer = torch.compile(layer, dynamic=False)
    maps = torch_images(random_maps(size, batch), layout).requires_grad_()
    is_word = torch.ones(batch, WORDS, dtype=torch.bool)

    def slopes():
        maps.grad = None
        layer.zero_grad()
        layer(maps, is_word).square().sum().backward()

    return {"run": slopes}, {"items": batch}


def draw_keras(folder, size, predict=False):
    """From words to 8 bits, by a traced function or by `predict`."""
    tf = import_tensorflow(CORES)
    import keras

    from keras_gans.text2image.evaluate import traced_drawing

    keras.utils.disable_interactive_logging()
    network = keras_networks(folder, size)[0]
    if not predict:
        drawing = traced_drawing(network, last=True)
        return drawing_runs(lambda vectors, mask: drawing(vectors, mask).numpy())

    def draw(vectors, mask):
        images = network.predict([vectors, mask], batch_size=len(mask), verbose=0)[:, -1]
        return tf.cast(tf.round((images + 1) * 127.5), tf.uint8).numpy()

    return drawing_runs(draw)


def draw_saved_model(folder, size):
    """The one row that is given strings."""
    tf = import_tensorflow(CORES)
    signature = saved_signature(folder / size / "1")
    words, _, ids = random_sentences(MANY)
    captions = tf.constant([" ".join(words[number] for number in row if number) for row in ids])

    def draw(vectors, mask):
        return signature(captions=captions[: len(mask)])["images"].numpy()

    return drawing_runs(draw)


def draw_tflite(folder, size, precision):
    """The files take one sentence at a time."""
    runner = tflite_runner(folder / size / f"{size}-{precision}.tflite")

    def draw(vectors, mask):
        sentences = zip(vectors[:, None], mask[:, None])
        return np.concatenate([runner(vectors=v, mask=m)["images"] for v, m in sentences])

    return drawing_runs(draw)


def draw_torch(folder, size, layout="contiguous_format", compiled=False):
    import torch

    torch.set_num_threads(CORES)
    network = torch_networks(folder, size, layout)[0].eval()
    if compiled:
        network = torch.compile(network, dynamic=False)

    @torch.inference_mode()
    def draw(vectors, mask):
        images = network(torch.from_numpy(vectors), torch.from_numpy(mask))[:, -1]
        levels = images.add(1).mul_(127.5).round_().to(torch.uint8)
        return levels.flip(2, 3).permute(0, 2, 3, 1).numpy()

    return drawing_runs(draw)


def drawing_runs(draw):
    """The runs of a row: many sentences, and few."""
    _, table, ids = random_sentences(MANY)
    vectors, mask = table[ids], ids != 0
    runs = {
        "run": lambda: draw(vectors, mask).ravel(),
        "few": lambda: draw(vectors[:FEW], mask[:FEW]),
    }
    return runs, {"items": MANY}


def compare(folder):
    """How far PyTorch is from what `prepare` found with Keras, of the same weights.

    Returns:
        no runs, and a dict of the largest differences: of `logits`, drawn `images` and
        `losses`.

    Raises:
        AssertionError: too far.
    """
    import torch

    differences = {"logits": 0.0, "images": 0.0, "losses": 0.0}
    for size in SIZES:
        with np.load(folder / f"{size}-expected.npz") as arrays:
            expected = dict(arrays)
        network, discriminator = torch_networks(folder, size)
        batch = random_batch(size, COMPARED)
        vectors, mask, images, reals = torch_batch(batch, "contiguous_format")
        with torch.inference_mode():
            drawn = network.eval()(vectors, mask).flip(3, 4).permute(0, 1, 3, 4, 2)
            found = {"logits": discriminator.eval()(images), "images": drawn}
        found = {name: values.numpy() for name, values in found.items()}
        step = torch_step(
            network.train(),
            discriminator.train(),
            lambda parameters: torch.optim.SGD(parameters, GENTLE),
        )
        for _ in range(3):
            found["losses"] = step(vectors, mask, images, reals)
        for name, values in found.items():
            difference = float(np.max(np.abs(np.subtract(values, expected[name]))))
            differences[name] = max(differences[name], difference)
    for name, difference in differences.items():
        assert difference < 1e-4, f"PyTorch's {name} differ by {difference:.1e}"
    return {}, differences


LOOP, UNROLLED = "Keras, loop", "Keras, unrolled"
OWN_BATCHES = "Keras, loop, on the script's batches"
CONVLSTM2D = "keras.layers.ConvLSTM2D, loop"
TRAINING = {
    LOOP: (train_keras, {}),
    UNROLLED: (train_keras, dict(unroll=True)),
    OWN_BATCHES: (train_keras, dict(pipeline=True)),
    **torch_rows(train_torch),
}
CONVLSTM = {
    "ours, loop": (convlstm_keras, {}),
    "ours, unrolled": (convlstm_keras, dict(unroll=True)),
    "ours, loop, XLA": (convlstm_keras, dict(xla=True)),
    "ours, unrolled, XLA": (convlstm_keras, dict(unroll=True, xla=True)),
    CONVLSTM2D: (convlstm_keras, dict(ours=False)),
    "keras.layers.ConvLSTM2D, unrolled": (convlstm_keras, dict(ours=False, unroll=True)),
    "keras.layers.ConvLSTM2D, loop, XLA": (convlstm_keras, dict(ours=False, xla=True)),
    **torch_rows(convlstm_torch),
}
DRAWING = {
    LOOP: (draw_keras, {}),
    "Keras, predict": (draw_keras, dict(predict=True)),
    "SavedModel, from strings": (draw_saved_model, {}),
    "TFLite float32": (draw_tflite, dict(precision="float32")),
    "TFLite float16": (draw_tflite, dict(precision="float16")),
    **torch_rows(draw_torch),
}
LONG = "PyTorch, compiled", "ours, unrolled, XLA"
AGREEMENT = (
    "PyTorch's networks have as many parameters and compute the same: of the same weights, "
    "logits within {logits:.0e}, drawn images within {images:.0e}, and the losses of the third "
    "step within {losses:.0e}."
)


# Keras ------------------------------------------------------------------------------------


def prepare(folder):
    """Writes what the tasks share: weights, exported models, and what Keras computes."""
    importlib.import_module("keras_gans.quiet")
    import keras

    from keras_gans.text2image.captions import Vocabulary
    from keras_gans.text2image.export import export_text_to_image

    words, table, _ = random_sentences(1)
    for size in SIZES:
        keras.utils.set_random_seed(0)
        network, discriminator = build_networks(size)
        rng = np.random.default_rng(0)
        for weight in network.weights:
            if "peephole" in weight.path:  # zero in a new network
                weight.assign(rng.normal(0, 0.5, weight.shape))
        for name, each in (("network", network), ("discriminator", discriminator)):
            np.savez(folder / f"{size}-{name}.npz", *each.get_weights())
        np.savez(folder / f"{size}-expected.npz", **what_keras_computes(folder, size))
        export_text_to_image(network, Vocabulary(words, table), folder / size, {})
    return {}, {}


def what_keras_computes(folder, size):
    """Logits, drawn images, and the losses of the third step.

    The steps are plain gradient descent: what Adam does with gradients near zero depends on
    their last digits, and on where its epsilon stands.

    Returns:
        dict: `logits` (N, 1); `images` (N, W, S, S, 3); `losses` (4,), in the order of
        `TextToImage.METRICS`.
    """
    import keras

    from keras_gans.text2image.model import TextToImage

    network, discriminator = keras_networks(folder, size)
    batch = random_batch(size, COMPARED)
    images = network(list(batch[0])).numpy()
    logits = discriminator(batch[1][0]).numpy()
    gan = TextToImage(network, discriminator)
    gan.compile(*(keras.optimizers.SGD(GENTLE) for _ in range(2)), jit_compile=False)
    for _ in range(3):
        losses = gan.train_on_batch(*batch, return_dict=True)
        gan.reset_metrics()
    losses = [float(losses[name]) for name in gan.METRICS]
    return {"logits": logits, "images": images, "losses": losses}


def build_networks(size, unroll=False, **settings):
    """Network and discriminator, of random weights."""
    importlib.import_module("keras_gans.quiet")  # before what imports TensorFlow
    from keras_gans.text2image.export import unrolled
    from keras_gans.text2image.networks import build_discriminator, build_text_to_image

    network = build_text_to_image(WORDS, VECTOR_SIZE, **SIZES[size], **settings)
    sides = {name: SIZES[size][name] for name in ("image_size", "width")}
    return unrolled(network) if unroll else network, build_discriminator(**sides)


def keras_networks(folder, size):
    """The same with the weights that `prepare` has written."""
    networks = build_networks(size)
    for name, network in zip(PARAMETERS, networks):
        with np.load(folder / f"{size}-{name}.npz") as arrays:
            network.set_weights(list(arrays.values()))
        check_parameters(size, name, network.count_params())
    return networks


def check_parameters(size, name, count):
    expected = PARAMETERS[name] if size == "report" else count
    assert count == expected, f"the {name} has {count} parameters, not {expected}"


# PyTorch ----------------------------------------------------------------------------------


def torch_adam(parameters):
    import torch

    return torch.optim.Adam(parameters, LEARNING_RATE, (BETA_1, 0.999), eps=1e-7, fused=True)


def torch_step(network, discriminator, optimizer, compiled=False):
    """`TextToImage.train_step` in PyTorch, with the Euclidean term "original".

    Args:
        optimizer: function of parameters.
        compiled: whether the networks are compiled.

    Returns:
        function of (vectors, mask, images, reals) to the four losses.
    """
    import torch
    from torch.nn.functional import softplus

    d_parameters = list(discriminator.parameters())
    g_optimizer = optimizer(network.parameters())
    d_optimizer = optimizer(d_parameters)
    if compiled:
        network = torch.compile(network, dynamic=False)
        discriminator = torch.compile(discriminator, dynamic=False)

    def adversarial_loss(logits, real, weights):
        losses = softplus(-logits if real else logits)[:, 0]
        return (losses * weights).sum() / weights.sum()

    def step(vectors, mask, images, reals):
        outputs = network(vectors, mask)
        generated, weights = packed(outputs[:, :-1], mask[:, :-1])
        real, real_weights = packed(reals, mask[:, :-1])
        d_loss = adversarial_loss(discriminator(generated.detach()), False, weights)
        d_loss = d_loss + adversarial_loss(discriminator(real), True, real_weights)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        for parameter in d_parameters:
            parameter.requires_grad_(False)
        adversarial = adversarial_loss(discriminator(generated), True, weights)
        distance = (outputs[:, -1] - images).square().mean(dim=(1, 2, 3)).sqrt().mean()
        g_loss = adversarial + distance
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        for parameter in d_parameters:
            parameter.requires_grad_(True)
        return [value.item() for value in (d_loss, g_loss, adversarial, distance)]

    return step


def packed(values, mask):
    """`keras_gans.text2image.networks.pack_words`: (K, ...), and weights (K,)."""
    import torch

    words = mask.flatten().nonzero()[:, 0]
    count = len(words)
    length = min(-(-count // BLOCK) * BLOCK, mask.numel())
    positions = torch.arange(length)
    slots = words[positions % count]
    return values.flatten(0, 1)[slots], (positions < count).float()


def torch_networks(folder, size, layout="contiguous_format"):
    """Network and discriminator in PyTorch, with the Keras networks' weights.

    Where a convolution of stride 2, transposed or not, has one side more, TensorFlow takes the
    end and PyTorch the beginning. So these are the networks in mirror image, for images in
    mirror image.
    """
    import torch

    networks = []
    for name, build in zip(PARAMETERS, (torch_text_to_image, torch_discriminator)):
        with np.load(folder / f"{size}-{name}.npz") as arrays:
            weights = [torch.from_numpy(array) for array in arrays.values()]
        network = build(iter(weights), SIZES[size]["image_size"])
        tensors = [*network.parameters(), *network.buffers()]
        count = sum(tensor.numel() for tensor in tensors if tensor.ndim)  # no counters
        expected = sum(weight.numel() for weight in weights)
        assert count == expected, f"the {name} has {count} parameters, not {expected}"
        check_parameters(size, name, count)
        networks.append(network.to(memory_format=getattr(torch, layout)))
    return networks


def torch_text_to_image(weights, side):
    import torch
    from torch import nn

    start = side // 8

    class ConvLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            kernel, recurrent, bias = (next(weights) for _ in range(3))
            self.gates = convolution(nn.Conv2d, torch.cat([kernel, recurrent], dim=2), bias)
            peepholes = (next(weights).flip(0, 1).permute(2, 0, 1) for _ in range(3))
            self.peepholes = nn.ParameterList(peepholes)

        def forward(self, maps, is_word):
            c = h = torch.zeros_like(maps[:, 0])  # which have as many channels
            peephole_i, peephole_f, peephole_o = self.peepholes
            outputs = []
            for x, word in zip(maps.unbind(1), is_word.unbind(1)):
                i, f, new, o = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)
                i = torch.sigmoid(i + peephole_i * c)
                f = torch.sigmoid(f + peephole_f * c)
                next_c = f * c + i * torch.tanh(new)
                o = torch.sigmoid(o + peephole_o * next_c)
                word = word[:, None, None, None]
                c, h = torch.where(word, next_c, c), torch.where(word, o * next_c.tanh(), h)
                outputs.append(h)
            return torch.stack(outputs, dim=1)

    class TextToImage(nn.Module):
        def __init__(self):
            super().__init__()
            kernel = next(weights).unflatten(1, (start, start, -1)).flip(1, 2)
            kernel = kernel.permute(3, 1, 2, 0).flatten(0, 2)
            dense = nn.Linear(kernel.shape[1], len(kernel), bias=False)
            set_values(dense, weight=kernel)
            layers = [dense, nn.Unflatten(1, (-1, start, start)), *normalised(weights)]
            for _ in range(2):
                layers.append(convolution(nn.ConvTranspose2d, next(weights), stride=2))
                layers += normalised(weights)
            last = convolution(nn.ConvTranspose2d, next(weights), next(weights), stride=2)
            self.generator = nn.Sequential(*layers, last, nn.Tanh())
            self.lstm = ConvLSTM()
            first = convolution(nn.ConvTranspose2d, next(weights))
            between = normalised(weights)
            last = convolution(nn.ConvTranspose2d, next(weights), next(weights))
            self.refining = nn.Sequential(first, *between, last, nn.Tanh())

        def forward(self, vectors, mask):
            maps = self.of_words(self.generator, vectors, mask)
            return self.of_words(self.refining, self.lstm(maps, mask), mask)

        def of_words(self, network, values, mask):
            if not self.training:
                images = network(values.flatten(0, 1))
            else:
                number = mask.flatten().cumsum(0) - 1
                images = network(packed(values, mask)[0])[number.clamp(min=0)]
            images = torch.where(mask.flatten()[:, None, None, None], images, 0.0)
            return images.unflatten(0, mask.shape)

    return TextToImage()


def torch_discriminator(weights, side):
    from torch import nn

    first = convolution(nn.Conv2d, next(weights), next(weights), stride=2)
    layers = [first, nn.LeakyReLU(0.2)]
    for _ in range(2):
        layers.append(convolution(nn.Conv2d, next(weights), stride=2))
        layers += [*normalised(weights)[:1], nn.LeakyReLU(0.2)]
    kernel = next(weights)[:, 0].unflatten(0, (side // 8, side // 8, -1)).flip(0, 1)
    dense = nn.Linear(kernel.numel(), 1)
    set_values(dense, weight=kernel.permute(2, 0, 1).flatten()[None], bias=next(weights))
    return nn.Sequential(*layers, nn.Flatten(), dense)


def convolution(kind, kernel, bias=None, stride=1):
    """A padded convolution, `nn.Conv2d` or `nn.ConvTranspose2d`, with TensorFlow's weights."""
    kernel = kernel.flip(0, 1).permute(3, 2, 0, 1)
    first, second, size, _ = kernel.shape
    settings = dict(kernel_size=size, stride=stride, padding=size // 2, bias=bias is not None)
    if "Transpose" in kind.__name__:
        layer = kind(first, second, output_padding=stride - 1, **settings)
    else:
        layer = kind(second, first, **settings)
    set_values(layer, weight=kernel, **({} if bias is None else {"bias": bias}))
    return layer


def normalised(weights):
    from torch import nn

    gamma, beta, mean, variance = (next(weights) for _ in range(4))
    norm = nn.BatchNorm2d(len(gamma), eps=1e-5, momentum=0.1)
    set_values(norm, weight=gamma, bias=beta, running_mean=mean, running_var=variance)
    return [norm, nn.ReLU()]


def torch_images(images, layout):
    """(..., H, W, C) to (..., C, H, W), in mirror image: see `torch_networks`."""
    import torch

    images = torch.from_numpy(images).movedim(-1, -3).flip(-2, -1)
    flat = images.flatten(0, -4).contiguous(memory_format=getattr(torch, layout))
    return flat.unflatten(0, images.shape[:-3])


def torch_batch(batch, layout):
    """vectors, mask, images, reals."""
    import torch

    words, images = batch
    return *map(torch.from_numpy, words), *(torch_images(each, layout) for each in images)


# Sentences and images ---------------------------------------------------------------------


def random_sentences(count):
    """Words (V), their vectors float32 (V, D), and sentences int32 (N, W)."""
    rng = np.random.default_rng(2)
    words = ("", "<unknown>", *(f"word{number}" for number in range(1000)))
    table = rng.normal(0, 0.5, (len(words), VECTOR_SIZE)).astype(np.float32)
    table[0] = 0
    ids = rng.integers(2, len(words), (count, WORDS), np.int32)
    lengths = rng.integers(SHORTEST, LONGEST + 1, (count, 1))
    return words, table, np.where(np.arange(WORDS) >= WORDS - lengths, ids, 0)


def random_batch(size, count):
    """((vectors (B, W, D), mask (B, W)), (images (B, S, S, 3), reals (B, W-1, S, S, 3)))."""
    _, table, ids = random_sentences(count)
    images = random_bytes(size, count * WORDS).astype(np.float32) / 127.5 - 1
    images = images.reshape(count, WORDS, *images.shape[1:])
    return (table[ids], ids != 0), (images[:, 0].copy(), images[:, 1:].copy())


def random_bytes(size, count):
    """uint8 (N, S, S, 3)."""
    side = SIZES[size]["image_size"]
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def random_maps(size, count):
    """float32 (N, W, S, S, filters)."""
    side, filters = SIZES[size]["image_size"], SIZES[size]["filters"]
    shape = count, WORDS, side, side, filters
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


# Tables -----------------------------------------------------------------------------------


def add_steps(table, title, processes, reference):
    """Rows of a training step or of the ConvLSTM.

    Args:
        reference: name of the row that the ratios are to.
    """
    reference = processes[reference]

    def cells(name, process):
        return step_cells(rate(process.median), process, reference)

    add_section(table, title, processes, cells)


def print_waiting(console, size, processes):
    """What the script's own batches cost."""
    whole, own = processes[LOOP], processes[OWN_BATCHES]
    if whole.problem or own.problem:
        return
    waiting = 100 * np.median(own.values["waiting"])
    longer = 100 * (own.median / whole.median - 1)
    console.print(
        f"{size}: on the batches of train_text2image.py instead of one in memory, "
        f"{waiting:.1f} % of a step is waiting for data; fit takes {longer:+.0f} % (on the "
        "same cores, and with sentences of other lengths in every step)."
    )


def add_drawing(table, title, processes):
    reference = processes[reference_of(processes)]
    expected = processes[LOOP].facts.get("result")

    def cells(name, process):
        speeds = []
        for few in (True, False):
            seconds, others = (seconds_of(each, few) for each in (process, reference))
            speeds += [f"{1000 * seconds:.1f}", times(others / seconds)]
        drift = ""
        if expected:
            drift = str(np.max(np.abs(np.subtract(process.facts["result"], expected))))
        megabytes, ready = process.facts["megabytes"], process.facts["loaded"]
        return *speeds, drift, f"{megabytes:.0f}", f"{ready:.0f}"

    add_section(table, title, processes, cells)


def seconds_of(process, few):
    """For a sentence, of few or of many at once."""
    return float(np.median(process.seconds["few"])) / FEW if few else process.median


def reference_of(processes):
    """The faster of PyTorch, eager; where it is missing, Keras."""
    return fastest(processes, "PyTorch, eager", LOOP)


def title_of(size, what=""):
    settings = SIZES[size]
    return (
        f"{size}: {settings['image_size']}x{settings['image_size']}, width "
        f"{settings['width']}, {settings['filters']} filters{what}"
    )


def main():
    import tyro

    config = tyro.cli(Config)
    turns = 2 if config.quick else config.turns
    batches = QUICK_BATCH if config.quick else BATCH
    training, convlstm, drawing = (
        shortened(tasks, config.quick, LONG) for tasks in (TRAINING, CONVLSTM, DRAWING)
    )
    console = open_console("keras", "tensorflow", "ai-edge-litert", "torch", "numpy")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        prepare_folder(prepare, folder)
        compare_libraries(console, compare, folder, AGREEMENT)

        headings = "sentences/s", "ratio", "memory, MB", "ratio", "ready, s"
        table = new_table("Text to image, a training step", *headings)
        trained = {}
        for size, batch in batches.items():
            settings = {"size": size, "batch": batch}
            title = f"training, {size}"
            trained[size] = measure(training, folder, CORES, turns, title, settings)
            heading = title_of(size, f", batch {batch}")
            add_steps(table, heading, trained[size], reference_of(trained[size]))
        table.caption = (
            f"ratio: to the faster of PyTorch, eager. Sentences have {SHORTEST} to {LONGEST} "
            f"words in {WORDS} slots. memory: peak of the process, with the libraries."
        )
        console.print(table)
        for size, processes in trained.items():
            print_waiting(console, size, processes)

        table = new_table("The ConvLSTM alone, forwards and backwards", *headings)
        for size, batch in batches.items():
            settings = {"size": size, "batch": batch}
            title = f"ConvLSTM, {size}"
            found = measure(convlstm, folder, CORES, turns, title, settings)
            add_steps(table, title_of(size, f", batch {batch}"), found, CONVLSTM2D)
        table.caption = (
            f"ratio: to {CONVLSTM2D}, which has no peepholes. {WORDS} words in every sentence."
        )
        console.print(table)

        headings = [text for n in (FEW, MANY) for text in (f"{n} at once, ms", "ratio")]
        headings += ["drift", "memory, MB", "ready, s"]
        table = new_table("Text to image, time to draw a sentence", *headings)
        for size in SIZES:
            title = f"drawing, {size}"
            found = measure(drawing, folder, CORES, turns, title, {"size": size})
            add_drawing(table, title_of(size), found)
        table.caption = (
            "ratio: to the PyTorch, eager, that is faster on many. drift: from Keras, loop, in "
            "grey levels, at most, with random weights. The TFLite files take one sentence at "
            "a time. memory: peak of the process, with the libraries."
        )
        console.print(table)


if __name__ == "__main__":
    main_or_task(main, globals())
