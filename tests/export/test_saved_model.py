import json
import os
import subprocess
import sys

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


READ = """
import sys

sys.modules.update(keras=None, keras_gans=None)  # an import of either now fails
import numpy as np
import tensorflow as tf

path = sys.argv[1]
x = np.array([[1, 2], [3, 4]], np.float32)
loaded = tf.saved_model.load(path)
once = loaded.signatures["serving_default"](x=tf.constant(x))["y"].numpy()
twice = loaded.signatures["twice"](x=tf.constant(x))["y"].numpy()
with tf.compat.v1.Session(graph=tf.Graph()) as session:  # as a server does
    meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
    signature = meta.signature_def["serving_default"]
    served = session.run(signature.outputs["y"].name, {signature.inputs["x"].name: x})
np.savez(sys.argv[2], once=once, twice=twice, served=served)
"""


def test_loads_in_a_process_without_our_code(network, tmp_path):
    path = export_saved_model(tmp_path / "model", network, endpoints(network), {})
    command = [sys.executable, "-c", READ, str(path), str(tmp_path / "out.npz")]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    out = np.load(tmp_path / "out.npz")
    expected = network(np.array([[1, 2], [3, 4]], np.float32)).numpy()
    np.testing.assert_allclose(out["once"], expected, rtol=1e-6)
    np.testing.assert_allclose(out["twice"], 2 * expected, rtol=1e-6)
    np.testing.assert_allclose(out["served"], expected, rtol=1e-6)


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
