"""Inception score (Salimans et al. 2016, https://arxiv.org/abs/1606.03498) and its network."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf
from scipy.special import rel_entr

from keras_gans.data.reading import check_regular
from keras_gans.errors import InputError

INCEPTION_2015 = "inception-2015-12-05"
OUTPUTS = {"probabilities": 1008, "features": 2048}

# Operations that read or write files, or run code; the published graph has none of them.
HARMFUL = re.compile("File|Save|Restore|PyFunc|Reader|Dataset|Summary|Print")

INPUT, POOL, LOGITS = "ExpandDims", "pool_3", "softmax/logits/MatMul"


def inception_score(probabilities: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """exp of the mean of KL(p(y|x) || p(y)) over the images of each split.

    The images are split in the order given: mix them before if they are sorted by class. The
    score grows with the number of images in a split.

    Args:
        probabilities: (N, K), p(y|x) of each image; each row adds up to 1.
        splits: of equal size, or sizes that differ by 1.

    Returns:
        Mean and standard deviation over the splits, as in the authors' code with N in the
        denominator. A score is between 1 and K.

    Raises:
        ValueError: not probabilities, or fewer images than splits.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "`probabilities` must be (N, K), at least 0, rows that add up to 1. "
            f"Received: shape {p.shape}, from {p.min(initial=1)} to {p.max(initial=0)}"
        )
    if not 1 <= splits <= len(p):
        raise ValueError(
            f"`splits` must be from 1 to the number of images, {len(p)}. Received: {splits}"
        )
    bounds = np.arange(splits + 1) * len(p) // splits
    scores = []
    for start, end in zip(bounds, bounds[1:]):
        part = p[start:end]
        divergences = rel_entr(part, part.mean(axis=0)).sum(axis=1)  # 0 log 0 = 0
        scores.append(np.exp(divergences.mean()))
    return float(np.mean(scores)), float(np.std(scores))


def score_name(network: str) -> str:
    """Name of a score: `inception_score` if `network` is `INCEPTION_2015`, which defines it.

    For other networks, such as `"classifier"`, their name is part of it.
    """
    return "inception_score" if network == INCEPTION_2015 else f"inception_score_{network}"


def inception_2015(
    path: str | os.PathLike,
    output: Literal["probabilities", "features"] = "probabilities",
    batch_size: int = 50,
) -> Callable[[np.ndarray], np.ndarray]:
    """Loads the published network that defines the Inception score and FID.

    As in the code of Salimans et al., the graph itself resizes to 299x299 (bilinear, corners
    not aligned, no half pixels) and scales, and the softmax is of all 1008 logits without their
    bias. The graph runs in a session of its own: TensorFlow computes one of its operations only
    for graphs of its age, not within a `tf.function`.

    Args:
        path: the file `classify_image_graph_def.pb` of `inception-2015-12-05.tgz`.
        output: `"features"` are those of the layer `pool_3`, for FID.
        batch_size: images at once; bounds the memory.

    Returns:
        function from images uint8 (N, H, W, 3) to float32 (N, 1008) or (N, 2048). It raises
        ValueError for other images.

    Raises:
        InputError: the file cannot be read, or is not that graph.
        ValueError: another `output`.
    """
    if output not in OUTPUTS:
        raise ValueError(f"`output` must be one of {list(OUTPUTS)}. Received: {output!r}")
    graph_def = _read_graph(path)
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3))
        try:
            pool, product = tf.import_graph_def(
                graph_def, {f"{INPUT}:0": pixels}, [f"{POOL}:0", LOGITS], name=""
            )
            features = tf.squeeze(pool, (1, 2))
            weights = product.inputs[1]
            probabilities = tf.nn.softmax(features @ weights)
        except Exception as error:  # TensorFlow raises nearly every type there is
            raise _not_the_graph(path, "".join(str(error).splitlines()[:1])) from None
    if weights.shape != (OUTPUTS["features"], OUTPUTS["probabilities"]):
        raise _not_the_graph(path, f"its last layer is {tuple(weights.shape)}")
    fetched = {"probabilities": probabilities, "features": features}[output]
    session = tf.compat.v1.Session(graph=graph)

    def run(images):
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(
                f"images must be uint8 (N, H, W, 3). Received: {images.dtype} {images.shape}"
            )
        results = np.empty((len(images), OUTPUTS[output]), np.float32)
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            results[start : start + batch_size] = session.run(fetched, {pixels: batch})
        return results

    return run


def _read_graph(path):
    graph_def = tf.compat.v1.GraphDef()
    check_regular(path)
    try:
        graph_def.ParseFromString(Path(path).read_bytes())
    except Exception:  # protobuf raises nearly every type there is
        raise _not_the_graph(path, "not a GraphDef") from None
    harmful = [node.op for node in graph_def.node if HARMFUL.search(node.op)]
    if harmful:
        raise _not_the_graph(path, f"it has the operation {harmful[0]}")
    missing = {INPUT, POOL, LOGITS} - {node.name for node in graph_def.node}
    if missing:
        raise _not_the_graph(path, f"no node {sorted(missing)[0]}")
    return graph_def


MEND = "give classify_image_graph_def.pb, unpacked from inception-2015-12-05.tgz"


def _not_the_graph(path, reason):
    return InputError(f"{path}: not the Inception graph of 2015 ({reason}); {MEND}")
