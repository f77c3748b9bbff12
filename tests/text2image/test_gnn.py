import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.text2image.gnn import GNN
from keras_gans.text2image.networks import build_generator


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def compiled(optimizer, jit_compile=False):
    gnn = GNN(build_generator(6, 8, 4))
    gnn.compile(optimizer, jit_compile=jit_compile)
    return gnn


def batch(count=4):
    """Vectors and plain images, each of a colour of its own."""
    rng = np.random.default_rng(0)
    vectors, colours = rng.uniform(-0.8, 0.8, (2, count, 6))
    images = np.broadcast_to(colours[:, None, None, :3], (count, 8, 8, 3))
    return vectors.astype(np.float32), images.astype(np.float32)


def test_loss_by_hand():
    gnn = compiled(keras.optimizers.SGD(0.0))
    vectors, images = batch()
    generated = gnn.generator(vectors, training=True)
    lengths = np.linalg.norm((generated - images).numpy().reshape(4, -1), axis=1)
    found = gnn.train_on_batch(vectors, images, return_dict=True)
    assert list(found) == ["generator_loss"]
    expected = np.mean(lengths) / np.sqrt(8 * 8 * 3)
    assert float(found["generator_loss"]) == pytest.approx(expected, rel=1e-5)


def test_every_variable_moves_and_the_optimizer_is_built():
    gnn = compiled(keras.optimizers.Adam(1e-3))
    assert gnn.optimizers == {"g_optimizer": gnn.g_optimizer} and gnn.g_optimizer.built
    before = [variable.numpy() for variable in gnn.trainable_variables]
    gnn.train_on_batch(*batch())
    for old, variable in zip(before, gnn.trainable_variables, strict=True):
        assert not np.array_equal(old, variable.numpy()), variable.path


def test_it_learns_which_vector_has_which_image():
    gnn = compiled(keras.optimizers.Adam(5e-3))
    vectors, images = batch()
    batches = tf.data.Dataset.from_tensors((vectors, images)).repeat(60)
    losses = [
        gnn.fit(batches, verbose=0, shuffle=False).history["generator_loss"][0]
        for _ in range(2)
    ]
    assert losses[1] < 0.3 * losses[0]
    generated = gnn(vectors)
    assert np.abs(generated - images).mean() < 0.1
    assert np.abs(generated - images[::-1]).mean() > 0.3
