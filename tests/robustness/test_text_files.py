"""Odd tables, numbers, JSON, word vectors and names: a value, or a line that names the file."""

import gzip
import json
import os
import re

import numpy as np
import pytest

from keras_gans.data.folders import inside
from keras_gans.data.tables import LONGEST, read_lines, read_rows, whole_number
from keras_gans.defectgan.datasets import load_surfaces
from keras_gans.dscnn.datasets import load_scenes
from keras_gans.errors import printable
from keras_gans.files import read_json, remembered
from keras_gans.frgan.config import Config
from keras_gans.frgan.datasets import labelled_subset, load_labelled_images
from keras_gans.frgan.labelled_images import LabelledImages
from keras_gans.okdgan.crop_list import save as save_list
from keras_gans.okdgan.crops import digest
from keras_gans.okdgan.datasets import load_crops, load_list
from keras_gans.text2image.datasets import load_captioned_images
from keras_gans.text2image.vector_files import load_vectors
from tests.robustness.files import fits, line_of, photo

# Text and tables --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        ("name,r\na,1\n".encode("utf-16"), "line 1: not UTF-8"),
        ("name,r\na,1\n".encode("utf-16-le"), "line 1: a zero byte"),
        (b"name,r\na,\0\n", "line 2: a zero byte"),
        (b"name,r\n" + b"a" * (LONGEST + 1) + b",1\n", f"line 2: {LONGEST + 3} characters"),
        (b'name,r\n"' + b"a\n" * 100_000 + b'",1\n', "field larger than field limit"),
        (b"name,r\n\xff,1\n", "line 2: not UTF-8"),
        (b"name,r\na" + b"," * 100, "2 cells are expected"),
        (b"\xef\xbb\xbfname,r\na\n", "line 2: 2 cells"),
    ],
)
def test_odd_tables(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    line = line_of(read_rows, tmp_path / "a.csv", ["name", "r"])
    assert line.startswith(f"{tmp_path / 'a.csv'}: ") and message in line


def test_text_that_is_too_large(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        file.truncate(1 << 40)  # without its bytes on the disk
    line = line_of(read_lines, tmp_path / "a.txt")
    assert "a.txt: more than 256 MiB, too large for a text file" in line


@pytest.mark.parametrize(
    "text", ["1" * 5000, "1" * 16, "-1", "1e3", "²", "٣" * 20, "", " 1", "1_0"]
)
def test_numbers(text):
    """Those of many digits would take Python long, or raise."""
    line = line_of(whole_number, text, "x", "a.csv: line 2")
    assert line.startswith("a.csv: line 2: x is ") and len(line) < 100


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "nan", "-inf", "", "0x10", "ten"])
def test_numbers_in_annotations(tmp_path, number):
    photo(tmp_path / "images" / "a.png")
    size = "<size><width>40</width><height>30</height></size>"
    box = f"<xmin>0</xmin><ymin>0</ymin><xmax>{number}</xmax><ymax>9</ymax>"
    text = (
        f"<a>{size}<object><bndbox>{box}</bndbox><Defect><Crack>1</Crack></Defect></object></a>"
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text(text)
    line = line_of(load_crops, tmp_path, size=8)
    assert "a.xml: object 1: bndbox/xmax is " in line and len(line) < len(str(tmp_path)) + 200


# JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[" * 10**5, b'{"sha256": "abc", "value": NaN}', b"[]", b"null", b"7",
        b'"text"', b'{"value": {}}', b'{"sha256": "abc"}', b'{"sha256": "abc", "value": null}',
        b'{"sha256": "abc", "value": {"indices": 7}}', b"1" * 5000, b"\xff\xfe",
        b'{"sha256": "abc", "value": {"indices": ["a"]}}',
        b'{"sha256": "abc", "value": {"indices": [1e999]}}',
        b'{"sha256": "abc", "value": {"indices": [-1]}}',
    ],
)  # fmt: skip
def test_odd_records(tmp_path, content):
    path = tmp_path / "drawn.json"
    path.write_bytes(content)
    line = line_of(remembered, path, dict, "abc", fits)
    assert f"{path}: truncated or damaged " in line


def test_not_a_number_is_remembered(tmp_path):
    value = {"iou": float("nan"), "best": float("inf")}
    assert str(remembered(tmp_path / "a.json", lambda: value)) == str(value)


def test_json_in_other_encodings(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "a.json").write_text('{"é": 1}', encoding)
        assert read_json(tmp_path / "a.json") == {"é": 1}


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"indices": [], "labels": []}, {"indices": [0], "labels": [0, 1]},
        {"indices": [4], "labels": [0]}, {"indices": [-1], "labels": [0]},
        {"indices": [0.5], "labels": [0]}, {"indices": [True], "labels": [0]},
        {"indices": [0], "labels": [2]}, {"indices": [0], "labels": [-2]},
        {"indices": [[0]], "labels": [0]}, {"indices": "0", "labels": "0"},
        {"indices": [0], "labels": [None]},
    ],
)  # fmt: skip
def test_odd_records_of_labels(tmp_path, value):
    pixels, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 0, 1])
    images = LabelledImages("set", ("a", "b"), pixels, labels, pixels, labels)
    config = Config(labels=2)
    assert len(labelled_subset(config, tmp_path, images)[0]) == 2
    path = tmp_path / "labelled.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"value": value}))
    line = line_of(labelled_subset, config, tmp_path, images)
    assert line.startswith(f"{path}: truncated or damaged record of a run")


@pytest.mark.parametrize(
    "content, message",
    [
        (b"red 1e60 2 3\n", "3 finite numbers are expected"),
        (b"red 1e999 2 3\n", "3 finite numbers are expected"),
        (b"1" * 5000 + b" 3\nred 1 2 3\n", "none of the 1 words"),
        (b"99999999999999 3\nred " + bytes(12), "truncated at vector 2 of 99999999999999"),
        (b"99999999999999 3\nred 1 2 3\n", "truncated: 1 vectors, line 1 says 99999999999999"),
        (b"PK\x03\x04", "not a file of word vectors"),
        ("red 1 2 3\n".encode("utf-16"), "not a file of word vectors"),
        (b"red " + b"1 " * (1 << 20), "not a file of word vectors"),
        (
            gzip.compress(gzip.compress(b"red 1 2 3\n", mtime=0), mtime=0),
            "not a file of word vectors",
        ),
        (gzip.compress(bytes(1 << 26), mtime=0), "not a file of word vectors"),
        (gzip.compress(b"\x80\x04K\x01.", mtime=0), "a pickle, .* give --trust-vectors"),
    ],
)
def test_odd_vectors(tmp_path, content, message):
    (tmp_path / "v").write_bytes(content)
    line = line_of(load_vectors, tmp_path / "v", ["red"])
    assert re.match(f"{tmp_path / 'v'}: .*{message}", line)


# Names ------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path):
    """A list of crops, beside a photo that is none of its folder."""
    photo(tmp_path / "secret.png")
    photo(tmp_path / "set" / "images" / "a.png")
    return tmp_path / "set"


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "../secret", "images/../../secret.png", "{}/secret.png", "//etc/passwd",
     "link.png", "images/link.png", "folder/secret.png", "loop", "..", "x" * 300, "a/" * 200],
)  # fmt: skip
def test_lists_stay_in_their_folder(listed, name):
    os.symlink("../secret.png", listed / "link.png")
    os.symlink("../../secret.png", listed / "images" / "link.png")
    os.symlink("..", listed / "folder")
    os.symlink("loop", listed / "loop")
    (listed / "crops.csv").write_text(f"photo,x,y\n{name.format(listed.parent)},0,0\n")
    line = line_of(load_crops, listed, size=8)
    assert line.startswith(f"{listed / 'crops.csv'}: line 2: ")
    assert "leads out of" in line or "no photo" in line


def test_what_is_inside(tmp_path):
    photo(tmp_path / "b" / "a.png")
    os.symlink("b", tmp_path / "link")
    for name in ("b/a.png", "link/a.png", "./b//a.png", "none.png"):
        assert inside(tmp_path, name, "list") == tmp_path / name
    os.symlink("..", tmp_path / "b" / "up")
    assert "leads out of" in line_of(inside, tmp_path / "b", "up/a.png", "list")
    assert inside(tmp_path / "b", "up/a.png", "list", links=True)


NAMES = [b"caf\xe9", b"a\nb", b"\x1b[31m", b"[bold]", "図 é".encode(), b"a\\nb", b"a,b", b'a"b']


@pytest.mark.parametrize("name", NAMES)
def test_names_of_classes(tmp_path, name):
    name = os.fsdecode(name)
    for part in ("train", "test"):
        for label in (name, "zz"):
            photo(tmp_path / part / label / "1.png")
    images = load_labelled_images(tmp_path, 8)
    assert printable(name) in images.classes and len(images.classes) == 2
    assert "\n" not in "".join(images.classes).encode().decode()


@pytest.mark.parametrize("name", NAMES)
def test_names_in_lists_of_crops(tmp_path, name):
    folder, name = tmp_path / "set", os.fsdecode(name)
    for label in (name, "zz"):
        photo(folder / label / f"{name}.png", 10 + len(label))
    crops = load_crops(folder, 4, 8)
    assert printable(name) in crops.classes and f"{printable(name)}.png" in crops.files[-1]
    save_list(crops, tmp_path / "crops.csv")
    again = load_list(tmp_path / "crops.csv", folder, 8)
    assert digest(again) == digest(crops) and again.files == crops.files


@pytest.mark.parametrize("name", NAMES)
def test_names_of_captioned_images(tmp_path, name):
    folder = tmp_path / os.fsdecode(name)
    for stem in (os.fsdecode(name), "b", "c"):
        photo(folder / f"{stem}.png")
        (folder / f"{stem}.txt").write_text("a red flower\n")
    images = load_captioned_images(folder, 8)
    assert f"{printable(os.fsdecode(name))}.png" in images.files
    "".join((images.name, *images.files)).encode()


@pytest.mark.parametrize(
    "load",
    [load_scenes, load_labelled_images, load_crops, load_captioned_images, load_surfaces],
)
def test_data_that_is_no_folder(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").write_text("a")
    for path in (
        tmp_path / "none",
        tmp_path / "pipe",
        tmp_path / "a.txt",
        tmp_path / ("a" * 300),
    ):
        assert line_of(load, path).startswith(f"{path}: ")
