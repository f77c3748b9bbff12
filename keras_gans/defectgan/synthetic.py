"""Drawn grey surfaces with drawn defects: what the training script uses when no data is given.

Made in the manner of DAGM 2007 (Wieler & Hahn, "Weakly supervised learning for industrial
optical inspection"), itself a drawn set: a random texture, and on some images one artificial
defect. Other than there, the masks are exact. Free and defective images come from the same
textures, lit and photographed alike, so that nothing but the defect tells them apart.

It is a stand-in for photographs, good for trying the training and for tests. No figure
measured on it says anything about photographs.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import fft, ndimage

from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError

TEXTURES = ("fabric", "twill", "brushed", "cast", "leather")
DEFECT_TYPES = ("scratch", "blob", "stain", "missing-thread")

TWO_DEFECTS = 0.15  # share of the defective images that have two defects, of the same type


class Threads(NamedTuple):
    """Where the threads of a surface run, or its grain; at random if it has none.

    Thread n runs straight along the points with
    (x cos(angle) + y sin(angle)) / pitch + phase = n + 1/2.

    Attributes:
        angle: direction across the threads, radians.
        pitch: distance from thread to thread, pixels.
        phase: in threads.
    """

    angle: float
    pitch: float
    phase: float


def synthetic_surfaces(
    free: int = 400,
    defective: int = 200,
    size: int = 96,
    seed: int = 0,
    test_share: float = 0.3,
    types: Sequence[str] = DEFECT_TYPES,
) -> Surfaces:
    """Draws a set of surfaces.

    An image is a function of the seed, the size and its name alone: "scratch/0007" is the
    same in a larger set, and in one without the other types. The textures take turns.

    Args:
        free: number of images without a defect.
        defective: number of images with one; the types take turns.
        size: side of the images in pixels, at least 32.
        seed: not negative; images and split are functions of it.
        test_share: share of the images for testing, above 0 and below 1. Each type has it,
            and at least one image in both parts. With 20 images of each and a share of 0.25
            to 0.6, all textures are in both parts, with and without defects.
        types: the kinds of defect to draw, some of `DEFECT_TYPES`.

    Raises:
        InputError: a value out of its range.
    """
    types = tuple(types)
    _check(free, defective, size, seed, test_share, types)
    kinds = [""] * free + [types[i % len(types)] for i in range(defective)]
    images, masks, names, textures, counts = [], [], [], [], {}
    for kind in kinds:
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        turn = ("", *DEFECT_TYPES).index(kind)
        textures.append(TEXTURES[(number + turn) % len(TEXTURES)])
        rng = np.random.default_rng([seed, turn, number])
        image, threads = draw_surface(rng, textures[-1], size)
        mask = None
        if kind:
            image, mask = add_defect(rng, image, kind, threads)
            if rng.random() < TWO_DEFECTS:
                image, second = add_defect(rng, image, kind, threads)
                mask = mask | second
        images.append(photograph(rng, image))
        masks.append(mask)
        names.append(f"{kind or 'free'}/{number:04}")
    return Surfaces(
        "built-in surfaces",
        images,
        np.array(kinds) != "",
        masks,
        kinds,
        _split(kinds, textures, test_share, seed),
        names,
    )


# Surfaces ---------------------------------------------------------------------------------


def draw_surface(
    rng: np.random.Generator, texture: str, size: int
) -> tuple[np.ndarray, Threads]:
    """Draws a surface without a defect, as the light leaves it: before the camera's noise.

    Args:
        rng: `np.random.Generator`.
        texture: one of `TEXTURES`.
        size: side in pixels.

    Returns:
        (image, threads): float32 (size, size) in grey levels of 0 to 255, with a mean of
        about 90 to 165, and the surface's `Threads`.
    """
    draw = {
        "fabric": partial(_weave, over=1),
        "twill": partial(_weave, over=2),
        "brushed": _brushed,
        "cast": _cast,
        "leather": _leather,
    }[texture]
    relief, threads = draw(rng, size)
    relief = np.clip((relief - relief.mean()) / relief.std(), -3, 3)
    image = rng.uniform(95, 160) + rng.uniform(9, 18) * relief

    towards = _across(size, rng.uniform(0, 2 * np.pi)) / size  # the lamp, -0.7 to 0.7
    light = 1 + rng.uniform(0, 0.2) * towards - rng.uniform(0, 0.1) * towards**2
    return (image * light).astype(np.float32), threads


def photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The camera: noise that grows with the light (shot noise) and 8 bits.

    Args:
        rng: `np.random.Generator`.
        image: float (H, W), grey levels of 0 to 255; what lies outside is clipped.

    Returns:
        uint8 (H, W, 1).
    """
    deviation = rng.uniform(1.5, 3.5) * np.sqrt(np.clip(image, 0, 255) / 128)
    noisy = image + deviation * rng.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)[..., None]


def _weave(rng, size, over):
    """Cloth whose threads pass over `over` threads, then under as many, shifted by one."""
    angle = rng.integers(2) * np.pi / 2 + rng.normal(0, 0.06)
    pitch = rng.uniform(5.5, 8) / np.sqrt(over)
    phase = rng.random(2) + size  # keeps the threads' numbers positive
    u = _across(size, angle) / pitch + phase[0]
    v = _across(size, angle + np.pi / 2) / pitch + phase[1]
    i, j = u.astype(int), v.astype(int)

    def thread(position, number, along, sign):
        turn = np.pi / over * (along - 0.5 + number - (over - 1) / 2)
        lift = sign * np.cos(turn) / np.cos(np.pi / 2 * (over - 1) / over)
        gain = rng.normal(1, 0.07, 3 * size)[number]
        return np.sin(np.pi * (position - number)) * (1 + 0.5 * lift) * gain

    cloth = np.maximum(thread(u, i, v, 1), thread(v, j, u, -1))
    fibres = 0.07 * _noise(rng, size, 0.6) + 0.05 * _noise(rng, size, 8)
    return cloth + fibres, Threads(angle, pitch, phase[0])


def _brushed(rng, size):
    """Metal brushed in one direction: noise that is long along it and short across."""
    angle = rng.uniform(0, np.pi)
    length = rng.uniform(10, 30)
    fine = _noise(rng, size, 0.6, length, angle) + 0.5 * _noise(rng, size, 0.4, 4, angle)
    coarse = _noise(rng, size, rng.uniform(1.5, 3), 2 * length, angle)
    return fine + 0.35 * coarse, Threads(angle, rng.uniform(5, 8), 0.0)


def _cast(rng, size):
    """Rough casting or concrete: several octaves of relief, lit from one side."""
    scale = rng.uniform(0.8, 1.3)
    octaves = ((0.5, 0.5), (1, 1), (2, 1.3), (4, 1.3))
    height = sum(weight * _noise(rng, size, scale * s) for s, weight in octaves)
    rows, columns = np.gradient(height)
    lamp = rng.uniform(0, 2 * np.pi)
    relief = np.cos(lamp) * columns + np.sin(lamp) * rows
    return relief, Threads(rng.uniform(0, np.pi), rng.uniform(4, 7), 0.0)


def _leather(rng, size):
    """Cells between creases: how much nearer the nearest of scattered points is."""
    cell = rng.uniform(8, 12)
    count = int(size / cell) + 6
    points = np.mgrid[:count, :count] + rng.uniform(-0.33, 0.33, (2, count, count))
    y, x = np.mgrid[:size, :size] / cell + 2
    y, x = y + 0.1 * _noise(rng, size, 2), x + 0.1 * _noise(rng, size, 2)
    row, column = np.floor(y).astype(int), np.floor(x).astype(int)
    nearest = second = np.full((size, size), np.inf)
    for down in range(-1, 3):
        for right in range(-1, 3):
            at = row + down, column + right
            distance = np.hypot(y - points[0][at], x - points[1][at])
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    dome = 1 - np.exp(-6 * (second - nearest))
    relief = dome + 0.12 * _noise(rng, size, 0.7) + 0.05 * _noise(rng, size, 6)
    return relief, Threads(rng.uniform(0, np.pi), rng.uniform(4, 7), 0.0)


def _noise(rng, size, across, along=None, angle=0.0):
    """Gaussian noise (size, size) of deviation 1, blurred by two deviations in pixels."""
    fy, fx = fft.fftfreq(size)[:, None], fft.rfftfreq(size)
    a, b = fx * np.cos(angle) + fy * np.sin(angle), fy * np.cos(angle) - fx * np.sin(angle)
    blur = np.exp(-2 * np.pi**2 * ((across * a) ** 2 + ((along or across) * b) ** 2))
    white = rng.standard_normal((size, size), np.float32)
    noise = fft.irfft2(fft.rfft2(white) * blur.astype(np.float32), (size, size))
    return noise / noise.std()


def _across(size, angle, centre=None):
    """x cos(angle) + y sin(angle) of every pixel, from the centre (of the image)."""
    y, x = np.ogrid[:size, :size]
    cy, cx = ((size - 1) / 2,) * 2 if centre is None else centre
    return (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)


# Defects ----------------------------------------------------------------------------------


# contrast in deviations of the texture; share of the texture that is worn off; edge in pixels
LOOKS = {
    "scratch": ((2.4, 4.5), 0.5, 1.0),
    "blob": ((2.0, 3.5), 0.6, 2.0),
    "stain": ((1.6, 3.0), 0.0, 4.0),
    "missing-thread": ((2.2, 3.5), 0.75, 1.5),
}


def add_defect(
    rng: np.random.Generator, image: np.ndarray, kind: str, threads: Threads
) -> tuple[np.ndarray, np.ndarray]:
    """Adds one defect to a surface.

    The defect has an opacity: 1 inside, falling to 0 over an edge of 1 to 4 pixels. The
    image becomes (1 - opacity) image + opacity paint, where the paint is the surface, more
    or less worn smooth, brighter or darker by 1.6 to 4.5 times the texture's deviation (and
    at least 15 grey levels). The mask is where the opacity is at least one half; where it is
    0 the image stays as it was.

    - scratch: thin bent line, 1.5 to 3 pixels wide (up to a side of 96, then in proportion).
    - blob: small pit or bump of irregular outline.
    - stain: large irregular region with soft edges; the texture shows through.
    - missing-thread: strip along a thread, or the grain, from which the texture is gone.

    Args:
        rng: `np.random.Generator`.
        image: float32 (S, S), grey levels of 0 to 255; it is not changed.
        kind: one of `DEFECT_TYPES`.
        threads: the surface's `Threads`; only a missing thread follows them.

    Returns:
        (image, mask): float32 (S, S) and bool (S, S).
    """
    size, (contrast, worn, edge) = len(image), LOOKS[kind]
    if kind == "scratch":
        depth = _scratch(rng, size)
    elif kind == "missing-thread":
        depth = _strip(rng, size, threads)
    elif kind == "stain":
        depth = _patch(rng, size, radius=rng.uniform(0.11, 0.155) * size, rough=0.15)
    else:
        depth = _patch(rng, size, radius=rng.uniform(0.05, 0.09) * size, rough=0.08)
    opacity = np.clip(0.5 + depth / edge, 0, 1).astype(np.float32)

    smooth = ndimage.uniform_filter(image, 15)
    contrast = max(15, rng.uniform(*contrast) * (image - smooth).std())
    paint = image + worn * (smooth - image) + np.float32(rng.choice((-1, 1)) * contrast)
    return image + opacity * (paint - image), opacity >= 0.5


# The depth inside the defect of every pixel (size, size), in pixels; negative outside.


def _scratch(rng, size):
    centre, angle = rng.uniform(0.25, 0.75, 2) * size, rng.uniform(0, 2 * np.pi)
    length, width = rng.uniform(0.4, 0.8) * size, rng.uniform(1.5, 3) * max(1, size / 96)
    along = _across(size, angle, centre) / (length / 2)  # -1 to 1
    bend, twist = rng.normal(0, 0.08, 2) * length
    line = bend * along**2 + twist * (along**3 - along)
    slope = (2 * bend * along + twist * (3 * along**2 - 1)) / (length / 2)
    distance = np.abs(_across(size, angle + np.pi / 2, centre) - line) / np.hypot(1, slope)
    return width / 2 * (1.5 - 0.5 * along**2 - along**8).clip(-9, 1) - distance


def _patch(rng, size, radius, rough):
    """An ellipse whose outline waves."""
    centre, angle = rng.uniform(0.18, 0.82, 2) * size, rng.uniform(0, np.pi)
    stretch = np.exp(rng.uniform(-0.25, 0.25))
    x = _across(size, angle, centre) * stretch
    y = _across(size, angle + np.pi / 2, centre) / stretch
    outline, around = 1.0, np.arctan2(y, x)
    for waves in range(2, 8):
        height, turn = rng.normal(0, rough / np.sqrt(waves)), rng.uniform(0, 2 * np.pi)
        outline = outline + height * np.cos(waves * around + turn)
    return radius * outline.clip(0.4) - np.hypot(x, y)


def _strip(rng, size, threads):
    centre = rng.uniform(0.2, 0.8, 2) * size
    across = _across(size, threads.angle) / threads.pitch + threads.phase
    along = _across(size, threads.angle + np.pi / 2, centre)
    number = np.floor(across[tuple(centre.astype(int))])
    aside = threads.pitch * (0.5 - np.abs(across - number - 0.5))
    ends = (rng.uniform(0.2, 0.6) * size - np.abs(along)) / 2  # less sharp than the sides
    return np.minimum(aside, ends) + 0.4 * _noise(rng, size, 1.5)


# Settings and split -----------------------------------------------------------------------


def _split(kinds, textures, test_share, seed):
    """Bool, True for training: each kind gives its share of test images, over all textures."""
    rng = np.random.default_rng([seed, len(DEFECT_TYPES) + 1])
    kinds, textures, train = np.array(kinds), np.array(textures), np.ones(len(kinds), bool)
    for label in (kinds == "", kinds != ""):
        order, taken = rng.permutation(TEXTURES).tolist(), 0
        for kind in dict.fromkeys(kinds[label]):  # textures take turns, on from kind to kind
            members = rng.permutation(np.flatnonzero(kinds == kind))
            rank, turn = np.zeros((2, len(members)), int)
            for texture in TEXTURES:
                same = textures[members] == texture
                rank[same] = np.arange(same.sum())
                turn[same] = (order.index(texture) - taken) % len(order)
            count = int(np.clip(round(len(members) * test_share), 1, len(members) - 1))
            train[members[np.lexsort((turn, rank))[:count]]] = False
            taken += count
    return train


def _check(free, defective, size, seed, test_share, types):
    known = set(types) <= set(DEFECT_TYPES) and len(set(types)) == len(types) > 0
    rules = (
        (known, f"types are some of {', '.join(DEFECT_TYPES)}", ", ".join(map(str, types))),
        (free >= 2, "at least 2 free images are needed", free),
        (defective >= 2 * len(types), "2 defective images of each type are needed", defective),
        (size >= 32, "size must be at least 32", size),
        (seed >= 0, "seed must not be negative", seed),
        (0 < test_share < 1, "test_share must be above 0 and below 1", test_share),
    )
    for kept, rule, received in rules:
        if not kept:
            raise InputError(f"built-in surfaces: {rule}. Received: {received}")
