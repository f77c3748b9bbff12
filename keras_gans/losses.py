"""Loss functions: pure, each with its formula and its source."""

import math

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_gans")
def angular_error(illuminants_true, illuminants_pred):
    """Angle in degrees between true and estimated illuminants (DSCNN, eq. 5).

    `180/pi * arccos(<g, p> / (|g| |p|))`, computed as `atan2(|g x p|, <g, p>)`: the same
    angle, with full float32 accuracy near 0 and, unlike arccos, a finite gradient there
    (zero where the vectors are parallel).

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
    parallel = square == 0
    sine = ops.where(parallel, 0.0, ops.sqrt(ops.where(parallel, 1.0, square)))
    cosine = g[0] * p[0] + g[1] * p[1] + g[2] * p[2]
    return ops.arctan2(sine, cosine) * (180 / math.pi)


def log_adversarial(logits, real, weights=None):
    """Cross-entropy of a discriminator's logits (DefectGAN, eq. 1): mean of
    `-log D` for real and `-log(1 - D)` for generated images, `D = sigmoid(logits)`.

    For a generator call it with `real=True` on generated images: the non-saturating loss of
    Goodfellow et al. 2014, which has the fixed points of eq. 1 and steeper slopes.

    Args:
        logits: any shape, one logit an image or patch.
        real: bool, what the discriminator should say.
        weights: of the logits, the same shape; the mean is then a weighted one, and 0 where
            all weights are. By default all count alike.

    Returns:
        scalar; `log 2` for logits of zero.
    """
    return _weighted_mean(ops.softplus(-logits if real else logits), weights)


def least_squares_adversarial(logits, real):
    """Least squares (Mao et al. 2017), CycleGAN's own choice: mean of `(logits - real)^2`.

    Args and returns as for `log_adversarial`; 1 or 0 for logits of zero.
    """
    return ops.mean(ops.square(logits - float(real)))


def euclidean_distance(images, others, weights=None):
    """Euclidean distance of images (text to image, section 4.2: `|O - R|`), mean over images.

    An image's distance is divided by the root of the number of its values, so that it does not
    grow with its size: the root of the mean square. Where two images are equal the gradient is
    zero.

    Args:
        images, others: (..., H, W, C), of shapes that can be broadcast.
        weights: (...), of the images, as in `log_adversarial`.

    Returns:
        scalar; at most 2 for images in [-1, 1].
    """
    square = ops.mean(ops.square(images - others), axis=(-3, -2, -1))
    equal = square == 0
    distances = ops.where(equal, 0.0, ops.sqrt(ops.where(equal, 1.0, square)))
    return _weighted_mean(distances, weights)


def cycle_consistency(images, cycled):
    """Mean absolute difference (CycleGAN's form of DefectGAN's eq. 2; also identity loss).

    Args:
        images: any shape.
        cycled: the same shape, the images after both generators.

    Returns:
        scalar.
    """
    return ops.mean(ops.abs(images - cycled))


def k_plus_one_adversarial(logits, real):
    """Adversarial loss of a classifier of K classes (FR-GAN, eq. 6): mean of `-log D` for
    real and `-log(1 - D)` for generated images, `D = Z / (Z + 1)`, `Z = sum_k exp(l_k)`.

    With the logit of a (K+1)th class, "generated", held at zero, D is one minus that class's
    probability; and D is the sigmoid of `log Z`, so that no exponential overflows. (Eq. 6 as
    printed has `log(1 - D)` for real images too; the algorithm of section 2.2 has it right.)

    Args:
        logits: (..., K).
        real: bool; with `True` on generated images, the generator's loss, non-saturating (the
            paper prints `log(-D)`, which is not defined).

    Returns:
        scalar.
    """
    return log_adversarial(ops.logsumexp(logits, axis=-1), real)


def consistency(logits, others):
    """Squared distance of two predictions for the same images (FR-GAN, eq. 9 without w):
    mean of `|z - z'|^2`, where z is the softmax of the logits.

    Args:
        logits, others: (N, K), from two passes under different noise, dropout and translation.

    Returns:
        scalar in [0, 2].
    """
    difference = ops.softmax(logits, axis=-1) - ops.softmax(others, axis=-1)
    return ops.mean(ops.sum(ops.square(difference), axis=-1))


def feature_matching(features, generated):
    """Squared distance of mean features (Salimans et al. 2016, section 3.1).

    Args:
        features: (N, F), of real images.
        generated: (M, F), of generated ones.

    Returns:
        scalar.
    """
    difference = ops.mean(features, axis=0) - ops.mean(generated, axis=0)
    return ops.mean(ops.square(difference))


def wasserstein(real_scores, generated_scores):
    """Estimate of the Wasserstein distance (Arjovsky et al. 2017): mean score of real images
    minus mean score of generated ones. A critic maximises it: the first two terms of
    OKD-SAGAN's eq. 5 are its negative.

    Args:
        real_scores, generated_scores: any shapes, one score an image.

    Returns:
        scalar.
    """
    return ops.mean(real_scores) - ops.mean(generated_scores)


def gradient_penalty(critic, real, generated, epsilon):
    """Penalty on slopes other than 1 (Gulrajani et al. 2017; OKD-SAGAN, eq. 5 and 8 without
    lambda): mean of `(|grad critic(x)| - 1)^2` at `x = epsilon generated + (1 - epsilon) real`.

    The length of the gradient of one image's score by that image is `sqrt(sum of squares +
    1e-12)`, whose own gradient is finite at 0. So no score may depend on other images: no batch
    normalisation in the critic.

    Args:
        critic: function from images (N, S, S, C) to scores (N, 1).
        real, generated: images (N, S, S, C).
        epsilon: (N, 1, 1, 1), one number an image, uniform in [0, 1).

    Returns:
        scalar, at least float32.
    """
    images = ops.convert_to_tensor(epsilon * generated + (1 - epsilon) * real)
    with tf.GradientTape() as tape:
        tape.watch(images)
        scores = critic(images)
    slopes = tape.gradient(scores, images)
    slopes = ops.cast(slopes, keras.backend.result_type(slopes.dtype, "float32"))
    lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=(1, 2, 3)) + 1e-12)
    return ops.mean(ops.square(lengths - 1))


def _weighted_mean(values, weights):
    if weights is None:
        return ops.mean(values)
    return ops.divide_no_nan(ops.sum(values * weights), ops.sum(weights))
