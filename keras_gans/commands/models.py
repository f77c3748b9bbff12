"""Exported models: found, described and loaded.

No network code is needed, and Keras is not imported.
"""

import json
from collections.abc import Callable
from pathlib import Path

from keras_gans.errors import InputError

PACKAGE = Path(__file__).parents[1]


def default_model(name: str) -> Path:
    """The folder of a model that goes by a name.

    `saved_models/NAME` of the working folder goes before the one that comes with keras_gans.
    """
    own = Path("saved_models") / name
    installed = PACKAGE / "saved_models" / name
    in_checkout = PACKAGE.parent / "saved_models" / name
    return next((path for path in (own, installed, in_checkout) if path.is_dir()), own)


def shown(path: Path) -> str:
    """A path as messages name it: what comes with keras_gans is called so."""
    for folder in (PACKAGE, PACKAGE.parent):
        if path.is_absolute() and path.is_relative_to(folder / "saved_models"):
            return f"keras_gans' own {path.relative_to(folder)}"
    return str(path)


def find_model(
    folder: Path | str | None, default: str, train: str, read: Callable, expected: str
) -> tuple:
    """Finds a model and reads its description, without loading it.

    Args:
        folder: a SavedModel's folder, or the folder of its numbered versions, of which the
            highest is taken; `None` for `default_model(default)`.
        default: name of a model.
        train: the command that trains such a model, for messages.
        read: function of the description (what VERSION/assets.extra/model.json holds) that
            returns what is needed of it. It raises KeyError, TypeError, AttributeError or
            ValueError where the description is another model's.
        expected: what is said of the file then.

    Returns:
        (version's folder, what `read` returns).

    Raises:
        InputError: no model there, or no or another model's description.
    """
    given, folder = folder, default_model(default) if folder is None else Path(folder)
    if given is None and not folder.is_dir():
        raise InputError(
            f"no model is given, and there is no {folder}: train one with `{train}`, or name "
            "one with --model"
        )
    if not (folder / "saved_model.pb").is_file():
        found = folder.glob("[0-9]*/saved_model.pb")
        versions = [pb.parent for pb in found if pb.parent.name.isdecimal()]
        if not versions:
            raise InputError(
                f"{shown(folder)}: no SavedModel in this folder: train one with `{train}`, or "
                "name another with --model"
            )
        folder = max(versions, key=lambda version: int(version.name))
    file = folder / "assets.extra" / "model.json"
    try:
        return folder, read(json.loads(file.read_text(encoding="utf-8")))
    except OSError:
        raise InputError(f"{shown(file)}: missing: export the model again") from None
    except (KeyError, TypeError, AttributeError, ValueError):
        message = f"{shown(file)}: {expected}: name another model, or export it again"
        raise InputError(message) from None


def load_signature(
    folder: Path, model: str, inputs: dict, outputs: list, name: str = "serving_default"
) -> Callable:
    """Loads a SavedModel for one of its signatures.

    Args:
        folder: of the SavedModel.
        model: what it should be, for messages, such as "a DefectGAN's".
        inputs: dict input name -> (data type's name, shape), which the signature must take.
        outputs: names that the signature must return, among others.
        name: of the signature.

    Returns:
        function of arrays, by input name, that returns a dict of tensors.

    Raises:
        InputError: not a SavedModel with this signature.
    """
    from keras_gans.quiet import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures[name]
        taken = signature.structured_input_signature[1]
        fits = set(signature.structured_outputs) >= set(outputs) and set(taken) == set(inputs)
        fits = fits and all(
            tf.TensorSpec(shape, dtype).is_compatible_with(taken[each])
            for each, (dtype, shape) in inputs.items()
        )
    except (OSError, KeyError, ValueError, AttributeError, tf.errors.OpError):
        fits = False
    if not fits:
        raise InputError(
            f"{shown(folder)}: not {model} SavedModel (its {name} does not make "
            f"{_and(outputs)} of {_and(map(_described, inputs.items()))}): export the model "
            "again"
        )

    def run(**arrays):
        return signature(
            **{each: tf.constant(array, inputs[each][0]) for each, array in arrays.items()}
        )

    run.model = loaded  # the signature does not keep its variables alive
    return run


def _and(words):
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _described(item):
    name, (dtype, shape) = item
    shape = ", ".join("N" if size is None else str(size) for size in shape)
    return f"{name}, {dtype} ({shape})" if shape else f"{name} ({dtype})"
