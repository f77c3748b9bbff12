"""What the page does with pictures, without the page."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.commands import classify as classes
from keras_gans.commands import detect as defects
from keras_gans.commands import draw as sentences
from keras_gans.commands import generate as made
from keras_gans.commands import white_balance as balance
from keras_gans.commands.load import load
from keras_gans.data.photo import photo_of
from keras_gans.data.squares import read_levels
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.defectgan.detection import mask_of
from keras_gans.dscnn.strip import draw_map
from keras_gans.errors import InputError
from keras_gans.report.pictures import grid

PREVIEW = 1280  # pixels: longest side of a picture on the page, at most
LEAST = 480  # and at least: smaller ones are enlarged
COUNT = 100  # images that the page makes at a time, at most

model = functools.cache(load)


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A small picture (H, W) or (H, W, C), its pixels repeated."""
    times = max(1, LEAST // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


# White balance ----------------------------------------------------------------------------


def white_balance(path: Path, out: Path) -> tuple[np.ndarray, np.ndarray, Image.Image, dict]:
    """Corrects a photo as `keras-gans white-balance` does, and writes the same files.

    Args:
        path: of the photo.
        out: folder of the results.

    Returns:
        (before, after, local map, row): what the page shows, uint8 sRGB of at most `PREVIEW`
        pixels a side; row: see `balance.white_balance`.

    Raises:
        InputError: the photo or the model cannot be used.
    """
    estimator = model(balance.MODELS[balance.kind_of(path)])
    photo = balance.open_file(path)
    found = balance.estimate_file(path, photo, estimator)
    [targets] = balance.output_paths([path], out)
    raw = photo.encoding.kind == "raw"
    before = _small(photo_of(photo.developed(), "linear") if raw else photo)
    strength = estimator.strength(found)
    row = balance.correct_file(path, photo, targets, estimator, found, strength)
    after, exposure = _small(balance.open_file(targets[0])), 1
    if row["kind"] == "linear":  # these are brightened
        exposure = np.float32(0.9 / max(float(np.percentile(after, 99)), 1e-4))
    before, after = (
        quantize(linear_to_srgb(each * exposure), np.uint8) for each in (before, after)
    )
    local_map = draw_map(*found[1:3], (after.shape[1], after.shape[0]))
    return before, after, local_map, row


def told(row: dict) -> str:
    """What a photo was taken for, and why, as the page says it."""
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in row["notes"])
    return f"Taken for {row['encoding']}, by {row['told_by']}.{notes}"


def _small(photo):
    """float32 (h, w, 3), linear, of at most `PREVIEW` pixels a side."""
    height, width = photo.shape[:2]
    scale = min(1, PREVIEW / max(height, width))
    return photo.averaged(*(max(1, round(side * scale)) for side in (height, width)))


# Defects ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surface:
    """An image and how it differs from what the model makes of it.

    Attributes:
        image: uint8 (H, W, C).
        difference: float32 (H, W), grey levels.
        detector: whose model that is.
    """

    image: np.ndarray
    difference: np.ndarray
    detector: defects.Detector

    def found(self, threshold: float) -> tuple[np.ndarray, list]:
        """The defects, if an image whose score is above a threshold has some.

        Args:
            threshold: grey levels. The model's own, `detector.limit`, gives what
                `keras-gans detect` gives; all its thresholds are scaled alike.

        Returns:
            (mask, boxes): bool (H, W); see `defects.keep_large`.
        """
        limit = self.detector.limit
        if self.difference.max() <= threshold:
            return np.zeros(self.difference.shape, bool), []
        own = self.detector.calibration
        scale = 1 if threshold == limit else threshold / max(limit, 1e-6)
        scaled = {name: min(getattr(own, name) * scale, 255) for name in ("threshold", "peak")}
        return defects.keep_large(mask_of(self.difference, replace(own, **scaled)), 1)

    def overlay(self, threshold: float) -> np.ndarray:
        """The image with its defects outlined, uint8 (H, W, 3); small ones are enlarged."""
        image = self.image.repeat(3 // self.image.shape[2], axis=2)
        return defects.draw_overlay(enlarged(image), enlarged(self.found(threshold)[0]))

    def histogram(self, threshold: float) -> np.ndarray:
        """Draws how many pixels have which difference, those above the threshold in red.

        Counts are drawn by their logarithm: uint8 (height, width, 3).
        """
        width, height, bins = 960, 200, 80
        edges = np.linspace(0, self.top, bins + 1)
        counts, _ = np.histogram(np.minimum(self.difference, self.top), edges)
        tall = np.log1p(counts) / np.log1p(counts.max())
        page = np.full((height, width, 3), 255, np.uint8)
        for number, share in enumerate(tall):
            left, right = number * width // bins, (number + 1) * width // bins - 2
            bar = (220, 60, 50) if edges[number] >= threshold else (160, 165, 175)
            page[height - round(share * (height - 8)) :, left:right] = bar
        line = min(round(threshold / self.top * width), width - 3)
        page[:, line : line + 3] = 40
        return page

    @property
    def top(self) -> float:
        """Where the histogram ends, and the slider: grey levels."""
        return float(np.ceil(1.2 * max(self.difference.max(), self.detector.limit, 1)))


def surface(path: Path) -> Surface:
    """Looks at an image of a surface (raises `InputError`)."""
    detector = model(defects.MODEL)
    image = defects.open_image(path, detector.channels)[:]
    if image.shape[0] * image.shape[1] > defects.PIECE**2:
        raise InputError(
            f"{path}: {image.shape[1]} x {image.shape[0]} pixels, too large for the page: "
            "use `keras-gans detect`"
        )
    return Surface(image, detector.signature(images=image[None])["difference"][0], detector)


# The others -------------------------------------------------------------------------------


def classify(path: Path) -> tuple[np.ndarray, dict[str, float]]:
    """Tells what is on an image: (the image, uint8 (H, W, 3), class -> probability)."""
    image, classifier = read_levels(path), model(classes.MODEL)
    [probabilities] = classifier(image[None])[1]
    return enlarged(image), dict(zip(classifier.classes, map(float, probabilities)))


def generate(count: int, seed: int, label: str | None = None) -> np.ndarray:
    """Makes images, as a grid: uint8 (H, W, 3). Raises `InputError`."""
    if not 1 <= count <= COUNT:
        raise InputError(f"the page makes 1 to {COUNT} images. Received: {count}")
    images = model(made.MODEL)(int(count), int(seed), label)
    return grid(images, columns=int(np.ceil(np.sqrt(count))))


def draw(sentence: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Draws a sentence.

    Returns:
        (picture, strip, notes): uint8 (S, S, 3); word by word, see `sentences.word_strip`;
        what there is to say of its words.

    Raises:
        InputError: it cannot be drawn.
    """
    [(place, text)] = sentences.read_sentences([sentence])
    drawer = model(sentences.MODEL)
    drawn = {name: values[0] for name, values in drawer.words([text]).items()}
    notes = sentences.check_words(place, drawn, drawer)
    return enlarged(drawn["images"]), sentences.word_strip(drawn, 96), notes
