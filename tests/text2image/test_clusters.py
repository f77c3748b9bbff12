import keras
import numpy as np
import pytest
from keras import layers

from keras_gans.errors import InputError
from keras_gans.text2image.clusters import build_vgg16, choose_cluster, vgg16_features

SIZES = (60, 40, 30, 10)


def clouds(seed=0, width=80):
    """Four clouds of points far from each other, shuffled, and the cloud of each point."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(4), SIZES))
    centres = 4 * rng.normal(size=(4, width))
    return (centres[truth] + rng.normal(size=(len(truth), width))).astype(np.float32), truth


@pytest.mark.parametrize("scale", [1e-4, 1, 1e4])
def test_the_largest_cloud_is_chosen(scale):
    features, truth = clouds()
    chosen, labels, counts = choose_cluster(scale * features, components=4, seed=1)
    np.testing.assert_array_equal(labels, truth)  # clusters are numbered by their size
    np.testing.assert_array_equal(counts, SIZES)
    np.testing.assert_array_equal(chosen, truth == 0)
    assert labels.dtype == counts.dtype == np.int64


def test_a_cluster_by_number():
    features, truth = clouds()
    chosen, _, counts = choose_cluster(features, components=4, cluster=3)
    np.testing.assert_array_equal(chosen, truth == 3)
    again = choose_cluster(features, components=7, seed=3)
    for first, second in zip(again, choose_cluster(features, components=7, seed=3)):
        np.testing.assert_array_equal(first, second)
    assert again[2].sum() == len(features) and (np.diff(again[2]) <= 0).all()


def test_fewer_different_images_than_clusters():
    features = np.repeat([[0.0, 1.0], [5.0, 2.0]], [12, 8], axis=0)
    chosen, labels, counts = choose_cluster(features, components=4)
    np.testing.assert_array_equal(counts, [12, 8, 0, 0])
    np.testing.assert_array_equal(labels, np.repeat([0, 1], [12, 8]))
    with pytest.raises(InputError, match="^cluster 2: no image in it; .* are 0 to 1$"):
        choose_cluster(features, components=4, cluster=2)
    _, _, counts = choose_cluster(np.zeros((5, 3)), components=2)
    np.testing.assert_array_equal(counts, [5, 0])


def test_wrong_clusters():
    features, _ = clouds()
    for components in (0, 141):
        with pytest.raises(
            InputError, match=f"{components} clusters of 140 images: ask for 1 "
        ):
            choose_cluster(features, components)
    for cluster in (-1, 4):
        with pytest.raises(InputError, match=f"^no cluster {cluster}: give one of 0 to 3$"):
            choose_cluster(features, 4, cluster)
    for wrong in (features[0], np.where(features > 3, np.nan, features)):
        with pytest.raises(ValueError, match="features must be finite"):
            choose_cluster(wrong)


def test_features_are_of_images_as_vgg16_takes_them():
    """A stand-in for VGG16, which would take seconds and half a gigabyte: it gives back a part
    of what it is shown."""
    image = layers.Input((224, 224, 3))
    corner = layers.Flatten()(layers.Cropping2D(((0, 222), (0, 223)))(image))
    network = keras.Model(image, corner)
    images = np.zeros((40, 8, 16, 3), np.uint8)
    images[:] = [10, 20, 30]
    images[33] = 255
    features = vgg16_features(images, network=network)
    assert features.shape == (40, 6) and features.dtype == np.float32
    means = np.float32([103.939, 116.779, 123.68])  # of ImageNet, in the order BGR
    np.testing.assert_allclose(features[32], np.tile([30, 20, 10] - means, 2), atol=1e-3)
    np.testing.assert_allclose(features[33], np.tile(255 - means, 2), atol=1e-3)
    for wrong in (images / 255, images[0], images[:0], images[..., :1]):
        with pytest.raises(ValueError, match="images must be uint8"):
            vgg16_features(wrong, network=network)


def test_wrong_weights(tmp_path, monkeypatch):
    images, path = np.zeros((1, 8, 8, 3), np.uint8), tmp_path / "vgg16.h5"
    with pytest.raises(InputError, match=f"^{path}: cannot be read"):
        vgg16_features(images, path)
    path.write_bytes(b"rubbish")
    with pytest.raises(InputError, match=f"^{path}: not the weights of .* --vgg16 FILE$"):
        build_vgg16(path)

    def without_network(weights="imagenet"):
        assert weights == "imagenet"
        raise Exception("URL fetch failure on\nhttps://example.org")

    monkeypatch.setattr(keras.applications, "VGG16", without_network)
    with pytest.raises(InputError) as error:
        build_vgg16()
    assert str(error.value) == (
        "VGG16's weights cannot be downloaded (URL fetch failure on https://example.org): "
        "fetch them by hand and give them with --vgg16 FILE"
    )
