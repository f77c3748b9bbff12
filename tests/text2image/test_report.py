import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.text2image import report

GREY = (report.PAGE,) * 3


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def middle(page, column, row, real=False):
    """Colour in the middle of a picture."""
    side = report.SIDE
    left = column * (side + 2 * report.GAP) + (report.WIDE if real else 0)
    top = row * (side + report.LINE + 2 * report.GAP)
    return tuple(page[top + side // 2, left + side // 2].tolist())


@pytest.fixture
def pictures():
    """Slot 1 has grey level 10, slot 2 has 20, ..., in the second sentence 100 more."""
    values = np.arange(1, 7) * 10 + np.array([[0], [100]])
    return np.broadcast_to(values[..., None, None, None], (2, 6, 32, 32, 3)).astype(np.uint8)


def test_pictures_stand_above_their_words(tmp_path, pictures):
    real = np.full((2, 32, 32, 3), 200, np.uint8)
    path = tmp_path / "grid.png"
    report.word_grid(path, ["a pink, pink flower!", "One two"], pictures, real)
    page = pixels(path)
    column = 64 + 2 * report.GAP
    assert page.shape[1] == 5 * column + report.WIDE  # four words and the real image
    assert [middle(page, i, 0) for i in range(4)] == [(v,) * 3 for v in (30, 40, 50, 60)]
    # the shorter one ends at the right, and nothing stands for its padding
    expected = [GREY, GREY, (150,) * 3, (160,) * 3]
    assert [middle(page, i, 1) for i in range(4)] == expected
    assert middle(page, 4, 0, real=True) == middle(page, 4, 1, real=True) == (200,) * 3
    # the last picture is framed, no other
    red = (page == report.FRAME).all(axis=-1)
    at = np.flatnonzero(red.any(axis=0))
    assert (at.min(), at.max()) == (3 * column, 4 * column - 1)
    assert red[0, at].all() and red[64 + 2 * report.GAP - 1, at].all()
    # words are written beneath
    below = page[64 + 2 * report.GAP : 64 + 2 * report.GAP + report.LINE]
    for i in range(4):
        assert below[:, i * column : (i + 1) * column].min() < 128
    assert (page[-report.LINE :, : 2 * column] == 255).all()


def test_long_sentences_are_cut_and_long_words_fitted(tmp_path, pictures):
    real = np.zeros((2, 32, 32, 3), np.uint8)
    words = "Donaudampfschifffahrtsgesellschaft magnificently çiçek цветок five six seven"
    report.word_grid(tmp_path / "grid.png", [words, "a"], pictures, real)
    page = pixels(tmp_path / "grid.png")
    assert page.shape[1] == 7 * (64 + 2 * report.GAP) + report.WIDE
    assert [middle(page, i, 0)[0] for i in range(6)] == [10, 20, 30, 40, 50, 60]
    font, text = report._fitting("Donaudampfschifffahrtsgesellschaft", 68)
    assert text.startswith("Donau") and text.endswith("…") and font.getlength(text) <= 68
    smaller, text = report._fitting("magnificently", 80)
    assert text == "magnificently" and report.SMALLEST <= smaller.size <= report.FONT


def test_refuses_and_leaves_nothing_behind(tmp_path, pictures):
    path, real = tmp_path / "grid.png", np.zeros((2, 32, 32, 3), np.uint8)
    for sentences, wrong, message in (
        (["one"], pictures, "pictures .N, W, S, S, 3. of N sentences"),
        (["one", "two"], pictures[:, 0], "pictures .N, W, S, S, 3. of N sentences"),
        (["one", "two"], pictures / 255, "must be uint8"),
        (["one", "..."], pictures, "words in each sentence"),
    ):
        with pytest.raises(ValueError, match=message):
            report.word_grid(path, sentences, wrong, real)
    with pytest.raises(InputError, match="cannot be written"):
        report.word_grid(tmp_path / "no" / "a.png", ["one", "two"], pictures, real)
    assert not list(tmp_path.iterdir())


def test_tables(tmp_path, capsys):
    figures = {
        "matched": 0.25, "shuffled": 0.5, "ratio": 0.5, "nearer": 87.5, "mean_image": 0.4,
        "diversity": 0.45, "real_diversity": 0.55, "captions": 40, "images": 8,
    }  # fmt: skip
    colours = {
        key + kind: value
        for key, values in {"petals": (90, 12, 12.5), "centres": (80.04, 20, 20),
                            "both": (75, 5, 2.5)}.items()
        for kind, value in zip(("", "_chance", "_uniform"), values, strict=True)
    }  # fmt: skip
    report.write_table(tmp_path, {"full [mean]": figures | colours, "gnn": figures}, "flowers")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    row = ["0.250", "0.500", "0.500", "87.5", "0.400", "0.450", "0.550"]
    assert ["gnn", *row] in lines and ["full", "[mean]", *row] in lines
    assert "full [mean] 90.0 (12.0) 80.0 (20.0) 75.0 (5.0)".split() in lines
    assert [line[0] for line in lines if line].count("gnn") == 1
    frame = pd.read_csv(tmp_path / "table.csv")
    assert list(frame["model"]) == ["full [mean]", "gnn"]
    assert frame["both_chance"][0] == 5 and np.isnan(frame["both"][1])
    assert (frame["captions"] == 40).all()
