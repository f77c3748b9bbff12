"""The script as a user runs it: in processes of its own, on small data."""

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import train_defectgan
from keras_gans.commands.detect import Detector, with_false_alarms
from keras_gans.commands.false_alarms import FalseAlarms
from keras_gans.defectgan import warm_up
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.detectors import Found
from keras_gans.defectgan.synthetic import synthetic_surfaces
from keras_gans.training.settings import command_line
from studies import defectgan as study
from tests.runs import (
    Process,
    Script,
    equal_checkpoints,
    killed,
    read_json,
    rows,
    run_here,
)

SMALL = (
    "--image-size 32 --reduce 2 --channels 1 --width 2 --blocks 1 --critic-width 2 --epochs 3 "
    "--steps-per-epoch 4 --critic-warmup 2 --pool 3 --candidates 2 --patch-share 0.5 "
    "--identity-weight 0.5 --weak-labels --flatten 4 --critic local --margin 1 --guided "
    "--baseline-width 2 --baseline-batch-size 2 --segnet-steps 10 --segnet-stages 1 "
    "--cam-steps 10 --cam-stages 1 --mirror turn "
    "--hold-out stain --export None"
)


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
    train_defectgan.main(command_line(Config))


@pytest.mark.slow
def test_resume_after_sigkill_equals_the_run_never_interrupted(tmp_path, data):
    arguments = [f"--data {data}", SMALL]
    killed("train_defectgan", tmp_path, "defectgan", *arguments)
    assert not (tmp_path / "parts" / "segnet").exists()
    again = [*arguments, "--run-dir parts --resume"]
    resumed = Process("train_defectgan", tmp_path, "parts", *again).finish()
    goes_on = re.search(r"defectgan: 3 epochs of 4 steps, going on after epoch (\d+)", resumed)
    assert 1 <= int(goes_on[1]) < 3
    for training, epochs in (("defectgan", 3), ("segnet", 10), ("cam", 10)):
        theirs = equal_checkpoints(
            *(tmp_path / name / training / "checkpoints" for name in ("parts", "whole"))
        )
        optimizers = ["g_optimizer", "d_optimizer"]
        for name in optimizers if training == "defectgan" else ["optimizer"]:
            assert sum(key.startswith(f"{name}/") for key in theirs) > 10
        pools = [value for value in theirs.values() if np.shape(value) == (3, 32, 32, 1)]
        assert len(pools) == 2 * (training == "defectgan")
        log = rows(tmp_path / "parts" / training / "metrics.jsonl")
        assert [row["epoch"] for row in log] == list(range(1, epochs + 1))
    whole, parts = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("whole", "parts")
    )
    for figures in (*whole["methods"].values(), *parts["methods"].values()):
        assert figures.pop("t_test_ms") > 0 and figures.pop("training_seconds") > 0
    assert whole == parts
    found = [(tmp_path / name / "detections.csv").read_text() for name in ("whole", "parts")]
    assert found[0] == found[1]


def test_attention_trains_its_critic_first_and_goes_on_from_there(tmp_path, data, monkeypatch):
    monkeypatch.setattr(warm_up, "LONGEST", 2)
    monkeypatch.setattr(warm_up, "LEARNED", 0.0)  # which no critic reaches
    arguments = [
        f"--data {data} --design attention --image-size 32 --reduce 2 --channels 1 --width 2",
        "--critic-width 2 --critic-epochs 1 --epochs 2 --steps-per-epoch 2 --candidates 2",
        "--flatten 4 --no-baselines --export None",
    ]
    run_here(train_defectgan, tmp_path, "whole", *arguments, "--run-dir whole")
    assert "warning after 2 epochs: the critic" in (tmp_path / "whole.out").read_text()
    assert len(rows(tmp_path / "whole" / "critic" / "metrics.jsonl")) == 2
    reader = tf.train.load_checkpoint(str(tmp_path / "whole" / "defectgan" / "checkpoints"))
    counted = [
        int(reader.get_tensor(f"{name}/_iterations/.ATTRIBUTES/VARIABLE_VALUE"))
        for name in ("g_optimizer", "d_optimizer")
    ]
    assert counted == [4, 8]  # the critic's four steps alone, then both
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    shutil.rmtree(tmp_path / "parts" / "defectgan")
    run_here(train_defectgan, tmp_path, "parts", *arguments, "--run-dir parts --resume")
    equal_checkpoints(
        *(tmp_path / name / "defectgan" / "checkpoints" for name in ("parts", "whole"))
    )


def test_what_a_run_shows_and_leaves(tmp_path, data, monkeypatch, capsys):
    arguments = [
        f"--data {data}",
        SMALL,
        "--epochs 2 --steps-per-epoch 2 --segnet-steps 3 --cam-steps 3",
    ]
    run_here(train_defectgan, tmp_path, "whole", *arguments, "--run-dir whole")
    output = (tmp_path / "whole.out").read_text()
    assert "testing 5 + 2" in output and "training 3 defective + 4 free" in output
    whole = read_json(tmp_path, "whole", "result.json")
    assert list(whole["methods"]) == ["DefectGAN", "SegNet", "CAM", "CAM, half maximum"]
    assert {"miou_scratch", "miou_stain"} <= set(whole["methods"]["DefectGAN"])
    assert whole["hold_out"] == "stain" and whole["cleaning"]["defective_images"] == 5
    detections = pd.read_csv(tmp_path / "whole" / "detections.csv", keep_default_na=False)
    assert detections["type"].value_counts().to_dict() == {"stain": 4, "": 2, "scratch": 1}
    log = rows(tmp_path / "whole" / "defectgan" / "metrics.jsonl")
    assert log[0]["loss"] == 0 < log[1]["loss"] and log[0]["critic_loss"] > 0
    assert {"cycle", "identity", "change", "change_ng", "change_p", "likeness"} <= set(log[0])
    pictures = [f"samples/epoch-00{number}.png" for number in (1, 2)]
    for name in (*pictures, "detections.png"):
        assert (tmp_path / "whole" / name).read_bytes().startswith(b"\x89PNG")
    settings = json.loads((tmp_path / "whole" / "config.json").read_text())["settings"]
    assert settings["pool"] == 3 and settings["calibration"]["reach"] == 12
    assert list((tmp_path / "whole" / "defectgan" / "tensorboard").rglob("events*"))
    with pytest.raises(SystemExit) as exit_:
        start(monkeypatch, *arguments, f"--run-dir {tmp_path}/whole --resume --cycle-weight 5")
    assert exit_.value.code == 2
    assert "--cycle-weight was 10.0, now 5.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data small --image-size 34", "--image-size must be a multiple of 4. Received: 34"),
        ("--data missing", "missing: no such folder"),
        ("--data empty", "empty: unknown layout"),
        ("--data small --types stain --hold-out stain", "no defective image is left"),
        ("--data small --calibration.quantile 5", "quantile must be above 0 and at most 1"),
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


def test_a_study_compares_methods_and_goes_on(data, tmp_path, monkeypatch, capsys):
    trained = []

    def bright(config, folder, surfaces, training):
        """Finds what is brighter than the noise and a little more with each seed."""
        trained.append(config.seed)

        def found(image):
            grey = image[..., 0].astype(np.float32)
            return {"bright": Found(grey > 130 + config.seed, float(grey.max()), heat=grey)}

        return [found]

    monkeypatch.setattr(study, "ROWS", {"defectgan": bright, "segnet": lambda *_: []})
    script = Script(study, study.StudyConfig, monkeypatch, capsys)
    settings = SMALL.replace("--flatten 4 ", "")
    arguments = f"--data {data} {settings} --rows defectgan segnet --seeds 3 4"
    output = script.start(arguments, f"--run-dir {tmp_path}/run")
    assert "means of seeds 3, 4" in output and "standard deviations" in output
    runs = read_json(tmp_path / "run", "result.json")["runs"]
    assert [(run["method"], run["seed"]) for run in runs] == [("bright", 3), ("bright", 4)]
    scratches = [run["miou_scratch"] for run in runs]
    assert scratches == [1.0, 1.0] and all(run["miou_stain"] == 0 for run in runs)
    script.start(arguments, f"--run-dir {tmp_path}/run --resume")
    assert trained == [3, 4]
    assert "a study trains on one device" in script.refused(arguments, "--replicas 2")
    output = script.start(arguments, f"--validation-share 0.4 --run-dir {tmp_path}/held-out")
    assert "testing 1 + 2" in output  # of 3 and 4: a scratch, as stains are all for testing
    wrong = script.refused(arguments, "--also share=much")
    assert "--also is SETTING=NUMBER" in wrong and "Received: share=much" in wrong


def test_drawn_defects_train_as_defective_images(tmp_path, monkeypatch):
    surfaces = synthetic_surfaces(free=6, defective=8, size=40)
    given = {}

    class Stop(Exception):
        pass

    def batches(defective, good, *settings):
        given.update(defective=defective, good=good)
        raise Stop

    monkeypatch.setattr(train_defectgan, "unpaired_batches", batches)
    config = Config(channels=1, image_size=32, width=2, blocks=1, drawn_defects=0.5)
    with pytest.raises(Stop):
        train_defectgan.train_defectgan(config, tmp_path, surfaces, surfaces)
    defective, good = surfaces.by_label()
    assert all(map(np.array_equal, given["good"], good)) and len(given["good"]) == 6
    assert all(map(np.array_equal, given["defective"][:8], defective))
    drawn = given["defective"][8:]
    assert len(drawn) == 4
    assert not any(np.array_equal(image, other) for image in drawn for other in good)


def test_a_study_measures_a_given_model(data, tmp_path, monkeypatch, capsys):
    script = Script(study, study.StudyConfig, monkeypatch, capsys)
    arguments = f"--data {data} {SMALL} --flatten 0 --rows given --seeds 0"
    script.start(arguments, f"--model saved_models/defectgan --run-dir {tmp_path}/run")
    runs = read_json(tmp_path / "run", "result.json")["runs"]
    names = [f"the given model{how}" for how in ("", ", --new-surface")]
    assert [run["method"] for run in runs] == names and runs[0]["pixel_auroc"] > 0.5
    assert '--model DIR goes with the row "given"' in script.refused(arguments)
    flattened = arguments.replace("--flatten 0", "--flatten 4")
    assert "needs --flatten 0" in script.refused(flattened, "--model saved_models/defectgan")


def test_a_given_model_finds_in_the_study_what_the_command_finds(tmp_path):
    model = Path("saved_models/defectgan")
    rng = np.random.default_rng(0)
    image, *others = rng.integers(140, 160, (49, 96, 96, 1), "u1")
    surfaces = replace(synthetic_surfaces(free=40, defective=8), images=others)
    (run,) = study.given(study.StudyConfig(model=model), tmp_path, surfaces, None)
    image[40:44, 20:70] = 20
    plain = Detector.find(model)
    fitted = with_false_alarms(plain, FalseAlarms(tmp_path / "good", 0.05, True))
    for found, detector in zip(run(image).values(), (plain, fitted), strict=True):
        score, mask, _ = replace(detector, limit=0.0)(image[..., 0])  # the study's is for all
        assert found.score == score and found.judged == (score > detector.limit)
        assert mask.any() and np.array_equal(found.mask, mask)
    assert fitted.cut.threshold != plain.calibration.threshold


@pytest.mark.slow
def test_a_study_measures_calibrations_and_a_self_trained_segnet(
    data, tmp_path, monkeypatch, capsys
):
    script = Script(study, study.StudyConfig, monkeypatch, capsys)
    arguments = f"--data {data} {SMALL} --rows defectgan self-trained --seeds 0"
    also = "--also share=0.9 score_pixels=9 --calibration.limit-quantile 0.01"
    script.start(arguments, also, f"--run-dir {tmp_path}/run")
    runs = read_json(tmp_path / "run", "result.json")["runs"]
    names = ["DefectGAN", "DefectGAN, share=0.9", "DefectGAN, score_pixels=9", "self-trained"]
    assert [run["method"] for run in runs] == names
    assert runs[0]["f1"] >= 0 and runs[1]["pixel_auroc"] is None
    assert (tmp_path / "run/defectgan-0/cleaner.weights.h5").exists()
