"""Drawn sets of surfaces, unlike those that the designs of DefectGAN were chosen on.

    python -m studies.drawn_surfaces --out drawn
    python -m studies.defectgan --data drawn/boards --design attention --rows defectgan
    python train_defectgan.py --data drawn/mixed --design attention

`boards` are black and white circuit boards of 320x320 pixels with one to five tiny faults:
gaps, bridges, notches, spurs, holes and islands. `roads` are grainy grey surfaces of 320x480
pixels with one or two cracks. Both have 120 defective and 120 other images to train on, 40 and
40 to test. `mixed` has the built-in surfaces, roads, grain, ground metal and stars at
several scales and in several lights, 160x160 pixels, with defects of six kinds: 1,080 and 1,080
to train on, 90 and 90 to test. It trains a model for many surfaces, by the settings that stand
in docs/defectgan.md. Every picture is a function of its part and number.
"""

from keras_gans.program import command_line, report_input_errors

from dataclasses import dataclass
from pathlib import Path

from keras_gans.files import check_folder


@dataclass(frozen=True)
class DrawnConfig:
    """Draws the sets."""

    out: Path
    """Folder for all."""

    def preset(self) -> dict:
        """No other defaults."""
        return {}

    def check(self) -> None:
        """Finds out whether the folder can be written."""
        check_folder(self.out)


if __name__ == "__main__":  # before what takes seconds is imported
    config = command_line(DrawnConfig)

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from keras_gans.data.write import write_png
from keras_gans.defectgan.drawn_defects import KINDS, draw_cracks, spoil
from keras_gans.defectgan.synthetic import (
    TEXTURES,
    Threads,
    draw_surface,
    photograph,
)

PARTS = {"train": 120, "test": 40}
BOARD, FINER = 320, 2  # pixels; boards are drawn so many times larger
ROAD = 320, 480
MIXED_PARTS, MIXED = {"train": 1080, "test": 90}, 160
RIM = 12  # pixels of a board without faults
# whether in copper, the least and largest distance of the centre from its edge, and the size
FAULTS = {
    "gap": (True, 3, 5, (5, 7)),
    "bridge": (False, 4, 8, (7, 10)),
    "notch": (True, 1, 1, (2, 3.5)),
    "spur": (False, 1, 1, (2, 3.5)),
    "hole": (True, 4, np.inf, (1.5, 2.5)),
    "island": (False, 6, np.inf, (2, 4)),
}


def draw_board(rng: np.random.Generator) -> np.ndarray:
    """A board without faults: bool (BOARD, BOARD), where there is copper."""
    image = Image.new("L", (BOARD * FINER, BOARD * FINER), 0)
    draw = ImageDraw.Draw(image)
    pitch = int(rng.integers(22, 34))
    across = rng.random() < 0.5
    for place in np.arange(rng.integers(8, 20), BOARD - 8, pitch):
        width = int(rng.integers(6, 11))
        trace = [(x * FINER, y * FINER) for x, y in _trace(rng, place)]
        trace = trace if across else [(y, x) for x, y in trace]
        if rng.random() >= 0.85:
            continue
        draw.line(trace, fill=255, width=width * FINER, joint="curve")
        for _ in range(rng.integers(0, 4)):
            x, y = trace[rng.integers(0, len(trace))]
            radius = rng.integers(7, 11) * FINER
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
            if rng.random() < 0.6:
                radius = radius // 3
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=0)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.integers(0, BOARD * FINER, 2)
        width, height = rng.integers(30, 70, 2) * FINER
        draw.rectangle([x, y, x + width, y + height], fill=255)
    return np.asarray(image.resize((BOARD, BOARD), Image.Resampling.BILINEAR)) > 127


def _trace(rng, place):
    x, y = 0, place
    yield x, y
    while x < BOARD:
        x += int(rng.integers(40, 140))
        yield x, y
        step = int(rng.choice([-1, 1]) * rng.integers(0, 5))
        x, y = x + abs(step), y + step
        yield x, y
        if abs(y - place) > 6:
            y = place + np.sign(y - place) * 6
            yield x + 3, y


def spoiled_board(rng: np.random.Generator, board: np.ndarray) -> np.ndarray:
    """The board with faults, not of its outermost pixels."""
    done = board.copy()
    inside = np.zeros_like(board)
    inside[RIM:-RIM, RIM:-RIM] = True
    depths = {
        copper: ndimage.distance_transform_edt(board == copper) for copper in (True, False)
    }
    y, x = np.mgrid[:BOARD, :BOARD]
    for _ in range(rng.integers(1, 6)):
        kind = rng.choice(list(FAULTS))
        copper, least, most, sizes = FAULTS[kind]
        possible = np.argwhere(inside & (depths[copper] >= least) & (depths[copper] <= most))
        size = rng.uniform(*sizes)
        if not len(possible):
            continue
        row, column = possible[rng.integers(len(possible))]
        angle, radius = np.arctan2(y - row, x - column), np.hypot(y - row, x - column)
        bumps = 0.25 * np.sin(2 * angle + rng.uniform(0, 6))
        bumps += 0.2 * np.sin(3 * angle + rng.uniform(0, 6))
        fault = radius < size * (1 + bumps)
        if kind == "bridge":
            length, half = rng.uniform(10, 16), rng.uniform(2, 4)
            along = (y - row, x - column) if rng.random() < 0.5 else (x - column, y - row)
            fault = (np.abs(along[0]) < length) & (np.abs(along[1]) < half)
        done = done & ~fault if copper else done | fault
    return done


def draw_road(rng: np.random.Generator) -> np.ndarray:
    """A road without cracks: float (ROAD), levels of grey."""

    def grain(sigma):
        noise = ndimage.gaussian_filter(rng.standard_normal(ROAD), sigma)
        return noise / noise.std()

    def specks():
        return 108 * ndimage.gaussian_filter((rng.random(ROAD) < 0.012).astype(float), 1.1)

    road = 130 + rng.normal(0, 10) + 14 * grain(0.8) + 8 * grain(2) + 6 * grain(40)
    return road - specks() + specks()


def cracked_road(rng: np.random.Generator, road: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The road with cracks, and their mask, bool."""
    mask = draw_cracks(rng, road.shape)
    soft = ndimage.gaussian_filter(mask.astype(float), 0.8)
    texture = ndimage.gaussian_filter(rng.standard_normal(road.shape), 1.5)
    return road - soft * (rng.uniform(35, 60) + 8 * texture / texture.std()), mask


def draw_grain(rng: np.random.Generator) -> np.ndarray:
    """Grains of several sizes, longer in one direction: float (MIXED, MIXED)."""
    scale, stretch = rng.uniform(0.6, 2.5), np.exp(rng.uniform(0, 1))
    grain = sum(
        rng.uniform(0.2, 1) * _noise(rng, (scale * size, scale * size * stretch))
        for size in (1, 2, 4)
    )
    grain = np.exp(rng.uniform(-0.3, 0.3) * grain / grain.std())  # skew
    return 130 + rng.uniform(5, 28) * (grain - grain.mean()) / grain.std()


def draw_streaks(rng: np.random.Generator) -> np.ndarray:
    """Ground metal: long streaks, some far brighter: float (MIXED, MIXED)."""
    length = rng.uniform(15, 150)
    streaks = sum(_noise(rng, (length, width)) for width in (0.5, rng.uniform(1, 4)))
    bright = np.exp(0.5 * _noise(rng, (3 * length, 0.6)))
    image = rng.uniform(3, 10) * streaks + rng.uniform(0, 12) * bright
    return 100 + image + rng.uniform(0, 5) * _noise(rng, 0.6)


def draw_star(rng: np.random.Generator) -> np.ndarray:
    """Faint rays from a dark point, as DAGM's class 4 has them: float (MIXED, MIXED)."""
    y, x = np.mgrid[:MIXED, :MIXED] - rng.uniform(40, MIXED - 40, (2, 1, 1))
    rays = np.cos(rng.integers(20, 60) * np.arctan2(y, x) + rng.uniform(0, 6))
    dark = np.exp(-(x**2 + y**2) / (2 * rng.uniform(1, 4) ** 2))
    return 150 + rng.uniform(3, 9) * rays - 60 * dark + rng.uniform(2, 9) * _noise(rng, 0.5)


def _noise(rng, sigma):
    noise = ndimage.gaussian_filter(rng.standard_normal((MIXED, MIXED)), sigma)
    return noise / noise.std()


def mixed_surface(rng: np.random.Generator) -> tuple[np.ndarray, Threads]:
    """A surface of any kind, scale and light: float (MIXED, MIXED), and its threads."""
    threads = Threads(rng.uniform(0, np.pi), rng.uniform(4, 7), 0.0)
    texture = rng.choice([*TEXTURES, "road", *MORE_TEXTURES])
    if texture == "road":
        top, left = (rng.integers(0, side - MIXED) for side in ROAD)
        image = draw_road(rng)[top : top + MIXED, left : left + MIXED]
    elif texture in MORE_TEXTURES:
        image = MORE_TEXTURES[texture](rng)
        image = image.T if rng.random() < 0.5 else image
    else:
        side = round(MIXED * rng.uniform(1, 2.5))
        large, threads = draw_surface(rng, texture, side)
        image = Image.fromarray(large).resize((MIXED, MIXED), Image.Resampling.BOX)
        threads = threads._replace(pitch=max(2.0, threads.pitch * MIXED / side))
        image = np.asarray(image)
    image = rng.uniform(60, 190) + rng.uniform(0.4, 1.2) * (image - image.mean())
    light = 1 + rng.uniform(0, 0.12) * _noise(rng, rng.uniform(40, 90))
    return (image * light).astype(np.float32), threads


MORE_TEXTURES = {"grain": draw_grain, "streaks": draw_streaks, "star": draw_star}


def pictures_of(part: int, number: int):
    """(set, kind of picture, its levels) of one number in a part."""
    rng = np.random.default_rng([part, number])
    yield "boards", "positive", 255 * draw_board(rng)
    good = draw_board(rng)
    spoiled = spoiled_board(rng, good)
    yield "boards", "negative", 255 * spoiled
    yield "boards", "masks", 255 * (spoiled != good)
    yield "roads", "positive", draw_road(rng)
    cracked, mask = cracked_road(rng, draw_road(rng))
    yield "roads", "negative", cracked
    yield "roads", "masks", 255 * mask


def mixed_pictures_of(part: int, number: int):
    """(kind of picture, its levels) of one number in a part of the mixed set."""
    rng = np.random.default_rng([part, number, len(KINDS)])
    yield "positive", photograph(rng, mixed_surface(rng)[0])[..., 0]
    kind = KINDS[number % len(KINDS)]
    image, mask = spoil(rng, kind, *mixed_surface(rng))
    yield f"negative/{kind}", photograph(rng, image)[..., 0]
    yield f"masks/{kind}", 255 * mask


def save(folder, kind, number, levels):
    initial = "p" if kind == "positive" else "n"  # a mask has the name of its image
    file = folder / kind / f"{initial}{number:03d}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_png(file, np.clip(levels, 0, 255).astype(np.uint8)[..., None])


@report_input_errors
def main(config):
    for part, name in enumerate(PARTS):
        for number in range(PARTS[name]):
            for which, kind, levels in pictures_of(part, number):
                save(config.out / which / name, kind, number, levels)
        for number in range(MIXED_PARTS[name]):
            for kind, levels in mixed_pictures_of(part, number):
                save(config.out / "mixed" / name, kind, number, levels)
    print("drawn:", *(config.out / which for which in ("boards", "roads", "mixed")))


if __name__ == "__main__":
    main(config)
