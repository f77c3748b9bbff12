import keras
import numpy as np

from keras_gans.layers import FusedBatchNormalization, SlotBatchNormalization

PLACES = np.array([2, 0, 2, 0, 2])  # of three; nothing stands in place 1


def images(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(rng.uniform(-2, 2, (5, 1, 1, 3)), 2, (5, 4, 4, 3)).astype(np.float32)


def test_each_place_has_its_own_statistics():
    layer, x = SlotBatchNormalization(3, momentum=0.75), images()
    layer.build([(None, 4, 4, 3), (None,)])
    layer.gamma.assign([1, 2, 3])
    layer.beta.assign([0, -1, 1])
    found = layer([x, PLACES], training=True).numpy()
    for place in (0, 2):
        of_place = x[place == PLACES]
        mean, variance = of_place.mean((0, 1, 2)), of_place.var((0, 1, 2))
        expected = (of_place - mean) / np.sqrt(variance + 1e-5) * [1, 2, 3] + [0, -1, 1]
        np.testing.assert_allclose(found[place == PLACES], expected, atol=1e-5)
        np.testing.assert_allclose(layer.moving_mean[place], mean / 4, atol=1e-6)
        np.testing.assert_allclose(layer.moving_variance[place], 0.75 + variance / 4, rtol=1e-5)
    assert (layer.moving_mean[1].numpy() == 0).all()
    assert (layer.moving_variance[1].numpy() == 1).all()

    still = layer([x, PLACES]).numpy()  # by the moving averages
    mean, variance = (w.numpy()[PLACES][:, None, None] for w in layer.non_trainable_weights)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * [1, 2, 3] + [0, -1, 1]
    np.testing.assert_allclose(still, expected, atol=1e-5)


def test_one_place_is_batch_normalisation():
    layer = SlotBatchNormalization.from_config(SlotBatchNormalization(1).get_config())
    keras_layer = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)
    for seed in range(2):
        ours = layer([images(seed), np.zeros(5, int)], training=True)
        theirs = keras_layer(images(seed), training=True)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for one, other in zip(layer.weights, keras_layer.weights, strict=True):
        np.testing.assert_allclose(np.ravel(one), other, atol=1e-5)
    assert keras.saving.get_registered_name(SlotBatchNormalization).startswith("keras_gans>")
