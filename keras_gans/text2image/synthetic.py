"""Drawn flowers with captions: what the training script uses when no data is given.

Made in the manner of Oxford 102 Flowers (Nilsback and Zisserman, 2008) with the captions of
Reed et al. (2016): a flower seen from the front fills the picture, in front of leaves, soil,
sky, stones or the dark, and sentences say what its petals and its centre look like.

It is a stand-in for photographs, good for trying the training and for tests. No figure
measured on it says anything about Oxford 102.
"""

import re
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab

from keras_gans.errors import InputError
from keras_gans.text2image.datasets import CaptionedImages

NAME = "synthetic flowers"

# Colours of petals and of centres, sRGB. Three names are colours of both, so that a name
# alone does not say what it is the colour of.
PETALS = {
    "red": (202, 24, 36),
    "orange": (242, 128, 22),
    "yellow": (246, 216, 44),
    "white": (238, 238, 232),
    "pink": (242, 130, 172),
    "purple": (122, 38, 136),
    "blue": (44, 104, 214),
    "maroon": (92, 14, 32),
}
CENTRES = {
    "yellow": (240, 200, 40),
    "white": (238, 238, 228),
    "green": (104, 156, 50),
    "brown": (104, 60, 26),
    "purple": (112, 40, 144),
}
# (petals, centre) of the test images, which no training image has. Every colour of petals is
# among them, and every colour of centres twice.
HELD_OUT = (
    ("red", "yellow"),
    ("red", "white"),
    ("orange", "brown"),
    ("yellow", "purple"),
    ("yellow", "green"),
    ("white", "brown"),
    ("pink", "white"),
    ("purple", "yellow"),
    ("blue", "purple"),
    ("maroon", "green"),
)

# Shapes of petals: what they are called, and how many there are, at least and at most.
SHAPES = {
    "rounded": (("rounded", "round", "wide and round"), 4, 7),
    "pointed": (("pointed", "pointy", "sharp"), 5, 9),
    "narrow": (("narrow", "long and thin", "slender"), 8, 12),
    "heart": (("heart shaped", "notched"), 4, 6),
}
# Their outlines, in the same order: length, width (1: neighbours touch), where they are widest
# (1: in the middle, more: further out), how blunt the ends are (0: cut off, 1: pointed), depth
# of the notch.
OUTLINES = (
    (1, 1.12, 1.7, 0.5, 0),
    (1, 1.2, 0.85, 1, 0),
    (1.07, 0.86, 1, 0.5, 0),
    (1, 1.12, 1.7, 0.5, 0.2),
)
NUMBERS = {4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten",
           11: "eleven", 12: "twelve"}  # fmt: skip
GROUNDS = {
    "leaves": ("in front of green leaves", "with green leaves behind it", "among its leaves"),
    "soil": ("above brown soil", "growing out of the soil", "with bare earth around it"),
    "sky": ("under a blue sky", "with the sky behind it", "in front of a clear sky"),
    "dark": ("in front of a dark background", "in the dark", "surrounded by shadow"),
    "stones": ("among grey stones", "with pebbles behind it", "in front of grey rocks"),
}
MIDDLES = ("center", "middle", "central disc", "center", "eye")

# What captions are made of: {p} and {c} are the colours of petals and centre, {s} the shape,
# {n} the number of petals, {m} a word for the centre, {g} what is behind the flower.
BOTH = (
    "this flower has petals that are {p} with a {c} {m}",
    "this flower has {p} petals and a {c} {m}",
    "this flower has a {c} {m} and {s} {p} petals",
    "the petals of this flower are {s} and {p} and its {m} is {c}",
    "this flower {g} has petals that are {p} and a {m} that is {c} in color",
    "a {p} flower with {s} petals and a {c} {m} {g}",
    "a {p} flower with {n} petals around a {c} {m}",
    "{n} {s} petals that are {p} surround the {c} {m} of this flower",
    "around the {c} {m} there are {n} petals that are {p} and {s}",
    "this is a {p} flower {g} and its {m} is {c}",
    "the {m} of the flower is {c} while its petals are {p} in color",
    "the flower shown has {p} petals that are {s} around a {c} {m}",
    "this flower is {p} in color with {s} petals and a {c} {m}",
    "this {p} flower has {n} petals and a {m} that is {c} in color",
    "the flower {g} has {p} petals and a {c} {m}",
    "a flower with a {c} {m} and {n} {p} petals that are {s} in shape",
    "{p} petals lie around a {c} {m} {g}",
    "it has {n} {p} petals that are {s} and in the middle it is {c}",
    "a {c} {m} sits inside {p} petals {g}",
    "a flower {g} whose {m} is {c} and whose {n} petals are {p} and {s}",
)
PETALS_ONLY = (
    "this flower has petals that are {p} and {s}",
    "the petals of this flower are {s} and {p}",
    "this is a {p} flower with {n} petals {g}",
    "a {p} flower {g}",
    "there are {n} {s} petals on this {p} flower {g}",
    "this flower has {n} petals that are {p} in color",
    "this flower is {p}",
    "a {p} flower",
    "the flower has {p} petals",
)
NAMES_BOTH = 0.8  # share of the captions of training images that name the centre's colour

DISC = 9.5  # radius of the centre, in 64ths of the image, as all lengths here
LENGTH = 27  # from the middle to the tips of the petals
CHUNK = 50  # images made at a time


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticFlowers(CaptionedImages):
    """`CaptionedImages` that know their colours.

    Attributes:
        petals: int64 (N,), which of `PETALS` the petals have.
        centres: int64 (N,), which of `CENTRES` the centre has.
    """

    petals: np.ndarray
    centres: np.ndarray


def synthetic_flowers(count, seed=0, size=64, captions=5):
    """Draws a set of flowers and writes their captions.

    All combinations of colours are equally often (the first ones of a random order once more
    if the count is not a multiple); those of `HELD_OUT` are the test images, 1 in 4.

    Args:
        count: number of images.
        seed: int, not negative; the set is a function of it and of the other arguments.
        size: side of the images in pixels; the flowers are the same at every size but for
            texture.
        captions: of each image, 1 to 9, with 3 to 25 words. Those of test images all name the
            colour of the petals and of the centre, those of training images the colour of the
            petals and 4 in 5 also that of the centre.

    Returns:
        `SyntheticFlowers` named "synthetic flowers".

    Raises:
        InputError: fewer images than combinations, size outside 32 to 256, captions outside 1
            to 9, negative seed.
    """
    combinations = np.stack(np.mgrid[: len(PETALS), : len(CENTRES)], axis=-1).reshape(-1, 2)
    if count < len(combinations):
        raise InputError(
            f"{NAME}: at least {len(combinations)} images, one of each combination of colours. "
            f"Received: {count}"
        )
    if not 32 <= size <= 256:
        raise InputError(f"{NAME}: size is 32 to 256. Received: {size}")
    if not 1 <= captions <= len(PETALS_ONLY):
        raise InputError(f"{NAME}: captions are 1 to {len(PETALS_ONLY)}. Received: {captions}")
    if seed < 0:
        raise InputError(f"{NAME}: seed must not be negative. Received: {seed}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(combinations))
    petals, centres = combinations[order][rng.permutation(np.arange(count) % len(order))].T
    shapes = rng.integers(len(SHAPES), size=count)
    least, most = np.array([limits for _, *limits in SHAPES.values()]).T
    numbers = rng.integers(least[shapes], most[shapes] + 1)
    grounds = rng.integers(len(GROUNDS), size=count)

    pairs = set(HELD_OUT)
    names = [(list(PETALS)[p], list(CENTRES)[c]) for p, c in zip(petals, centres)]
    split = np.array(["test" if pair in pairs else "train" for pair in names])
    sentences = tuple(
        _captions(rng, pair, shape, number, ground, captions, part == "test")
        for pair, shape, number, ground, part in zip(names, shapes, numbers, grounds, split)
    )
    images = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        images[part] = _flowers(
            rng, size, petals[part], centres[part], shapes[part], numbers[part], grounds[part]
        )
    files = tuple(f"flower {number:05}" for number in range(count))
    return SyntheticFlowers(
        NAME, images, sentences, split, files, petals=petals, centres=centres
    )


def places(size):
    """Where the colours of a flower are to be seen, whatever its place and size.

    Args:
        size: side S of the image.

    Returns:
        (ring, disc), bool (S, S): inside the petals, and inside the centre.
    """
    y, x = _grid(size)
    radius = np.hypot(x, y)
    return (radius > DISC + 4) & (radius < DISC + 9), radius < DISC - 4


# The captions -----------------------------------------------------------------------------


def _captions(rng, colours, shape, number, ground, count, both):
    """Captions of one flower, all of another pattern; `both`: all name both colours."""
    named = count if both else int(np.sum(rng.random(count) < NAMES_BOTH))
    chosen = [BOTH[i] for i in rng.permutation(len(BOTH))[:named]]
    chosen += [PETALS_ONLY[i] for i in rng.permutation(len(PETALS_ONLY))[: count - named]]
    petals, centre = colours
    words, *_ = list(SHAPES.values())[shape]
    behind = list(GROUNDS.values())[ground]
    texts = []
    for pattern in chosen:
        text = pattern.format(
            p=petals, c=centre, n=NUMBERS[number],
            s=words[rng.integers(len(words))],
            m=MIDDLES[rng.integers(len(MIDDLES))],
            g=behind[rng.integers(len(behind))],
        )  # fmt: skip
        texts.append(re.sub(r"\ba (?=[aeiou])", "an ", text) + "." * int(rng.random() < 0.8))
    return tuple(texts[i] for i in rng.permutation(count))


# The flowers ------------------------------------------------------------------------------


def _flowers(rng, size, petals, centres, shapes, numbers, grounds):
    """Images uint8 (N, S, S, 3) of flowers; the other arguments are indices (N,)."""
    count = len(petals)
    images = np.empty((count, size, size, 3), np.float32)
    for kind, paint in enumerate((_leaves, _soil, _sky, _dark, _stones)):
        members = np.flatnonzero(grounds == kind)
        images[members] = paint(rng, len(members), size)

    turned = _uniform(rng, 0, 2 * np.pi, count)  # where the light comes from
    x, y = _flower_axes(rng, count, size)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    away = np.hypot(x + 2.5 * np.cos(turned), y + 2.5 * np.sin(turned))
    dark = np.where(grounds == list(GROUNDS).index("sky"), 0.1, 0.45)[:, None, None]
    images *= (1 - dark * _soft(LENGTH - 3 - away, 8))[..., None]

    colour = _jittered(rng, PETALS, petals)
    disc = DISC * _uniform(rng, 0.92, 1.08, count)
    grain = _field(rng, count, size, 1.0) + 1.5 * _field(rng, count, size, 4.0)
    flower = shapes, numbers, radius, angle, disc, turned, grain
    narrow = np.flatnonzero(shapes == list(SHAPES).index("narrow"))
    behind = (each[narrow] for each in flower)
    images[narrow] = _row(rng, images[narrow], 0.72 * colour[narrow], *behind, back=True)
    images = _row(rng, images, colour, *flower)
    images = _centre(rng, images, _jittered(rng, CENTRES, centres), x, y, disc, turned)
    return _photographs(rng, images)


def _flower_axes(rng, count, size):
    """Coordinates x, y (N, S, S) about the middle of a flower that is seen at a slant."""
    y, x = _grid(size)
    shift = _uniform(rng, -1.5, 1.5, 2, count)
    scale = _uniform(rng, 0.93, 1.07, count)
    slant = _uniform(rng, 0.88, 1, count)
    x, y = (x - shift[0]) / scale, (y - shift[1]) / (scale * slant)
    shape = count, size, size
    return (np.broadcast_to(each.astype(np.float32), shape) for each in (x, y))


def _row(rng, images, colour, shapes, numbers, radius, angle, disc, turned, grain, back=False):
    """Paints a row of petals, each of which lies on the next one.

    Args:
        rng: `np.random.Generator`.
        images: float32 (N, S, S, 3), grey levels.
        colour: (N, 1, 1, 3).
        shapes, numbers: (N,), which of `SHAPES`, and how many.
        radius, angle: (N, S, S), polar coordinates.
        disc: (N, 1, 1), radius of the centre.
        turned: (N, 1, 1), direction of the light.
        grain: (N, S, S), texture.
        back: whether it is the row behind, seen between petals that are narrow.

    Returns:
        float32 (N, S, S, 3).
    """
    count, size = radius.shape[:2]
    number = numbers[:, None, None].astype(np.float32)
    period = np.float32(2 * np.pi) / number
    long, wide, belly, blunt, notch = (
        np.float32(each)[shapes][:, None, None] for each in zip(*OUTLINES)
    )
    long = LENGTH * long * (0.85 if back else 1)
    wide = 16 * np.tan(np.minimum(period / 2, 0.75)) * wide * _uniform(rng, 0.96, 1.04, count)
    veins = _uniform(rng, 0.02, 0.08, count)
    tip = _uniform(rng, -0.25, 0.25, count)  # how much lighter than the base
    own = rng.normal(0, 0.05, (count, max(NUMBERS))).astype(np.float32)  # each petal's light
    start = (_uniform(rng, -0.12, 0.12, count) + back / 2) * period - np.float32(np.pi / 2)
    nearest = np.rint((angle - start) / period)
    common = 1.02 + 0.025 * grain - 0.3 * np.exp(-(((radius - disc) / 2.2) ** 2))
    for place in (nearest + 1, nearest, nearest - 1):
        middle = start + place * period
        along, across = radius * np.cos(angle - middle), radius * np.sin(angle - middle)
        far = along / (long * (1 - notch * np.exp(-((across / (0.3 * wide)) ** 2))))
        half = wide * np.sin(np.pi * np.clip(far, 1e-3, 0.999) ** belly) ** blunt
        side = np.clip(across / np.maximum(half, 0.5), -1, 1)
        shade = common + tip * (far - 0.6) - 0.14 * side**4
        shade += 0.08 * np.cos(middle - turned)  # petals that face the light
        shade += 0.13 * side * np.sin(turned - middle)  # and their halves that do
        shade += veins * np.cos(side * (4.5 * np.pi)) * np.clip(2 - 2 * far, 0, 1)
        which = np.mod(place, number).astype(np.intp).reshape(count, -1)
        shade += np.take_along_axis(own, which, axis=1).reshape(radius.shape)
        edge = np.where((far > 0) & (far < 1), half - np.abs(across), -9)
        images = images * (1 - 0.22 * _soft(edge + 1, 3.5))[..., None]  # its shadow
        images = _painted(images, _soft(edge, 64 / size), _shaded(colour, shade))
    return images


def _centre(rng, images, colour, x, y, disc, turned):
    """Paints the centre: a dome of many small florets, or with a wreath of stamens."""
    count, size = x.shape[:2]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    stamens = rng.integers(11, 24, (count, 1, 1))
    fringe = np.where(rng.random((count, 1, 1)) < 0.5, 0.09, 0.03)
    phase = _uniform(rng, 0, 2 * np.pi, count)
    edge = disc * (1 + fringe * np.sin(stamens * angle + phase)) - radius
    far = np.clip(radius / disc, 0, 1)
    toward = (x * np.cos(turned) + y * np.sin(turned)) / disc
    shade = 1.06 - 0.22 * far**3 + 0.14 * toward
    florets = _field(rng, count, size, 0.8)
    shade += np.where(florets > 0, 0.09, 0.13) * np.clip(florets, -1.5, 1.5)
    shade -= 0.16 * np.exp(-((radius / (0.25 * disc)) ** 2)) * (rng.random((count, 1, 1)) < 0.4)
    images = images * (1 - 0.35 * _soft(edge + 1.2, 3.5))[..., None]
    return _painted(images, _soft(edge, 64 / size), _shaded(colour, shade))


def _jittered(rng, palette, chosen):
    """Colours (N, 1, 1, 3) of the palette, each a little other in CIELAB."""
    lab = rgb2lab(np.array(list(palette.values())) / 255)[chosen]
    rgb = lab2rgb(lab + rng.normal(0, 2.5, lab.shape))
    return 255 * rgb[:, None, None].astype(np.float32)


def _shaded(colour, shade):
    """A colour in shade (below 1) and in light (above 1)."""
    light = np.clip(shade - 1, 0, 1)[..., None]
    return colour * (np.clip(shade, 0, 1)[..., None] - light) + 255 * light


# What is behind them ----------------------------------------------------------------------


def _leaves(rng, count, size):
    """Leaves with midribs, out of focus; float32 (N, S, S, 3)."""
    y, x = _grid(size)
    images = np.float32([30, 58, 26]) + 7 * _field(rng, count, size, 5)[..., None]
    for _ in range(9):
        at = _uniform(rng, -34, 34, 2, count)
        turn = _uniform(rng, 0, 2 * np.pi, count)
        along = (x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)
        across = (y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)
        long = _uniform(rng, 12, 24, count)
        wide = long * _uniform(rng, 0.25, 0.5, count)
        edge = wide * (1 - np.clip(along / long, -1, 1) ** 2) - np.abs(across)
        edge = np.where(np.abs(along) < long, edge, -9)
        green = np.float32([62, 108, 44]) * rng.uniform(0.6, 1.35, (count, 1, 1, 1))
        green = green + rng.normal(0, 1, (count, 1, 1, 1)) * [12, 2, 6]
        rib = 0.14 * np.exp(-((across / 0.8) ** 2)) - 0.12 * np.abs(across) / wide
        images = images * (1 - 0.3 * _soft(edge + 1.5, 4))[..., None]
        images = _painted(images, _soft(edge, 1.2), _shaded(green, 1 + rib))
    return _unsharp(images, size, 0.9)


def _soil(rng, count, size):
    """Crumbs of earth."""
    coarse, fine = _field(rng, count, size, 2.2), _field(rng, count, size, 0.9)
    shade = 1 + 0.2 * coarse + 0.16 * fine + 0.12 * _field(rng, count, size, 7)
    brown = np.float32([112, 80, 56]) * rng.uniform(0.75, 1.2, (count, 1, 1, 1))
    brown = brown + rng.normal(0, 1, (count, 1, 1, 1)) * [6, 1, -5]
    return _unsharp(_shaded(brown, np.clip(shade, 0.25, 1.3)), size, 0.6)


def _sky(rng, count, size):
    """Blue, paler towards the horizon, with some clouds."""
    y, _ = _grid(size)
    low = np.clip(y / 64 + 0.5, 0, 1)[None, ..., None]
    high = np.float32([92, 146, 208]) + rng.normal(0, 10, (count, 1, 1, 1)) * [1, 1, 0.6]
    images = high + low * (np.float32([176, 208, 234]) - high)
    clouds = _soft(_field(rng, count, size, 8) - _uniform(rng, 0, 2.5, count), 1.6)
    return _painted(np.repeat(images, size, axis=2), 0.7 * clouds, np.float32([240, 242, 244]))


def _dark(rng, count, size):
    """Almost black, with a few dim lights far behind."""
    y, x = _grid(size)
    images = np.float32([20, 24, 22]) + 5 * _field(rng, count, size, 9)[..., None]
    for _ in range(4):
        at = _uniform(rng, -32, 32, 2, count)
        spot = _uniform(rng, 3, 7, count) - np.hypot(x - at[0], y - at[1])
        light = np.float32([40, 66, 44]) + rng.normal(0, 8, (count, 1, 1, 3))
        images = _painted(images, 0.6 * _soft(spot, 3), light)
    return images


def _stones(rng, count, size):
    """Pebbles: the cells of random points, dark between them."""
    y, x = _grid(size)
    points = rng.uniform(-36, 36, (2, count, 1, 1, 26))
    away = np.hypot(x[..., None] - points[0], (y[..., None] - points[1]) * 1.25)
    away = away.astype(np.float32)
    nearest = away.argmin(axis=-1)
    first, second = np.partition(away, 1, axis=-1)[..., :2].transpose(3, 0, 1, 2)
    tone = rng.uniform(0.65, 1.3, (count, 26)).astype(np.float32)
    tone = np.take_along_axis(tone, nearest.reshape(count, -1), axis=1).reshape(first.shape)
    grey = np.float32([128, 126, 122]) + rng.normal(0, 1, (count, 1, 1, 1)) * [6, 0, -6]
    images = _shaded(grey, tone * (1 + 0.06 * _field(rng, count, size, 0.8)) - 0.02 * first)
    return _unsharp(images * (0.3 + 0.7 * _soft(second - first - 2, 3))[..., None], size, 0.8)


# The photograph ---------------------------------------------------------------------------


def _photographs(rng, images):
    """Light, lens, sensor: uint8 (N, S, S, 3)."""
    count, size = images.shape[:2]
    y, x = _grid(size)
    turn = _uniform(rng, 0, 2 * np.pi, count)
    slope = (x * np.cos(turn) + y * np.sin(turn)) / 64
    light = _uniform(rng, 0.93, 1.06, count) + _uniform(rng, 0, 0.2, count) * slope
    images = np.clip(images, 0, 255) * light[..., None]
    images = _unsharp(images, size, 0.45)
    images = images + 2 * rng.standard_normal(images.shape, np.float32)
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8)


# Tools ------------------------------------------------------------------------------------


def _grid(size):
    """y (S, 1) and x (1, S) of the pixels' middles about the image's, in 64ths of it."""
    place = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * 64
    return place[:, None], place[None]


def _uniform(rng, low, high, *shape):
    """Random numbers float32 (..., N, 1, 1), one an image."""
    return rng.uniform(low, high, (*shape, 1, 1)).astype(np.float32)


def _soft(inside, width):
    """0 outside, 1 inside, with an edge of that width."""
    return np.clip(inside / width + 0.5, 0, 1)


def _painted(images, cover, colour):
    """Images with a colour, (..., 3), where `cover` (N, S, S) is 1."""
    return images + cover[..., None].astype(np.float32) * (colour - images)


def _field(rng, count, size, sigma):
    """Noise, smooth over `sigma` 64ths of the image, float32 (N, S, S), mean 0, variance 1."""
    noise = rng.standard_normal((count, size, size), np.float32)
    sigma = sigma * size / 64
    noise = ndimage.gaussian_filter(noise, (0, sigma, sigma), mode="wrap", truncate=3)
    return noise / np.maximum(noise.std(axis=(1, 2), keepdims=True), 1e-6)


def _unsharp(images, size, sigma):
    """Images (N, S, S, 3) out of focus by `sigma` 64ths."""
    sigma = sigma * size / 64
    return ndimage.gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest", truncate=3)
