from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_gans.okdgan.config import Config
from keras_gans.okdgan.crops import Crops
from keras_gans.okdgan.evaluate import Data
from keras_gans.okdgan.report import (
    best,
    report,
    sample_rows,
    table,
    write_sweep,
    write_table,
)

MORE = {"near_copies": 30, "diversity": 0.75}
SINGLE = {"frechet": 5.0, "kid": 0.5, "kid_std": 0.05, "near_copies": 9, "diversity": 0.5}
STUDENTS = [
    {"frechet": 6.0, "kid": 0.1, "kid_std": 0.01, "near_copies": 11, "diversity": 1.0},
    {"frechet": 2.0, "kid": 0.3, "kid_std": 0.02, **MORE},
]


def with_validation(*frechet):
    held_out = {"validation_kid": 0.4, "validation_kid_std": 0.01}
    return [
        {**student, **held_out, "validation_frechet": value}
        for student, value in zip(STUDENTS, frechet, strict=True)
    ]


def test_table_by_hand():
    frame = table(SINGLE, STUDENTS)
    assert frame["model"].tolist() == ["single", "student 1", "student 2", "mean", "best"]
    assert frame["frechet"].tolist() == [5, 6, 2, 4, 2]
    assert frame["kid"].tolist() == pytest.approx([0.5, 0.1, 0.3, 0.2, 0.3])
    deviations = [0.05, 0.01, 0.02, np.nan, 0.02]
    assert frame["kid_std"].tolist() == pytest.approx(deviations, nan_ok=True)
    assert frame["near_copies"].tolist() == [9, 11, 30, 20.5, 30]
    assert frame["diversity"].tolist() == [0.5, 1, 0.75, 0.875, 0.75]
    assert best(STUDENTS) == 1
    assert table(SINGLE, [])["model"].tolist() == ["single"]
    assert table(None, STUDENTS)["model"].tolist()[0] == "student 1"


def test_the_best_is_chosen_by_the_validation_crops():
    students = with_validation(7.0, 8.0)
    assert best(students) == 0
    frame = table(None, students)
    assert frame["validation_frechet"].tolist() == [7, 8, 7.5, 7]
    assert frame["frechet"].tolist() == [6, 2, 4, 6]
    unknown = [{**student, "near_copies": None} for student in students]
    assert table(None, unknown)["near_copies"].isna().all()


def test_what_is_printed_and_written(tmp_path, capsys):
    write_table(tmp_path, table(SINGLE, STUDENTS), "net", "SAGAN on tests")
    shown = capsys.readouterr().out
    assert "SAGAN on tests" in shown and "frechet_" in shown and "near-copies" in shown
    rows = {line[:10].strip(): line[10:].split() for line in shown.splitlines()}
    assert rows["student 2"] == ["2.00", "0.3000", "±", "0.0200", "30", "0.75"]
    assert rows["mean"] == ["4.00", "0.2000", "20.5", "0.88"]
    frame = pd.read_csv(tmp_path / "table.csv")
    names = ["frechet_net", "kid_net", "kid_net_std", "near-copies", "diversity"]
    assert list(frame) == ["model", *names]
    with Image.open(tmp_path / "table.png") as image:
        assert image.width > 400
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "table.png"}


def test_distances_to_validation_crops_are_shown(tmp_path, capsys):
    unknown = [{**each, "near_copies": None} for each in with_validation(7.0, 8.0)]
    write_table(tmp_path, table(None, unknown), "net", "SAGAN on tests")
    shown = capsys.readouterr().out
    assert "validation" in shown and "7.50" in shown and " - " in shown
    assert "validation_frechet_net" in pd.read_csv(tmp_path / "table.csv")


def test_sweep_of_rho(tmp_path, capsys):
    runs = {0.03: with_validation(7.0, 8.0), 0.1: with_validation(5.0, 9.0)}
    results = {
        rho: {
            "models": {f"student {i}": each for i, each in enumerate(students, 1)},
            "network": "net", "set": "tests", "steps": 10, "samples": 20, "held_out": 4,
        }
        for rho, students in runs.items()
    }  # fmt: skip
    write_sweep(tmp_path, results)
    frame = pd.read_csv(tmp_path / "rho.csv")
    assert frame["rho"].tolist() == [0.03, 0.1]
    assert frame["mean_frechet"].tolist() == [7.5, 7]
    assert frame["best_frechet"].tolist() == [7, 5]
    assert frame["near_copies"].tolist() == [20.5, 20.5]
    shown = capsys.readouterr().out
    assert "2 students on tests, 10 steps" in shown and "0.03" in shown and "0.4000" in shown


def test_a_row_for_each_gan(tmp_path):
    rows = [np.full((3, 64, 64, 3), level, np.uint8) for level in (10, 200)]
    sample_rows(tmp_path / "rows.png", rows)
    page = np.asarray(Image.open(tmp_path / "rows.png"))
    assert page.shape[1] > 3 * 64 and page[0, 0, 0] == 10 and page[-1, -1, 0] == 200


def test_figures_of_a_run(tmp_path, capsys):
    images = np.zeros((6, 16, 16, 3), np.uint8)
    crops = Crops("tests", ("a",), images, np.zeros(6, int), tuple("abcdef"))
    config = Config(batch_size=2, steps=10, every=4, score_images=2000)
    extractor = SimpleNamespace(name="net", digest="abc")
    measured = {"single": SINGLE} | {f"student {i}": e for i, e in enumerate(STUDENTS, 1)}
    for threshold in (0.9, None):
        figures = report(config, tmp_path, Data(crops), extractor, measured, threshold)
        shown = capsys.readouterr().out
        assert "SAGAN on tests, 12 steps, 2000 samples, 6 real" in shown
        assert ("near-copies: of 1000 samples" in shown) == (threshold is not None)
    assert figures["models"] == measured and figures["best"] == 2
    known = {name: figures[name] for name in ("network", "network_sha256", "steps", "held_out")}
    assert known == {"network": "net", "network_sha256": "abc", "steps": 12, "held_out": 0}
