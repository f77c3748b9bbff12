import errno
import os

import pytest

from keras_gans.data.reading import Unsupported, reading
from keras_gans.errors import InputError, printable


@pytest.mark.parametrize(
    "raised, message",
    [
        (MemoryError(), "too large for the memory"),
        (NotImplementedError(), "of a form that is not read (NotImplementedError)"),
        (RuntimeError("File 'a' is encrypted"), "of a form that is not read"),
        (Unsupported("12 bits: save it in 8"), "12 bits: save it in 8"),
        (RecursionError(), "truncated or damaged PNG"),
        (OSError("broken data stream"), "truncated or damaged PNG"),
        (OSError(errno.EACCES, "no"), "cannot be read (Permission denied)"),
        (InputError("own message"), "own message"),
    ],
)
def test_any_exception_is_one_line(tmp_path, raised, message):
    path = tmp_path / "a.png"
    path.touch()
    with pytest.raises(InputError) as error, reading(path, "PNG"):
        raise raised
    assert message in str(error.value)
    assert str(error.value).startswith(str(path)) or isinstance(raised, InputError)


def test_a_pipe_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "pipe", "a pipe, socket or device"),
        ("/dev/zero", "a pipe, socket or device"),
        (tmp_path, "a folder"),
        (tmp_path / "missing", "No such file"),
        ("a\0b", "null"),
    ):
        with pytest.raises(InputError, match=message), reading(path, "PNG"):
            raise AssertionError("opened")


def test_printable():
    name = os.fsdecode(b"caf\xe9\n[x]\x1b.png")
    assert printable(name) == "caf\\udce9\\n[x]\\x1b.png"
    assert printable("grün 図.png") == "grün 図.png"
