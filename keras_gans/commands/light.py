"""The light of one photo, by an exported model that is run by LiteRT or TensorFlow."""

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from keras_gans.commands import models
from keras_gans.commands.lite import lite_file, load_lite
from keras_gans.data import raw
from keras_gans.data.encoding import Input
from keras_gans.data.photo import Photo, photo_of
from keras_gans.data.pixels import Rows, as_linear, strips
from keras_gans.data.squares import area_average
from keras_gans.dscnn.lite import MAP_PATCHES, MIN_LIT, NORMS, local_map, scene_light
from keras_gans.dscnn.strip import gains_of
from keras_gans.errors import InputError

BAND_PIXELS = 2**22  # of a large photo, at most this many go through the network at once


Strength = float | Literal["auto"]


def checked_strength(wished: Strength) -> Strength:
    """ "auto", or 0 to 1 (raises `InputError`)."""
    number = isinstance(wished, Real) and 0 <= wished <= 1
    if not (number or isinstance(wished, str) and wished == "auto"):
        raise InputError(f"strength must be auto, or from 0 to 1. Received: {wished!r}")
    return wished


class Found(NamedTuple):
    """What `estimate` gives.

    Attributes:
        illuminant: float64 (3,), unit norm.
        local_map: float64 (h, w, 3), unit norm, NaN where a patch is mostly black and has no
            vote.
        covered: the part of the photo's height and width that the patches of the map cover,
            counted from the upper left.
        confidence: in [0, 1], see `WITHIN`; `None` of a model that does not tell.
    """

    illuminant: np.ndarray
    local_map: np.ndarray
    covered: tuple[float, float]
    confidence: float | None = None


@dataclass(frozen=True)
class WhiteBalance:
    """An exported white-balance model. It is loaded when it is first used.

    Attributes:
        folder: the version's folder.
        patch_size: side of a patch in pixels.
        view: "whole", "native" or the shorter side in pixels: what it is shown.
        lite: the file for LiteRT; `None` for TensorFlow.
        threads: of LiteRT; 0 for all cores.
        weights: of the confidence, see `scene_light`; `None` for a model without.
        sure: the confidence from which on a photo is corrected in full, in proportion below
            it; 0 for always.
    """

    folder: Path
    patch_size: int
    view: str | int
    lite: Path | None = None
    threads: int = 0
    weights: tuple[float, ...] | None = None
    sure: float = 0.0

    @classmethod
    def find(
        cls,
        folder: Path | str | None,
        view: str | int = "model",
        default: str = "dscnn",
        backend: models.Backend = "litert",
    ) -> "WhiteBalance":
        """The model in a folder, see `models.find_model`.

        Args:
            folder: `None` for the model named `default`.
            view: "model" (what it was trained on), "whole", "native" or the shorter side in
                pixels.
            default: name of a model.
            backend: "tensorflow" for the SavedModel even if there is a file for LiteRT.

        Raises:
            InputError: no model there, no or wrong description, a view smaller than a patch.
        """

        def read(description):
            patch = models.number(description, "patch_size", 1, 4096)
            view = description["view"]
            if view not in ("whole", "native"):
                view = models.number(description, "view", patch, 2**20)
            weights = description.get("confidence")
            if weights is not None:
                weights = tuple(float(weight) for weight in weights)
                if len(weights) != 2 + len(NORMS) or not np.isfinite(weights).all():
                    raise ValueError(weights)
            sure = models.number({"sure": 0} | description, "sure", 0, 1, float)
            return patch, view, weights, sure

        folder, (patch, trained_view, weights, sure) = models.find_model(
            folder,
            default,
            "python train_dscnn.py",
            read,
            "patch_size, pixels, and view, whole, native or pixels, are expected",
        )
        view = trained_view if view == "model" else view
        if view not in ("whole", "native") and not (isinstance(view, int) and view >= patch):
            raise InputError(
                f"view is whole, native or pixels, at least {patch} (a patch). Received: {view}"
            )
        lite = lite_file(folder, "-network") if backend == "litert" else None
        return cls(folder, patch, view, lite, weights=weights, sure=sure)

    def strength(self, found: Found, wished: Strength = "auto") -> float:
        """How much of a light to take out: less of one that is unsure, unless told."""
        if checked_strength(wished) != "auto":
            return wished
        doubtful = self.sure and found.confidence is not None
        return min(1.0, found.confidence / self.sure) if doubtful else 1.0

    def of(self, image: np.ndarray, given: Input | None = None) -> tuple[Photo, Found]:
        """A photo and its light.

        Args:
            image, given: see `photo_of`.
        """
        photo = photo_of(image, given)
        if min(photo.shape[:2]) < self.patch_size:
            raise InputError(
                f"a photo is at least {self.patch_size}x{self.patch_size} pixels. "
                f"Received: {photo.shape[1]} x {photo.shape[0]}"
            )
        shown = shown_to(photo, self)
        if is_black(shown):
            raise InputError("a photo is expected that shows light. Received: all black")
        return photo, estimate(shown, self)

    @cached_property
    def local_map(self):
        """Callable, float32 (H, W, 3), linear -> the light of each patch, float32 (h, w, 3)."""
        if self.lite:
            inputs = {"images": ("float32", (1, self.patch_size, self.patch_size, 3))}
            network = load_lite(self.lite, "a DSCNN's", inputs, ["directions"], self.threads)
            return lambda image: local_map(network, image, self.patch_size)
        signature = models.load_signature(
            self.folder,
            "a white-balance",
            inputs={"images": ("float32", (None, None, None, 3))},
            outputs=["local_map"],
            name="native",  # the view is taken here, so that it may be another
        )
        return lambda image: signature(images=image[None])["local_map"][0]

    def __call__(
        self,
        image: np.ndarray,
        given: Input | None = None,
        strength: Strength = "auto",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes the colour of the light out of a photo.

        Args:
            image, given: see `photo_of`.
            strength: see the method.

        Returns:
            (corrected, illuminant): of the photo's kind; and linear RGB of length 1, (3,).
        """
        photo, found = self.of(image, given)
        gains = gains_of(found.illuminant) ** self.strength(found, strength)
        correct, done = photo.corrected(gains), np.empty_like(photo.pixels)
        for rows in strips(photo.shape):
            done[rows] = correct(photo.pixels[rows])
        return done, found.illuminant


def is_black(image: np.ndarray | Rows) -> bool:
    """Whether a photo shows no light at all."""
    return not any(image[rows].any() for rows in strips(image.shape))


def estimate(image: np.ndarray | Rows, estimator: WhiteBalance) -> Found:
    """Estimates the light of one photo.

    Args:
        image: (H, W, 3), of which rows are read as `as_linear` reads them.
        estimator: a `WhiteBalance`. Its view "whole" shows it the scene area-averaged
            into one patch, as the thumbnails it was trained on, mirrored and turned; the map
            is then made of the photo reduced to 4 patches on the shorter side, or to the
            whole patches it holds. Otherwise the estimate is the median of the map. No view
            enlarges. A photo without colour, R = G = B, has a grey light.
    """
    patch, view = estimator.patch_size, estimator.view
    height, width = image.shape[:2]
    shorter = min(height, width)
    if view == "whole":
        scene = as_linear(area_average(image, patch, patch))
        illuminant, confidence = scene_light(estimator.local_map, scene, estimator.weights)
        unit = max(patch, shorter / MAP_PATCHES)  # pixels of the photo a patch stands for
        rows, columns = int(height / unit), int(width / unit)
        image = area_average(image, rows * patch, columns * patch)
        illuminant = illuminant.astype(np.float64)
        illuminant /= np.linalg.norm(illuminant)
        return Found(illuminant, _run(image, estimator)[1], (1.0, 1.0), confidence)
    if view != "native" and view < shorter:
        scale = view / shorter
        image = area_average(image, round(scale * height), round(scale * width))
    illuminant, local_map = _run(image, estimator)
    covered = np.array(local_map.shape[:2]) * patch / image.shape[:2]
    return Found(illuminant, local_map, tuple(covered))


def _run(image, estimator):
    """The model on one image; on a large one in pieces of whole patches, whose maps
    together are the image's."""
    patch = estimator.patch_size
    high = patch * max(1, BAND_PIXELS // (patch * image.shape[1]))
    wide = patch * max(1, BAND_PIXELS // (patch * high))
    bands, votes, coloured = [], [], False
    for top in range(0, image.shape[0] - patch + 1, high):
        band = image[top : top + high]
        maps, lit = [], []
        for left in range(0, image.shape[1] - patch + 1, wide):
            part = as_linear(band[:, left : left + wide])
            coloured = coloured or bool((part != part[..., :1]).any())
            maps.append(estimator.local_map(part).astype(np.float64))
            rows, columns = maps[-1].shape[:2]
            lights = part[: rows * patch, : columns * patch].max(axis=-1) > 0
            lights = lights.reshape(rows, patch, columns, patch)
            lit.append(lights.mean(axis=(1, 3)) >= MIN_LIT)
        bands.append(np.concatenate(maps, axis=1))
        votes.append(np.concatenate(lit, axis=1))
    lights, lit = np.concatenate(bands), np.concatenate(votes)
    lit |= not lit.any()
    illuminant = np.median(lights[lit], axis=0) if coloured else np.ones(3)
    lights[~lit] = np.nan
    return illuminant / np.linalg.norm(illuminant), lights


def shown_to(photo: Photo | raw.Raw, estimator: WhiteBalance) -> np.ndarray | Rows:
    """A photo no larger than `estimate` needs it, so that it is gone through only once.

    For "whole" it has the pixels of the map; those of the one patch are whole parts of it.
    """
    patch, view = estimator.patch_size, estimator.view
    height, width = photo.shape[:2]
    shorter = min(height, width)
    if view == "whole" and shorter >= MAP_PATCHES * patch:
        unit = shorter / MAP_PATCHES
        rows, columns = (patch * int(length / unit) for length in (height, width))
        return photo.averaged(rows, columns)
    if view not in ("whole", "native") and view < shorter:
        return area_average(
            photo, round(view / shorter * height), round(view / shorter * width)
        )
    return photo
