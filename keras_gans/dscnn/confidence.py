"""How sure an estimate is: the chance that it lies within 3 degrees of the light (ours).

An estimate is doubtful where the mirrored and turned views of a scene disagree, and where it
is far from what simple statistics of the scene say. A logistic function of these distances,
fitted on scenes that training did not see, turns them into a chance.
"""

import itertools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gans.dscnn.estimate import gains_of, grey_for_grey, unit_lights, votes_of
from keras_gans.dscnn.lite import DOUBT_FLOOR, NORMS, WITHIN
from keras_gans.metrics.angular import angular_errors

HARM = 4.0  # degrees


def scene_estimate(
    network: keras.Model, weights: Sequence[float] | None = None, sure: float = 0.0
) -> Callable:
    """The light of scenes averaged into one patch, and how sure it is.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        weights: of the confidence; `None` for none.
        sure: the confidence from which on a scene is corrected in full; below it the gains
            are raised to the power of confidence / sure. 0 for always.

    Returns:
        function of scenes float32 (N, S, S, 3), linear, to a dict of `illuminant`, float32
        (N, 3) of unit norm, the mean of all views; `gains`, (N, 3), which correct linear
        RGB; and `confidence`, (N,).
    """

    def run(scenes):
        light, spread = scene_votes(network, scenes)
        gains = gains_of(light)
        if weights is None:
            return {"illuminant": light, "gains": gains}
        sureness = confidence(doubts(scenes, light, spread), weights)
        if sure:
            gains **= tf.minimum(sureness / sure, 1)[:, None]
        return {"illuminant": light, "gains": gains, "confidence": sureness}

    return run


def scene_votes(network: keras.Model, scenes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What `estimate` says of scenes of one patch: (illuminants (N, 3), spread (N,))."""
    votes, spread = votes_of(network, scenes, turned=True)
    return unit_lights(grey_for_grey(scenes, votes)), spread


def estimate_scenes(
    network: keras.Model, scenes: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(illuminants (N, 3), unit norm, `doubts` (N, D)) of scenes of one patch each."""
    size = network.input_shape[1]

    @tf.function(
        input_signature=[tf.TensorSpec([None, size, size, 3], tf.float32)], autograph=False
    )
    def run(scenes):
        light, spread = scene_votes(network, scenes)
        return light, doubts(scenes, light, spread)

    cut = (scenes[i][:size, :size] for i in range(len(scenes)))
    stacked = (np.stack(batch) for batch in iter(lambda: list(itertools.islice(cut, 64)), []))
    lights, found = zip(*(run(batch) for batch in stacked))
    return np.concatenate(lights), np.concatenate(found)


def doubts(scenes: tf.Tensor, illuminants: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """What makes estimates doubtful, each the log of a distance.

    Args:
        scenes: float32 (N, S, S, 3), linear, each averaged into one patch.
        illuminants: float32 (N, 3), unit norm, estimated from all views.
        spread: float32 (N,), of the views, see `estimate`.

    Returns:
        float32 (N, 1 + len(NORMS)): the spread, and the distances from the Minkowski norms of
        the channels: grey-world, shades-of-grey and white-patch.
    """
    distances = [spread]
    for norm in NORMS:
        distances.append(tf.norm(illuminants - minkowski(scenes, norm), axis=1))
    return tf.math.log(tf.stack(distances, axis=1) + DOUBT_FLOOR)


def minkowski(scenes: tf.Tensor, norm: float) -> tf.Tensor:
    """Lights (N, 3), unit norm, of scenes (N, H, W, 3): a Minkowski norm of each channel."""
    peak = tf.maximum(tf.reduce_max(scenes, axis=[1, 2, 3], keepdims=True), 1e-6)
    scenes = tf.maximum(scenes / peak, 0)
    if norm == np.inf:
        return unit_lights(tf.reduce_max(scenes, axis=[1, 2]))
    return unit_lights(tf.reduce_mean(scenes**norm, axis=[1, 2]) ** (1 / norm))


def confidence(doubts: tf.Tensor, weights: Sequence[float]) -> tf.Tensor:
    """Confidences float32 (N,), in [0, 1], from `doubts` (N, D) and weights (1 + D)."""
    bias, *factors = weights
    return tf.sigmoid(bias + tf.linalg.matvec(doubts, tf.constant(factors, tf.float32)))


def fit(doubts: np.ndarray, errors: np.ndarray) -> list[float]:
    """Weights of `confidence`, fitted on scenes that the network was not trained on.

    Args:
        doubts: (N, D), see `doubts`.
        errors: (N,), angular errors in degrees.

    Returns:
        list of 1 + D floats.
    """
    from sklearn.linear_model import LogisticRegression

    right = errors < WITHIN
    if right.all() or not right.any():  # a handful of scenes: nothing to tell apart
        share = (right.sum() + 1) / (len(right) + 2)
        return [float(np.log(share / (1 - share)))] + [0.0] * doubts.shape[1]
    model = LogisticRegression().fit(doubts, right)
    return [float(model.intercept_[0]), *map(float, model.coef_[0])]


def fit_sure(illuminants: np.ndarray, truths: np.ndarray, confidences: np.ndarray) -> float:
    """The confidence below which less of a light is taken out of a finished photo.

    Lights are raised to the power of confidence / sure, at most 1. The smallest sure is taken
    with which of the photos that were right already 95 % move by no more than `HARM`.

    Args:
        illuminants, truths: (N, 3), unit norm, of photos that the network was not trained on.
        confidences: (N,).
    """
    white = np.full_like(truths, 3**-0.5)
    right = angular_errors(truths, white) < 0.1
    if not right.any():
        return 0.0

    def moved(sure):
        strength = np.minimum(confidences / sure, 1)[:, None]
        return np.percentile(angular_errors(white, illuminants**strength)[right], 95)

    choices = np.linspace(0.02, 1, 50)
    return next((float(sure) for sure in choices if moved(sure) <= HARM), 1.0)


def crossed(doubts: np.ndarray, errors: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Confidences (N,) of held-out scenes, those of each part by weights of the other parts.

    Where there is one part alone, by its halves.
    """
    result = np.zeros(len(parts))
    for mine in _each_part(parts):
        weights = fit(doubts[~mine], errors[~mine])
        result[mine] = confidence(tf.constant(doubts[mine]), weights).numpy()
    return result


def _each_part(parts):
    """Masks of the parts, or of two halves if there is only one."""
    if len(np.unique(parts)) < 2:
        parts = np.arange(len(parts)) % 2
    return [parts == part for part in np.unique(parts)]


def chosen(errors_by_method: dict, confidences: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Errors (N,) of DSCNN, or of one statistical method where DSCNN is unsure.

    Which method, and below which confidence, is chosen for each part on the other parts.

    Args:
        errors_by_method: dict method -> (N,), "DSCNN" the first of them.
        confidences: (N,), of DSCNN.
        parts: (N,), the part that each scene was held out with.
    """
    ours, *others = errors_by_method.values()
    result = np.zeros(len(ours))
    for mine in _each_part(parts):
        known = ~mine
        limits = np.quantile(confidences[known], np.linspace(0, 1, 21))
        limit, other = min(
            ((limit, other) for limit in limits for other in others),
            key=lambda each: np.where(confidences < each[0], each[1], ours)[known].mean(),
        )
        result[mine] = np.where(confidences < limit, other, ours)[mine]
    return result


def by_tenth(confidences: np.ndarray, errors: np.ndarray) -> list[dict]:
    """Mean error by tenth of confidence, the least sure scenes first: list of dicts."""
    parts = np.array_split(np.argsort(confidences, kind="stable"), 10)
    return [
        {
            "tenth": number,
            "confidence": float(confidences[part].mean()),
            "within": float((errors[part] < WITHIN).mean()),
            "mean": float(errors[part].mean()),
        }
        for number, part in enumerate(parts, 1)
        if len(part)
    ]
