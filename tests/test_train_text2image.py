"""The script as a user runs it, on small data; it is killed in a process of its own."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import train_text2image
from keras_gans.errors import InputError
from keras_gans.text2image import clusters, datasets
from keras_gans.text2image.captions import load_vocabulary, train_word2vec
from keras_gans.text2image.config import (
    BUILT_IN,
    PHOTOGRAPHS,
    REDUCED,
    REDUCED_PHOTOGRAPHS,
    Config,
    StudyConfig,
)
from keras_gans.text2image.synthetic import synthetic_flowers
from keras_gans.training.schedule import Schedule
from studies import text2image as study
from tests.runs import (
    Process,
    Script,
    equal_checkpoints,
    helps_at_once,
    killed,
    read_json,
    rows,
)

COLOURS = {"red": 0, "green": 1, "blue": 2}
SMALL = (
    "--image-size 16 --width 2 --filters 2 --words 6 --vector-size 4 --batch-size 3 --epochs 3 "
    "--steps-per-epoch 2 --word2vec-epochs 2 --export None"
)


def write_images(folder, seed=0):
    """Noisy squares in three colours, 12 to train on and 4 to test on, two captions of each."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    parts = ["image,split,tags"]
    for number in range(16):
        name, place = list(COLOURS.items())[number % 3]
        pixels = rng.integers(0, 120, (16, 18, 3), "u1")
        pixels[..., place] += 120
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
        last = "a corner" if number < 12 else "an unheard word"
        text = f"A {name} square.\nthe square here is {name} with {last}\n"
        (folder / f"{number:02}.txt").write_text(text)
        parts.append(f"{number:02}.png,{'train' if number < 12 else 'test'},{name}")
    (folder / "index.csv").write_text("\n".join(parts) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """`small`: images; `whole`: a run that was never interrupted.

    `parts`: what a SIGKILL after its first checkpoint would have left of it.
    """
    path = tmp_path_factory.mktemp("text2image")
    write_images(path / "small")
    return killed("train_text2image", path, "full", f"--data {path}/small", SMALL)


@pytest.fixture
def script(monkeypatch, capsys):
    return Script(train_text2image, Config, monkeypatch, capsys)


@pytest.fixture
def study_script(monkeypatch, capsys):
    return Script(study, StudyConfig, monkeypatch, capsys)


@pytest.fixture
def stopped(monkeypatch, script):
    """The arguments with which a function of the script is called first."""

    def stopped(name, *arguments):
        found = []

        def stop(*received):
            found.append(received)
            raise InputError("stopped by the test")

        with monkeypatch.context() as patch:
            patch.setattr(train_text2image, name, stop)
            assert "stopped by the test" in script.refused(*arguments)
        return found.pop()

    return stopped


# A run --------------------------------------------------------------------------------------


def test_what_a_run_shows_and_leaves(folder):
    output = (folder / "whole.out").read_text()
    assert "small: 16 images, 16x16, 12 for training, 4 for testing; 32 captions" in output
    assert "vectors of 10 words: word2vec, of 24 training captions alone" in output
    assert "held-out captions without a vector, which get the mean of all: 12 of 48 (" in output
    assert "full: 3 epochs of 2 steps" in output
    assert re.search(r"distance of pictures to real images[\s\S]*full +0\.\d+ +0\.\d+", output)

    whole = folder / "whole"
    figures = read_json(whole, "result.json")
    assert figures["captions"] == 8 and figures["images"] == 4 and figures["trained_on"] == 12
    assert figures["matched"] > 0 and 0 <= figures["nearer"] <= 100
    assert figures["ratio"] == pytest.approx(figures["matched"] / figures["shuffled"])
    log = rows(whole / "full" / "metrics.jsonl")
    assert [row["epoch"] for row in log] == [1, 2, 3]
    names = {"discriminator_loss", "generator_loss", "adversarial", "distance", "seconds"}
    assert all(names <= set(row) and None not in row.values() for row in log)
    pictures = sorted(path.name for path in (whole / "samples").iterdir())
    assert pictures == ["epoch-001.png", "epoch-002.png", "epoch-003.png"]
    assert (whole / "words.png").read_bytes().startswith(b"\x89PNG")
    assert list(pd.read_csv(whole / "table.csv")["model"]) == ["full"]


def test_a_run_in_bfloat16_exports_float32(folder, script, tmp_path, monkeypatch):
    fit, trained, exported = train_text2image.fit, [], []

    def watched_fit(path, model, *more):
        trained.append(model.generator)
        return fit(path, model, *more)

    def watched_export(network, *_):
        exported.append(network)
        return {"saved_model": tmp_path}

    monkeypatch.setattr(train_text2image, "fit", watched_fit)
    monkeypatch.setattr(train_text2image, "export_text_to_image", watched_export)
    arguments = [f"--data {folder}/small", SMALL, "--epochs 1 --steps-per-epoch 1 --model gnn"]
    arguments += [f"--run-dir {tmp_path}/run --export {tmp_path}/models"]
    script.start(*arguments, "--precision bfloat16")
    for [network], precision in ((trained, "bfloat16"), (exported, "float32")):
        assert network.layers[1].compute_dtype == precision
    for ours, theirs in zip(exported[0].weights, trained[0].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert read_json(tmp_path / "run", "config.json")["settings"]["precision"] == "bfloat16"
    assert "--precision was bfloat16, now float32" in script.refused(*arguments, "--resume")


def test_word_vectors_are_of_the_training_captions_alone(folder):
    words = load_vocabulary(folder / "whole" / "vocabulary.npz").words
    assert {"red", "square", "corner"} <= set(words)
    assert not {"unheard", "word", "an"} & set(words)


@pytest.mark.parametrize(
    "limit", ["", pytest.param("--memory-limit 0", marks=pytest.mark.slow)]
)
def test_resume_after_sigkill_equals_the_run_never_interrupted(folder, script, limit):
    """The pictures in memory, or from then on in a file."""
    parts = f"parts{len(limit)}"
    shutil.copytree(folder / "parts", folder / parts)
    arguments = [f"--data {folder}/small", SMALL]
    assert not (folder / parts / "result.json").exists()
    again = [*arguments, f"--run-dir {parts} --resume {limit}"]
    output = Process("train_text2image", folder, parts, *again).finish()
    assert ("kept in a temporary file" in output) == bool(limit)
    goes_on = re.search(r"full: 3 epochs of 2 steps, going on after epoch (\d)", output)
    assert 1 <= int(goes_on[1]) < 3
    theirs = equal_checkpoints(
        *(folder / name / "full" / "checkpoints" for name in (parts, "whole"))
    )
    for name in ("g_optimizer", "d_optimizer"):
        assert sum(key.startswith(f"{name}/") for key in theirs) > 10
    logs = [
        pd.DataFrame(rows(folder / name / "full" / "metrics.jsonl")).drop(
            columns=["seconds", "images_per_second"]
        )
        for name in (parts, "whole")
    ]
    pd.testing.assert_frame_equal(*logs)
    for name in ("result.json", "table.csv", "words.png", "samples/epoch-003.png"):
        assert (folder / parts / name).read_bytes() == (folder / "whole" / name).read_bytes()

    changed = [*arguments, f"--run-dir {folder}/whole --resume --filters 3"]
    assert "--filters was 2, now 3" in script.refused(*changed)


def test_word_vectors_are_not_trained_again(folder, stopped, script, tmp_path, monkeypatch):
    copy, data = tmp_path / "copy", tmp_path / "small"
    shutil.copytree(folder / "whole", copy)
    shutil.copytree(folder / "small", data)
    settings = read_json(copy, "config.json")
    settings["settings"]["data"] = str(data)
    (copy / "config.json").write_text(json.dumps(settings))
    monkeypatch.setattr(datasets, "train_word2vec", None)

    arguments = [f"--data {data}", SMALL, f"--run-dir {copy} --resume"]
    *_, vocabulary = stopped("run", *arguments)
    stored = load_vocabulary(folder / "whole" / "vocabulary.npz")
    assert vocabulary.words == stored.words
    np.testing.assert_array_equal(vocabulary.vectors, stored.vectors)

    (data / "03.txt").write_text("A square.\n")
    assert "images.json: made of other data" in script.refused(*arguments)
    write_images(data, seed=1)
    assert "images.json: made of other data" in script.refused(*arguments)
    assert (copy / "full" / "checkpoints" / "checkpoint").exists()


# The other models ---------------------------------------------------------------------------


@pytest.mark.slow
def test_a_study_trains_its_models_and_goes_on_one_by_one(
    folder, study_script, tmp_path, monkeypatch
):
    names = [*study.STUDIES["models"]]
    full = ["original", "penalty", "mean", "words"]
    assert names == ["gnn", "dcgan", *(f"full, {name}" for name in full)]
    names = ["gnn", "dcgan", "full, mean"]
    few = {name: study.STUDIES["models"][name] for name in names}
    monkeypatch.setitem(study.STUDIES, "models", few)
    arguments = [
        f"models --data {folder}/small", SMALL, "--epochs 1 --steps-per-epoch 1",
        f"--run-dir {tmp_path}/run",
    ]  # fmt: skip
    output = study_script.start(*arguments)
    table = pd.read_csv(tmp_path / "run" / "table.csv")
    assert list(table["model"]) == names and table["matched"].gt(0).all()
    assert all(re.search(rf"\n *{name} +\d", output) for name in names)
    for name in ("gnn", "dcgan", "full-mean"):
        checkpoints = [*(tmp_path / "run" / name).glob("*/checkpoints/checkpoint")]
        assert [path.parent.parent.name for path in checkpoints] == [name.split("-")[0]]

    lost = tmp_path / "run" / "dcgan"
    before = read_json(lost, "result.json")
    shutil.rmtree(lost)
    output = study_script.start(*arguments, "--resume")
    assert "dcgan: 1 epochs of 1 steps" in output
    assert "gnn: 1 epochs" not in output and "full: 1 epochs" not in output
    after = read_json(lost, "result.json")
    assert after.keys() == before.keys() and after["captions"] == before["captions"] == 8
    assert after["training_seconds"] == 0  # of the steps after the first
    assert list(pd.read_csv(tmp_path / "run" / "table.csv")["model"]) == names


@pytest.mark.parametrize("name", ["convlstm", "normalisation", "real"])
def test_studies_change_one_setting_of_the_whole_network(study_script, name):
    config = study_script.settings(name, SMALL)
    changed = [
        dataclasses.replace(config, **changes) for changes in study.STUDIES[name].values()
    ]
    values = {getattr(one, name) for one in changed}
    assert len(values) == len(changed) > 1
    for one in changed:
        assert one.model == "full"
        assert dataclasses.replace(one, **{name: getattr(config, name)}) == config


@pytest.mark.slow
def test_noise_makes_a_dcgan_whose_export_takes_z(folder, script, tmp_path):
    script.start(
        f"--data {folder}/small", SMALL, "--epochs 1 --steps-per-epoch 1 --model dcgan",
        f"--condition noise --blurred --run-dir {tmp_path}/run --export {tmp_path}/models",
    )  # fmt: skip
    model = tmp_path / "models" / "text2image-dcgan-noise"
    described = read_json(model, "1", "assets.extra", "model.json")
    assert described["latent"] == 4 and described["trained_on"] == "small"
    assert (tmp_path / "run" / "samples" / "epoch-001.png").exists()


# What goes in -------------------------------------------------------------------------------


def test_vectors_of_a_file(folder, stopped, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("red 1 0 0 0\nunheard 0 1 0 0\nelsewhere 0 0 1 0\nsquare 0 0 0 1\n")
    *_, vocabulary = stopped("run", f"--data {folder}/small", SMALL, f"--vectors {path}")
    assert vocabulary.words[2:] == ("red", "square", "unheard")
    np.testing.assert_array_equal(vocabulary.vectors[2], [1, 0, 0, 0])


def test_a_tag_chooses_images(folder, stopped):
    *_, images, _ = stopped("run", f"--data {folder}/small", SMALL, "--tag red")
    assert images.name == "small, red" and len(images) == 6
    assert images.split.tolist() == 4 * ["train"] + 2 * ["test"]


def test_a_cluster_is_chosen_once(folder, script, stopped, tmp_path, monkeypatch):
    def features(images, weights):
        assert weights is None
        return images.astype(float).mean(axis=(1, 2))  # the colour

    monkeypatch.setattr(clusters, "vgg16_features", features)
    arguments = [
        f"--data {folder}/small", SMALL, "--epochs 1 --steps-per-epoch 1 --cluster 0",
        f"--components 3 --run-dir {tmp_path}/run --model gnn",
    ]  # fmt: skip
    output = script.start(*arguments)
    assert "images in clusters 0 to 2: [6, 5, 5]" in output
    assert "small, cluster 0: 6 images" in output
    monkeypatch.setattr(clusters, "vgg16_features", None)
    *_, images, _ = stopped("run", *arguments, "--resume")
    assert images.files == ("00.png", "03.png", "06.png", "09.png", "12.png", "15.png")


# Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--data missing", "missing: no such folder"),
        ("--data empty", "empty: unknown layout"),
        ("--data mute", "01.png: no captions of it: add "),
        ("--data small --tag yellow", "yellow"),
        ("--data small --vectors three.txt", "three.txt: vectors of 3 numbers, 4 are asked"),
        ("--data small --vectors file", "file: not a file of word vectors"),
        ("--data small --vectors three.txt --skip-gram", "--skip-gram is how vectors are"),
        ("--data small --image-size 20", "--image-size must be a multiple of 8. Received: 20"),
        ("--data small --words 1", "--words must be from 2 to 1000. Received: 1"),
        ("--data small --filters 0", "--filters must be from 1 to 1024. Received: 0"),
        ("--data small --learning-rate nan", "--learning-rate must be"),
        ("--data small --penalty -1", "--penalty must be from 0 to 1000000"),
        ("--data small --score-captions 1", "--score-captions must be from 2 to"),
        ("--data small --cluster 10", "--cluster must be from 0 to 9. Received: 10"),
        ("--data small --vgg16 file", "--vgg16 is for --cluster"),
        ("--data small --cluster 0 --vgg16 weights", "weights: no such file"),
        ("--data small --model gnn --blurred", "--blurred is for a discriminator"),
        ("--data small --model gnn --condition noise", "--condition noise has no image"),
        ("--data small --tag red --cluster 0 --components 7", "7 clusters of 6 images"),
        ("--photographs", "--photographs needs --data, the folder of a data set"),
        (
            "--data small --matching --blurred",
            "--matching has fakes and real images of its own",
        ),
        ("--tag red", "--tag and --cluster need --data"),
        ("--flowers 39", "--flowers must be from 40 to 1000000. Received: 39"),
        ("--image-size 24", "size is 32 to 256. Received: 24"),
        ("--data small --resume", "no run to resume; start one without --resume"),
        ("--data small --run-dir small", "small: exists already"),
        ("--data small --export file/x", "a file, where a folder is needed"),
    ],
)
def test_bad_input(folder, tmp_path, script, monkeypatch, arguments, message):
    shutil.copytree(folder / "small", tmp_path / "small")
    shutil.copytree(folder / "small", tmp_path / "mute")
    (tmp_path / "mute" / "01.txt").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "three.txt").write_text("red 1 0 0\nsquare 0 1 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clusters, "vgg16_features", lambda images, _: images.mean(axis=(1, 2)))
    before = sorted(tmp_path.glob("[!r]*/**/*"))
    assert message in script.refused("--vector-size 4", arguments)
    assert sorted(tmp_path.glob("[!r]*/**/*")) == before
    assert not [*tmp_path.glob("runs/*/*")]


def test_bad_input_of_studies(study_script):
    assert "--condition noise has no image" in study_script.refused("models --condition noise")


@pytest.mark.parametrize("command", [["train_text2image.py"], ["studies.text2image", "real"]])
def test_help_without_tensorflow(command):
    assert helps_at_once(*command)


def test_the_defaults_are_the_reports():
    config = Config()
    assert (config.words, config.vector_size, config.image_size) == (25, 400, 64)
    assert (config.model, config.convlstm, config.real) == ("full", "refined", "random")
    assert (config.euclidean, config.filters, config.components) == ("original", 3, 10)
    assert (config.condition, config.sentence) == ("sentence", "sum")
    assert config.adversarial_weight == 1 and not (config.blurred or config.skip_gram)
    assert (config.learning_rate, config.beta_1) == (2e-4, 0.5)
    assert (config.matching, config.augment, config.average) == (False, (), 0)


def test_what_is_given_goes_before_the_presets(script):
    presets = (
        (REDUCED, "--data small --reduced"), (PHOTOGRAPHS, "--data small --photographs"),
        (REDUCED_PHOTOGRAPHS, "--data small --photographs --reduced"), (BUILT_IN, ""),
    )  # fmt: skip
    for preset, arguments in presets:
        config = script.settings(arguments)
        assert {**dataclasses.asdict(config), **preset} == dataclasses.asdict(config)
        config = script.settings(arguments, "--width 5 --euclidean penalty --epochs 7")
        assert (config.width, config.euclidean, config.epochs) == (5, "penalty", 7)
        assert config.batch_size == preset["batch_size"]
        config = script.settings(arguments, "--vectors three.txt")  # which nothing trains
        assert (config.skip_gram, config.vector_size) == (False, 400)


def test_an_epoch_shows_every_caption_once():
    assert Config(batch_size=5, epochs=3).schedule(24) == Schedule(5, 5, 3)


def test_colours_are_measured_on_built_in_flowers(monkeypatch, tmp_path):
    """Of pictures that are the real ones, nearly all colours agree."""
    flowers = synthetic_flowers(200, seed=0, size=32)
    held_out = flowers.take(flowers.split == "test")
    _, owners = held_out.sentences()
    monkeypatch.setattr(train_text2image, "train", lambda *_: None)
    shown = held_out.images[owners]
    monkeypatch.setattr(train_text2image, "draw_sentences", lambda *_: shown)
    config = Config(model="gnn", vector_size=2)
    captions, _ = flowers.sentences()
    vocabulary = train_word2vec(captions, 2, epochs=1)
    _, figures = train_text2image.run(config, tmp_path, flowers, vocabulary)
    assert figures["matched"] == 0 and figures["nearer"] == 100
    assert figures["petals"] > 95 and figures["centres"] > 95 and figures["both_chance"] < 20
