"""Loss functions: pure, each with its formula and its source.

All compute in float32, or float64 if they are given that: what networks of lower precision give
is cast first. In a distributed training, a replica's loss is that of its share of the batch;
the mean over replicas is the loss of the global batch.
"""

import math
from collections.abc import Callable

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas


@keras.saving.register_keras_serializable(package="keras_gans")
def angular_error(illuminants_true: tf.Tensor, illuminants_pred: tf.Tensor) -> tf.Tensor:
    """Angle in degrees between true and estimated illuminants (DSCNN, eq. 5).

    `180/pi * arccos(<g, p> / (|g| |p|))`, computed as `atan2(|g x p|, <g, p>)`. Unlike arccos
    this has full float32 accuracy near 0, and a finite gradient there (zero where the vectors
    are parallel).

    Args:
        illuminants_true: (..., 3), any norm but zero.
        illuminants_pred: (..., 3), any norm but zero.

    Returns:
        (...), degrees in [0, 180].
    """
    g = ops.unstack(ops.cast(illuminants_true, "float32"), axis=-1)
    p = ops.unstack(ops.cast(illuminants_pred, "float32"), axis=-1)
    square = (
        ops.square(g[1] * p[2] - g[2] * p[1])
        + ops.square(g[2] * p[0] - g[0] * p[2])
        + ops.square(g[0] * p[1] - g[1] * p[0])
    )
    sine = _root(square)
    cosine = g[0] * p[0] + g[1] * p[1] + g[2] * p[2]
    return ops.arctan2(sine, cosine) * (180 / math.pi)


def log_adversarial(
    logits: tf.Tensor, real: bool, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Cross-entropy of a discriminator's logits (DefectGAN, eq. 1).

    Mean of `-log D` for real and `-log(1 - D)` for generated images, `D = sigmoid(logits)`. A
    generator's loss has `real=True` on generated images: the non-saturating loss of Goodfellow
    et al. 2014, with the fixed points of eq. 1 and steeper slopes.

    Args:
        logits: any shape, one logit an image or patch.
        real: what the discriminator should say.
        weights: of the logits, same shape, for a weighted mean (0 if all weights are 0).

    Returns:
        scalar; `log 2` for logits of zero.
    """
    logits = _exact(logits)
    return _weighted_mean(ops.softplus(-logits if real else logits), weights)


def least_squares_adversarial(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Least squares (Mao et al. 2017), as in CycleGAN: mean of `(logits - real)^2`.

    Arguments as for `log_adversarial`. Scalar; 1 or 0 for logits of zero.
    """
    return ops.mean(ops.square(_exact(logits) - float(real)))


def euclidean_distance(
    images: tf.Tensor, others: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean Euclidean distance of images (text to image, section 4.2: `|O - R|`).

    Each distance is divided by the root of the number of values in an image: the root of the
    mean square. The gradient is zero where two images are equal.

    Args:
        images, others: (..., H, W, C), of shapes that can be broadcast.
        weights: (...), of the images, as in `log_adversarial`.

    Returns:
        scalar; at most 2 for images in [-1, 1].
    """
    difference = _exact(images) - _exact(others)
    square = ops.mean(ops.square(difference), axis=(-3, -2, -1))
    return _weighted_mean(_root(square), weights)


def cycle_consistency(images: tf.Tensor, cycled: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference (DefectGAN, eq. 2 in CycleGAN's form); also the identity loss.

    Args:
        images: any shape.
        cycled: same shape, the images after both generators.

    Returns:
        scalar.
    """
    return ops.mean(ops.abs(_exact(images) - _exact(cycled)))


def k_plus_one_adversarial(logits: tf.Tensor, real: bool) -> tf.Tensor:
    """Adversarial loss of a classifier of K classes (FR-GAN, eq. 6).

    Mean of `-log D` for real and `-log(1 - D)` for generated images, `D = Z / (Z + 1)`,
    `Z = sum_k exp(l_k)`. With the logit of a (K+1)th class, "generated", held at zero, D is one
    minus that class's probability. D is the sigmoid of `log Z`, so no exponential overflows.
    Eq. 6 as printed has `log(1 - D)` for real images too, unlike the algorithm of section 2.2.

    Args:
        logits: (..., K).
        real: `True` on generated images is the generator's non-saturating loss; the paper
            prints `log(-D)`, which is undefined.

    Returns:
        scalar.
    """
    return log_adversarial(ops.logsumexp(_exact(logits), axis=-1), real)


def consistency(logits: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Squared distance of two predictions for the same images (FR-GAN, eq. 9 without w).

    Mean of `|z - z'|^2`, where z is the softmax of the logits.

    Args:
        logits, others: (N, K), from two passes under different noise, dropout and translation.

    Returns:
        scalar in [0, 2].
    """
    logits, others = _exact(logits), _exact(others)
    difference = ops.softmax(logits, axis=-1) - ops.softmax(others, axis=-1)
    return ops.mean(ops.sum(ops.square(difference), axis=-1))


def feature_matching(features: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of mean features (Salimans et al. 2016, section 3.1).

    Args:
        features: (N, F), of real images.
        generated: (M, F), of generated images.

    Returns:
        scalar.
    """
    difference = ops.mean(_exact(features), axis=0) - ops.mean(_exact(generated), axis=0)
    return ops.mean(ops.square(replicas.mean(difference)))


def wasserstein(real_scores: tf.Tensor, generated_scores: tf.Tensor) -> tf.Tensor:
    """Estimate of the Wasserstein distance (Arjovsky et al. 2017).

    Mean score of real images minus mean score of generated ones, of any shapes: a scalar. A
    critic maximises it; the first two terms of OKD-SAGAN's eq. 5 are its negative.
    """
    return ops.mean(_exact(real_scores)) - ops.mean(_exact(generated_scores))


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor],
    real: tf.Tensor,
    generated: tf.Tensor,
    epsilon: tf.Tensor,
) -> tf.Tensor:
    """Penalty on slopes other than 1 (Gulrajani et al. 2017; OKD-SAGAN, eq. 5 and 8).

    Mean of `(|grad critic(x)| - 1)^2` at `x = epsilon generated + (1 - epsilon) real`, without
    lambda. The length is `sqrt(sum of squares + 1e-12)`, whose gradient is finite at 0. A score
    must depend on its own image alone: no batch normalisation in the critic.

    Args:
        critic: function from images (N, S, S, C) to scores (N, 1).
        real, generated: images (N, S, S, C).
        epsilon: (N, 1, 1, 1), uniform in [0, 1).

    Returns:
        scalar, at least float32.
    """
    images = ops.convert_to_tensor(epsilon * generated + (1 - epsilon) * real)
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = critic(images)
    slopes = _exact(tape.gradient(scores, images))
    lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)) + 1e-12)
    return ops.mean(ops.square(lengths - 1))


def _exact(values):
    """In at least float32."""
    values = ops.convert_to_tensor(values)
    return ops.cast(values, keras.backend.result_type(values.dtype, "float32"))


def _root(square):
    """Square root with gradient 0 at 0."""
    zero = square == 0
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, square)))


def _weighted_mean(values, weights):
    if weights is None:
        return ops.mean(values)
    return ops.divide_no_nan(ops.sum(values * weights), replicas.mean(ops.sum(weights)))
