import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.pipeline import step_dataset
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.data import unpaired_batches
from keras_gans.defectgan.detection import to_grey
from keras_gans.defectgan.image_pool import ImagePool
from keras_gans.defectgan.model import DefectGAN
from keras_gans.defectgan.networks import build_discriminator, build_generator
from keras_gans.defectgan.schedules import TwoPhases
from keras_gans.defectgan.view import View
from keras_gans.training.checkpoint import EpochCheckpoint


def linear(slope, bias):
    """A network that gives `slope * images + bias`: a generator, or a logit a pixel."""
    images = keras.Input((None, None, 1))
    layer = keras.layers.Conv2D(
        1, 1, kernel_initializer=keras.initializers.Constant(slope),
        bias_initializer=keras.initializers.Constant(bias),
    )  # fmt: skip
    return keras.Model(images, layer(images))


def stub(
    shifts=(0.0, 0.0), critics=((0.0, 0.0), (0.0, 0.0)), rates=(0.0, 0.0), eager=True, **options
):
    """A DefectGAN whose generators add a constant; its critics are lines."""
    networks = [linear(1, shift) for shift in shifts] + [linear(*line) for line in critics]
    gan = DefectGAN(*networks, **options)
    gan.compile(*map(keras.optimizers.SGD, rates), run_eagerly=eager, jit_compile=False)
    return gan


def figures(gan, ng, p):
    values = gan.train_step((tf.constant(ng), tf.constant(p)))
    assert list(values) == ["loss", "critic_loss", "cycle", "identity", "change"]
    return {name: float(value) for name, value in values.items()}


def fit(gan, ng, p):
    """One step in a graph."""
    batches = tf.data.Dataset.from_tensors((ng, p))
    history = gan.fit(batches, verbose=0, shuffle=False).history
    return {name: value for name, [value] in history.items()}


def values_of(*networks):
    return [weight.numpy() for network in networks for weight in network.weights]


def moved(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def images_of(rng, count, size=4):
    return rng.uniform(-0.9, 0.9, (2, count, size, size, 1)).astype(np.float32)


# Losses by hand -----------------------------------------------------------------------------


def logistic(logits, real):
    return np.mean(np.log1p(np.exp(-logits if real else logits)))


def squares(logits, real):
    return np.mean((logits - real) ** 2)


@pytest.mark.parametrize(
    "adversarial, loss, critic_loss",
    [("log", 2 * math.log(2), 4 * math.log(2)), ("least-squares", 2, 2)],
)
def test_identities_and_undecided_discriminators(rng, adversarial, loss, critic_loss):
    found = figures(stub(adversarial=adversarial), *images_of(rng, 2))
    assert found == pytest.approx(
        {"loss": loss, "critic_loss": critic_loss, "cycle": 0, "identity": 0, "change": 0}
    )


@pytest.mark.parametrize("form, adversarial", [("log", logistic), ("least-squares", squares)])
@pytest.mark.parametrize("weak_labels", [False, True])
@pytest.mark.parametrize("identity_weight", [0.0, 0.5])
def test_losses_by_hand(rng, form, adversarial, weak_labels, identity_weight):
    ng, p = images_of(rng, 3)
    gan = stub(
        shifts=(0.3, -0.1),
        critics=((2.0, 0.5), (-1.0, 0.2)),
        adversarial=form,
        cycle_weight=7.0,
        identity_weight=identity_weight,
        change_weight=3.0,
        weak_labels=weak_labels,
    )
    found = figures(gan, ng, p)

    def clean(images):
        return 2 * images + 0.5

    def defective(images):
        return -images + 0.2

    cycle, moves = 2 * 0.2, 0.3 + 0.1
    loss = adversarial(clean(ng + 0.3), True) + adversarial(defective(p - 0.1), True)
    loss += 7 * (cycle + identity_weight * moves) + 3 * moves
    against_clean = adversarial(clean(ng + 0.3), False)
    against_defective = adversarial(defective(p - 0.1), False)
    if weak_labels:
        against_clean = (against_clean + adversarial(clean(ng), False)) / 2
        against_defective = (against_defective + adversarial(defective(p), False)) / 2
    critic_loss = against_clean + adversarial(clean(p), True)
    critic_loss += against_defective + adversarial(defective(ng), True)
    expected = {"loss": loss, "critic_loss": critic_loss, "cycle": cycle, "change": moves}
    # without its weight the identity loss is not computed
    expected["identity"] = moves if identity_weight else 0
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_defaults_are_eq_1_to_3(rng):
    ng, p = images_of(rng, 1)
    found = figures(stub((0.2, 0.1), ((1.0, 0.0), (1.0, 0.0))), ng, p)
    loss = logistic(ng + 0.2, True) + logistic(p + 0.1, True) + 10 * 2 * 0.3
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    critics = [logistic(ng + 0.2, False), logistic(p, True)]
    critics += [logistic(p + 0.1, False), logistic(ng, True)]
    assert found["critic_loss"] == pytest.approx(sum(critics), rel=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"adversarial": "hinge"}, {"candidates": 0}, {"candidates": 2.0}, {"patch_share": 0},
        {"patch_share": 1.1},
    ],
)  # fmt: skip
def test_arguments_out_of_range(options):
    with pytest.raises(ValueError, match="must be .* Received: "):
        stub(**options)


def test_candidates_divide_a_batch(rng):
    with pytest.raises(ValueError, match="multiple of `candidates`, 2. Received: 3"):
        figures(stub(candidates=2), *images_of(rng, 3))


def test_patch_share_looks_at_the_worst_patches():
    # logits are the pixels: 2 of 4 patches an image, the least clean or the most defective
    ng = np.float32([[[-3, 1], [2, -1]], [[4, 4], [0, 6]]])[..., None]
    p = np.float32([[[-3, 1], [2, -1]], [[1, 1], [-5, 0]]])[..., None]
    gan = stub(critics=((1.0, 0.0), (1.0, 0.0)), patch_share=0.5)
    found = figures(gan, ng, p)
    lowest_ng, lowest_p = np.array([-2, 2]), np.array([-2, -2.5])
    highest_ng, highest_p = np.array([1.5, 5]), np.array([1.5, 1])
    assert found["loss"] == pytest.approx(
        logistic(lowest_ng, True) + logistic(highest_p, True), rel=1e-5
    )
    critics = [logistic(lowest_ng, False), logistic(lowest_p, True)]
    critics += [logistic(highest_p, False), logistic(highest_ng, True)]
    assert found["critic_loss"] == pytest.approx(sum(critics), rel=1e-5)

    one_patch = figures(stub(critics=((1.0, 0.0), (1.0, 0.0)), patch_share=0.01), ng, p)
    assert one_patch["loss"] == pytest.approx(
        logistic(np.array([-3, 0]), True) + logistic(np.array([2, 1]), True), rel=1e-5
    )


def test_margin_measures_patches_against_their_own_image():
    ng = np.float32([[[-3, 1], [2, -1]], [[4, 4], [0, 6]]])[..., None]
    p = np.float32([[[-3, 1], [2, -1]], [[1, 1], [-5, 0]]])[..., None]
    critics = ((1.0, 0.0), (1.0, 0.0))
    found = figures(stub(critics=critics, patch_share=0.25, margin=2.0), ng, p)
    # the least clean patch lies so much below the mean, the most defective one above it
    below_ng, below_p = np.array([2.75, 3.5]), np.array([2.75, 4.25])
    above_ng, above_p = np.array([2.25, 2.5]), np.array([2.25, 1.75])
    loss = logistic(2 - below_ng, True) + logistic(above_p - 2, True)
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    losses = [logistic(2 - below_ng, False), logistic(2 - below_p, True)]
    losses += [logistic(above_p - 2, False), logistic(above_ng - 2, True)]
    assert found["critic_loss"] == pytest.approx(sum(losses), rel=1e-5)
    # what an image shows everywhere says nothing
    brighter = ng + np.float32([[[[5]]], [[[-9]]]])
    again = figures(stub(critics=critics, patch_share=0.25, margin=2.0), brighter, p)
    assert again["critic_loss"] == pytest.approx(found["critic_loss"], rel=1e-5)


def test_candidates_the_least_clean_crop_is_taken(rng):
    ng, p = images_of(rng, 6)  # two times three candidates
    ng[1, 2, 3] = ng[5, 0, 0] = p[0, 1, 1] = p[3, 3, 3] = -1
    critics = ((1.0, 0.0), (0.5, 0.1))
    found = figures(stub((0.2, 0.0), critics, candidates=3, change_weight=1.0), ng, p)
    chosen_ng, chosen_p = ng[[1, 5]], p[[0, 3]]
    fake_p, fake_ng = chosen_ng + 0.2, chosen_p
    loss = logistic(fake_p, True) + logistic(0.5 * fake_ng + 0.1, True) + 10 * 0.4 + 0.2
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    # the discriminators see all crops
    critics = [logistic(fake_p, False), logistic(p, True)]
    critics += [logistic(0.5 * fake_ng + 0.1, False), logistic(0.5 * ng + 0.1, True)]
    assert found["critic_loss"] == pytest.approx(sum(critics), rel=1e-5)


# Steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates, moving", [((0.1, 0.0), "generators"), ((0.0, 0.1), "critics")])
def test_each_optimizer_moves_its_own_networks(rng, rates, moving):
    gan = stub((0.2, -0.1), ((1.0, 0.1), (0.5, 0.2)), rates, weak_labels=True)
    generators, critics = (
        (gan.cleaner, gan.defecter),
        (gan.clean_critic, gan.defect_critic),
    )
    before = values_of(*generators), values_of(*critics)
    figures(gan, *images_of(rng, 2))
    for name, old, networks in zip(("generators", "critics"), before, (generators, critics)):
        assert moved(old, values_of(*networks)) == [name == moving] * 4


def test_generators_learn_to_please_and_discriminators_to_tell(rng):
    ng, p = images_of(rng, 2)
    gan = stub(critics=((1.0, 0.0), (-1.0, 0.0)), rates=(0.1, 0.1), cycle_weight=0.0)
    figures(gan, ng - 0.5, p + 0.5)
    # G1 brightens what D_P finds too dark, G2 darkens what D_NG finds too bright
    assert gan.cleaner.weights[1][0] > 0 > gan.defecter.weights[1][0]
    # D_P: bright is clean, D_NG: dark is defective, both more so than before
    assert gan.clean_critic.weights[0].numpy().item() > 1
    assert gan.defect_critic.weights[0].numpy().item() < -1


def test_a_real_step_moves_every_kernel(rng):
    gan = DefectGAN(
        *(build_generator(1, 2, 1) for _ in range(2)),
        *(build_discriminator(1, 2) for _ in range(2)),
        identity_weight=0.5,
        pools=[ImagePool((32, 32, 1), 2, i) for i in (0, 1)],
    )
    gan.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2)))
    before = [kernel.numpy() for kernel in gan.trainable_variables]
    for _ in range(2):
        losses = figures(gan, *images_of(rng, 2, 32))
    assert all(np.isfinite(value) and value > 0 for value in losses.values())
    after = [kernel.numpy() for kernel in gan.trainable_variables]
    still = [
        variable.path
        for variable, change in zip(gan.trainable_variables, moved(before, after))
        if not change and "kernel" in variable.path
    ]
    assert not still
    assert len(gan.trainable_variables) == len(before)


def test_warm_up_moves_the_discriminators_alone(rng):
    ng, p = images_of(rng, 4)
    gan = stub(
        (0.2, 0.1), ((1.0, 0.1), (0.5, 0.2)), (0.1, 0.1), eager=False,
        critic_warmup=2, candidates=2,
    )  # fmt: skip
    generators, critics = (gan.cleaner, gan.defecter), (gan.clean_critic, gan.defect_critic)
    for step in range(4):
        before = values_of(*generators), values_of(*critics)
        found = fit(gan, ng, p)
        warm = step < 2
        assert moved(before[0], values_of(*generators)) == [not warm] * 4
        assert all(moved(before[1], values_of(*critics)))
        assert (found["loss"] == 0) == warm
        if step == 0:  # on real images alone, all candidates
            critic_loss = logistic(ng + 0.1, False) + logistic(p + 0.1, True)
            critic_loss += logistic(0.5 * p + 0.2, False) + logistic(0.5 * ng + 0.2, True)
            assert found["critic_loss"] == pytest.approx(critic_loss, rel=1e-5)
    assert (int(gan.g_optimizer.iterations), int(gan.d_optimizer.iterations)) == (2, 4)


def test_call_cleans(rng):
    gan = stub((0.2, 0.1))
    images = images_of(rng, 1)[0]
    np.testing.assert_allclose(gan(images), images + 0.2, atol=1e-6)


def test_train_on_batch(rng):
    ng, p = images_of(rng, 2)
    options = dict(shifts=(0.2, 0.1), critics=((1.0, 0.1), (0.5, 0.2)))
    found = stub(**options).train_on_batch(ng, p, return_dict=True)
    assert {name: float(value) for name, value in found.items()} == figures(
        stub(**options), ng, p
    )


def test_batches_of_a_length_that_is_not_known(rng):
    ng, p = images_of(rng, 3)

    def trained(fit):
        pools = [ImagePool((4, 4, 1), 1, i) for i in (0, 1)]
        gan = stub((0.2, 0.1), ((1.0, 0.1), (0.5, 0.2)), (0.1, 0.1), eager=False,
                   pools=pools, patch_share=0.5)  # fmt: skip
        fit(gan)
        return values_of(gan)

    known = trained(lambda gan: [fit(gan, ng[at], p[at]) for at in (slice(2), slice(2, 3))])
    free = trained(lambda gan: gan.fit(ng, p, batch_size=2, shuffle=False, verbose=0))
    for ours, theirs in zip(free, known, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# Pool ---------------------------------------------------------------------------------------


def test_critics_see_the_pool(rng):
    """The stub's critics are lines: their loss tells which images they were given."""
    ng, p = images_of(rng, 1)
    pools = [ImagePool((4, 4, 1), 1, i) for i in (0, 1)]
    gan = stub((0.2, 0.1), ((1.0, 0.0), (1.0, 0.0)), pools=pools)
    for pool in pools:
        pool.images.assign(np.full((1, 1, 4, 4, 1), 5)[0])
        pool.count.assign(1)
    real = logistic(p, True) + logistic(ng, True)
    possible = [
        fake_p + fake_ng + real
        for fake_p in (logistic(ng + 0.2, False), logistic(5.0, False))
        for fake_ng in (logistic(p + 0.1, False), logistic(5.0, False))
    ]
    found = figures(gan, ng, p)["critic_loss"]
    numbers = [
        bool(np.allclose(pool.images, fake)) for pool, fake in zip(pools, (ng + 0.2, p + 0.1))
    ]
    assert found == pytest.approx(possible[2 * numbers[0] + numbers[1]], rel=1e-5)
    assert [int(pool.count) for pool in pools] == [2, 2]


def test_a_checkpoint_holds_the_pools(rng, tmp_path):
    def build():
        return stub(
            (0.2, 0.1), ((1.0, 0.0), (1.0, 0.0)), (0.1, 0.1),
            pools=[ImagePool((4, 4, 1), 3, i) for i in (0, 1)],
        )  # fmt: skip

    def checkpoint(gan):
        return EpochCheckpoint(gan, gan.optimizers, tmp_path)

    whole, rest = build(), build()
    first, second = images_of(rng, 5), images_of(rng, 5)
    figures(whole, *first)
    checkpoint(whole).on_epoch_end(0)
    assert checkpoint(rest).restore() == 1
    for ours, theirs in zip(rest.pools, whole.pools, strict=True):
        assert int(ours.count) == 5
        np.testing.assert_array_equal(ours.images, theirs.images)
        assert np.asarray(ours.images).all()
    for gan in (whole, rest):
        gan.reset_metrics()
    assert figures(rest, *second) == figures(whole, *second)
    assert int(rest.d_optimizer.iterations) == 2


# Learning -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_learns_to_take_bright_squares_away(rng):
    size, steps, warmup = 32, 80, 25
    noise = rng.normal(110, 8, (80, 40, 40, 1))
    squares = np.zeros(noise.shape, bool)
    for number in range(40):
        y, x = rng.integers(4, 26, 2)
        squares[number, y : y + 10, x : x + 10] = True
    images = np.clip(noise + 70 * squares, 0, 255).astype(np.uint8)
    ng, p = list(images[:32]), list(images[40:])

    gan = DefectGAN(
        *(build_generator(1, 6, 1, residual=True) for _ in range(2)),
        *(build_discriminator(1, 6) for _ in range(2)),
        change_weight=5.0,
        patch_share=0.25,
        weak_labels=True,
        critic_warmup=warmup,
    )
    gan.compile(
        keras.optimizers.Adam(TwoPhases(2e-3, steps - warmup), beta_1=0.5),
        keras.optimizers.Adam(TwoPhases(1e-3, steps - warmup, warmup, 2e-3), beta_1=0.5),
        jit_compile=False,
    )
    gan.fit(
        step_dataset(unpaired_batches(ng, p, size, 5, 0), 0, steps),
        steps_per_epoch=steps,
        verbose=0,
        shuffle=False,
    )

    held_out, truth = images[32:40], squares[32:40, ..., 0]
    change = to_grey(held_out) - to_grey(Cleaner(gan.cleaner, View(size))(held_out).numpy())
    taken, elsewhere = change[truth].mean(), np.abs(change[~truth]).mean()
    print("LEARNT", taken, elsewhere)
    assert taken > 25  # of 70
    assert taken > 3 * elsewhere
