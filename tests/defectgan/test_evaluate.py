import dataclasses

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from keras_gans.defectgan.cam import activation_network, build_cam
from keras_gans.defectgan.detect import Calibration, detect, traced_cleaner
from keras_gans.defectgan.evaluate import (
    Found,
    cam_detector,
    cleaning_distance,
    defectgan_detector,
    mirrored_to_multiple,
    run_detector,
    segnet_detector,
    table,
)
from keras_gans.defectgan.segnet import build_segnet
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError


def half(columns):
    """A mask (4, 8) whose first columns are True."""
    return np.broadcast_to(np.arange(8) < columns, (4, 8))


@pytest.fixture
def surfaces():
    """Two scratches, a stain, one without a mask, two defect-free; each of its own grey."""
    kinds = ["scratch", "scratch", "stain", "stain", "", ""]
    return Surfaces(
        "hand-made",
        [np.full((4, 8, 1), 10 * number, np.uint8) for number in range(6)],
        np.array(kinds) != "",
        [half(4), half(2), half(8), None, None, None],
        kinds,
        np.zeros(6, bool),
        [f"{number}.png" for number in range(6)],
    )


def by_number(**methods):
    """A detector that knows the images: method -> list of `Found`, one an image."""
    return lambda image: {name: found[image[0, 0, 0] // 10] for name, found in methods.items()}


# Figures ------------------------------------------------------------------------------------


def test_table_by_hand(surfaces):
    masks = [half(4), half(4), half(2), half(1), half(0), half(2)]
    good = [Found(mask, score) for mask, score in zip(masks, [5, 4, 1, 3, 0, 2])]
    silent = [Found(half(8), 0.0, judged=False)] * 6
    measured = run_detector(by_number(good=good, silent=silent), surfaces, np.arange(6))
    assert len(measured) == 12
    figures = table(measured)
    assert figures.index.tolist() == ["good", "silent"]

    row = figures.loc["good"]
    assert row["miou"] == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    assert row["miou_scratch"] == pytest.approx(3 / 4)
    assert row["miou_stain"] == pytest.approx(1 / 4)
    # of the 4 x 2 pairs one, 1 against 2, is the wrong way round
    assert row["auroc"] == pytest.approx(7 / 8)
    assert row["false_pixels"] == pytest.approx(1 / 8)
    assert row["false_images"] == 1 / 2
    assert 0 < row["t_test_ms"] < 100

    row = figures.loc["silent"]  # a mask that counts in the IoU alone
    assert row["miou"] == pytest.approx((1 / 2 + 1 / 4 + 1) / 3)
    assert row["auroc"] == 1 / 2
    assert row["false_pixels"] == row["false_images"] == 0


def test_what_no_image_tells_is_nan(surfaces):
    detector = by_number(m=[Found(half(4), 1.0)] * 6)
    free = table(run_detector(detector, surfaces, [4, 5])).loc["m"]
    assert np.isnan(free["miou"]) and np.isnan(free["auroc"])
    assert free["false_pixels"] == 1 / 2
    assert not any(name.startswith("miou_") for name in free.index)
    defective = table(run_detector(detector, surfaces, [0, 1])).loc["m"]
    assert defective["miou"] == (1 + 1 / 2) / 2
    assert defective[["auroc", "false_pixels", "false_images"]].isna().all()
    with pytest.raises(InputError, match="hand-made: no test images"):
        run_detector(detector, surfaces, [])


def test_the_first_call_is_not_timed(surfaces, monkeypatch):
    calls, clock = [], [0.0]

    def detector(image):
        calls.append(int(image[0, 0, 0]))
        clock[0] += 100 if len(calls) == 1 else 0.25
        return {"m": Found(half(0), 0.0)}

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    measured = run_detector(detector, surfaces, [2, 3, 4])
    assert calls == [20, 20, 30, 40]
    assert measured["seconds"].tolist() == [0.25] * 3
    assert table(measured).loc["m", "t_test_ms"] == 250


def test_methods_of_several_detectors_share_a_table(surfaces):
    parts = [
        run_detector(by_number(**{name: [Found(half(4), 1.0)] * 6}), surfaces, np.arange(6))
        for name in ("b", "a")
    ]
    assert table(pd.concat(parts)).index.tolist() == ["b", "a"]


# Detectors ----------------------------------------------------------------------------------


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
    clean = traced_cleaner(keras.Model(images, keras.layers.Identity()(images)), 16)
    calibration = Calibration(bias=5, threshold=4)  # without change the difference is 5
    found = defectgan_detector(clean, calibration)(image)["DefectGAN"]
    expected = detect(clean, image, calibration)
    assert found.mask.all() and found.judged and found.score == expected.score == 5
    np.testing.assert_array_equal(found.cleaned, image)
    np.testing.assert_array_equal(found.difference, expected.difference)


def test_segnet_sees_the_continued_image_and_answers_for_the_image(image):
    keras.utils.set_random_seed(0)
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
    keras.utils.set_random_seed(0)
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


# Cleaning -----------------------------------------------------------------------------------

BLOB = np.zeros((64, 80), bool)
BLOB[20:40, 30:50] = True


def texture(rng):
    noise = ndimage.gaussian_filter(rng.normal(size=(64, 80)), 1)
    values = rng.uniform(90, 150) + 12 * noise / noise.std()
    return np.clip(values, 0, 255).astype(np.uint8)[..., None]


@pytest.fixture
def blobs():
    """Textures of different grey; the last 4 of 20 have a bright blob. Every other trains."""
    rng = np.random.default_rng(0)
    images, defective = [texture(rng) for _ in range(20)], np.arange(20) >= 16
    for image in images[16:]:
        image[BLOB] += 60
    return Surfaces(
        "blobs",
        images,
        defective,
        [BLOB if bad else None for bad in defective],
        ["blob" if bad else "" for bad in defective],
        np.arange(20) % 2 == 0,
        [str(number) for number in range(20)],
    )


def test_nothing_cleaned_nothing_nearer(blobs):
    found = cleaning_distance(blobs, lambda images: images)
    assert found["defective"] == found["defective_cleaned"] > 2 * found["free"]
    assert found["free"] == found["free_cleaned"] == pytest.approx(1.88, abs=0.3)
    assert found["closed"] == 0
    assert (found["defective_images"], found["free_images"]) == (2, 8)


def test_the_blob_taken_off_is_clean(blobs):
    spoilt = {image.tobytes() for image in blobs.images[16:]}

    def clean(images):
        repaired = images.copy()
        repaired[0, BLOB] -= 60
        return repaired if images.tobytes() in spoilt else images

    found = cleaning_distance(blobs, clean)
    assert found["defective_cleaned"] < 2.3 and found["closed"] > 0.9
    assert found["free"] == found["free_cleaned"]


def test_a_patch_without_texture_is_not_clean(blobs):
    def smear(images):
        flat = images.copy()
        flat[0, BLOB] = int(np.median(images))
        return flat

    found = cleaning_distance(blobs, smear)
    assert found["closed"] < 0.5 and found["defective_cleaned"] > 2 * found["free"]
    assert found["free_cleaned"] > 1.5 * found["free"]


def test_distance_of_a_shift_by_hand(blobs):
    """A surface whose windows differ in nothing but grey: distances in deviations of it."""
    rng = np.random.default_rng(0)
    levels = rng.integers(90, 110, (10, 4, 4))
    images = [np.kron(level, np.ones((16, 16)))[..., None].astype(np.uint8) for level in levels]
    flat = dataclasses.replace(
        blobs.take(np.arange(10)), images=images, train=np.arange(10) < 8
    )
    # windows of 16 every 16 pixels are the flat squares: no texture inside
    relative = [level - np.median(level) for level in levels.reshape(10, 16)]
    trained = np.ravel(relative[:8])
    tested = np.array([relative[8:], relative[8:]]) + [[[0]], [[7]]]  # as taken, brighter
    expected = np.abs(tested - trained.mean()).mean(axis=(1, 2)) / trained.std(ddof=1)
    found = cleaning_distance(flat, lambda images: images + np.uint8(7), stride=16)
    assert found["free"] == pytest.approx(expected[0], rel=1e-4)
    assert found["free_cleaned"] == pytest.approx(expected[1], rel=1e-4)
    assert np.isnan(found["defective"]) and np.isnan(found["closed"])
    assert found["defective_images"] == 0


def test_a_small_defect_counts_by_the_window_that_shows_most(blobs):
    spot = np.zeros((64, 80), bool)
    spot[30:33, 40:43] = True  # less than a tenth of any window
    for image in blobs.images[16:]:
        image[BLOB] -= 60
        image[spot] += 90
    small = dataclasses.replace(blobs, masks=[spot if bad else None for bad in blobs.defective])
    found = cleaning_distance(small, lambda images: images, most=3)
    assert found["defective"] > 1.5 * found["free"]
    assert (found["defective_images"], found["free_images"]) == (2, 3)
