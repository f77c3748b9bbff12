"""What model.json tells of an exported DefectGAN."""

from dataclasses import dataclass, fields

import numpy as np

from keras_gans.commands import models
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.levels import quantile_level
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError

MAX_MARGIN = 4096  # pixels


@dataclass(frozen=True)
class Quantiles:
    """The part of `CalibrationRule` that good images alone need."""

    quantile: float = 0.99
    peak_quantile: float = 0.999
    floor: float = 1.0

    @classmethod
    def of(cls, description: dict) -> "Quantiles":
        """As the model was calibrated; raises `ValueError` for no such numbers."""
        given = description.get("settings", {}).get("calibration", {})
        limits = {"quantile": 1, "peak_quantile": 1, "floor": 255}
        return cls(
            **{
                name: models.number(given, name, 0, high, float)
                for name, high in limits.items()
                if name in given
            }
        )

    def levels(self, counts: np.ndarray) -> tuple[float, float]:
        """(threshold, peak) from the counted pixels of good images, see `histogram`."""
        quantiles = self.quantile, self.peak_quantile
        return tuple(max(quantile_level(counts, each), self.floor) for each in quantiles)


def view_of(description: dict) -> View:
    """How it sees images; raises `ValueError` for what cannot be."""
    given = {"tile": 64, "reduce": 1, "flatten": 0} | description
    tile, reduce = (models.number(given, name, 1, MAX_MARGIN) for name in ("tile", "reduce"))
    return View(tile, None, reduce, models.number(given, "flatten", 0, MAX_MARGIN))


def calibration_of(given: dict) -> Calibration:
    """Its thresholds; raises `ValueError` for what cannot be."""
    known = {field.name for field in fields(Calibration)} & set(given)
    try:
        return Calibration(**{"bias": 0.0} | {name: given[name] for name in known})
    except InputError as error:  # which does not name the file
        raise ValueError(error) from None
