"""What surrounds the network, in NumPy: patches in, unit vectors out, as `estimate` has it."""

from collections.abc import Callable, Sequence

import numpy as np

# Least component of an estimated unit vector (ours). A network's output may be zero or
# negative, which no light is, and W = I / L divides by it. Lights of real cameras stay far
# above this: the reddest of the Color Checker has 0.16 of blue.
FLOOR = 0.01
MAP_PATCHES = 4  # rows (or columns) of the local map along a photo's shorter side
WITHIN = 3.0  # degrees: what a confidence is the chance of
NORMS = (1, 6, np.inf)  # grey-world, shades-of-grey and white-patch
DOUBT_FLOOR = 0.01  # of the distances that make an estimate doubtful, about half a degree
MIN_LIT = 0.5  # a patch in which fewer pixels than this carry light has no vote (ours)


def local_map(network: Callable, image: np.ndarray, patch: int) -> np.ndarray:
    """The light of each patch, counted from the upper left.

    Args:
        network: function of `images`, float32 (1, S, S, 3), to `directions` (1, 3).
        image: float32 (H, W, 3), linear.
        patch: S.

    Returns:
        float32 (H // S, W // S, 3), unit norm.
    """
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    patches = image[: rows * patch, : columns * patch]
    patches = patches.reshape(rows, patch, columns, patch, 3).swapaxes(1, 2)
    directions = [
        network(images=np.ascontiguousarray(each[None], np.float32))["directions"][0]
        for each in patches.reshape(-1, patch, patch, 3)
    ]
    return unit_lights(np.reshape(directions, (rows, columns, 3)))


def scene_light(
    votes_of: Callable, scene: np.ndarray, weights: Sequence[float] | None = None
) -> tuple[np.ndarray, float | None]:
    """`confidence.scene_estimate` in NumPy, of one scene averaged into one patch.

    Args:
        votes_of: function of an image to its local map; the light of one patch is (1, 1, 3).
        scene: float32 (S, S, 3), linear.
        weights: of the confidence; `None` for a model without.

    Returns:
        (illuminant, confidence): float32 (3,), unit norm; in [0, 1], or `None`.
    """
    turned = scene, scene.swapaxes(0, 1)
    views = [view[::y, ::x] for view in turned for x in (1, -1) for y in (1, -1)]
    votes = np.array([votes_of(view)[0, 0] for view in views])
    light = unit_lights(votes.mean(axis=0))
    spread = np.linalg.norm(votes - light, axis=1).mean()
    if scene.any() and not (scene.max(axis=2) - scene.min(axis=2)).any():
        light = unit_lights(np.ones(3, np.float32))
    if weights is None:
        return light, None
    scene = np.maximum(scene / max(scene.max(), 1e-6), 0)
    means = [(scene**p).mean(axis=(0, 1)) ** (1 / p) for p in NORMS if p < np.inf]
    means = unit_lights(np.array([*means, scene.max(axis=(0, 1))], np.float32))
    distances = np.array([spread, *np.linalg.norm(light - means, axis=1)])
    bias, *factors = weights
    return light, float(1 / (1 + np.exp(-bias - np.log(distances + DOUBT_FLOOR) @ factors)))


def unit_lights(directions: np.ndarray) -> np.ndarray:
    """`estimate.unit_lights` in NumPy."""
    return _unit(np.maximum(_unit(directions), np.float32(FLOOR)))


def _unit(directions):
    squares = np.sum(directions**2, axis=-1, keepdims=True)
    return directions / np.sqrt(np.maximum(squares, np.float32(1e-12)))
