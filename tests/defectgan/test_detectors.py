import keras
import numpy as np
import pytest

from keras_gans.defectgan.cam import activation_network, build_cam
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration, detect
from keras_gans.defectgan.detectors import (
    cam_detector,
    defectgan_detector,
    mirrored_to_multiple,
    segnet_detector,
)
from keras_gans.defectgan.segnet import build_segnet
from keras_gans.defectgan.view import View


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (21, 13, 1), np.uint8)


def test_mirrored_to_multiple():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    expected = [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [0, 1, 2, 2]]
    np.testing.assert_array_equal(mirrored_to_multiple(image, 4)[..., 0], expected)
    assert mirrored_to_multiple(image, 1) is image
    # further than its own size
    far = mirrored_to_multiple(image[:1, :2], 5)[..., 0]
    np.testing.assert_array_equal(far, [[0, 1, 1, 0, 0]] * 5)


def test_defectgan(image):
    images = keras.Input((None, None, 1))
    clean = Cleaner(keras.Model(images, keras.layers.Identity()(images)), View(16))
    calibration = Calibration(bias=5, threshold=4)  # without change the difference is 5
    found = defectgan_detector(clean, calibration)(image)["DefectGAN"]
    expected = detect(clean, image, calibration)
    assert found.mask.all() and found.judged and found.score == expected.score == 5
    np.testing.assert_array_equal(found.cleaned, image)
    np.testing.assert_array_equal(found.difference, expected.difference)


def test_segnet_sees_the_continued_image_and_answers_for_the_image(image):
    network = build_segnet(1, 2, 3)
    detector = segnet_detector(network, 8)
    found = detector(image)["SegNet"]
    whole = np.pad(image, ((0, 3), (0, 3), (0, 0)), mode="symmetric")
    logits = network(whole[None] / np.float32(127.5) - 1, training=False).numpy()
    logits = logits[0, :21, :13, 0]
    assert found.mask.dtype == bool and found.mask.shape == (21, 13)
    assert found.score == pytest.approx(logits.max(), abs=1e-4)
    sure = np.abs(logits) > 1e-4
    np.testing.assert_array_equal(found.mask[sure], logits[sure] > 0)
    assert detector(image[:8, :5])["SegNet"].mask.shape == (8, 5)


def test_cam_gives_both_shares_from_one_pass(image):
    network = build_cam(1, 2, 3)
    found = cam_detector(network)(image)
    values = activation_network(network)(image[None] / np.float32(127.5) - 1)
    cam, logit = values[0].numpy()[0, ..., 0], float(values[1][0, 0])
    assert list(found) == ["CAM", "CAM, half maximum"]
    for one, share in zip(found.values(), (0.2, 0.5)):
        level = share * cam.max() if cam.max() > 0 else cam.min() + share * np.ptp(cam)
        sure = np.abs(cam - level) > 1e-4
        np.testing.assert_array_equal(one.mask[sure], cam[sure] >= level)
        assert one.score == pytest.approx(logit, abs=1e-4)
        assert one.judged == (logit > 0)
    assert found["CAM"].mask.sum() > found["CAM, half maximum"].mask.sum() > 0
