import pytest


@pytest.fixture
def none_installed(tmp_path, monkeypatch):
    """No model comes with keras_gans."""
    monkeypatch.setattr("keras_gans.commands.models.PACKAGE", tmp_path / "package" / "none")


@pytest.fixture
def saved_models(tmp_path, monkeypatch):
    """A working folder with an empty `saved_models/`, which is returned."""
    folder = tmp_path / "work" / "saved_models"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    return folder
