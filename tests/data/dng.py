"""DNG files for tests: a TIFF whose pixels are a mosaic (DNG 1.4)."""

import numpy as np
import tifffile

# of a camera made up: XYZ to its colours, and what a grey card in daylight (D65) gives
TO_CAMERA = np.array([[0.8, -0.2, -0.05], [-0.4, 1.2, 0.2], [-0.05, 0.15, 0.6]])
D65 = np.array([0.9505, 1, 1.0891])
RGGB = (0, 1, 1, 2)


def write_dng(path, light, pattern=RGGB, black=256, white=16383, orientation=1, neutral=None):
    """A DNG of a scene.

    Args:
        path: where to write.
        light: (H, W, 3), the camera's linear colours, 1 is the white level.
        pattern: which colour the four pixels of a square have.
        black, white: levels.
        orientation: EXIF's number.
        neutral: (3,), what the camera took for grey.
    """
    mosaic = np.empty(light.shape[:2])
    for place, channel in enumerate(pattern):
        row, column = divmod(place, 2)
        mosaic[row::2, column::2] = light[row::2, column::2, channel]
    mosaic = np.rint(black + mosaic * (white - black)).astype(np.uint16)
    neutral = TO_CAMERA @ D65 if neutral is None else np.asarray(neutral)
    tags = [
        (271, 2, 0, "Test"), (272, 2, 0, "Camera"), (274, 3, 1, orientation),
        (33421, 3, 2, (2, 2)), (33422, 1, 4, bytes(pattern)),
        (50706, 1, 4, bytes((1, 4, 0, 0))), (50708, 2, 0, "Test Camera"),
        (50714, 4, 1, black), (50717, 4, 1, white),
        (50721, 10, 9, _fractions(TO_CAMERA)), (50728, 5, 3, _fractions(neutral)),
        (50778, 3, 1, 21),
    ]  # fmt: skip
    tifffile.imwrite(
        path, mosaic, photometric=32803, extratags=[(*tag, True) for tag in tags],
        metadata=None, software=False,
    )  # fmt: skip
    return path


def _fractions(values):
    return [part for value in np.ravel(values) for part in (round(value * 10000), 10000)]
