"""TFLite files, run by LiteRT: what the commands use, without TensorFlow."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_gans.data.reading import reading
from keras_gans.errors import InputError
from keras_gans.files import numbered
from keras_gans.machine import cores
from keras_gans.stderr import stderr_hidden

LOCK = threading.Lock()  # stderr is hidden for all threads alike
PRECISIONS = ("float32", "float16")  # the first that there is


def lite_file(version: Path, part: str = "") -> Path | None:
    """The TFLite file that belongs to a version of a model.

    The files lie beside the versions and are those of the newest.

    Args:
        version: folder of a SavedModel.
        part: how the name ends before the precision, such as "-network".

    Returns:
        the path, or `None` if there is no such file, or more than one.
    """
    versions = numbered(version.parent)
    if not versions or versions[max(versions)].name != version.name:
        return None
    for precision in PRECISIONS:
        found = list(version.parent.glob(f"*{part}-{precision}.tflite"))
        if found:
            return found[0] if len(found) == 1 else None
    return None


def load_lite(
    file: Path, model: str, inputs: dict, outputs: list, threads: int = 0
) -> Callable:
    """Loads a TFLite file.

    Args:
        file: with one signature.
        model: what it should be, for messages, such as "a DefectGAN's".
        inputs: dict input name -> (data type's name, shape), which it must take.
        outputs: names that it must return, among others.
        threads: of one call; 0 for all cores.

    Returns:
        function of arrays, by input name, that returns a dict of arrays. It may be called from
        several threads at a time.

    Raises:
        InputError: damaged, or another model.
    """
    own = threading.local()
    with reading(file, "TFLite file"):
        content = file.read_bytes()

    def opened():
        from ai_edge_litert.interpreter import Interpreter

        # LiteRT announces its delegate
        with LOCK, reading(file, "TFLite file"), stderr_hidden():
            interpreter = Interpreter(model_content=content, num_threads=threads or cores())
            interpreter.allocate_tensors()
            return interpreter.get_signature_runner()

    own.run = opened()
    taken, made = own.run.get_input_details(), own.run.get_output_details()
    if (
        set(taken) != set(inputs)
        or not set(made) >= set(outputs)
        or not all(
            np.dtype(taken[name]["dtype"]).name == dtype and _fits(taken[name]["shape"], shape)
            for name, (dtype, shape) in inputs.items()
        )
    ):
        raise InputError(f"{file}: not {model} TFLite file: export the model again")

    def run(**arrays):
        if not hasattr(own, "run"):
            own.run = opened()
        return own.run(**arrays)

    return run


def _fits(found, expected):
    return len(found) == len(expected) and all(
        want in (None, have) for have, want in zip(found, expected)
    )
