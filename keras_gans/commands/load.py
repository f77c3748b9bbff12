"""An exported model by its name, to be called on arrays."""

from os import PathLike
from pathlib import Path

from keras_gans.commands import models
from keras_gans.commands.classify import Classifier
from keras_gans.commands.detect import Detector
from keras_gans.commands.draw import Drawer
from keras_gans.commands.generate import Generator
from keras_gans.commands.white_balance import WhiteBalance
from keras_gans.errors import InputError

# What only the description of such a model has.
KINDS = {
    "view": WhiteBalance,
    "calibration": Detector,
    "latent": Generator,
    "vocabulary": Drawer,
    "classes": Classifier,
}

Model = WhiteBalance | Detector | Generator | Drawer | Classifier


def load(name: str | Path) -> Model:
    """Finds an exported model. It is loaded when it is first called.

    Args:
        name: such as "dscnn", see `models.default_model`; or a folder, of a SavedModel or of
            its numbered versions, of which the highest is taken.

    Returns:
        a callable, by what the model is: `WhiteBalance` takes a photo, `Detector` an image,
        `Classifier` images, `Generator` a count and a seed, `Drawer` sentences.

    Raises:
        InputError: no model there, or one that cannot be used.

    Example:

        balance = keras_gans.load("dscnn-photos")
        corrected, illuminant = balance(photo)
    """
    if not isinstance(name, (str, PathLike)):
        raise InputError(f"a model's name or folder is expected. Received: {name!r}")
    found = models.open_model(name, str(name), "python train_*.py")
    kind = models.find_model(found, "", "", _kind, "not the description of a model")[1]
    return kind.find(found)


def _kind(description):
    for key, kind in KINDS.items():
        if key in description:
            return kind
    raise ValueError(description)
