"""The script as a user runs it: in processes of its own, on small data."""

import json
import re

import numpy as np
import pytest
from PIL import Image

import train_dscnn
from keras_gans.dscnn.config import Config, StudyConfig
from keras_gans.training.settings import parse
from studies import dscnn as study
from tests.runs import Process, Script, equal_checkpoints, helps_at_once, read_json

SMALL = "--patch-size 16 --modules 1 --patches 96 --batch-size 16 --augment --export None"


@pytest.fixture
def data(tmp_path):
    """Random textures of 16x16 pixels under random lights, in two folds."""
    rng = np.random.default_rng(0)
    lights = rng.uniform(0.3, 1, (24, 3))
    textures = rng.uniform(0.2, 1, (24, 16, 16, 3))
    np.savez(
        tmp_path / "small.npz",
        images=(lights[:, None, None] * textures).astype(np.float32),
        illuminants=lights,
        fold=np.arange(24) % 2,
        camera=np.array(["a"] * 24),
        names=np.array([f"image{i}" for i in range(24)]),
    )
    return tmp_path / "small.npz"


def test_resume_after_sigkill_equals_the_run_never_interrupted(
    tmp_path, data, monkeypatch, capsys
):
    arguments = [f"--data {data} --epochs 3", SMALL]
    whole = Process("train_dscnn", tmp_path, "whole", *arguments, "--run-dir whole")
    # what a SIGKILL in the third training, in the midst of its third epoch would leave
    log = tmp_path / "whole" / "fold-1" / "metrics.jsonl"
    whole.wait_for(lambda: log.exists() and log.read_text().count("\n") >= 2)
    whole.copy("whole", "parts")
    assert not (tmp_path / "parts" / "errors.csv").exists()

    again = [*arguments, "--run-dir parts --resume"]
    resumed = Process("train_dscnn", tmp_path, "parts", *again).finish()
    output = whole.finish()
    goes_on = re.search(r"fold-1: 3 epochs .* going on after epoch (\d+)", resumed)
    assert 1 <= int(goes_on[1]) < 3  # the second checkpoint may not have been complete
    assert "paper: 3 epochs of 4 steps, going on after epoch 3" in resumed
    trainings = sorted(log.parent.name for log in tmp_path.glob("whole/*/metrics.jsonl"))
    assert trainings == ["all", "fold-0", "fold-1", "paper"]
    for training in trainings:
        theirs = equal_checkpoints(
            *(tmp_path / name / training / "checkpoints" for name in ("parts", "whole"))
        )
        assert len(theirs) > 30
        rows = (tmp_path / "parts" / training / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(row)["epoch"] for row in rows] == [1, 2, 3]
    figures = [(tmp_path / run / "result.json").read_text() for run in ("whole", "parts")]
    assert figures[0] == figures[1]

    # what a finished run must hold, and how it refuses other settings
    for protocol in ("paper", "held-out"):
        assert f"protocol `{protocol}`" in output
    for picture in ("error_curves.png", "samples.png"):
        assert (tmp_path / "whole" / picture).read_bytes().startswith(b"\x89PNG")
    script = Script(train_dscnn, Config, monkeypatch, capsys)
    changed = [*arguments, f"--run-dir {tmp_path}/parts --resume --learning-rate 0.5"]
    assert "--learning-rate was 0.001, now 0.5" in script.refused(*changed)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data missing", "missing: no such file or folder"),
        ("--data empty", "empty: the folder is empty"),
        ("--data small.npz --run-dir small.npz/x", "small.npz/x: cannot be written"),
        ("--data small.npz --resume", "no run to resume; start one without --resume"),
        ("--data small.npz --modules 6", "--modules must be from 1 to 5. Received: 6"),
        ("--data small.npz --export small.npz/x", "a file, where a folder is needed"),
        ("--data missing --export new/x", "missing: no such file"),
        ("--data small.npz --learning-rate -1", "--learning-rate must be"),
        ("--data small.npz --augmentation.crop 0", "--augmentation.crop must be"),
        ("--photos", "--photos needs --data"),
        ("--photos --any-camera --data small.npz", "leave out --any-camera"),
        ("--data small.npz --halved 1 --patch-size 17", "--halved needs an even --patch-size"),
    ],
)
def test_bad_input(tmp_path, data, arguments, message, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    script = Script(train_dscnn, Config, monkeypatch, capsys)
    assert message in script.refused(arguments)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_given_goes_before_the_presets():
    config = parse(Config, ["--data", "x", "--any-camera", "--augmentation.mix", "0.2"])
    assert (config.halved, config.epochs, config.augmentation.cameras) == (48, 10, 0.6)
    assert config.augmentation.mix == 0.2 and config.augmentation.relight == 0.7
    config = parse(Config, ["--data", "x", "--photos", "--epochs", "3"])
    assert (config.halved, config.epochs, config.augmentation.cameras) == (48, 3, 0)
    assert parse(Config, ["--data", "x"]).halved == 0  # the paper's


@pytest.mark.slow
def test_two_sets_of_unseen_cameras(tmp_path, data, monkeypatch, capsys):
    monkeypatch.setattr("keras_gans.dscnn.export.PRECISIONS", ("float32",))
    monkeypatch.setattr("keras_gans.dscnn.export.FORMS", ("images",))
    other = dict(np.load(data), camera=np.array(["b"] * 24))
    np.savez(tmp_path / "other.npz", **other)
    script = Script(train_dscnn, Config, monkeypatch, capsys)
    output = script.start(
        f"--data {data} {tmp_path}/other.npz --protocols unseen-camera --halved 1 --epochs 1",
        SMALL.replace("--export None", f"--export {tmp_path}/models"),
        f"--validation-share 0 --augmentation.cameras 0.5 --run-dir {tmp_path}/run",
    )
    assert "by tenth of confidence, unseen-camera" in output
    trainings = sorted(log.parent.name for log in tmp_path.glob("run/*/metrics.jsonl"))
    assert trainings == ["all", "unseen-0", "unseen-1"]
    assert len(list(tmp_path.glob("run/*/halved/metrics.jsonl"))) == 3
    result = read_json(tmp_path / "run", "result.json")
    assert [row["camera"] for row in result["cameras"]] == ["a", "b"]
    tenths = [row["confidence"] for row in result["tenths"]]
    assert len(tenths) == 10 and tenths == sorted(tenths)
    card = read_json(tmp_path / "models/dscnn/1/assets.extra", "model.json")
    assert card["view"] == "whole" and len(card["confidence"]) == 5 and "sure" not in card


@pytest.mark.parametrize("command", ["train_dscnn.py", "studies.dscnn"])
def test_help_without_tensorflow(command):
    assert helps_at_once(command)


@pytest.mark.slow
def test_study(tmp_path, data, monkeypatch, capsys):
    """Every variant once; a study that goes on trains nothing again."""
    monkeypatch.setattr(study, "MODULES", (1, 2))
    script = Script(study, StudyConfig, monkeypatch, capsys)
    arguments = f"--data {data} --epochs 1 --run-dir {tmp_path}/run", SMALL
    output = script.start(*arguments)
    assert "ablation on small, 1 epochs" in output
    table = read_json(tmp_path / "run", "result.json")["table"]
    assert [row["network"] for row in table] == [
        "baseline", "skip connection", "standard convolutions", "2 modules"
    ]  # fmt: skip
    assert all(row["mean error, seen"] > 0 and row["parameters"] > 0 for row in table)
    monkeypatch.delattr(study, "train")
    script.start(*arguments, "--resume")
    assert read_json(tmp_path / "run", "result.json")["table"] == table


def test_scene_smaller_than_a_patch(tmp_path, data, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = Script(train_dscnn, Config, monkeypatch, capsys)
    line = script.refused(f"--data {data} --patch-size 32")
    assert "image0: the image is 16x16, smaller than a patch of 32x32" in line
    assert not any((tmp_path / "runs" / "train_dscnn").iterdir())


@pytest.mark.slow
def test_photos_are_tested_on_those_held_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("keras_gans.dscnn.photo_casts.AT_LEAST", 1)
    (tmp_path / "photos").mkdir()
    for number, block in enumerate(np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3))):
        photo = Image.fromarray(block.astype(np.uint8)).resize(
            (32, 32), Image.Resampling.NEAREST
        )
        photo.save(tmp_path / "photos" / f"{number:02}.png")
    script = Script(train_dscnn, Config, monkeypatch, capsys)
    arguments = f"--photos --data {tmp_path}/photos --epochs 1 --run-dir {tmp_path}/run"
    output = script.start(arguments, SMALL)
    assert "fold-1: 56 scenes" in output  # 14 photos, 4 renderings each
    assert "photos, 8 scenes" in output  # 4 photos, twice
    assert (tmp_path / "run" / "errors.csv").read_text().count("\n") == 9
