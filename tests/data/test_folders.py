import threading

import pytest

from keras_gans.data.folders import images_in, in_threads, natural, subfolders, visible
from keras_gans.errors import InputError


def test_natural_order():
    names = ["10", "b", "A", "2", "a2", "a10"]
    assert sorted(names, key=natural) == ["2", "10", "A", "a2", "a10", "b"]


def test_what_lies_in_a_folder(tmp_path):
    for name in ("b.PNG", "a.jpg", "c.bmp", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    for name in ("two", "one", ".git", "folder.png"):
        (tmp_path / name).mkdir()
    assert [path.name for path in images_in(tmp_path)] == ["a.jpg", "b.PNG"]
    assert [path.name for path in images_in(tmp_path, (".bmp",))] == ["c.bmp"]
    assert [path.name for path in subfolders(tmp_path)] == ["folder.png", "one", "two"]
    assert all(not path.name.startswith(".") for path in visible(tmp_path))
    with pytest.raises(InputError, match="gone: cannot be read"):
        visible(tmp_path / "gone")


def test_threads_keep_the_order_and_pass_errors_on():
    gate = threading.Event()

    def read(item):
        if item == 0:
            gate.wait(10)  # the first is done last
        else:
            gate.set()
        if item == 5:
            raise ValueError("five")
        return item

    assert list(in_threads(read, [0, 1, 2, 3])) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="five"):
        list(in_threads(read, range(9)))
