"""What model.json tells of an exported DefectGAN."""

from dataclasses import fields

from keras_gans.commands import models
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError

MAX_MARGIN = 4096  # pixels


def rule_of(description: dict) -> CalibrationRule:
    """How its levels were chosen; raises `ValueError` for what cannot be."""
    given = description.get("settings", {}).get("calibration", {})
    limits = {"quantile": 1, "peak_quantile": 1, "floor": 255}
    known = limits.keys() & given.keys()
    try:
        return CalibrationRule(
            **{name: models.number(given, name, 0, limits[name], float) for name in known}
        )
    except InputError as error:  # which does not name the file
        raise ValueError(error) from None


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
