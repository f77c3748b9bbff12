"""The script as a user runs it, on small data; it is killed in a process of its own."""

import dataclasses
import json
import re
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

import train_okdgan
from keras_gans.errors import InputError
from keras_gans.layers.spectral_norm import SpectralNorm
from keras_gans.okdgan import augmentation_study, purpose_study
from keras_gans.okdgan.classifier import build_classifier
from keras_gans.okdgan.config import BUILT_IN, REDUCED, Config, StudyConfig
from keras_gans.okdgan.crops import Crops
from keras_gans.training.schedule import Schedule
from studies import okdgan as study
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

SMALL = (
    "--image-size 16 --width 2 --latent 3 --attention --students 2 --batch-size 4 --steps 6 "
    "--every 2 --count 12 --score-images 6 --classifier-epochs 1 --no-eyes"
)
FULL = (
    "--base acgan --no-single --average 0.9 --augment color cutout --mirror --hold-out 0.34 "
    "--export None"
)


def write_photos(folder, seed=0):
    """Three noisy photos of each of two classes."""
    rng = np.random.default_rng(seed)
    for number, kind in enumerate(("bar", "crack")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name in range(3):
            pixels = rng.integers(0, 120, (40, 40, 3), "u1")
            pixels[..., number] += 100
            Image.fromarray(pixels).save(folder / kind / f"{name}.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`photos`; `whole`: a run with all that there is."""
    path = tmp_path_factory.mktemp("okdgan")
    write_photos(path / "photos")
    arguments = f"--data {path}/photos", SMALL, FULL, "--run-dir whole"
    run_here(train_okdgan, path, "whole", *arguments)
    return path


@pytest.fixture
def script(monkeypatch, capsys):
    return Script(train_okdgan, Config, monkeypatch, capsys)


@pytest.fixture
def study_script(monkeypatch, capsys):
    return Script(study, StudyConfig, monkeypatch, capsys)


# A run --------------------------------------------------------------------------------------


def test_what_a_run_shows_and_leaves(folder):
    output = (folder / "whole.out").read_text()
    assert "photos: 12 crops of 16x16 from 6 photos; bar 6, crack 6" in output
    assert re.search(r"crop_classifier: \d+\.\d % of 2 held-out crops right", output)
    assert "students: 3 epochs of 2 steps" in output
    assert "ACGAN on photos, 6 steps, 6 samples, 8 real, 4 held out" in output
    for row in ("student 1", "student 2", "best"):
        assert re.search(rf"{row} +\d+\.\d\d +-?\d+\.\d{{4}} ± \d", output)
    assert re.search(r"mean +\d+\.\d\d +-?\d+\.\d{4} +\d", output)
    assert re.search(r"near-copies: of 6 samples, those .* by more than 0\.\d{3}", output)

    whole = folder / "whole"
    figures = read_json(whole, "result.json")
    assert set(figures["models"]) == {"student 1", "student 2"}
    both = [figures["models"][f"student {i}"] for i in (1, 2)]
    assert all(0 <= each["near_copies"] <= 6 and each["diversity"] > 0 for each in both)
    distances = [each["validation_frechet"] for each in both]
    assert distances != [each["frechet"] for each in both]
    assert figures["best"] == 1 + distances.index(min(distances))
    assert 0 <= figures["network_held_out_accuracy"] <= 100
    known = {name: figures[name] for name in ("samples", "real", "steps", "set", "network")}
    assert known == {
        "samples": 6, "real": 8, "steps": 6, "set": "photos", "network": "crop_classifier"
    }  # fmt: skip
    assert (figures["held_out"], figures["checked_for_copies"]) == (4, 6)
    assert -1 < figures["copy_threshold"] < 1
    table = pd.read_csv(whole / "table.csv")
    assert list(table["model"]) == ["student 1", "student 2", "mean", "best"]
    assert table["validation_frechet_crop_classifier"][3] == pytest.approx(min(distances))
    names = {"student2_critic_loss", "student1_class_loss", "connector2_distance"}
    log = rows(whole / "students" / "metrics.jsonl")
    assert [row["epoch"] for row in log] == [1, 2, 3]
    assert all(names <= set(row) and None not in row.values() for row in log)
    pictures = sorted(path.name for path in (whole / "students" / "samples").iterdir())
    assert pictures == [f"epoch-{number:03d}.png" for number in range(1, 4)]
    for name in ("samples.png", "nearest.png", "table.png"):
        assert (whole / name).read_bytes().startswith(b"\x89PNG")
    assert (whole / "classifier.keras").exists()
    assert not list(whole.glob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["", "--memory-limit 0"])
def test_resume_after_sigkill_equals_the_run_never_interrupted(folder, tmp_path, script, limit):
    """The pictures in memory, or from then on in a file."""
    arguments = [f"--data {folder}/photos", SMALL, FULL]
    folder, parts = killed("train_okdgan", tmp_path, "students", *arguments), "parts"
    assert not (folder / parts / "table.csv").exists()
    arguments = [*arguments, f"--run-dir {parts} --resume {limit}"]
    output = Process("train_okdgan", folder, parts, *arguments).finish()
    assert ("kept in a temporary file" in output) == bool(limit)
    goes_on = re.search(r"students: 3 epochs of 2 steps, going on after epoch (\d)", output)
    assert 1 <= int(goes_on[1]) < 3
    theirs = equal_checkpoints(
        *(folder / name / "students" / "checkpoints" for name in (parts, "whole"))
    )
    for name in ("g_optimizer", "d_optimizer", "c_optimizer"):
        assert sum(key.startswith(f"{name}/") for key in theirs) > 10
    logs = [pd.DataFrame(rows(folder / name / "students" / "metrics.jsonl"))
            .drop(columns=["seconds", "images_per_second"], errors="ignore")
            for name in (parts, "whole")]  # fmt: skip
    pd.testing.assert_frame_equal(*logs)
    for name in ("result.json", "crops.csv", "samples.png", "nearest.png", "table.csv"):
        assert (folder / parts / name).read_bytes() == (folder / "whole" / name).read_bytes()

    changed = [*arguments, f"--run-dir {folder}/whole --rho 1"]
    assert "--rho was 0.1, now 1.0" in script.refused(*changed)


def test_crops_are_not_drawn_again(folder, script, tmp_path, monkeypatch):
    copy, data = tmp_path / "copy", tmp_path / "photos"
    shutil.copytree(folder / "whole", copy)
    shutil.copytree(folder / "photos", data)
    settings = read_json(copy, "config.json")
    settings["settings"]["data"] = str(data)
    (copy / "config.json").write_text(json.dumps(settings))
    used = []

    def stop(config, folder, crops):
        used.append(crops)
        raise InputError("stopped by the test")

    monkeypatch.setattr(train_okdgan, "extractor_for", stop)
    monkeypatch.delattr(train_okdgan.datasets, "load_crops")
    arguments = [f"--data {data}", SMALL, FULL, f"--run-dir {copy} --resume"]
    assert "stopped" in script.refused(*arguments)
    assert len(used[0]) == 8 and used[0].classes == ("bar", "crack")
    listed = pd.read_csv(copy / "crops.csv")
    assert set(used[0].places[:, 0]) <= set(listed["x"])

    write_photos(data, seed=1)
    assert "crops.json: made of other data" in script.refused(*arguments)
    assert len(used) == 1 and (copy / "students" / "checkpoints" / "checkpoint").exists()


@pytest.fixture
def untrained(monkeypatch):
    """No GAN is trained; what would be, a list of (folder's name, settings, data)."""
    trained = []

    def train(config, folder, model, gans, data):
        trained.append((folder.name, config, data))

    monkeypatch.setattr(train_okdgan, "train", train)
    return trained


@pytest.mark.slow
def test_students_beside_a_single_one_are_exported(
    folder, script, untrained, tmp_path, monkeypatch
):
    exported, export_generator = {}, train_okdgan.export_generator

    def export_the_best(generator, path, metadata, *options):
        exported[path.name] = metadata["student"], metadata["best"]
        if metadata["best"]:
            return export_generator(generator, path, metadata, *options)
        return {"saved_model": path}

    monkeypatch.setattr(train_okdgan, "export_generator", export_the_best)
    output = script.start(
        f"--data {folder}/photos {SMALL} --base acgan --average 0.9",
        f"--network {folder}/whole/classifier.keras",
        f"--run-dir {tmp_path}/run --export {tmp_path}/models",
    )
    assert "ACGAN on photos, 6 steps, 6 samples, 12 real" in output and "held" not in output
    assert re.search(r"single +\d", output)
    assert [(name, len(data.labels)) for name, _, data in untrained] == [
        ("single", 12), ("students", 12)
    ]  # fmt: skip
    figures = read_json(tmp_path / "run", "result.json")
    best, first = figures["best"], figures["models"]["student 1"]
    assert figures["network"] == "classifier" and figures["held_out"] == 0
    assert figures["models"]["single"] == first != figures["models"]["student 2"]
    other = 3 - best
    assert exported == {
        "okd-acgan-generator": (best, True), f"okd-acgan-student-{other}": (other, False)
    }  # fmt: skip
    model = tmp_path / "models" / "okd-acgan-generator" / "1"
    described = read_json(model, "assets.extra", "model.json")
    assert described["classes"] == ["bar", "crack"] and described["latent"] == 3
    assert described["best"] and described["student"] == best
    assert str(tmp_path) not in json.dumps(described)
    made = tf.saved_model.load(model).signatures["serving_default"](
        z=tf.zeros([2, 3]), label=tf.constant([0, 1])
    )
    assert made["images"].shape == (2, 16, 16, 3)


# Studies ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_study_of_rho(folder, study_script, tmp_path, monkeypatch):
    arguments = [
        f"rho --data {folder}/photos {SMALL} --steps 1 --rhos 0 2 --hold-out 0.34",
        f"--network {folder}/whole/classifier.keras --run-dir {tmp_path}/run",
    ]
    used, run_once = [], study.run

    def one_at_a_time(config, folder, data, extractor):
        used.append((config.rho, config.single, len(data.crops), len(data.held_out)))
        if len(used) == 2:
            raise InputError("stopped by the test")
        return run_once(config, folder, data, extractor)

    def train_the_first(config, folder, model, gans, data):
        train(config, folder, gans[0], gans[:1], data)

    train = train_okdgan.train
    monkeypatch.setattr(train_okdgan, "train", train_the_first)
    monkeypatch.setattr(study, "run", one_at_a_time)
    with pytest.raises(SystemExit):
        study_script.start(*arguments)
    (log,) = rows(tmp_path / "run" / "rho-0.0" / "students" / "metrics.jsonl")
    assert "distance" in log
    monkeypatch.setattr(train_okdgan, "train", lambda *_: None)
    output = study_script.start(*arguments, "--resume")
    assert used == [(0, False, 8, 4), (2, False, 8, 4), (2, False, 8, 4)]
    assert "2 students on photos, 1 steps, distances of 6 samples to 4 crops" in output
    table = pd.read_csv(tmp_path / "run" / "rho.csv")
    assert table["rho"].tolist() == [0, 2]
    results = read_json(tmp_path / "run", "result.json")
    best = min(each["validation_frechet"] for each in results["2.0"]["models"].values())
    assert table["best_frechet"][1] == pytest.approx(best)


def test_study_of_augmentation(folder, study_script, untrained, tmp_path, monkeypatch):
    def build(folder, images, wanted, *_):
        return build_classifier(16, 2, width=1)

    monkeypatch.setattr(augmentation_study, "train_classifier", build)
    monkeypatch.setattr(augmentation_study, "GENERATED", 8)
    output = study_script.start(
        f"augmentation --data {folder}/photos {SMALL} --few 5 --classifier-steps 2",
        f"--seeds 3 --no-single --hold-out 0.5 --run-dir {tmp_path}/run",
    )
    ((name, config, data),) = untrained
    assert name == "students" and config.base == "acgan"
    assert data.labels.tolist() == [0, 0, 1, 1] and data.labels is data.crops.labels
    assert "4 few real crops, 6 all, 6 of other" in output
    table = pd.read_csv(tmp_path / "run" / "augmentation.csv")
    assert table["training"].tolist() == [
        "few real crops", "and those of the students", "all real crops of the same photos"
    ]  # fmt: skip
    assert table["accuracy"].between(0, 100).all() and set(table["seed"]) == {3}
    assert read_json(tmp_path / "run", "result.json")["few"] == 4


def test_study_of_purpose(folder, study_script, untrained, tmp_path, monkeypatch):
    def build(folder, images, wanted, *_):
        return build_classifier(16, 2, width=1)

    monkeypatch.setattr(purpose_study, "train_classifier", build)
    monkeypatch.setattr(purpose_study, "GENERATED", 8)
    output = study_script.start(
        f"purpose --data {folder}/photos {SMALL} --students 0 --few 5 --classifier-steps 2",
        f"--seeds 3 --hold-out 0.5 --run-dir {tmp_path}/run",
    )
    assert [(name, config.augment, config.seed) for name, config, _ in untrained] == [
        ("single", (), 3), ("single", ("color", "translation", "cutout"), 3)
    ]  # fmt: skip
    assert all(data.labels.tolist() == [0, 0, 1, 1] for *_, data in untrained)
    assert "2 real crops of each class, 6 of other photos to test on" in output
    table = pd.read_csv(tmp_path / "run" / "purpose.csv")
    assert len(table) == 8 and table["accuracy"].between(0, 100).all()
    assert (tmp_path / "run" / "seed-3" / "samples.png").exists()
    assert read_json(tmp_path / "run", "result.json")["runs"] == table.to_dict("records")


# Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data missing", "missing: no such folder"),
        ("--data photos/bar", "bar: classes of which a network could learn what to look at: 0"),
        ("--data photos/bar --base acgan", "bar: photos without classes"),
        ("--data photos --classes crack", "photos: classes of which a network could learn"),
        ("--data photos --classes rust", "photos: no class rust"),
        ("--students 1", "--students must be 2 or more, or 0 for none. Received: 1"),
        ("--students 0 --no-single", "leave nothing to train"),
        ("--data photos --hold-out 0.2 --count 4", "leaves 3 crops to train on and 1"),
        ("--hold-out 1", "--hold-out must be from 0 to 0.9. Received: 1.0"),
        ("--image-size 48", "--image-size must be 16, 32, 64, ... Received: 48"),
        ("--attention 64", "--attention must be of [32, 16, 8]. Received: (64,)"),
        ("--data photos --side 32", "--side must be 64 or more. Received: 32"),
        ("--side 64", "--side and --classes need --data"),
        ("--rho nan", "--rho must be from 0 to 1000000.0. Received: nan"),
        ("--g-learning-rate 0", "--g-learning-rate must be from 1e-12 to 100"),
        ("--count 3", "at least 5 images, one of each class. Received: 3"),
        ("--inception file --network file", "choose one"),
        ("--inception file", "file: not an Inception network's file"),
        ("--network none.keras", "none.keras: cannot be read"),
        ("--data photos --image-size 16 --resume", "no run to resume"),
        ("--data photos --image-size 16 --run-dir photos", "photos: exists already"),
        ("--export file/x", "a file, where a folder is needed"),
    ],
)
def test_bad_input(folder, tmp_path, script, monkeypatch, arguments, message):
    shutil.copytree(folder / "photos", tmp_path / "photos")
    (tmp_path / "file").touch()
    monkeypatch.setattr(train_okdgan.datasets, "weights_file", lambda: None)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    if "photos" in arguments and "size" not in arguments and "side" not in arguments:
        arguments += " --image-size 16"
    assert message in script.refused(arguments)
    assert sorted(tmp_path.rglob("*")) == before


def test_eyes_need_no_classes(monkeypatch):
    images = np.zeros((4, 16, 16, 3), "u1")
    crops = Crops("photos", ("crack",), images, np.zeros(4, int), tuple("abcd"))
    monkeypatch.setattr(train_okdgan.datasets, "weights_file", lambda: "weights.pth")
    train_okdgan.datasets.check_crops(Config(), crops)
    with pytest.raises(InputError, match="classes of which a network could learn"):
        train_okdgan.datasets.check_crops(Config(eyes=False), crops)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("rho --students 0", "study rho needs --students"),
        ("augmentation --base sagan", "--base acgan"),
        ("purpose --students 2", "study purpose has no --students. Received: 2"),
        ("purpose --average 0", "study purpose compares samples with and without --average"),
        ("augmentation --hold-out 0", "study augmentation needs crops held out"),
        ("augmentation --data photos --count 12 --few 20", "10 and 1 are needed: give more"),
        ("rho --rhos 1 -1", "--rhos must be from 0 to 1000000.0. Received: (1.0, -1.0)"),
    ],
)
def test_bad_input_of_studies(folder, study_script, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    assert message in study_script.refused(arguments, "--image-size 16")


@pytest.mark.parametrize("command", [["train_okdgan.py"], ["studies.okdgan", "rho"]])
def test_help_without_tensorflow(command):
    assert helps_at_once(*command)


def test_the_defaults_are_the_papers():
    config = Config()
    assert (config.base, config.students, config.count) == ("sagan", 3, 2642)
    assert (config.image_size, config.latent, config.penalty) == (64, 128, 10)
    assert (config.g_learning_rate, config.d_learning_rate, config.c_learning_rate) == (
        1e-4, 4e-4, 5e-5
    )  # fmt: skip
    assert (config.beta_1, config.beta_2, config.score_images) == (0, 0.9, 10_000)
    assert not (config.augment or config.average or config.mirror or config.hold_out)
    assert config.schedule() == Schedule(25, 1000, 50)
    acgan = dataclasses.replace(config, base="acgan")
    assert acgan.schedule() == Schedule(5, 1000, 3)  # "epochs" are steps for both
    few = dataclasses.replace(config, steps=30, every=20, batch_size=7)
    assert few.schedule() == Schedule(7, 20, 2)


def test_what_is_given_goes_before_the_presets(script):
    for preset, arguments in (
        (REDUCED, "--data photos --reduced"),
        (BUILT_IN, ""),
    ):
        config = script.settings(arguments)
        assert {**dataclasses.asdict(config), **preset} == dataclasses.asdict(config)
        config = script.settings(arguments, "--width 5 --steps 7 --students 5 --rho 0")
        assert (config.width, config.steps, config.students, config.rho) == (5, 7, 5, 0)
        assert config.batch_size == preset["batch_size"]


def test_studies_hold_crops_out(study_script):
    for arguments, share, base in (
        ("rho", 0.2, "sagan"),
        ("augmentation", 0.3, "acgan"),
        ("purpose", 0.3, "acgan"),
        ("rho --hold-out 0.4 --base acgan", 0.4, "acgan"),
    ):
        config = study_script.settings(arguments)
        assert (config.hold_out, config.base) == (share, base)


def test_the_single_gan_starts_as_the_first_student():
    config = Config(image_size=16, width=2, latent=3, students=2)
    model = train_okdgan.build_students(config, ())
    keras.utils.set_random_seed(0)
    single = train_okdgan.build_gan(config, (), 0)
    first, second = (
        [*student.generator.get_weights(), *student.critic.get_weights()]
        for student in model.students
    )
    ours = [*single.generator.get_weights(), *single.critic.get_weights()]
    for one, other in zip(ours, first, strict=True):
        np.testing.assert_array_equal(one, other)
    kernels = [(a, b) for a, b in zip(first, second) if a.size > 8 and a.any()]
    assert len(kernels) > 5 and not any(np.array_equal(a, b) for a, b in kernels)


@pytest.mark.parametrize("spectral", [True, False])
def test_critics_and_connectors_are_normalised_as_asked(spectral):
    config = Config(
        image_size=16, width=2, latent=3, students=2, attention=(), spectral_critic=spectral
    )
    model = train_okdgan.build_students(config, ())
    for network in (*model.critics, *model.connectors):
        layers = network._flatten_layers()
        assert any(isinstance(part, SpectralNorm) for part in layers) == spectral
    for network in model.generators:
        assert any(isinstance(part, SpectralNorm) for part in network._flatten_layers())
