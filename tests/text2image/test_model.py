import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.text2image.dcgan import blur
from keras_gans.text2image.model import TextToImage
from keras_gans.text2image.networks import build_discriminator, build_text_to_image

NAMES = ["discriminator_loss", "generator_loss", "adversarial", "distance"]
LENGTHS = 2, 4, 1
MASK = np.arange(4) >= 4 - np.array(LENGTHS)[:, None]
WORDS = 1 + 3 + 0  # that the discriminator sees the images of


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def batch_of(mask=MASK, reals=3, seed=0, size=8, vector_size=2):
    rng = np.random.default_rng(seed)

    def images(*shape):
        return rng.uniform(-0.9, 0.9, (*shape, size, size, 3)).astype(np.float32)

    count, words = mask.shape
    vectors = rng.uniform(-1, 1, (count, words, vector_size)).astype(np.float32)
    return (vectors, mask), (images(count), images(count, reals))


def noted(calls):
    """A layer that notes how many sentences or images pass."""

    def note(x):
        calls.append(x.shape[0])
        return x

    return keras.layers.Lambda(note, output_shape=lambda shape: shape)


def stub(rates=(0.0, 0.0), calls=None, eager=True, jit_compile=False, words=4, **options):
    """A network that is linear in every word, a discriminator linear in the mean colours."""
    calls = calls or ([], [])
    vectors = keras.Input((words, 2))
    mask = keras.Input((words,), dtype="bool")
    x = keras.layers.Dense(192, "tanh")(noted(calls[0])(vectors))
    network = keras.Model([vectors, mask], keras.layers.Reshape((words, 8, 8, 3))(x))
    images = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(noted(calls[1])(images))
    discriminator = keras.Model(images, keras.layers.Dense(1)(x))
    for weight in network.weights + discriminator.weights:
        weight.assign(np.random.default_rng(5).normal(0, 2, weight.shape))
    gan = TextToImage(network, discriminator, **options)
    gan.compile(
        *(keras.optimizers.SGD(rate) for rate in rates),
        run_eagerly=eager, jit_compile=jit_compile,
    )  # fmt: skip
    for each in calls:
        each.clear()  # of building
    return gan


def figures(gan, batch):
    values = gan.train_step(tf.nest.map_structure(tf.constant, batch))
    assert list(values) == NAMES
    gan.reset_metrics()
    return {name: float(value) for name, value in values.items()}


def realness(gan, images):
    """D, in float64."""
    kernel, bias = gan.discriminator.get_weights()
    logits = np.mean(images, axis=(-3, -2), dtype=np.float64) @ kernel[:, 0] + bias
    return 1 / (1 + np.exp(-logits))


def weights_of(gan):
    return [network.get_weights() for network in (gan.network, gan.discriminator)]


def assert_same(before, after):
    for old, new in zip(tf.nest.flatten(before), tf.nest.flatten(after), strict=True):
        np.testing.assert_array_equal(old, new)


# A step by hand -----------------------------------------------------------------------------


@pytest.mark.parametrize("blurred", [False, True])
@pytest.mark.parametrize(
    "euclidean, weight", [("original", 1.0), ("penalty", 7.0), ("mean", 1.0), ("words", 1.0)]
)
def test_losses_by_hand(euclidean, weight, blurred):
    gan = stub(euclidean=euclidean, penalty=7.0, adversarial_weight=0.5, blurred=blurred)
    batch = batch_of()
    outputs = gan.network(batch[0]).numpy()
    images, reals = batch[1]
    shown = MASK[:, :-1]  # the last word's image is not for the discriminator
    on_generated = realness(gan, outputs[:, :-1][shown])
    on_real = realness(gan, reals[shown])
    assert len(on_generated) == len(on_real) == WORDS
    fake = -np.mean(np.log(1 - on_generated))
    if blurred:
        on_blurred = realness(gan, blur(reals[shown]))
        fake = (fake - np.mean(np.log(1 - on_blurred))) / 2
    lengths = np.linalg.norm((outputs - images[:, None]).reshape(3, 4, -1), axis=-1)
    lengths /= np.sqrt(8 * 8 * 3)
    distance = lengths[MASK].mean() if euclidean == "words" else lengths[:, -1].mean()
    if euclidean == "mean":  # of the mean image of each sentence
        means = [row[words].mean(axis=0) for row, words in zip(outputs, MASK, strict=True)]
        distance = np.mean(np.sqrt(np.mean((np.array(means) - images) ** 2, axis=(1, 2, 3))))
    adversarial = -np.mean(np.log(on_generated))
    expected = [
        fake - np.mean(np.log(on_real)), 0.5 * adversarial + weight * distance,
        adversarial, distance,
    ]  # fmt: skip
    assert figures(gan, batch) == pytest.approx(dict(zip(NAMES, expected)), rel=1e-4)


def test_the_defaults_are_the_reports():
    gan = TextToImage(stub().network, stub().discriminator)
    assert (gan.euclidean, gan.adversarial_weight, gan.blurred) == ("original", 1, False)
    with pytest.raises(ValueError, match="Received: 'squared'"):
        TextToImage(gan.network, gan.discriminator, "squared")
    with pytest.raises(ValueError, match="Received: 'color'"):
        TextToImage(gan.network, gan.discriminator, augmentations="color")
    with pytest.raises(ValueError, match="`average` must be"):
        TextToImage(gan.network, gan.discriminator, average=1.0)


def test_another_number_of_real_images():
    gan = stub()
    for count in (1, 5):
        batch = batch_of(reals=count)
        generated = gan.network(batch[0]).numpy()[:, :-1][MASK[:, :-1]]
        expected = -np.mean(np.log(realness(gan, batch[1][1])))  # all of them
        expected -= np.mean(np.log(1 - realness(gan, generated)))
        found = figures(gan, batch)["discriminator_loss"]
        assert found == pytest.approx(expected, rel=1e-4)


def test_passes_of_a_step():
    for blurred, passes in ((False, 3), (True, 4)):
        calls = [], []
        figures(stub(calls=calls, blurred=blurred), batch_of())
        # the network once, with 3 sentences; 4 images, filled up to the 9 there are at most
        assert calls == ([3], [9] * passes)


# Not in the report --------------------------------------------------------------------------


def with_texts(batch, seed=4):
    (vectors, mask), (images, reals) = batch
    texts = np.random.default_rng(seed).normal(size=(*mask.shape, 2)).astype(np.float32)
    return (vectors, mask), (images, reals, texts)


def matching_stub(**options):
    """As `stub`, with a discriminator that is linear in mean colours and text."""
    gan = stub()
    images, texts = keras.Input((8, 8, 3)), keras.Input((2,))
    x = keras.layers.GlobalAveragePooling2D()(images)
    logits = keras.layers.Dense(1)(keras.layers.Concatenate()([x, texts]))
    gan = TextToImage(gan.network, keras.Model([images, texts], logits), **options)
    gan.compile(*(keras.optimizers.SGD(0.0) for _ in range(2)), run_eagerly=True)
    return gan


def test_matching_aware_losses_by_hand():
    gan, mask = matching_stub(), MASK
    batch = with_texts(batch_of(reals=4))
    (vectors, _), (_, reals, texts) = batch
    kernel, bias = gan.discriminator.get_weights()

    def realness_of(images, texts):
        inputs = np.concatenate([images.mean(axis=(1, 2), dtype=np.float64), texts], axis=1)
        return 1 / (1 + np.exp(-(inputs @ kernel[:, 0] + bias)))

    outputs = gan.network(batch[0]).numpy()[mask]  # of all words, the last ones too
    so_far = np.concatenate([
        np.cumsum(row[words], axis=0) / np.arange(1, words.sum() + 1)[:, None]
        for row, words in zip(vectors, mask, strict=True)
    ])  # fmt: skip
    # packed: the words, then the first ones again up to all 12 slots; the text of the next
    own = texts[mask]
    last = own[(12 - 1) % len(own)]
    wrong = np.concatenate([[last], own[:-1]])
    drawn = realness_of(outputs, so_far)
    expected = -np.log(realness_of(reals[mask], own)).mean()
    expected -= np.log(1 - realness_of(reals[mask], wrong)).mean() / 2
    expected -= np.log(1 - drawn).mean() / 2
    found = figures(gan, batch)
    assert found["discriminator_loss"] == pytest.approx(expected, rel=1e-4)
    assert found["adversarial"] == pytest.approx(-np.log(drawn).mean(), rel=1e-4)


def test_matching_is_not_for_blurred_images():
    with pytest.raises(ValueError, match="`blurred` is for a discriminator of images alone"):
        matching_stub(blurred=True)


def test_the_discriminator_sees_augmented_images():
    batch, plain = batch_of(), stub((0.0, 0.0))
    gan = TextToImage(plain.network, plain.discriminator, augmentations=("color",))
    gan.compile(*(keras.optimizers.SGD(0.0) for _ in range(2)), run_eagerly=True)
    found, other = figures(gan, batch), figures(plain, batch)
    assert found["distance"] == other["distance"]
    for name in ("discriminator_loss", "adversarial"):
        assert abs(found[name] - other[name]) > 1e-3
    again = figures(gan, batch)  # the next step draws others
    assert again["adversarial"] != found["adversarial"]


def test_the_averaged_network_follows_and_draws():
    batch = batch_of()
    network, discriminator = (
        build_text_to_image(4, 2, 8, 2, filters=2),
        build_discriminator(8, 2),
    )
    gan = TextToImage(network, discriminator, average=0.9)
    gan.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)), run_eagerly=True)
    before = network.get_weights()
    figures(gan, batch)
    moved = [old + 0.9 * (new - old) for old, new in zip(before, network.get_weights())]
    for average, expected in zip(gan.averaged.get_weights(), moved, strict=True):
        np.testing.assert_allclose(average, expected, atol=1e-6)  # 1 / (1 + 9) is kept
    np.testing.assert_array_equal(gan(batch[0]), gan.averaged(batch[0]))
    assert TextToImage(network, discriminator).averaged is network


@pytest.mark.slow
def test_all_of_it_compiles_with_shapes_known():
    network = build_text_to_image(4, 2, 8, 3, filters=2, normalisation="filled")
    gan = TextToImage(
        network, build_discriminator(8, 3, 2), augmentations=("color", "translation", "cutout"),
        average=0.9,
    )  # fmt: skip
    gan.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)), jit_compile=True)
    before = [variable.numpy() for variable in gan.trainable_variables]
    batch = tf.nest.map_structure(tf.constant, with_texts(batch_of(reals=4)))
    gan.fit(tf.data.Dataset.from_tensors(batch).repeat(2), verbose=0, shuffle=False)
    after = [variable.numpy() for variable in gan.trainable_variables]
    assert all(np.isfinite(values).all() for values in after)
    assert not any(np.array_equal(*pair) for pair in zip(before, after, strict=True))


# Padding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("euclidean", ["original", "mean", "words"])
def test_padding_contributes_nothing(euclidean):
    results = []
    for seed in (0, 1):
        (vectors, _), (images, reals) = batch_of()
        other = batch_of(seed=seed)
        vectors = np.where(MASK[..., None], vectors, other[0][0])
        real = MASK[:, :-1, None, None, None]
        reals = np.where(real, reals, other[1][1])
        gan = stub((0.1, 0.1), euclidean=euclidean)
        results.append((figures(gan, ((vectors, MASK), (images, reals))), weights_of(gan)))
    assert results[0][0] == results[1][0]
    assert_same(results[0][1], results[1][1])


@pytest.mark.parametrize(
    "euclidean", [pytest.param("original", marks=pytest.mark.slow), "mean"]
)
def test_sentences_of_one_word(euclidean):
    """Nothing is left for the discriminator: the distance alone counts."""
    mask = np.arange(4) == np.full((3, 1), 3)
    gan = TextToImage(
        build_text_to_image(4, 2, 8, 3), build_discriminator(8, 3), euclidean, blurred=True
    )
    gan.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)))
    found = figures(gan, batch_of(mask))
    assert found["discriminator_loss"] == found["adversarial"] == 0
    assert found["generator_loss"] == found["distance"] > 0
    assert all(np.isfinite(weight).all() for weight in tf.nest.flatten(weights_of(gan)))


# Updates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates, moving", [((0.05, 0.0), 0), ((0.0, 0.05), 1)])
def test_each_optimizer_moves_its_own_network_downhill(rates, moving):
    gan, batch = stub(rates), batch_of()
    before, losses = weights_of(gan), [figures(gan, batch) for _ in range(2)]
    for number, (old, new) in enumerate(zip(before, weights_of(gan))):
        same = [np.array_equal(a, b) for a, b in zip(old, new, strict=True)]
        assert same == [number != moving] * 2
    name = ("generator_loss", "discriminator_loss")[moving]
    assert losses[1][name] < losses[0][name] - 1e-4
    assert gan.optimizers == {"g_optimizer": gan.g_optimizer, "d_optimizer": gan.d_optimizer}


def test_the_network_sees_the_new_discriminator():
    gan, batch = stub((0.0, 0.1)), batch_of()
    generated = gan.network(batch[0]).numpy()[:, :-1][MASK[:, :-1]]
    found = figures(gan, batch)["adversarial"]
    assert found == pytest.approx(-np.mean(np.log(realness(gan, generated))), rel=1e-5)


@pytest.mark.parametrize(
    "convlstm",
    ["refined", *(pytest.param(k, marks=pytest.mark.slow) for k in ("last", "penultimate"))],
)
def test_a_real_step_moves_every_variable_and_repeats(convlstm):
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        network = build_text_to_image(4, 2, 8, 3, convlstm)
        gan = TextToImage(network, build_discriminator(8, 3))
        gan.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)), jit_compile=False)
        before = [variable.numpy() for variable in gan.variables]
        found = [figures(gan, batch_of(seed=step)) for step in range(2)]
        assert np.isfinite([[*values.values()] for values in found]).all()
        still = [v.path for v, old in zip(gan.variables, before) if np.array_equal(v, old)]
        assert not still
        results.append(weights_of(gan))
    assert_same(*results)


def test_train_on_batch_and_call():
    batch = batch_of()
    found = stub().train_on_batch(*batch, return_dict=True)
    assert {k: float(v) for k, v in found.items()} == pytest.approx(figures(stub(), batch))
    gan = stub()
    np.testing.assert_array_equal(gan(batch[0]), gan.network(batch[0]))


# Learning -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_four_sentences_and_their_colours():
    """Dark red, red, dark blue, blue: neither word alone tells the image."""
    rng = np.random.default_rng(0)
    dark, red, blue = rng.normal(size=(3, 6))
    nothing = np.zeros(6)
    sentences = [[dark, red], [nothing, red], [dark, blue], [nothing, blue]]
    vectors = np.pad(sentences, [(0, 0), (1, 0), (0, 0)]).astype(np.float32)
    mask = np.any(vectors, axis=2)
    colours = [[-0.3, -0.9, -0.9], [0.8, -0.6, -0.6], [-0.9, -0.9, -0.3], [-0.6, -0.6, 0.8]]
    images = np.broadcast_to(np.float32(colours)[:, None, None], (4, 8, 8, 3))
    reals = np.stack([np.roll(images, shift, axis=0) for shift in (1, 2)], axis=1)
    batch = (vectors, mask), (images, reals)

    network = build_text_to_image(3, 6, 8, 6, filters=4)
    gan = TextToImage(network, build_discriminator(8, 4), "penalty")
    gan.compile(
        *(keras.optimizers.Adam(rate, beta_1=0.5) for rate in (5e-3, 1e-3)), jit_compile=False
    )
    batches = tf.data.Dataset.from_tensors(tf.nest.map_structure(tf.constant, batch))
    gan.fit(batches.repeat(120), verbose=0, shuffle=False)

    drawn = gan(batch[0]).numpy()[:, -1]

    def distance(others):
        return np.sqrt(np.mean(np.square(drawn - others), axis=(1, 2, 3)))

    own = distance(images)
    for shift in (1, 2, 3):
        assert (own < 0.5 * distance(np.roll(images, shift, axis=0))).all()
    assert own.mean() < 0.2
