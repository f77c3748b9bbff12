"""The picture beside a corrected photo: as taken, the light in each part, corrected."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_gans.data.pixels import Rows, as_linear
from keras_gans.data.squares import area_average
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.errors import printable

PANEL = 480  # longest side of one of the three pictures, pixels
MARGIN = 16
BACKGROUND, TEXT, FAINT = (38, 38, 38), (235, 235, 235), (150, 150, 150)
NO_VOTE = (64, 64, 64)


def gains_of(illuminant: np.ndarray) -> np.ndarray:
    """What undoes a light (3,), green as it is."""
    illuminant = np.asarray(illuminant, np.float64)
    return illuminant[1] / illuminant


def draw_strip(
    name: str,
    kind: str,
    image: np.ndarray | Rows,
    corrected: np.ndarray | Rows,
    lights: tuple,
    gains: np.ndarray,
) -> np.ndarray:
    """Draws a photo, the light found in each part of it, and the corrected photo.

    Args:
        name: of the photo.
        kind: "srgb" or "linear"; linear sensor data is shown brightened, both alike.
        image, corrected: (H, W, 3), rows of which are read as `as_linear` reads them.
        lights: illuminant, local_map and covered, as `estimate` gives them.
        gains: (3,), that were applied.

    Returns:
        uint8 (height, width, 3).
    """
    illuminant, local_map, covered = lights
    height, width = image.shape[:2]
    scale = PANEL / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale < 1:
        image, corrected = (area_average(im, *size[::-1]) for im in (image, corrected))
    image, corrected = as_linear(image[:]), as_linear(corrected[:])
    exposure = 1.0
    if kind == "linear":
        exposure = 0.9 / max(float(np.percentile(corrected, 99)), 1e-4)
    panels = (
        _panel(image * exposure, size),
        draw_map(local_map, covered, size),
        _panel(corrected * exposure, size),
    )

    title, label = ImageFont.load_default(size=17), ImageFont.load_default(size=14)
    column = max(size[0], 250)
    strip = Image.new("RGB", (3 * column + 4 * MARGIN, size[1] + 2 * MARGIN + 84), BACKGROUND)
    draw = ImageDraw.Draw(strip)
    gains = "  ".join(f"{value:.2f}" for value in gains)
    light = "  ".join(f"{value:.3f}" for value in illuminant)
    rows, columns = local_map.shape[:2]
    cosines = np.clip(local_map[~np.isnan(local_map[..., 0])] @ illuminant, -1, 1)
    spread = np.degrees(np.arccos(cosines).mean())
    texts = (
        ("as taken", _shortened(printable(name), label, column)),
        (
            f"light in {columns} x {rows} patches",
            f"{spread:.1f}\N{DEGREE SIGN} from the estimate on average",
        ),
        ("corrected", f"gains  {gains}"),
    )
    below = MARGIN + size[1] + 10
    for i, (panel, (first, second)) in enumerate(zip(panels, texts)):
        left = MARGIN + i * (column + MARGIN)
        strip.paste(panel, (left, MARGIN))
        draw.text((left, below), first, TEXT, font=title)
        draw.text((left, below + 26), second, FAINT, font=label)
    left, top = 2 * MARGIN + column, below + 52
    swatch = tuple(int(value) for value in _colour(illuminant))
    draw.rectangle((left, top, left + 43, top + 19), swatch)
    draw.text((left + 53, top + 1), f"estimate  {light}", TEXT, font=label)
    return np.asarray(strip)


def _panel(image, size):
    pixels = quantize(linear_to_srgb(image), np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


def draw_map(
    local_map: np.ndarray, covered: tuple[float, float], size: tuple[int, int]
) -> Image.Image:
    """The patches' colours where the patches lie; grey is what has no vote.

    Args:
        local_map, covered: as `estimate` gives them.
        size: (width, height) of the picture, pixels.
    """
    panel = Image.new("RGB", size, NO_VOTE)
    part = max(1, round(size[0] * covered[1])), max(1, round(size[1] * covered[0]))
    voted = ~np.isnan(local_map[..., :1])
    colours = np.where(voted, _colour(np.nan_to_num(local_map)), np.uint8(NO_VOTE))
    patches = Image.fromarray(colours)
    panel.paste(patches.resize(part, Image.Resampling.NEAREST), (0, 0))
    return panel


def _colour(illuminants):
    """uint8 sRGB of lights, each as bright as can be shown."""
    illuminants = np.maximum(illuminants, 0)
    brightest = np.maximum(illuminants.max(axis=-1, keepdims=True), 1e-9)
    return quantize(linear_to_srgb(illuminants / brightest), np.uint8)


def _shortened(text, font, width):
    while font.getlength(text) > width:
        text = text[: len(text) // 2 - 2] + "..." + text[len(text) // 2 + 2 :]
    return text
