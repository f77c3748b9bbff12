"""How scenes are held out, and what networks that never saw them say of them."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from keras_gans.dscnn import confidence
from keras_gans.dscnn.estimate import estimate_images
from keras_gans.dscnn.scenes import Scenes
from keras_gans.metrics.angular import angular_errors


class Tested(NamedTuple):
    """The estimates of a protocol.

    Attributes:
        scenes: int (N,), indices of the scenes that were tested.
        illuminants: float32 (N, 3), unit norm.
        parts: int (N,), the part that each was held out with; zeros where none was.
        doubts: float32 (N, D), see `confidence.doubts`; `None` of scenes of several patches.
    """

    scenes: np.ndarray
    illuminants: np.ndarray
    parts: np.ndarray
    doubts: np.ndarray | None


def parts_to_hold_out(scenes: Scenes, protocol: str, measured: bool = True) -> dict:
    """The parts of a protocol, each held out in turn.

    "held-out" has the folds; of scenes without `measured` lights fold 1 is held out, and fold 0
    is trained on. "unseen-camera" has the sets, whole, since cameras of one set may share
    scenes; in one set alone its cameras, if there are several.

    Returns:
        dict name -> indices (to train on, held out).
    """
    if not measured:
        return {"fold-1": tuple(np.flatnonzero(scenes.folds == fold) for fold in (0, 1))}
    groups, name = scenes.folds, "fold-{}"
    if protocol == "unseen-camera":
        groups = scenes.sets if len(set(scenes.sets)) > 1 else scenes.cameras
        groups, name = np.unique(groups, return_inverse=True)[1], "unseen-{}"
    return {
        name.format(group): (np.flatnonzero(groups != group), np.flatnonzero(groups == group))
        for group in np.unique(groups)
        if not np.all(groups == group)
    }


def whole_scenes(scenes: Scenes, patch_size: int) -> bool:
    """Whether a scene is one patch, so that networks learn what whole scenes look like."""
    return max(scenes.images[0].shape[:2]) < 2 * patch_size


def measure(network, scenes: Scenes, selection: np.ndarray, part: int = 0) -> Tested:
    """What a network says of the selected scenes."""
    images = scenes.take(selection).images
    if whole_scenes(scenes, network.input_shape[1]):
        lights, doubts = confidence.estimate_scenes(network, images)
    else:
        lights, doubts = estimate_images(network, images)[0], None
    return Tested(selection, lights, np.full(len(selection), part), doubts)


def hold_out(scenes: Scenes, parts: dict, train: Callable) -> tuple[Tested, keras.Model]:
    """Tests every part by a network trained on the others.

    Args:
        scenes: `Scenes`.
        parts: see `parts_to_hold_out`.
        train: function of a name and the indices of the scenes to train on to a network.

    Returns:
        (`Tested`, the last network).
    """
    tested = []
    for number, (name, (known, unknown)) in enumerate(parts.items()):
        network = train(name, known)
        tested.append(measure(network, scenes, unknown, number))
    joined = (None if each[0] is None else np.concatenate(each) for each in zip(*tested))
    return Tested(*joined), network


def trust(scenes: Scenes, results: dict[str, Tested], network: keras.Model) -> dict:
    """What an exported network tells of how sure it is, see `export_dscnn`.

    Fitted on scenes that were held out: on unseen cameras where these were tested, since a
    user's camera is one; of photos on those of fold 2, which are kept for such choices.

    Returns:
        dict: `confidence`, and of photos `sure`; empty if nothing was held out.
    """
    found = results.get("unseen-camera", results.get("held-out"))
    photos = found and 2 in scenes.folds and not np.isin(scenes.folds[found.scenes], 2).any()
    if photos:
        found = measure(network, scenes, np.flatnonzero(scenes.folds == 2))
    if found is None or found.doubts is None:
        return {}
    truths = scenes.illuminants[found.scenes]
    weights = confidence.fit(found.doubts, angular_errors(truths, found.illuminants))
    if not photos:
        return {"confidence": weights}
    sure = confidence.confidence(found.doubts, weights).numpy()
    sure = confidence.fit_sure(found.illuminants, truths, sure)
    return {"confidence": weights, "sure": sure}
