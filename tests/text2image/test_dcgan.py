import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from keras_gans.text2image.dcgan import DCGAN, blur, discriminator_loss
from keras_gans.text2image.networks import build_discriminator, build_generator

NAMES = ["discriminator_loss", "generator_loss"]


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    vectors = rng.uniform(-1, 1, (5, 2)).astype(np.float32)
    return vectors, rng.uniform(-0.9, 0.9, (5, 8, 8, 3)).astype(np.float32)


def randomized(network):
    rng = np.random.default_rng(5)
    for weight in network.weights:
        weight.assign(rng.normal(0, 2, weight.shape))
    return network


def line(calls=None):
    """A discriminator that is a line of the mean colours; notes how many images it sees."""

    def note(x):
        if calls is not None:
            calls.append(x.shape[0])
        return x

    images = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(note, output_shape=lambda shape: shape)(images)
    x = keras.layers.GlobalAveragePooling2D()(x)
    discriminator = keras.Model(images, keras.layers.Dense(1)(x))
    if calls:
        calls.clear()  # of building
    return randomized(discriminator)


def stub(rates=(0.0, 0.0), calls=None, **options):
    generator = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(192, "tanh"),
            keras.layers.Reshape((8, 8, 3)),
        ]
    )
    gan = DCGAN(randomized(generator), line(calls), **options)
    gan.compile(*(keras.optimizers.SGD(rate) for rate in rates))
    return gan


def figures(gan, batch):
    values = gan.train_step(tf.nest.map_structure(tf.constant, batch))
    assert list(values) == NAMES
    gan.reset_metrics()
    return {name: float(value) for name, value in values.items()}


def realness(discriminator, images):
    """D, in float64."""
    kernel, bias = discriminator.get_weights()
    logits = np.mean(images, axis=(1, 2), dtype=np.float64) @ kernel[:, 0] + bias
    return 1 / (1 + np.exp(-logits))


# Losses -------------------------------------------------------------------------------------


def test_discriminator_loss_by_hand(batch):
    discriminator = line()
    real, generated = batch[1], batch[1][:3] ** 2
    on_real, on_generated = (realness(discriminator, x) for x in (real, generated))
    expected = -np.mean(np.log(on_real)) - np.mean(np.log(1 - on_generated))
    found = discriminator_loss(discriminator, real, generated)
    assert float(found) == pytest.approx(expected, rel=1e-5)

    weights = np.float32([1, 0, 1, 1, 0]), np.float32([0, 0, 1])
    expected = -np.mean(np.log(on_real[[0, 2, 3]])) - np.log(1 - on_generated[2])
    found = discriminator_loss(discriminator, real, generated, False, *weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)

    on_blurred = realness(discriminator, blur(real))
    fake = np.mean(np.log(1 - on_generated)), np.mean(np.log(1 - on_blurred))
    expected = -np.mean(np.log(on_real)) - np.mean(fake)
    found = discriminator_loss(discriminator, real, generated, blurred=True)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_discriminator_that_knows_nothing(batch):
    discriminator = line()
    for weight in discriminator.weights:
        weight.assign(tf.zeros(weight.shape))
    for blurred in (False, True):
        loss = discriminator_loss(discriminator, batch[1], batch[1], blurred)
        assert float(loss) == pytest.approx(2 * math.log(2))


def test_blur_is_scipys():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
    expected = ndimage.gaussian_filter(images, 2, axes=(1, 2), mode="reflect", radius=6)
    np.testing.assert_allclose(blur(images), expected, atol=1e-5)
    assert images.std() > 0.5 > 0.1 > np.std(blur(images))
    plain = np.full((1, 8, 8, 3), 0.7, np.float32)  # no darker at the edges
    np.testing.assert_allclose(blur(plain), plain, rtol=1e-5)


# Steps --------------------------------------------------------------------------------------


def test_step_by_hand(batch):
    gan = stub()
    generated = gan.generator(batch[0]).numpy()
    d_loss = discriminator_loss(gan.discriminator, batch[1], generated)
    g_loss = -np.mean(np.log(realness(gan.discriminator, generated)))
    expected = dict(zip(NAMES, (float(d_loss), g_loss)))
    assert figures(gan, batch) == pytest.approx(expected, rel=1e-4)


def test_the_generator_sees_the_new_discriminator(batch):
    gan = stub(rates=(0.0, 0.1))
    generated = gan.generator(batch[0]).numpy()
    found = figures(gan, batch)["generator_loss"]
    updated = -np.mean(np.log(realness(gan.discriminator, generated)))
    assert found == pytest.approx(updated, rel=1e-5)
    assert found != pytest.approx(figures(stub(), batch)["generator_loss"], rel=1e-2)


@pytest.mark.parametrize("blurred, passes", [(False, [5, 5, 5]), (True, [5, 5, 5, 5])])
def test_passes_of_a_step(batch, blurred, passes):
    calls = []
    gan = stub(calls=calls, blurred=blurred)
    figures(gan, batch)
    assert calls == passes  # fake, blurred, real; then fake again


@pytest.mark.parametrize("rates, moving", [((0.1, 0.0), "g"), ((0.0, 0.1), "d")])
def test_each_optimizer_moves_its_own_network(batch, rates, moving):
    gan = stub(rates)
    before = {"g": gan.generator.get_weights(), "d": gan.discriminator.get_weights()}
    losses = [figures(gan, batch) for _ in range(2)]
    after = {"g": gan.generator.get_weights(), "d": gan.discriminator.get_weights()}
    for name in "gd":
        still = [np.array_equal(a, b) for a, b in zip(before[name], after[name])]
        assert still == [name != moving] * 2
    name = NAMES[moving == "g"]
    assert losses[1][name] < losses[0][name] - 1e-4
    assert gan.optimizers == {"g_optimizer": gan.g_optimizer, "d_optimizer": gan.d_optimizer}


def test_real_networks_move_and_repeat(batch):
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        gan = DCGAN(build_generator(2, 8, 3), build_discriminator(8, 3), blurred=True)
        gan.compile(*(keras.optimizers.Adam(1e-3) for _ in range(2)), jit_compile=False)
        before = [variable.numpy() for variable in gan.trainable_variables]
        found = [figures(gan, batch) for _ in range(2)]
        assert np.isfinite([[*values.values()] for values in found]).all()
        results.append([variable.numpy() for variable in gan.trainable_variables])
        assert not any(np.array_equal(a, b) for a, b in zip(before, results[-1]))
    for a, b in zip(*results):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_it_learns_a_distribution():
    """Bright discs of random colours on dark ground."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:16, :16] - 7.5
    disc = y**2 + x**2 < 25

    def images(count):
        ends = (-0.3, 0.9), (-1, -0.5)
        bright, dark = (rng.uniform(*each, (count, 1, 1, 3)) for each in ends)
        noise = rng.normal(0, 0.05, (count, 16, 16, 3))
        return np.float32(np.where(disc[..., None], bright, dark) + noise)

    gan = DCGAN(build_generator(8, 16, 16), build_discriminator(16, 16))
    gan.compile(*(keras.optimizers.Adam(2e-3, beta_1=0.5) for _ in range(2)), jit_compile=False)
    vectors = rng.uniform(-1, 1, (120 * 32, 8)).astype(np.float32)
    batches = tf.data.Dataset.from_tensor_slices((vectors, images(len(vectors)))).batch(32)
    gan.fit(batches, verbose=0, shuffle=False)
    drawn = gan(rng.uniform(-1, 1, (64, 8))).numpy()
    bright, dark = drawn[:, disc].mean(axis=1), drawn[:, ~disc].mean(axis=1)
    assert bright.mean() == pytest.approx(0.3, abs=0.25)
    assert dark.mean() == pytest.approx(-0.75, abs=0.2)
    assert (bright.std(axis=0) > 0.08).all()  # not all alike
