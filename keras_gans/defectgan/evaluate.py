"""Evaluation (section III): table V's figures of every method, on the same test images."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rich import progress
from rich.console import Console
from sklearn.metrics import roc_auc_score

from keras_gans.defectgan.detection import to_grey
from keras_gans.defectgan.detectors import Detector, Found
from keras_gans.defectgan.pictures import thumbnail
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError
from keras_gans.metrics.anomaly import f1, false_alarm_rate, pixel_figures
from keras_gans.metrics.iou import iou

RECALLS = (0.9, 0.95)


@dataclass(frozen=True)
class Measured:
    """What detectors found in test images.

    Attributes:
        rows: DataFrame, a row an image and method: `method`, `index` in the `Surfaces`,
            `name`, `type`, `defective`; `iou` (eq. 4; NaN without a true mask), `score`,
            `marked` (share of the image's pixels in the mask; 0 if the method counts the image
            as defect-free), `hits`, `predicted`, `true` (pixels marked and defective, marked,
            defective; NaN for a defective image without a mask) and `seconds`.
        pixels: dict method -> `pixel_figures` of its heat, where it has any.
        shown: dict (index, method) -> `Found`, its pictures grey and no larger than they are
            shown.
    """

    rows: pd.DataFrame
    pixels: dict[str, dict[str, float]]
    shown: dict[tuple[int, str], Found]


def run_detectors(detectors: Sequence[Detector], surfaces: Surfaces) -> Measured:
    """Runs detectors on the test images, one image at a time, and measures what they find.

    The first call of each, which traces, is made beforehand and not timed.

    Raises:
        InputError: there are no test images.
    """
    tested = np.flatnonzero(~surfaces.train)
    if not len(tested):
        raise InputError(f"{surfaces.name}: no test images to measure on: add some")
    rows, pixels, shown = [], {}, {}
    for detector in detectors:
        heat = {}
        detector(surfaces.images[tested[0]])
        for index in track(tested, "testing"):
            start = time.perf_counter()
            found = detector(surfaces.images[index])
            seconds = time.perf_counter() - start
            for method, one in found.items():
                rows.append(_row(surfaces, index, method, one, seconds))
                shown[index, method] = _to_show(one)
                if one.heat is not None:
                    heat.setdefault(method, {})[index] = one.heat.astype(np.float32)
        pixels |= {method: _pixel_figures(surfaces, maps) for method, maps in heat.items()}
    return Measured(pd.DataFrame(rows), pixels, shown)


def table(
    rows: pd.DataFrame, pixels: dict[str, dict[str, float]] | None = None
) -> pd.DataFrame:
    """Table V, with what the paper tells in words.

    Args:
        rows, pixels: see `Measured`; without `pixels` their columns are left out.

    Returns:
        DataFrame, a row a method in the order given: `miou` (eq. 5, over the images with a
        true mask), `miou_TYPE` for each type of defect, `auroc` (area under the ROC curve of
        the images' scores), `pixel_auroc` and `aupro` (see `pixel_figures`), `f1` (of all
        pixels, by the masks of images that count as defective), `false_at_90` and
        `false_at_95` (share of good images that such a recall of the images' scores costs),
        `false_pixels` (share of pixels marked, mean over defect-free
        images), `false_images` (share of defect-free images with any pixel marked) and
        `t_test_ms` (eq. 6). All but the last in [0, 1]; NaN where there are no such images.
    """
    figures = {}
    for method, part in rows.groupby("method", sort=False):
        free = part[~part["defective"]]
        by_type = part.dropna(subset="iou").groupby("type")["iou"].mean()
        figures[method] = {
            "miou": part["iou"].mean(),
            **by_type.add_prefix("miou_"),
            "auroc": float("nan")
            if part["defective"].nunique() < 2
            else roc_auc_score(part["defective"], part["score"]),
            **(pixels or {}).get(method, {}),
            "false_pixels": free["marked"].mean(),
            "f1": f1(part["hits"].sum(), part["predicted"].sum(), part["true"].sum()),
            "false_images": (free["marked"] > 0).mean(),
            **{
                f"false_at_{recall:.0%}".rstrip("%"): false_alarm_rate(
                    part["score"], part["defective"], recall
                )
                for recall in RECALLS
            },
            "t_test_ms": 1000 * part["seconds"].mean(),
        }
    return pd.DataFrame.from_dict(figures, orient="index").rename_axis("method")


def track(items: Sequence, description: str) -> Iterable:
    """Iterates with a bar on stderr, if that is a terminal."""
    console = Console(stderr=True)
    return progress.track(
        items, description, console=console, transient=True, disable=not console.is_terminal
    )


def _row(surfaces, index, method, found, seconds):
    true = surfaces.masks[index]
    judged = found.mask if found.judged else np.zeros_like(found.mask)
    unknown = true is None and surfaces.defective[index]
    truth = np.zeros_like(judged) if true is None else true
    counts = (judged & truth).sum(), judged.sum(), truth.sum()
    return {
        "method": method,
        "index": int(index),
        "name": surfaces.names[index],
        "type": surfaces.types[index],
        "defective": bool(surfaces.defective[index]),
        "iou": float("nan") if true is None else iou(found.mask, true),
        "score": found.score,
        "marked": float(judged.mean()),
        **{
            name: float("nan") if unknown else int(count)
            for name, count in zip(("hits", "predicted", "true"), counts)
        },
        "seconds": seconds,
    }


def _pixel_figures(surfaces, maps):
    """Of all test images but the defective ones without a mask."""
    known = [i for i in maps if surfaces.masks[i] is not None or not surfaces.defective[i]]
    return pixel_figures([maps[i] for i in known], [surfaces.masks[i] for i in known])


def _to_show(found):
    found = replace(found, heat=None)
    if found.cleaned is None:
        return replace(found, mask=thumbnail(found.mask))
    return replace(
        found,
        mask=thumbnail(found.mask),
        cleaned=thumbnail(np.rint(to_grey(found.cleaned)).astype(np.uint8)),
        difference=thumbnail(found.difference),
    )
