"""Detection (section II-D): clean the image, compare grey levels, denoise, cut, dilate.

The paper says "simply computing the difference of each pixel in gray level" and "simple
denoising and dilation"; the Gaussian, the threshold and its choice from training images
without masks are ours.

There are two forms: NumPy with SciPy for work in Python, and one TensorFlow graph for the
exported model. From one cleaned image (8 bits) both give the same mask to the bit: grey
differences lie on a grid of 1/16 grey level and the Gaussian's weights on one of 1/4096, so
that every sum fits in 24 bits and is exact in float32, in whatever order it is taken.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf
from scipy import ndimage
from skimage import filters, measure

from keras_gans.defectgan.flatten import flattened
from keras_gans.defectgan.tiles import clean_in_tiles, mirrored
from keras_gans.errors import InputError

# ITU-R BT.601 in 1/65536, as Pillow rounds it: 0.299, 0.587, 0.114
LUMA = np.array([19595, 38470, 7471], np.float32) / 65536
STEPS = 16  # of a difference, in one grey level
LEVELS = np.arange(255 * STEPS + 1) / STEPS  # all values that a difference can have
WEIGHT_STEPS = 4096
TRUNCATE = 4  # standard deviations at which the Gaussian ends


@dataclass(frozen=True)
class Calibration:
    """What a detector knows beside its generator, from training images alone.

    `dataclasses.asdict` gives what can be written as JSON, `Calibration(**values)` reads it.

    Attributes:
        bias: mean of grey(image) - grey(cleaned) over defect-free images, in grey levels
            0..255; see `measure_bias`.
        threshold: a pixel whose denoised difference is above it is defective, in grey levels,
        peak: provided that the largest difference within `reach` pixels, to every side and
            diagonally, is above this one, in grey levels.
        reach: see `peak`.
        sigma: standard deviation of the Gaussian that denoises, in pixels; 0 for none.
        dilation: the mask grows by so many pixels to every side, diagonals included.
        share: a defective pixel is also above this share of the largest difference within
            `reach`, so that a strong defect is not drawn too wide.
        limit: an image whose score is above it counts as defective, in grey levels. What the
            mask shows of another image is within what good images show.
    """

    bias: float
    threshold: float
    peak: float = 0.0
    reach: int = 12
    sigma: float = 1.0
    dilation: int = 1
    share: float = 0.0
    limit: float = 0.0

    def __post_init__(self):
        within = {
            "bias": (-255, 255), "threshold": (0, 255), "peak": (0, 255), "reach": (0, 100),
            "share": (0, 0.99), "limit": (0, 255), "sigma": (0, 50), "dilation": (0, 100),
        }  # fmt: skip
        for name, (low, high) in within.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be from {low} to {high}. Received: {value}")
        for name in ("reach", "dilation"):
            if getattr(self, name) != int(getattr(self, name)):
                raise InputError(
                    f"{name} must be whole pixels. Received: {getattr(self, name)}"
                )


@dataclass(frozen=True)
class CalibrationRule:
    """How a `Calibration` is chosen from training images without masks. All of it is ours.

    Attributes:
        method: of the threshold. "quantile": the level that the share `quantile` of the pixels
            of defect-free images does not exceed; "otsu": Otsu's threshold between the pixels
            of defective images.
        quantile: see `method`, in (0, 1].
        peak_quantile: the same for `Calibration.peak`.
        limit_quantile: the share of defect-free images whose score is at most
            `Calibration.limit`.
        floor: none of these levels is lower, in grey levels: less is not seen.
        reach, share, sigma, dilation: see `Calibration`.
    """

    method: Literal["quantile", "otsu"] = "quantile"
    quantile: float = 0.99
    peak_quantile: float = 0.999
    limit_quantile: float = 0.95
    floor: float = 1.0
    reach: int = 12
    sigma: float = 1.0
    dilation: int = 1
    share: float = 0.5

    def __post_init__(self):
        for name in ("quantile", "peak_quantile", "limit_quantile"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise InputError(f"{name} must be above 0 and at most 1. Received: {value}")
        Calibration(0, 0, 0, self.reach, self.sigma, self.dilation, self.share)


@dataclass(frozen=True)
class Detection:
    """What `detect` finds in one image.

    Attributes:
        cleaned: uint8 (H, W, C), the image without its defects.
        difference: float32 (H, W), denoised, in grey levels 0..255.
        mask: bool (H, W), where the defects are.
        score: float, the largest denoised difference; the image's score for being defective.
    """

    cleaned: np.ndarray
    difference: np.ndarray
    mask: np.ndarray
    score: float


class Box(NamedTuple):
    """A connected region: columns x0..x1 - 1, rows y0..y1 - 1, `area` pixels of the region."""

    x0: int
    y0: int
    x1: int
    y1: int
    area: int


# Use ----------------------------------------------------------------------------------------


def traced_cleaner(generator, tile, overlap=None, reduce=1):
    """`clean_in_tiles` of one generator on 8-bit images, traced once for images of all sizes.

    Args:
        generator, tile, overlap: see `clean_in_tiles`.
        reduce: whole factor by which images are reduced for the generator. The change that it
            makes is enlarged again and added to the image as it is.

    Returns:
        tf.function from uint8 (N, H, W, C) to uint8 (N, H, W, C).
    """

    @tf.function(input_signature=[_images_of(generator)])
    def clean(images):
        return _clean(generator, images, tile, overlap, reduce)

    return clean


def detect(clean, image, calibration):
    """Finds the defects of one image.

    Args:
        clean: from `traced_cleaner`; or any function from uint8 (1, H, W, C) to the same.
        image: uint8 (H, W, C).
        calibration: `Calibration`.

    Returns:
        `Detection`.

    Raises:
        ValueError: if the image is of another type or number of axes.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(
            f"image must be uint8 (H, W, C). Received: {image.dtype} {image.shape}"
        )
    cleaned = np.asarray(clean(image[None]))[0]
    values = difference(image, cleaned, calibration.bias, calibration.sigma)
    return Detection(cleaned, values, mask_of(values, calibration), float(values.max()))


def build_detection_graph(generator, calibration, tile, overlap=None, reduce=1, flatten=0):
    """Detection as TensorFlow operations, for the exported model.

    Args:
        generator, tile, overlap, reduce: see `traced_cleaner`.
        calibration: `Calibration`.
        flatten: radius of the flat-field correction that the generator's images and the
            calibration's had, see `flatten.flattened`; 0 for none. The difference is then that
            of the flattened images; what is cleaned has the light of the images as they are.

    Returns:
        function from uint8 (N, H, W, C), any N, H and W, to a dict of

        - `cleaned`: uint8 (N, H, W, C).
        - `difference`: float32 (N, H, W), denoised, in grey levels 0..255.
        - `mask`: uint8 (N, H, W), 255 where the defects are, else 0.
        - `score`: float32 (N,), the largest of `difference`.

        It runs eagerly and in graphs; `tf.function` traces it with the signature uint8
        [None, None, None, C].
    """

    def run(taken):
        images, scale = flattened(taken, flatten) if flatten else (taken, None)
        cleaned = _clean(generator, images, tile, overlap, reduce)
        values = _difference(images, cleaned, calibration.bias, calibration.sigma)
        peaks = _largest_near(values, calibration.reach)
        found = values > tf.maximum(peaks * calibration.share, calibration.threshold)
        found = tf.cast(found & (peaks > calibration.peak), tf.float32)
        found = _largest_near(found, calibration.dilation)
        if flatten:
            change = tf.cast(cleaned, tf.float32) - tf.cast(images, tf.float32)
            restored = tf.round(tf.cast(taken, tf.float32) + change * scale)
            cleaned = tf.cast(tf.clip_by_value(restored, 0, 255), tf.uint8)
        return {
            "cleaned": cleaned,
            "difference": values,
            "mask": tf.cast(255 * found, tf.uint8),
            "score": tf.reduce_max(values, axis=[1, 2]),
        }

    return run


def boxes(mask):
    """Bounding boxes and areas of a mask's connected regions (8 neighbours).

    Args:
        mask: bool (H, W).

    Returns:
        list of `Box`, the largest area first.
    """
    regions = measure.regionprops(measure.label(mask, connectivity=2))
    found = []
    for region in regions:
        y0, x0, y1, x1 = region.bbox
        found.append(Box(x0, y0, x1, y1, int(region.area)))
    return sorted(found, key=lambda box: -box.area)


# Steps --------------------------------------------------------------------------------------


def to_grey(images):
    """Grey levels: ITU-R BT.601 luma of RGB, the channel itself of grey images.

    Args:
        images: uint8 (..., H, W, C), C 1 or 3.

    Returns:
        float32 (..., H, W) in 0..255, exact multiples of 1/65536.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "images must be uint8 with 1 or 3 channels last. "
            f"Received: {images.dtype} {images.shape}"
        )
    if images.shape[-1] == 1:
        return images[..., 0].astype(np.float32)
    return sum(images[..., c] * LUMA[c] for c in range(3))


def difference(images, cleaned, bias, sigma=1.0):
    """Denoised difference image: a Gaussian over |grey(image) - grey(cleaned) - bias|.

    Beyond the border the image is continued by reflection (SciPy's "reflect"). Rounded to
    1/16 grey level before the Gaussian and after each of its two passes, the bias too.

    Args:
        images, cleaned: uint8 (..., H, W, C).
        bias, sigma: see `Calibration`.

    Returns:
        float32 (..., H, W) in 0..255, multiples of 1/16.
    """
    values = _on_grid(to_grey(images) - to_grey(cleaned)) - np.float32(_on_grid(bias))
    values = np.minimum(np.abs(values), np.float32(255))
    for axis in (-2, -1):
        # output in float32: the sums, taken in float64, fit
        values = _on_grid(
            ndimage.correlate1d(values, gaussian_weights(sigma), axis, mode="reflect")
        )
    return values


def mask_of(difference_image, calibration):
    """Where a denoised difference image is above the threshold, near a peak, dilated.

    Args:
        difference_image: float32 (H, W), from `difference`.
        calibration: `Calibration`.

    Returns:
        bool (H, W).
    """
    reach, dilation = (2 * int(n) + 1 for n in (calibration.reach, calibration.dilation))
    peaks = ndimage.maximum_filter(difference_image, reach, mode="constant")
    level = np.maximum(peaks * np.float32(calibration.share), np.float32(calibration.threshold))
    found = (difference_image > level) & (peaks > np.float32(calibration.peak))
    return ndimage.maximum_filter(found, dilation, mode="constant")


def gaussian_weights(sigma):
    """A Gaussian in whole 1/4096, symmetric, its sum exactly 1, cut at 4 standard deviations.

    What rounding takes from one weight goes to its neighbour, none is off by more than
    1/4096.

    Args:
        sigma: standard deviation in pixels; 0 gives the single weight 1.

    Returns:
        float32 (2 int(4 sigma + 0.5) + 1,).
    """
    radius = int(TRUNCATE * sigma + 0.5)
    if not radius:
        return np.ones(1, np.float32)
    half = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    half /= half[0] + 2 * half[1:].sum()
    beyond = np.append(half[::-1].cumsum()[-2::-1], 0)  # the sum of all after each
    beyond = np.rint(beyond * WEIGHT_STEPS)
    half = np.append(WEIGHT_STEPS - 2 * beyond[0], -np.diff(beyond))
    return (np.concatenate([half[:0:-1], half]) / WEIGHT_STEPS).astype(np.float32)


# Calibration --------------------------------------------------------------------------------


def measure_bias(images, cleaned):
    """The generator's own shift in grey: mean of grey(image) - grey(cleaned) over all pixels.

    Args:
        images, cleaned: sequences or iterators of uint8 (H, W, C), defect-free training
            images and what the generator makes of them.

    Returns:
        float, in grey levels.

    Raises:
        InputError: if there are no images.
    """
    total, pixels = 0.0, 0
    for image, clean in zip(images, cleaned, strict=True):
        change = to_grey(image) - to_grey(clean)
        total += change.sum(dtype=np.float64)
        pixels += change.size
    if not pixels:
        raise InputError("a bias needs defect-free training images: there is none")
    return float(total / pixels)


def calibrate(clean, free, defective, rule):
    """Chooses a `Calibration` from training images, without masks.

    Args:
        clean: see `detect`.
        free: list of uint8 (H, W, C), defect-free training images; some dozens suffice.
        defective: the same of defective ones; used by the method "otsu" alone.
        rule: `CalibrationRule`.

    Returns:
        `Calibration`.

    Raises:
        InputError: if there are no images of the kind that the rule needs.
    """
    cleaned = [np.asarray(clean(image[None]))[0] for image in free]
    bias = measure_bias(free, cleaned)
    counts, scores = np.zeros(len(LEVELS), np.int64), []
    for image, clear in zip(free, cleaned):
        values = difference(image, clear, bias, rule.sigma)
        counts += histogram([values])
        scores.append(values.max())
    peak = quantile_level(counts, rule.peak_quantile)
    limit = float(np.quantile(scores, rule.limit_quantile, method="inverted_cdf"))
    if rule.method == "quantile":
        threshold = quantile_level(counts, rule.quantile)
    else:
        threshold = otsu_level(
            histogram(
                difference(image, np.asarray(clean(image[None]))[0], bias, rule.sigma)
                for image in defective
            )
        )
    threshold, peak, limit = (max(level, rule.floor) for level in (threshold, peak, limit))
    return Calibration(
        bias, threshold, peak, rule.reach, rule.sigma, rule.dilation, rule.share, limit
    )


def quantile_level(counts, quantile):
    """The level of `LEVELS` that the share `quantile` of pixels does not exceed.

    Args:
        counts: int64 (4081,), see `histogram`.
        quantile: in (0, 1].

    Raises:
        InputError: if nothing was counted.
    """
    _check_counted(counts, "defect-free")
    return float(np.quantile(LEVELS, quantile, weights=counts, method="inverted_cdf"))


def otsu_level(counts):
    """Otsu's threshold of the counted pixels, one of `LEVELS`; see `quantile_level`."""
    _check_counted(counts, "defective")
    if np.count_nonzero(counts) == 1:
        return float(LEVELS[np.argmax(counts)])
    return float(filters.threshold_otsu(hist=(counts, LEVELS)))


def _check_counted(counts, kind):
    if not np.any(counts):
        raise InputError(f"a threshold needs {kind} training images: there is none")


def histogram(differences):
    """Counts the pixels of difference images; nothing is lost, as they lie on `LEVELS`.

    Args:
        differences: iterable of arrays from `difference`.

    Returns:
        int64 (4081,), how many pixels have each of `LEVELS`.
    """
    counts = np.zeros(len(LEVELS), np.int64)
    for values in differences:
        steps = np.rint(np.asarray(values, np.float64).ravel() * STEPS)
        if not ((steps >= 0) & (steps < len(LEVELS))).all():
            raise ValueError("differences must be from 0 to 255, without NaN")
        counts += np.bincount(steps.astype(np.int64), minlength=len(LEVELS))
    return counts


# The graph's side ---------------------------------------------------------------------------


def _images_of(generator):
    return tf.TensorSpec([None, None, None, generator.input_shape[3]], tf.uint8, name="images")


def _clean(generator, images, tile, overlap, reduce):
    images = tf.cast(images, tf.float32)
    height, width = tf.unstack(tf.shape(images)[1:3])
    small = images
    if reduce > 1:
        for axis, size in ((1, height), (2, width)):
            inside = mirrored(size, 0, -(-size // reduce) * reduce)
            small = tf.gather(small, inside, axis=axis)
        small = tf.nn.avg_pool2d(small, reduce, reduce, "VALID")
    cleaned = clean_in_tiles(generator, small / 127.5 - 1, tile, overlap)
    change = (cleaned + 1) * 127.5 - small
    if reduce > 1:
        change = tf.image.resize(change, tf.shape(small)[1:3] * reduce)[:, :height, :width]
    return tf.cast(tf.clip_by_value(tf.round(images + change), 0, 255), tf.uint8)


def _difference(images, cleaned, bias, sigma):
    """`difference` in TensorFlow: the same numbers."""
    values = _grid(_grey(images) - _grey(cleaned)) - np.float32(_on_grid(bias))
    values = tf.minimum(tf.abs(values), 255)
    weights = gaussian_weights(sigma)
    shape = tf.shape(values)
    for axis in (1, 2):
        inside = mirrored(shape[axis], len(weights) // 2, shape[axis] + len(weights) - 1)
        padded = tf.gather(values, inside, axis=axis)
        values = _grid(_correlate(padded, weights, axis, shape))
    return values


def _correlate(padded, weights, axis, shape):
    """One tap after the other: little memory, and no rounding as in a GPU's convolutions."""

    def add(total, tap):
        shift, weight = tap
        start = tf.one_hot(axis, 3, on_value=shift, off_value=0)
        return total + weight * tf.slice(padded, start, shape)

    taps = tf.range(len(weights)), tf.constant(weights)
    return tf.foldl(add, taps, initializer=tf.zeros(shape), parallel_iterations=1)


def _largest_near(values, radius):
    """The largest of values (N, H, W) within so many pixels to every side and diagonally."""
    values = values[..., None]
    size = 2 * int(radius) + 1
    for window in ((size, 1), (1, size)):
        values = tf.nn.max_pool2d(values, window, strides=1, padding="SAME")
    return values[..., 0]


def _grey(images):
    images = tf.cast(images, tf.float32)
    if images.shape[3] == 1:
        return images[..., 0]
    return sum(images[..., c] * LUMA[c] for c in range(3))


def _on_grid(values):
    return np.rint(values * STEPS) / STEPS


def _grid(values):
    return tf.round(values * STEPS) / STEPS
