import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import update_spectral_norms
from keras_gans.layers.diff_augment import augment
from keras_gans.layers.spectral_norm import SpectralNorm
from keras_gans.losses import gradient_penalty
from keras_gans.okdgan.networks import build_critic, build_generator
from keras_gans.okdgan.sagan import SAGAN
from keras_gans.training.checkpoint import EpochCheckpoint

REAL = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype("float32")


def small(rates=(0.1, 0.1), optimizer=keras.optimizers.SGD, **options):
    keras.utils.set_random_seed(0)
    gan = SAGAN(build_generator(16, width=2, latent=5), build_critic(16, width=2), **options)
    gan.compile(*map(optimizer, rates), run_eagerly=True)
    return gan


def linear(slope):
    """A critic with the score `slope * sum of the image`; of slope 1 in length for 1/28."""
    images = keras.Input((16, 16, 3))
    kernel = keras.initializers.Constant(slope)
    score = keras.layers.Dense(1, kernel_initializer=kernel)(keras.layers.Flatten()(images))
    return keras.Model(images, score)


def step(gan, batch=REAL):
    figures = gan.train_step(tf.constant(batch))
    assert list(figures) == ["critic_loss", "generator_loss", "distance"]
    return {name: float(value) for name, value in figures.items()}


def values(weights):
    return [np.array(weight) for weight in weights]


def moved(before, weights):
    return [not np.array_equal(old, new) for old, new in zip(before, weights, strict=True)]


def test_losses_by_hand():
    keras.utils.set_random_seed(0)
    gan = SAGAN(build_generator(16, width=2, latent=5), linear(0.1), penalty=7.0)
    generated = np.random.default_rng(1).uniform(-1, 1, REAL.shape).astype("float32")
    loss, (distance,) = gan.critic_loss(REAL, generated)
    expected = 0.1 * (REAL.sum() - generated.sum()) / 4
    assert float(distance) == pytest.approx(expected, rel=1e-4)
    penalty = (0.1 * np.sqrt(16 * 16 * 3) - 1) ** 2
    assert float(loss) == pytest.approx(7 * penalty - expected, rel=1e-4)
    found = gan.generator_loss(REAL, generated)
    assert float(found) == pytest.approx(-0.1 * generated.sum() / 4, rel=1e-4)


def test_lambda_is_10_and_epsilon_is_uniform_one_an_image(monkeypatch):
    seen = []

    def spy(critic, real, generated, epsilon):
        seen.append(np.array(epsilon))
        return gradient_penalty(critic, real, generated, epsilon)

    monkeypatch.setattr("keras_gans.okdgan.gan.gradient_penalty", spy)
    gan = SAGAN(build_generator(16, width=2), linear(0.0))
    for _ in range(20):
        loss, _ = gan.critic_loss(tf.constant(REAL), tf.constant(-REAL))
        assert float(loss) == pytest.approx(10, rel=1e-5)  # slope 0
    assert {(array.shape, array.dtype.name) for array in seen} == {((4, 1, 1, 1), "float32")}
    epsilons = np.unique(seen)
    assert len(epsilons) == 80 and 0 <= epsilons[0] < 0.1 and 0.9 < epsilons[-1] < 1
    assert np.mean(epsilons) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("rates, moving", [((0.1, 0.0), "generator"), ((0.0, 0.1), "critic")])
def test_each_optimizer_moves_its_own_network(rates, moving):
    gan = small(rates)
    networks = {"generator": gan.generator, "critic": gan.critic}
    before = {name: values(n.trainable_variables) for name, n in networks.items()}
    for _ in range(2):  # gamma moves first, then what it multiplies
        step(gan)
    for name, network in networks.items():
        still = [
            variable.path
            for variable, change in zip(
                network.trainable_variables, moved(before[name], network.trainable_variables)
            )
            if change != (name == moving)
        ]
        # no loss of a critic depends on its last bias
        assert still == ([gan.critic.weights[-1].path] if name == moving == "critic" else [])


def test_u_advances_once_a_step_and_only_there():
    gan = small()
    expected = []
    for network in (gan.generator, gan.critic):
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        update_spectral_norms(copy)
        expected += [
            part.u for part in copy._flatten_layers() if isinstance(part, SpectralNorm)
        ]
    step(gan)
    found = [
        part.u
        for network in (gan.generator, gan.critic)
        for part in network._flatten_layers()
        if isinstance(part, SpectralNorm)
    ]
    assert len(found) == 10
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = values(gan.critic.weights)
    gan.critic_loss(REAL, REAL)
    gan.generator_loss(REAL, REAL)
    assert not any(moved(before, gan.critic.weights))


def test_the_generator_is_updated_against_the_new_critic():
    gan = SAGAN(build_generator(16, width=2, latent=5), linear(0.0), penalty=0.0)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(1.0), run_eagerly=True)
    kernel = gan.critic.weights[0]
    figures = step(gan)
    # the critic was zero and moved by the difference of the mean images
    assert figures["distance"] == figures["critic_loss"] == 0
    difference = np.array(kernel).reshape(REAL.shape[1:])
    mean_image = REAL.mean(axis=0) - difference
    assert np.max(np.abs(mean_image)) <= 1
    expected = -np.sum(difference * mean_image)
    assert figures["generator_loss"] == pytest.approx(expected, rel=1e-3)


def test_images_or_images_and_labels():
    alone, labelled = small(), small()
    figures = step(alone)
    assert figures == {
        name: float(value)
        for name, value in labelled.train_step((tf.constant(REAL), tf.range(4))).items()
    }


def test_latents_are_standard_normal():
    gan = small()
    z = np.concatenate([gan.sample_latents(REAL) for _ in range(100)])
    assert z.shape == (400, 5)
    assert (z.mean(), z.std()) == pytest.approx((0, 1), abs=0.1)
    assert np.abs(z).max() > 2.5 and len(np.unique(z)) == z.size


def test_the_critic_sees_real_and_generated_images_augmented(monkeypatch):
    changed = []

    def spy(images, key, names):
        changed.append((np.array(images), tuple(np.array(key)), names))
        return augment(images, key, names)

    monkeypatch.setattr("keras_gans.okdgan.gan.augment", spy)
    step(small())
    assert not changed
    gan = small(augmentations=["color", "cutout"])
    step(gan)
    (real, *_), (generated, *_), (again, *_) = changed
    np.testing.assert_array_equal(real, REAL)
    np.testing.assert_array_equal(generated, again)
    assert len({key for _, key, _ in changed}) == 3
    assert {names for _, _, names in changed} == {("color", "cutout")}


def test_moving_average_of_the_generator():
    plain = small()
    assert plain.averaged is plain.generator
    gan = small(average=0.999)
    averaged = [w for w in gan.averaged.weights if w.path.split("/")[-1] != "u"]
    weights = [w for w in gan.generator.weights if w.path.split("/")[-1] != "u"]
    expected = values(weights)
    np.testing.assert_array_equal(gan.averaged.get_weights()[0], expected[0])
    for number in (1, 2):
        step(gan)
        share = 1 - number / (number + 9)
        expected = [old + share * (new - old) for old, new in zip(expected, values(weights))]
    for ours, theirs in zip(averaged, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for layer in gan.averaged._flatten_layers():
        if isinstance(layer, SpectralNorm):
            assert np.linalg.norm(layer.u) == pytest.approx(1, abs=1e-4)
    # far from the start the average is as asked
    before, now = values(averaged), values(weights)
    gan.move_average(10**6)
    assert np.array(averaged[0]) == pytest.approx(0.999 * before[0] + 0.001 * now[0], rel=1e-4)


@pytest.mark.slow
def test_it_learns_a_shift_of_brightness():
    gan = small((1e-2, 1e-2), lambda rate: keras.optimizers.Adam(rate, 0.0, 0.9))
    real = np.clip(0.2 * REAL + 0.7, -1, 1)
    z = tf.random.stateless_normal((50, 5), [0, 1])
    before = float(tf.reduce_mean(gan.generator(z)))
    train = tf.function(gan.train_step)
    for _ in range(90):
        train(tf.constant(real))
    after = float(tf.reduce_mean(gan.averaged(z)))
    assert abs(after - 0.7) < 0.5 * abs(before - 0.7)


@pytest.mark.slow
def test_a_resumed_training_equals_the_uninterrupted_one(tmp_path):
    data = tf.data.Dataset.from_tensors(REAL).repeat()

    def fit(gan, folder, epochs):
        checkpoint = EpochCheckpoint(gan, gan.optimizers, folder)
        first = checkpoint.restore()
        gan.fit(
            data, steps_per_epoch=2, initial_epoch=first, epochs=epochs,
            callbacks=[checkpoint], verbose=0, shuffle=False,
        )  # fmt: skip
        return [*gan.variables, *gan.g_optimizer.variables, *gan.d_optimizer.variables]

    options = dict(average=0.99, augmentations=("color", "translation", "cutout"))
    whole = fit(small(**options), tmp_path / "whole", 2)
    fit(small(**options), tmp_path / "parts", 1)
    rest = small(**options)
    rest.generator.weights[0].assign(rest.generator.weights[0] + 1)
    for ours, theirs in zip(fit(rest, tmp_path / "parts", 2), whole, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
