"""Images in classes, of which few labels may be used."""

from dataclasses import dataclass

import numpy as np

from keras_gans.data.on_disk import OnDisk, subset
from keras_gans.errors import InputError


@dataclass(frozen=True)
class LabelledImages:
    """A set of images in two parts. Not all labels of the first are known.

    Attributes:
        name: what to call the set where its figures are given.
        classes: the names of the K classes, tuple of str.
        train_images: uint8 (N, S, S, 3), sRGB.
        train_labels: int64 (N,), 0 to K - 1, and -1 where it is unknown.
        test_images: uint8 (M, S, S, 3).
        test_labels: int64 (M,), 0 to K - 1.
    """

    name: str
    classes: tuple[str, ...]
    train_images: np.ndarray | OnDisk
    train_labels: np.ndarray
    test_images: np.ndarray | OnDisk
    test_labels: np.ndarray

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels to test on."""
        return self.test_images, self.test_labels

    @property
    def contrast(self) -> float:
        """Mean standard deviation of one training image in [-1, 1] (of 10,000 at most)."""
        images = self.train_images
        some = subset(images, slice(None, None, len(images) // 10_000 + 1))
        return float(np.mean([image.std() for image in some])) / 127.5


def draw_labelled(
    labels: np.ndarray, count: int | None, classes: tuple[str, ...], seed: int
) -> np.ndarray:
    """Chooses the images whose labels are used: the same number of every class.

    Where `count` is no multiple of the number of classes, the first ones have one more. A
    draw holds all smaller draws of the same seed.

    Args:
        labels: int64 (N,), -1 where unknown.
        count: labels wanted; `None` for all there are.
        classes: names of the classes.
        seed: int, not negative; the choice is a function of (labels, count, seed).

    Returns:
        int64 (count,), indices into `labels`, ascending.

    Raises:
        InputError: a class with fewer labelled images than that, or with none; fewer labels
            than classes.
    """
    labels = np.asarray(labels)
    if count is not None and count < len(classes):
        raise InputError(
            f"{count} labels for {len(classes)} classes: ask for at least one of each class"
        )
    chosen = []
    for label, name in enumerate(classes):
        members = np.flatnonzero(labels == label)
        wanted = len(members)
        if count is not None:
            wanted = count // len(classes) + (label < count % len(classes))
        if not len(members):
            raise InputError(f"class {name}: no labelled images: add some")
        if wanted > len(members):
            raise InputError(
                f"class {name}: {wanted} labelled images asked for, there are {len(members)}: "
                "ask for fewer labels or add images"
            )
        rng = np.random.default_rng([seed, label])
        chosen.append(rng.permutation(members)[:wanted])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def wrong_labels(
    labels: np.ndarray, share: float, classes: tuple[str, ...], seed: int
) -> np.ndarray:
    """Replaces some of the labels by wrong ones, to see what they do (the paper's figure 4).

    Which images are hit, and what they are called instead, is random; each of the other
    classes is equally likely. A larger share hits all images that a smaller one hits.

    Args:
        labels: int64 (N,); -1 stays.
        share: of the known labels, the part to replace, 0 to 1.
        classes: names of the classes, at least two.
        seed: int, not negative.

    Returns:
        int64 (N,); exactly `round(share n)` of n known labels are others than before.

    Raises:
        InputError: share outside 0 to 1.
    """
    if not 0 <= share <= 1:
        raise InputError(f"the share of wrong labels is 0 to 1. Received: {share}")
    labels = np.array(labels, np.int64)
    known = np.flatnonzero(labels >= 0)
    rng = np.random.default_rng([seed, 1])
    hit = rng.permutation(known)[: round(share * len(known))]
    shifts = rng.integers(1, len(classes), size=len(known))[: len(hit)]
    labels[hit] = (labels[hit] + shifts) % len(classes)
    return labels


def describe(images: LabelledImages, labelled_count: int) -> str:
    """One line on a set: its classes, and the images of both parts.

    Args:
        images: `LabelledImages`.
        labelled_count: how many labels of the training images are used.
    """
    names = images.classes
    shown = ", ".join(names if len(names) <= 12 else (*names[:9], "...", names[-1]))
    size = images.train_images.shape[1]
    unlabelled = len(images.train_images) - labelled_count
    return (
        f"{images.name}: {len(names)} classes ({shown}), {size}x{size}; "
        f"training {labelled_count} labelled + {unlabelled} unlabelled, "
        f"testing {len(images.test_images)}"
    )
