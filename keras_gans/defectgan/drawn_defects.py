"""Defects drawn on good images, so that a detector knows more than it was given (ours)."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from keras_gans.defectgan.synthetic import DEFECT_TYPES, Threads, add_defect

KINDS = *DEFECT_TYPES, "crack", "hole"
LEAST = 25  # grey levels of a crack or a hole
RIM = 12  # pixels without a hole's middle


def with_drawn_defects(
    images: Sequence[np.ndarray], count: int, side: int, seed: int
) -> list[np.ndarray]:
    """Cuts windows from good images and draws a defect on each.

    Args:
        images: uint8 (H, W, C), without defects, of 32 pixels a side or more.
        count: windows, a function of the seed and their number.
        side: of a window, in pixels; those of smaller images are the image.
        seed: not negative.

    Returns:
        list of uint8 (h, w, C), `count` long; all kinds take turns.
    """
    windows = []
    for number in range(count):
        rng = np.random.default_rng([seed, 17, number])
        image = images[rng.integers(len(images))]
        window = image[tuple(_part(rng, size, min(size, side)) for size in image.shape[:2])]
        windows.append(_spoiled(rng, KINDS[number % len(KINDS)], window))
    return windows


def _spoiled(rng, kind, window):
    shape = window.shape[:2]
    side = max(32, int(min(shape) * rng.uniform(0.35, 1)))
    square = tuple(_part(rng, size, min(size, side)) for size in shape)
    patch = window[square].mean(axis=2, dtype=np.float32)
    side = min(patch.shape)
    patch = patch[:side, :side]
    threads = Threads(rng.uniform(0, np.pi), rng.uniform(3, 8), rng.random())
    change = np.zeros(shape, np.float32)
    change[square][:side, :side] = spoil(rng, kind, patch, threads)[0] - patch
    return np.clip(np.rint(window + change[..., None]), 0, 255).astype(np.uint8)


def _part(rng, size, length):
    start = int(rng.integers(size - length + 1))
    return slice(start, start + length)


def spoil(
    rng: np.random.Generator, kind: str, image: np.ndarray, threads: Threads
) -> tuple[np.ndarray, np.ndarray]:
    """Draws one defect: two to five times as strong as the surface's texture.

    Args:
        rng: `np.random.Generator`.
        kind: one of `KINDS`, see `add_defect`; cracks go their own way, holes are round.
        image: float32 (S, S), grey levels of 0 to 255; it is not changed.
        threads: see `add_defect`.

    Returns:
        (image, mask): float32 (S, S), and bool (S, S), where the defect is.
    """
    if kind in DEFECT_TYPES:
        return add_defect(rng, image, kind, threads)
    if kind == "crack":
        mask = draw_cracks(rng, image.shape)
    else:
        row, column = rng.uniform(RIM, len(image) - RIM, 2)
        y, x = np.ogrid[: len(image), : len(image)]
        radius = np.exp(rng.uniform(0.4, 2.2))
        mask = np.hypot((y - row) * rng.uniform(0.7, 1.4), x - column) < radius
    texture = (image - ndimage.gaussian_filter(image, 8)).std()
    depth = max(LEAST, rng.uniform(2, 5) * texture) * (1 if rng.random() < 0.2 else -1)
    return image + depth * ndimage.gaussian_filter(mask.astype(np.float32), 0.8), mask


def draw_cracks(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """One or two cracks, bool of this shape."""
    height, width = shape
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    for _ in range(rng.integers(1, 3)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        angle, thick = rng.uniform(0, 6.28), rng.uniform(1.5, 4.5)
        for _ in range(rng.integers(30, 110)):
            angle += rng.normal(0, 0.35)
            to = x + 5 * np.cos(angle), y + 5 * np.sin(angle)
            draw.line([x, y, *to], fill=255, width=max(1, round(thick + rng.normal(0, 0.7))))
            x, y = to
            if not (0 <= x < width and 0 <= y < height):
                break
    return np.asarray(mask) > 0
