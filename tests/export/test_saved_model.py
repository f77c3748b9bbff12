import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.export.saved_model import export_saved_model


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((2,))
    return keras.Model(inputs, keras.layers.Dense(2)(inputs))


def endpoints(network):
    x = tf.TensorSpec([None, 2], tf.float32, name="x")
    return {
        "serving_default": (lambda x: {"y": network(x)}, [x]),
        "twice": (lambda x: {"y": 2 * network(x)}, [x]),
    }


def test_every_endpoint_is_a_signature(network, tmp_path):
    path = export_saved_model(tmp_path / "model", network, endpoints(network), {})
    x = np.array([[1, 2], [3, 4]], np.float32)
    signatures = tf.saved_model.load(path).signatures
    for name, factor in (("serving_default", 1), ("twice", 2)):
        y = signatures[name](x=tf.constant(x))["y"]
        np.testing.assert_allclose(y, factor * network(x).numpy(), rtol=1e-6)


def test_weights_are_stored_once_and_in_order(network, tmp_path):
    path = export_saved_model(tmp_path / "model", network, endpoints(network), {})
    for value, kept in zip(
        tf.saved_model.load(path).weights, network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(value, kept)
    stored = dict(tf.train.list_variables(str(path / "variables" / "variables")))
    assert sum("VARIABLE_VALUE" in name for name in stored) == len(network.weights)


def test_versions_count_on_and_carry_their_metadata(network, tmp_path):
    base = tmp_path / "name"
    (base / "3").mkdir(parents=True)
    first = export_saved_model(base, network, endpoints(network), {"note": "å"})
    second = export_saved_model(base, network, endpoints(network), {})
    assert (first, second) == (base / "4", base / "5")
    text = (first / "assets.extra" / "model.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"note": "å"}
    assert sorted(child.name for child in base.iterdir()) == ["3", "4", "5"]


def test_failure_leaves_nothing(network, tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        export_saved_model(tmp_path, network, endpoints(network), {"a": object()})
    assert not list(tmp_path.iterdir())


def test_other_users_may_read_it(network, tmp_path):
    umask = os.umask(0o022)
    try:
        path = export_saved_model(tmp_path, network, endpoints(network), {})
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o755


def test_folder_that_cannot_be_written(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_saved_model(tmp_path / "file", network, endpoints(network), {})
