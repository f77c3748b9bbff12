import keras
import numpy as np
import pytest

from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.defectgan.lite import build_detection
from keras_gans.defectgan.view import View

RNG = np.random.default_rng(0)
CALIBRATION = Calibration(1.5, 12, peak=20, reach=5, sigma=1.0, dilation=1, share=0.3)


@pytest.fixture(scope="module")
def generator():
    """A blur: what it makes of a pixel depends on its place in the tile, at the border."""
    images = keras.Input((16, 16, 3))
    blurred = keras.layers.AveragePooling2D(5, strides=1, padding="same")(images)
    return keras.Model(images, blurred)


@pytest.mark.parametrize("view", [View(16), View(16, reduce=2), View(16, flatten=6)])
def test_the_numbers_of_the_graph(generator, view):
    graph = build_detection_graph(Cleaner(generator, view), CALIBRATION)

    def network(images):
        return {"cleaned": generator(images).numpy()}

    detect = build_detection(network, CALIBRATION, view)
    for height, width in ((16, 16), (3, 50), (61, 37)):
        image = RNG.integers(0, 256, (1, height, width, 3)).astype(np.uint8)
        image[:, 5:9, 5:12] = 255
        expected, found = graph(image), detect(image)
        difference = np.abs(expected["difference"] - found["difference"])
        assert difference.max() <= 1 and (difference > 0).mean() < 0.02  # of rounded levels
        assert (expected["mask"] != found["mask"]).numpy().mean() < 0.02
        np.testing.assert_allclose(found["score"], expected["score"], atol=1)
