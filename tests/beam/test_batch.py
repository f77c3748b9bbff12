"""The commands on many files: by the DirectRunner, beside the commands themselves."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_gans.commands.batch import with_options
from tests.commands.calls import calls

run, fails = calls("batch")
HERE = ["--", "--direct_running_mode=in_memory"]
RNG = np.random.default_rng(0)


def save(path, colour=True, size=(64, 70)):
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = RNG.integers(60, 200, (*size, 3) if colour else size).astype(np.uint8)
    Image.fromarray(levels).save(path)
    return path


def alike(folder, other):
    """Whether two folders hold the same pictures."""
    pictures = [sorted(Path(each).rglob("*.[pj]*g")) for each in (folder, other)]
    assert [each.name for each in pictures[0]] == [each.name for each in pictures[1]]
    return all(one.read_bytes() == two.read_bytes() for one, two in zip(*pictures))


def bad_files(out):
    lines = Path(out, "bad.jsonl").read_text().splitlines()
    return {row["file"]: row["reason"] for row in map(json.loads, lines)}


def table_of(path):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


@pytest.fixture
def here(tmp_path, monkeypatch):
    pytest.importorskip("apache_beam")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def surfaces(here):
    """18 surfaces, a JPEG that was cut, a text that is named as a picture."""
    for k in range(18):
        save(here / "in" / f"{k:02}.png", colour=False)
    whole = save(here / "cut.jpg", colour=False).read_bytes()
    Path("in/cut.jpg").write_bytes(whole[: len(whole) // 2])
    Path("in/text.png").write_text("no picture")
    return here / "in"


def test_a_batch_is_the_command_and_goes_on(surfaces, capsys):
    printed = run(capsys, "detect", "in/*", "--out", "out", *HERE).out
    assert printed == "18 done, listed in out/detections.csv; 2 bad, in out/bad.jsonl\n"
    bad = bad_files("out")
    assert list(bad) == ["in/cut.jpg", "in/text.png"]
    assert (
        "truncated or damaged JPEG" in bad["in/cut.jpg"] and "in/cut.jpg" in bad["in/cut.jpg"]
    )
    assert "this is something else" in bad["in/text.png"]
    for name in bad:
        Path(name).rename(Path(name).name)
    calls("detect")[0](capsys, "in", "--out", "found")
    assert alike("out", "found")
    table = Path("out/detections.csv").read_bytes()
    assert table == Path("found/detections.csv").read_bytes()

    # a rerun: one result was lost, one file is new, one was mended; one is a result's namesake
    Path("out/03_mask.png").unlink()
    written = Path("out/04_mask.png").stat().st_mtime_ns
    save(surfaces / "99.png", colour=False)
    save(surfaces / "text.png", colour=False)
    save(surfaces / "99.bmp", colour=False)
    printed = run(capsys, "detect", "in/*", "--out", "out", *HERE).out
    assert printed == "19 done, listed in out/detections.csv; 2 bad, in out/bad.jsonl\n"
    assert Path("out/03_mask.png").read_bytes() == Path("found/03_mask.png").read_bytes()
    assert Path("out/04_mask.png").stat().st_mtime_ns == written
    bad = bad_files("out")
    assert (
        list(bad) == ["in/99.bmp", "in/99.png"] and "both would be written" in bad["in/99.png"]
    )
    names = [row["file"] for row in table_of("out/detections.csv")]
    assert names == sorted(set(names)) and len(names) == 19 and "in/text.png" in names
    assert not list(Path("out").rglob(".*.part"))

    error = fails(capsys, "detect", "in/*", "--out", "out", "--min-area", "3", *HERE)
    assert "out/batch.json: made with another models and settings: give another --out" in error


def test_white_balance_of_folders(here, capsys):
    save(here / "in" / "a.jpg")
    save(here / "in" / "a.png")
    save(here / "in" / "b" / "a.png", size=(80, 64))
    save(here / "in" / "b" / "small.png", size=(8, 8))
    deep = RNG.integers(0, 2**16, (64, 64, 3)).astype(np.uint16)
    from keras_gans.data.write import write_image

    write_image(here / "in" / "deep.png", deep)
    run(capsys, "white-balance", "in/**", "--out", "out", *HERE)
    assert list(bad_files("out")) == ["in/b/small.png"]
    Path("in/b/small.png").unlink()
    rows = []
    for folder in (".", "b"):
        arguments = ["in/" + folder, "--out", f"found/{folder}", "--json"]
        rows += json.loads(calls("white-balance")[0](capsys, *arguments).out)
    assert alike("out", "found")
    table = table_of("out/illuminants.csv")
    assert [row["file"] for row in table] == sorted(row["file"] for row in rows)
    expected = {row["file"]: row for row in rows}
    for row in table:
        mine = expected[row["file"]]
        assert row["illuminant"] == " ".join(map(str, mine["illuminant"]))
        assert float(row["strength"]) == mine["strength"] and row["kind"] == mine["kind"]
        assert row["map"] == mine["map"].replace("found", "out")


def test_classes_of_names_of_any_bytes(here, capsys):
    for name in ("one.png", "2, zwei.png", b"\xff.png".decode("utf-8", "surrogateescape")):
        save(here / "in" / name)
    run(capsys, "classify", "in", "--out", "out", *HERE)
    calls("classify")[0](capsys, "in", "--out", "classes.csv")
    expected = Path("classes.csv").read_text().splitlines()
    assert sorted(Path("out/classes.csv").read_text().splitlines()) == sorted(expected)
    assert bad_files("out") == {}


def test_defects_of_names_of_any_bytes_and_a_pipe(surfaces, capsys):
    odd = b"in/\xff.png".decode("utf-8", "surrogateescape")
    shutil.copy("in/00.png", odd)
    os.mkfifo("in/pipe.png")
    run(capsys, "detect", "in", "--out", "out", *HERE)
    assert Path("out", Path(odd).stem + "_mask.png").exists()
    assert {Path(name).name for name in bad_files("out")} == {"cut.jpg", "text.png", "pipe.png"}


def test_inputs_that_cannot_be(surfaces, capsys):
    for arguments, message in (
        (["in/*", "--out", "."], "the inputs lie there"),
        (["in/*", "gs://b/*", "--out", "o"], "reaches no such file system"),
        (["in/*", "--out", "odd://b"], "reaches no such file system"),
        (["in/*", "--out", "in/00.png"], "a file, where a folder is needed"),
        (["in/*", "--out", "o", "--min-area", "0"], "at least 1 pixel"),
        (["in/*", "--out", "o", "--model", "in"], "no SavedModel"),
    ):
        assert message in fails(capsys, "detect", *arguments, *HERE)
    assert not Path("o").exists()
    assert "o/*.png: no such file" in fails(capsys, "detect", "o/*.png", "--out", "p", *HERE)
    assert not Path("p").exists()


def test_buckets(here, capsys):
    from apache_beam.io.filesystem import FileMetadata
    from apache_beam.io.localfilesystem import LocalFileSystem

    class Bucket(LocalFileSystem):
        """bucket://a/b is ./a/b; as in a bucket, there are no folders."""

        scheme = staticmethod(lambda: "bucket")
        has_dirs = staticmethod(lambda: False)

        def _list(self, prefix):
            for path in Path().rglob("*.*"):
                if path.is_file() and f"bucket://{path}".startswith(prefix):
                    yield FileMetadata(f"bucket://{path}", path.stat().st_size)

        def _path_open(self, path, *arguments):
            return super()._path_open(path[9:], *arguments)

        def create(self, path, *arguments, **named):
            Path(path[9:]).parent.mkdir(parents=True, exist_ok=True)
            return self._path_open(path, "wb")

        def exists(self, path):
            return Path(path[9:]).is_file()

        def rename(self, sources, targets):
            super().rename([each[9:] for each in sources], [each[9:] for each in targets])

        def delete(self, paths):
            for path in paths:
                Path(path[9:]).unlink()

    for name in ("1.png", "2.png", "a/1.png", "a/2.jpg"):
        save(here / "in" / name, colour=False)
    Path("in/a/3.png").write_text("")
    for _ in range(2):  # the second has nothing to do
        printed = run(
            capsys, "detect", "bucket://in/**", "--out", "bucket://in/out/", *HERE
        ).out
        assert printed.startswith("4 done, listed in bucket://in/out/detections.csv; 1 bad")
        assert len(list(Path("in/out/records").glob("done-*"))) == 1
    assert list(bad_files("in/out")) == ["bucket://in/a/3.png"]
    Path("in/a/3.png").unlink()
    for folder in (".", "a"):
        calls("detect")[0](capsys, f"in/{folder}", "--out", f"found/{folder}")
    assert alike("in/out", "found")
    assert [row["file"] for row in table_of("in/out/detections.csv")] == [
        f"bucket://in/{name}" for name in ("1.png", "2.png", "a/1.png", "a/2.jpg")
    ]


def test_names(here):
    from keras_gans.beam.files import matches, pattern_of, plain, root_of
    from keras_gans.beam.transforms import _key

    assert root_of(["gs://b/x/**.png", "gs://b/y[0-9]/*"]) == "gs://b"
    assert root_of(["*.png"]) == "" and root_of(["/a/b/*.png"]) == "/a/b"
    assert plain("gs://b//c/") == "gs://b/c" and pattern_of("gs://b/c/") == "gs://b/c/*"
    save(here / "one.png")
    save(here / "a" / "two.png")
    assert list(matches("*.png")) == ["one.png"]
    assert sorted(matches("./**.png")) == ["a/two.png", "one.png"]
    names = ["r/a/x.JPG", "r/a/x.png_map.png", "r/a/X_map.png", "r/a/x_overlay.tif"]
    assert {_key(name, "r") for name in names} == {("a", "x")}
    assert _key("r/x.2.png", "r") == ("", "x.2")


def test_the_models_are_loaded_without_tensorflow():
    pytest.importorskip("apache_beam")
    code = (
        "import sys; from keras_gans.beam import run, tasks\n"
        "for task in tasks.TASKS.values(): task.of().load()\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_without_beam_one_line_names_the_extra(tmp_path, monkeypatch, capsys):
    for name in [each for each in sys.modules if each.startswith("keras_gans.beam")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("keras_gans.beam", raising=False)
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    error = fails(capsys, "detect", "*.png", "--out", tmp_path / "out")
    assert 'pip install "keras_gans[beam]"' in error


def test_options_stand_behind_two_dashes():
    given = ["batch", "detect", "*", "--out", "o", "--", "--project", "a b"]
    assert with_options(given) == [*given[:5], "--options=--project 'a b'"]
    assert with_options(["detect", "--", "x"]) == ["detect", "--", "x"]
