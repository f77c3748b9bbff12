"""What is installed: the package is built without a network, and its command used elsewhere."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[1]
BUILD = """
import sys
from setuptools import build_meta

out = sys.argv[1]  # which building changes
build_meta.build_sdist(out)
build_meta.build_wheel(out)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(sdist, wheel), built in a copy of the source."""
    source = tmp_path_factory.mktemp("source") / "keras_gans"
    left_out = shutil.ignore_patterns(
        ".*", "runs", "build", "dist", "*.egg-info", "__pycache__"
    )
    shutil.copytree(REPOSITORY, source, ignore=left_out)
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-W", "ignore", "-c", BUILD, str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def test_the_sdist_holds_all_that_a_checkout_needs(built):
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    rooms = ("dscnn", "defectgan", "frgan", "okdgan", "text2image")
    assert {f"train_{room}.py" for room in rooms} <= names
    assert {"requirements.txt", "setup.cfg", "tests/conftest.py", "tests/runs.py"} <= names
    assert {"studies/okdgan.py", "saved_models/dscnn/1/saved_model.pb"} <= names


def test_the_wheel_holds_every_package_and_the_models(built):
    names = set(zipfile.ZipFile(built[1]).namelist())
    source = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "keras_gans").rglob("*.py")
    }
    assert source <= names and "keras_gans/py.typed" in names
    shipped = {path.parent.name for path in (REPOSITORY / "saved_models").glob("*/README.md")}
    assert shipped >= {"dscnn", "dscnn-photos", "defectgan", "frgan-classifier", "text2image"}
    for model in shipped:
        assert f"keras_gans/saved_models/{model}/1/saved_model.pb" in names
        assert f"keras_gans/saved_models/{model}/README.md" in names
    assert not any(name.startswith(("tests/", "studies/", "train_")) for name in names)


def test_the_command_works_in_any_folder(built, tmp_path):
    site, folder = tmp_path / "site", tmp_path / "elsewhere"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", site, built[1]], check=True)
    folder.mkdir()
    colours = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    Image.fromarray(colours).resize((128, 96)).save(folder / "photo.png")

    def run(*arguments):
        script = next((site / "bin").glob("keras-gans*"))
        environment = {**os.environ, "PYTHONPATH": str(site)}
        return subprocess.run(
            [sys.executable, script, *arguments],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip

    done = run("white-balance", "photo.png", "--out", "corrected")
    assert (done.returncode, done.stderr) == (0, "") and "1 corrected" in done.stdout
    assert (folder / "corrected" / "photo.png").is_file()
    assert "site" not in done.stdout.replace(str(folder), "")
    done = run("classify", "photo.png")  # by the model that comes along
    assert (done.returncode, done.stderr) == (0, "") and "1 classified" in done.stdout
    done = run("detect", "photo.png", "--out", "found")  # of colours, and the model is grey
    assert done.returncode == 2 and str(site) not in done.stderr
