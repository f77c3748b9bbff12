"""The script as a user runs it: in processes of its own, on small data."""

import dataclasses
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import train_defectgan
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.errors import InputError
from tests.runs import checkpoint_values, kill_when, rows

SCRIPT = train_defectgan.__file__
SMALL = (
    "--image-size 32 --reduce 2 --channels 1 --width 2 --blocks 1 --critic-width 2 --epochs 3 "
    "--steps-per-epoch 30 --critic-warmup 15 --pool 3 --candidates 2 --patch-share 0.5 "
    "--identity-weight 0.5 --weak-labels --flatten 4 --critic local --margin 1 --guided "
    "--baseline-width 2 --baseline-batch-size 2 --segnet-steps 10 --segnet-stages 1 "
    "--cam-steps 10 --cam-stages 1 --mirror turn "
    "--hold-out stain --export None"
)


def command(*arguments):
    return [sys.executable, SCRIPT, *" ".join(map(str, arguments)).split()]


def run(folder, *arguments):
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def data(tmp_path):
    """Noise of 66x70 pixels; bright lines are scratches, dark squares are stains."""
    rng = np.random.default_rng(0)
    for number in range(6):
        save(tmp_path / f"small/positive/{number}.png", rng.integers(90, 120, (70, 66), "u1"))
    for number in range(8):
        kind = ("scratch", "stain")[number % 2]
        image, mask = rng.integers(90, 120, (70, 66), "u1"), np.zeros((70, 66), "u1")
        mask[(np.s_[20:24, 5:60], np.s_[30:50, 20:40])[number % 2]] = 255
        image[mask > 0] = (220, 10)[number % 2]
        save(tmp_path / f"small/negative/{kind}/{number}.png", image)
        save(tmp_path / f"small/masks/{kind}/{number}.png", mask)
    return tmp_path / "small"


def start(monkeypatch, *arguments):
    """Runs the script in this process: what ends before a run folder is made."""
    arguments = " ".join(arguments).split()
    monkeypatch.setattr(sys, "argv", ["train_defectgan.py", "--export", "None", *arguments])
    train_defectgan.main()


def test_resume_after_sigkill_equals_the_run_never_interrupted(
    tmp_path, data, monkeypatch, capsys
):
    arguments = [f"--data {data}", SMALL]
    with ThreadPoolExecutor() as pool:  # beside the run that is killed
        whole = pool.submit(run, tmp_path, *arguments, "--run-dir whole")
        # after the first checkpoint: in the midst of the second epoch
        saved = tmp_path / "parts" / "defectgan" / "checkpoints" / "checkpoint"
        kill_when(saved.exists, command(*arguments, "--run-dir parts"), tmp_path)
        assert not (tmp_path / "parts" / "segnet").exists()

        resumed = run(tmp_path, *arguments, "--run-dir parts --resume")
    whole = whole.result()
    assert whole.returncode == 0, whole.stderr
    assert "testing 5 + 2" in whole.stdout and "training 3 defective + 4 free" in whole.stdout
    assert resumed.returncode == 0, resumed.stderr
    goes_on = re.search(
        r"defectgan: 3 epochs of 30 steps, going on after epoch (\d+)", resumed.stdout
    )
    assert 1 <= int(goes_on[1]) < 3
    for training, epochs in (("defectgan", 3), ("segnet", 10), ("cam", 10)):
        ours = checkpoint_values(tmp_path / "parts" / training / "checkpoints")
        theirs = checkpoint_values(tmp_path / "whole" / training / "checkpoints")
        assert ours.keys() == theirs.keys()
        for name in theirs:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
        optimizers = ["g_optimizer", "d_optimizer"]
        for name in optimizers if training == "defectgan" else ["optimizer"]:
            assert sum(key.startswith(f"{name}/") for key in theirs) > 10
        pools = [value for value in theirs.values() if np.shape(value) == (3, 32, 32, 1)]
        assert len(pools) == 2 * (training == "defectgan")
        log = rows(tmp_path / "parts" / training / "metrics.jsonl")
        assert [row["epoch"] for row in log] == list(range(1, epochs + 1))
    figures = [
        pd.read_json(tmp_path / name / "metrics.jsonl", lines=True)
        for name in ("whole", "parts")
    ]
    timed = ["t_test_ms", "training_seconds"]
    pd.testing.assert_frame_equal(*(table.drop(columns=timed) for table in figures))
    found = [(tmp_path / name / "detections.csv").read_text() for name in ("whole", "parts")]
    assert found[0] == found[1]

    # what a finished run must hold, and how it refuses other settings
    assert figures[0]["method"].tolist()[:2] == ["DefectGAN", "SegNet"]
    assert {"miou_scratch", "miou_stain"} <= set(figures[0])
    assert (figures[0]["hold_out"] == "stain").all()
    detections = pd.read_csv(tmp_path / "whole" / "detections.csv", keep_default_na=False)
    assert detections["type"].value_counts().to_dict() == {"stain": 4, "": 2, "scratch": 1}
    log = rows(tmp_path / "whole" / "defectgan" / "metrics.jsonl")
    assert log[0]["loss"] > 0 and log[0]["critic_loss"] > 0
    assert {"cycle", "identity", "change", "change_ng", "change_p", "likeness"} <= set(log[0])
    pictures = [f"samples/epoch-00{number}.png" for number in (1, 2, 3)]
    for name in (*pictures, "detections.png"):
        assert (tmp_path / "whole" / name).read_bytes().startswith(b"\x89PNG")
    settings = json.loads((tmp_path / "whole" / "config.json").read_text())["settings"]
    assert settings["pool"] == 3 and settings["calibration"]["reach"] == 12
    assert list((tmp_path / "whole" / "defectgan" / "tensorboard").rglob("events*"))
    with pytest.raises(SystemExit) as exit_:
        start(monkeypatch, *arguments, f"--run-dir {tmp_path}/parts --resume --cycle-weight 5")
    assert exit_.value.code == 2
    assert "--cycle-weight was 10.0, now 5.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data missing", "missing: no such folder"),
        ("--data empty", "empty: unknown layout"),
        ("--data small --image-size 30", "--image-size must be from 32 to 4096. Received: 30"),
        ("--data small --image-size 34", "--image-size must be a multiple of 4. Received: 34"),
        ("--data small --reduced --image-size 34", "must be a multiple of 4. Received: 34"),
        ("--image-size 34", "must be a multiple of 4. Received: 34"),
        ("--data small --baseline-batch-size 3", "--baseline-batch-size must be a multiple"),
        ("--data small --flatten -1", "--flatten must be from 0 to 4096. Received: -1"),
        ("--data small --margin -1", "--margin must be from 0 to 100. Received: -1.0"),
        ("--data small --patch-share 0", "--patch-share must be from 1e-06 to 1"),
        ("--data small --learning-rate nan", "--learning-rate must be"),
        ("--data small --hold-out rust", "no defects of type 'rust'"),
        ("--data small --types rust", "no defects of type 'rust'"),
        ("--data small --types stain --hold-out stain", "no defective image is left"),
        ("--data small --calibration.quantile 5", "quantile must be above 0 and at most 1"),
        ("--data small --calibration.reach 101", "reach must be from 0 to 100"),
        ("--data colour --channels 1", "colour: images in colour"),
        ("--data small --resume", "no run to resume; start one without --resume"),
        ("--data small --run-dir small", "small: exists already"),
        ("--data small --run-dir file/x", "file/x: cannot be written"),
        ("--data small --export file/x", "a file, where a folder is needed"),
    ],
)
def test_bad_input(tmp_path, data, arguments, message, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for kind in ("positive", "negative"):
        for number in range(2):
            pixels = np.uint8(np.random.default_rng(number).integers(0, 256, (40, 40, 3)))
            save(tmp_path / "colour" / kind / f"{number}.png", pixels)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as exit_:
        start(monkeypatch, arguments)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("keras_gans: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert sorted(tmp_path.rglob("*")) == before


@pytest.fixture
def settings(monkeypatch):
    """The settings with which the script would train."""
    found = []

    def stop(script, config):
        found.append(config)
        raise InputError("stopped by the test")

    def of(*arguments):
        with pytest.raises(SystemExit):
            start(monkeypatch, *arguments)
        return found.pop()

    monkeypatch.setattr(train_defectgan, "RunFolder", stop)
    monkeypatch.setattr(train_defectgan, "BUILT_IN_IMAGES", dict(free=4, defective=8))
    return of


def test_the_defaults_are_the_papers(settings, data):
    config = settings(f"--data {data}")
    assert (config.channels, config.image_size, config.reduce) == (3, 256, 1)
    assert (config.width, config.blocks, config.critic_width) == (64, 9, 64)
    assert (config.adversarial, config.cycle_weight) == ("log", 10)
    assert (config.batch_size, config.epochs, config.learning_rate) == (1, 200, 2e-4)
    assert (config.candidates, config.patch_share, config.pool) == (1, 1, 0)
    assert not (config.residual or config.weak_labels or config.critic_warmup)
    assert not (config.identity_weight or config.change_weight)
    assert (config.critic, config.margin, config.flatten) == ("patch", None, 0)
    assert not config.guided


def test_what_is_given_goes_before_the_presets(settings, data):
    for preset, arguments in (
        (train_defectgan.REDUCED, f"--data {data} --reduced"),
        (
            train_defectgan.REDUCED | train_defectgan.SMALL_MARKS,
            f"--data {data} --small-marks",
        ),
        (train_defectgan.BUILT_IN, ""),
    ):
        config = settings(arguments)
        chosen = {name: getattr(config, name) for name in preset}
        set_by_data = {"reduce": None, "channels": None}
        assert chosen | set_by_data == preset | set_by_data
        assert config.reduce >= 1
        config = settings(arguments, "--width 5 --candidates 1 --no-weak-labels --reduce 3")
        assert (config.width, config.candidates, config.weak_labels) == (5, 1, False)
        assert config.blocks == preset["blocks"] and config.reduce == 3


def test_presets_leave_steps_for_the_generators():
    reduced = train_defectgan.REDUCED
    marks = reduced | train_defectgan.SMALL_MARKS
    for preset in (reduced, marks, train_defectgan.BUILT_IN):
        config = dataclasses.replace(train_defectgan.Config(), **preset)
        assert config.critic_warmup < config.epochs * config.steps_per_epoch


def test_chosen_reduction():
    def of(*sizes):
        images = [np.zeros((*size, 1), np.uint8) for size in sizes]
        nothing = np.zeros(len(images), bool)
        surfaces = Surfaces("s", images, nothing, [], [], nothing, [])
        return train_defectgan.chosen_reduction(surfaces, 96)

    assert of((160, 500)) == of((20, 20)) == 1
    assert of((320, 320)) == 2
    assert of((320, 400), (320, 330), (3000, 4000)) == 2
    assert of((512, 512)) == 3


def test_spread():
    chosen = np.arange(100) % 2 == 1
    assert train_defectgan.spread(chosen).tolist() == list(range(1, 100, 2))
    few = train_defectgan.spread(chosen, 5)
    assert len(few) == 5 and few[0] == 1 and few[-1] == 99 and (few % 2 == 1).all()
