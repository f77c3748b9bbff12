"""Evaluation (section III): table V's figures of every method, and how well G1 cleans.

A detector is a function from an image, uint8 (H, W, C), to a dict method -> `Found`; that of
CAM gives two methods from one pass. None is given a mask, nor whether the image is defective.
"""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from keras_gans.data.levels import to_float
from keras_gans.defectgan.cam import activation_network, cam_mask
from keras_gans.defectgan.data import extended
from keras_gans.defectgan.detect import detect, to_grey
from keras_gans.defectgan.surfaces import reduced
from keras_gans.errors import InputError
from keras_gans.metrics.iou import iou

# share of the way from the map's minimum to its maximum: Zhou et al.'s, and the width at half
# height, which is fairer to defects (see `cam_mask`)
CAM_SHARES = {"CAM": 0.2, "CAM, half maximum": 0.5}


@dataclass(frozen=True)
class Found:
    """What a method finds in one image.

    Attributes:
        mask: bool (H, W), where the defects are.
        score: float, the higher the more likely the image is defective.
        judged: whether the method counts the image as defective; if not, `mask`, which is
            made for every image, is no false alarm.
        cleaned, difference: DefectGAN's, see `detect.Detection`; else `None`.
    """

    mask: np.ndarray
    score: float
    judged: bool = True
    cleaned: np.ndarray | None = None
    difference: np.ndarray | None = None


# Detectors ----------------------------------------------------------------------------------


def defectgan_detector(clean, calibration):
    """DefectGAN (section II-D); the score is the largest denoised difference, in grey levels.

    Args:
        clean: from `detect.traced_cleaner`.
        calibration: `detect.Calibration`.

    Returns:
        detector of the method "DefectGAN".
    """

    def run(image):
        found = detect(clean, image, calibration)
        return {
            "DefectGAN": Found(
                found.mask,
                found.score,
                judged=found.score > calibration.limit,
                cleaned=found.cleaned,
                difference=found.difference,
            )
        }

    return run


def segnet_detector(network, stride, reduce=1, cut=0.0):
    """SegNet on whole images; a pixel is defect where its logit is above `cut`.

    The score is the largest logit of the image, as it is: one pixel decides.

    Args:
        network: from `build_segnet`, trained.
        stride: of which the network takes multiples, `2**stages`; other images are continued
            by their mirror image.
        reduce: whole factor by which images are reduced for it; what it gives is enlarged.
        cut: logit, such as from `best_cut`.

    Returns:
        detector of the method "SegNet".
    """
    traced = _traced(network)

    def run(image):
        small = _reduced(mirrored_to_multiple(image, stride * reduce), reduce)
        logits = _enlarged(traced(small[None]).numpy()[0, ..., 0], reduce, image.shape)
        score = float(logits.max())
        return {"SegNet": Found(logits > cut, score, judged=score > cut)}

    return run


def best_cut(network, stride, surfaces):
    """The logit above which SegNet's masks fit those of training images best.

    SegNet is trained on masks, so they may choose it; balanced classes move it far above 0.

    Args:
        network, stride: see `segnet_detector`.
        surfaces: `Surfaces`, training images, already reduced.

    Returns:
        float, out of -2 to 8 in steps of 0.5.
    """
    cuts = np.arange(-2, 8.5, 0.5)
    traced = _traced(network)
    scores = []
    for image, mask in zip(surfaces.images, surfaces.masks):
        if mask is not None:
            logits = traced(mirrored_to_multiple(image, stride)[None]).numpy()
            logits = logits[0, : mask.shape[0], : mask.shape[1], 0]
            scores.append([iou(logits > cut, mask) for cut in cuts])
    return float(cuts[np.mean(scores, axis=0).argmax()]) if scores else 0.0


def cam_detector(network, shares=CAM_SHARES, reduce=1):
    """CAM on whole images; the score is the logit.

    A mask is made for every image, also where the logit is below 0: that is best for the IoU
    over images known to be defective. It counts as a false alarm only if the logit is above 0.

    Args:
        network: from `build_cam`, trained.
        shares: dict method -> share, see `cam_mask`; all from one pass.
        reduce: see `segnet_detector`.

    Returns:
        detector of the methods in `shares`.
    """
    traced = _traced(activation_network(network))

    def run(image):
        small = _reduced(mirrored_to_multiple(image, reduce), reduce)
        maps, logits = (values.numpy() for values in traced(small[None]))
        activation = _enlarged(maps[0, ..., 0], reduce, image.shape)
        score = float(logits[0, 0])
        return {
            method: Found(cam_mask(activation, share), score, judged=score > 0)
            for method, share in shares.items()
        }

    return run


def mirrored_to_multiple(image, multiple):
    """Continues an image by its mirror image, at the bottom and the right.

    Args:
        image: (H, W, C).
        multiple: H and W of the result are the next multiples of it.

    Returns:
        array of the same type; the image itself if nothing is missing.
    """
    missing = [-size % multiple for size in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [*((0, more) for more in missing), (0, 0)], mode="symmetric")


def _reduced(image, factor):
    return image if factor == 1 else np.rint(reduced(image, factor)).astype(np.uint8)


def _enlarged(values, factor, shape):
    """Repeats values (h, w) and cuts them to the height and width in `shape`."""
    values = values.repeat(factor, axis=0).repeat(factor, axis=1)
    return values[: shape[0], : shape[1]]


def _traced(network):
    """A network on uint8 images, traced once for all sizes."""
    shape = [None, None, None, network.input_shape[3]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)])
    def run(images):
        return network(to_float(images), training=False)

    return run


# Figures ------------------------------------------------------------------------------------


def run_detector(detector, surfaces, indices):
    """Runs a detector on images, one at a time, and measures what it finds.

    The first call, which traces, is made beforehand and not timed.

    Args:
        detector: see above.
        surfaces: `Surfaces`.
        indices: of the test images.

    Returns:
        DataFrame, a row an image and method: `method`, `index` in `surfaces`, `name`, `type`,
        `defective`; `iou` (eq. 4; NaN without a true mask), `score`, `marked` (share of the
        image's pixels in the mask; 0 if the method counts the image as defect-free) and
        `seconds`. Rows of several detectors go together with `pandas.concat`.

    Raises:
        InputError: if there are no images.
    """
    if not len(indices):
        raise InputError(f"{surfaces.name}: no test images to measure on: add some")
    detector(surfaces.images[indices[0]])
    rows = []
    for index in _track(indices, "testing"):
        start = time.perf_counter()
        found = detector(surfaces.images[index])
        seconds = time.perf_counter() - start
        true = surfaces.masks[index]
        for method, one in found.items():
            rows.append(
                {
                    "method": method,
                    "index": int(index),
                    "name": surfaces.names[index],
                    "type": surfaces.types[index],
                    "defective": bool(surfaces.defective[index]),
                    "iou": float("nan") if true is None else iou(one.mask, true),
                    "score": one.score,
                    "marked": float(one.mask.mean()) if one.judged else 0.0,
                    "seconds": seconds,
                }
            )
    return pd.DataFrame(rows)


def table(measured):
    """Table V, with what the paper tells in words.

    Args:
        measured: from `run_detector`, of one or several methods.

    Returns:
        DataFrame, a row a method in the order given: `miou` (eq. 5, over the images with a
        true mask), `miou_TYPE` for each type of defect, `auroc` (area under the ROC curve of
        the images' scores), `false_pixels` (share of pixels marked, mean over defect-free
        images), `false_images` (share of defect-free images with any pixel marked) and
        `t_test_ms` (eq. 6). All but the last in [0, 1]; NaN where there are no such images.
    """
    rows = {}
    for method, part in measured.groupby("method", sort=False):
        free = part[~part["defective"]]
        by_type = part.dropna(subset="iou").groupby("type")["iou"].mean()
        rows[method] = {
            "miou": part["iou"].mean(),
            **by_type.add_prefix("miou_"),
            "auroc": float("nan")
            if part["defective"].nunique() < 2
            else roc_auc_score(part["defective"], part["score"]),
            "false_pixels": free["marked"].mean(),
            "false_images": (free["marked"] > 0).mean(),
            "t_test_ms": 1000 * part["seconds"].mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


# Cleaning -----------------------------------------------------------------------------------


def cleaning_distance(surfaces, clean, window=16, stride=8, most=200):
    """How near cleaned images are to the surface without defects (the paper's claim 4).

    The paper shows pictures; this figure is ours. Every window has four features: mean grey
    level, and the logarithms of 1 plus its standard deviation and the means of its absolute
    horizontal and vertical gradients; each relative to its median over the windows that show
    no defect of the same image as it was taken, so that lighting and sort of surface drop
    out. The distance is Mahalanobis' to all windows of defect-free training images; a
    Gaussian's own mean is 1.88. A mean over an image's windows is taken first, then one over
    images.

    Args:
        surfaces: `Surfaces`.
        clean: function from uint8 (1, H, W, C) to the same, such as from `traced_cleaner`.
        window, stride: of the windows, in pixels. Of a defective image those count that the
            true mask covers by a tenth or more, or else the one that it covers most.
        most: images of a kind; of more so many are taken, evenly spaced.

    Returns:
        dict: mean distance at the defects of test images, `defective` as taken and
        `defective_cleaned`; over defect-free test images, `free` and `free_cleaned`; `closed`,
        the share of the way from `defective` to `free` that cleaning goes (1 is perfect, 0
        none, below 0 worse; NaN if defects are not farther off than the rest);
        `defective_images` and `free_images`, how many. NaN where there are no such images.
    """
    train, defective = surfaces.train, surfaces.defective
    masked = np.array([mask is not None for mask in surfaces.masks])
    normal = []
    for index in _spread(train & ~defective, most):
        features, _ = _windows(surfaces.images[index], None, window, stride)
        normal.append(features - np.median(features, axis=0))
    normal = np.concatenate(normal)
    centre = normal.mean(axis=0)
    covariance = np.cov(normal, rowvar=False) + 1e-6 * np.eye(normal.shape[1])
    inverse = np.linalg.inv(covariance)

    def distance(features):
        return cdist(features, [centre], "mahalanobis", VI=inverse).mean()

    result, counts = {}, {}
    for kind, chosen in (("defective", ~train & masked), ("free", ~train & ~defective)):
        pairs = []
        for index in _track(_spread(chosen, most), "cleaning"):
            image, mask = surfaces.images[index], surfaces.masks[index]
            taken, cover = _windows(image, mask, window, stride)
            after, _ = _windows(np.asarray(clean(image[None]))[0], None, window, stride)
            clear = cover == 0 if (cover == 0).any() else slice(None)
            reference = np.median(taken[clear], axis=0)
            at = slice(None) if mask is None else cover >= min(0.1, cover.max())
            pairs.append([distance(values[at] - reference) for values in (taken, after)])
        means = np.mean(pairs, axis=0) if pairs else (np.nan, np.nan)
        result |= {kind: float(means[0]), f"{kind}_cleaned": float(means[1])}
        counts[f"{kind}_images"] = len(pairs)
    gap = result["defective"] - result["free"]
    gain = result["defective"] - result["defective_cleaned"]
    return result | {"closed": gain / gap if gap > 0 else float("nan")} | counts


def _spread(chosen, most):
    """Indices where `chosen` (bool) is True, at most so many, evenly spaced."""
    indices = np.flatnonzero(chosen)
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).round().astype(int)]


def _windows(image, mask, window, stride):
    """Features float64 (windows, 4), and the share (windows,) of each that the mask covers."""
    grey = to_grey(extended(image, window)).astype(np.float64)
    corners = [  # the last window ends where the image ends
        np.unique(np.append(np.arange(0, size - window, stride), size - window))
        for size in grey.shape
    ]
    level = grey.mean()
    grey -= level  # keeps the squares small
    mean = _window_means(grey, corners, (window, window))
    squares = _window_means(grey**2, corners, (window, window))
    textures = [
        np.sqrt(np.maximum(squares - mean**2, 0)),
        _window_means(np.abs(np.diff(grey, axis=1)), corners, (window, window - 1)),
        _window_means(np.abs(np.diff(grey, axis=0)), corners, (window - 1, window)),
    ]
    features = np.stack([mean + level, *map(np.log1p, textures)], axis=1)
    if mask is None:
        return features, np.zeros(len(features))
    mask = extended(mask[..., None], window)[..., 0].astype(np.float64)
    return features, _window_means(mask, corners, (window, window))


def _window_means(values, corners, shape):
    """Means (windows,) over windows of one shape, by sums along each axis."""
    for axis, (first, count) in enumerate(zip(corners, shape)):
        sums = values.cumsum(axis)
        last = first + count - 1
        values = sums.take(last, axis) - sums.take(first, axis) + values.take(first, axis)
    return values.ravel() / (shape[0] * shape[1])


def _track(items, description):
    """Iterates with a bar on stderr, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield from progress.track(items, description=description)
