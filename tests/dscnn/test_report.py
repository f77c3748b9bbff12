import numpy as np

from keras_gans.dscnn.report import error_table


def test_the_papers_rows_stand_below_ours(capsys):
    errors = {"DSCNN": np.arange(1.0, 9.0)}
    alone = error_table(errors, "built-in")
    assert "published" not in capsys.readouterr().out
    table = error_table(errors, "Color Checker", published=True)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "publ" in line]
    assert len(lines) == 16 and ["SVR,", "published", "7.99", "6.67", "14.61"] in lines
    assert ["DSCNN,", "published", "0.67", "0.49", "0.52", "0.16", "1.52", "1.86"] in lines
    assert table.equals(alone)  # what is written is what was measured
