"""How scenes are held out, and what networks that never saw them say of them."""

from collections.abc import Callable
from typing import NamedTuple

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
    """The parts of a protocol, each held out in turn: dict name -> bool (N,).

    "held-out" has the folds, of scenes without `measured` lights fold 1 alone.
    "unseen-camera" has the sets, whole, since cameras of one set may share scenes; in one set
    alone its cameras, if there are several.
    """
    if protocol == "held-out":
        folds = np.unique(scenes.folds) if measured else [1]
        return {f"fold-{fold}": scenes.folds == fold for fold in folds}
    groups = scenes.sets if len(set(scenes.sets)) > 1 else scenes.cameras
    if len(set(groups)) < 2:
        return {}
    return {f"unseen-{i}": groups == name for i, name in enumerate(np.unique(groups))}


def whole_scenes(scenes: Scenes, patch_size: int) -> bool:
    """Whether a scene is one patch, so that networks learn what whole scenes look like."""
    return max(scenes.images[0].shape[:2]) < 2 * patch_size


def measure(network, scenes: Scenes, selection: np.ndarray, part: int = 0) -> Tested:
    """What a network says of the selected scenes."""
    images = scenes.take(selection).images
    whole = whole_scenes(scenes, network.input_shape[1])
    return Tested(
        selection,
        estimate_images(network, images, turned=whole)[0],
        np.full(len(selection), part),
        confidence.measured_doubts(network, images) if whole else None,
    )


def hold_out(scenes: Scenes, parts: dict, train: Callable) -> tuple[Tested, object]:
    """Tests every part by a network trained on the others.

    Args:
        scenes: `Scenes`.
        parts: dict name -> bool (N,).
        train: function of a name and the indices of the scenes to train on to a network.

    Returns:
        (`Tested`, the last network).
    """
    tested = []
    for number, (name, held_out) in enumerate(parts.items()):
        network = train(name, np.flatnonzero(~held_out))
        tested.append(measure(network, scenes, np.flatnonzero(held_out), number))
    return Tested(
        *(None if all_[0] is None else np.concatenate(all_) for all_ in zip(*tested))
    ), network


def confidence_weights(scenes: Scenes, results: dict[str, Tested]) -> list[float] | None:
    """Weights of `confidence.scene_estimate`, fitted on held-out scenes; `None` without any.

    On unseen cameras where these were tested, since a user's camera is one.
    """
    for protocol in ("unseen-camera", "held-out"):
        found = results.get(protocol)
        if found is not None and found.doubts is not None:
            errors = angular_errors(scenes.illuminants[found.scenes], found.illuminants)
            return confidence.fit(found.doubts, errors)
    return None
