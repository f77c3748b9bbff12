"""Detection (section II-D): clean the image, compare grey levels, denoise, cut, dilate.

The paper says "simply computing the difference of each pixel in gray level" and "simple
denoising and dilation"; the Gaussian and the threshold are ours.

This is the form for work in Python; `detection_graph` has that of the exported model. From one
cleaned image (8 bits) both give the same mask to the bit: grey differences lie on a grid of
1/16 grey level and the Gaussian's weights on one of 1/4096, so that every sum fits in 24 bits
and is exact in float32, in whatever order it is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_gans.data.filters import correlated, largest_near
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

    Levels are in grey levels, 0..255.

    Attributes:
        bias: mean of grey(image) - grey(cleaned) over defect-free images.
        threshold: a pixel whose denoised difference is above it is defective,
        peak: provided that the largest difference within `reach` pixels, to every side and
            diagonally, is above this one.
        reach: see `peak`.
        sigma: standard deviation of the Gaussian that denoises, in pixels; 0 for none.
        dilation: the mask grows by so many pixels to every side, diagonals included.
        share: a defective pixel is also above this share of the largest difference within
            `reach`, so that a strong defect is not drawn too wide.
        limit: an image whose score is above it counts as defective.
        score_pixels: an image's score is the mean of so many of its largest differences.
    """

    bias: float
    threshold: float
    peak: float = 0.0
    reach: int = 12
    sigma: float = 1.0
    dilation: int = 1
    share: float = 0.0
    limit: float = 0.0
    score_pixels: int = 1

    def __post_init__(self):
        within = {
            "bias": (-255, 255), "threshold": (0, 255), "peak": (0, 255), "reach": (0, 100),
            "share": (0, 0.99), "limit": (0, 255), "sigma": (0, 50), "dilation": (0, 100),
            "score_pixels": (1, 4096),
        }  # fmt: skip
        for name, (low, high) in within.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be from {low} to {high}. Received: {value}")
        for name in ("reach", "dilation", "score_pixels"):
            if getattr(self, name) != int(getattr(self, name)):
                raise InputError(
                    f"{name} must be whole pixels. Received: {getattr(self, name)}"
                )


@dataclass(frozen=True)
class Detection:
    """What `detect` finds in one image.

    Attributes:
        cleaned: uint8 (H, W, C), the image without its defects.
        difference: float32 (H, W), denoised, in grey levels 0..255.
        mask: bool (H, W), where the defects are.
        score: see `score_of`, of `difference`.
    """

    cleaned: np.ndarray
    difference: np.ndarray
    mask: np.ndarray
    score: float


# Use ----------------------------------------------------------------------------------------


def detect(clean: Callable, image: np.ndarray, calibration: Calibration) -> Detection:
    """Finds the defects of one image.

    Args:
        clean: `Cleaner`; or any function from uint8 (1, H, W, C) to the same.
        image: uint8 (H, W, C).
        calibration: thresholds.

    Raises:
        ValueError: the image is of another type or number of axes.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(
            f"image must be uint8 (H, W, C). Received: {image.dtype} {image.shape}"
        )
    cleaned = clean_one(clean, image)
    values = difference(image, cleaned, calibration.bias, calibration.sigma)
    score = score_of(values, calibration.score_pixels)
    return Detection(cleaned, values, mask_of(values, calibration), score)


def clean_one(clean: Callable, image: np.ndarray) -> np.ndarray:
    """One image uint8 (H, W, C) through a function of batches, see `detect`."""
    return np.asarray(clean(image[None]))[0]


# Steps --------------------------------------------------------------------------------------


def to_grey(images: np.ndarray) -> np.ndarray:
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


def difference(
    images: np.ndarray, cleaned: np.ndarray, bias: float, sigma: float = 1.0
) -> np.ndarray:
    """Denoised difference image: a Gaussian over |grey(image) - grey(cleaned) - bias|.

    Beyond the border the image is continued by reflection (SciPy's "reflect"). Rounded to
    1/16 grey level before the Gaussian and after each of its two passes, the bias too.

    Args:
        images, cleaned: uint8 (..., H, W, C).
        bias, sigma: see `Calibration`.

    Returns:
        float32 (..., H, W) in 0..255, multiples of 1/16.
    """
    values = on_grid(to_grey(images) - to_grey(cleaned)) - np.float32(on_grid(bias))
    values = np.minimum(np.abs(values), np.float32(255))
    for axis in (-2, -1):
        values = on_grid(correlated(values, gaussian_weights(sigma), axis))
    return values


def mask_of(difference_image: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Where a denoised difference image is above the threshold, near a peak, dilated.

    Args:
        difference_image: float32 (H, W), from `difference`.
        calibration: thresholds.

    Returns:
        bool (H, W).
    """
    peaks = largest_near(difference_image, int(calibration.reach))
    level = np.maximum(peaks * np.float32(calibration.share), np.float32(calibration.threshold))
    found = (difference_image > level) & (peaks > np.float32(calibration.peak))
    return largest_near(found, int(calibration.dilation))


def score_of(difference_image: np.ndarray, pixels: int = 1) -> float:
    """Mean of the largest `pixels` values of a difference image, or of all if it has fewer."""
    values = largest(difference_image, pixels)
    return float(values.sum(dtype=np.float32) / np.float32(len(values)))


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """The largest `count` values of an array, or all of them, (n,), in any order."""
    values = np.ravel(values)
    if count == 1:
        return values.max(keepdims=True)
    return np.partition(values, max(values.size - count, 0))[-count:]


def gaussian_weights(sigma: float) -> np.ndarray:
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


def on_grid(values: np.ndarray | float) -> np.ndarray:
    """Rounded to 1/16 grey level."""
    return np.rint(values * STEPS) / STEPS
