"""The grey-world family: six ways to guess the light from statistics of the picture.

van de Weijer, Gevers & Gijsenij, "Edge-based color constancy", IEEE Trans. Image
Processing 16(9), 2007 write them as one: the light e of a picture f is

    e = k * ( mean over pixels of |d^n f_sigma / dx^n|^p )^(1/p)        (each channel)

with derivative order n, Minkowski norm p and f smoothed by a Gaussian of sigma pixels.
Nothing in it is learned.
"""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

SATURATION = 0.98  # a pixel with a channel at or above this value is clipped (ours)


def methods(image_shape: tuple[int, ...]) -> dict:
    """The members of the family that papers compare with, and their parameters.

    Every parameter is a published one; none was chosen on the pictures measured here.

    - grey-world: Buchsbaum, "A spatial processor model for object colour perception",
      1980. The mean is grey.
    - white-patch: Land & McCann, "Lightness and retinex theory", 1971. The maximum is
      white.
    - shades-of-grey: Finlayson & Trezzi, "Shades of gray and colour constancy", 2004,
      with the p = 6 they found best.
    - general-grey-world, grey-edge-1, grey-edge-2: van de Weijer et al. 2007, with p = 5
      and sigma = 2 as in the code its authors published.

    Sigma is in pixels and has to fit the picture: 2 where the shorter side has at least
    256 pixels, 1 below, the smallest for which a sampled Gaussian is a good one.
    (Parameters tuned on full-size photographs have no counterpart in a thumbnail.)

    Args:
        image_shape: (H, W) or (H, W, 3), pixels.

    Returns:
        dict: name -> keyword arguments of `grey_edge`.
    """
    sigma = 2.0 if min(image_shape[:2]) >= 256 else 1.0
    return {
        "grey-world": dict(order=0, norm=1, sigma=0.0),
        "white-patch": dict(order=0, norm=np.inf, sigma=0.0),
        "shades-of-grey": dict(order=0, norm=6, sigma=0.0),
        "general-grey-world": dict(order=0, norm=5, sigma=sigma),
        "grey-edge-1": dict(order=1, norm=5, sigma=sigma),
        "grey-edge-2": dict(order=2, norm=5, sigma=sigma),
    }


def estimate_all(images: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Estimates the light of every picture by every method of `methods`.

    A picture of 1024 pixels or more on its longer side is averaged in blocks first:
    smoothing and derivatives of a set of full-size photographs would take hours.

    Args:
        images: iterable of linear (H, W, 3) arrays in [0, 1], of any sizes; gone through
            once.

    Returns:
        dict: name of the method -> float64 (N, 3), unit norm.
    """
    estimates = {}
    for image in images:
        image = _averaged(image, max(np.shape(image)) // 512)
        for name, parameters in methods(image.shape).items():
            estimates.setdefault(name, []).append(grey_edge(image, **parameters))
    return {name: np.stack(values) for name, values in estimates.items()}


def _averaged(image, factor):
    """Means of blocks; a block with a blanked pixel is blank, with a clipped one clipped."""
    image = np.asarray(image)
    if factor < 2:
        return image
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : columns * factor]
    blocks = blocks.reshape(rows, factor, columns, factor, 3).swapaxes(1, 2)
    small = blocks.mean(axis=(2, 3))
    highest = blocks.max(axis=(2, 3))
    small = np.where(highest >= SATURATION, highest, small)
    blank = ~blocks.any(axis=4).all(axis=(2, 3))
    small[blank] = 0
    return small


def grey_edge(
    image: np.ndarray,
    order: int = 0,
    norm: float = 1,
    sigma: float = 0.0,
    saturation: float = SATURATION,
) -> np.ndarray:
    """Estimates the light of a picture from its values (order 0) or edges (order 1, 2).

    The edge of order 1 is sqrt(fx^2 + fy^2), of order 2 sqrt(fxx^2 + 4 fxy^2 + fyy^2).
    Left out are blanked pixels (all channels 0, such as a masked colour chart) and
    clipped ones, both with the neighbours that the filter would let them reach (3 sigma).
    If nothing is left, clipped pixels count; if still nothing, the neighbours too.

    Args:
        image: linear RGB (H, W, 3), at least 0.
        order: order of the derivative, 0, 1 or 2.
        norm: Minkowski norm p, at least 1; `np.inf` is the maximum.
        sigma: scale of the Gaussian in pixels; 0 (order 0 only) is no smoothing.
        saturation: a pixel with a channel at or above this value is clipped; `np.inf`
            counts every pixel.

    Returns:
        float64 (3,), unit norm. A picture without a single edge says nothing of its light
        at order 1 and 2: (1, 1, 1) / sqrt(3).

    Raises:
        ValueError: an argument out of its range, NaN or infinity, an all-black picture.
    """
    image = np.asarray(image, np.float64)
    if order not in (0, 1, 2):
        raise ValueError(f"order is 0, 1 or 2. Received: order={order}")
    if not norm >= 1:
        raise ValueError(f"norm is at least 1. Received: norm={norm}")
    if sigma < 0 or (order > 0 and sigma < 0.5):
        raise ValueError(
            "sigma is at least 0, and at least 0.5 where a derivative is taken. "
            f"Received: order={order}, sigma={sigma}"
        )
    if image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(f"image has shape (H, W, 3). Received: {image.shape}")
    if not np.isfinite(image).all():
        raise ValueError("image holds NaN or infinity.")
    if not image.any():
        raise ValueError("image is all black: it says nothing of its light.")

    used = _used_pixels(image, _radius(sigma), saturation)
    scale = image.max()
    values = _edges(image / scale, order, sigma)[used]
    if np.isinf(norm):
        light = values.max(axis=0)
    else:
        light = np.mean(values**norm, axis=0) ** (1 / norm)
    if light.max() < 1e-9:  # rounding, not edges
        light = np.ones(3)
    return light / np.linalg.norm(light)


def _used_pixels(image, radius, saturation):
    blank = ~image.any(axis=-1)
    clipped = image.max(axis=-1) >= saturation
    for left_out, reach in ((blank | clipped, radius), (blank, radius), (blank, 0)):
        if reach:
            left_out = ndimage.maximum_filter(left_out, size=2 * reach + 1)
        if not left_out.all():
            return ~left_out


def _edges(image, order, sigma):
    """Absolute values (order 0) or strength of edges (1, 2) at every pixel."""
    if sigma == 0:
        return image

    def derivative(y, x):
        rows = ndimage.correlate1d(image, _kernel(sigma, y), axis=0, mode="nearest")
        return ndimage.correlate1d(rows, _kernel(sigma, x), axis=1, mode="nearest")

    if order == 0:
        return derivative(0, 0)
    if order == 1:
        return np.hypot(derivative(0, 1), derivative(1, 0))
    xx, xy, yy = derivative(0, 2), derivative(1, 1), derivative(2, 0)
    return np.sqrt(xx**2 + 4 * xy**2 + yy**2)


def _radius(sigma):
    return int(3 * sigma + 0.5)


def _kernel(sigma, order):
    """Sampled Gaussian derivative, exact on polynomials up to its order.

    Cut at 3 sigma, a sampled second derivative does not add up to zero and would take
    brightness for an edge; so its mean is removed and its scale set by 1, x and x^2.
    """
    x = np.arange(-_radius(sigma), _radius(sigma) + 1)
    gauss = np.exp(-(x**2) / (2 * sigma**2))
    gauss /= gauss.sum()
    if order == 0:
        return gauss
    if order == 1:
        return x * gauss / np.sum(x**2 * gauss)
    second = (x**2 / sigma**2 - 1) * gauss
    second -= second.mean()
    return 2 * second / np.sum(x**2 * second)
