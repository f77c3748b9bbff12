"""Features of images: the networks behind Frechet distance, KID and Inception score."""

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.arrays import read_npy
from keras_gans.data.levels import to_float
from keras_gans.data.reading import reading
from keras_gans.errors import InputError
from keras_gans.files import check_folder, replacing
from keras_gans.metrics import efficientnet_lite
from keras_gans.metrics.inception_score import INCEPTION_2015, inception_2015

KERAS_INCEPTION = "keras-inception-v3"
INCEPTION_SIZE = 299
BATCH = 50  # images at once; bounds the memory


@dataclass(frozen=True)
class Extractor:
    """A network that turns images into features.

    Attributes:
        name: part of the names of its figures; see `metric_name`.
        digest: hex digits that tell its structure and weights from others'.
        features: function from images uint8 (N, H, W, 3) to float32 (N, D).
        probabilities: function from the same to p(y|x), float32 (N, K), for the Inception
            score; `None` if the network does not classify.
        image_size: (H, W) that images must have, `None` for any.
    """

    name: str
    digest: str
    features: Callable[[np.ndarray], np.ndarray]
    probabilities: Callable[[np.ndarray], np.ndarray] | None = None
    image_size: tuple[int, int] | None = None


def metric_name(metric: Literal["frechet", "kid"], network: str) -> str:
    """Name of a figure, which says by which network (an extractor's name) it was measured.

    `fid`, `kid` only with the graph that defines FID; `fid_keras`, `kid_keras` with the weights
    of keras.applications; else `frechet_<network>`, `kid_<network>`.
    """
    if metric not in ("frechet", "kid"):
        raise ValueError(f"`metric` must be frechet or kid. Received: {metric!r}")
    inception = {"frechet": "fid", "kid": "kid"}[metric]
    if network == INCEPTION_2015:
        return inception
    return f"{inception}_keras" if network == KERAS_INCEPTION else f"{metric}_{network}"


def inception_extractor(path: str | os.PathLike) -> Extractor:
    """The Inception network from a file with its weights.

    Args:
        path: `classify_image_graph_def.pb`, the graph of 2015 that defines FID; or weights of
            keras.applications' InceptionV3 without its top (`.h5`), another network, for which
            images are resized bilinearly.

    Returns:
        Extractor named `INCEPTION_2015`, with probabilities; or `KERAS_INCEPTION`, without.

    Raises:
        InputError: the file cannot be read, or is neither.
    """
    path = Path(path)
    digest = _file_digest(path)
    if path.suffix == ".pb":
        classify = functools.cache(lambda: inception_2015(path))  # loaded only if it is used
        return Extractor(
            INCEPTION_2015,
            digest,
            inception_2015(path, "features", BATCH),
            lambda images: classify()(images),
        )
    if path.suffix not in (".h5", ".keras"):
        raise InputError(
            f"{path}: not an Inception network's file: give classify_image_graph_def.pb, or "
            "the .h5 weights of keras.applications' InceptionV3 without top"
        )
    try:
        network = keras.applications.InceptionV3(
            weights=str(path), include_top=False, pooling="avg"
        )
    except Exception:  # Keras and h5py raise nearly every type there is on other weights
        raise InputError(
            f"{path}: not the weights of keras.applications' InceptionV3 without top: give "
            "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
        ) from None

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def run(images):
        enlarged = tf.image.resize(images, (INCEPTION_SIZE, INCEPTION_SIZE))
        return network(to_float(enlarged), training=False)

    return Extractor(KERAS_INCEPTION, digest, _in_batches(run))


def eyes_extractor() -> Extractor | None:
    """EfficientNet-Lite0, which no training of ours has seen; `None` if it is not installed.

    Images are resized bilinearly to 224x224, averaged where they become smaller. The features
    are the 1280 before the last layer.

    Raises:
        InputError: the installed file is another one.
    """
    if efficientnet_lite.weights_file() is None:
        return None
    whole = efficientnet_lite.efficientnet_lite0()
    network = keras.Model(whole.inputs, whole.get_layer("average").output)
    size = (efficientnet_lite.IMAGE_SIZE,) * 2

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def run(images):
        return network(tf.image.resize(images, size, antialias=True), training=False)

    return Extractor(efficientnet_lite.NAME, efficientnet_lite.SHA256, _in_batches(run))


def model_extractor(
    model: keras.Model | str | os.PathLike,
    name: str | None = None,
    layer: str | None = None,
) -> Extractor:
    """Features from within any Keras model trained on images.

    Args:
        model: the model or its `.keras` file; takes images float32 (N, H, W, 3) in [-1, 1].
        name: by default the file's name without suffix, or the model's name.
        layer: name of the layer whose output is taken. By default the input of the last Dense
            layer, or of the last layer if there is none. Maps are averaged over all places.

    Returns:
        Extractor, with probabilities if the model ends with a softmax.

    Raises:
        InputError: the file cannot be read or is no model, or the model takes other inputs.
        ValueError: no layer of that name.
    """
    if not isinstance(model, keras.Model):
        path = Path(model)
        _file_digest(path)
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises nearly every type there is on other files
            if "safe_mode" in str(error):
                raise InputError(
                    f"{path}: has a Lambda layer, whose code is not run: save a model without"
                ) from None
            raise InputError(
                f"{path}: not a model that Keras can load: save one with model.save as .keras"
            ) from None
        name = name or path.stem
    name = name or model.name
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise InputError(
            f"{name}: takes {shape}, a model that takes images (N, H, W, 3) is expected"
        )
    if layer is not None:
        features = model.get_layer(layer).output
    else:
        dense = [each for each in model.layers if isinstance(each, keras.layers.Dense)]
        features = next((each.input for each in (dense or model.layers)[-1:]), None)
    if not isinstance(features, keras.KerasTensor):
        raise InputError(f"{name}: its last layer takes no tensor: give another network")
    if len(features.shape) > 2:
        features = keras.ops.mean(features, axis=tuple(range(1, len(features.shape) - 1)))
    network = keras.Model(model.inputs, features)
    size = tuple(shape[1:3]) if None not in shape[1:3] else None
    probabilities = None
    if _ends_with_softmax(model):
        probabilities = _in_batches(_on_floats(model), size)
    return Extractor(
        name,
        model_digest(model, f"layer {layer}"),
        _in_batches(_on_floats(network), size),
        probabilities,
        size,
    )


def extract(
    extractor: Extractor,
    images: np.ndarray | Callable[[], Iterable[np.ndarray]],
    cache: str | os.PathLike | None = None,
) -> np.ndarray:
    """Features of images, float32 (N, D), computed a batch at a time.

    Args:
        extractor: the network.
        images: uint8 (N, H, W, 3); or a function that gives such arrays one by one, to save
            memory. With a cache it is called twice.
        cache: folder that keeps the features, for sets that are used again and again. They are
            found by a hash of the pixels and the network. Made if missing.

    Raises:
        InputError: the cache cannot be written.
    """
    batches = images if callable(images) else lambda: _slices(images)
    if cache is None:
        return np.concatenate([extractor.features(batch) for batch in batches()])
    check_folder(cache)
    file = Path(cache) / f"{content_hash(extractor, batches())}.npy"
    with contextlib.suppress(InputError):  # not there, or damaged
        return read_npy(file)
    features = extract(extractor, batches)
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary, open(temporary, "wb") as opened:
        np.save(opened, features)
    return features


def content_hash(extractor: Extractor, batches: Iterable[np.ndarray]) -> str:
    """SHA-256 of a network's name and digest and of images, uint8 (n, H, W, 3), in their order.

    How the images are divided into batches makes no difference.
    """
    content = hashlib.sha256(f"{extractor.name} {extractor.digest}".encode())
    for batch in batches:
        for image in batch:
            content.update(str(image.shape).encode())
            content.update(np.ascontiguousarray(image))
    return content.hexdigest()


def model_digest(model: keras.Model, *more: str) -> str:
    """SHA-256 of a Keras model's structure and weights, and of `more` strings."""
    content = hashlib.sha256(model.to_json().encode())
    for text in more:
        content.update(text.encode())
    for weight in model.get_weights():
        content.update(np.ascontiguousarray(weight))
    return content.hexdigest()


def _on_floats(network):
    @tf.function(reduce_retracing=True)
    def run(images):
        return network(to_float(images), training=False)

    return run


def _in_batches(run, size=None):
    """Runs a function of a tensor on an array of images, `BATCH` at a time."""

    def run_all(images):
        images = np.asarray(images)
        wrong = images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8
        if wrong or size not in (None, images.shape[1:3]):
            expected = "N, H, W" if size is None else f"N, {size[0]}, {size[1]}"
            raise ValueError(
                f"images must be uint8 ({expected}, 3). Received: {images.dtype} {images.shape}"
            )
        return np.concatenate([run(batch).numpy() for batch in _slices(images)])

    return run_all


def _slices(images):
    return (images[start : start + BATCH] for start in range(0, len(images), BATCH))


def _ends_with_softmax(model):
    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    softmax = isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax
    return softmax and len(last.output.shape) == 2


def _file_digest(path):
    with reading(path, "network"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
