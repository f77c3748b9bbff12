import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.data.pipeline import step_dataset
from keras_gans.frgan.config import Config
from keras_gans.frgan.data import semi_supervised_batches
from keras_gans.frgan.evaluate import test_error as error_of
from keras_gans.frgan.model import FRGAN, compile_labels_only, learning_rate, ramp_up
from keras_gans.frgan.networks import build_discriminator, build_generator
from keras_gans.layers import initialize_from_data
from keras_gans.training.schedule import Schedule

NAMES = [
    "loss", "supervised", "adversarial", "consistency", "generator_loss", "labelled_accuracy"
]  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def watched(calls):
    """A layer that notes on how many images it is called."""

    def note(x):
        calls.append(x.shape[0])
        return x

    return keras.layers.Lambda(note, output_shape=lambda shape: shape)


def stub(rates=(0.0, 0.0), calls=None, eager=True, jit_compile=False, **options):
    """An FRGAN whose discriminator is a line of the images' mean colours."""
    z = keras.Input((2,))
    x = keras.layers.Dense(27, "tanh")(watched(calls[0])(z) if calls else z)
    generator = keras.Model(z, keras.layers.Reshape((3, 3, 3))(x))
    images = keras.Input((3, 3, 3))
    x = watched(calls[1])(images) if calls else images
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    discriminator = keras.Model(images, keras.layers.Dense(4, name="logits")(x))
    for weight in generator.weights + discriminator.weights:
        weight.assign(np.random.default_rng(5).normal(0, 2, weight.shape))
    gan = FRGAN(generator, discriminator, seed=3, **options)
    gan.compile(
        *(keras.optimizers.SGD(rate) for rate in rates),
        run_eagerly=eager, jit_compile=jit_compile,
    )  # fmt: skip
    for noted in calls or ():
        noted.clear()  # of building
    return gan


def batch_of(rng, labelled=5, unlabelled=4, views=2, size=3, classes=4):
    images = rng.uniform(-0.9, 0.9, (labelled, size, size, 3)).astype(np.float32)
    labels = rng.integers(0, classes, labelled)
    shape = views, unlabelled, size, size, 3
    return (images, labels), rng.uniform(-0.9, 0.9, shape).astype(np.float32)


def figures(gan, batch):
    values = gan.train_step(tf.nest.map_structure(tf.constant, batch))
    assert list(values) == NAMES
    gan.reset_metrics()
    return {name: float(value) for name, value in values.items()}


def fit(gan, batch):
    """One step in a graph."""
    batches = tf.data.Dataset.from_tensors(batch)
    return {k: v for k, [v] in gan.fit(batches, verbose=0, shuffle=False).history.items()}


def values_of(*networks):
    return [weight.numpy() for network in networks for weight in network.trainable_variables]


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


# Ramp ---------------------------------------------------------------------------------------


def test_ramp_by_hand():
    expected = {
        0: math.exp(-5), 25: math.exp(-5 * 0.75**2), 50: math.exp(-1.25), 99: math.exp(-5e-4),
        100: 1, 101: 1, 10**6: 1,
    }  # fmt: skip
    for step, value in expected.items():
        assert float(ramp_up(step, 100, 3.0)) == pytest.approx(3 * value, rel=1e-5)
    assert [float(ramp_up(step, 0, 3.0)) for step in (0, 9)] == [3, 3]
    assert float(ramp_up(tf.Variable(50, dtype="int64"), 100, 1.0)) == pytest.approx(
        expected[50]
    )


# A step by hand -----------------------------------------------------------------------------


def logits_of(gan, images):
    """Of the stub, in float64."""
    kernel, bias = (weight.numpy() for weight in gan.discriminator.weights)
    return np.mean(images, axis=(1, 2), dtype=np.float64) @ kernel + bias


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def realness(logits):
    return 1 - 1 / (1 + np.exp(logits).sum(axis=-1))


def generated_by(gan, count, draws):
    """What the stub's generator makes of its first z, its second and so on."""
    seeds = keras.random.SeedGenerator(3)
    drawn = [keras.random.uniform((count, 2), -1, 1, seed=seeds) for _ in range(draws)]
    return [gan.generator(z).numpy() for z in drawn]


@pytest.mark.parametrize("weight, views", [(1.5, 2), (0.0, 1)])
@pytest.mark.parametrize("adversarial_weight", [1.0, 0.5])
@pytest.mark.parametrize("matching", [False, True])
def test_losses_by_hand(rng, weight, views, adversarial_weight, matching):
    (labelled, labels), unlabelled = batch_of(rng, views=views)
    gan = stub(
        consistency_weight=weight, ramp_steps=10, adversarial_weight=adversarial_weight,
        feature_matching=matching,
    )  # fmt: skip
    for other in (labels, 3 - labels):  # the same losses but one
        gan.seeds.state.assign(keras.random.SeedGenerator(3).state)
        found = figures(gan, ((labelled, other), unlabelled))
        probabilities = softmax(logits_of(gan, labelled))
        supervised = -np.mean(np.log(probabilities[np.arange(5), other]))
        first, second = generated_by(gan, 4, 2)
        adversarial = -np.mean(np.log(realness(logits_of(gan, unlabelled[0]))))
        adversarial -= np.mean(np.log(1 - realness(logits_of(gan, first))))
        difference = 0
        if weight:
            one, two = (softmax(logits_of(gan, images)) for images in unlabelled)
            difference = np.mean(np.sum((one - two) ** 2, axis=1))
        generator_loss = -np.mean(np.log(realness(logits_of(gan, second))))
        if matching:
            colours = unlabelled[0].mean(axis=(0, 1, 2)) - second.mean(axis=(0, 1, 2))
            generator_loss = np.mean(colours**2)
        loss = supervised + adversarial_weight * adversarial
        loss += weight * math.exp(-5 * (1 - (other is not labels) / 10) ** 2) * difference
        expected = [loss, supervised, adversarial, difference, generator_loss]
        expected.append(np.mean(probabilities.argmax(axis=1) == other))
        assert found == pytest.approx(dict(zip(NAMES, expected)), rel=1e-4)


def test_weight_0_leaves_the_generator_out(rng):
    calls = [], []
    gan = stub((0.1, 0.1), calls, adversarial_weight=0.0, consistency_weight=2.0)
    before, seeds = values_of(gan.generator), gan.seeds.state.numpy()
    (labelled, labels), unlabelled = batch_of(rng)
    supervised = -np.mean(np.log(softmax(logits_of(gan, labelled))[np.arange(5), labels]))
    one, two = (softmax(logits_of(gan, images)) for images in unlabelled)
    difference = np.mean(np.sum((one - two) ** 2, axis=1))
    for noted in calls:
        noted.clear()
    found = figures(gan, ((labelled, labels), unlabelled))
    assert calls == ([], [13])
    loss = supervised + 2 * difference
    expected = dict(zip(NAMES, [loss, supervised, 0, difference, 0]))
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert not any(moved(before, values_of(gan.generator)))
    np.testing.assert_array_equal(gan.seeds.state, seeds)


def test_a_falling_rate_is_a_cosine():
    schedule = Schedule(4, 5, 2)
    assert learning_rate(Config(learning_rate=0.2), schedule) == 0.2
    rate = learning_rate(Config(learning_rate=0.2, decay=True), schedule)
    found = [float(rate(step)) for step in (0, 5, 10)]
    assert found == pytest.approx([0.2, 0.1, 0], abs=1e-8)


def test_the_defaults_are_the_papers():
    gan = FRGAN(stub().generator, stub().discriminator)
    assert (gan.consistency_weight, gan.adversarial_weight, gan.average) == (1, 1, 0)
    assert not gan.feature_matching and gan.averaged is gan.discriminator


@pytest.mark.parametrize("matching", [False, True])
@pytest.mark.parametrize("weight, views", [(1.0, 2), (0.0, 1)])
def test_passes_of_a_step(rng, weight, views, matching):
    calls = [], []
    gan = stub(calls=calls, consistency_weight=weight, feature_matching=matching)
    figures(gan, batch_of(rng, views=views))
    # 5 labelled and 4 generated images, 4 unlabelled ones once or twice, in one pass
    assert calls == ([4, 4], [9 + 4 * views, 8 if matching else 4])


def test_each_update_has_new_z(rng):
    gan, drawn = stub(), []
    latents = gan.latents
    gan.latents = lambda count: drawn.append(latents(count)) or drawn[-1]
    for _ in range(2):
        figures(gan, batch_of(rng))
    assert len({z.numpy().tobytes() for z in drawn}) == 4
    z = np.concatenate(drawn)
    assert z.shape == (16, 2) and np.abs(z).max() <= 1 and z.min() < -0.5 < 0.5 < z.max()


# Updates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("matching", [False, True])
@pytest.mark.parametrize("rates, moving", [((0.1, 0.0), "g"), ((0.0, 0.1), "d")])
def test_each_optimizer_moves_its_own_network(rng, rates, moving, matching):
    gan = stub(rates, feature_matching=matching)
    before = [values_of(network) for network in (gan.generator, gan.discriminator)]
    figures(gan, batch_of(rng))
    for name, old, network in zip("gd", before, (gan.generator, gan.discriminator)):
        assert moved(old, values_of(network)) == [name == moving] * 2
    assert list(gan.optimizers) == ["g_optimizer", "d_optimizer"]
    assert [int(optimizer.iterations) for optimizer in gan.optimizers.values()] == [1, 1]


@pytest.mark.parametrize("matching", [False, True])
def test_updates_follow_the_gradients(rng, matching):
    """Both descend; the generator sees the discriminator that has just been updated."""
    batch = batch_of(rng)
    losses = "generator_loss", "loss"
    for rates, name in zip(((0.05, 0.0), (0.0, 0.05)), losses):
        gan = stub(rates, feature_matching=matching)
        found = []
        for _ in range(2):  # with the same z
            gan.seeds.state.assign(keras.random.SeedGenerator(3).state)
            found.append(figures(gan, batch)[name])
        assert found[1] < found[0] - 1e-5

    gan = stub((0.0, 0.1))
    found = figures(gan, batch)["generator_loss"]
    [_, second] = generated_by(gan, 4, 2)
    updated = -np.mean(np.log(realness(logits_of(gan, second))))
    assert found == pytest.approx(updated, rel=1e-5)


def real(average=0.0):
    generator = build_generator(8, width=3, latent=4)
    gan = FRGAN(generator, build_discriminator(8, 3, 4, width=4), average=average)
    gan.compile("adam", "adam", jit_compile=False)  # as Keras takes them, by name
    return gan


def test_a_real_step_moves_every_variable(rng):
    gan = real(average=0.5)
    before = values_of(gan)
    for _ in range(2):
        found = figures(gan, batch_of(rng, size=8))
    assert np.isfinite([*found.values()]).all() and found["consistency"] > 0
    still = [
        variable.path
        for variable, change in zip(gan.trainable_variables, moved(before, values_of(gan)))
        if not change
    ]
    assert not still
    # two steps of two passes each, of the generator alone
    for weight in gan.generator.non_trainable_variables:
        if "moving_variance" in weight.path:
            assert (weight.numpy() != 1).all()


def test_the_same_seed_the_same_bits(rng):
    batch, results = batch_of(rng, size=8), []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        gan = real()
        figures(gan, batch)
        results.append(values_of(gan))
    assert not any(moved(*results))


def test_train_on_batch_and_call(rng):
    batch = batch_of(rng)
    found = stub().train_on_batch(*batch, return_dict=True)
    assert {k: float(v) for k, v in found.items()} == pytest.approx(figures(stub(), batch))
    gan = stub()
    np.testing.assert_allclose(gan(batch[0][0]), logits_of(gan, batch[0][0]), rtol=1e-4)


def test_the_consistency_term_needs_two_views(rng):
    with pytest.raises(ValueError, match="two views are needed .* > 0. Received: 1"):
        figures(stub(consistency_weight=1.0), batch_of(rng, views=1))


@pytest.mark.parametrize("option", [{"consistency_weight": -1.0}, {"ramp_steps": -1}])
def test_arguments_out_of_range(option):
    with pytest.raises(ValueError, match="must be at least 0. Received: .*-1"):
        stub(**option)


@pytest.mark.parametrize("weight, views", [(1.0, 2), (0.0, 1)])
def test_batches_of_free_shape(rng, weight, views):
    batch = (images, labels), unlabelled = batch_of(rng, views=views)
    labelled = tf.TensorSpec((None, 3, 3, 3)), tf.TensorSpec((None, None), "int64")
    data = tf.data.Dataset.from_generator(
        lambda: iter([((images, labels[:, None]), unlabelled)]),
        output_signature=(labelled, tf.TensorSpec((None, None, 3, 3, 3))),
    )
    gan = stub(eager=False, consistency_weight=weight)
    found = gan.fit(data, steps_per_epoch=1, verbose=0, shuffle=False).history
    expected = figures(stub(consistency_weight=weight), batch)
    assert {name: value for name, [value] in found.items()} == pytest.approx(expected, rel=1e-5)


# Moving averages ----------------------------------------------------------------------------


def test_moving_average_by_hand(rng):
    gan = stub((0.0, 0.2), average=0.15, eager=False)
    assert gan.averaged is not gan.discriminator
    expected = values_of(gan.discriminator)
    for step, decay in enumerate((1 / 10, 0.15, 0.15), start=1):  # 2/11 is more than 0.15
        fit(gan, batch_of(rng))
        now = values_of(gan.discriminator)
        expected = [decay * a + (1 - decay) * b for a, b in zip(expected, now)]
        for average, by_hand, value in zip(values_of(gan.averaged), expected, now):
            np.testing.assert_allclose(average, by_hand, rtol=1e-5)
            assert not np.allclose(average, value, rtol=1e-3)


def test_moving_average_starts_as_the_discriminator(rng):
    gan = real(average=0.9)
    images = batch_of(rng, size=8)[0][0]
    np.testing.assert_array_equal(gan.averaged(images), gan.discriminator(images))


@pytest.mark.parametrize("average", [0.0, 0.75])
def test_labels_only_has_its_average_after_fit(rng, average):
    network = stub().discriminator
    compile_labels_only(network, 0.05, average=average)
    passed = []
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: passed.append(values_of(network))
    )
    batches = tf.data.Dataset.from_tensor_slices(batch_of(rng, 12)[0]).batch(4)
    history = network.fit(batches, verbose=0, shuffle=False, callbacks=[keep]).history
    assert set(history) == {"loss", "labelled_accuracy"}
    expected = passed[0]
    for later in passed[1:]:
        expected = [average * a + (1 - average) * b for a, b in zip(expected, later)]
    assert len(passed) == 3 and all(moved(passed[0], passed[2]))
    for value, by_hand in zip(values_of(network), expected, strict=True):
        np.testing.assert_allclose(value, by_hand, rtol=1e-5, atol=1e-7)


def test_labels_only_loss_by_hand(rng):
    (images, labels), _ = batch_of(rng)
    network = stub().discriminator
    probabilities = softmax(np.float64(network(images)))
    compile_labels_only(network, 1e-3, beta_1=0.3)
    assert float(network.optimizer.learning_rate) == pytest.approx(1e-3)
    assert network.optimizer.beta_1 == 0.3
    found = network.train_on_batch(images, labels, return_dict=True)
    expected = -np.mean(np.log(probabilities[np.arange(5), labels]))
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-5)


def test_labels_only_clips_the_gradient(rng):
    """Adam's first moment after a step is (1 - beta_1) times the gradient."""
    moments = {}
    for clip in (None, 1e-3):
        network = stub().discriminator
        compile_labels_only(network, 1e-3, beta_1=0.5, clip=clip)
        network.train_on_batch(*batch_of(np.random.default_rng(2))[0])
        kept = [v for v in network.optimizer.variables if v.path.endswith("_momentum")]
        assert len(kept) == len(network.trainable_variables)
        moments[clip] = np.concatenate([np.ravel(moment) for moment in kept])
    assert np.linalg.norm(moments[None]) > 1e-3
    assert np.linalg.norm(moments[1e-3]) == pytest.approx(0.5e-3, rel=1e-4)
    direction = moments[None] / np.linalg.norm(moments[None])
    np.testing.assert_allclose(moments[1e-3], 0.5e-3 * direction, rtol=1e-3, atol=1e-9)


# Learning -----------------------------------------------------------------------------------


def shapes(rng, count):
    """Three kinds of images, 16x16: lines across, lines down, a spot; in any colours."""
    labels = np.arange(count) % 3
    y, x = np.mgrid[:16, :16][:, None] - rng.integers(4, 12, (2, count, 1, 1))
    pattern = [y % 4 < 2, x % 4 < 2, y**2 + x**2 < 20]
    mask = np.choose(labels[:, None, None], pattern)[..., None]
    dark, bright = rng.uniform(0, 90, (count, 1, 1, 3)), rng.uniform(130, 255, (count, 1, 1, 3))
    images = np.where(mask, bright, dark) + rng.normal(0, 10, (count, 16, 16, 3))
    return np.uint8(images.clip(0, 255)), labels


@pytest.mark.slow
def test_few_labels_are_enough_for_easy_classes(rng):
    images, labels = shapes(rng, 300)
    unseen = shapes(rng, 150)
    discriminator = build_discriminator(16, classes=3, width=8)
    initialize_from_data(discriminator, to_float(images[:40]))
    gan = FRGAN(build_generator(16, width=8, latent=8), discriminator, 3.0, 40, average=0.9)
    adams = [keras.optimizers.Adam(3e-3, 0.5) for _ in range(2)]
    gan.compile(*adams, jit_compile=False)
    batch = semi_supervised_batches(images, np.arange(12), labels[:12], 16, 0)
    batches = step_dataset(batch, 0, 80)
    history = gan.fit(batches, epochs=4, steps_per_epoch=20, verbose=0, shuffle=False).history
    assert history["supervised"][-1] < 0.5 * history["supervised"][0]
    assert error_of(gan.averaged, *unseen) < 20  # 67 by chance
