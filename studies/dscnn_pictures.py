"""Nine photos before and after `white-balance`: five as they are, four saved with a cast.

    python -m studies.dscnn_pictures --out nine.jpg

The photos are in the public domain and come with scikit-image and matplotlib.
"""

from keras_gans.program import command_line, report_input_errors

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PicturesConfig:
    """Draws nine photos before and after."""

    out: Path = Path("nine.jpg")
    """The JPEG to write."""
    model: Path | None = None
    """The model's folder; by default saved_models/dscnn-photos."""

    def preset(self) -> dict:
        """No other defaults."""
        return {}

    def check(self) -> None:
        """The model is checked when it is loaded."""


if __name__ == "__main__":  # before what takes seconds is imported
    config = command_line(PicturesConfig)

import matplotlib
import numpy as np
import skimage.data
from matplotlib.figure import Figure
from PIL import Image

from keras_gans.commands.white_balance import WhiteBalance
from keras_gans.dscnn.rendering import Rendering, save
from keras_gans.metrics.angular import angular_errors

SIDE = 320  # pixels of a picture's longer side
# The camera's matrix of those that get a cast; its rows sum to 1.
MATRIX = np.array([[1.7, -0.6, -0.1], [-0.2, 1.6, -0.4], [0.0, -0.6, 1.6]])
CASTS = {  # what white becomes, linear
    "lamp light": (1.45, 0.95, 0.45),
    "shade": (0.75, 1.0, 1.5),
    "green tube": (0.9, 1.1, 0.8),
    "sunset": (1.3, 0.95, 0.65),
}


def photos():
    """(title, picture uint8 (H, W, 3), true light or `None`) of the nine."""
    data = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    own = {
        "chelsea": skimage.data.chelsea(),
        "coffee": skimage.data.coffee(),
        "astronaut": skimage.data.astronaut(),
        "rocket": skimage.data.rocket(),
        "officer": np.asarray(Image.open(data).convert("RGB")),
    }
    for name, picture in own.items():
        yield f"{name}, as it is", picture, None
    for (kind, cast), name in zip(CASTS.items(), ("chelsea", "coffee", "astronaut", "officer")):
        height, width = own[name].shape[:2]
        rendering = Rendering(
            np.array(cast), MATRIX, contrast=0.2, size=(width, height), saves=((90, 2),)
        )
        yield f"{name}, {kind}", save(own[name], rendering), rendering.light


@report_input_errors
def main(config):
    balance = WhiteBalance.find(config.model, default="dscnn-photos")
    figure = Figure(figsize=(13, 9), layout="constrained")
    axes = figure.subplots(3, 6)
    for number, (title, picture, light) in enumerate(photos()):
        image = Image.fromarray(picture)
        image.thumbnail((SIDE, SIDE))
        found = balance.of(picture)[1]
        after, _ = balance(np.asarray(image))
        strength = balance.strength(found)
        removed = found.illuminant**strength
        truth = np.ones(3) if light is None else light
        left = angular_errors(truth[None], removed[None])[0]
        before, corrected = axes[number // 3][2 * (number % 3) :][:2]
        before.imshow(image)
        before.set_title(title, fontsize=9)
        corrected.imshow(after)
        sure = "" if found.confidence is None else f", sure {found.confidence:.2f}"
        corrected.set_title(f"{left:.1f}\N{DEGREE SIGN} left{sure}", fontsize=9)
    for axis in axes.ravel():
        axis.axis("off")
    figure.savefig(config.out, dpi=90, pil_kwargs={"quality": 85})
    print(config.out)


if __name__ == "__main__":
    main(config)
