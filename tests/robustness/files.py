"""What the tests of odd files share."""

import pytest
from PIL import Image

from keras_gans.errors import InputError, printable


def photo(path, value=100, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 50, 50)).save(path)
    return path


def line_of(call, *args, **kwargs):
    """The one line that a call ends with."""
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in printable(error.value)
    return str(error.value)


def fits(value):
    """Whether a record of a run can be used."""
    return all(0 <= each < 10 for each in value["indices"])
