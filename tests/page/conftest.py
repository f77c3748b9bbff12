import json

import pytest
from PIL import Image

from keras_gans.commands.models import default_model
from keras_gans.page import examples


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """A drawn scene in warm light: a JPEG that says where and when it was taken."""
    path = examples.photos(tmp_path_factory.mktemp("photo"))[0]
    exif = Image.Exif()
    exif[0x010E] = "a wooden wall"
    with Image.open(path) as image:
        image.save(path, quality=92, exif=exif, dpi=(300, 300))
    return path


@pytest.fixture(scope="session")
def balanced(photo, tmp_path_factory):
    """What the command makes of it: (row, folder)."""
    import contextlib
    import io

    from keras_gans.__main__ import main

    out = tmp_path_factory.mktemp("balanced")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main(["white-balance", str(photo), "--out", str(out), "--json"])
    [row] = json.loads(printed.getvalue())
    return row, out


@pytest.fixture
def shipped():
    """Finds out whether a model comes along."""

    def check(name):
        assert default_model(name).is_dir()

    return check
