"""Drawn street digits: what the training script uses when no data is given.

Made in the manner of SVHN's cropped digits (Netzer et al., "Reading digits in natural images
with unsupervised feature learning", 2011): a digit in the middle, parts of its neighbours at
the sides, any light on any wall, printed in many fonts, slanted, unsharp and noisy.

It is a stand-in for photographs, good for trying the training and for tests. No figure
measured on it says anything about SVHN.
"""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from keras_gans.errors import InputError
from keras_gans.frgan.labelled_images import LabelledImages

NAME = "synthetic street digits"

# Of the fonts that matplotlib brings, those with digits of equal height.
FONTS = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBolIta",
    "STIXGeneralItalic",
    "cmb10",
    "cmr10",
    "cmti10",
)
# Fonts that no training image has; about a quarter of the test images have one.
TEST_FONTS = ("DejaVuSansMono-BoldOblique", "DejaVuSerif-Italic", "STIXGeneralBol", "cmss10",
              "cmtt10")  # fmt: skip

WEIGHTS = 3  # a glyph as it is, and with strokes 2 and 4 pixels wider
GLYPH = 64  # height of the drawn glyphs in pixels
MARGIN = 4  # around them, so that wider strokes and slanting do not cut them off

LUMA = np.array([0.299, 0.587, 0.114])
CHUNK = 1000  # images made at a time


def synthetic_digits(
    train: int = 6000, test: int = 2000, seed: int = 0, size: int = 32
) -> LabelledImages:
    """Draws a set of street digits.

    Args:
        train: number of training images, all of them labelled.
        test: number of test images, drawn with other random numbers and from more fonts:
            those of training (`FONTS`) and `TEST_FONTS`, all equally often.
        seed: int, not negative; the set is a function of it and of the sizes.
        size: side of the images in pixels.

    Returns:
        `LabelledImages` named "synthetic street digits", classes "0" to "9", each equally
        often (the first ones once more if the count is not a multiple of 10).

    Raises:
        InputError: fewer than 10 images, size outside 16 to 128, negative seed.
    """
    _check(train, test, seed, size)
    train_images, train_labels = _draw(train, FONTS, size, [seed, 0])
    test_images, test_labels = _draw(test, FONTS + TEST_FONTS, size, [seed, 1])
    digits = tuple("0123456789")
    return LabelledImages(NAME, digits, train_images, train_labels, test_images, test_labels)


def _check(train, test, seed, size):
    for name, count in (("training", train), ("test", test)):
        if count < 10:
            raise InputError(f"{NAME}: at least 10 {name} images are needed. Received: {count}")
    if not 16 <= size <= 128:
        raise InputError(f"{NAME}: size is 16 to 128. Received: {size}")
    if seed < 0:
        raise InputError(f"{NAME}: seed must not be negative. Received: {seed}")


def _draw(count, fonts, size, seed):
    """Images uint8 (N, S, S, 3) and labels int64 (N,) in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 10)
    images = np.empty((count, size, size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        chunk = labels[start : start + CHUNK]
        digits, edges = _coverage(rng, chunk, fonts, size)
        images[start : start + CHUNK] = _photographs(rng, digits, edges)
    return images, labels


# Digits -----------------------------------------------------------------------------------


@functools.cache
def _glyph(font, digit, weight):
    """A digit, `GLYPH` pixels high, as uint8 (GLYPH + 2 MARGIN, width + 2 MARGIN)."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    image = Image.new("L", (4 * GLYPH, 4 * GLYPH))
    drawn = ImageFont.truetype(path, 2 * GLYPH)
    ImageDraw.Draw(image).text((GLYPH, GLYPH), str(digit), font=drawn, fill=255)
    image = image.crop(image.getbbox())
    width = max(round(image.width * GLYPH / image.height), 1)
    image = image.resize((width, GLYPH), Image.Resampling.BOX)
    pixels = Image.fromarray(np.pad(np.asarray(image), MARGIN))
    if weight:  # a filter of one pixel ends the process under Pillow 12.3
        pixels = pixels.filter(ImageFilter.MaxFilter(2 * weight + 1))
    return np.asarray(pixels)


def _coverage(rng, labels, fonts, size):
    """Draws numbers with the labelled digit in the middle.

    Returns:
        (digits, edges): float32 (N, S, S) in [0, 1], how much of each pixel the strokes
        cover, and how much they cover if each has a thin line around it.
    """
    count = len(labels)
    font = rng.integers(len(fonts), size=count)
    weight = rng.integers(WEIGHTS - 1, size=count)
    # neighbours: 10 for none
    beside = np.where(rng.random((count, 2)) < 0.3, rng.integers(10, size=(count, 2)), 10)
    gaps = rng.uniform(4, 24, (count, 2))  # glyph pixels between the strokes
    height = size * rng.uniform(0.7, 0.9, count)  # pixels of the image
    stretch = rng.uniform(0.8, 1.1, count)  # width
    angle = np.radians(np.clip(rng.normal(0, 4, count), -10, 10))
    slant = np.clip(rng.normal(0, 0.06, count), -0.15, 0.15)
    shift = size * rng.uniform(-0.04, 0.04, (count, 2))  # x, y

    # from pixels of the picture, drawn twice as large, to those of the glyphs
    picture, scale = 2 * size, GLYPH / (2 * height)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = np.array([[(cos + slant * sin) / stretch, (sin - slant * cos) / stretch],
                       [-sin, cos]])  # fmt: skip
    centre = size + 2 * shift.T  # x, y
    offset = -np.einsum("ijn,jn->in", matrix, centre)

    layers = np.empty((2, count, picture, picture), np.uint8)
    for i in range(count):
        for layer, wider in enumerate((0, 1)):
            strip, middle = _number(
                fonts[font[i]], labels[i], beside[i], gaps[i], weight[i] + wider
            )
            affine = (*matrix[0, :, i], offset[0, i] + middle[0],
                      *matrix[1, :, i], offset[1, i] + middle[1])  # fmt: skip
            layers[layer, i] = Image.fromarray(strip).transform(
                (picture, picture), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR
            )
    halves = layers.reshape(2, count, size, 2, size, 2).mean(axis=(3, 5), dtype=np.float32)
    return halves / 255


def _number(font, digit, beside, gaps, weight):
    """A digit and its neighbours in a row, uint8 (H, W), and the digit's middle (x, y)."""
    own = _glyph(font, digit, weight)
    parts = [_glyph(font, each, weight) if each < 10 else own[:, :0] for each in beside]
    overlap = np.where(beside < 10, gaps - 2 * MARGIN, 0).astype(int)
    place = max(parts[0].shape[1] + overlap[0], 0)
    end = place + own.shape[1]
    strip = np.zeros((own.shape[0], max(end, end + overlap[1] + parts[1].shape[1])), np.uint8)
    for part, start in zip((parts[0], own, parts[1]), (0, place, end + overlap[1])):
        under = strip[:, start : start + part.shape[1]]
        np.maximum(under, part, out=under)
    return strip, (place + own.shape[1] / 2, own.shape[0] / 2)


# Photographs ------------------------------------------------------------------------------


def _photographs(rng, digits, edges):
    """Paints digits on walls and takes their pictures.

    Args:
        rng: `np.random.Generator`.
        digits, edges: see `_coverage`.

    Returns:
        uint8 (N, S, S, 3).
    """
    count, size = digits.shape[:2]
    paint, wall, contrast = _colours(rng, count)
    images = wall[:, None, None] + _texture(rng, count, size, contrast)
    # one in ten numbers has a line around it, darker or lighter than wall and paint
    outlined = (rng.random(count) < 0.1)[:, None, None]
    line = np.where(paint @ LUMA < wall @ LUMA, 245, 10) + rng.normal(0, 8, count)
    for cover, colour in ((np.where(outlined, edges, 0), line[:, None]), (digits, paint)):
        images += cover[..., None] * (colour[:, None, None] - images)

    light = 1 + 0.35 * _slope(rng, count, size)
    images = images * light[..., None] + _noise(rng, images.shape, 6)

    # the lens and the compression blur, the latter colours more than light
    unit = size / 32
    luma = _blurred(images @ LUMA, unit * rng.uniform(0.3, 1.0, count))
    chroma = images - (images @ LUMA)[..., None]
    for channel in range(3):
        chroma[..., channel] = _blurred(chroma[..., channel], np.full(count, 1.2 * unit))
    images = luma[..., None] + chroma
    images += _noise(rng, images.shape, 5)
    return np.rint(np.clip(images, 0, 255)).astype(np.uint8)


def _colours(rng, count):
    """Colours of paint and wall, (N, 3), and their difference in luma, (N,), at least 80."""
    wall = rng.uniform(30, 225, count)
    contrast = np.minimum(rng.uniform(80, 170, count), np.maximum(wall - 5, 250 - wall))
    lighter = (wall - contrast < 5) | (wall + contrast <= 250) & (rng.random(count) < 0.5)
    paint = wall + np.where(lighter, contrast, -contrast)
    return *(_tinted(rng, luma) for luma in (paint, wall)), contrast


def _tinted(rng, luma):
    """Colours of that luma, many of them nearly grey."""
    tint = rng.normal(0, 1, (len(luma), 3)) * rng.exponential(10, (len(luma), 1))
    return luma[:, None] + tint - (tint @ LUMA)[:, None]


def _texture(rng, count, size, contrast):
    """What a wall differs by from its mean: nothing, a slope, stripes, stains; (N, S, S, 1)."""
    kind = rng.integers(4, size=count)[:, None, None]
    y, x = np.mgrid[:size, :size] / size - 0.5
    angle, phase = rng.uniform(0, 2 * np.pi, (2, count, 1, 1))
    waves = rng.uniform(1, 6, (count, 1, 1)) * (x * np.cos(angle) + y * np.sin(angle))
    stripes = np.tanh(4 * np.sin(2 * np.pi * waves + phase))  # boards and bricks
    stains = rng.normal(0, 1, (count, size, size))
    stains = _blurred(stains, size * rng.uniform(0.02, 0.1, count))
    stains /= stains.std(axis=(1, 2), keepdims=True)
    pattern = np.choose(
        kind, [np.zeros_like(stains), 2 * _slope(rng, count, size), stripes, stains]
    )
    strength = rng.uniform(0.05, 0.15, count) * contrast
    return (strength[:, None, None] * pattern)[..., None]


def _slope(rng, count, size):
    """Planes, (N, S, S), that rise by 1 to any side and are 0 in the middle."""
    y, x = np.mgrid[:size, :size] / (size - 1) - 0.5
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    return rng.uniform(0, 1, (count, 1, 1)) * (x * np.cos(angle) + y * np.sin(angle))


def _noise(rng, shape, most):
    """Noise for images, to each its own amount of up to `most` grey levels."""
    return rng.uniform(0, most, (shape[0], 1, 1, 1)) * rng.normal(0, 1, shape)


def _blurred(images, sigma):
    """Gaussian blur of images (N, S, S), each with its own sigma, (N,), in pixels."""
    place = np.arange(images.shape[1])
    distance = (place[:, None] - place) / sigma[:, None, None]
    weights = np.exp(-0.5 * distance**2)
    weights /= weights.sum(axis=2, keepdims=True)
    return weights @ images @ weights.swapaxes(1, 2)
