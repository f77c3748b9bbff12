import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.export.generator import draw_label, draw_latent, export_generator
from keras_gans.export.runtimes import runner
from tests.runtimes import RUNTIMES, opened

LATENT = 5


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    z = keras.Input((LATENT,))
    x = keras.layers.Dense(4 * 4 * 8, kernel_initializer="random_normal")(z)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Reshape((4, 4, 8))(x)
    wide = keras.initializers.RandomNormal(stddev=8.0)  # so that tanh reaches both its ends
    x = keras.layers.Conv2DTranspose(
        3, 5, 2, "same", activation="tanh", kernel_initializer=wide
    )(x)
    return keras.Model(z, x)


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "some-generator"
    return export_generator(generator, base, {"set": "none"})


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(exported["saved_model"])


def from_seed(loaded, first, count, seed):
    first, seed = tf.constant(first, tf.int64), tf.constant(seed, tf.int64)
    signature = loaded.signatures["from_seed"]
    return signature(first=first, count=tf.constant(count), seed=seed)["images"].numpy()


def pixels(generator, z):
    return np.clip(np.rint((generator(z, training=False).numpy() + 1) * 127.5), 0, 255)


def test_files_and_description(exported):
    base = exported["saved_model"].parent
    names = ["some-generator-float32", "some-generator-float16"]
    assert list(exported) == ["saved_model", *names]
    assert {child.name for child in base.iterdir()} == {
        "1",
        "README.md",
        *(f"{n}.tflite" for n in names),
    }
    text = (exported["saved_model"] / "assets.extra" / "model.json").read_text()
    assert json.loads(text) == {
        "set": "none", "latent": LATENT, "image_size": 8, "channels": 3
    }  # fmt: skip


def test_images_of_z(generator, loaded):
    z = np.random.default_rng(0).uniform(-1, 1, (6, LATENT)).astype(np.float32)
    images = loaded.signatures["serving_default"](z=tf.constant(z))["images"].numpy()
    assert images.dtype == np.uint8 and images.shape == (6, 8, 8, 3)
    assert images.min() == 0 and images.max() == 255
    np.testing.assert_allclose(images, pixels(generator, z), atol=1)


def test_an_image_depends_on_its_number_and_seed_alone(generator, loaded):
    many = from_seed(loaded, 0, 40, 7)
    np.testing.assert_array_equal(from_seed(loaded, 0, 40, 7), many)
    np.testing.assert_array_equal(from_seed(loaded, 0, 3, 7), many[:3])
    np.testing.assert_array_equal(from_seed(loaded, 33, 7, 7), many[33:])
    assert len(np.unique(many.reshape(40, -1), axis=0)) == 40
    other = from_seed(loaded, 0, 40, 8)
    assert not (other == many).all(axis=(1, 2, 3)).any()
    z = np.stack([draw_latent(7, number, LATENT) for number in range(40)])
    np.testing.assert_allclose(many, pixels(generator, z), atol=1)


def test_z_is_uniform():
    places = ((seed, number) for seed in (0, 2**63 - 1) for number in (0, 1))
    z = np.stack([draw_latent(seed, number, 100) for seed, number in places])
    assert z.dtype == np.float32 and z.min() >= -1 and z.max() < 1
    assert len(np.unique(z)) > 390  # no draw repeats another
    # mean and variance of 400 draws, at five standard errors: 0.58 / 20 and 0.30 / 20
    assert abs(z.mean()) < 0.15 and abs(z.var() - 1 / 3) < 0.075


@pytest.mark.parametrize("precision, levels", [("float32", 1), ("float16", 3)])
def test_tflite(generator, exported, precision, levels):
    run = runner(exported[f"some-generator-{precision}"])
    for z in np.random.default_rng(1).uniform(-1, 1, (4, 1, LATENT)).astype(np.float32):
        images = run(z=z)["images"]
        assert images.dtype == np.uint8 and images.shape == (1, 8, 8, 3)
        np.testing.assert_allclose(images, pixels(generator, z), atol=levels)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes(generator, exported, runtime):
    z = np.random.default_rng(1).uniform(-1, 1, (1, LATENT)).astype(np.float32)
    for precision, levels in (("float32", 1), ("float16", 3)):
        found = opened(runtime, exported[f"some-generator-{precision}"])(z=z)["images"]
        np.testing.assert_allclose(found, pixels(generator, z), atol=levels)


READ = """
import sys

sys.modules.update(keras=None, keras_gans=None)  # an import of either now fails
import numpy as np
import tensorflow as tf

path, z = sys.argv[1], np.load(sys.argv[2])
signatures = tf.saved_model.load(path).signatures
first, count, seed = tf.constant(2, tf.int64), tf.constant(3), tf.constant(7, tf.int64)
of_seed = signatures["from_seed"](first=first, count=count, seed=seed)["images"].numpy()
of_z = signatures["serving_default"](z=tf.constant(z))["images"].numpy()
with tf.compat.v1.Session(graph=tf.Graph()) as session:  # as a server does
    meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
    signature = meta.signature_def["serving_default"]
    served = session.run(signature.outputs["images"].name, {signature.inputs["z"].name: z})
np.savez(sys.argv[3], of_seed=of_seed, of_z=of_z, served=served)
"""


@pytest.mark.slow
def test_same_images_in_a_process_without_our_code(generator, exported, loaded, tmp_path):
    z = np.random.default_rng(2).uniform(-1, 1, (2, LATENT)).astype(np.float32)
    np.save(tmp_path / "z.npy", z)
    files = [exported["saved_model"], tmp_path / "z.npy", tmp_path / "made.npz"]
    subprocess.run(
        [sys.executable, "-c", READ, *files], check=True, cwd=tmp_path, capture_output=True
    )
    made = np.load(tmp_path / "made.npz")
    np.testing.assert_array_equal(made["of_seed"], from_seed(loaded, 2, 3, 7))
    for name in ("of_z", "served"):
        np.testing.assert_allclose(made[name], pixels(generator, z), atol=1)


def test_folder_that_cannot_be_written(generator, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_generator(generator, tmp_path / "file", {})


# With classes -------------------------------------------------------------------------------

NAMES = ["crack", "stain", "bar"]


@pytest.fixture(scope="module")
def conditional():
    """Images of 2x2 pixels: the first is 10 label, the others are 20 z (but for rounding)."""
    z, label = keras.Input((3,)), keras.Input((), dtype="int32")
    values = keras.ops.concatenate([keras.ops.cast(label, "float32")[:, None], 2 * z], axis=-1)
    scale = keras.layers.Rescaling(10 / 127.5)
    x = keras.layers.Reshape((2, 2, 1))(scale(values))
    return keras.Model([z, label], x)


@pytest.fixture(scope="module")
def labelled(conditional, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "acgan"
    paths = export_generator(conditional, base, {}, "normal", NAMES)
    return paths, tf.saved_model.load(paths["saved_model"])


def label_from_seed(labelled, label, count=60, first=0, seed=7):
    first, seed = tf.constant(first, tf.int64), tf.constant(seed, tf.int64)
    options = {"first": first, "count": tf.constant(count), "seed": seed}
    made = labelled[1].signatures["from_seed"](**options, label=tf.constant(label))
    return made["images"].numpy(), made["labels"].numpy()


def test_a_class_is_asked_for_or_drawn(conditional, labelled):
    text = (labelled[0]["saved_model"] / "assets.extra" / "model.json").read_text()
    assert json.loads(text) == {
        "latent": 3, "image_size": 2, "channels": 1, "distribution": "normal", "classes": NAMES
    }  # fmt: skip
    stains, labels = label_from_seed(labelled, 1)
    assert set(labels) == {1} and set(stains[:, 0, 0, 0]) == {round(127.5 + 10)}
    drawn, labels = label_from_seed(labelled, -1)
    assert labels.tolist() == [int(draw_label(7, number, 3)) for number in range(60)]
    assert np.bincount(labels).min() >= 10  # of 20 expected, deviation 3.7
    # the class takes nothing from z
    np.testing.assert_array_equal(drawn.reshape(60, 4)[:, 1:], stains.reshape(60, 4)[:, 1:])
    part, few = label_from_seed(labelled, -1, count=5, first=33)
    np.testing.assert_array_equal(part, drawn[33:38])
    assert few.tolist() == labels[33:38].tolist()
    z = np.stack([draw_latent(7, number, 3, "normal") for number in range(60)])
    expected = np.clip(np.rint(127.5 + 20 * z), 0, 255)
    np.testing.assert_allclose(drawn.reshape(60, 4)[:, 1:], expected, atol=1)


def test_classes_of_serving_and_tflite(labelled):
    serve = labelled[1].signatures["serving_default"]
    z = np.float32([[0.5, -0.5, 1], [0, 0, -1]])
    made = serve(z=tf.constant(z), label=tf.constant([2, 0]))
    assert made["labels"].numpy().tolist() == [2, 0]
    run = runner(labelled[0]["acgan-float32"])
    for row, label, image in zip(z, (2, 0), made["images"].numpy()):
        one = run(z=row[None], label=np.int32([label]))["images"]
        np.testing.assert_allclose(one[0], image, atol=1)
        np.testing.assert_allclose(
            image.ravel(), 127.5 + 10 * np.array([label, *(2 * row)]), atol=0.51
        )
    for wrong in ([3, 0], [0, -1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="label must be from 0 to 2"):
            serve(z=tf.constant(z), label=tf.constant(wrong))
    for wrong in (3, -2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="label must be from -1 to 2"):
            label_from_seed(labelled, wrong)


def test_normal_z():
    z = np.stack([draw_latent(2**63 - 1, number, 200, "normal") for number in (0, 1)])
    assert len(np.unique(z)) > 390
    # mean and variance of 400 draws, at five standard errors: 1 / 20 and 1.41 / 20
    assert abs(z.mean()) < 0.25 and abs(z.var() - 1) < 0.36 and np.abs(z).max() > 2


def test_arguments_that_do_not_fit(generator, conditional, tmp_path):
    for wrong in ((generator, "cauchy", ()), (generator, "normal", NAMES),
                  (conditional, "normal", ())):  # fmt: skip
        with pytest.raises(ValueError, match="`distribution` must be one of"):
            export_generator(wrong[0], tmp_path / "new", {}, *wrong[1:])
    assert not (tmp_path / "new").exists()


def test_files_of_seeds_are_their_images(loaded):
    seeds, numbers = ([7, 7, 3], [0, 5, 5])
    columns = {"seed": seeds, "number": numbers}
    columns = {name: tf.constant(each, tf.int64) for name, each in columns.items()}
    files = loaded.signatures["bytes"](**columns)["image_bytes"]
    for seed, number, file in zip(seeds, numbers, files, strict=True):
        expected = from_seed(loaded, number, 1, seed)[0]
        np.testing.assert_array_equal(tf.io.decode_png(file), expected)
    for bad in ({"number": columns["number"] - 9}, {"number": columns["number"][:0]}):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be"):
            loaded.signatures["bytes"](**{**columns, **bad})
