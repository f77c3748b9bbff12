"""Makes images with an exported generator: no network code is needed.

The model is a SavedModel as `keras_gans.export.generator.export_generator` writes it: its
signature `from_seed` makes images number `first` to `first + count - 1` of a `seed`, of a
`label` if it was trained with classes.
"""

from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import models, results
from keras_gans.data.write import write_png
from keras_gans.errors import InputError
from keras_gans.files import check_folder

MODEL = models.SAVED_MODELS / "frgan-generator"
BATCH = 32  # images made at a time
GRID = "grid.png"
GRID_IMAGES = 100  # at most, the first ones
GAP, WHITE = 2, 255  # between the images of the grid: pixels, grey level


def generate(out, model=None, count=24, seed=0, label=None):
    """Makes images and writes them as 00001.png and so on, and the first of them as `GRID`.

    Image number i of a seed is the same whatever `count` is. Prints what was made on stdout,
    and progress on stderr.

    Args:
        out: folder of the images, made if missing. No file in it is overwritten.
        model: folder of a SavedModel, or of its numbered versions, of which the highest is
            taken; by default `MODEL`.
        count: of images, 1 or more.
        seed: int from 0 to 2**63 - 1.
        label: name of the class to make images of, for a model that was trained with classes;
            by default each image has one at random.

    Returns:
        list of `Path`, the images and the grid.

    Raises:
        InputError: the count, the seed, the label, the model or the folder cannot be used.
    """
    out = Path(out)
    if count < 1:
        raise InputError(f"--count must be at least 1. Received: {count}")
    if not 0 <= seed < 2**63:
        raise InputError(f"--seed must be from 0 to 2**63 - 1. Received: {seed}")
    targets = [out / f"{number:05}.png" for number in range(1, count + 1)]
    for target in [*targets, out / GRID]:
        if target.exists():
            raise InputError(f"{target}: is there already: give another --out")
    folder, classes = models.find_model(
        model,
        train="python train_frgan.py` or `python train_okdgan.py",
        read=_classes,
        expected="not a generator's (latent is expected)",
        default=MODEL,
    )
    options = {"label": _number(label, classes, folder)} if classes or label else {}
    check_folder(out)
    console = Console(stderr=True)
    with console.status("loading TensorFlow and the model"):
        make = models.load_signature(
            folder,
            "a generator's",
            inputs={
                "first": ("int64", ()),
                "count": ("int32", ()),
                "seed": ("int64", ()),
                **{name: ("int32", ()) for name in options},
            },
            outputs=["images"],
            name="from_seed",
        )

    out.mkdir(parents=True, exist_ok=True)
    shown = []
    with results.progress(console) as progress:
        task = progress.add_task("generating", total=count)
        for first in range(0, count, BATCH):
            batch = make(first=first, count=min(BATCH, count - first), seed=seed, **options)
            for image in batch["images"].numpy():
                image = image.repeat(3 // image.shape[2], axis=2)
                write_png(targets[progress.tasks[task].completed], image)
                if len(shown) < GRID_IMAGES:
                    shown.append(image)
                progress.advance(task)
    write_png(out / GRID, draw_grid(shown))
    height, width = image.shape[:2]
    print(f"{count} images of {width} x {height}, seed {seed}, and {GRID} in {out}")
    return [*targets, out / GRID]


def _classes(description):
    """Names of a generator's classes; () if it was trained without."""
    description["latent"]  # which all generators have
    return tuple(map(str, description.get("classes", ())))


def _number(label, classes, folder):
    """What the model takes for the name of a class, -1 for `None`."""
    if label is None:
        return -1
    if label not in classes:
        known = f"its classes are {', '.join(classes)}" if classes else "it has no classes"
        raise InputError(f"{folder}: no class {label!r}: {known}")
    return classes.index(label)


def draw_grid(images):
    """Draws images side by side, in rows, about as many rows as columns.

    Args:
        images: list of uint8 (H, W, 3), all of one size.

    Returns:
        uint8 (height, width, 3), white between the images and where there is none.
    """
    height, width = images[0].shape[:2]
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    shape = rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3
    grid = np.full(shape, WHITE, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        grid[top : top + height, left : left + width] = image
    return grid
