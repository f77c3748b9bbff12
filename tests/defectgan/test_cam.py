import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan.cam import (
    activation_network,
    build_cam,
    cam_mask,
    compile_cam,
)


def squares(count, size=32, seed=0):
    """Noise, every other image with a bright square: images, masks, labels (count, 1)."""
    rng = np.random.default_rng(seed)
    images = rng.normal(-0.2, 0.25, (count, size, size, 1))
    masks = np.zeros_like(images)
    for mask in masks[::2]:
        side = rng.integers(8, 13)
        y, x = rng.integers(0, size - side, 2)
        mask[y : y + side, x : x + side] = 1
    images = np.clip(images + 0.5 * masks, -1, 1).astype("float32")
    return images, masks[..., 0] > 0, masks.max((1, 2)).astype("float32")


def test_parameters_of_the_paper():
    # VGG16's kernels with one input channel, 3x3x512x1024, 1024 weights; batch normalisation
    # of 4224 + 1024 channels
    network = build_cam(stages=5)
    expected = 14_710_464 - 9 * 2 * 64 + 9 * 512 * 1024 + 1024 + 4 * (4224 + 1024)
    assert network.count_params() == expected == 19_449_920
    # stage 5 has three kernels of 3x3x512x512 and 3 x 512 channels
    four = expected - 3 * 9 * 512 * 512 - 4 * 3 * 512
    assert build_cam().count_params() == four == 12_365_888


def test_stages_out_of_range():
    with pytest.raises(ValueError, match="stages must be 1 to 5. Received: 6"):
        build_cam(stages=6)


@pytest.mark.parametrize("stages", [1, 4])
def test_the_mean_of_the_map_is_the_logit(stages):
    network = build_cam(3, 2, stages)
    images = np.random.default_rng(0).normal(size=(2, 24, 16, 3)).astype("float32")
    maps, logits = activation_network(network)(images)

    assert maps.shape == (2, 24, 16, 1) and logits.shape == (2, 1)
    np.testing.assert_allclose(logits, network(images), rtol=1e-6)
    np.testing.assert_allclose(np.mean(maps, axis=(1, 2)), logits, rtol=1e-4)


def test_the_map_is_the_weighted_sum_of_features():
    network = build_cam(1, 2, 1)
    images = np.random.default_rng(0).normal(size=(1, 5, 7, 1)).astype("float32")
    features = keras.Model(network.input, network.get_layer("average").input)(images)
    weights = network.get_layer("logits").kernel
    expected = np.einsum("nhwc,ck->nhw", features, weights)
    maps, _ = activation_network(network)(images)
    np.testing.assert_allclose(maps[..., 0], expected, rtol=1e-4, atol=1e-6)


def test_map_of_any_size_in_a_graph_and_after_saving(tmp_path):
    network = activation_network(build_cam(1, 2, 4))
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for size in ((13, 21), (30, 9)):
        images = np.random.default_rng(0).normal(size=(1, *size, 1)).astype("float32")
        maps, _ = loaded.predict(images, verbose=0)
        assert maps.shape == (1, *size, 1)
        np.testing.assert_allclose(maps, network(images)[0], rtol=1e-4, atol=1e-6)


def test_padding_of_an_odd_size_does_not_shift_the_map():
    network = activation_network(build_cam(1, 2, 3))
    images = np.random.default_rng(0).normal(size=(1, 64, 64, 1)).astype("float32")
    whole, cut = network(images)[0], network(images[:, :61, :59])[0]
    np.testing.assert_allclose(cut[:, :30, :30], whole[:, :30, :30], rtol=1e-4, atol=1e-6)


def test_mask_by_share_of_the_maximum():
    cam = np.array([[-1.0, 1.7], [1.9, 9.0]])
    np.testing.assert_array_equal(cam_mask(cam), [[False, False], [True, True]])
    np.testing.assert_array_equal(cam_mask(cam, share=0.5), [[False, False], [False, True]])
    # all votes against a defect: of the range, from -11 + 0.5 * 10 on
    np.testing.assert_array_equal(cam_mask(cam - 10, 0.5), [[False, False], [False, True]])


def test_mask_of_a_constant_map():
    assert not cam_mask(np.full((2, 3), 4.0)).any()


def test_a_small_training_learns():
    keras.utils.set_random_seed(0)
    steps = 60
    images, _, labels = squares(16 * steps)
    network = build_cam(1, 8, 2)  # its receptive field, 22 pixels, suits the squares
    compile_cam(network, 3e-3, steps)
    assert len(network.optimizer.variables) > len(network.trainable_variables)
    network.fit(
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(16), verbose=0, shuffle=False
    )

    # of another size than in training
    images, masks, labels = squares(64, size=40, seed=1)
    maps, logits = activation_network(network).predict(images, verbose=0)
    auroc = (logits[labels == 1][:, None] > logits[labels == 0]).mean()
    assert auroc > 0.9, auroc
    defective = list(zip(maps[::2, :, :, 0], masks[::2]))
    inside = np.mean(
        [mask[np.unravel_index(cam.argmax(), cam.shape)] for cam, mask in defective]
    )
    assert inside > 0.8, inside
    ious = []
    for cam, mask in defective:
        found = cam_mask(cam, share=0.5)
        ious.append((found & mask).sum() / (found | mask).sum())
    assert np.mean(ious) > 0.4, np.mean(ious)
