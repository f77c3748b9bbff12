"""What the commands do, on arrays and Pillow's images."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.commands import classify as classes
from keras_gans.commands import detect as defects
from keras_gans.commands import draw as sentences_drawn
from keras_gans.commands import generate as made
from keras_gans.commands import white_balance as balance
from keras_gans.commands.light import Strength
from keras_gans.commands.load import Model, load
from keras_gans.data.encoding import Input
from keras_gans.data.photo import photo_of
from keras_gans.errors import InputError

Picture = Image.Image | np.ndarray


def white_balance(
    image: Picture,
    model: str | Path | None = None,
    input: Input | None = None,
    strength: Strength = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Takes the colour of the light out of a photo.

    Args:
        image: one of Pillow's; or (H, W, 3), 64x64 or larger: uint8 sRGB, or linear: float32
            in [0, 1], uint16 in 65535ths. The profile of one of Pillow's is applied.
        model: a name or a folder, see `load`; by default "dscnn-photos" for sRGB, "dscnn" for
            linear values.
        input: "srgb" or "linear", for an array that is not what its type says.
        strength: how much of the light is taken out, 0 to 1; "auto" takes less out of a
            finished photo where the model is unsure.

    Returns:
        (corrected, illuminant): of the image's kind; linear RGB of length 1, float64 (3,).

    Raises:
        InputError: the image or the model cannot be used.

    Example: `corrected, illuminant = white_balance(Image.open("hall.jpg"))`
    """
    return _balance(image, model, input)(image, input, strength)


def illuminant(
    image: Picture, model: str | Path | None = None, input: Input | None = None
) -> tuple[np.ndarray, float | None]:
    """Tells the colour of the light in a photo, and how sure that is.

    Args:
        image, model, input: see `white_balance`.

    Returns:
        (illuminant, confidence): linear RGB of length 1, float64 (3,); the chance that it is
        within 3 degrees of the light, `None` of a model that does not tell.

    Raises:
        InputError: the image or the model cannot be used.
    """
    found = _balance(image, model, input).of(image, input)[1]
    return found.illuminant, found.confidence


def _balance(image, model, given):
    kind = photo_of(image, given).encoding.kind
    return _loaded(balance.WhiteBalance, model, balance.MODELS[kind])


def detect(
    image: Picture, model: str | Path | None = None, min_area: int = 1
) -> tuple[float, np.ndarray, list]:
    """Finds the defects of a surface.

    Args:
        image: one of Pillow's; or uint8 (H, W), (H, W, 1) or (H, W, 3), as the model's images.
        model: a name or a folder, see `load`; by default "defectgan".
        min_area: regions of fewer pixels are no defects.

    Returns:
        (score, mask, boxes): the largest difference from the surface without defects, in grey
        levels; bool (H, W); of each region [x0, y0, x1, y1], the largest first.

    Raises:
        InputError: the image or the model cannot be used.
    """
    return _loaded(defects.Detector, model, defects.MODEL)(image, min_area)


def classify(
    images: Picture | Sequence[Picture], model: str | Path | None = None
) -> tuple[list[str], np.ndarray]:
    """Tells what is on images, of the classes that the model knows.

    Args:
        images: uint8 (N, H, W, 3), sRGB; or a list of pictures of any size, Pillow's too.
        model: a name or a folder, see `load`; by default "frgan-classifier".

    Returns:
        (labels, probabilities): the likeliest class of each; float32 (N, K).

    Raises:
        InputError: an image or the model cannot be used.
    """
    return _loaded(classes.Classifier, model, classes.MODEL)(images)


def generate(
    count: int, seed: int = 0, label: str | None = None, model: str | Path | None = None
) -> np.ndarray:
    """Makes images: uint8 (count, H, W, 1 or 3), sRGB.

    Args:
        count: 1 or more.
        seed: 0 or more. Image number i of a seed is the same whatever the count.
        label: name of a class, if the model has any; by default each image has one at random.
        model: a name or a folder, see `load`; by default "frgan-generator".

    Raises:
        InputError: the model cannot be used; another count, seed or label.
    """
    return _loaded(made.Generator, model, made.MODEL)(count, seed, label)


def draw(sentence: str | Sequence[str], model: str | Path | None = None) -> np.ndarray:
    """Draws a sentence: uint8 (S, S, 3), sRGB; or several: (N, S, S, 3).

    Args:
        sentence: such as "this flower is pink"; or a list of sentences.
        model: a name or a folder, see `load`; by default "text2image".

    Raises:
        InputError: a sentence or the model cannot be used.
    """
    return _loaded(sentences_drawn.Drawer, model, sentences_drawn.MODEL)(sentence)


def _loaded(kind: type, model: str | Path | None, default: str) -> Model:
    found = _load(model or default)
    if not isinstance(found, kind):
        raise InputError(f"{model}: not a model for this; it is a {type(found).__name__}")
    return found


_load = functools.lru_cache(maxsize=8)(load)
