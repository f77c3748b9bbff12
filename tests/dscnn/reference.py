"""What the quick ways of correcting a photo are compared with."""

import numpy as np

from keras_gans.dscnn.strip import gains_of


def correct(image: np.ndarray, illuminant: np.ndarray, keep_white: bool = False) -> np.ndarray:
    """Divides the light out of a photo (von Kries), leaving green as it is.

    Args:
        image: float32 (H, W, 3), linear, in [0, 1].
        illuminant: (3,), positive, of any length.
        keep_white: whether pixels clipped in all channels stay white. They carry no
            colour any more, and divided they would take on the light's complement. It
            fades in over the last tenth below 1.

    Returns:
        float32 (H, W, 3), linear, clipped to [0, 1].
    """
    gains = gains_of(illuminant).astype(np.float32)
    corrected = image * gains
    if keep_white:
        white = np.clip(10 * image.min(axis=-1, keepdims=True) - 9, 0, 1)
        corrected += white * (1 - corrected)
    return np.clip(corrected, 0, 1, out=corrected)
