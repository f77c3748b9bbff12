import io
import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.commands import white_balance
from keras_gans.data.squares import area_average
from keras_gans.dscnn.estimate import estimate
from keras_gans.dscnn.export import compare_dscnn, convert_dscnn, export_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.dscnn.view import area_averaged
from keras_gans.errors import InputError
from keras_gans.export.flatbuffer import operations
from keras_gans.export.runtimes import runner
from keras_gans.metrics.angular import angular_errors
from tests.dscnn.reference import correct
from tests.runtimes import RUNTIMES, opened

pytestmark = pytest.mark.slow  # conversions take seconds each

RNG = np.random.default_rng(0)
IMAGES = [RNG.uniform(0, 1, (40, 56, 3)).astype(np.float32) for _ in range(6)]
PRECISIONS = ("float32", "int8")  # of three; float16 is the same graph as float32


@pytest.fixture(scope="module")
def network():
    network = build_dscnn(patch_size=16, modules=2, encoding="gamma")
    colour = network.get_layer("colour")
    kernel, _ = colour.get_weights()
    colour.set_weights([kernel, np.array([1, 2, 1.5], np.float32)])  # far from no light
    return network


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "dscnn"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_gans.dscnn.export.PRECISIONS", PRECISIONS)
        return export_dscnn(network, base, {"set": "noise"}, IMAGES)


def test_files(exported):
    base = exported["saved_model"].parent
    names = [f"dscnn{form}-{kind}" for form in ("", "-16", "-network") for kind in PRECISIONS]
    assert {child.name for child in base.iterdir()} == {
        "1",
        "README.md",
        *(f"{n}.tflite" for n in names),
    }


def test_saved_model_signatures(network, exported):
    loaded = tf.saved_model.load(exported["saved_model"])
    images = tf.constant(RNG.uniform(0, 1, (3, 33, 50, 3)), tf.float32)
    expected = estimate(network, images)
    expected["gains"] = expected["illuminant"][:, 1:2] / expected["illuminant"]
    del expected["spread"]
    served = loaded.signatures["serving_default"](images=images)
    assert set(served) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(served[name], value, atol=1e-5)
        if name == "gains":
            continue
        alone = loaded.signatures[name](images=images)
        assert list(alone) == [name]
        np.testing.assert_allclose(alone[name], value, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 16x16"):
        loaded.signatures["illuminant"](images=images[:, :9])


@pytest.mark.parametrize("view", ["whole", 24])
def test_signatures_take_the_view_as_the_command_does(network, tmp_path, monkeypatch, view):
    monkeypatch.setattr("keras_gans.dscnn.export.PRECISIONS", ())
    card = {"view": view, "patch_size": 16}
    folder = export_dscnn(network, tmp_path, card, [])["saved_model"]
    loaded = tf.saved_model.load(folder)
    served = loaded.signatures["serving_default"]
    command = white_balance.WhiteBalance.find(folder)
    thumbnail, wide, photo = (16, 16), (16, 90), (150, 230)
    for size in (thumbnail, wide, photo):
        image = RNG.uniform(0, 1, (*size, 3)).astype(np.float32)
        found = served(images=image[None])
        illuminant, local_map, *_ = white_balance.estimate(image, command)
        np.testing.assert_allclose(found["illuminant"][0], illuminant, atol=1e-5)
        np.testing.assert_allclose(found["local_map"][0], local_map, atol=1e-5)
        expected = correct(image, illuminant)
        np.testing.assert_allclose(found["corrected"][0], expected, atol=1e-5)
        if view == "whole":
            scene = estimate(network, area_average(image, 16, 16)[None], turned=True)
            np.testing.assert_allclose(found["illuminant"], scene["illuminant"], atol=1e-5)

    levels = np.rint(255 * np.linspace(0, 1, photo[1])[:, None] ** [1, 0.9, 0.8])
    levels = np.broadcast_to(levels.astype(np.uint8), (*photo, 3))  # up to white
    deep = (65535 * image).astype(np.uint16)
    contents = tf.stack([tf.io.encode_png(levels), tf.io.encode_png(deep)])
    found = loaded.signatures["bytes"](image_bytes=contents)
    (corrected, light), (corrected_deep, light_deep) = command(levels), command(deep)
    np.testing.assert_allclose(found["illuminant"], [light, light_deep], atol=1e-5)
    file, answered = io.BytesIO(), found["corrected_bytes"].numpy()
    Image.fromarray(corrected).save(file, "JPEG", quality=95)
    corrected, finished = (Image.open(each) for each in (file, io.BytesIO(answered[0])))
    np.testing.assert_allclose(1.0 * np.asarray(finished), 1.0 * np.asarray(corrected), atol=2)
    answered_deep = tf.io.decode_png(answered[1], dtype=tf.uint16).numpy()
    np.testing.assert_allclose(1.0 * answered_deep, 1.0 * corrected_deep, atol=2)
    for bad, message in ((np.zeros((20, 20, 3)), "all black"), (levels[:9], "at least 16x16")):
        bad = tf.io.encode_png(tf.cast(bad, tf.uint8))
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            loaded.signatures["bytes"](image_bytes=bad[None])


def test_area_averages_are_exact():
    image = RNG.uniform(0, 1, (2, 40, 56, 3)).astype(np.float32)
    for size in ((40, 56), (39, 17), (16, 1)):
        expected = [area_average(each, *size) for each in image]
        np.testing.assert_allclose(area_averaged(image, *size), expected, atol=1e-6)


def test_tflite_drift(network, exported):
    paths = {name: path for name, path in exported.items() if name != "saved_model"}
    images = [*IMAGES[:2], *(RNG.uniform(0, 1, (16, 70, 3)).astype(np.float32),) * 2]
    images[1][:20] = 0  # patches without a vote
    rows = compare_dscnn(network, paths, images).set_index("name")
    for form in ("", "-16", "-network"):
        assert rows["max"][f"dscnn{form}-float32"] < 1e-3
        assert rows["max"][f"dscnn{form}-int8"] < 1.0


def test_a_model_of_whole_scenes_averages_them_itself(network, tmp_path):
    path = tmp_path / "whole.tflite"
    path.write_bytes(convert_dscnn(network, "float32", view="whole"))
    run = runner(path)
    for height, width in ((16, 16), (40, 56), (67, 16), (333, 1001)):
        image = RNG.uniform(0, 1, (height, width, 3)).astype(np.float32)
        small = area_average(image, 16, 16)[None]
        light = estimate(network, tf.constant(small), turned=True)["illuminant"]
        np.testing.assert_allclose(run(images=image[None])["illuminant"], light, atol=1e-5)
    for height, width in ((0, 0), (15, 70), (70, 15)):
        image = np.full((1, height, width, 3), 0.5, np.float32)
        assert np.isnan(run(images=image)["illuminant"]).all()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes(network, exported, runtime):
    patch = IMAGES[2][:16, :16]
    shown = {"": (IMAGES[0], IMAGES[1][:33, :50]), "-16": (patch,), "-network": (patch,)}
    limits = {"float32": 1e-3, "int8": 2}
    files = list(itertools.product(shown, limits))
    for form, precision in files[::4] if runtime == "onnx" else files:  # it takes long
        run = opened(runtime, exported[f"dscnn{form}-{precision}"])
        for image in shown[form]:
            expected = estimate(network, tf.constant(image[None]))["illuminant"]
            found = run(images=image[None])
            light = found["directions" if form == "-network" else "illuminant"]
            assert angular_errors(expected, light) < limits[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_tflite_makes_of_odd_values(exported, precision):
    run, fixed = (runner(exported[f"dscnn{form}-{precision}"]) for form in ("", "-16"))
    image = IMAGES[0][None, :16, :16].copy()
    image[0, 3, 4] = 0
    expected = fixed(images=image)["illuminant"]
    np.testing.assert_allclose(run(images=image)["illuminant"], expected, atol=1e-6)
    image[0, 3, 4] = -0.009  # a resizer's rounding is black
    np.testing.assert_array_equal(fixed(images=image)["illuminant"], expected)
    assert np.isnan(run(images=image[:, :15])["illuminant"]).all()
    for far in (np.nan, -0.02, 1.1):
        image[0, 3, 4, 1] = far
        assert np.isnan(run(images=image)["illuminant"]).all()
        assert np.isnan(fixed(images=image)["illuminant"]).all()


def test_int8_rounds_nothing_but_what_the_convolutions_take(exported):
    for form in ("", "-16", "-network"):
        names = [step.name for step in operations(exported[f"dscnn{form}-int8"])]
        assert names.count("QUANTIZE") == names.count("DEQUANTIZE") == 1


def test_the_network_alone_suits_a_gpu(exported):
    steps = operations(exported["dscnn-network-float32"])
    assert not {"TOPK_V2", "SELECT_V2", "WHERE"} & {step.name for step in steps}
    assert {kind for step in steps for kind in step.types} <= {"FLOAT32", "INT32"}


def test_folder_that_cannot_be_written(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_dscnn(network, tmp_path / "file", {}, IMAGES)
