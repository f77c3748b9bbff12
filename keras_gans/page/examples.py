"""Example pictures, drawn when the page starts."""

from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.commands.generate import MODEL
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.dscnn.synthetic import synthetic_scenes
from keras_gans.errors import InputError
from keras_gans.page.work import model

SCENES = {2: (1.35, 1, 0.55), 1: (0.75, 1, 1.35), 0: (1.35, 1, 0.55), 3: (0.75, 1, 1.35)}
SENTENCES = (
    "this flower has pink petals and a yellow center",
    "a blue flower with five round petals",
    "a white flower in front of green leaves",
)


def photos(folder: Path) -> list[Path]:
    """Draws scenes under coloured lights: paths of JPEGs."""
    paths = []
    scenes = synthetic_scenes(len(SCENES), (320, 480), seed=2)
    for number, (scene, light) in enumerate(SCENES.items(), 1):
        white = scenes.images[scene] / scenes.illuminants[scene]
        lit = white * light / np.percentile(white * light, 99) * 0.9
        paths.append(folder / f"scene-{number}.jpg")
        pixels = quantize(linear_to_srgb(lit), np.uint8)
        Image.fromarray(pixels).save(paths[-1], quality=92)
    return paths


def surfaces(folder: Path) -> list[Path]:
    """Draws star-shaped surfaces, which `defectgan` knows, the last sound: PNGs."""
    paths = []
    for number in range(4):
        paths.append(folder / ("sound.png" if number == 3 else f"scratch-{number + 1}.png"))
        Image.fromarray(_star(np.random.default_rng(3 - number), number < 3)).save(paths[-1])
    return paths


def _star(rng, scratched, size=96):
    y, x = np.mgrid[:size, :size] - size / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    image = rng.normal(175, 4.5, (size, size))
    for start in rng.uniform(-np.pi, np.pi, 70):  # rays, light on one side, dark on the other
        across = np.angle(np.exp(1j * (angle - start))) * radius / 0.6
        ray = np.exp(-((across - 1) ** 2)) - np.exp(-((across + 1) ** 2))
        image += rng.uniform(3, 7.5) * ray * np.exp(-((radius / rng.uniform(20, 60)) ** 2))
    image -= 65 * np.exp(-((radius / 4.5) ** 2))
    if scratched:
        along, turn = np.linspace(-9, 9, 60)[:, None, None], rng.uniform(0, np.pi)
        left, top = rng.choice([-28, 28], 2)
        near = np.hypot(x - left - along * np.cos(turn), y - top - along * np.sin(turn))
        image -= 70 * np.exp(-(near.min(axis=0) ** 2))
    return np.uint8(np.clip(image, 0, 255))


def digits(folder: Path) -> list[Path]:
    """Pictures that the generator made: PNGs; none where that model is missing."""
    try:
        images = model(MODEL)(8, seed=5, first=1)
    except InputError:
        return []
    paths = [folder / f"digit-{number}.png" for number in range(1, len(images) + 1)]
    for path, image in zip(paths, images):
        Image.fromarray(image.repeat(3 // image.shape[2], axis=2)).save(path)
    return paths
