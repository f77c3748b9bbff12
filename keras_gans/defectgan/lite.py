"""Detection around a generator of one tile, in NumPy: the numbers of `detection_graph`."""

from collections.abc import Callable

import numpy as np

from keras_gans.defectgan.detection import Calibration, difference, mask_of, score_of
from keras_gans.defectgan.view import View

# Of flattened images:
MIDDLE, GAIN = 128.0, 32.0  # the mean's and one standard deviation's place in 0..255
WHOLE = 4096  # the radius that stands for all of an image
FLOOR = 2.0  # grey levels, added to the standard deviation: noise in the dark stays noise


def build_detection(generator: Callable, calibration: Calibration, view: View) -> Callable:
    """Detection as a function, see `detection_graph.build_detection_graph`.

    Args:
        generator: function of `images`, float32 (1, tile, tile, C) in [-1, 1], to `cleaned`.
        calibration: thresholds.
        view: how it sees images; a quarter of a tile overlaps.

    Returns:
        function of `images`, uint8 (1, H, W, C), to a dict of `difference`, float32, and
        `mask`, uint8, both (1, H, W), and `score` (1,).
    """

    def run(images):
        image = images[0]
        image = flattened(image, view.flatten) if view.flatten else image
        cleaned = cleaned_image(generator, image, view.tile, view.reduce)
        values = difference(image, cleaned, calibration.bias, calibration.sigma)
        mask = np.uint8(255) * mask_of(values, calibration)
        score = score_of(values, calibration.score_pixels)
        return {"difference": values[None], "mask": mask[None], "score": [score]}

    return run


def cleaned_image(generator: Callable, image: np.ndarray, tile: int, reduce: int) -> np.ndarray:
    """`Cleaner.clean` of one image, uint8 (H, W, C), in NumPy."""
    pixels = image.astype(np.float32)
    height, width = image.shape[:2]
    small = pixels
    if reduce > 1:
        missing = [(0, -size % reduce) for size in (height, width)]
        small = np.pad(pixels, [*missing, (0, 0)], mode="symmetric")
        rows, columns = (size // reduce for size in small.shape[:2])
        small = small.reshape(rows, reduce, columns, reduce, -1).mean(axis=(1, 3))
    cleaned = clean_in_tiles(generator, small / np.float32(127.5) - 1, tile)
    change = (cleaned + 1) * np.float32(127.5) - small
    if reduce > 1:
        change = _enlarged(_enlarged(change, reduce, 0), reduce, 1)[:height, :width]
    return np.clip(np.rint(pixels + change), 0, 255).astype(np.uint8)


def clean_in_tiles(generator: Callable, image: np.ndarray, tile: int) -> np.ndarray:
    """`tiles.clean_in_tiles` of one image, float32 (H, W, C), in NumPy; a quarter overlaps."""
    overlap = tile // 4
    stride = tile - overlap
    counts = [max(-(-(size - overlap) // stride), 1) for size in image.shape[:2]]
    lengths = [count * stride + overlap for count in counts]
    before = [(length - size) // 2 for length, size in zip(lengths, image.shape)]
    after = [length - size - first for length, size, first in zip(lengths, image.shape, before)]
    padded = np.pad(image, [*zip(before, after), (0, 0)], mode="symmetric")
    blended = np.zeros_like(padded)
    for row in range(counts[0]):
        for column in range(counts[1]):
            place = tuple(slice(at * stride, at * stride + tile) for at in (row, column))
            cleaned = generator(images=padded[place][None])["cleaned"][0]
            down = _fading(row, counts[0], tile, overlap)[:, None, None]
            blended[place] += (
                cleaned * _fading(column, counts[1], tile, overlap)[:, None] * down
            )
    top, left = before
    return blended[top : top + image.shape[0], left : left + image.shape[1]]


def _fading(number, count, tile, overlap):
    """Weights (tile,) along an axis: up to the neighbour before, down to the one after."""
    ramp = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / max(overlap, 1)) ** 2
    weights = np.ones(tile, np.float32)
    if number:
        weights[:overlap] *= ramp
    if number < count - 1:
        weights[tile - overlap :] *= 1 - ramp
    return weights


def flattened(image: np.ndarray, radius: int) -> np.ndarray:
    """`flatten.flattened` of one image, uint8 (H, W, C), in NumPy."""
    pixels = image.astype(np.float32)
    if radius >= WHOLE:
        rest = pixels - pixels.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        scale = (np.sqrt(np.square(rest).mean(dtype=np.float64)) + FLOOR) / GAIN
        return np.clip(np.rint(MIDDLE + rest / np.float32(scale)), 0, 255).astype(np.uint8)
    rest = pixels - _local_mean(pixels, radius)
    squares = np.square(rest).mean(axis=-1, keepdims=True)
    scale = (np.sqrt(_local_mean(squares, radius)) + FLOOR) / GAIN
    edge = radius // 2
    inside = np.zeros(image.shape[:2], bool)
    inside[edge : image.shape[0] - edge, edge : image.shape[1] - edge] = True
    rest *= inside[..., None]
    return np.clip(np.rint(MIDDLE + rest / scale), 0, 255).astype(np.uint8)


def _local_mean(values, radius):
    """Means over squares, of which the part inside the image counts, taken twice."""
    for axis in (0, 1, 0, 1):
        size = values.shape[axis]
        sums = np.cumsum(np.moveaxis(values, axis, 0), axis=0, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums[:1]), sums])
        first = np.maximum(np.arange(size) - radius, 0)
        last = np.minimum(np.arange(size) + radius + 1, size)
        counts = (last - first).reshape(-1, *[1] * (values.ndim - 1))
        means = ((sums[last] - sums[first]) / counts).astype(np.float32)
        values = np.moveaxis(means, 0, axis)
    return values


def _enlarged(values, times, axis):
    """An axis enlarged by a whole factor, linearly between the pixels' centres."""
    size = values.shape[axis]
    places = np.clip((np.arange(size * times) + 0.5) / times - 0.5, 0, size - 1)
    low = places.astype(int)
    weights = (places - low).astype(np.float32)
    weights = weights.reshape([-1 if each == axis else 1 for each in range(values.ndim)])
    below, above = (values.take(index, axis) for index in (low, np.minimum(low + 1, size - 1)))
    return below + (above - below) * weights
