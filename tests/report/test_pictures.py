import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.frgan.report import print_errors, print_result
from keras_gans.report import pictures as report
from keras_gans.report import tables


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_errors_are_mean_and_sample_scatter(capsys):
    print_errors([("FR-GAN", 500, [13.0, 14.0, 15.0]), ("labels [only]", 1000, [30.25])])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    row = next(line.split() for line in lines if line.startswith("FR-GAN"))
    assert row == ["FR-GAN", "500", "14.00", "±", "1.00", "3"]
    row = next(line.split() for line in lines if line.startswith("labels [only]"))
    assert row == ["labels", "[only]", "1000", "30.25", "1"]
    assert "published" not in "".join(lines)
    print_result({"labels": 500, "test_error": 20.0, "set": "SVHN"}, "FR-GAN")
    printed = capsys.readouterr().out
    assert printed.count("published") == 5 and "7.05 ± 0.30" in printed


def test_grid_puts_images_row_by_row(tmp_path):
    images = np.zeros((5, 32, 32, 3), np.uint8)
    images[..., 0] = np.arange(5)[:, None, None] * 10
    report.sample_grid(tmp_path / "grid.png", images, columns=3)
    picture = pixels(tmp_path / "grid.png")
    assert picture.shape == (2 * 66 - 2, 3 * 66 - 2, 3)
    for number in range(5):
        top, left = number // 3 * 66, number % 3 * 66
        tile = picture[top : top + 64, left : left + 64]
        assert (tile == [number * 10, 0, 0]).all()
    assert (picture[66:, 2 * 66 :] == 255).all() and (picture[64:66] == 255).all()
    # of one channel, and as large as they are
    report.sample_grid(tmp_path / "grid.png", np.full((1, 70, 70, 1), 9, np.uint8))
    assert pixels(tmp_path / "grid.png").shape == (70, 70, 3)


def test_samples_lie_beside_each_other(tmp_path):
    names = ("real", "GAN with regularisation, longer", "FR-GAN")
    grids = {
        name: np.full((4, 32, 32, 3), level, np.uint8)
        for name, level in zip(names, (10, 20, 30), strict=True)
    }
    report.samples_beside(tmp_path / "beside.png", grids, columns=2)
    below = pixels(tmp_path / "beside.png")[report.LINE + 1]
    at = [np.flatnonzero((below == level).all(axis=1)) for level in (10, 20, 30)]
    assert [len(columns) for columns in at] == [128] * 3
    assert at[0].max() < at[1].min() and at[1].max() < at[2].min()
    heading = pixels(tmp_path / "beside.png")[: report.LINE, at[2].min() : at[2].max()]
    assert heading.min() < 100  # a name stands there


def test_refuses_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "grid.png"
    for wrong in (np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)):
        with pytest.raises(ValueError, match="images must be uint8"):
            report.sample_grid(path, wrong)
    with pytest.raises(ValueError, match="there must be an image"):
        report.samples_beside(path, {"real": np.zeros((0, 8, 8, 3), np.uint8)})
    with pytest.raises(InputError, match="cannot be written"):
        report.sample_grid(tmp_path / "no" / "a.png", np.zeros((1, 8, 8, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_csv(tmp_path):
    frame = pd.DataFrame({"row": ["a, b"], "value": [0.5]})
    tables.write_csv(tmp_path / "a.csv", frame)
    assert (tmp_path / "a.csv").read_text() == 'row,value\n"a, b",0.5\n'
