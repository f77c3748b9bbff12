import csv
import json

import numpy as np
import pandas as pd
import pytest

from keras_gans.defectgan import report
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.detectors import Found
from keras_gans.defectgan.evaluate import run_detectors, table
from keras_gans.defectgan.surfaces import Surfaces
from tests.defectgan.fakes import pixels_of


@pytest.fixture
def surfaces():
    rng = np.random.default_rng(0)
    kinds = ["scratch", "stain", "stain", "", ""]
    mask = np.arange(48).reshape(6, 8) < 16
    return Surfaces(
        "a [set]",
        [rng.integers(0, 256, (6, 8, 3), np.uint8) for _ in kinds],
        np.array(kinds) != "",
        [mask, mask, None, None, None],
        kinds,
        np.zeros(len(kinds), bool),
        [f"{number}/ü.png" for number in range(len(kinds))],
    )


def gan(image):
    grey = image.mean(axis=-1).astype(np.float32)
    found = Found(grey > 128, float(grey.max()), cleaned=image // 2, difference=grey / 2)
    return {"DefectGAN": found}


def baseline(image):
    mask = np.ones(image.shape[:2], bool)
    return {"CAM": Found(mask, 1.0, judged=False), "CAM, half": Found(mask, 1.0)}


@pytest.mark.parametrize("detectors", [[gan], [gan, baseline]])
def test_everything_is_written(tmp_path, capsys, surfaces, detectors):
    measured = run_detectors(detectors, surfaces)
    cleaning = {"defective": 6.0, "defective_cleaned": 3.0, "free": 2.0, "free_cleaned": 2.125,
                "closed": 0.75, "defective_images": 2, "free_images": 2}  # fmt: skip
    for name, seconds in (("defectgan", (20, 40)), ("cam", (5,))):
        (tmp_path / name).mkdir()
        rows = [json.dumps({"epoch": 1, "seconds": number}) for number in seconds]
        (tmp_path / name / "metrics.jsonl").write_text("\n".join(rows) + "\n")
    figures = report.write(tmp_path, Config(seed=3), surfaces, measured, cleaning, 40.5)
    methods = ["DefectGAN", "CAM", "CAM, half"][: 2 * len(detectors) - 1]

    printed = capsys.readouterr().out
    assert "a [set]: 5 test images, 3 defective, 8x6 pixels" in printed
    assert "6.00 -> 3.00" in printed and "75 % of the way" in printed
    assert "scratch" in printed and "stain" in printed and "miou_" not in printed

    page = (tmp_path / "report.html").read_text()
    scores = measured.rows[measured.rows["method"] == "DefectGAN"]["score"]
    assert f"bad = {json.dumps(sorted(scores[:3].round(4)))}, chosen = 40.5" in page
    assert "<h1>a [set]</h1>" in page and "<td>DefectGAN</td>" in page and "://" not in page

    result = json.loads((tmp_path / "result.json").read_text())
    conditions = [result[name] for name in ("set", "defective", "free", "seed", "hold_out")]
    assert conditions == ["a [set]", 3, 2, 3, None]
    assert "quantile=0.99" in result["rule"] and result["cleaning"] == cleaning
    assert list(result["methods"]) == methods
    expected = table(measured.rows, measured.pixels)
    for method, row in result["methods"].items():
        assert row["miou"] == expected.loc[method, "miou"]
        assert row["training_seconds"] == (60 if method == "DefectGAN" else 5)
    assert figures["miou"] == round(expected.loc["DefectGAN", "miou"], 4)

    with open(tmp_path / "detections.csv", newline="", encoding="utf-8") as file:
        images = list(csv.DictReader(file))
    assert [row["name"] for row in images] == surfaces.names
    assert [row["type"] for row in images] == surfaces.types
    for method in methods:
        assert float(images[0][f"{method} iou"]) > 0 and images[2][f"{method} iou"] == ""
        assert float(images[4][f"{method} score"]) > 0
    picture = pixels_of(tmp_path / "detections.png")
    assert picture.ndim == 2  # grey
    columns = 5 if len(detectors) == 1 else 7
    # a scratch, the stain with a mask, one without defect
    assert picture.shape == (15 + 3 * (15 + 128 + 4), columns * 132)
    names = {
        "result.json",
        "report.html",
        "detections.csv",
        "detections.png",
        "defectgan",
        "cam",
    }
    assert {file.name for file in tmp_path.iterdir()} == names


def test_a_mask_that_is_no_alarm_is_not_shown(tmp_path, surfaces):
    measured = run_detectors([baseline], surfaces)
    path = tmp_path / "shown.png"
    report.draw_examples(path, surfaces, measured, [0, 3])
    picture = pixels_of(path)  # columns: input, CAM, truth, the other CAM
    middle = [15 + row * 147 + 15 + 64 for row in range(2)]
    assert [picture[y, 132 + 64] for y in middle] == [255, 0]
    assert [picture[y, 3 * 132 + 64] for y in middle] == [255, 255]


def measured_types(*counts, masks=True):
    """A table of so many images of the types a, b, c, ..., and 5 without defect."""
    types = [kind for kind, count in zip("abcdefghij", counts) for _ in range(count)]
    count = len(types)
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "index": np.arange(100, 105 + count),
            "type": types + [""] * 5,
            "defective": [True] * count + [False] * 5,
            "iou": [*(rng.random(count) if masks else [np.nan] * count), *[np.nan] * 5],
            "score": [*rng.random(count), 3, 1, 4, 2, 5],
        }
    )


@pytest.mark.parametrize("counts", [(50,), (9, 30), (3, 3, 3, 20), (8, 8, 1, 8, 8)])
@pytest.mark.parametrize("masks", [True, False])
def test_examples_cover_types_good_and_bad(counts, masks):
    tested = measured_types(*counts, masks=masks)
    rows = tested.set_index("index").loc[report.choose_examples(tested)]
    assert 7 <= len(rows) <= 8 and rows.index.is_unique
    assert set(rows["type"]) == set(tested["type"])
    assert rows.index[-1] == tested["index"].iloc[-5]  # score 3, the median
    key = "iou" if masks else "score"
    for kind, part in rows[rows["defective"]].groupby("type"):
        values = tested[tested["type"] == kind][key]
        expected = (np.arange(len(part)) + 0.5) / len(part)
        np.testing.assert_allclose(
            [(values < value).mean() for value in part[key]], expected, atol=1 / len(values)
        )


def test_examples_of_one_kind_or_many_types():
    tested = measured_types(*[2] * 10)
    assert len(report.choose_examples(tested)) == 8
    assert report.choose_examples(tested[tested["defective"]], count=3) != []
    assert len(report.choose_examples(tested[~tested["defective"]])) == 1
