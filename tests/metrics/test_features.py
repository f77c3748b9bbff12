import os

import keras
import numpy as np
import pytest

from keras_gans.errors import InputError
from keras_gans.metrics import features
from keras_gans.metrics.features import (
    Extractor,
    content_hash,
    extract,
    inception_extractor,
    metric_name,
    model_digest,
    model_extractor,
)
from keras_gans.metrics.inception_score import INCEPTION_2015

IMAGES = np.random.default_rng(0).integers(256, size=(70, 8, 8, 3), dtype=np.uint8)


def classifier(activation="softmax", seed=0):
    keras.utils.clear_session()  # the same names every time
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3, activation="relu", name="maps")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(5, activation="relu", name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(4, activation)(x), name="little")


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_names():
    names = [metric_name(metric, network) for metric in ("frechet", "kid") for network in
             (INCEPTION_2015, "keras-inception-v3", "cracks")]  # fmt: skip
    assert names == ["fid", "fid_keras", "frechet_cracks", "kid", "kid_keras", "kid_cracks"]
    with pytest.raises(ValueError, match="must be frechet or kid. Received: 'fid'"):
        metric_name("fid", INCEPTION_2015)


def test_features_are_what_the_last_dense_layer_takes():
    model = classifier()
    extractor = model_extractor(model)
    assert (extractor.name, extractor.image_size) == ("little", (8, 8))
    x = IMAGES / np.float32(127.5) - 1
    hidden = keras.Model(model.input, model.get_layer("hidden").output)
    got = extractor.features(IMAGES)
    assert got.shape == (70, 5) and got.dtype == np.float32
    np.testing.assert_allclose(got, hidden.predict(x, verbose=0), atol=1e-6)
    np.testing.assert_allclose(extractor.probabilities(IMAGES), model.predict(x, verbose=0),
                               atol=1e-6)  # fmt: skip
    with pytest.raises(ValueError, match=r"uint8 \(N, 8, 8, 3\). Received: uint8 \(2, 9, 8, 3"):
        extractor.features(np.zeros((2, 9, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="Received: float64"):
        extractor.features(IMAGES / 255)


def test_a_named_layer_and_maps():
    model = classifier(activation=None)
    extractor = model_extractor(model, name="other", layer="maps")
    assert extractor.name == "other" and extractor.probabilities is None
    maps = keras.Model(model.input, model.get_layer("maps").output)
    expected = maps.predict(IMAGES / np.float32(127.5) - 1, verbose=0).mean(axis=(1, 2))
    np.testing.assert_allclose(extractor.features(IMAGES), expected, atol=1e-5)
    # other features of the same network are not mistaken for these
    assert extractor.digest != model_extractor(model).digest


def test_a_model_from_a_file(tmp_path):
    model = classifier()
    model.save(tmp_path / "cracks.keras")
    extractor, again = (model_extractor(tmp_path / "cracks.keras") for _ in range(2))
    assert extractor.name == "cracks" and extractor.digest == again.digest
    np.testing.assert_array_equal(
        extractor.features(IMAGES), model_extractor(model).features(IMAGES)
    )


def test_files_that_are_no_model(tmp_path):
    assert "cannot be read (No such file" in refused(model_extractor, tmp_path / "no.keras")
    (tmp_path / "bad.keras").write_text("bad")
    assert "not a model that Keras can load" in refused(model_extractor, tmp_path / "bad.keras")
    code = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x + 1)])
    code.save(tmp_path / "code.keras")
    assert "has a Lambda layer, whose code is not run" in refused(
        model_extractor, tmp_path / "code.keras"
    )
    os.mkfifo(tmp_path / "pipe.keras")
    assert "a pipe, socket" in refused(model_extractor, tmp_path / "pipe.keras")
    vectors = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert "takes (None, 4), a model that takes images" in refused(model_extractor, vectors)


def test_digests_tell_weights_and_structure():
    digest = model_digest(classifier())
    assert digest == model_digest(classifier()) != model_digest(classifier(seed=1))
    assert digest != model_digest(classifier(activation=None))


@pytest.fixture
def counting():
    """An extractor that counts the images it looks at."""
    looked = []

    def mean(images):
        looked.append(len(images))
        return images.mean(axis=(1, 2), dtype=np.float32)

    return Extractor("mean", "1", mean), looked


def test_the_cache(tmp_path, counting):
    extractor, looked = counting
    cache = tmp_path / "a" / "cache"
    first = extract(extractor, IMAGES, cache)
    assert looked == [50, 20]
    np.testing.assert_array_equal(first, IMAGES.mean(axis=(1, 2), dtype=np.float32))
    # found again, however the images are divided
    np.testing.assert_array_equal(extract(extractor, IMAGES.copy(), cache), first)

    def parts():
        return iter(np.array_split(IMAGES, 9))

    np.testing.assert_array_equal(extract(extractor, parts, cache), first)
    assert looked == [50, 20] and len(list(cache.iterdir())) == 1
    # not for another pixel, order or network
    changed = IMAGES.copy()
    changed[3, 0, 0, 0] ^= 1
    extract(extractor, changed, cache)
    extract(extractor, IMAGES[::-1], cache)
    extract(Extractor("mean", "2", extractor.features), IMAGES, cache)
    assert looked == [50, 20] * 4 and len(list(cache.iterdir())) == 4
    # a damaged file is made again
    file = cache / f"{content_hash(extractor, [IMAGES])}.npy"
    file.write_bytes(file.read_bytes()[:100])
    np.testing.assert_array_equal(extract(extractor, IMAGES, cache), first)
    assert looked == [50, 20] * 5 and np.load(file).shape == first.shape


def test_without_a_cache_and_in_batches(counting):
    extractor, looked = counting
    got = extract(extractor, lambda: np.split(IMAGES, 7))
    assert looked == [10] * 7
    np.testing.assert_array_equal(got, IMAGES.mean(axis=(1, 2), dtype=np.float32))


def test_the_hash_knows_shapes():
    extractor = Extractor("a", "b", None)
    wide, high = (np.zeros((2, *shape, 3), np.uint8) for shape in ((2, 4), (4, 2)))
    assert content_hash(extractor, [wide]) != content_hash(extractor, [high])


def test_a_cache_that_cannot_be(tmp_path, counting):
    (tmp_path / "file").write_text("")
    assert "a file, where a folder" in refused(extract, counting[0], IMAGES, tmp_path / "file")


def test_the_graph_of_2015(tmp_path, monkeypatch):
    loaded = []

    def load(path, output="probabilities", batch_size=50):
        loaded.append(output)
        return lambda images: (output, len(images))

    monkeypatch.setattr(features, "inception_2015", load)
    (tmp_path / "graph.pb").write_bytes(b"weights")
    extractor = inception_extractor(tmp_path / "graph.pb")
    assert extractor.name == INCEPTION_2015 and extractor.image_size is None
    assert extractor.features(IMAGES) == ("features", 70) and loaded == ["features"]
    assert extractor.probabilities(IMAGES) == ("probabilities", 70)
    assert extractor.probabilities(IMAGES) == ("probabilities", 70)
    assert loaded == ["features", "probabilities"]
    (tmp_path / "other.pb").write_bytes(b"others")
    assert inception_extractor(tmp_path / "other.pb").digest != extractor.digest


def test_weights_of_keras_applications(tmp_path, monkeypatch):
    asked = {}

    def network(**arguments):
        asked.update(arguments)
        inputs = keras.Input((None, None, 3))
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))

    monkeypatch.setattr(keras.applications, "InceptionV3", network)
    file = tmp_path / "inception.weights.h5"
    file.write_bytes(b"weights")
    extractor = inception_extractor(file)
    assert asked == {"weights": str(file), "include_top": False, "pooling": "avg"}
    assert extractor.name == "keras-inception-v3" and extractor.probabilities is None
    grey = np.full((2, 4, 6, 3), [0, 51, 255], np.uint8)  # any size is enlarged
    expected = np.tile([-1, -0.6, 1], (2, 1))
    np.testing.assert_allclose(extractor.features(grey), expected, atol=1e-3)

    def wrong(**arguments):
        raise ValueError("Layer count mismatch\nof weights")

    monkeypatch.setattr(keras.applications, "InceptionV3", wrong)
    assert "without top: give inception_v3" in refused(inception_extractor, file)


def test_files_that_are_no_inception(tmp_path):
    assert "cannot be read" in refused(inception_extractor, tmp_path / "no.pb")
    (tmp_path / "a.tgz").write_bytes(b"")
    assert "not an Inception network's file" in refused(inception_extractor, tmp_path / "a.tgz")
