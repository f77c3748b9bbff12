import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_gans.okdgan.report import best, sample_rows, table, write_table

SINGLE = {"frechet": 5.0, "kid": 0.5, "kid_std": 0.05}
STUDENTS = [
    {"frechet": 6.0, "kid": 0.1, "kid_std": 0.01},
    {"frechet": 2.0, "kid": 0.3, "kid_std": 0.02},
]


def test_table_by_hand():
    frame = table(SINGLE, STUDENTS)
    assert frame["model"].tolist() == ["single", "student 1", "student 2", "mean", "best"]
    assert frame["frechet"].tolist() == [5, 6, 2, 4, 2]
    assert frame["kid"].tolist() == pytest.approx([0.5, 0.1, 0.3, 0.2, 0.3])
    assert frame["kid_std"].tolist() == pytest.approx([0.05, 0.01, 0.02, 0.1, 0.02])
    assert best(STUDENTS) == 1
    assert table(SINGLE, [])["model"].tolist() == ["single"]
    assert table(None, STUDENTS)["model"].tolist()[0] == "student 1"


def test_what_is_printed_and_written(tmp_path, capsys):
    write_table(tmp_path, table(SINGLE, STUDENTS), "net", "SAGAN on tests")
    shown = capsys.readouterr().out
    assert "SAGAN on tests" in shown and "frechet_net" in shown
    assert "student 2" in shown and "2.00" in shown and "0.3000 ± 0.0200" in shown
    frame = pd.read_csv(tmp_path / "table.csv")
    assert list(frame) == ["model", "frechet_net", "kid_net", "kid_net_std"]
    with Image.open(tmp_path / "table.png") as image:
        assert image.width > 400
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "table.png"}


def test_a_row_for_each_gan(tmp_path):
    rows = [np.full((3, 64, 64, 3), level, np.uint8) for level in (10, 200)]
    sample_rows(tmp_path / "rows.png", rows)
    page = np.asarray(Image.open(tmp_path / "rows.png"))
    assert page.shape[1] > 3 * 64 and page[0, 0, 0] == 10 and page[-1, -1, 0] == 200
