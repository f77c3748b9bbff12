from pathlib import Path

import keras_gans
from keras_gans.commands.models import PACKAGE, default_model, shown


def test_own_models_go_before_those_that_come_with_the_package(saved_models):
    installed = default_model("dscnn")
    assert installed.is_absolute() and (installed / "1" / "saved_model.pb").is_file()
    (saved_models / "dscnn").mkdir()
    assert default_model("dscnn") == Path("saved_models/dscnn")
    assert default_model("none") == Path("saved_models/none")


def test_messages_name_no_folder_of_an_installation(tmp_path):
    assert PACKAGE == Path(keras_gans.__file__).parent
    for folder in (PACKAGE, PACKAGE.parent):
        assert shown(folder / "saved_models" / "dscnn") == "keras_gans' own saved_models/dscnn"
    assert shown(tmp_path) == str(tmp_path)
    assert shown(Path("saved_models/dscnn")) == "saved_models/dscnn"
