"""What the commands share: models are found and loaded, targets checked, progress is shown.

No network code is needed, and Keras is not imported.
"""

import json
from pathlib import Path

from keras_gans.errors import InputError

SAVED_MODELS = Path(__file__).parents[1] / "saved_models"  # of the repository


def find_model(folder, train, read, expected, default=None):
    """Finds a model and reads its description, without loading it.

    Args:
        folder: a SavedModel's folder, or the folder of its numbered versions, of which the
            highest is taken; `None` for `default`.
        train: the command that trains such a model, for messages.
        read: function of the description (what VERSION/assets.extra/model.json holds) that
            returns what is needed of it; raises KeyError, TypeError, AttributeError or
            ValueError where it is not such a model's.
        expected: what is said of the file then.
        default: `Path`.

    Returns:
        (version's folder, what `read` returns).

    Raises:
        InputError: no model there, or no or another model's description.
    """
    if folder is None and not default.exists():
        raise InputError(
            f"no model is given, and there is no {default}: train one with `{train}`, or name "
            "one with --model"
        )
    folder = default if folder is None else Path(folder)
    if not (folder / "saved_model.pb").is_file():
        found = folder.glob("[0-9]*/saved_model.pb")
        versions = [pb.parent for pb in found if pb.parent.name.isdecimal()]
        if not versions:
            raise InputError(
                f"{folder}: no SavedModel in this folder: train one with `{train}`, or name "
                "another with --model"
            )
        folder = max(versions, key=lambda version: int(version.name))
    file = folder / "assets.extra" / "model.json"
    try:
        return folder, read(json.loads(file.read_text(encoding="utf-8")))
    except OSError:
        raise InputError(f"{file}: missing: export the model again") from None
    except (KeyError, TypeError, AttributeError, ValueError):
        message = f"{file}: {expected}: name another model, or export it again"
        raise InputError(message) from None


def load_signature(folder, model, inputs, outputs, name="serving_default"):
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
            f"{folder}: not {model} SavedModel (its {name} does not make {_and(outputs)} of "
            f"{_and(map(_described, inputs.items()))}): export the model again"
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
