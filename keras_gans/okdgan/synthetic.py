"""Drawn concrete surfaces: what the training script uses when no data is given.

Made in the manner of CODEBRIM's photographs of bridges (Mundt et al., CVPR 2019): weathered
concrete with grain, pores, formwork and stains in any light, and on it one of five defects.

It is a stand-in for photographs, good for trying the training and for tests. No figure
measured on it says anything about CODEBRIM.
"""

import numpy as np
from PIL import Image, ImageDraw
from scipy import fft, ndimage

from keras_gans.errors import InputError
from keras_gans.okdgan.datasets import Crops

NAME = "synthetic concrete"
DEFECTS = ("crack", "exposed bar", "spallation", "corrosion stain", "efflorescence")
BACKGROUND = "background"

FINE = 4  # lines and pores are drawn so many times larger
CHUNK = 100  # images made at a time

RUST = np.array([[70, 44, 34], [112, 70, 48], [150, 98, 62]], np.float32)  # dark to light


def synthetic_concrete(
    count: int, seed: int = 0, size: int = 64, background: bool = False
) -> Crops:
    """Draws a set of concrete surfaces.

    Every image is a surface of its own, so any split is a split by photo.

    Args:
        count: number of images.
        seed: int, not negative; the set is a function of it and of the other arguments.
        size: side of the images in pixels; the surface shown is the same at every size.
        background: whether surfaces without a defect are a sixth class.

    Returns:
        `Crops` named "synthetic concrete", classes `DEFECTS` (and `BACKGROUND`), each equally
        often (the first ones once more if the count is not a multiple), in random order;
        labels int64 (N,), no positions.

    Raises:
        InputError: fewer images than classes, size outside 32 to 256, negative seed.
    """
    classes = (*DEFECTS, BACKGROUND) if background else DEFECTS
    if count < len(classes):
        raise InputError(
            f"{NAME}: at least {len(classes)} images, one of each class. Received: {count}"
        )
    if not 32 <= size <= 256:
        raise InputError(f"{NAME}: size is 32 to 256. Received: {size}")
    if seed < 0:
        raise InputError(f"{NAME}: seed must not be negative. Received: {seed}")
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(classes))
    images = np.empty((count, size, size, 3), np.uint8)
    for label, name in enumerate(classes):
        members = np.flatnonzero(labels == label)
        for start in range(0, len(members), CHUNK):
            chunk = members[start : start + CHUNK]
            images[chunk] = _surfaces(rng, len(chunk), size, name)
    sources = tuple(f"surface {number:05}" for number in range(count))
    return Crops(NAME, classes, images, labels, sources)


def _surfaces(rng, count, size, kind):
    """Images of one class, uint8 (N, S, S, 3)."""
    brightness = rng.uniform(95, 205, count)
    if kind == "efflorescence":  # white has to show
        brightness = rng.uniform(85, 145, count)
    elif kind == "crack":
        brightness = rng.uniform(120, 205, count)
    angle = rng.uniform(np.pi, 2 * np.pi, count)  # the light comes from above, left or right
    light = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # x, y
    images = _concrete(rng, brightness, size)
    images = _formwork(rng, images)
    images = _pores(rng, images, light)
    if kind != BACKGROUND:
        images = {
            "crack": _crack,
            "exposed bar": _exposed_bar,
            "spallation": _spallation,
            "corrosion stain": _corrosion_stain,
            "efflorescence": _efflorescence,
        }[kind](rng, images, light)
    return _photographs(rng, images)


# The concrete -----------------------------------------------------------------------------


def _concrete(rng, brightness, size):
    """Cement grey with clouds, grain and the traces of water, float32 (N, S, S, 3)."""
    count, unit = len(brightness), size / 64
    clouds = (
        7 * _field(rng, count, size, 14 * unit)
        + 4 * _field(rng, count, size, 4 * unit)
        + rng.uniform(2, 6, (count, 1, 1)) * _field(rng, count, size, 1.2 * unit)
    )
    grain = rng.uniform(2, 7, (count, 1, 1)) * _field(rng, count, size, 0.5 * unit)
    # water runs down and leaves streaks, darker and browner
    streaks = np.clip(_columns(rng, count, size, 2 * unit, 0.3), 0, 3)
    streaks = (
        streaks * np.where(rng.random(count) < 0.3, rng.uniform(2, 7, count), 0)[:, None, None]
    )
    grey = brightness[:, None, None] + clouds * rng.uniform(0.4, 1.3, (count, 1, 1)) + grain
    warmth = rng.normal(3, 4, count)
    tint = np.stack([warmth, 0.3 * warmth + rng.normal(0, 1.5, count), -warmth], axis=1)
    patina = _field(rng, count, size, 9 * unit)[..., None] * [2.0, 1.0, -1.5]
    images = (grey - streaks)[..., None] + tint[:, None, None] + patina
    return (images - streaks[..., None] * [0, 0.15, 0.4]).astype(np.float32)


def _formwork(rng, images):
    """Traces of the boards: joints, and the grain of the wood on some surfaces."""
    count, size = images.shape[:2]
    unit = size / 64
    upright = rng.random(count) < 0.7
    wood = _columns(rng, count, size, 1.2 * unit, 0.1) + _columns(rng, count, size, 4 * unit, 0)
    wood = _turned(wood, upright)
    strength = np.where(rng.random(count) < 0.35, rng.uniform(1, 4, count), 0)
    images = images + (strength[:, None, None] * wood)[..., None]

    y, x = _grid(size)
    lean = rng.normal(0, 0.02, (count, 1, 1))
    place = rng.uniform(0.05, 0.95, (count, 1, 1)) * size
    wavy = 0.4 * unit * _wobble(rng, count, size)[..., None]
    across = x - place + lean * (y - size / 2) + wavy
    wide = rng.uniform(0.4, 1.1, (count, 1, 1)) * unit
    groove = np.exp(-0.5 * (across / wide) ** 2)
    ridge = np.exp(-0.5 * ((across - 2.2 * wide) / wide) ** 2)
    board = np.where(across > 0, 1, 0) * rng.normal(0, 5, (count, 1, 1))
    joint = board - groove * rng.uniform(8, 40, (count, 1, 1)) + ridge * 8
    seen = rng.random((count, 1, 1)) < 0.3
    return images + np.where(seen, _turned(joint, upright), 0)[..., None]


def _pores(rng, images, light):
    """Round holes that the air left: dark on the side of the light, bright on the other."""
    count, size = images.shape[:2]
    unit = size / 64
    cover = np.empty((count, size, size), np.float32)
    numbers = rng.poisson(np.where(rng.random(count) < 0.5, 2, 8))
    for i, number in enumerate(numbers):
        picture, draw = _canvas(size)
        for x, y, radius in rng.uniform((0, 0, 0), (size, size, 1), (number, 3)) * FINE:
            radius = FINE * unit * (0.4 + 1.3 * (radius / FINE) ** 3)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        cover[i] = _reduced(picture)
    rim = np.clip(_moved(cover, light, -unit) - cover, 0, 1)  # where the light falls in
    images = images * (1 - cover * rng.uniform(0.25, 0.6, (count, 1, 1)))[..., None]
    return images + 12 * rim[..., None]


# The defects ------------------------------------------------------------------------------


def _crack(rng, images, light):
    """Dark lines that branch, from border to border."""
    count, size = images.shape[:2]
    unit = size / 64
    cover = np.stack([_crack_lines(rng, size, rng.uniform(0.7, 2.4)) for _ in range(count)])
    dark = rng.uniform(22, 60, (count, 1)) * np.float32([1, 0.96, 0.9])
    # the edges are chipped: a rim that catches the light, and dirt around
    rim = np.clip(_moved(cover, light, -1.2 * unit) - cover, 0, 1)
    images = images + (rim * rng.uniform(0, 14, (count, 1, 1)))[..., None]
    dirt = _blurred(cover, 2 * unit) * rng.uniform(0, 0.35, (count, 1, 1))
    images = images * (1 - dirt)[..., None]
    return _painted(images, 0.95 * cover, dark[:, None, None])


def _crack_lines(rng, size, width):
    """How much of each pixel a crack covers, float32 (S, S) in [0, 1]."""
    picture, draw = _canvas(size)
    heading = rng.uniform(0, 2 * np.pi)
    middle = rng.uniform(0.35, 0.65, 2) * size
    start = middle - 0.7 * size * np.array([np.cos(heading), np.sin(heading)])
    branches = [(start, heading, width * size / 64, 1.7 * size)]
    forks = rng.choice(4, p=[0.25, 0.4, 0.25, 0.1])
    while branches:
        place, heading, width, length = branches.pop()
        step = size / 40
        turns = rng.normal(0, 0.45, max(int(length / step), 2))
        # it wavers about its heading and jags at every step
        headings = heading + 0.35 * np.cumsum(turns) * np.exp(-np.arange(len(turns)) / 60)
        headings = headings - 0.25 * np.cumsum(headings - heading) / len(turns)
        headings = headings + rng.normal(0, 0.35, len(turns))
        steps = step * np.stack([np.cos(headings), np.sin(headings)], axis=1)
        points = FINE * np.concatenate([[place], place + np.cumsum(steps, axis=0)])
        widths = width * (1 + 0.3 * np.sin(np.cumsum(rng.normal(0, 0.5, len(turns)))))
        widths *= np.linspace(1, 0.65, len(turns))
        for one, two, wide in zip(points, points[1:], np.rint(FINE * widths).astype(int)):
            draw.line((*one, *two), fill=255, width=max(wide, 1))
            half = wide / 2
            draw.ellipse((*(two - half), *(two + half)), fill=255)
        if forks and length > size:
            for place in rng.integers(len(turns) // 3, 2 * len(turns) // 3, forks):
                side = rng.choice([-1, 1]) * rng.uniform(0.5, 1.2)
                branches.append(
                    (points[place] / FINE, heading + side, 0.65 * width, 0.8 * size)
                )
    return _reduced(picture)


def _exposed_bar(rng, images, light):
    """A ribbed, rusty bar in a trench with broken edges."""
    count, size = images.shape[:2]
    unit = size / 64
    along, across = _axes(rng, count, size)
    half = rng.uniform(3.2, 5.8, (count, 1, 1)) * unit
    across = across + 2 * unit * rng.normal(0, 1, (count, 1, 1)) * (along / size) ** 2

    # the trench: its edges are broken, on some surfaces it ends
    ragged = 2.2 * _field(rng, count, size, 4 * unit) + _field(rng, count, size, 1.3 * unit)
    wide = half * rng.uniform(1.9, 3.2, (count, 1, 1)) + ragged * unit
    skew = across + rng.uniform(-0.6, 0.6, (count, 1, 1)) * half
    end = rng.choice([0.15, 0.3, 2], (count, 1, 1)) * size + 2 * ragged * unit
    trench = _soft(np.minimum(wide - np.abs(skew), end - along), 0.6 * unit)
    stain = _blurred(trench, 3.5 * unit) * rng.uniform(0.1, 0.7, (count, 1, 1))
    images = _stained(images, stain, np.float32([0.80, 0.58, 0.40]))
    images = _broken_out(rng, images, trench, light, 1.6 * unit, darker=0.72)

    # the bar: round, with ribs across it, rusty
    round_ = np.sqrt(np.clip(1 - (across / half) ** 2, 0, 1))
    side = rng.choice([-1, 1], (count, 1, 1)) * 0.22 * across / half
    period = rng.uniform(4.5, 7.5, (count, 1, 1)) * unit
    lean = rng.choice([-1, 1], (count, 1, 1)) * rng.uniform(0.3, 0.8, (count, 1, 1))
    ribs = np.sin(2 * np.pi * (along + lean * across) / period)
    shade = 0.42 + 0.55 * round_ + side + 0.26 * np.clip(ribs, -0.7, 1) * round_
    rust = 0.8 * _field(rng, count, size, 1.1 * unit) + _field(rng, count, size, 3 * unit)
    rust = np.clip(rust / 2.2 + rng.uniform(-0.5, 0.7, (count, 1, 1)), -1, 1)[..., None]
    colour = RUST[1] + np.where(rust > 0, RUST[2] - RUST[1], RUST[1] - RUST[0]) * rust
    colour = colour * shade[..., None] * rng.uniform(0.75, 1.15, (count, 1, 1, 1))
    shadow = trench * _soft(1.45 * half - np.abs(across), unit)
    images = images * (1 - 0.4 * shadow)[..., None]
    bar = _soft(half - np.abs(across), 0.35 * unit) * _soft(end + unit - along, 0.6 * unit)
    # mortar still sticks to it here and there
    bar = bar * (1 - 0.8 * _soft(_field(rng, count, size, 3 * unit) - 1.9, 0.2))
    return _painted(images, bar, colour)


def _spallation(rng, images, light):
    """An area where concrete broke out: a steep rim, shadow, rough ground with stones."""
    count, size = images.shape[:2]
    unit = size / 64
    along, across = _axes(rng, count, size, reach=0.18)
    radius = rng.uniform(17, 27, (2, count, 1, 1)) * unit
    inside = 1 - np.hypot(along / radius[0], across / radius[1])
    inside = inside + 0.16 * _field(rng, count, size, 6 * unit)
    inside = inside + 0.07 * _field(rng, count, size, 1.6 * unit)
    hole = _soft(inside, 0.02)
    darker = rng.uniform(0.66, 0.95, (count, 1, 1))
    return _broken_out(rng, images, hole, light, 3 * unit, darker)


def _broken_out(rng, images, hole, light, depth, darker):
    """Replaces the surface inside a hole by the rough inside of concrete.

    Args:
        rng: `np.random.Generator`.
        images: (N, S, S, 3), grey levels.
        hole: (N, S, S) in [0, 1].
        light: (N, 2), the direction (x, y) the light comes from.
        depth: how far the rim throws its shadow, pixels.
        darker: brightness of the inside relative to the surface.

    Returns:
        (N, S, S, 3).
    """
    count, size = hole.shape[:2]
    unit = size / 64
    height = (
        0.7 * _field(rng, count, size, 0.9 * unit)
        + 1.2 * _field(rng, count, size, 2 * unit)
        + 2.2 * _field(rng, count, size, 5 * unit)
    )
    relief = (_moved(height, light, unit) - height) / 2  # slopes that face the light
    stones = _soft(_field(rng, count, size, 1.7 * unit) - 0.9, 0.15)
    hue = rng.normal(0, 1, (count, 1, 1, 1)) * [5, 2, -6] + [4, 0, -7]
    ground = images.mean(axis=(1, 2), keepdims=True) * np.float32(darker)[..., None] + hue
    ground = ground * (1 - 0.20 * np.clip(relief, -2, 2))[..., None]
    kind = _field(rng, count, size, 3 * unit)  # light and dark stones
    ground = ground * (1 + 0.16 * stones * np.clip(kind, -1, 1))[..., None]
    ground = ground + 4 * rng.normal(size=(count, size, size, 1))
    images = _painted(images, hole, ground)
    walled = hole * (1 - _moved(hole, light, depth))
    lit = hole * (1 - _moved(hole, light, -depth / 2))
    images = images * (1 - 0.62 * _blurred(walled, 0.6 * unit))[..., None]
    return images + 30 * _blurred(lit, 0.5 * unit)[..., None]


def _corrosion_stain(rng, images, light):
    """Brown and red that flowed down from a spot above."""
    count, size = images.shape[:2]
    unit = size / 64
    y, x = _grid(size)
    top = rng.uniform(-0.05, 0.35, (count, 1, 1)) * size
    place = rng.uniform(0.2, 0.8, (count, 1, 1)) * size
    wide = rng.uniform(6, 15, (count, 1, 1)) * unit
    spot = np.hypot((x - place) / (0.8 * wide), (y - top) / (4 * unit))
    spot = _soft(1 - spot + 0.3 * _field(rng, count, size, 2 * unit), 0.12)
    flow = _flow(rng, x - place, y - top, wide, rng.uniform(0.6, 1.4, (count, 1, 1)) * size)
    patches = np.clip(0.85 + 0.25 * _field(rng, count, size, 2.5 * unit), 0, 1.2)
    strength = rng.uniform(0.75, 1.25, (count, 1, 1))
    images = _stained(images, strength * flow * patches, np.float32([0.78, 0.50, 0.29]))
    core = np.clip(strength * spot * patches, 0, 1) * rng.uniform(0.4, 0.95, (count, 1, 1))
    colour = RUST[0] + rng.uniform(0, 1, (count, 1, 1, 1)) * (RUST[1] - RUST[0])
    return _painted(images, core, colour)


def _efflorescence(rng, images, light):
    """White salt that water brings out of a crack or joint, as crust and as drips."""
    count, size = images.shape[:2]
    unit = size / 64
    y, x = _grid(size)
    slope = rng.normal(0, 0.25, (count, 1, 1))
    line = rng.uniform(0.05, 0.5, (count, 1, 1)) * size + slope * (x - size / 2)
    line = line + 2 * unit * _wobble(rng, count, size)[:, None]
    below = y - line
    coarse = _field(rng, count, size, 5 * unit)
    fine = _field(rng, count, size, 1.2 * unit)
    thick = rng.uniform(1, 5, (count, 1, 1)) * unit
    crust = _soft(thick * (1 + 0.8 * coarse + 0.5 * fine) - np.abs(below - 0.4 * thick), unit)
    place = rng.uniform(0.2, 0.8, (count, 1, 1)) * size
    wide = rng.uniform(9, 24, (count, 1, 1)) * unit
    length = rng.uniform(0.4, 1.2, (count, 1, 1)) * size
    drips = _flow(rng, x - place, below, wide, length)
    drips = drips * np.clip(0.8 + 0.25 * fine + 0.25 * coarse, 0, 1.2)
    spots = _soft(coarse + 0.7 * fine - 1.1, 0.3) * np.exp(-np.abs(below) / (14 * unit))
    cover = 1 - (1 - np.clip(0.95 * crust, 0, 1)) * (1 - np.clip(1.1 * drips, 0, 0.95)) * (
        1 - 0.85 * spots
    )
    wet = _blurred(cover, 4 * unit) * rng.uniform(0, 0.35, (count, 1, 1))
    images = images * (1 - wet)[..., None]
    gap = np.exp(-0.5 * (below / (0.5 * unit)) ** 2) * (rng.random((count, 1, 1)) < 0.6)
    images = images * (1 - 0.75 * gap)[..., None]
    relief = _moved(crust + 0.25 * fine, light, unit) - (crust + 0.25 * fine)
    white = np.float32([236, 236, 230]) - rng.uniform(0, 18, (count, 1, 1, 1)) * [0, 0.3, 1.2]
    white = white * (1 - 0.22 * np.clip(relief, -1, 1) + 0.03 * fine)[..., None]
    return _painted(images, cover * rng.uniform(0.8, 1, (count, 1, 1)), white)


def _flow(rng, across, below, wide, length):
    """How strong streaks are that run down from a source at `below` = 0.

    Args:
        rng: `np.random.Generator`.
        across: (N, S, S), distance to the right of the middle of the flow, pixels.
        below: (N, S, S), distance below the source, pixels.
        wide, length: (N, 1, 1), half width of the flow, and its length, pixels.

    Returns:
        (N, S, S), 0 to about 1.
    """
    count, size = below.shape[:2]
    unit = size / 64
    strands = _columns(rng, count, size, 1.3 * unit, 0.7) + _columns(
        rng, count, size, 4 * unit, 0.7
    )
    reach = length * np.clip(0.65 + 0.3 * strands, 0.1, 1.6)
    ahead = np.clip(below / reach, 0, 1)
    body = np.exp(-0.5 * (across / (wide * (1 + 0.25 * ahead))) ** 4)
    strength = np.clip(0.75 + 0.3 * strands, 0.2, 1.2) * (1 - ahead) ** 0.8
    return body * strength * _soft(below, 1.2 * unit)


# The photograph ---------------------------------------------------------------------------


def _photographs(rng, images):
    """Light, lens, sensor: uint8 (N, S, S, 3)."""
    count, size = images.shape[:2]
    unit = size / 64
    y, x = _grid(size)
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    slope = ((x - size / 2) * np.cos(angle) + (y - size / 2) * np.sin(angle)) / size
    light = 1 + rng.uniform(0, 0.35, (count, 1, 1)) * slope
    cast = 1 + rng.normal(0, 0.016, (count, 1, 1, 3)) * [1, 0.4, 1.2]
    images = np.clip(images, 0, 255) * light[..., None] * cast
    sharp = rng.uniform(0, 0.8, (count, 1, 1, 1))
    images = sharp * images + (1 - sharp) * _blurred(images, 0.65 * unit)
    images = images + rng.uniform(0.5, 3, (count, 1, 1, 1)) * rng.normal(size=images.shape)
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8)


# Tools ------------------------------------------------------------------------------------


def _grid(size):
    """y (S, 1) and x (1, S) of the pixels' middles."""
    place = np.arange(size, dtype=np.float32) + 0.5
    return place[:, None], place


def _axes(rng, count, size, reach=0.12):
    """Coordinates along and across a random direction, (N, S, S), 0 near the middle."""
    y, x = _grid(size)
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    shift = rng.uniform(-reach, reach, (2, count, 1, 1)) * size + size / 2
    x, y = x - shift[0], y - shift[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def _field(rng, count, size, sigma):
    """Noise as smooth as a Gaussian of `sigma` pixels makes it; float32 (N, S, S).

    Mean 0 and variance 1 over an endless surface, not over each image.
    """
    # repeats beyond the image only, so that opposite borders have nothing in common
    side = fft.next_fast_len(size + int(np.ceil(2.5 * sigma)), real=True)
    rows, columns = fft.fftfreq(side)[:, None], fft.rfftfreq(side)
    passed = np.exp(-2 * (np.pi * sigma) ** 2 * (rows**2 + columns**2)).astype(np.float32)
    noise = rng.standard_normal((count, side, side), np.float32)
    noise = fft.irfft2(passed * fft.rfft2(noise), (side, side))[:, :size, :size]
    return noise / _deviation(sigma) ** 2


def _columns(rng, count, size, sigma, wander):
    """Noise that is the same all the way down, but for some wandering; (N, S, S)."""
    wide = 2 * size
    profile = _line(rng, count, wide, sigma)
    drift = wander * size / 16 * _field(rng, count, size, size / 10) if wander else 0
    place = np.clip(np.arange(size) + size // 2 + drift, 0, wide - 2)
    place = np.broadcast_to(place, (count, size, size))
    left = place.astype(int)
    row = np.arange(count)[:, None, None]
    part = place - left
    return (1 - part) * profile[row, left] + part * profile[row, left + 1]


def _wobble(rng, count, size):
    """Smooth noise along a line, (N, S)."""
    return _line(rng, count, size, size / 12)


def _line(rng, count, length, sigma):
    noise = rng.standard_normal((count, length), np.float32)
    return ndimage.gaussian_filter1d(noise, sigma, mode="wrap") / _deviation(sigma)


def _deviation(sigma):
    """What Gaussian smoothing leaves of the deviation of white noise, in one dimension."""
    weights = np.exp(-0.5 * (np.arange(-int(5 * sigma) - 2, int(5 * sigma) + 3) / sigma) ** 2)
    return np.float32(np.sqrt((weights**2).sum()) / weights.sum())


def _blurred(images, sigma):
    """Gaussian blur of (N, S, S, ...), by `sigma` pixels."""
    for axis in (1, 2):
        images = ndimage.gaussian_filter1d(images, sigma, axis, mode="nearest", truncate=3)
    return images


def _soft(distance, edge):
    """0 to 1, a step with a soft edge."""
    return 1 / (1 + np.exp(-np.clip(2 * distance / edge, -40, 40)))


def _moved(images, direction, distance):
    """What lies so many pixels further in a direction (x, y), (N, 2), of each pixel."""
    count, size = images.shape[:2]
    shift = np.rint(direction * distance).astype(int)
    columns, rows = (np.clip(np.arange(size) + shift[:, i, None], 0, size - 1) for i in (0, 1))
    return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None]]


def _turned(images, upright):
    return np.where(upright[:, None, None], images, images.swapaxes(1, 2))


def _painted(images, cover, colour):
    """Opaque colour over a part of each pixel."""
    return images + cover[..., None] * (colour - images)


def _stained(images, strength, colour):
    """Transparent colour: the surface shows through, times `colour` to the `strength`."""
    return images * colour ** np.clip(strength, 0, 2)[..., None]


def _canvas(size):
    picture = Image.new("L", (FINE * size, FINE * size))
    return picture, ImageDraw.Draw(picture)


def _reduced(picture):
    return np.asarray(picture.reduce(FINE), np.float32) / 255
