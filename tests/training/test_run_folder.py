import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from keras_gans.errors import InputError
from keras_gans.files import remembered, unfinished, write_json
from keras_gans.training.run_folder import RunFolder, fingerprint


@dataclass(frozen=True)
class Config:
    epochs: int = 3
    data: Path | None = None
    export: Path | None = None
    run_dir: Path | None = None
    resume: bool = False


def new_run(root, **settings):
    with RunFolder("train", Config(**settings), root) as run:
        return run


def test_runs_are_numbered(tmp_path):
    runs = [new_run(tmp_path), new_run(tmp_path)]
    assert [run.path for run in runs] == [tmp_path / "train" / n for n in ("001", "002")]
    recorded = json.loads((runs[0].path / "config.json").read_text())
    assert recorded["settings"] == {"epochs": 3, "data": None}
    assert recorded["environment"]["cores"] >= 1


def test_resume_opens_the_newest_run(tmp_path):
    for _ in range(2):
        new_run(tmp_path, data=Path("x"))
    assert new_run(tmp_path, data=Path("x"), resume=True).path.name == "002"


def test_resume_lists_what_differs(tmp_path):
    new_run(tmp_path)
    with pytest.raises(InputError, match="--epochs was 3, now 4") as error:
        new_run(tmp_path, epochs=4, resume=True)
    assert "--data" not in str(error.value)


def test_resume_without_a_run(tmp_path):
    with pytest.raises(InputError, match="no run to resume"):
        new_run(tmp_path, resume=True)
    with pytest.raises(InputError, match="no such run"):
        new_run(tmp_path, resume=True, run_dir=tmp_path / "mine")


def test_named_folder_must_be_new(tmp_path):
    config = Config(run_dir=tmp_path / "mine")
    with RunFolder("train", config) as run:
        with pytest.raises(InputError, match="exists already"):
            RunFolder("train", config)
        run.path.joinpath("config.json").write_text("{}")
    with pytest.raises(InputError, match="not the settings of a run"):
        RunFolder("train", replace(config, resume=True))
    (tmp_path / "empty").mkdir()
    config = Config(run_dir=tmp_path / "empty")
    with pytest.raises(InputError, match="exists already and is no run"):
        RunFolder("train", config)
    with pytest.raises(InputError, match="not a run; name one"):
        RunFolder("train", replace(config, resume=True))


def test_second_process_in_the_same_folder(tmp_path):
    script = (
        "import sys, types; sys.path.insert(0, sys.argv[1])\n"
        "alone = types.SimpleNamespace(is_chief=lambda: True)  # which imports TensorFlow\n"
        "sys.modules['keras_gans.training.distribute'] = alone\n"
        "from test_run_folder import *\n"
        "from keras_gans.training import run_folder\n"
        "run_folder.environment = dict  # it would import TensorFlow\n"
        "run = RunFolder('train', Config(run_dir=Path(sys.argv[2])))\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    here, folder = str(Path(__file__).parent), tmp_path / "mine"
    with subprocess.Popen(
        [sys.executable, "-c", script, here, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as other:
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(InputError, match="another process is training"):
            RunFolder("train", Config(run_dir=folder, resume=True))
        other.kill()  # as a crash would
    with RunFolder("train", Config(run_dir=folder, resume=True)) as run:
        assert run.path == folder


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "train").write_text("a file in its place")
    with pytest.raises(InputError, match="cannot be written"):
        new_run(tmp_path)


def test_write_json_leaves_the_old_file_when_it_fails(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_what_was_computed_once_is_remembered(tmp_path):
    path, drawn = tmp_path / "new" / "drawn.json", []

    def draw():
        drawn.append(1)
        return {"indices": (3, 1)}

    for _ in range(2):
        assert remembered(path, draw, "abc") == {"indices": [3, 1]}
        assert remembered(tmp_path / "plain.json", lambda: [1.5]) == [1.5]
    assert drawn == [1]
    with pytest.raises(InputError, match="drawn.json: made of other data; start a new run"):
        remembered(path, draw, "abd")


def test_model_card_has_no_path(tmp_path):
    with RunFolder("train", Config(data=tmp_path), tmp_path) as run:
        card = run.model_card("scenes", {"error": 1.5}, student=2)
    assert (card["trained_on"], card["test_figures"]) == ("scenes", {"error": 1.5})
    assert (card["student"], card["settings"]) == (2, {"epochs": 3})
    assert len(card["run"]) == 32


# What bad files and kills leave -------------------------------------------------------------


@pytest.mark.parametrize(
    "content", ["", "[]", "null", "7", '{"settings": []}', '{"a": 1', "[" * 10_000, "\xff"]
)
def test_settings_that_are_none(tmp_path, content):
    run = new_run(tmp_path)
    (run.path / "config.json").write_bytes(content.encode("latin1"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="config.json: ") as error:
        new_run(tmp_path, resume=True)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("resume", [True, False])
def test_bad_input_deletes_only_what_this_process_made(tmp_path, resume):
    path = new_run(tmp_path).path if resume else tmp_path / "train" / "001"
    with pytest.raises(InputError, match="bad"):
        with RunFolder("train", Config(resume=resume), tmp_path):
            raise InputError("bad")
    assert path.exists() is resume


def test_folders_with_other_names_are_no_runs(tmp_path):
    for name in ("\u00b2", "7x", "-1", "9" * 200, "\u0663"):
        (tmp_path / "train" / name).mkdir(parents=True)
    (tmp_path / "train" / "12").touch()
    assert new_run(tmp_path).path.name == "001"
    assert new_run(tmp_path, resume=True).path.name == "001"


def test_no_lock_through_a_link(tmp_path):
    run = new_run(tmp_path)
    (tmp_path / "mine").write_text("mine")
    (run.path / "lock").unlink(missing_ok=True)
    (run.path / "lock").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="lock: not the lock of a run"):
        new_run(tmp_path, resume=True)
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_new_start_cleans_up_after_a_kill(tmp_path):
    run = new_run(tmp_path)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        left = unfinished(run.path / "result.json")
        lost = left.with_name(left.name.replace(str(os.getpid()), str(dead.pid)))
        kept = left.with_name(left.name.replace(str(os.getpid()), str(alive.pid)))
        for path in (lost, kept, run.path / ".x.png.123.part", run.path / "mine.part"):
            path.touch()
        new_run(tmp_path, resume=True)
        alive.communicate(b"")
    names = {path.name for path in run.path.iterdir()} - {"config.json", "lock"}
    assert names == {kept.name, "mine.part"}


def test_an_export_is_done_once(tmp_path, capsys):
    config, written = Config(export=tmp_path / "models"), []

    def write(run, weights):
        folder = run.config.export / "a" / str(len(written) + 1)
        folder.mkdir(parents=True)
        written.append(weights)
        return [folder]

    with RunFolder("train", config, tmp_path) as run:
        run.export(write, 1)
    for _ in range(2):
        with RunFolder("train", replace(config, resume=True), tmp_path) as run:
            run.export(write, 2)
    assert written == [1] and "exported before: " in capsys.readouterr().out
    shutil.rmtree(tmp_path / "models")
    with RunFolder("train", replace(config, resume=True), tmp_path) as run:
        run.export(write, 3)
    assert written == [1, 3]


def test_fingerprint_is_of_settings_and_training(tmp_path):
    runs = [new_run(tmp_path).path, new_run(tmp_path).path, new_run(tmp_path, epochs=4).path]
    first, again, other = (fingerprint(run / "all") for run in runs)
    assert first == again != other
    assert (
        len({first, fingerprint(runs[0] / "fold-0"), fingerprint(runs[0] / "x" / "all")}) == 3
    )
