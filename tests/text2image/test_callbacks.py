import keras
import numpy as np
from keras import layers, ops
from PIL import Image

from keras_gans.text2image.callbacks import VectorGrids, WordGrids
from keras_gans.text2image.captions import Vocabulary


class Holder(keras.Model):
    """Has what the callbacks look for."""

    def __init__(self, **networks):
        super().__init__()
        for name, network in networks.items():
            setattr(self, name, network)


def images(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_word_grids_are_of_the_same_sentences(tmp_path):
    vectors, mask = keras.Input((4, 3)), keras.Input((4,), dtype="bool")
    scale = layers.Dense(3, use_bias=False, kernel_initializer="zeros")
    shown = ops.where(mask[..., None], scale(vectors), 1.0)[:, :, None, None]
    network = keras.Model([vectors, mask], ops.tile(shown, (1, 1, 64, 64, 1)))
    words = Vocabulary(("", "<unknown>", "red", "flower"),
                       np.float32([[0] * 3, [1, 0, 0], [1, -1, -1], [1, 1, 1]]))  # fmt: skip
    real = np.zeros((2, 64, 64, 3), np.uint8)
    callback = WordGrids(["red flower", "a Flower, red"], real, words, tmp_path / "samples")
    callback.set_model(Holder(averaged=network))
    callback.on_epoch_end(0)
    scale.set_weights([np.eye(3, dtype=np.float32)])
    callback.on_epoch_end(11)
    callback.on_epoch_end(12)
    names = ["epoch-001.png", "epoch-012.png", "epoch-013.png"]
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == names
    first, second, third = (images(tmp_path / "samples" / name) for name in names)
    np.testing.assert_array_equal(second, third)
    # grey before training; then the second slot from the right has "red", "unknown" before it
    assert (first[32, 100] == 128).all()
    np.testing.assert_array_equal(second[32, 100], [255, 0, 0])
    below = second.shape[0] // 2 + 32
    np.testing.assert_array_equal(second[below, 32], [255, 128, 128])
    np.testing.assert_array_equal(second[below, 168], [255, 0, 0])


def test_vector_grids(tmp_path):
    vectors = keras.Input((3,))
    generator = keras.Model(vectors, ops.tile(vectors[:, None, None], (1, 64, 64, 1)))
    given = np.float32([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    own = 77, 10, 200
    real = np.broadcast_to(np.uint8(own), (3, 64, 64, 3))
    for folder, beside in (("alone", None), ("beside", real)):
        callback = VectorGrids(given, tmp_path / folder, beside, columns=2)
        callback.set_model(Holder(generator=generator))
        callback.on_epoch_end(1)
    alone = images(tmp_path / "alone" / "epoch-002.png")
    np.testing.assert_array_equal(alone[[30, 30, 100], [30, 100, 30]],
                                  [[255, 0, 0], [0, 255, 0], [0, 0, 255]])  # fmt: skip
    beside = images(tmp_path / "beside" / "epoch-002.png")
    assert (beside == own).all(axis=-1).sum() == 3 * 64 * 64
    assert (beside == [0, 255, 0]).all(axis=-1).sum() == 64 * 64
