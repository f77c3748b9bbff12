"""Do samples merely repeat training crops, and how various are they?"""

import numpy as np
from scipy import ndimage
from scipy.spatial import distance

from keras_gans.data.on_disk import OnDisk

CHECKED = 1000  # samples, or real crops, that are looked at
NEARER = 0.01  # share of real crops that are as near to another photo's crop
SIDE = 32  # of the reduced images that are compared
IMAGES, CROPS = 40, 2000  # compared at once; bounds the memory


class AndMirrored:
    """Crops, and then the same mirrored left to right, as `nearest_crops` takes them.

    Args:
        crops: uint8 (M, S, S, C).
    """

    def __init__(self, crops: np.ndarray | OnDisk):
        self.crops = crops

    def __len__(self):
        return 2 * len(self.crops)

    def __getitem__(self, chosen):
        places = np.arange(len(self))[chosen]
        mirrored = places >= len(self.crops)
        found = self.crops[places % len(self.crops)]
        found[mirrored] = found[mirrored][:, :, ::-1]
        return found


def nearest_crops(
    images: np.ndarray,
    crops: np.ndarray,
    photos: np.ndarray | None = None,
    crop_photos: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds for each image the crop that looks most like it, wherever it has moved a little.

    Images are made grey, smoothed with a deviation of 1/32 of their side, reduced to 32x32, and
    compared by their correlation, the most of all shifts by up to 1/16 of the side. So neither
    brightness, contrast and colour nor grain and sharpness count, only what is to be seen.

    Args:
        images: uint8 (N, S, S, C), S a power of two from 16.
        crops: uint8 (M, S, S, C).
        photos, crop_photos: int (N,) and (M,), which photo each is of: images are not compared
            with crops of their own photo. `None` to compare all.

    Returns:
        correlations float32 (N,), -1 to 1; and int (N,), the indices of the crops.
    """
    side = min(SIDE, images.shape[1])
    reach = side // 16
    middles = _normalised(
        np.concatenate(
            [
                _reduced(crops[start : start + CROPS], side)[:, reach:-reach, reach:-reach]
                for start in range(0, len(crops), CROPS)
            ]
        )
    )
    highest = np.full(len(images), -np.inf, np.float32)
    indices = np.zeros(len(images), np.int64)
    for start in range(0, len(images), IMAGES):
        part = slice(start, start + IMAGES)
        moved = _normalised(_shifted(_reduced(images[part], side), reach))
        count = len(images[part])
        for first in range(0, len(crops), CROPS):
            some = slice(first, first + CROPS)
            found = (moved @ middles[some].T).reshape(count, -1, len(middles[some])).max(axis=1)
            if photos is not None:
                found[photos[part, None] == crop_photos[some]] = -np.inf
            index = found.argmax(axis=1)
            value = found[np.arange(count), index]
            higher = value > highest[part]
            highest[part] = np.where(higher, value, highest[part])
            indices[part] = np.where(higher, first + index, indices[part])
    return highest, indices


def copy_threshold(crops: np.ndarray, sources: tuple, seed: int = 0) -> float | None:
    """The correlation from which an image counts as a near-copy of a crop.

    So near to some crop of another photo are only 1 % of the real crops. Those of the same
    photo do not count: they may overlap. A generator that has learned what there is to see, but
    no crop by heart, makes about as many near-copies as a new photo has.

    Args:
        crops: uint8 (M, S, S, C).
        sources: the photo that each is of.
        seed: int; of more than 1000 crops so many are drawn.

    Returns:
        float; `None` if all crops are of one photo.
    """
    photos = np.unique(np.asarray(sources), return_inverse=True)[1]
    if not photos.any():
        return None
    drawn = np.random.default_rng(seed).permutation(len(crops))[:CHECKED]
    correlations, _ = nearest_crops(crops[drawn], crops, photos[drawn], photos)
    return float(np.quantile(correlations, 1 - NEARER))


def pairwise_distance(features: np.ndarray) -> float:
    """The mean Euclidean distance of two vectors of a set, features (N, D), N at least 2."""
    return float(distance.pdist(np.asarray(features, np.float64)).mean())


def diversity(features: np.ndarray, real: np.ndarray, seed: int = 0) -> float:
    """How various images are, relative to real crops: 1 is as various, 0 all alike.

    Args:
        features: of the images, (N, D).
        real: of the real crops, (M, D); of more than 1000 so many are drawn.
        seed: int, of that draw.

    Returns:
        float: the mean distance of two images in the features, divided by that of two crops.
    """
    drawn = np.random.default_rng(seed).permutation(len(real))[:CHECKED]
    whole = pairwise_distance(real[drawn])
    return pairwise_distance(features) / whole if whole else float("nan")


def _reduced(images, side):
    """Smoothed grey levels, float32 (N, side, side)."""
    grey = images.mean(axis=3, dtype=np.float32)
    smooth = images.shape[1] / 32
    grey = ndimage.gaussian_filter(grey, (0, smooth, smooth), mode="nearest")
    return grey.reshape(len(grey), side, -1, side, grey.shape[2] // side).mean(axis=(2, 4))


def _shifted(images, reach):
    """All windows that are `reach` pixels smaller at each side, (N x (2 reach + 1)^2, ...)."""
    size = images.shape[1] - 2 * reach
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows.reshape(-1, size, size)


def _normalised(images):
    """Vectors (N, P) of mean 0 and length 1; those of flat images are shorter."""
    vectors = images.reshape(len(images), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 0.5 * np.sqrt(vectors.shape[1]))  # half a grey level
