"""Tables 2 and 3 and figure 4 of the paper, and one of ours: each is many runs of a script."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from keras_gans.errors import InputError
from keras_gans.frgan.config import SHARES, StudyConfig
from keras_gans.frgan.report import PUBLISHED, draw_curves, draw_rows, is_svhn
from keras_gans.report.tables import show, write_csv

STUDIES = ("table-2", "table-3", "figure-4", "gan-share")

FRGAN = {"se": True, "consistency": True, "supervised_only": False, "label_noise": 0.0}
ROWS = {
    "table-2": {
        "real images": None,  # no run: their score is a result of its own
        "GAN without both": FRGAN | {"se": False, "consistency": False},
        "GAN without SENet": FRGAN | {"se": False},
        "GAN without regular term": FRGAN | {"consistency": False},
        "FR-GAN": FRGAN,
    },
    "table-3": {
        "labels only": FRGAN | {"consistency": False, "supervised_only": True},
        "FR-GAN without consistency": FRGAN | {"consistency": False},
        "FR-GAN without SE": FRGAN | {"se": False},
        "FR-GAN": FRGAN,
    },
    "figure-4": {
        # panel (a), "conventional GAN": what FR-GAN adds to it are both
        "conventional GAN": FRGAN | {"se": False, "consistency": False},
        "FR-GAN": FRGAN,
    },
}
LABELS_ONLY, *WITH_GAN = ROWS["table-3"]
ROWS["gan-share"] = {
    LABELS_ONLY: ROWS["table-3"][LABELS_ONLY],
    "Pi-model, no GAN": FRGAN | {"adversarial_weight": 0.0},
    **{row: ROWS["table-3"][row] for row in WITH_GAN},
}

SAME = {"FR-GAN with regular term": "FR-GAN without SE"}  # the paper's name and ours

# On SVHN; what the scatter is over is not said
PAPER = {
    "table-2": {
        ("real images", "inception_score"): "3.24 ± 0.17",
        ("GAN without SENet", "inception_score"): "2.89 ± 0.02",
        ("GAN without regular term", "inception_score"): "3.02 ± 0.14",
        ("FR-GAN", "inception_score"): "2.95 ± 0.43",
    },
    "table-3": {
        (SAME.get(method, method), str(labels)): error
        for method, errors in PUBLISHED.items()
        for labels, error in errors.items()
    },
    "figure-4": {},
    "gan-share": {},
}
COLUMN = {"table-2": "score", "table-3": "labels", "figure-4": "wrong labels, %"}
PLACE = {"table-2": "{}", "table-3": "{}, {} labels", "figure-4": "{}, {} % wrong labels"}
WIDEST = 99  # columns are texts: filled with zeros to this, numbers come in their order
VALUE = {"table-2": "value", "table-3": "test error, %", "figure-4": "accuracy, %"}
for texts in (COLUMN, PLACE, VALUE):
    texts["gan-share"] = texts["table-3"]


@dataclass(frozen=True)
class Variant:
    """One run of a study: its place in the table, and what it changes in the settings."""

    row: str
    column: str
    changes: dict


def variants(study: str, config: StudyConfig) -> list[Variant]:
    """The runs of a study, each once for every seed.

    They say all of `se`, `consistency`, `supervised_only` and `label_noise`, and `labels`
    except in table 2, so that those of `config` do not matter.

    Args:
        study: one of `STUDIES`.
        config: read are `rows`, `seeds`, and for test errors `study_labels`.

    Returns:
        list of `Variant`. Those of one seed come first, so that a study that is interrupted
        has whole tables.

    Raises:
        ValueError: for another study.
        InputError: it has no such row.
    """
    _check(study)
    for row in config.rows:
        if row not in ROWS[study]:
            raise InputError(
                f"--rows of {study} are: {'; '.join(ROWS[study])}. Received: {row}"
            )
    by_labels = {str(n): {"labels": n} for n in config.study_labels}
    columns = {
        "table-2": {"score": {}},
        "table-3": by_labels,
        "figure-4": {str(p): {"labels": None, "label_noise": p / 100} for p in SHARES},
        "gan-share": by_labels,
    }[study]
    return [
        Variant(row, column, changes | of_column | {"seed": seed})
        for seed in config.seeds
        for column, of_column in columns.items()
        for row, changes in ROWS[study].items()
        if changes is not None and row in (config.rows or ROWS[study])
    ]


def real_images(seed: int) -> Variant:
    """Where table 2 has the score of real images: give it to `run_path`."""
    return Variant("real images", "score", {"seed": seed})


def run_path(folder: Path, variant: Variant) -> Path:
    """The run's folder: `<folder>/<row>/<column>/seed-<n>`."""
    seed = f"seed-{variant.changes['seed']}"
    return Path(folder) / _slug(variant.row) / _slug(variant.column) / seed


def missing(study: str, config: StudyConfig, folder: Path) -> list[Variant]:
    """The variants that have no result yet; for table 2 also the real images, of no seed."""
    wanted = variants(study, config)
    if study == "table-2" and not any(_results(folder, "real images")):
        wanted.append(real_images(config.seeds[0]))
    return [v for v in wanted if not (run_path(folder, v) / "result.json").exists()]


def collect(study: str, folder: Path) -> pd.DataFrame:
    """What the runs of a study measured.

    Args:
        study: one of `STUDIES`.
        folder: with `result.json` in the folders of `run_path`: `test_error` in percent; for
            table 2 what `evaluate.sample_scores` gave, of one network or more.

    Returns:
        DataFrame: `row`, `column` (for table 2 the score's name, images and splits), `seed`,
        `value` (for figure 4 the accuracy in percent), in the table's order.

    Raises:
        InputError: if a `result.json` is not such a result.
    """
    _check(study)
    found = []
    for row in ROWS[study]:
        for path in _results(folder, row):
            try:
                seed = int(path.parent.name.removeprefix("seed-"))
                values = _values(study, path.parts[-3], json.loads(path.read_text()))
                found += [(row, column, seed, float(value)) for column, value in values]
            except (OSError, ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path}: not the result of a run of {study}; remove it and run that again"
                ) from None
    rows = list(ROWS[study])
    found.sort(key=lambda one: (rows.index(one[0]), one[1].zfill(WIDEST), one[2]))
    return pd.DataFrame(found, columns=["row", "column", "seed", "value"])


def _results(folder, row):
    return (Path(folder) / _slug(row)).glob("*/seed-*/result.json")


def _values(study, column, result):
    """Pairs of column and value that a result has for a study."""
    if study in ("table-3", "gan-share"):
        return [(column, result["test_error"])]
    if study == "figure-4":
        return [(column, 100 - result["test_error"])]
    conditions = {
        name.removesuffix("_conditions"): value
        for name, value in result.items()
        if name.startswith("inception_score") and name.endswith("_conditions")
    }
    if not conditions:
        raise KeyError("inception_score")
    return [
        (f"{name} ({known['images']} in {known['splits']} splits)", result[name])
        for name, known in conditions.items()
    ]


def table(study: str, frame: pd.DataFrame, set_name: str = "") -> pd.DataFrame:
    """Mean and scatter over the seeds, beside the paper's figures.

    Args:
        study: one of `STUDIES`.
        frame: from `collect`.
        set_name: of the images; the paper's figures are given for SVHN alone, and its scores
            only beside those of the network they are defined on.

    Returns:
        DataFrame: `row`, `column`, `mean`, `std` (sample's; NaN for one seed), `n` (seeds),
        and for SVHN `paper`, texts; methods of the paper alone have `n` 0.
    """
    groups = frame.groupby(["column", "row"], sort=False)["value"]
    summary = groups.agg(mean="mean", std="std", n="count").reset_index()
    summary = summary[["row", "column", "mean", "std", "n"]]
    cited = bool(PAPER[study]) and is_svhn(set_name)
    if cited and study == "table-3":
        ours, asked = set(ROWS[study]), summary["column"].unique()
        theirs = [key for key in PAPER[study] if key[0] not in ours and key[1] in asked]
        more = pd.DataFrame(theirs, columns=["row", "column"])
        summary = pd.concat([summary, more.assign(mean=np.nan, std=np.nan, n=0)])
    summary = summary.sort_values(
        "column", key=lambda texts: texts.str.zfill(WIDEST), kind="stable", ignore_index=True
    )
    if cited:
        keys = zip(
            summary["row"], summary["column"].str.split(" (", regex=False).str[0], strict=True
        )
        summary["paper"] = [PAPER[study].get(key, "") for key in keys]
    return summary


def write(study: str, config: StudyConfig, folder: Path, set_name: str = "") -> pd.DataFrame:
    """Prints a study's table and what is missing; writes its runs as CSV and the PNG.

    Args:
        study, set_name: see `table`.
        config: see `variants`.
        folder: see `collect`; gets `<study>.csv` and `<study>.png`.

    Returns:
        DataFrame: `table`.
    """
    frame = collect(study, folder)
    summary = table(study, frame, set_name)
    absent = missing(study, config, folder)
    headings = ["method", COLUMN[study], VALUE[study], "seeds"]
    headings += ["paper, SVHN"] if "paper" in summary else []
    rows = []
    for row, column, mean, std, n, *paper in summary.itertuples(index=False):
        value = f"{mean:.2f}" if np.isnan(std) else f"{mean:.2f} ± {std:.2f}"
        rows.append([row, column, *((value, str(n)) if n else ("", "")), *paper])
    show(f"{study} on {set_name or 'these images'}, mean ± std over seeds", headings, rows)
    seeds = {}
    for variant in absent:
        place = PLACE[study].format(variant.row, variant.column)
        seeds.setdefault(place, []).append(str(variant.changes["seed"]))
    for place, numbers in seeds.items():
        print(f"missing: {place}, seeds {' '.join(numbers)}")
    write_csv(Path(folder) / f"{study}.csv", frame)
    if len(frame):
        draw(study, frame, Path(folder) / f"{study}.png")
    return summary


def draw(study: str, frame: pd.DataFrame, path: Path) -> None:
    """Draws figure 4, or a table with a row a method, as a PNG.

    Args:
        study: one of `STUDIES`.
        frame: from `collect`, not empty.
        path: the PNG to write.
    """
    label = COLUMN[study]
    if study == "figure-4":
        draw_curves(path, frame, label, "test accuracy, %")
    elif study in ("table-3", "gan-share"):
        draw_rows(path, frame, "test error, %", least=0, legend=label)
    else:
        draw_rows(path, frame, "Inception score", least=1)


def _check(study):
    if study not in STUDIES:
        raise ValueError(f"`study` must be one of {STUDIES}. Received: {study!r}")


def _slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
