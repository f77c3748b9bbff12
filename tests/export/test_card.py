import keras
import tensorflow as tf

from keras_gans.export.card import write_card
from keras_gans.export.saved_model import export_saved_model
from keras_gans.export.tflite import convert, write_models


def test_a_card_tells_what_the_files_tell(tmp_path):
    x = keras.Input((2,))
    network = keras.Model(x, keras.layers.Dense(3)(x))

    def serve(x):
        return {"y": network(x)}

    spec = tf.TensorSpec([1, 2], tf.float32, name="x")
    description = {
        "trained_on": "nothing | at all",
        "license": "MIT",
        "limits": ["Knows nothing."],
        "test_figures": {"mean_error": 1.23456, "images": 20},
    }
    version = export_saved_model(tmp_path, network, {"serving_default": (serve, [spec])}, {})
    about = {
        "task": "to multiply",
        "inputs": {"x": {"values": "numbers"}},
        "outputs": {"y": {"values": "more numbers"}},
    }
    files = write_models({"n-float32": convert(serve, [spec], about)}, version, description)
    text = (tmp_path / "README.md").read_text("utf-8")
    for line in (
        f"# {tmp_path.name}, version 1", "to multiply", "- Trained on: nothing | at all",
        "- Licence: MIT", "- Knows nothing.", "| mean error | 1.235 |", "| images | 20 |",
        "| `serving_default` | `x` | `y` |",
    ):  # fmt: skip
        assert f"\n{line}\n" in f"\n{text}"
    assert "`x` float32 (1, 2), numbers | `y` float32 (1, 3), more numbers |" in text
    assert write_card(version, {}, files.values()).read_text("utf-8") != text
