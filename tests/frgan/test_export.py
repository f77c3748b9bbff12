import contextlib
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.export.flatbuffer import operations
from keras_gans.frgan.datasets import load_folders
from keras_gans.frgan.export import (
    compare_classifier,
    export_classifier,
    fit_size,
    print_classifiers,
)
from keras_gans.frgan.networks import build_discriminator
from keras_gans.layers import initialize_from_data
from tests.runtimes import RUNTIMES, opened

pytestmark = pytest.mark.slow  # conversions take seconds each

CLASSES = ("cat", "dög", "emu")
SIZE = 16


def smooth(count, height, width, seed=0):
    """Random blobs, uint8 (count, height, width, 3)."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (count, 5, 5, 3))
    return np.rint(tf.image.resize(coarse, (height, width))).astype(np.uint8)


IMAGES = smooth(24, SIZE, SIZE)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    network = build_discriminator(SIZE, classes=3, width=16)
    images = IMAGES / np.float32(127.5) - 1
    initialize_from_data(network, images)
    last = network.get_layer("logits")  # without noise, too, no class is to be ahead of all
    last.bias.assign_sub(network(images, training=False).numpy().mean(axis=0))
    return network


@pytest.fixture(scope="module")
def exported_and_printed(network, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "some-classifier"
    labels = probabilities(network, IMAGES).argmax(axis=1)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        paths = export_classifier(
            network, CLASSES, base, {"set": "blobs"}, IMAGES, IMAGES, labels
        )
    return paths, printed.getvalue()


@pytest.fixture(scope="module")
def exported(exported_and_printed):
    return exported_and_printed[0]


def probabilities(network, images):
    logits = network(images / np.float32(127.5) - 1, training=False).numpy().astype(float)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def tflite(exported):
    return {name: path for name, path in exported.items() if name != "saved_model"}


def test_files_and_description(exported):
    base = exported["saved_model"].parent
    names = [f"some-classifier-{precision}" for precision in ("float32", "float16", "int8")]
    assert list(exported) == ["saved_model", *names]
    assert {child.name for child in base.iterdir()} == {
        "1",
        "README.md",
        *(f"{n}.tflite" for n in names),
    }
    text = (exported["saved_model"] / "assets.extra" / "model.json").read_text("utf-8")
    expected = {"set": "blobs", "classes": list(CLASSES), "image_size": SIZE}
    assert json.loads(text) == expected


READ = """
import sys

sys.modules.update(keras=None, keras_gans=None)  # an import of either now fails
import numpy as np
import tensorflow as tf

images = np.load(sys.argv[2])
loaded = tf.saved_model.load(sys.argv[1])
served = loaded.signatures["serving_default"](images=tf.constant(images))
np.savez(sys.argv[3], **{name: value.numpy() for name, value in served.items()})
"""


def test_saved_model_in_a_process_without_our_code(network, exported, tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    command = [sys.executable, "-c", READ, exported["saved_model"]]
    command += [tmp_path / "images.npy", tmp_path / "served.npz"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    served = np.load(tmp_path / "served.npz", allow_pickle=True)
    assert set(served) == {"probabilities", "classes", "label"}
    expected = probabilities(network, IMAGES)
    np.testing.assert_allclose(served["probabilities"], expected, atol=1e-5)
    names = np.array([name.encode() for name in CLASSES], object)
    # a server that answers row by row wants a row an image of each output
    np.testing.assert_array_equal(served["classes"], np.tile(names, (24, 1)))
    np.testing.assert_array_equal(served["label"], names[expected.argmax(axis=1)])
    assert len(set(served["label"])) > 1


def test_other_sizes_are_fitted_in_the_graph(network, exported):
    serve = tf.saved_model.load(exported["saved_model"]).signatures["serving_default"]
    for height, width in ((40, 50), (9, 7), (16, 17)):
        images = smooth(3, height, width, seed=1)
        fitted = fit_size(tf.constant(images), SIZE).numpy()
        served = serve(images=tf.constant(images))["probabilities"]
        np.testing.assert_allclose(served, probabilities(network, fitted), atol=1e-5)


def test_the_exact_size_passes_unchanged():
    noise = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(fit_size(tf.constant(noise), SIZE), noise)


def test_the_middle_is_seen_and_fine_patterns_become_grey():
    image = np.zeros((1, 40, 90, 3), np.uint8)
    image[:, :, 25:65] = (200, 100, 50)
    np.testing.assert_array_equal(
        fit_size(tf.constant(image), SIZE), np.full((1, SIZE, SIZE, 3), (200, 100, 50))
    )
    # half of the light of white is sRGB's 188; without a filter there would be stripes
    stripes = np.zeros((1, 128, 128, 3), np.uint8)
    stripes[:, :, ::2] = 255
    inside = fit_size(tf.constant(stripes), SIZE).numpy()[:, 2:-2, 2:-2].astype(int)
    assert np.abs(inside - 188).max() <= 2


@pytest.mark.parametrize("height, width", [(50, 44), (11, 13)])
def test_images_are_fitted_as_the_loader_fits_them(tmp_path, height, width):
    images = smooth(4, height, width, seed=2)
    for image, place in zip(images, ("train/a", "train/b", "test/a", "test/b")):
        (tmp_path / place).mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / place / "1.png")
    loaded = load_folders(tmp_path, SIZE)
    loaded = np.concatenate([loaded.train_images, loaded.test_images]).astype(int)
    drift = np.abs(fit_size(tf.constant(images), SIZE).numpy() - loaded)
    assert drift.max() <= 1


def test_tflite_drift_size_and_accuracy(network, exported, capsys):
    expected = probabilities(network, IMAGES)
    labels = expected.argmax(axis=1)
    labels[:6] = (labels[:6] + 1) % 3  # three of four right
    rows = compare_classifier(network, tflite(exported), IMAGES, labels)
    print_classifiers(rows)
    shown = capsys.readouterr().out
    assert "some-classifier-float32: 75.00 % (+0.00 points)\n" in shown
    rows = rows.set_index(rows["name"].str.removeprefix("some-classifier-"))
    assert rows["max"]["float32"] < 1e-3 and rows["max"]["float16"] < 0.5
    assert 0 < rows["mean"]["int8"] < 3
    np.testing.assert_allclose(rows["accuracy"] - rows["change"], 75)
    # the kernels alone, a byte a value; v, as long, would double it
    kernels = sum(np.prod(layer.v.shape) for layer in network.layers if hasattr(layer, "v"))
    assert rows["size_kb"]["float32"] < 4 * kernels / 1000 + 25
    assert rows["size_kb"]["int8"] < kernels / 1000 + 25
    assert kernels / 1000 > 40


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes(network, exported, runtime):
    expected = probabilities(network, IMAGES[:1])
    for precision, limit in (("float32", 1e-5), ("float16", 5e-3), ("int8", 0.1)):
        run = opened(runtime, exported[f"some-classifier-{precision}"])
        found = run(images=IMAGES[:1] / np.float32(127.5) - 1)["probabilities"]
        np.testing.assert_allclose(found, expected, atol=limit)


def test_tflite_works_out_the_normalisation_beforehand(exported):
    for precision in ("float32", "int8"):
        path = exported[f"some-classifier-{precision}"]
        steps = operations(path)
        names = {step.name for step in steps}
        assert not names & {"SQRT", "RSQRT", "DIV", "SUM"}
        kinds = {each.types[0] for each in steps if each.name == "CONV_2D"}
        assert kinds == {precision.upper()}


def test_given_test_images_are_reported(exported_and_printed):
    assert "some-classifier-float32: 100.00 % (+0.00 points)" in exported_and_printed[1]


def test_bad_arguments(network, tmp_path):
    with pytest.raises(ValueError, match="3 logits. Received: .'cat', 'dog'"):
        export_classifier(network, ("cat", "dog"), tmp_path / "a", {}, IMAGES)
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_classifier(network, CLASSES, tmp_path / "file", {}, IMAGES)


def test_files_are_classified_as_their_pixels(exported):
    signatures = tf.saved_model.load(exported["saved_model"]).signatures
    sizes = IMAGES[:2], np.tile(IMAGES[2:3], (1, 3, 2, 1))
    files = [tf.io.encode_png(image) for images in sizes for image in images]
    found = signatures["bytes"](image_bytes=tf.stack(files))
    expected = [signatures["serving_default"](images=tf.constant(images)) for images in sizes]
    for name, value in found.items():
        parts = np.concatenate([each[name].numpy() for each in expected])
        if name == "probabilities":
            np.testing.assert_allclose(value, parts, atol=1e-5)
        else:
            np.testing.assert_array_equal(value, parts)
