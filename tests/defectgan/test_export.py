import contextlib
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands.overlay import draw_overlay
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration, detect, difference, mask_of
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.defectgan.export import (
    compare_defectgan,
    convert_generator,
    export_defectgan,
)
from keras_gans.defectgan.networks import build_generator
from keras_gans.defectgan.tiles import cut_tiles
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError
from keras_gans.export import flatbuffer
from keras_gans.export.runtimes import onnx_session, runner
from tests.defectgan.fakes import boxes
from tests.runtimes import RUNTIMES, opened

pytestmark = pytest.mark.slow  # conversions take seconds each

TILE = 32
CALIBRATION = Calibration(bias=0.4, threshold=6.0, sigma=1.2, dilation=2)


@pytest.fixture(scope="module")
def generator():
    """Untrained, but it changes images by some grey levels, as a trained one does."""
    keras.utils.set_random_seed(0)
    generator = build_generator(1, 8, 1, residual=True)
    last = [layer for layer in generator.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    kernel, bias = last.get_weights()
    last.set_weights([np.random.default_rng(0).normal(0, 0.003, kernel.shape), bias])
    return generator


@pytest.fixture(scope="module")
def images():
    """Noisy waves, uint8 (40, 40, 1)."""
    rng = np.random.default_rng(0)
    phases = np.arange(40) / rng.uniform(2, 5, (8, 1)) + rng.uniform(0, 6, (8, 1))
    waves = 120 + 50 * np.sin(phases)[:, None, :, None] + rng.normal(0, 5, (8, 40, 40, 1))
    return list(waves.astype(np.uint8))


@pytest.fixture(scope="module")
def exported(generator, images, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "defectgan"
    cleaner = Cleaner(generator, View(TILE))
    return export_defectgan(cleaner, CALIBRATION, base, {"set": "waves"}, images)


def test_files_and_description(exported):
    base = exported["saved_model"].parent
    models = [f"defectgan-{kind}" for kind in ("float32", "float16", "int8")]
    assert list(exported) == ["saved_model", *models]
    assert {child.name for child in base.iterdir()} == {
        "1",
        "README.md",
        *(f"{m}.tflite" for m in models),
    }
    text = (exported["saved_model"] / "assets.extra" / "model.json").read_text()
    description = json.loads(text)
    assert Calibration(**description.pop("calibration")) == CALIBRATION
    expected = {"set": "waves", "tile": TILE, "reduce": 1, "flatten": 0, "channels": 1}
    assert description == expected


def test_saved_model_signatures(generator, exported):
    signatures = tf.saved_model.load(exported["saved_model"]).signatures
    for size in ((TILE, TILE), (45, 70), (3, 5)):
        images = np.random.default_rng(0).integers(0, 256, (2, *size, 1), np.uint8)
        served = signatures["serving_default"](images=tf.constant(images))
        served = {name: value.numpy() for name, value in served.items()}
        assert set(served) == {"cleaned", "difference", "mask", "score"}
        for name in ("cleaned", "mask", "score"):
            alone = signatures[name](images=tf.constant(images))
            assert list(alone) == [name]
            np.testing.assert_array_equal(alone[name], served[name])
        values = difference(images, served["cleaned"], CALIBRATION.bias, CALIBRATION.sigma)
        np.testing.assert_array_equal(served["difference"], values)
        np.testing.assert_array_equal(served["score"], values.max(axis=(1, 2)))
        masks = [255 * mask_of(value, CALIBRATION) for value in values]
        np.testing.assert_array_equal(served["mask"], masks)
        if size == (TILE, TILE):  # one tile goes through the generator as it is
            expected = (generator(images / np.float32(127.5) - 1).numpy() + 1) * 127.5
            np.testing.assert_allclose(served["cleaned"], expected, atol=0.501)


def test_files_in_files_out(exported, images):
    signatures = tf.saved_model.load(exported["saved_model"]).signatures
    pixels = np.tile(images[0], (14, 2, 1))  # long enough for a line two pixels wide
    files = [tf.io.encode_png(each) for each in (images[1], pixels)]
    found = signatures["bytes"](image_bytes=tf.stack(files))
    for index, image in enumerate((images[1], pixels)):
        served = signatures["serving_default"](images=image[None])
        assert found["score"][index] == served["score"][0]
        mask = served["mask"].numpy()[0] > 0
        assert found["defective"][index] == mask.any() and mask.any()
        answered = tf.io.decode_png(found["mask_bytes"][index]).numpy()[..., 0]
        np.testing.assert_array_equal(answered, 255 * mask)
        answered = tf.io.decode_png(found["overlay_bytes"][index]).numpy()
        np.testing.assert_array_equal(answered, draw_overlay(image, mask))
    colour = np.zeros((9, 9, 3), np.uint8)
    colour[4] = 200, 100, 50
    alpha = np.full((9, 9, 2), 99, np.uint8)
    for bad, message in ((colour, "must be grey"), (alpha, "without transparency")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            signatures["bytes"](image_bytes=tf.io.encode_png(bad)[None])


def test_what_is_exported_flattens(generator, images, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_gans.defectgan.export.PRECISIONS", ())
    cleaner = Cleaner(generator, View(TILE, flatten=5))
    paths = export_defectgan(cleaner, CALIBRATION, tmp_path / "flat", {}, images)
    text = (paths["saved_model"] / "assets.extra" / "model.json").read_text()
    assert json.loads(text)["flatten"] == 5
    served = tf.saved_model.load(paths["saved_model"]).signatures["mask"]
    taken = tf.constant(np.stack(images))
    expected = build_detection_graph(cleaner, CALIBRATION)(taken)["mask"]
    np.testing.assert_array_equal(served(images=taken)["mask"], expected)
    plain = Cleaner(generator, View(TILE))
    unflattened = build_detection_graph(plain, CALIBRATION)(taken)["mask"]
    assert (expected.numpy() != unflattened.numpy()).any()


def test_tflite_drift(generator, exported, images):
    paths = {name: path for name, path in exported.items() if name != "saved_model"}
    rows = compare_defectgan(generator, paths, [*images[:3], images[4][:20]])
    rows = rows.set_index("name")
    assert rows["max"]["defectgan-float32"] < 0.01
    assert rows["max"]["defectgan-float16"] < 0.5
    assert 0 < rows["mean"]["defectgan-int8"] < 1.0
    assert rows["size_kb"]["defectgan-int8"] < rows["size_kb"]["defectgan-float16"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes(generator, exported, images, runtime):
    tile = cut_tiles(images[:1], TILE)
    expected = generator(tile, training=False).numpy()
    for precision, limit in (("float32", 0.01), ("float16", 0.5), ("int8", 1)):
        found = opened(runtime, exported[f"defectgan-{precision}"])(images=tile)["cleaned"]
        drift = np.abs(127.5 * (found - expected))
        assert (drift.mean() if precision == "int8" else drift.max()) < limit


def test_one_tile_has_a_signature_without_a_loop_for_onnx(exported, images):
    loaded = tf.saved_model.load(exported["saved_model"])
    signatures = loaded.signatures
    kinds = {node.op for node in signatures["tile"].graph.as_graph_def().node}
    assert not kinds & {"While", "StatelessWhile"}
    image = images[0][None, :TILE, :TILE]
    expected = signatures["serving_default"](images=tf.constant(image))
    assert 0 < expected["mask"].numpy().mean() < 255
    found = [signatures["tile"](images=tf.constant(image))]
    with contextlib.suppress(ImportError):
        import tf2onnx

        spec = [tf.TensorSpec(image.shape, tf.uint8, name="images")]
        tile = tf.function(lambda images: signatures["tile"](images=images), spec)
        model, _ = tf2onnx.convert.from_function(tile, spec, opset=18)
        found.append(onnx_session(model)(images=image))
    for outputs in found:
        for name, value in expected.items():
            np.testing.assert_array_equal(outputs[name], value)


def test_tflite_signature_and_operations(exported):
    tile = np.zeros((1, TILE, TILE, 1), np.float32)
    for precision in ("float32", "int8"):
        path = exported[f"defectgan-{precision}"]
        run = runner(path)
        assert {k: v["dtype"] for k, v in run.get_input_details().items()} == {
            "images": np.float32
        }
        cleaned = run(images=tile)["cleaned"]
        assert cleaned.shape == tile.shape and cleaned.dtype == np.float32
        operations = flatbuffer.operations(path)
        names = {operation.name for operation in operations}
        assert names >= {"CONV_2D", "TRANSPOSE_CONV", "CONCATENATION", "RSQRT", "TANH"}
        assert "MIRROR_PAD" not in names  # which XNNPACK does not know
        assert not any(name.startswith("Flex") or name == "CUSTOM" for name in names)
        types = {name: set() for name in names}
        for operation in operations:
            types[operation.name].update(operation.types)
        for name in ("RSQRT", "SUB", "TANH", "CONCATENATION"):
            assert "INT8" not in types[name]
        convolutions = [each.types[0] for each in operations if each.name == "CONV_2D"]
        kind = precision.upper()
        assert convolutions == [kind] * 5 + ["FLOAT32"]


def test_colour_generator_of_the_papers_kind():
    keras.utils.set_random_seed(0)
    generator = build_generator(3, 4, 1)
    run = runner(convert_generator(generator, "float32", 16))
    tile = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(run(images=tile)["cleaned"], generator(tile), atol=1e-4)
    with pytest.raises(ValueError, match="int8 needs representative inputs"):
        convert_generator(generator, "int8", 16)


COMMAND = """
import sys

sys.modules.update({"keras": None, "keras_gans.layers": None})  # an import of them now fails
from keras_gans.__main__ import main

main(["detect", *sys.argv[1:]])
"""


def test_the_command_finds_what_detect_finds_without_the_network_code(
    exported, images, tmp_path
):
    Image.fromarray(images[0][..., 0]).save(tmp_path / "a.png")
    Image.fromarray(images[1][..., 0]).save(tmp_path / "b.bmp")
    base = exported["saved_model"].parent
    command = [sys.executable, "-c", COMMAND, tmp_path, "--out", tmp_path / "out"]
    command += ["--model", base, "--fail-on-defect", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == ""
    served = tf.saved_model.load(base / "1").signatures["cleaned"]
    for row, image in zip(json.loads(done.stdout), images[:2], strict=True):
        found = detect(lambda x: served(images=tf.constant(x))["cleaned"], image, CALIBRATION)
        np.testing.assert_array_equal(Image.open(row["mask"]), 255 * found.mask)
        assert row["score"] == pytest.approx(found.score, abs=1e-3)
        assert row["mask_area"] == found.mask.sum() > 0
        assert [tuple(corners) for corners in row["boxes"]] == [
            box[:4] for box in boxes(found.mask)
        ]


def test_folder_that_cannot_be_written(generator, images, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        cleaner = Cleaner(generator, View(TILE))
        export_defectgan(cleaner, CALIBRATION, tmp_path / "file", {}, images)
