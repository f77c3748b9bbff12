"""What an experiment shows: tables of angular errors, error curves, corrected scenes."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from keras_gans.data.srgb import linear_to_srgb
from keras_gans.dscnn import confidence
from keras_gans.dscnn.scenes import Scenes
from keras_gans.dscnn.statistical import estimate_all
from keras_gans.files import write_json
from keras_gans.metrics.angular import STATISTICS, angular_errors, angular_statistics
from keras_gans.report.pictures import save_figure
from keras_gans.report.tables import show, write_csv

HEADINGS = {
    "mean": "mean",
    "median": "median",
    "trimean": "tri-mean",
    "best25": "best 25 %",
    "worst25": "worst 25 %",
    "p95": "95th pct",
}

# Table 2 of the paper, its DSCNN by protocol `paper`; the columns of HEADINGS
PUBLISHED = {
    "Gray-World": (6.36, 6.28, 6.28, 2.33, 10.58, 11.30),
    "White-Patch": (7.55, 5.68, 6.35, 1.45, 16.12, None),
    "Shades-of-Gray": (4.93, 4.01, 4.23, 1.14, 10.23, 11.90),
    "Gray-Edge": (5.13, 4.44, 4.62, 2.11, 9.26, None),
    "Gamut Mapping": (4.22, 2.33, 2.91, None, None, None),
    "Bayesian": (4.82, 3.46, 3.88, 1.26, 10.49, None),
    "SVR": (7.99, 6.67, None, None, None, 14.61),
    "Natural Image Statistics": (4.19, 3.13, 3.45, 1.02, 9.22, 11.7),
    "Exemplar-Based": (2.77, 2.24, None, None, None, 5.52),
    "Cheng et al. 2014": (3.52, 2.14, 2.47, 0.50, 8.74, None),
    "CCC": (1.95, 1.22, 1.38, 0.35, 4.76, 5.85),
    "CNN": (2.36, 1.98, None, None, None, None),
    "SqueezeNet-FC4": (1.65, 1.18, 1.27, 0.38, 3.78, 4.73),
    "DS-Net": (1.93, 1.12, 1.33, 0.31, 4.84, 5.99),
    "Oh": (2.16, 1.47, 1.61, 0.37, 5.12, None),
    "DSCNN": (0.67, 0.49, 0.52, 0.16, 1.52, 1.86),
}

PROTOCOLS = {
    "paper": "protocol `paper`: tested on the scenes that training drew its patches from",
    "held-out": "protocol `held-out`: whole scenes held out by fold",
    "unseen-camera": "protocol `unseen-camera`: tested on cameras that training never saw",
}


def write(folder: Path, scenes: Scenes, results: dict, seed: int) -> dict:
    """Prints table 2 for each protocol, and the cameras; writes figures and pictures.

    Into the folder go `result.json` (the tables, a row a method and protocol, `cameras` and
    `tenths` of confidence), `confidence-*.png`,
    `errors.csv` (every scene), `error_curves.png` and `samples.png` (of the last protocol).

    Args:
        folder: the run's; the logs of its trainings are `*/metrics.jsonl`.
        scenes: `Scenes`.
        results: dict protocol -> `protocols.Tested`.
        seed: the run's, recorded with every figure.

    Returns:
        dict protocol -> DSCNN's row of its table.
    """
    tables, cameras, tenths, per_scene, ours = [], [], [], [], {}
    tested = []
    for protocol, found in results.items():
        if not np.array_equal(tested, found.scenes):
            tested = found.scenes
            baselines = estimate_all(scenes.take(tested).images)
        estimates = {"DSCNN": found.illuminants, **baselines}
        truth = scenes.illuminants[tested]
        errors = {name: angular_errors(truth, values) for name, values in estimates.items()}
        shown, sure = errors, None
        if found.doubts is not None and protocol != "paper":
            sure = confidence.crossed(found.doubts, errors["DSCNN"], found.parts)
            choice = confidence.chosen(errors, sure, found.parts)
            shown = errors | {"DSCNN, or one of these where it is unsure": choice}
        conditions = {"protocol": protocol, "set": scenes.name}
        conditions |= {"scenes": len(tested), "seed": seed}
        table = error_table(
            shown,
            f"{scenes.name}, {len(tested)} scenes, {PROTOCOLS[protocol]}",
            published="colorchecker" in re.sub("[^a-z]", "", scenes.name.lower()),
        )
        tables.append(table.rename_axis("method").reset_index().assign(**conditions))
        ours[protocol] = table.loc["DSCNN"].round(3).to_dict()
        by_camera = camera_table(errors, scenes.cameras[tested], protocol)
        cameras.extend(by_camera.assign(protocol=protocol, seed=seed).to_dict("records"))
        known = {
            "scene": [scenes.names[index] for index in tested],
            "fold": scenes.folds[tested],
            "camera": scenes.cameras[tested],
            "protocol": protocol,
        }
        if sure is not None:
            known["confidence"] = sure
            rows = confidence.by_tenth(sure, errors["DSCNN"])
            tenths.extend({**row, "protocol": protocol} for row in rows)
            title = f"error in degrees by tenth of confidence, {protocol}"
            show_frame(pd.DataFrame(rows).set_index("tenth"), title, "tenth")
            draw_confidence(rows, folder / f"confidence-{protocol}.png")
        per_scene.append(pd.DataFrame(errors).assign(**known))
    if not results:
        return ours
    table_rows = pd.concat(tables).to_dict("records")
    write_json(
        folder / "result.json", {"table": table_rows, "cameras": cameras, "tenths": tenths}
    )
    write_csv(folder / "errors.csv", pd.concat(per_scene))

    histories = {log.parent.name: log for log in sorted(folder.glob("*/metrics.jsonl"))}
    draw_error_curves(histories, errors, folder / "error_curves.png")
    shown = ("DSCNN", min(baselines, key=lambda name: errors[name].mean()))
    draw_examples(
        scenes,
        tested,
        {name: estimates[name] for name in shown},
        {name: errors[name] for name in shown},
        folder / "samples.png",
    )
    return ours


def camera_table(
    errors_by_method: dict[str, np.ndarray], cameras: np.ndarray, protocol: str
) -> pd.DataFrame:
    """Mean and median error on each camera; of the statistical methods, the best of each.

    Prints it where there are several cameras, with the mean over them, each counted once.

    Args:
        errors_by_method: dict method -> (N,) angular errors in degrees, "DSCNN" one of them.
        cameras: str (N,).
        protocol: for the title.

    Returns:
        DataFrame: a row a camera.
    """
    rows = []
    for camera in np.unique(cameras):
        errors = {name: each[cameras == camera] for name, each in errors_by_method.items()}
        row = {"camera": camera, "scenes": int(np.sum(cameras == camera))}
        for title, function in (("mean", np.mean), ("median", np.median)):
            values = {name: float(function(each)) for name, each in errors.items()}
            row[f"DSCNN {title}"] = values.pop("DSCNN")
            best = min(values, key=values.get)
            row |= {f"best {title}": values[best], f"by {title}": best}
        rows.append(row)
    frame = pd.DataFrame(rows)
    if len(rows) > 1:
        means = frame.mean(numeric_only=True).drop("scenes").to_dict()
        mean = pd.DataFrame([{"camera": "mean of the cameras", "scenes": len(cameras)} | means])
        shown = pd.concat([frame, mean]).fillna("").set_index("camera")
        show_frame(shown, f"angular error in degrees by camera, {protocol}", "camera")
    return frame


def error_table(
    errors_by_method: dict[str, np.ndarray], title: str, published: bool = False
) -> pd.DataFrame:
    """Prints table 2's columns for each method, in degrees.

    Args:
        errors_by_method: dict method -> (N,) angular errors.
        title: protocol and conditions.
        published: whether the rows of `PUBLISHED` are printed below.

    Returns:
        DataFrame: a row a method, columns `STATISTICS`.
    """
    frame = pd.DataFrame(
        {name: angular_statistics(errors) for name, errors in errors_by_method.items()}
    ).T
    shown = frame.rename(columns=HEADINGS)
    if published:
        rows = {f"{name}, published": values for name, values in PUBLISHED.items()}
        theirs = pd.DataFrame.from_dict(rows, orient="index", columns=list(HEADINGS.values()))
        shown = pd.concat([shown, theirs]).astype(object).where(lambda cell: cell.notna(), "")
    show_frame(shown, f"angular error in degrees: {title}", "method")
    return frame[list(STATISTICS)]


def show_frame(frame: pd.DataFrame, title: str, index_name: str) -> None:
    """Prints a DataFrame as a table, numbers with two decimals."""
    cells = [
        (str(name), *(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row))
        for name, *row in frame.itertuples()
    ]
    show(title, (index_name, *map(str, frame.columns)), cells)


def draw_error_curves(histories: dict, errors_by_method: dict, path: Path) -> None:
    """Draws the error over the epochs, and the share of scenes below an error, as a PNG.

    Args:
        histories: dict training name -> path of its `metrics.jsonl`.
        errors_by_method: dict method -> (N,) angular errors of the test scenes.
        path: the PNG to write.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    epochs, shares = figure.subplots(1, 2)
    for name, log in histories.items():
        rows = pd.DataFrame([json.loads(line) for line in Path(log).read_text().splitlines()])
        if "angular_error" not in rows:  # the log was damaged
            continue
        (line,) = epochs.plot(rows["epoch"], rows["angular_error"], label=name)
        if "val_angular_error" in rows:
            epochs.plot(rows["epoch"], rows["val_angular_error"], "--", color=line.get_color())
    epochs.set(xlabel="epoch", ylabel="angular error, degrees", ylim=(0, None))
    epochs.set_title("training (dashed: validation)")
    epochs.legend(fontsize=8)
    for name, errors in errors_by_method.items():
        errors = np.sort(errors)
        width = 2.5 if name.startswith("DSCNN") else 1
        share = np.arange(1, len(errors) + 1) / len(errors)
        shares.plot(errors, share, label=name, linewidth=width)
    shares.set(xlabel="angular error, degrees", ylabel="share of scenes", xlim=(0, 20))
    shares.set_ylim(0, 1)
    shares.set_title("test scenes at or below an error")
    shares.legend(fontsize=8)
    save_figure(figure, path)


def draw_confidence(tenths: list[dict], path: Path) -> None:
    """Draws mean error by tenth of confidence, and how well confidences keep their word."""
    frame = pd.DataFrame(tenths)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    errors, kept = figure.subplots(1, 2)
    errors.bar(frame["tenth"], frame["mean"])
    errors.set(xlabel="tenth of confidence, least sure first", ylabel="mean error, degrees")
    kept.plot([0, 1], [0, 1], ":", color="grey")
    kept.plot(frame["confidence"], frame["within"], "o-")
    share = f"share within {confidence.WITHIN:g} degrees"
    kept.set(xlabel="confidence", ylabel=share, xlim=(0, 1), ylim=(0, 1))
    save_figure(figure, path)


def draw_examples(
    scenes: Scenes,
    selection: np.ndarray,
    estimates: dict[str, np.ndarray],
    errors: dict[str, np.ndarray],
    path: Path,
    count: int = 6,
) -> None:
    """Draws scenes before and after correction, from the best estimate to the worst.

    Args:
        scenes: `Scenes`.
        selection: (N,) indices of the scenes that were estimated.
        estimates: dict method -> (N, 3) illuminants; the first method orders the rows.
        errors: dict method -> (N,) their angular errors.
        path: the PNG to write.
        count: rows, at evenly spaced ranks of the first method's error.
    """
    first = next(iter(errors))
    ranks = np.linspace(0, len(selection) - 1, min(count, len(selection))).round().astype(int)
    rows = np.argsort(errors[first])[ranks]
    figure = Figure(figsize=(3 * (len(estimates) + 2), 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(estimates) + 2, squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        image = scenes.images[selection[row]]
        truth = scenes.illuminants[selection[row]]
        pictures = {"as taken": (1, 1, 1), "true light removed": truth}
        pictures |= {
            f"{name}: {errors[name][row]:.1f} degrees": estimates[name][row]
            for name in estimates
        }
        for axis, (title, light) in zip(line, pictures.items(), strict=True):
            axis.imshow(develop(image, light))
            axis.set_title(title, fontsize=9)
            axis.axis("off")
    save_figure(figure, path)


def develop(image: np.ndarray, illuminant) -> np.ndarray:
    """A linear image (H, W, 3) without its light's colour, as sRGB in [0, 1] to look at."""
    light = np.asarray(illuminant) / np.mean(illuminant)
    white = max(np.percentile(image, 98), 1e-6)
    return linear_to_srgb(np.clip(image / light / white * 0.9, 0, 1))
