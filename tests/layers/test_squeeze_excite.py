import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import SqueezeExcite
from tests.layers.shared import reloaded


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(1, 2, (3, 5, 4, 8)).astype(np.float32)


def by_hand(images, squeeze, excite):
    """Equations 10 to 12, image by image, in float64."""
    images = images.astype(np.float64)
    result = np.empty_like(images)
    for number, image in enumerate(images):
        z = image.mean(axis=(0, 1))
        s = 1 / (1 + np.exp(-excite.T @ np.maximum(squeeze.T @ z, 0)))
        for channel, weight in enumerate(s):
            result[number, ..., channel] = weight * image[..., channel]
    return result


def test_by_hand(images):
    rng = np.random.default_rng(1)
    squeeze, excite = rng.normal(size=(8, 4)), rng.normal(size=(4, 8))
    layer = SqueezeExcite(reduction=2)
    layer.build(images.shape)
    layer.set_weights([squeeze, excite])
    np.testing.assert_allclose(layer(images), by_hand(images, squeeze, excite), rtol=1e-4)


@pytest.mark.parametrize(
    "channels, reduction, hidden", [(128, 16, 8), (8, 2, 4), (40, 16, 2), (8, 16, 1), (1, 1, 1)]
)
def test_two_layers_without_bias(channels, reduction, hidden):
    layer = SqueezeExcite(reduction)
    layer.build((None, 6, 6, channels))
    shapes = [tuple(weight.shape) for weight in layer.weights]
    assert shapes == [(channels, hidden), (hidden, channels)]
    assert len(layer.trainable_weights) == 2


def test_the_papers_reduction():
    assert SqueezeExcite().reduction == 16


def test_weights_are_between_0_and_1_and_start_apart(images):
    layer = SqueezeExcite(reduction=2)
    scaled = layer(images).numpy() / images
    np.testing.assert_allclose(scaled, scaled[:, :1, :1] + 0 * scaled, rtol=1e-4)
    assert (scaled > 0).all() and (scaled < 1).all()
    assert np.ptp(scaled) > 0.05
    squeezed, excited = (weight.numpy() for weight in layer.weights)
    assert not np.array_equal(squeezed, excited.T)


def test_an_image_is_scaled_on_its_own_in_a_graph_of_unknown_sizes(images):
    layer = SqueezeExcite(reduction=4)
    together = layer(images)
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 8])])
    assert traced.get_concrete_function().output_shapes.as_list() == [None, None, None, 8]
    np.testing.assert_allclose(traced(images), together, rtol=1e-5)
    np.testing.assert_allclose(traced(images[1:2])[0], together[1], rtol=1e-5)


def test_gradients_reach_both_layers(images):
    layer = SqueezeExcite(reduction=1)
    layer.build(images.shape)
    layer.set_weights([np.eye(8), np.eye(8)])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(images) ** 2)
    for gradient in tape.gradient(total, layer.trainable_weights):
        assert np.abs(gradient).max() > 0


def test_through_a_keras_file(tmp_path, images):
    x = keras.Input((None, None, 8))
    model = keras.Model(x, SqueezeExcite(reduction=3, name="se")(x))
    assert model.output_shape == (None, None, None, 8)
    for weight in model.weights:
        weight.assign(np.random.default_rng(2).normal(size=weight.shape))
    again = reloaded(model, tmp_path)
    assert again.get_layer("se").reduction == 3
    np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.parametrize("reduction", [0, -4])
def test_bad_reduction(reduction):
    with pytest.raises(ValueError, match=f"`reduction`.*Received: reduction={reduction}"):
        SqueezeExcite(reduction)
