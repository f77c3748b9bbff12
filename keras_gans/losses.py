"""Loss functions: pure, each with its formula and its source."""

import math

import keras
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


def log_adversarial(logits, real):
    """Cross-entropy of a discriminator's logits (DefectGAN, eq. 1): mean of
    `-log D` for real and `-log(1 - D)` for generated images, `D = sigmoid(logits)`.

    For a generator call it with `real=True` on generated images: the non-saturating loss of
    Goodfellow et al. 2014, which has the fixed points of eq. 1 and steeper slopes.

    Args:
        logits: any shape, one logit an image or patch.
        real: bool, what the discriminator should say.

    Returns:
        scalar; `log 2` for logits of zero.
    """
    return ops.mean(ops.softplus(-logits if real else logits))


def least_squares_adversarial(logits, real):
    """Least squares (Mao et al. 2017), CycleGAN's own choice: mean of `(logits - real)^2`.

    Args and returns as for `log_adversarial`; 1 or 0 for logits of zero.
    """
    return ops.mean(ops.square(logits - float(real)))


def cycle_consistency(images, cycled):
    """Mean absolute difference (CycleGAN's form of DefectGAN's eq. 2; also identity loss).

    Args:
        images: any shape.
        cycled: the same shape, the images after both generators.

    Returns:
        scalar.
    """
    return ops.mean(ops.abs(images - cycled))
