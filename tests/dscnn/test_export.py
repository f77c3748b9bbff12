import numpy as np
import pytest
import tensorflow as tf

from keras_gans.dscnn.estimate import estimate
from keras_gans.dscnn.export import compare_dscnn, export_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = [RNG.uniform(0, 1, (40, 56, 3)).astype(np.float32) for _ in range(6)]


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
    return export_dscnn(network, base, {"set": "noise"}, IMAGES)


def test_files(exported):
    base = exported["saved_model"].parent
    names = ["1", "dscnn-float16.tflite", "dscnn-float32.tflite", "dscnn-int8.tflite"]
    assert sorted(child.name for child in base.iterdir()) == names


def test_saved_model_signatures(network, exported):
    loaded = tf.saved_model.load(exported["saved_model"])
    images = tf.constant(RNG.uniform(0, 1, (3, 33, 50, 3)), tf.float32)
    expected = estimate(network, images)
    served = loaded.signatures["serving_default"](images=images)
    assert set(served) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(served[name], value, atol=1e-5)
        alone = loaded.signatures[name](images=images)
        assert list(alone) == [name]
        np.testing.assert_allclose(alone[name], value, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 16x16"):
        loaded.signatures["illuminant"](images=images[:, :9])


def test_tflite_drift(network, exported):
    paths = {name: path for name, path in exported.items() if name != "saved_model"}
    images = [*IMAGES[:2], *(RNG.uniform(0, 1, (16, 70, 3)).astype(np.float32),) * 2]
    images[1][:20] = 0  # patches without a vote
    rows = compare_dscnn(network, paths, images).set_index("name")
    assert rows["max"]["dscnn-float32"] < 1e-3
    assert rows["max"]["dscnn-float16"] < 0.05
    assert rows["max"]["dscnn-int8"] < 1.0


def test_folder_that_cannot_be_written(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_dscnn(network, tmp_path / "file", {}, IMAGES)
