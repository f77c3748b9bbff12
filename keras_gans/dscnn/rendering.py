"""Photographs as a camera with a wrong white balance would have saved them.

    photo -> linear -> the camera's own colours -> wrong gains -> linear sRGB -> exposure
          -> tone curve -> sRGB, 8 bits -> another size -> JPEG or PNG -> read again

A photo without a cast goes through the same steps: nothing but its colours may tell that it has
none. (All of this is ours.)
"""

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from keras_gans.data.srgb import linear_to_srgb, srgb_to_linear
from keras_gans.data.write import quantize

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear sRGB
GREY = 0.2  # linear: the brightest channel of the grey whose colour is the label
NO_CAST = 1 / 3  # share of the renderings
LARGEST_CAST = 25  # degrees


@dataclass(frozen=True)
class Rendering:
    """How a photo is saved anew.

    Attributes:
        cast: (3,), what a white becomes, linear sRGB of luminance 1.
        matrix: (3, 3), from the camera's colours to linear sRGB; its rows sum to 1.
        exposure: factor of the linear values.
        contrast: of the tone curve, 0 for none, below 1.
        keep_white: whether what is clipped in all channels stays white, as raw developers
            have it.
        box: left, top, right, bottom of the part that is saved, as shares of the sides.
        size: (width, height) in pixels.
        resample: Pillow's number of the filter that resizes.
        saves: (quality, subsampling) of each time the photo is saved as JPEG, in Pillow's
            terms; none is a PNG.
        first: (colours (3,), quality), see `without_first_traces`; or `None`.
    """

    cast: np.ndarray
    matrix: np.ndarray
    exposure: float = 1.0
    contrast: float = 0.0
    keep_white: bool = False
    box: tuple = (0.0, 0.0, 1.0, 1.0)
    size: tuple = (256, 256)
    resample: int = Image.Resampling.BICUBIC
    saves: tuple = ()
    first: tuple | None = None

    @property
    def light(self) -> np.ndarray:
        """(3,), unit norm: the colour that a neutral mid-grey has in the file, linear sRGB."""
        grey = tone(linear_to_srgb(self.cast / self.cast.max() * GREY), self.contrast)
        light = srgb_to_linear(grey).astype(np.float64)
        return light / np.linalg.norm(light)


def draw_rendering(rng: np.random.Generator, shape: tuple, smallest: int = 96) -> Rendering:
    """Draws a way to save a photo of a shape (H, W, 3).

    The shorter side becomes `smallest` to four times as many pixels. All that follows the
    cast is drawn alike, whether there is one or not.
    """
    cast = draw_cast(rng)
    cast = np.ones(3) if rng.random() < NO_CAST else cast
    matrix = np.eye(3) if rng.random() < 0.25 else draw_matrix(rng)
    wide, high = rng.uniform(0.55, 1, 2)
    left, top = rng.uniform(0, 1 - wide), rng.uniform(0, 1 - high)
    aspect = wide * shape[1] / (high * shape[0])
    shorter = np.exp(rng.uniform(np.log(smallest), np.log(smallest * 25 / 6)))
    size = (shorter * max(aspect, 1), shorter * max(1 / aspect, 1))
    subsampling = int(rng.choice(3, p=(0.2, 0.2, 0.6)))
    saves = tuple((int(quality), subsampling) for quality in rng.integers(60, 99, 2))
    times = rng.choice(3, p=(0.12, 0.68, 0.2))
    filters = Image.Resampling
    return Rendering(
        cast,
        matrix,
        exposure=np.exp(rng.uniform(np.log(0.6), np.log(1.6))),
        contrast=rng.uniform(0, 0.4),
        keep_white=rng.random() < 0.5,
        box=(left, top, left + wide, top + high),
        size=(round(size[0]), round(size[1])),
        resample=int(rng.choice([filters.BILINEAR, filters.BICUBIC, filters.LANCZOS])),
        saves=saves[:times],
        first=(draw_cast(rng), int(rng.integers(70, 96))),
    )


def draw_cast(rng: np.random.Generator) -> np.ndarray:
    """The colour of white under a wrong balance: (3,), linear sRGB of luminance 1.

    From blue to orange, as daylight and lamps are, with some green or magenta; at most
    `LARGEST_CAST` degrees from white.
    """
    while True:
        warmth = rng.uniform(-0.5, 0.6) * np.array([1.0, 0.1, -1.1])
        tint = rng.normal(0, rng.choice([0.04, 0.12])) * np.array([-0.5, 1.0, -0.5])
        cast = np.exp(warmth + tint)
        if cast.sum() / np.linalg.norm(cast) / 3**0.5 > np.cos(np.radians(LARGEST_CAST)):
            return cast / (LUMINANCE @ cast)


def draw_matrix(rng: np.random.Generator) -> np.ndarray:
    """A plausible matrix (3, 3) from a white-balanced camera's colours to linear sRGB.

    Rows sum to 1, so that white stays white; 1.4 to 2 on the diagonal and -0.8 to 0.2 beside
    it, where the matrices of cameras lie.
    """
    own = rng.uniform(1.4, 2.0, 3)
    other = rng.uniform(np.maximum(-0.8, 0.8 - own), np.minimum(0.2, 1.8 - own))
    rest = 1 - own - other
    red, green, blue = zip(own, other, rest)
    return np.array([red, (green[1], green[0], green[2]), (blue[2], blue[1], blue[0])])


def white_balanced(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A camera's linear picture as a finished photo.

    Args:
        scene: float32 (H, W, 3), linear camera RGB, its light divided out.
        rng: draws the camera's matrix and the exposure.

    Returns:
        uint8 (H, W, 3), sRGB.
    """
    white = max(np.percentile(scene.max(axis=-1), rng.uniform(95, 99.5)), 1e-6)
    matrix = draw_matrix(rng).astype(np.float32)
    return quantize(linear_to_srgb(np.minimum(scene / white, 1) @ matrix.T), np.uint8)


def save(photo: np.ndarray, rendering: Rendering) -> np.ndarray:
    """A photo as it is read after it was saved anew.

    Args:
        photo: uint8 (H, W, 3), sRGB.
        rendering: `Rendering`.

    Returns:
        uint8 (h, w, 3), sRGB: `rendering.size`.
    """
    left, top, right, bottom = rendering.box
    height, width = photo.shape[:2]
    photo = photo[
        int(top * height) : int(np.ceil(bottom * height)),
        int(left * width) : int(np.ceil(right * width)),
    ]
    if rendering.first:
        photo = without_first_traces(photo, *rendering.first)
    image = Image.fromarray(develop(photo, rendering))
    image = image.resize(rendering.size, rendering.resample, reducing_gap=3)
    for quality, subsampling in rendering.saves:
        image = jpeg(image, quality, subsampling)
    return np.asarray(image)


def develop(photo: np.ndarray, rendering: Rendering) -> np.ndarray:
    """A photo as the camera would have developed it with the wrong gains: uint8 (H, W, 3)."""
    levels = np.linspace(0, 1, 256)
    undone = np.interp(levels, tone(levels, rendering.contrast), levels)
    linear = srgb_to_linear(undone)[photo]
    # white is 1 in all channels before the matrix and after it
    gains = np.linalg.solve(rendering.matrix, rendering.cast)
    through = rendering.matrix @ np.diag(gains) @ np.linalg.inv(rendering.matrix)
    developed = linear @ through.T.astype(np.float32)
    if rendering.keep_white:
        white = np.clip(10 * linear.min(axis=-1, keepdims=True) - 9, 0, 1)
        developed += white * (linear - developed)
    encoded = linear_to_srgb(developed * np.float32(rendering.exposure))
    return quantize(tone(encoded, rendering.contrast), np.uint8)


def tone(encoded: np.ndarray, contrast: float) -> np.ndarray:
    """An S-shaped tone curve on sRGB values in [0, 1], which leaves black and white."""
    return encoded + contrast * encoded * (1 - encoded) * (2 * encoded - 1)


def without_first_traces(photo: np.ndarray, colours: np.ndarray, quality: int) -> np.ndarray:
    """Puts the traces of another JPEG over those that a photo brings along.

    A JPEG has its detail in grey alone, so a cast that is put on later could be read off
    the finest detail. Here the photo is saved in other colours, which are undone after it.

    Args:
        photo: uint8 (H, W, 3), sRGB.
        colours: (3,), positive: the channels' factors.
        quality: of the JPEG, at half the resolution of colour.
    """
    factors = (colours / colours.max()) ** (1 / 2.2)
    other = jpeg(Image.fromarray(quantize(photo / 255 * factors, np.uint8)), quality, 2)
    return quantize(np.asarray(other) / 255 / factors, np.uint8)


def jpeg(image: Image.Image, quality: int, subsampling: int) -> Image.Image:
    """An image as it is read after it was saved as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return Image.open(file).convert("RGB")


def without_cast(rendering: Rendering) -> Rendering:
    """The same rendering of a photo that is well balanced."""
    return replace(rendering, cast=np.ones(3))
