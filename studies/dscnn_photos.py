"""Ordinary photos whose cast was there before they were saved: errors in degrees.

    python -m studies.dscnn_photos --data DIR [DIR ...]

The held-out photos of each set (the last fifth, by name) are rendered as for training
(`keras_gans.dscnn.rendering`), whole, and saved once as JPEG with 4:2:0 colour. The exported
model, the grey-world family and, where it is installed, OpenCV's three balancers (package
opencv-contrib-python-headless) look at the same files.
"""

from keras_gans.program import command_line, report_input_errors

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from keras_gans.training.settings import Within


@dataclass(frozen=True)
class PhotoStudyConfig:
    """Measures the model for finished photos beside formulas and OpenCV's balancers."""

    data: tuple[Path, ...]
    """What the model was trained with: folders of well-balanced photos, and camera scenes
    as .npz, whose last fold is held out."""
    model: Path | None = None
    """The model's folder; by default saved_models/dscnn-photos."""
    photos: Annotated[int, Within(10, 10**6)] = 300
    """At most so many of each folder; a third of them in the tables by quality and size."""
    seed: Annotated[int, Within(0, 2**31 - 1)] = 0

    def preset(self) -> dict:
        """No other defaults."""
        return {}

    def check(self) -> None:
        """All that is read is checked when it is read."""


if __name__ == "__main__":  # before what takes seconds is imported
    config = command_line(PhotoStudyConfig)

import numpy as np
import pandas as pd

from keras_gans.commands.light import WhiteBalance, estimate
from keras_gans.data.folders import in_threads
from keras_gans.data.order import spread
from keras_gans.data.srgb import srgb_to_linear
from keras_gans.dscnn.photo_casts import HELD_OUT, sources_of, thumbnail
from keras_gans.dscnn.rendering import draw_cast, save
from keras_gans.dscnn.report import error_table, show_frame
from keras_gans.dscnn.statistical import estimate_all
from keras_gans.metrics.angular import angular_errors

OPENCV = ("SimpleWB", "GrayworldWB", "LearningBasedWB")
QUALITIES, SIDES = (60, 75, 85, 95), (96, 256, 640, 2000)
SMALLEST, LARGEST = 96, 2000  # pixels of the shorter side
WHITE = np.full(3, 3**-0.5)


def held_out_pictures(paths, count):
    """(set's name, `Source`, picture) of the held-out pictures, spread by name."""
    pictures = []
    for path in paths:
        sources = [each for each in sources_of(path) if each.fold == HELD_OUT]
        sources = [sources[i] for i in spread(len(sources), count)]
        read = [(path.absolute().stem, source, source.read()) for source in sources]
        pictures += [each for each in read if each[2] is not None]
    return pictures


def rendered(source, picture, rng, cast, quality=None, side=None):
    """A photo saved anew under a random cast or none.

    Args:
        source, picture: `Source`, and what it reads.
        rng: `np.random.Generator`.
        cast: whether it has one.
        quality: of the JPEG; 0 for PNG, `None` for a random one from 60 to 95.
        side: pixels of the shorter side, `None` for a random one from 96 to 2000.

    Returns:
        (picture uint8 (h, w, 3), light (3,)).
    """
    photo, drawn = source.rendering(picture, rng)
    some = int(rng.integers(60, 96)), np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST)))
    quality = some[0] if quality is None else quality
    side = side or some[1]
    scale = side / min(photo.shape[:2])
    rendering = replace(
        drawn,
        cast=draw_cast(rng) if cast else np.ones(3),
        box=(0.0, 0.0, 1.0, 1.0),
        size=(round(photo.shape[1] * scale), round(photo.shape[0] * scale)),
        saves=((quality, 2),) if quality else (),
        first=None,
    )
    return save(photo, rendering), rendering.light


def errors_of(pictures, network, others=True):
    """Errors on rendered pictures by every method: dict method -> (N,), degrees.

    Args:
        pictures: list of N functions that give (picture, light).
        network: function of thumbnails (N, 64, 64, 3) to a dict of lights (N, 3), one "DSCNN".
        others: whether the formulas and OpenCV's balancers are asked, too.
    """

    def look(picture):
        levels, light = picture()
        return light, thumbnail(levels), opencv_lights(levels) if others else {}

    seen = list(in_threads(look, pictures, "rendering"))
    truth = np.stack([light for light, _, _ in seen])
    thumbnails = np.stack([small for _, small, _ in seen])
    methods = network(thumbnails)
    if others:
        methods |= {"doing nothing": np.tile(WHITE, (len(seen), 1))} | estimate_all(thumbnails)
    for name in seen[0][2]:
        methods[f"OpenCV {name}"] = np.stack([lights[name] for _, _, lights in seen])
    return {name: angular_errors(truth, lights) for name, lights in methods.items()}


def opencv_lights(picture):
    """dict of OpenCV's balancers -> the colour that each turns into mid-grey, unit norm."""
    try:
        import cv2
    except ModuleNotFoundError:
        return {}
    lights = {}
    for name in OPENCV:
        balancer = getattr(cv2.xphoto, f"create{name}")()
        balanced = balancer.balanceWhite(np.ascontiguousarray(picture[..., ::-1]))[..., ::-1]
        lights[name] = colour_of_grey(picture, balanced)
    return lights


def colour_of_grey(picture, balanced, grey=118):
    """The colour, linear and of unit norm, that becomes grey when channels are stretched.

    Args:
        picture, balanced: uint8 (H, W, 3), before and after.
        grey: the level of each channel after it.
    """
    colour = np.empty(3)
    for channel in range(3):
        before, after = (each[..., channel].ravel() for each in (picture, balanced))
        used = (after > 2) & (after < 253)
        if used.sum() < 2 or np.ptp(before[used]) == 0:
            return WHITE
        slope, offset = np.polyfit(before[used].astype(float), after[used].astype(float), 1)
        colour[channel] = (grey - offset) / max(slope, 1e-3)
    linear = srgb_to_linear(np.clip(colour / max(colour.max(), 255), 1 / 255, 1))
    return linear / np.linalg.norm(linear)


def run(photos, network, seed):
    """Prints the tables.

    Args:
        photos: see `held_out_pictures`.
        network: see `errors_of`.
        seed: int.
    """

    def measured(part, number, others=True, **conditions):
        def picture(index):
            rng = np.random.default_rng([seed, number, index])
            return lambda: rendered(*part[index][1:], rng, **conditions)

        return errors_of([picture(i) for i in range(len(part))], network, others)

    conditions = "JPEG 60 to 95, 4:2:0, 96 to 2000 pixels"
    cast, none = measured(photos, 0, cast=True), measured(photos, 1, cast=False)
    error_table(cast, f"{len(photos)} held-out photos under a cast, {conditions}")
    error_table(none, f"the same photos without a cast, {conditions}")
    sets, rows = np.array([name for name, *_ in photos]), {}
    for name in dict.fromkeys(sets):
        here = sets == name
        better = cast["DSCNN"][here] < cast["doing nothing"][here]
        row = figures(cast["DSCNN"][here], none["DSCNN"][here])
        rows[f"{name} ({here.sum()})"] = row | {"cast: made better, %": 100 * better.mean()}
    show_frame(pd.DataFrame(rows).T, "DSCNN, by set", "set (photos)")

    part = [photos[i] for i in spread(len(photos), len(photos) // 3)]
    files = {f"JPEG {quality}, 256 pixels": (quality, 256) for quality in QUALITIES}
    files |= {"PNG, 256 pixels": (0, 256)}
    files |= {f"JPEG 85, {side} pixels": (85, side) for side in SIDES}
    rows = {}
    for name, (quality, side) in files.items():
        given = dict(others=False, quality=quality, side=side)
        both = [measured(part, 2, cast=cast, **given)["DSCNN"] for cast in (True, False)]
        rows[name] = figures(*both)
    show_frame(pd.DataFrame(rows).T, f"DSCNN, {len(part)} of the photos, saved as", "file")


def figures(cast, none):
    """What the tables tell of errors (N,) with and without a cast."""
    return {
        "cast: mean": cast.mean(),
        "cast: median": np.median(cast),
        "no cast: median": np.median(none),
        "no cast: 95th pct": np.percentile(none, 95),
    }


@report_input_errors
def main(config):
    model = WhiteBalance.find(config.model, default="dscnn-photos")
    photos = held_out_pictures(config.data, config.photos)

    def network(thumbnails):
        found = [estimate(image, model) for image in thumbnails]
        lights = np.stack([each.illuminant for each in found])
        strengths = np.array([[model.strength(each)] for each in found])
        return {"DSCNN": lights, "DSCNN, --strength auto": lights**strengths}

    run(photos, network, config.seed)


if __name__ == "__main__":
    main(config)
