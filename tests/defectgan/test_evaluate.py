import dataclasses

import numpy as np
import pytest

from keras_gans.defectgan.detectors import Found
from keras_gans.defectgan.evaluate import run_detectors, table
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


def test_table_by_hand(surfaces):
    masks = [half(4), half(4), half(2), half(1), half(0), half(2)]
    good = [Found(mask, score) for mask, score in zip(masks, [5, 4, 1, 3, 0, 2])]
    silent = [Found(half(8), 0.0, judged=False)] * 6
    measured = run_detectors([by_number(good=good, silent=silent)], surfaces).rows
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

    def figures(*tested):
        chosen = dataclasses.replace(surfaces, train=~np.isin(np.arange(6), tested))
        return table(run_detectors([detector], chosen).rows).loc["m"]

    free = figures(4, 5)
    assert np.isnan(free["miou"]) and np.isnan(free["auroc"])
    assert free["false_pixels"] == 1 / 2
    assert not any(name.startswith("miou_") for name in free.index)
    defective = figures(0, 1)
    assert defective["miou"] == (1 + 1 / 2) / 2
    assert defective[["auroc", "false_pixels", "false_images"]].isna().all()
    with pytest.raises(InputError, match="hand-made: no test images"):
        figures()


def test_the_first_call_is_not_timed(surfaces, monkeypatch):
    calls, clock = [], [0.0]

    def detector(image):
        calls.append(int(image[0, 0, 0]))
        clock[0] += 100 if len(calls) == 1 else 0.25
        return {"m": Found(half(0), 0.0)}

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    chosen = dataclasses.replace(surfaces, train=~np.isin(np.arange(6), [2, 3, 4]))
    measured = run_detectors([detector], chosen).rows
    assert calls == [20, 20, 30, 40]
    assert measured["seconds"].tolist() == [0.25] * 3
    assert table(measured).loc["m", "t_test_ms"] == 250


def test_methods_of_several_detectors_share_a_table(surfaces):
    detectors = [by_number(**{name: [Found(half(4), 1.0)] * 6}) for name in ("b", "a")]
    measured = run_detectors(detectors, surfaces)
    assert table(measured.rows).index.tolist() == ["b", "a"]
    assert set(measured.shown) == {(index, name) for index in range(6) for name in "ab"}


def test_what_is_shown_is_small_and_grey():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (200, 150, 3), np.uint8)
    mask = rng.uniform(size=(200, 150)) < 0.5
    found = Found(mask, 1.0, cleaned=image, difference=np.full((200, 150), 3, np.float32))
    no = np.zeros(1, bool)
    large = Surfaces("large", [image], no, [None], [""], no, ["a"])
    measured = run_detectors([lambda image: {"m": found}], large)
    shown = measured.shown[0, "m"]
    for picture in (shown.mask, shown.cleaned, shown.difference):
        assert picture.dtype == np.uint8 and picture.shape == (128, 96)
    assert measured.rows["marked"].tolist() == [mask.mean()]
