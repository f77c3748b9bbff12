"""The sRGB curve."""

import numpy as np


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    """Undoes the sRGB curve (IEC 61966-2-1): v / 12.92 up to 0.04045, else
    ((v + 0.055) / 1.055)^2.4.

    Args:
        values: array of sRGB-encoded values, clipped to [0, 1].

    Returns:
        float32 array of the same shape, in [0, 1].
    """
    values = np.clip(values, 0, 1)
    curve = ((values + 0.055) / 1.055) ** 2.4
    return np.where(values <= 0.04045, values / 12.92, curve).astype(np.float32)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    """Applies the sRGB curve (IEC 61966-2-1): 12.92 v up to 0.0031308, else
    1.055 v^(1/2.4) - 0.055.

    Args:
        values: array of linear values, clipped to [0, 1].

    Returns:
        float32 array of the same shape, in [0, 1].
    """
    values = np.clip(values, 0, 1)
    curve = 1.055 * values ** (1 / 2.4) - 0.055
    return np.where(values <= 0.0031308, 12.92 * values, curve).astype(np.float32)
