"""Every TFLite file of the trained models in every runtime that reads it: time and drift.

    python benchmarks/runtimes.py                     4 minutes on 2 cores
    python benchmarks/runtimes.py --models FOLDER     other models than those of saved_models/

Prints a table: of each file its size, and in each runtime, on one thread, the milliseconds of
a call and how far the outputs are from the SavedModel's, or why there are none. The inputs are
drawn: scenes and surfaces by the package, latent vectors and sentences by chance. OpenVINO and
ONNX Runtime (`pip install -e .[runtimes]`) may be missing.

Every runtime is a process of its own. A time is that of the fastest call of half a second;
files for images of any size are called with one size.
"""

import functools
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import CORES, Process, main_or_task, new_table, open_console

RUNTIMES = {
    "LiteRT, Interpreter": "runner",
    "LiteRT, CompiledModel": "compiled",
    "OpenVINO": "openvino",
    "tf2onnx, ONNX Runtime": "onnx",
}
PACKAGES = ("tensorflow", "ai-edge-litert", "openvino", "tf2onnx", "onnxruntime")
COUNT = 10  # inputs of a file
PHOTO = 480, 640
UNITS = {
    "white balance": "degrees",
    "defect detection": "grey levels",
    "classification": "percentage points",
    "image generation": "grey levels",
    "text to image": "grey levels",
}


@dataclass
class Config:
    """The benchmark's settings."""

    models: Path = Path(__file__).resolve().parent.parent / "saved_models"
    """Folder of models, each with its SavedModels and TFLite files."""


# What a file is given, and what the SavedModel makes of it -----------------------------------


def prepare(folder, models):
    """Writes inputs and expected outputs of each file, as `prepare_NAME` makes them."""
    from keras_gans.export.flatbuffer import metadata
    from keras_gans.quiet import tensorflow as tf

    load = functools.cache(tf.saved_model.load)
    for path in sorted(Path(models).glob("*/*.tflite")):
        about = metadata(path)
        if not about:
            continue
        served = load(str(path.parent / str(about["version"]))).signatures
        task = about["task"].partition(":")[0]
        of_task = globals()[f"of_{task.replace(' ', '_')}"]
        inputs, expected, *light = of_task(tf, about, served, path)
        arrays = {f"in_{name}": values for name, values in inputs.items()}
        name = f"{path.stem}@{path.parent.name}.npz"
        arrays |= light[0] if light else {}
        np.savez(folder / name, out=expected, unit=UNITS[task], **arrays)
    return {}, {}


def of_white_balance(tf, about, served, path):
    from keras_gans.data.squares import area_average

    size = about["inputs"]["images"]["shape"][1]
    images = photos()
    if size is not None:
        images = np.stack([area_average(image, size, size) for image in images])
    whole = size is None and about.get("view") == "whole"
    shown = np.stack([area_average(image, 64, 64) for image in images]) if whole else images
    # the network alone sees one view, the others the mean of eight
    signature = "native" if "directions" in about["outputs"] else "illuminant"
    expected = served[signature](images=tf.constant(shown))["illuminant"]
    return {"images": images}, expected


@functools.cache
def photos():
    from keras_gans.dscnn.synthetic import synthetic_scenes

    return np.stack(synthetic_scenes(COUNT, PHOTO, seed=3).images)


def of_defect_detection(tf, about, served, path):
    from keras_gans.defectgan.flatten import flattened
    from keras_gans.defectgan.synthetic import synthetic_surfaces

    _, size, _, channels = about["inputs"]["images"]["shape"]
    images = np.stack(synthetic_surfaces(COUNT, COUNT, size).images[::2])
    images = np.repeat(images[..., :1], channels, axis=-1)
    expected = served["cleaned"](images=tf.constant(images))["cleaned"]
    version = path.parent / str(about["version"])
    model = json.loads((version / "assets.extra" / "model.json").read_text())
    if not model["flatten"]:
        return {"images": images / np.float32(127.5) - 1}, expected
    # the SavedModel gives what it cleaned the light of the image back
    flat, scale = (values.numpy() for values in flattened(images, model["flatten"]))
    light = {"taken": images, "flat": flat, "scale": scale}
    return {"images": flat / np.float32(127.5) - 1}, expected, light


def of_classification(tf, about, served, path):
    from keras_gans.frgan.synthetic import synthetic_digits

    size = about["inputs"]["images"]["shape"][1]
    images = synthetic_digits(COUNT, COUNT, 1, size).test_images
    expected = served["serving_default"](images=tf.constant(images))["probabilities"]
    return {"images": images / np.float32(127.5) - 1}, expected


def of_image_generation(tf, about, served, path):
    rng = np.random.default_rng(0)
    z = rng.uniform(-1, 1, (COUNT, about["inputs"]["z"]["shape"][1])).astype(np.float32)
    return {"z": z}, served["serving_default"](z=tf.constant(z))["images"]


def of_text_to_image(tf, about, served, path):
    words = (path.parent / "words.txt").read_text("utf-8").split("\n")[2:-1]
    table = np.load(path.parent / "vectors.npy")
    rows = np.random.default_rng(0).integers(len(words), size=(COUNT, 8))
    captions = [" ".join(words[row] for row in each) for each in rows]
    expected = served["serving_default"](captions=tf.constant(captions))["images"]
    vectors = np.zeros((COUNT, *about["inputs"]["vectors"]["shape"][1:]), np.float32)
    vectors[:, -8:] = table[rows + 2]
    return {"vectors": vectors, "mask": (vectors != 0).any(axis=-1)}, expected


# Runtimes ------------------------------------------------------------------------------------


def measure_all(folder, models, runtime):
    """Facts: file -> milliseconds a call, and the outputs written, or the problem."""
    from keras_gans.export import runtimes

    found = {}
    for arrays in sorted(folder.glob("*@*.npz")):
        file, model = arrays.stem.split("@")
        arrays = dict(np.load(arrays))
        inputs = [
            {name[3:]: arrays[name][i : i + 1] for name in arrays if name.startswith("in_")}
            for i in range(COUNT)
        ]
        try:
            run = getattr(runtimes, runtime)(Path(models) / model / f"{file}.tflite")
            outputs = [run(**each) for each in inputs]
        except ModuleNotFoundError:
            raise
        except Exception as error:  # what a runtime cannot read has its place in the table
            found[f"{file}@{model}"] = (str(error).strip().splitlines() or [repr(error)])[-1]
            continue
        known = (each for each in ("images", "illuminant") if each in outputs[0])
        name = next(known, next(iter(outputs[0])))
        values = np.concatenate([each[name] for each in outputs])
        seconds = []
        while sum(seconds) < 0.5 or len(seconds) < 5:
            start = time.perf_counter()
            run(**inputs[0])
            seconds.append(time.perf_counter() - start)
        light = [arrays[each] for each in ("taken", "flat", "scale") if each in arrays]
        errors = drift(values, arrays["out"], arrays["unit"], *light)
        found[f"{file}@{model}"] = [1000 * min(seconds), *errors]
    return {}, {"found": found}


def drift(values, expected, unit, taken=None, flat=None, scale=None):
    """Mean and largest, in the unit."""
    from keras_gans.metrics.angular import angular_errors

    if unit == "degrees":
        errors = angular_errors(expected, values)
    elif unit == "percentage points":
        errors = 100 * np.abs(values - expected)
    else:
        if values.dtype != np.uint8:
            values = np.clip(np.rint(127.5 * (values + 1)), 0, 255)
        if taken is not None:
            values = np.clip(np.rint(taken + (values - flat) * scale), 0, 255)
        errors = np.abs(values.astype(float) - expected)
    return float(errors.mean()), float(errors.max())


# Table ---------------------------------------------------------------------------------------


def main():
    import tyro

    config = tyro.cli(Config)
    console = open_console(*PACKAGES)
    models = {"models": str(config.models.resolve())}
    with tempfile.TemporaryDirectory() as folder:
        prepared = Process(prepare, folder, CORES, models)
        prepared.close()
        if prepared.problem:
            sys.exit(f"the SavedModels could not be run: {prepared.problem}")
        table = new_table("TFLite files in their runtimes", "kB", *RUNTIMES)
        columns = {}
        for title, runtime in RUNTIMES.items():
            process = Process(measure_all, folder, 1, models | {"runtime": runtime})
            process.close()
            columns[title] = process
        model = None
        for arrays in sorted(Path(folder).glob("*.npz"), key=in_order):
            file, _, name = arrays.stem.partition("@")
            if name != model:
                model, unit = name, str(np.load(arrays)["unit"])
                table.add_section()
                table.add_row(f"{model} (drift in {unit})", style="bold")
            size = (config.models / name / f"{file}.tflite").stat().st_size
            cells = [cell(process, arrays.stem) for process in columns.values()]
            table.add_row(file, f"{size / 1000:.0f}", *cells)
        table.caption = (
            "milliseconds a call on one thread; in brackets the drift from the SavedModel, in "
            f"the mean and at most, of {COUNT} inputs. Photos: {PHOTO[1]}x{PHOTO[0]} pixels."
        )
        console.print(table)


def in_order(arrays):
    """By model, then as it is exported."""
    file, _, model = arrays.stem.partition("@")
    stem, _, precision = file.rpartition("-")
    return model, stem, ("float32", "float16", "int8").index(precision)


def cell(process, file):
    if process.problem:
        return process.problem
    found = process.facts["found"][file]
    if isinstance(found, str):
        return found
    return f"{found[0]:.{2 if found[0] < 1 else 1}f} ({found[1]:.3f}, {found[2]:.3f})"


if __name__ == "__main__":
    main_or_task(main, globals())
