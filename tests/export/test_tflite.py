import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.export.flatbuffer import description, metadata, operations
from keras_gans.export.parity import compare, print_parity
from keras_gans.export.runtimes import runner
from keras_gans.export.tflite import (
    LICENSE,
    PRECISIONS,
    convert,
    round_to_int8,
    rounded_network,
    write_models,
)

RNG = np.random.default_rng(0)
ABOUT = {
    "task": "to test",
    "inputs": {"x": {"values": "noise", "range": [0, 1]}},
    "outputs": {"y": {"values": "numbers"}},
}


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, use_bias=False)(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.SeparableConv2D(64, 3, padding="same")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))


@pytest.fixture(scope="module")
def models(network):
    return {name: converted(network, name) for name in PRECISIONS}


def converted(network, precision, float_head=False):
    signature = [tf.TensorSpec([1, None, None, 3], tf.float32, name="x")]
    inputs = [{"x": x} for x in images(8)]
    return convert(lambda x: {"y": network(x)}, signature, ABOUT, precision, inputs, float_head)


def images(count):
    return RNG.uniform(0, 1, (count, 1, 20, 30, 3)).astype(np.float32)


@pytest.mark.parametrize("name,drift", [("float32", 1e-5), ("float16", 3e-3), ("int8", 3e-2)])
def test_computes_what_the_network_does(network, models, name, drift):
    run = runner(models[name])
    for x in [*images(2), RNG.uniform(0, 1, (1, 9, 5, 3)).astype(np.float32)]:
        expected = network(x).numpy()
        got = run(x=x)["y"]
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=drift * np.abs(expected).max())


def test_only_convolutions_are_int8(models):
    types = {op.name: op.types for op in operations(models["int8"])}
    assert types["CONV_2D"][:2] == types["DEPTHWISE_CONV_2D"][:2] == ["INT8", "INT8"]
    assert "INT8" not in types["MEAN"]
    assert {kind for op in operations(models["float32"]) for kind in op.types} <= {
        "FLOAT32",
        "INT32",
    }


def test_the_last_convolution_may_stay_float(network, tmp_path):
    kinds = {}
    for head in (False, True):
        (tmp_path / "model.tflite").write_bytes(converted(network, "int8", head))
        found = operations(tmp_path / "model.tflite")
        kinds[head] = [op.types[0] for op in found if op.name.endswith("CONV_2D")]
    assert kinds == {False: ["INT8"] * 3, True: ["INT8", "INT8", "FLOAT32"]}


def test_half_and_int8_are_smaller(models):
    assert len(models["float16"]) < len(models["float32"])
    assert len(models["int8"]) < len(models["float32"])


def test_bad_arguments():
    with pytest.raises(ValueError, match="Received: 'int4'"):
        convert(None, [], {}, "int4")
    with pytest.raises(ValueError, match="representative"):
        convert(None, [], {}, "int8")


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 1, 3)])
def test_rounding_keeps_sums(axes):
    kernel = RNG.normal(size=(3, 3, 5, 4)).astype(np.float32)
    rounded = round_to_int8(kernel, axes)
    scale = np.abs(kernel).max(axes, keepdims=True) / 127
    steps = rounded / scale
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    assert np.abs(steps).max() < 127.01
    assert np.abs(kernel - rounded).max() <= scale.max()
    # nine independent roundings would be up to 4.5 steps off
    assert np.abs(((kernel - rounded) / scale).sum(axis=(0, 1))).max() < 0.501


def test_rounding_by_hand():
    # each rounds to zero by itself, and 1.2 of the sum would be lost
    kernel = np.array([127, 0.4, 0.45, 0.35, 0, 0, 0, 0, 0]).reshape(3, 3, 1, 1)
    rounded = round_to_int8(kernel, (0, 1, 2))
    np.testing.assert_allclose(rounded.ravel(), [127, 0, 1, 0, 0, 0, 0, 0, 0])
    assert round_to_int8(np.zeros((3, 3, 1, 1)), (0, 1, 2)).any() == 0


def test_rounded_network_is_a_copy(network):
    before = network.get_weights()
    copy = rounded_network(network)
    x = images(1)[0]
    np.testing.assert_allclose(copy(x), network(x), atol=0.02)
    assert not np.array_equal(copy.get_weights()[0], before[0])
    for value, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_a_file_says_what_it_is(models, tmp_path):
    for name, model in models.items():
        facts = metadata(model)
        assert facts["inputs"]["x"] == {
            "values": "noise", "range": [0, 1], "type": "float32", "shape": [1, None, None, 3]
        }  # fmt: skip
        assert description(model) == (
            "to test; takes x, float32 (1, any, any, 3): noise; "
            f"gives y, float32 ({facts['outputs']['y']['shape'][0] or 'any'}, 64): numbers"
        )
        path = write_models({name: model}, tmp_path / "7", {"trained_on": "häy", "more": 1})[
            name
        ]
        run = {"name": name, "version": 7, "trained_on": "häy", "license": LICENSE}
        assert metadata(path) == facts | run
        assert description(path) == description(model)
        names = [each for step in operations(path) for each in step.outputs]
        assert len(set(names)) == len(names) and "" not in names and names[-1] == "y"
    plain = tf.function(lambda x: x + 1, [tf.TensorSpec([2])]).get_concrete_function()
    older = tf.lite.TFLiteConverter.from_concrete_functions([plain]).convert()
    assert metadata(older) == {}


def test_write_models_and_parity_table(network, models, tmp_path, capsys):
    paths = write_models(models, tmp_path / "name" / "1", {})
    assert sorted(p.name for p in (tmp_path / "name").iterdir()) == [
        "README.md",
        "float16.tflite",
        "float32.tflite",
        "int8.tflite",
    ]
    xs = images(3)
    rows = compare(
        paths,
        [{"x": x} for x in xs],
        [network(x).numpy() for x in xs],
        lambda expected, got: np.abs(expected - got["y"]),
        repeats=2,
    )
    assert list(rows["name"]) == ["float32", "float16", "int8"]
    assert list(rows["size_kb"]) == [path.stat().st_size / 1000 for path in paths.values()]
    assert (rows["latency_ms"] > 0).all() and (rows["mean"] <= rows["max"]).all()
    assert rows["max"][0] < rows["max"][2]
    print_parity(rows, "exported", "steps")
    assert "float16" in capsys.readouterr().out


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        write_models({"a": b""}, tmp_path / "file" / "1", {})
