"""PatchCore, the peer that learns from good images alone, on EfficientNet-Lite0's features.

Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection",
https://arxiv.org/abs/2106.08265; there on WideResNet-50. For the studies only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy import ndimage

from keras_gans.defectgan.cam import UpsampleToImage, cam_mask
from keras_gans.defectgan.detectors import Detector, Found, mirrored_to_multiple
from keras_gans.errors import InputError
from keras_gans.metrics.efficientnet_lite import IMAGE_SIZE, efficientnet_lite0

STAGES = ("stage_2", "stage_4")  # of strides 8 and 16, 40 and 112 channels
STRIDE = 16
HELD_OUT = 0.2  # part of the good images that chooses the thresholds
PIXELS, IMAGES = 0.999, 0.95  # shares of their pixels and scores below the thresholds
HIGHEST = 0.8  # share of an image's maximum, the other rule for a mask


@dataclass(frozen=True)
class Settings:
    """What PatchCore has to choose.

    Attributes:
        patches: of all good images so many are drawn, of which
        share: is kept, by greedy choice of the one farthest from all kept ones.
        neighbours: of the nearest kept patch, which weight the image's score.
        sigma: standard deviation of the Gaussian over the map, in pixels of the enlarged image.
        seed: of the draw.
    """

    patches: int = 30_000
    share: float = 0.1
    neighbours: int = 9
    sigma: float = 4.0
    seed: int = 0


class PatchCore:
    """A memory of good patches; gives the distance of other patches to it.

    Args:
        images: good ones, uint8 (H, W, 1 or 3).
        settings: see `Settings`.

    Raises:
        InputError: no images, or EfficientNet-Lite0 is not installed.
    """

    def __init__(self, images: Sequence[np.ndarray], settings: Settings = Settings()):
        if not len(images):
            raise InputError("PatchCore needs defect-free training images: there is none")
        self.settings = settings
        self.enlarge = enlargement(images)
        self._features = _traced(patch_network())
        rng = np.random.default_rng(settings.seed)
        each = -(-settings.patches // len(images))
        drawn = []
        for image in images:
            found = self.features(image)
            found = found.reshape(-1, found.shape[-1])
            drawn.append(found[rng.permutation(len(found))[:each]])
        drawn = np.concatenate(drawn)
        kept = coreset(drawn, max(1, round(settings.share * len(drawn))), settings.seed)
        self.memory = drawn[kept]
        self._squares = (self.memory**2).sum(axis=1)

    def features(self, image: np.ndarray) -> np.ndarray:
        """Patches' features of an image uint8 (H, W, C): float32 (h, w, D)."""
        whole = mirrored_to_multiple(_rgb(image), -(-STRIDE // self.enlarge))
        size = np.array(whole.shape[:2]) * self.enlarge
        return self._features(whole[None], tf.constant(size, tf.int32)).numpy()[0]

    def __call__(self, image: np.ndarray) -> tuple[np.ndarray, float]:
        """The map of distances, float32 (H, W), and the image's score."""
        features = self.features(image)
        vectors = features.reshape(-1, features.shape[-1])
        apart = np.concatenate([*self._distances(vectors)])
        worst = apart[:, 0].argmax()
        score = apart[worst, 0] * self._weight(vectors[worst], int(apart[worst, 1]))
        whole = np.array(features.shape[:2]) * (STRIDE // 2) // self.enlarge
        values = tf.image.resize(apart[:, 0].reshape(*features.shape[:2], 1), whole).numpy()
        values = values[: image.shape[0], : image.shape[1], 0]
        return ndimage.gaussian_filter(values, self.settings.sigma / self.enlarge), float(score)

    def _distances(self, vectors, block=2048) -> Iterator[np.ndarray]:
        """Distance to the nearest patch kept, and its number, (n, 2)."""
        for start in range(0, len(vectors), block):
            part = vectors[start : start + block]
            squares = self._squares - 2 * part @ self.memory.T
            nearest = squares.argmin(axis=1)
            apart = squares[np.arange(len(part)), nearest] + (part**2).sum(axis=1)
            yield np.stack([np.sqrt(np.maximum(apart, 0)), nearest], axis=1)

    def _weight(self, vector, nearest):
        """How rare the nearest patch is itself (equation 7)."""
        around = ((self.memory - self.memory[nearest]) ** 2).sum(axis=1)
        count = min(self.settings.neighbours, len(around))
        chosen = np.argpartition(around, count - 1)[:count]
        apart = np.linalg.norm(vector - self.memory[chosen], axis=1)
        own = np.linalg.norm(vector - self.memory[nearest])
        return 1 - np.exp(own - apart.max()) / np.exp(apart - apart.max()).sum()


def patchcore_detectors(
    images: Sequence[np.ndarray], settings: Settings = Settings()
) -> list[Detector]:
    """PatchCore as a detector, its thresholds chosen without any mask or defective image.

    A fifth of the good images is not remembered but chooses the thresholds: the level below
    which 99.9 % of their pixels lie, and the score below which 95 % of them lie. "PatchCore"
    marks what is above the level, "PatchCore, 80 %" what is above that share of the image's
    maximum.

    Args:
        images: good training images, uint8 (H, W, C).
        settings: see `Settings`.
    """
    order = np.random.default_rng([settings.seed, 1]).permutation(len(images))
    held = max(1, round(HELD_OUT * len(images)))
    patchcore = PatchCore([images[i] for i in order[held:]], settings)
    maps, scores = zip(*(patchcore(images[i]) for i in order[:held]))
    level = np.quantile(np.concatenate([each.ravel() for each in maps]), PIXELS)
    limit = np.quantile(scores, IMAGES)

    def run(image):
        values, score = patchcore(image)
        masks = {
            "PatchCore": values > level,
            f"PatchCore, {HIGHEST:.0%}": cam_mask(values, HIGHEST),
        }
        return {
            name: Found(mask, score, judged=bool(score > limit), heat=values)
            for name, mask in masks.items()
        }

    return [run]


def patch_network() -> keras.Model:
    """Frozen features of patches (section 3.1): means over 3x3 places, of two stages.

    Returns:
        Model from images (N, H, W, 3), levels 0..255, multiples of 16, to (N, H/8, W/8, 152).
    """
    network = efficientnet_lite0()
    fine, coarse = (
        keras.layers.AveragePooling2D(3, 1, padding="same")(network.get_layer(name).output)
        for name in STAGES
    )
    coarse = UpsampleToImage(2)([coarse, fine])
    return keras.Model(network.inputs, keras.layers.Concatenate()([fine, coarse]))


def enlargement(images: Sequence[np.ndarray]) -> int:
    """Whole factor at which the images are nearest to the size the network was trained on.

    At least 1, by the shorter side of half of the images; a power of 2, at most 16.
    """
    side = np.median([min(image.shape[:2]) for image in images])
    return 2 ** int(np.clip(np.round(np.log2(IMAGE_SIZE / side)), 0, 4))


def coreset(vectors: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Greedy k-centre choice (algorithm 1): each the farthest from all chosen before it.

    Args:
        vectors: float32 (N, D).
        count: at most N.
        seed: of the first.

    Returns:
        indices, int64 (count,).
    """
    squares = (vectors**2).sum(axis=1)
    chosen = np.empty(count, np.int64)
    chosen[0] = np.random.default_rng(seed).integers(len(vectors))
    apart = np.full(len(vectors), np.inf, np.float32)
    for number in range(count):
        if number:
            chosen[number] = apart.argmax()
        last = chosen[number]
        np.minimum(apart, squares + squares[last] - 2 * vectors @ vectors[last], out=apart)
        apart[last] = -1
    return chosen


def _rgb(image):
    return image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)


def _traced(network):
    """A network on uint8 images, enlarged to a size first."""

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 3), tf.uint8), tf.TensorSpec((2,), tf.int32)
        ]
    )  # fmt: skip
    def run(images, size):
        return network(tf.image.resize(images, size), training=False)

    return run
