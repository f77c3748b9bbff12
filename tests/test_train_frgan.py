"""The script as a user runs it, on small data; it is killed in a process of its own."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import train_frgan
from keras_gans.errors import InputError
from keras_gans.frgan import datasets
from keras_gans.frgan.config import BUILT_IN, REDUCED, Config, StudyConfig
from keras_gans.frgan.datasets import load_labelled_images
from keras_gans.frgan.labelled_images import LabelledImages
from keras_gans.training.schedule import Schedule
from studies import frgan as study
from studies import frgan_tables as tables
from tests.runs import (
    Process,
    Script,
    equal_checkpoints,
    helps_at_once,
    killed,
    read_json,
    rows,
    run_here,
)

SCRIPT = train_frgan.__file__
SMALL = (
    "--image-size 16 --width 2 --generator-width 2 --latent 3 --labels 6 --batch-size 4 "
    "--epochs 2 --steps-per-epoch 2 --ramp-epochs 2 --export None"
)
FULL = "--average 0.9 --label-noise 0.5"


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_images(folder, seed=0):
    """Three classes of 8 + 4 noisy images, and 6 without label."""
    rng = np.random.default_rng(seed)
    for number, kind in enumerate(("bolt", "nut", "washer")):
        for part, count in (("train", 8), ("test", 4)):
            for name in range(count):
                pixels = rng.integers(0, 120, (18, 16, 3), "u1")
                pixels[..., number] += 100
                save(folder / part / kind / f"{name}.png", pixels)
    for name in range(6):
        save(folder / "unlabelled" / f"{name}.png", rng.integers(0, 256, (16, 16, 3), "u1"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`small`: images; `whole`: a run with all that there is."""
    path = tmp_path_factory.mktemp("frgan")
    write_images(path / "small")
    arguments = f"--data {path}/small", SMALL, FULL, "--run-dir whole"
    run_here(train_frgan, path, "whole", *arguments)
    return path


@pytest.fixture
def script(monkeypatch, capsys):
    return Script(train_frgan, Config, monkeypatch, capsys)


@pytest.fixture
def study_script(monkeypatch, capsys):
    return Script(study, StudyConfig, monkeypatch, capsys)


# A run --------------------------------------------------------------------------------------


def test_what_a_run_shows_and_leaves(folder):
    output = (folder / "whole.out").read_text()
    assert "small: 3 classes (bolt, nut, washer), 16x16" in output
    assert "training 6 labelled + 24 unlabelled, testing 12" in output
    assert "frgan: 2 epochs of 2 steps" in output
    assert re.search(r"labels only +6 +\d", output) and re.search(r"FR-GAN +6 +\d", output)

    whole = folder / "whole"
    figures = read_json(whole, "result.json")
    for name in ("test_error", "labels_only_error"):
        assert 0 <= figures.pop(name) <= 100
    assert figures == {"labels": 6, "images": 30, "tested": 12, "seed": 0, "set": "small"}
    settings = read_json(whole, "config.json")["settings"]
    assert settings["label_noise"] == 0.5 and settings["ramp_epochs"] == 2
    for part, names in (
        ("frgan", {"loss", "supervised", "adversarial", "consistency", "generator_loss"}),
        ("labels-only", {"loss"}),
    ):
        log = rows(whole / part / "metrics.jsonl")
        assert [row["epoch"] for row in log] == [1, 2]
        names |= {"labelled_accuracy", "test_error", "images_per_second"}
        assert all(names <= set(row) and None not in row.values() for row in log)
        assert list((whole / part / "tensorboard").rglob("events*"))
    assert log[-1]["labelled_accuracy"] > 0
    pictures = sorted(path.name for path in (whole / "samples").iterdir())
    assert pictures == ["epoch-001.png", "epoch-002.png"]
    assert (whole / "samples" / pictures[0]).read_bytes().startswith(b"\x89PNG")


def test_labels_are_balanced_and_half_of_them_wrong(folder):
    stored = read_json(folder, "whole", "labelled.json")["value"]
    images = load_labelled_images(folder / "small", 16)
    true = images.train_labels[stored["indices"]]
    assert true.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.sum(true != stored["labels"]) == 3
    assert set(stored["labels"]) <= {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["", "--memory-limit 0"])
def test_resume_after_sigkill_equals_the_run_never_interrupted(folder, tmp_path, script, limit):
    """The pictures in memory, or from then on in a file."""
    arguments = [f"--data {folder}/small", SMALL, FULL, "--epochs 3"]
    folder, parts = killed("train_frgan", tmp_path, "frgan", *arguments), "parts"
    assert not (folder / parts / "labels-only").exists()
    again = [*arguments, f"--run-dir {parts} --resume {limit}"]
    output = Process("train_frgan", folder, parts, *again).finish()
    assert ("kept in a temporary file" in output) == bool(limit)
    goes_on = re.search(r"frgan: 3 epochs of 2 steps, going on after epoch (\d)", output)
    assert 1 <= int(goes_on[1]) < 3
    for part, optimizers in (
        ("frgan", ["g_optimizer", "d_optimizer"]),
        ("labels-only", ["optimizer"]),
    ):
        theirs = equal_checkpoints(
            *(folder / name / part / "checkpoints" for name in (parts, "whole"))
        )
        for name in optimizers:
            assert sum(key.startswith(f"{name}/") for key in theirs) > 10
        # the averaged weights of the discriminator are there, and differ from the others
        if part == "frgan":
            kernels = [v for v in theirs.values() if np.shape(v) == (3, 3, 4, 8)]
            assert len({kernel.tobytes() for kernel in kernels}) >= 4  # and Adam's moments
        logs = [pd.DataFrame(rows(folder / name / part / "metrics.jsonl"))
                .drop(columns=["seconds", "images_per_second"], errors="ignore")
                for name in (parts, "whole")]  # fmt: skip
        pd.testing.assert_frame_equal(*logs)
    for name in ("result.json", "labelled.json", "samples/epoch-003.png"):
        assert (folder / parts / name).read_bytes() == (folder / "whole" / name).read_bytes()

    changed = [*arguments, f"--run-dir {folder}/whole --resume --translate 1"]
    assert "--translate was 2, now 1" in script.refused(*changed)


def test_labels_are_not_drawn_again(folder, script, tmp_path, monkeypatch):
    copy, data = tmp_path / "copy", tmp_path / "small"
    shutil.copytree(folder / "whole", copy)
    shutil.copytree(folder / "small", data)
    settings = read_json(copy, "config.json")
    settings["settings"]["data"] = str(data)
    (copy / "config.json").write_text(json.dumps(settings))
    used = []

    def stop(config, folder, images, labelled, labels):
        used.append([labelled.tolist(), labels.tolist()])
        raise InputError("stopped by the test")

    monkeypatch.setattr(train_frgan, "train_frgan", stop)
    monkeypatch.setattr(
        datasets, "draw_labelled", lambda labels, *_: np.arange(len(labels))[::4]
    )
    arguments = [f"--data {data}", SMALL, FULL, f"--run-dir {copy} --resume"]
    assert "stopped" in script.refused(*arguments)
    stored = read_json(copy, "labelled.json")["value"]
    assert used == [[stored["indices"], stored["labels"]]]

    write_images(data, seed=1)
    assert "labelled.json: made of other data" in script.refused(*arguments)
    assert len(used) == 1
    assert (copy / "frgan" / "checkpoints" / "checkpoint").exists()


@pytest.mark.slow
def test_labels_only(folder, script, tmp_path):
    arguments = [f"--data {folder}/small", SMALL, "--epochs 1 --supervised-only"]
    output = script.start(*arguments, f"--run-dir {tmp_path}/run")
    assert "labels only" in output and "FR-GAN" not in output
    path = tmp_path / "run"
    assert "test_error" in read_json(path, "result.json")
    assert not (path / "frgan").exists() and not (path / "samples").exists()
    stored = read_json(path, "labelled.json")["value"]
    images = load_labelled_images(folder / "small", 16)
    assert images.train_labels[stored["indices"]].tolist() == stored["labels"]
    assert stored["indices"] == read_json(folder, "whole", "labelled.json")["value"]["indices"]


# Studies ------------------------------------------------------------------------------------

STUDY = "table-3 --seeds 1 --study-labels 3 6"


@pytest.fixture
def quick(monkeypatch):
    """`run` without training: a figure of its own for every run."""
    done = []

    def run(config, folder, images):
        datasets.labelled_subset(config, folder, images)
        (folder / "frgan" / "checkpoints").mkdir(parents=True)
        (folder / "frgan" / "checkpoints" / "checkpoint").touch()
        done.append(folder.relative_to(folder.parents[3]).as_posix())
        return None, {"test_error": float(len(done))}

    monkeypatch.setattr(study, "run", run)
    return done


def test_a_study_goes_on_run_by_run(folder, study_script, tmp_path, quick):
    arguments = [f"{STUDY} --data {folder}/small", SMALL, f"--run-dir {tmp_path}/run"]
    output = study_script.start(*arguments)
    config = study_script.settings(*arguments)
    wanted = [
        tables.run_path("table-3", variant).as_posix()
        for variant in tables.variants("table-3", config)
    ]
    assert quick == wanted and len(wanted) == 8
    path = tmp_path / "run" / "table-3"
    first = (path / "table-3.csv").read_text()
    assert "missing" not in output and (path / "table-3.png").exists()
    for each in wanted:
        stored = read_json(tmp_path / "run" / each, "labelled.json")["value"]
        assert len(stored["indices"]) == int(each.split("/")[-2])

    shutil.rmtree(tmp_path / "run" / wanted[2])
    (path / "table-3.csv").unlink()
    study_script.start(*arguments, "--resume")
    assert quick == [*wanted, wanted[2]]
    again = (path / "table-3.csv").read_text()
    assert again.replace("9.0", "3.0") == first


def test_a_study_is_kept_when_its_images_are_gone(folder, study_script, tmp_path, quick):
    data = tmp_path / "small"
    shutil.copytree(folder / "small", data)
    arguments = [f"{STUDY} --data {data}", SMALL, f"--run-dir {tmp_path}/run"]
    study_script.start(*arguments)
    lost = tmp_path / "run" / quick[0]
    (lost / "result.json").unlink()
    write_images(data, seed=1)
    assert "made of other data" in study_script.refused(*arguments, "--resume")
    assert (tmp_path / "run" / quick[1] / "result.json").exists()


@pytest.mark.slow
def test_a_study_trains(folder, study_script, tmp_path):
    arguments = [f"{STUDY} --data {folder}/small", SMALL, "--study-labels 3"]
    arguments += ["--epochs 1 --steps-per-epoch 1", f"--run-dir {tmp_path}/run"]
    output = study_script.start(*arguments)
    for row in ("labels only", "FR-GAN without consistency", "FR-GAN without SE"):
        assert f"{row}, 3, seed 1" in output
    frame = pd.read_csv(tmp_path / "run" / "table-3" / "table-3.csv")
    assert len(frame) == 4 and frame["value"].between(0, 100).all()
    trained = {path.parents[4].name for path in tmp_path.rglob("checkpoints/checkpoint")}
    assert trained == {
        "labels-only", "fr-gan-without-consistency", "fr-gan-without-se", "fr-gan"
    }  # fmt: skip


@pytest.mark.slow
def test_a_pi_model_is_trained_and_exports_no_generator(folder, script, tmp_path):
    arguments = [f"--data {folder}/small", SMALL, "--epochs 1 --adversarial-weight 0"]
    arguments += [f"--strong --decay --export {tmp_path}/models --run-dir {tmp_path}/run"]
    output = script.start(*arguments)
    assert re.search(r"Pi-model +6 +\d", output) and "FR-GAN " not in output
    assert not (tmp_path / "run" / "samples").exists()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["frgan-classifier"]


# Settings -----------------------------------------------------------------------------------


@pytest.fixture
def images(folder, tmp_path, monkeypatch):
    """The folder to be in: `small`; `few`, with 6 test images; `empty`; `file`."""
    for name in ("small", "few"):
        shutil.copytree(folder / "small", tmp_path / name)
    for path in [*(tmp_path / "few" / "test").rglob("[23].png")]:
        path.unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data missing", "missing: no such folder"),
        ("--data empty", "empty: unknown layout"),
        ("--data small --labels 25", "class bolt: 9 labelled images asked for, there are 8"),
        ("--data small --labels 2", "2 labels for 3 classes"),
        ("--data small --labels 1", "--labels must be from 2 to 1000000000. Received: 1"),
        ("--data small", "class bolt: 334 labelled images asked for"),
        ("--data small --label-noise 1.5", "--label-noise must be from 0 to 1"),
        ("--data small --image-size 20", "--image-size must be a multiple of 8. Received: 20"),
        ("--data small --image-size 8 --translate 9", "--translate must be at most --image-si"),
        ("--data small --learning-rate nan", "--learning-rate must be"),
        ("--data small --batch-size 1", "--batch-size must be from 2 to 100000"),
        ("--data small --average 1", "--average must be from 0 to 0.999999"),
        ("--data small --adversarial-weight 0 --no-consistency", "leave nothing but labels"),
        ("--extra", "--download and --extra need --data"),
        ("--download svhn", "--download and --extra need --data"),
        ("--image-size 8 --labels 20", "size is 16 to 128. Received: 8"),
        ("--data small --labels 6 --resume", "no run to resume; start one without --resume"),
        ("--data small --labels 6 --run-dir small", "small: exists already"),
        ("--data small --labels 6 --run-dir file/x", "file/x: cannot be written"),
        ("--data small --labels 6 --export file/x", "a file, where a folder is needed"),
    ],
)
def test_bad_input(images, script, arguments, message):
    before = sorted(images.rglob("*"))
    assert message in script.refused(arguments)
    assert sorted(images.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("table-3 --data small --study-labels 6 99", "class bolt: 33 labelled images"),
        ("table-3 --seeds -1", "--seeds must be from 0 to 2147483647. Received: (-1,)"),
        ("table-3 --seeds", "--seeds must have a value. Received: none"),
        ("table-3 --study-labels", "--study-labels must have a value. Received: none"),
        ("table-3 --study-labels 1", "--study-labels must be from 2 to 1000000000"),
        ("table-2 --score-images 9", "--score-images must be from 10 to 10000000"),
        ("table-2 --data small --labels 6 --inception file", "file: "),
        ("table-2 --data few --labels 6", "few: 6 test images; the score of table 2 needs 10"),
        ("table-2 --data small --labels 25", "class bolt: 9 labelled images asked for"),
        ("figure-4 --data small --image-size 20", "--image-size must be a multiple of 8"),
        (
            "gan-share --adversarial-weight 0",
            "--adversarial-weight must be more than",
        ),
        (
            "figure-4 --rows FRGAN",
            "figure-4 are: conventional GAN; FR-GAN. Received: FRGAN",
        ),
    ],
)
def test_bad_input_of_studies(images, study_script, arguments, message):
    before = sorted(images.rglob("*"))
    assert message in study_script.refused(arguments)
    assert sorted(images.rglob("*")) == before


@pytest.mark.parametrize("command", [["train_frgan.py"], ["studies.frgan", "table-3"]])
def test_help_without_tensorflow(command):
    assert helps_at_once(*command)


def test_the_defaults_are_the_papers():
    config = Config()
    assert config.batch_size == 100 and config.epochs == 300 and config.labels == 1000
    assert (config.learning_rate, config.latent) == (3e-4, 100)
    assert (config.width, config.generator_width, config.image_size) == (64, 128, 32)
    assert config.se and config.consistency and config.dropout == 0.2
    assert (config.noise, config.translate, config.mirror) == (0.15, 2, False)
    assert not (config.feature_matching or config.average or config.label_noise)
    assert config.adversarial_weight == 1 and config.consistency_weight is None
    assert config.preset() == BUILT_IN  # without data
    assert Config(data=Path("small")).preset() == {}


def test_what_is_given_goes_before_the_presets(script):
    for preset, arguments in ((REDUCED, "--data small --reduced"), (BUILT_IN, "")):
        config = script.settings(arguments)
        assert {**dataclasses.asdict(config), **preset} == dataclasses.asdict(config)
        config = script.settings(arguments, "--width 5 --no-se --epochs 7 --labels 12")
        assert (config.width, config.se, config.epochs, config.labels) == (5, False, 7, 12)
        assert config.batch_size == preset["batch_size"]


def test_figure_4_uses_all_labels_there_are(study_script, folder):
    """The 24 that there are do not make up the 1000 that are the default."""
    config = study_script.settings(f"figure-4 --data {folder}/small --image-size 8")
    assert config.labels == 1000 and config.label_counts() == {None}
    assert np.sum(datasets.load(config).train_labels >= 0) == 24


def test_the_schedule_follows_labels_and_epochs():
    config = Config(batch_size=4, steps_per_epoch=3, epochs=600)
    assert config.schedule(30) == Schedule(4, 3, 600)
    assert config.ramp_steps(3) == 160 * 3  # 80 epochs of 300, of 3 steps
    per_image = Config(batch_size=4, epochs=3, ramp_epochs=2)
    assert per_image.schedule(30) == Schedule(4, 8, 3)  # 30 images are 8 batches
    assert per_image.ramp_steps(8) == 2 * 8
    given = Config(consistency_weight=4, ramp_epochs=0)
    assert (given.largest_weight(10), given.ramp_steps(3)) == (4, 0)
    without = dataclasses.replace(given, consistency=False)
    assert without.largest_weight(10) == 0


def test_the_weight_of_consistency_is_its_sources():
    """Their loss and ours of the same batch, of which 2 of 8 images are labelled, K = 5."""
    rng = np.random.default_rng(0)
    entropies, z, other = rng.random(2), rng.random((8, 5)), rng.random((8, 5))
    theirs = entropies.sum() / 8 + 100 * 2 / 8 * np.mean((z - other) ** 2)
    ours = entropies.mean() + Config().largest_weight(5) * np.sum((z - other) ** 2, 1).mean()
    assert ours == pytest.approx(8 / 2 * theirs)


def test_noise_is_relative_to_the_contrast():
    images = np.full((3, 8, 8, 3), 100, np.uint8)
    images[0, ::2], images[1, ::2] = 151, 202  # standard deviations 25.5, 51 and 0
    images = LabelledImages("", ("a", "b"), images, np.zeros(3, int), images, np.zeros(3, int))
    assert images.contrast == pytest.approx(25.5 / 127.5)
    network = train_frgan.build_classifier(Config(image_size=8, width=1, noise=0.5), images)
    assert network.layers[1].stddev == pytest.approx(0.1)


def test_what_frgan_is_made_with(script, folder, tmp_path, monkeypatch):
    found = []

    def stop(generator, discriminator, *arguments):
        found.extend(arguments)
        raise InputError("stopped by the test")

    monkeypatch.setattr(train_frgan, "FRGAN", stop)
    monkeypatch.chdir(tmp_path)
    script.refused(f"--data {folder}/small", SMALL, "--ramp-epochs None --epochs 600")
    assert found == [pytest.approx(100 / 3), 320, 1.0, False, 0.0, 0]
    assert not list(tmp_path.rglob("labelled.json"))
