"""Exported models: found, described and loaded.

No network code is needed, and Keras is not imported.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from keras_gans.data.reading import check_regular, reading
from keras_gans.errors import InputError
from keras_gans.files import numbered

PACKAGE = Path(__file__).parents[1]
Backend = Literal["litert", "tensorflow"]  # what a model runs on, if it has files for it
DESCRIPTION_BYTES = 2**22  # of model.json at most; ours have 2 kB


class Found(NamedTuple):
    """A model that was found: the version's folder, and what its model.json holds."""

    folder: Path
    description: object


def default_model(name: str) -> Path:
    """The folder of a model that goes by a name.

    `saved_models/NAME` of the working folder goes before the one that comes with keras_gans.
    """
    own = Path("saved_models") / name
    installed = PACKAGE / "saved_models" / name
    in_checkout = PACKAGE.parent / "saved_models" / name
    return next((path for path in (own, installed, in_checkout) if os.path.isdir(path)), own)


def named(folder: Path | str) -> Path:
    """A folder; or that of the model of this name, if there is no such folder."""
    model = default_model(str(folder))
    return Path(folder) if os.path.isdir(folder) or not os.path.isdir(model) else model


def shown(path: Path) -> str:
    """A path as messages name it: what comes with keras_gans is called so."""
    for folder in (PACKAGE, PACKAGE.parent):
        if path.is_absolute() and path.is_relative_to(folder / "saved_models"):
            return f"keras_gans' own {path.relative_to(folder)}"
    return str(path)


def find_model(
    folder: Path | str | Found | None, default: str, train: str, read: Callable, expected: str
) -> tuple:
    """Finds a model and reads its description, without loading it.

    Args:
        folder: see `open_model`; or what that returned.
        default, train: see `open_model`.
        read: function of the description (what VERSION/assets.extra/model.json holds) that
            returns what is needed of it. It raises KeyError, TypeError, AttributeError or
            ValueError where the description is another model's.
        expected: what is said of the file then.

    Returns:
        (version's folder, what `read` returns).

    Raises:
        InputError: no model there, or no or another model's description.
    """
    found = folder if isinstance(folder, Found) else open_model(folder, default, train)
    try:
        return found.folder, read(found.description)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        message = f"{expected}: name another model, or export it again"
    raise InputError(f"{shown(_description_file(found.folder))}: {message}")


def open_model(folder: Path | str | None, default: str, train: str) -> Found:
    """Finds a model and its description.

    Args:
        folder: a SavedModel's folder, or the folder of its numbered versions, of which the
            highest is taken, or a name, see `default_model`; `None` for the name `default`.
        default: name of a model.
        train: the command that trains such a model, for messages.

    Raises:
        InputError: no model there, or no description that is JSON.
    """
    given, folder = folder, default_model(default) if folder is None else named(folder)
    if given is None and not folder.is_dir():
        raise InputError(
            f"no model is given, and there is no {folder}: train one with `{train}`, or name "
            "one with --model"
        )
    if not os.path.isfile(folder / "saved_model.pb"):
        versions = {
            number: path
            for number, path in numbered(folder).items()
            if os.path.isfile(path / "saved_model.pb")
        }
        if not versions:
            raise InputError(
                f"{shown(folder)}: no SavedModel in this folder: train one with `{train}`, or "
                "name another with --model"
            )
        folder = versions[max(versions)]
    file = _description_file(folder)
    if not os.path.lexists(file):
        raise InputError(f"{shown(file)}: missing: export the model again")
    with reading(file, "JSON file"):
        if file.stat().st_size > DESCRIPTION_BYTES:
            raise InputError(f"{shown(file)}: too large to describe a model: export it again")
        return Found(folder, json.loads(file.read_text(encoding="utf-8")))


def number(
    description: dict, name: str, low: float, high: float, kind: type = int
) -> int | float:
    """A number of a description, from `low` to `high`; `float` takes whole ones too.

    Raises:
        KeyError, TypeError, ValueError: missing, of another type, out of range, NaN.
    """
    value = description[name]
    if type(value) not in (int, kind) or not low <= value <= high:
        raise ValueError(value)
    return kind(value)


def names(description: dict, name: str) -> list[str]:
    """Texts of a description, none of them empty.

    Raises:
        KeyError, TypeError, ValueError: missing, or of another type.
    """
    values = description[name]
    if type(values) is not list or not all(type(each) is str and each for each in values):
        raise ValueError(values)
    return values


def load_signature(
    folder: Path, model: str, inputs: dict, outputs: list, name: str = "serving_default"
) -> Callable:
    """Loads a SavedModel for one of its signatures.

    A SavedModel can run code: load only what you trust.

    Args:
        folder: of the SavedModel.
        model: what it should be, for messages, such as "a DefectGAN's".
        inputs: dict input name -> (data type's name, shape), which the signature must take.
        outputs: names that the signature must return, among others.
        name: of the signature; where the model has none of it, `serving_default` is taken.

    Returns:
        function of arrays, by input name, that returns a dict of arrays. It raises
        `InputError` for arrays that the model refuses.

    Raises:
        InputError: damaged, or not a SavedModel with this signature.
    """
    from keras_gans.quiet import stderr_hidden
    from keras_gans.quiet import tensorflow as tf

    for file in folder.rglob("*"):
        if not file.is_dir():
            check_regular(file)
    with reading(folder / "saved_model.pb", "SavedModel (or its variables)"), stderr_hidden():
        loaded = _load(folder)
    try:
        default = "serving_default"
        signature = loaded.signatures[name if name in loaded.signatures else default]
        taken = signature.structured_input_signature[1]
        fits = set(signature.structured_outputs) >= set(outputs) and set(taken) == set(inputs)
        fits = fits and all(
            tf.TensorSpec(shape, dtype).is_compatible_with(taken[each])
            for each, (dtype, shape) in inputs.items()
        )
    except (KeyError, AttributeError):
        fits = False
    described = _and(map(_described, inputs.items()))
    if not fits:
        raise InputError(
            f"{shown(folder)}: not {model} SavedModel (its {name} does not make "
            f"{_and(outputs)} of {described}): export the model again"
        )

    def run(**arrays):
        try:
            tensors = {each: tf.constant(arrays[each], inputs[each][0]) for each in inputs}
            for each, (dtype, shape) in inputs.items():
                if not tf.TensorSpec(shape, dtype).is_compatible_with(tensors[each]):
                    raise ValueError(each)
            return {name: made.numpy() for name, made in signature(**tensors).items()}
        except (MemoryError, tf.errors.ResourceExhaustedError):
            message = "the input is too large for the memory there is: make it smaller"
        except tf.errors.OpError as error:
            reason = re.search(r"assertion failed: \[(.*?)\]", error.message)
            message = reason[1] if reason else " ".join(error.message.split())[:200]
        except (KeyError, TypeError, ValueError, OverflowError):
            message = f"takes {described}"
        raise InputError(f"{shown(folder)}: {message}")

    run.model = loaded  # the signature does not keep its variables alive
    return run


def _description_file(folder):
    return folder / "assets.extra" / "model.json"


def _load(folder):
    """Loads a SavedModel, by another name if TensorFlow cannot open its own.

    That looks for files by patterns, and all names have to be UTF-8.
    """
    from keras_gans.quiet import tensorflow as tf

    if re.fullmatch(r"[^][*?\\{}\udc80-\udcff]*", str(folder)):
        return tf.saved_model.load(str(folder))
    with tempfile.TemporaryDirectory() as plain:
        link = Path(plain, "model")
        link.symlink_to(folder.resolve())
        return tf.saved_model.load(str(link))


def _and(words):
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _described(item):
    name, (dtype, shape) = item
    shape = ", ".join("N" if size is None else str(size) for size in shape)
    return f"{name}, {dtype} ({shape})" if shape else f"{name} ({dtype})"
