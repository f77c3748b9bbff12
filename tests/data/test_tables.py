import pytest

from keras_gans.data.tables import flag, read_lines, read_rows, whole_number
from keras_gans.errors import InputError


def test_lines_of_any_system(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\ntwo\r\rvier ü\n\n \n".encode())
    assert read_lines(path) == ["one", "two", "", "vier ü"]
    path.write_bytes(b"one\n\xff\n")
    with pytest.raises(InputError, match="a.txt: line 2: not UTF-8: save"):
        read_lines(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path / "none.txt")


def test_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('Name , R,Class:Crack\n"a, b", 1,x\n\n  ,,\nc,2,"y\nz"\n', encoding="utf-8")
    columns, rows = read_rows(path, ["name", "r"], ["fold"])
    assert columns == ("name", "r", "Class:Crack")
    assert rows == [
        (f"{path}: line 2", {"name": "a, b", "r": "1", "Class:Crack": "x"}),
        (f"{path}: line 6", {"name": "c", "r": "2", "Class:Crack": "y\nz"}),
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "a.csv: no column name; expected: name, r and, if wanted, fold. Received: none"),
        ("name,fold\n", "a.csv: no column r; .* Received: name, fold"),
        ("name,r,R\n", "a.csv: two columns are called r"),
        ("name,r\na,1\nb\n", r"a.csv: line 3: 2 cells are expected \(name, r\), these are 1"),
        ('name,r\n"a,1\n', "a.csv: line 2: .*: mend the line"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path / "a.csv", ["name", "r"], ["fold"])


def test_cells():
    assert whole_number("12", "x", "a") == 12 and flag("1", "crack", "a")
    assert not flag("0", "crack", "a")
    for text in ("-1", "1.5", "", "²"):
        with pytest.raises(InputError, match="a: x is '.*', a whole number is expected"):
            whole_number(text, "x", "a")
    for text in ("", "2", "yes"):
        with pytest.raises(InputError, match="a: crack is (2|yes|empty), 0 or 1 is expected"):
            flag(text, "crack", "a")
