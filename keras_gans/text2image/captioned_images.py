"""Images with captions: the container."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from keras_gans.data.on_disk import OnDisk, subset
from keras_gans.data.order import spread
from keras_gans.errors import InputError
from keras_gans.text2image.captions import count_words

PARTS = ("train", "test")


@dataclass(frozen=True, eq=False)
class CaptionedImages:
    """Images and what was said about them, in two parts.

    Attributes:
        name: what to call the set where its figures are given.
        images: uint8 (N, S, S, 3), sRGB.
        captions: N tuples of str, one or more captions of each image.
        split: str (N,), "train" or "test".
        files: N str, the images' files, relative to the set's folder.
    """

    name: str
    images: np.ndarray | OnDisk
    captions: tuple[tuple[str, ...], ...]
    split: np.ndarray
    files: tuple[str, ...]

    def __len__(self):
        return len(self.images)

    def take(self, selection) -> "CaptionedImages":
        """The images that `selection` (indices or bool (N,)) chooses, with all that is theirs.

        Example: `images.take(images.split == "train")`.
        """
        chosen = np.arange(len(self))[selection]
        taken = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (np.ndarray, OnDisk)):
                taken[field.name] = subset(value, chosen)
            elif isinstance(value, tuple):
                taken[field.name] = tuple(value[i] for i in chosen)
        return dataclasses.replace(self, **taken)

    def sentences(self):
        """All captions of all images, one after the other.

        Returns:
            (captions, owners): list of M str, and int64 (M,), the image of each.
        """
        counts = [len(captions) for captions in self.captions]
        flat = [caption for captions in self.captions for caption in captions]
        return flat, np.repeat(np.arange(len(self)), counts)

    def some_captions(self, count: int) -> tuple[list[str], np.ndarray]:
        """The first captions of at most `count` images, evenly spread, and these images."""
        chosen = self.take(spread(len(self), count))
        return [first for first, *_ in chosen.captions], np.asarray(chosen.images)


def describe(images: CaptionedImages) -> str:
    """One line on a set: its parts, its captions, their words.

    Args:
        images: `CaptionedImages`.
    """
    captions, _ = images.sentences()
    words = count_words(captions)
    size = images.images.shape[1]
    train, test = (np.count_nonzero(images.split == part) for part in PARTS)
    return (
        f"{images.name}: {len(images)} images, {size}x{size}, {train} for training, {test} for "
        f"testing; {len(captions)} captions of {words.total() / len(captions):.1f} words, "
        f"{len(words)} different words"
    )


def checked_caption(text: str, where: str) -> str:
    """A caption of a file, without blanks around it."""
    if not any(map(str.isalnum, text)):
        raise InputError(f"{where}: a caption without a word: write one, or remove the line")
    return text.strip()
