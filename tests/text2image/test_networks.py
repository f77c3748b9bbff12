import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import PeepholeConvLSTM2D
from keras_gans.text2image import networks
from keras_gans.text2image.export import unrolled
from keras_gans.text2image.networks import (
    PackWords,
    UnpackWords,
    build_discriminator,
    build_generator,
    build_text_to_image,
    pack_words,
    words_so_far,
)

KINDS = "refined", "last", "penultimate"
FIRST = ["refined", *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:])]
LENGTHS = 2, 5, 3
MASK = np.arange(5) >= 5 - np.array(LENGTHS)[:, None]


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def small(convlstm="refined", words=5, **options):
    """A network with weights that are no start's: always the same, whatever `words`."""
    network = build_text_to_image(words, 6, 8, 4, convlstm, **options)
    rng = np.random.default_rng(5)
    for weight in network.weights:
        scale = 0.5 if "variance" in weight.path else 1.0
        value = scale * rng.uniform(-1, 1, weight.shape)
        weight.assign(1 + value if "variance" in weight.path else value)
    return network


def rows(network):
    """A layer's kind and the shape of what it gives, but no activations."""
    left_out = keras.layers.InputLayer, keras.layers.ReLU, keras.layers.LeakyReLU
    return [
        (type(layer).__name__, *layer.output.shape[1:])
        for layer in network.layers
        if not isinstance(layer, left_out)
    ]


# The report's sizes -------------------------------------------------------------------------


def test_figure_1():
    generator = build_generator()
    assert generator.count_params() == 7_584_195
    assert generator.input_shape == (None, 400)
    assert rows(generator) == [
        ("Dense", 16384),
        ("Reshape", 8, 8, 256),
        ("FusedBatchNormalization", 8, 8, 256),
        ("Conv2DTranspose", 16, 16, 128),
        ("FusedBatchNormalization", 16, 16, 128),
        ("Conv2DTranspose", 32, 32, 64),
        ("FusedBatchNormalization", 32, 32, 64),
        ("Conv2DTranspose", 64, 64, 3),
    ]
    last = generator.layers[-1]
    assert last.activation is keras.activations.tanh
    assert (last.kernel_size, last.strides) == ((5, 5), (2, 2))


def test_the_discriminator():
    discriminator = build_discriminator()
    assert discriminator.count_params() == 1_046_785
    assert discriminator.input_shape == (None, 64, 64, 3)
    assert rows(discriminator) == [
        ("Conv2D", 32, 32, 64),
        ("Conv2D", 16, 16, 128),
        ("FusedBatchNormalization", 16, 16, 128),
        ("Conv2D", 8, 8, 256),
        ("FusedBatchNormalization", 8, 8, 256),
        ("Flatten", 16384),
        ("Dense", 1),
    ]
    leaky = [la for la in discriminator.layers if isinstance(la, keras.layers.LeakyReLU)]
    assert [layer.negative_slope for layer in leaky] == [0.2] * 3


def test_a_discriminator_of_texts():
    discriminator = build_discriminator(16, 2, vector_size=3)
    assert discriminator.input_shape == [(None, 16, 16, 3), (None, 3)]
    images, texts = random(2, 16, 16, 3), random(2, 3)
    logits = discriminator([images, texts])
    assert logits.shape == (2, 1)
    assert np.all(np.abs(logits - discriminator([images, texts[::-1]])) > 1e-6)


def test_figure_2():
    network = build_text_to_image()
    assert network.input_shape == [(None, 25, 400), (None, 25)]
    assert network.count_params() == 7_622_184
    assert rows(network) == [
        ("PackWords", 400),
        ("Functional", 64, 64, 3),
        ("UnpackWords", 25, 64, 64, 3),
        ("PeepholeConvLSTM2D", 25, 64, 64, 3),
        ("PackWords", 64, 64, 3),
        ("Conv2DTranspose", 64, 64, 3),
        ("FusedBatchNormalization", 64, 64, 3),
        ("Conv2DTranspose", 64, 64, 3),
        ("UnpackWords", 25, 64, 64, 3),
    ]
    refining = [la for la in network.layers if isinstance(la, keras.layers.Conv2DTranspose)]
    assert [layer.strides for layer in refining] == [(1, 1), (1, 1)]
    assert network.get_layer("generator").output_shape == (None, 64, 64, 3)


def test_where_the_convlstm_may_stand():
    last, penultimate = (build_text_to_image(convlstm=kind) for kind in KINDS[1:])
    assert (last.count_params(), penultimate.count_params()) == (7_621_719, 8_075_971)
    assert rows(last)[-1] == ("PeepholeConvLSTM2D", 25, 64, 64, 3)
    assert rows(penultimate)[2:] == [
        ("UnpackWords", 25, 32, 32, 64),
        ("PeepholeConvLSTM2D", 25, 32, 32, 64),
        ("PackWords", 32, 32, 64),
        ("Conv2DTranspose", 64, 64, 3),
        ("UnpackWords", 25, 64, 64, 3),
    ]
    # the generator's last layer has moved behind the ConvLSTM
    moved = build_generator().count_params() - 5 * 5 * 64 * 3 - 3
    assert penultimate.get_layer("generator").count_params() == moved


def test_sizes_are_arguments():
    generator = build_generator(7, 24, 4, channels=5, activation="linear")
    assert (generator.input_shape, generator.output_shape) == ((None, 7), (None, 24, 24, 5))
    assert [row[-1] for row in rows(generator)[1::2]] == [16, 8, 4, 5]
    assert generator.layers[-1].activation is keras.activations.linear
    discriminator = build_discriminator(24, 4)
    assert [row[1:] for row in rows(discriminator) if row[0] == "Conv2D"] == [
        (12, 12, 4), (6, 6, 8), (3, 3, 16)
    ]  # fmt: skip
    for kind, channels in zip(KINDS, ([6, 6, 6, 3], [6, 3], [4, 4, 3])):
        network = build_text_to_image(3, 7, 16, 4, kind, filters=6)
        assert network.output_shape == (None, 3, 16, 16, 3)
        names = "Functional", "PeepholeConvLSTM2D", "Conv2DTranspose"
        assert [row[-1] for row in rows(network) if row[0] in names] == channels


@pytest.mark.parametrize(
    "build",
    [
        lambda size: build_generator(image_size=size),
        build_discriminator,
        lambda size: build_text_to_image(image_size=size),
        lambda size: build_text_to_image(image_size=size, convlstm="penultimate"),
    ],
)
@pytest.mark.parametrize("size", [0, 4, 20, -8])
def test_bad_image_size(build, size):
    with pytest.raises(ValueError, match=f"multiple of 8. Received: image_size={size}$"):
        build(size)


@pytest.mark.parametrize("convlstm", ["refined", "penultimate"])
def test_bad_vector_size(convlstm):
    with pytest.raises(ValueError, match="at least 1. Received: vector_size=0$"):
        build_text_to_image(2, 0, 8, 2, convlstm)


def test_conditional_normalisation_asks_for_the_words_so_far():
    network = build_text_to_image(3, 2, 8, 2, filters=4, normalisation="conditional")
    vectors, mask = random(2, 3, 2), np.array([[True] * 3, [False, True, True]])
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.kernel.shape for layer in dense] == [(2, 4)] * 2
    before = network([vectors, mask]).numpy()
    dense[1].kernel.assign(dense[1].kernel + 1)  # the offset
    changed = np.abs(network([vectors, mask]) - before).max(axis=(2, 3, 4))
    assert (changed[mask] > 1e-4).all() and not changed[~mask].any()
    plain = build_text_to_image(3, 2, 8, 2, filters=4, normalisation="filled")
    assert network.count_params() == plain.count_params() + 2 * (2 * 4 + 4)
    with pytest.raises(ValueError, match="Received: 'last'"):
        build_text_to_image(3, 2, 8, 2, "last", normalisation="conditional")


def test_bad_convlstm():
    with pytest.raises(ValueError, match="Received: convlstm='first'"):
        build_text_to_image(2, 3, 8, 2, convlstm="first")
    with pytest.raises(ValueError, match="Received: 'batch'"):
        build_text_to_image(2, 3, 8, 2, normalisation="batch")


# Packing ------------------------------------------------------------------------------------


def test_packing_by_hand(monkeypatch):
    values = np.arange(12).reshape(2, 3, 2)
    mask = np.array([[False, True, True], [False, False, True]])
    words = [[2, 3], [4, 5], [10, 11]]
    for block, repeats in ((1, 0), (2, 1), (4, 1), (32, 3)):
        monkeypatch.setattr(networks, "BLOCK", block)
        packed, weights = pack_words(values, mask)
        np.testing.assert_array_equal(packed, words + words[:repeats])
        np.testing.assert_array_equal(weights, [1, 1, 1] + [0] * repeats)


def test_filled_packing_goes_on_with_the_words():
    values = np.arange(6).reshape(2, 3)
    mask = np.array([[False, True, True], [False, False, True]])
    packed, weights = pack_words(values, mask, filled=True)
    np.testing.assert_array_equal(packed, [1, 2, 5, 1, 2, 5])
    np.testing.assert_array_equal(weights, [1, 1, 1, 0, 0, 0])

    @tf.function(input_signature=[tf.TensorSpec((2, 3)), tf.TensorSpec((2, 3), tf.bool)])
    def traced(values, mask):
        return pack_words(values, mask, filled=True)[0]

    assert traced.get_concrete_function().output_shapes.as_list() == [6]


def test_words_so_far_by_hand():
    vectors = np.float32([[9, 1, 3, 8], [2, 4, 0, 6]])[..., None]
    mask = np.array([[False, True, True, True], [True] * 4])
    found = words_so_far(vectors, mask)[..., 0]
    np.testing.assert_allclose(found, [[0, 1, 2, 4], [2, 3, 2, 3]], rtol=1e-6)


def test_packing_without_words():
    packed, weights = pack_words(np.zeros((2, 3, 4)), np.zeros((2, 3), bool))
    assert packed.shape == (6, 4)
    np.testing.assert_array_equal(weights, np.zeros(6))


@pytest.mark.parametrize("training", [False, True])
def test_unpacking_undoes_packing(training):
    values = random(3, 5, 2, 2, 1)
    packed = PackWords()(values, MASK, training=training)
    assert len(packed) == 15  # all slots, or in training all words and some of them again
    np.testing.assert_array_equal(
        UnpackWords()(packed, MASK, training=training), values * MASK[..., None, None, None]
    )


# Words and padding --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_blanks(kind):
    network = small(kind)
    for training in (False, True):
        images = network([random(3, 5, 6), MASK], training=training).numpy()
        assert images.shape == (3, 5, 8, 8, 3)
        assert not images[~MASK].any()
        assert (images[MASK].std(axis=(1, 2, 3)) > 0.01).all() and np.abs(images).max() <= 1


@pytest.mark.parametrize(
    "kind, unroll",
    [
        ("refined", True),
        ("refined", False),
        *(pytest.param(kind, False, marks=pytest.mark.slow) for kind in KINDS[1:]),
    ],
)
def test_padding_in_front_changes_no_image(kind, unroll):
    vectors, mask = random(2, 3, 6), np.ones((2, 3), bool)
    expected = small(kind, words=3)([vectors, mask])
    padded = np.concatenate([9 * random(2, 4, 6, seed=1), vectors], axis=1)
    mask = np.pad(mask, [(0, 0), (4, 0)])
    network = small(kind, words=7)
    found = (unrolled(network) if unroll else network)([padded, mask])
    np.testing.assert_allclose(found[:, 4:], expected, atol=1e-5)
    # nor do the other sentences of the batch
    alone = small(kind, words=3)([vectors[1:], mask[1:, 4:]])
    np.testing.assert_allclose(alone[0], expected[1], atol=1e-5)


@pytest.mark.parametrize(
    "kind", ["refined", pytest.param("penultimate", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("normalisation", ["words", "slots"])
def test_whose_statistics_normalise(kind, normalisation):
    """Other last words change the pictures before them only through common statistics."""
    network = small(kind, normalisation=normalisation)
    assert sum(weight.shape[0] == 5 for weight in network.non_trainable_weights) == (
        0 if normalisation == "words" else 8 if kind == "refined" else 6
    )
    vectors, other = random(3, 5, 6), random(3, 5, 6)
    other[:, -1] *= -1
    one, two = (network([x, MASK], training=True).numpy() for x in (vectors, other))
    before = np.abs(one - two)[:, :-1].max()
    assert before < 1e-5 if normalisation == "slots" else before > 0.01
    assert np.abs(one - two)[:, -1].max() > 0.01
    still = network([vectors, MASK])  # by the places' moving averages
    assert np.isfinite(still).all() and not still.numpy()[~MASK].any()


@pytest.mark.parametrize("kind", FIRST)
def test_in_training_padding_is_in_no_statistics(kind, monkeypatch):
    """The same words, with much padding and with none: the same images and averages."""
    monkeypatch.setattr(networks, "BLOCK", 1)
    vectors = random(3, 5, 6)
    vectors[~MASK] = 100
    network = small(kind)
    images = network([vectors, MASK], training=True).numpy()

    one_word = PeepholeConvLSTM2D.call
    states = {}

    def remember(layer, sequences, mask=None):
        states["in"], states["out"] = sequences, one_word(layer, sequences, mask)
        return states["out"]

    monkeypatch.setattr(PeepholeConvLSTM2D, "call", remember)
    again = small(kind)
    again([vectors, MASK], training=True)
    generator = small(kind).get_layer("generator")
    maps = generator(vectors[MASK], training=True)  # nothing but the words
    np.testing.assert_allclose(states["in"].numpy()[MASK], maps, rtol=1e-4, atol=1e-5)
    assert not states["in"].numpy()[~MASK].any()
    for ours, theirs in zip(
        network.get_layer("generator").non_trainable_variables,
        generator.non_trainable_variables,
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)

    start = [type(layer) for layer in again.layers].index(PeepholeConvLSTM2D) + 1
    x = states["out"].numpy()[MASK]
    for layer in small(kind).layers[start:]:
        if not isinstance(layer, (PackWords, UnpackWords)):
            x = layer(x, training=True)
    np.testing.assert_allclose(images[MASK], x, rtol=1e-3, atol=1e-4)


def test_one_generator_and_a_memory():
    network = small()
    vectors = random(1, 5, 6)
    vectors[0, 4] = vectors[0, 3]
    mask = np.ones((1, 5), bool)
    generator = network.get_layer("generator")
    lstm = next(la for la in network.layers if isinstance(la, PeepholeConvLSTM2D))
    maps = keras.Model(network.inputs, lstm.input[0])([vectors, mask])
    np.testing.assert_allclose(maps[0], generator(vectors[0]), atol=1e-6)
    images = network([vectors, mask]).numpy()
    assert np.abs(images[0, 4] - images[0, 3]).max() > 0.01  # the same word, another image

    changed = vectors.copy()
    changed[0, 2] = 1
    difference = np.abs(network([changed, mask]) - images).max(axis=(0, 2, 3, 4))
    assert (difference[:2] == 0).all() and (difference[2:] > 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_weight_and_no_padding(kind):
    network = small(kind)
    vectors = tf.constant(random(3, 5, 6))
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        images = network([vectors, tf.constant(MASK)], training=True)
        loss = tf.reduce_sum(images[:, -1] * random(3, 8, 8, 3, seed=1))
    to_vectors, *gradients = tape.gradient(
        loss, [vectors, *(v.value for v in network.trainable_variables)]
    )
    still = [
        variable.path
        for variable, gradient in zip(network.trainable_variables, gradients)
        if gradient is None or not np.any(gradient)
    ]
    assert not still
    np.testing.assert_array_equal(np.any(to_vectors, axis=2), MASK)


@pytest.mark.parametrize("kind", FIRST)
def test_through_a_keras_file(tmp_path, kind):
    network = small(kind)
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    inputs = [random(3, 5, 6), MASK]
    np.testing.assert_array_equal(again(inputs), network(inputs))
    assert again.get_layer("generator").count_params()
