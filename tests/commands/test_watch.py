"""A line: `detect --watch`, and the limit for a wanted share of false alarms."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from keras_gans.__main__ import main
from keras_gans.commands import detect
from keras_gans.commands.detect import Detector, with_false_alarms
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.commands.watch import FAR, LOG, WINDOW, Scores, distance, watch
from keras_gans.defectgan.detection import Calibration
from keras_gans.errors import InputError
from tests.commands.calls import calls
from tests.commands.test_detect import save, surface

run, fails = calls("detect")


@pytest.fixture
def detector(tmp_path):
    """What is brighter than 200 is a defect; the score is the brightest pixel."""

    def found(images):
        bright = images[..., 0]
        return {"score": np.float32([bright.max()]), "mask": np.uint8(bright > 200) * 255}

    calibration = Calibration(0.0, 50.0, 60.0)
    detector = Detector(tmp_path / "model", 1, 200.0, calibration=calibration)
    detector.__dict__["signature"] = found
    return detector


def listed(out):
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_what_comes_is_inspected_once_and_a_restart_goes_on(tmp_path, detector, capsys):
    folder, out = tmp_path / "line", tmp_path / "out"
    save(folder / "a.png", surface())

    def days():
        yield
        save(folder / "b.png", surface((1, 2, 5, 6)))
        (folder / "c.png").write_bytes(b"\x89PNG cut")
        yield  # a is inspected, the others may still be written
        yield
        save(folder / "a.png", surface((0, 0, 9, 9), size=(30, 40)))  # another part
        yield
        yield

    watch([folder], out, detector, looks=days())
    rows = listed(out)
    assert [row["file"].rsplit("/", 1)[1] for row in rows] == [
        "a.png",
        "b.png",
        "c.png",
        "a.png",
    ]
    assert [row.get("defective") for row in rows] == [False, True, None, True]
    assert rows[1]["boxes"] == [[1, 2, 5, 6]] and rows[1]["limit"] == 200
    assert rows[3]["width"] == 40 and "c.png" in rows[2]["error"]
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["a.png: good, score 100.0", "b.png: defect, score 250.0"]
    assert printed[2].startswith("not inspected: ") and len(printed) == 4
    pictures = {f"{name}_{kind}.png" for name in "ab" for kind in ("mask", "overlay")}
    assert {path.name for path in out.iterdir()} == {LOG, *pictures}

    with open(out / LOG, "a") as file:
        file.write('{"file": "half a li')  # a crash
    save(folder / "d.png", surface())
    watch([folder], out, detector, looks=range(3))
    assert [row["file"] for row in listed(out)[:4]] == [row["file"] for row in rows]
    assert listed(out)[4]["file"] == str(folder / "d.png") and len(listed(out)) == 5


def test_a_file_in_the_place_of_another(tmp_path, detector, capsys):
    """Of the same time, but another size; and with the name of another one's results."""
    folder, out = tmp_path / "line", tmp_path / "out"
    save(folder / "a.png", surface())
    time = (folder / "a.png").stat().st_mtime_ns

    def days():
        yield
        yield
        save(folder / "a.png", surface((0, 0, 9, 9), size=(30, 40)))
        os.utime(folder / "a.png", ns=(time, time))
        yield
        yield
        (folder / "a.png").unlink()
        save(folder / "A.bmp", surface())
        yield
        yield

    watch([folder], out, detector, looks=days())
    good, defective, refused = listed(out)
    assert (good["defective"], defective["defective"]) == (False, True)
    assert good["modified"] == defective["modified"] and good["bytes"] != defective["bytes"]
    assert f"its results would replace those of {folder / 'a.png'}" in refused["error"]


def test_what_failed_is_tried_again_when_it_may_not_fail(tmp_path, detector, monkeypatch):
    folder, out = tmp_path / "line", tmp_path / "out"
    path = folder / "a.png"
    save(path, surface())
    opened, forbidden = detect.open_image, [True]

    def open_image(path, channels):
        reads.append(path.name)
        if forbidden[0]:
            raise InputError(f"{path}: cannot be read (Permission denied)")
        return opened(path, channels)

    def days():
        yield from range(5)
        forbidden[0] = False
        path.chmod(0o600)  # neither its time nor its size
        yield from range(3)

    reads = []
    monkeypatch.setattr(detect, "open_image", open_image)
    watch([folder], out, detector, looks=days())
    assert ["error" in row for row in listed(out)] == [True, False]
    assert reads == ["a.png"] * 2  # not once a look

    forbidden[0] = True
    save(folder / "b.png", surface())
    watch([folder], out, detector, looks=range(3))
    watch([folder], out, detector, looks=range(3))  # fails again: no second row
    forbidden[0] = False
    watch([folder], out, detector, looks=range(3))
    assert ["error" in row for row in listed(out)] == [True, False, True, False]


def test_of_two_images_of_one_name_the_one_that_stays(tmp_path, detector):
    folder, out = tmp_path / "line", tmp_path / "out"
    save(folder / "a.png", surface())
    save(folder / "a.bmp", surface())

    def days():
        yield from range(4)
        (folder / "a.bmp").unlink()
        yield from range(3)

    watch([folder], out, detector, looks=days())
    assert ["error" in row for row in listed(out)] == [True, True, False]


def test_a_folder_written_in_another_way(tmp_path, detector, monkeypatch):
    save(tmp_path / "line" / "a.png", surface())
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    watch([Path("line")], out, detector, looks=range(3))
    watch([tmp_path / "line"], out, detector, looks=range(3))
    monkeypatch.chdir("/")
    watch([tmp_path / "line"], out, detector, looks=range(3))
    assert len(listed(out)) == 1


def test_a_note_when_the_scores_move():
    scores, rng = Scores(), np.random.default_rng(0)
    notes = [scores.add(score) for score in rng.normal(5, 1, 10 * WINDOW)]
    assert not any(notes)
    notes = [scores.add(score) for score in rng.normal(6, 1, 2 * WINDOW)]
    assert [bool(note) for note in notes].count(True) == 2
    medians = [float(word) for word in re.findall(r"\d\.\d", notes[-1])]
    assert medians == pytest.approx([6, 5], abs=0.3)
    assert distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
    assert distance([1, 1], [1, 1]) == 0 and distance([0], [1]) == 1
    same = [distance(*rng.normal(0, 1, (2, WINDOW))) > FAR for _ in range(2000)]
    assert sum(same) <= 8  # once in 1,000


def test_a_limit_for_a_share_of_false_alarms(tmp_path, detector):
    rng = np.random.default_rng(0)
    wanted = FalseAlarms(tmp_path, 0.1)
    flagged = []
    for _ in range(400):
        scores = rng.normal(0, 1, 31)
        flagged.append(scores[-1] > wanted.limit(scores[:-1]))
    assert 0.05 < np.mean(flagged) < 0.13  # 3 of 31
    assert FalseAlarms(tmp_path, 0.5).limit([3, 1, 2]) == 2
    assert FalseAlarms(tmp_path, 0.05).limit(range(19)) == 18
    with pytest.raises(InputError, match="0.05 needs at least 19 images. Received: 18"):
        FalseAlarms(tmp_path, 0.05).limit(range(18))
    with pytest.raises(InputError, match="--false-alarms must be above 0 and below 1"):
        FalseAlarms(tmp_path, 1.0)

    for number in range(9):
        save(tmp_path / "good" / f"{number}.png", surface() + np.uint8(10 * number))
    found = with_false_alarms(detector, FalseAlarms(tmp_path / "good", 0.2))
    assert found.limit == 170  # number 8 of 100 to 180
    found = with_false_alarms(detector, FalseAlarms(tmp_path / "good", 0.9))
    assert found.limit == 100
    save(tmp_path / "dark" / "a.png", surface() // 5)
    found = with_false_alarms(detector, FalseAlarms(tmp_path / "dark", 0.5))
    assert found.limit == 60  # the mask's own level


def test_what_cannot_be_watched(tmp_path, detector):
    save(tmp_path / "line" / "a.png", surface())
    folder = tmp_path / "line"

    def refused(message, *folders, out=tmp_path / "out"):
        with pytest.raises(InputError, match=message):
            watch(folders, out, detector, looks=range(3))

    refused("--watch takes one folder. Received: 2", folder, folder)
    refused("missing: no such folder", tmp_path / "missing")
    refused("would be inspected, too", folder, out=folder)
    for more in ("--json", "--fail-on-defect"):
        with pytest.raises(SystemExit) as stop:
            main(["detect", str(folder), "--out", str(tmp_path / "out"), "--watch", more])
        assert stop.value.code == 2
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / LOG).write_text("a list\nof something\n")
    refused("not a list of this command", folder, out=tmp_path / "list")
    assert (tmp_path / "list" / LOG).read_text() == "a list\nof something\n"
    save(folder / "a.bmp", surface())  # whose results would be those of a.png
    watch([folder], tmp_path / "out", detector, looks=range(3))
    assert ["error" in row for row in listed(tmp_path / "out")] == [True, True]
