import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import SelfAttention, update_spectral_norms
from tests.layers.shared import built, reloaded

X = np.random.default_rng(0).normal(size=(2, 3, 4, 16)).astype("float32")


def random_layer(gamma=0.7, shape=X.shape, **kwargs):
    layer = built(SelfAttention(**kwargs), shape)
    layer.gamma.assign(gamma)
    return layer


def test_equations_1_to_4_by_hand():
    layer = random_layer()
    f, g, h = (np.float64(part.kernel) for part in (layer.f, layer.g, layer.h))
    assert (f.shape, g.shape, h.shape) == ((16, 2), (16, 2), (16, 16))
    expected = np.empty(X.shape)
    for image, result in zip(np.float64(X), expected):
        x = image.reshape(12, 16)
        for j in range(12):
            weights = np.exp([x[i] @ f @ (x[j] @ g) for i in range(12)])
            beta = weights / weights.sum()
            o = sum(beta[i] * (x[i] @ h) for i in range(12))
            result[divmod(j, 4)] = 0.7 * o + x[j]
    np.testing.assert_allclose(layer(X), expected, rtol=1e-4, atol=1e-5)


def test_a_new_layer_passes_its_input_on_and_learns_gamma_first():
    layer = SelfAttention()
    with tf.GradientTape() as tape:
        outputs = layer(X)
        loss = tf.reduce_sum(outputs * tf.sin(1.0 + X))
    np.testing.assert_array_equal(outputs, X)
    gradients = tape.gradient(loss, [v.value for v in layer.trainable_variables])
    moving = [bool(np.any(gradient)) for gradient in gradients]
    assert moving == [v is layer.gamma for v in layer.trainable_variables]


def test_positions_have_no_order():
    layer = random_layer()
    order = np.random.default_rng(1).permutation(12)

    def shuffled(images):
        return np.reshape(np.reshape(images, (2, 12, 16))[:, order], X.shape)

    np.testing.assert_allclose(layer(shuffled(X)), shuffled(layer(X)), rtol=1e-4, atol=1e-5)


def test_what_all_positions_share_stays_the_same_everywhere():
    layer = random_layer()
    same = np.broadcast_to(X[:, :1, :1], X.shape)
    expected = same + 0.7 * same @ np.array(layer.h.kernel)
    np.testing.assert_allclose(layer(same), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels, reduction, fewer", [(4, 8, 1), (16, 8, 2), (16, 4, 4)])
def test_channels_of_f_and_g(channels, reduction, fewer):
    layer = random_layer(shape=(None, 2, 2, channels), reduction=reduction)
    shapes = [tuple(part.kernel.shape) for part in (layer.f, layer.g, layer.h)]
    assert shapes == [(channels, fewer), (channels, fewer), (channels, channels)]


def test_all_three_are_spectrally_normalised():
    inputs = keras.Input(X.shape[1:])
    model = keras.Model(inputs, SelfAttention()(inputs))
    update_spectral_norms(model, 100)
    layer = model.layers[-1]
    for part in (layer.f, layer.g, layer.h):
        largest = np.linalg.svd(np.array(part.weight), compute_uv=False)[0]
        assert float(part.sigma) == pytest.approx(largest, rel=1e-4)
        assert np.linalg.norm(part.kernel, 2) == pytest.approx(1, rel=1e-4)


def test_file_round_trip(tmp_path):
    inputs = keras.Input(X.shape[1:])
    model = keras.Model(inputs, SelfAttention(reduction=4)(inputs))
    model.layers[-1].gamma.assign(0.3)
    loaded = reloaded(model, tmp_path)
    assert loaded.layers[-1].reduction == 4
    np.testing.assert_array_equal(loaded(X), model(X))
    assert not np.array_equal(loaded(X), X)


def test_bad_arguments():
    with pytest.raises(ValueError, match="reduction=0"):
        SelfAttention(reduction=0)
    with pytest.raises(ValueError, match="None"):
        SelfAttention()(keras.Input((None, 4, 16)))
