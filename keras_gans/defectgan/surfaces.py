"""What every loader gives: images of a surface, with and without defects."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from keras_gans.errors import InputError


@dataclass(frozen=True)
class Surfaces:
    """Images of one kind of surface, with labels per image; masks serve evaluation alone.

    Attributes:
        name: the set's, printed beside every figure.
        images: list of N arrays, uint8 (H, W, C); sizes may differ, C is 1 (grey) or 3 (RGB)
            for all.
        defective: bool (N,), the label.
        masks: list of N, bool (H, W) where the defect is; `None` for defect-free images, and
            for defective ones whose mask is missing or empty (they are left out of IoU).
        types: list of N str, the kind of defect; "" for defect-free images.
        train: bool (N,), whether the image is for training or for testing.
        names: list of N str, paths relative to the set's folder.
    """

    name: str
    images: list
    defective: np.ndarray
    masks: list
    types: list
    train: np.ndarray
    names: list

    def __len__(self):
        return len(self.images)

    @property
    def channels(self):
        """1 for grey images, 3 for RGB."""
        return self.images[0].shape[2]

    def take(self, selection):
        """The images that `selection` (indices or bool (N,)) chooses, as `Surfaces`."""
        chosen = np.arange(len(self))[selection]
        return Surfaces(
            self.name,
            [self.images[i] for i in chosen],
            self.defective[chosen],
            [self.masks[i] for i in chosen],
            [self.types[i] for i in chosen],
            self.train[chosen],
            [self.names[i] for i in chosen],
        )

    def with_channels(self, channels):
        """The same surfaces for networks of so many channels: grey is repeated for 3.

        Raises:
            InputError: for colour images and one channel.
        """
        if channels == self.channels:
            return self
        if channels == 1:
            raise InputError(
                f"{self.name}: images in colour, and networks of 1 channel; give --channels 3, "
                "or convert the images to grey"
            )
        images = [np.repeat(image, channels, axis=2) for image in self.images]
        return dataclasses.replace(self, images=images)

    def reduced(self, factor):
        """The same surfaces, images and masks reduced by a whole factor; see `reduced`."""
        if factor == 1:
            return self
        for name, image in zip(self.names, self.images):
            if min(image.shape[:2]) < factor:
                raise InputError(
                    f"{name}: {image.shape[1]}x{image.shape[0]} pixels, too small for --reduce "
                    f"{factor}; leave it out or lower --reduce"
                )
        masks = [
            None if mask is None else reduced(mask[..., None], factor)[..., 0] >= 0.5
            for mask in self.masks
        ]
        return dataclasses.replace(
            self,
            images=[np.rint(reduced(image, factor)).astype(np.uint8) for image in self.images],
            masks=[mask if mask is not None and mask.any() else None for mask in masks],
        )


def reduced(image, factor):
    """Reduces an image by a whole factor: means of squares of pixels.

    What is left over at the bottom and the right is not used.

    Args:
        image: (H, W, C).
        factor: int.

    Returns:
        float64 (H // factor, W // factor, C).
    """
    height, width = (size // factor for size in image.shape[:2])
    squares = image[: height * factor, : width * factor].reshape(
        height, factor, width, factor, -1
    )
    return squares.mean(axis=(1, 3))
