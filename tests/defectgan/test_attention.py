import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan.attention import (
    AttentionGAN,
    build_attention_generator,
    build_pooled_discriminator,
    changed_loss,
    disagreement,
    most_changed,
    openness,
    unsure,
)
from keras_gans.defectgan.build import build_defectgan
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.config import ATTENTION, Config
from keras_gans.defectgan.detection import Calibration
from keras_gans.defectgan.detection_graph import build_detection_graph
from keras_gans.defectgan.export import convert_generator
from keras_gans.defectgan.lite import WHOLE, build_detection
from keras_gans.defectgan.model import DefectGAN
from keras_gans.export.runtimes import runner
from keras_gans.losses import log_adversarial

SIZE = 16


def images_of(rng, count, channels=1):
    return rng.uniform(-0.9, 0.9, (2, count, SIZE, SIZE, channels)).astype(np.float32)


def small_gan(scales=1, **options):
    keras.utils.set_random_seed(0)
    gan = AttentionGAN(
        *(build_attention_generator(1, 2) for _ in range(2)),
        build_pooled_discriminator(1, 2, scales=scales),
        candidates=2,
        patch_share=0.1,
        **options,
    )
    gan.compile(*(keras.optimizers.Adam(1e-2) for _ in range(2)), run_eagerly=True)
    return gan


def with_mask_logit(generator, logit):
    generator.get_layer("mask").bias.assign([logit])
    return generator


# Networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channels, height, width", [(1, 16, 16), (3, 20, 36)])
def test_generator_gives_images_and_a_mask(rng, channels, height, width):
    generator = build_attention_generator(channels, 2)
    images = rng.uniform(-1, 1, (2, height, width, channels)).astype(np.float32)
    outputs = [generator.output, generator.get_layer("mask").output]
    cleaned, mask = keras.Model(generator.input, outputs)(images)
    assert cleaned.shape == images.shape and mask.shape == (2, height, width, 1)
    np.testing.assert_allclose(mask, 1 / (1 + math.exp(3)), rtol=1e-5)
    assert np.abs(cleaned).max() <= 1


def test_arguments_out_of_range():
    with pytest.raises(ValueError, match="multiple of 4. Received: image_size=18"):
        build_attention_generator(1, 2, 18)
    with pytest.raises(ValueError, match="multiple of 8. Received: image_size=20"):
        build_pooled_discriminator(1, 2, 20, scales=2)
    with pytest.raises(ValueError, match="`scales` must be at least 1. Received: 0"):
        build_pooled_discriminator(1, 2, scales=0)
    networks = (
        *(build_attention_generator(1, 2) for _ in range(2)),
        build_pooled_discriminator(1, 2),
    )
    for name, value in (("candidates", 0), ("patch_share", 0), ("cleaned_share", 1.5)):
        with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {value}"):
            AttentionGAN(*networks, **{name: value})


def test_counts_of_the_preset():
    generator = build_attention_generator(1, ATTENTION["width"])
    assert generator.count_params() == 79_622
    critic = build_pooled_discriminator(1, ATTENTION["critic_width"])
    assert critic.count_params() == 23_441
    assert critic.compute_output_shape((1, 32, 48, 1)) == (1, 8, 12, 1)


def test_where_the_mask_is_0_nothing_changes_and_where_it_is_1_all_is_content(rng):
    images = images_of(rng, 2)[0]
    generator = build_attention_generator(1, 2)
    np.testing.assert_array_equal(with_mask_logit(generator, -200.0)(images), images)
    content = keras.Model(generator.input, generator.get_layer("content").output)
    np.testing.assert_allclose(
        with_mask_logit(generator, 200.0)(images), content(images), atol=1e-6
    )


# Losses -------------------------------------------------------------------------------------


def test_penalties_by_hand():
    binary = tf.constant([0.0, 1.0, 1.0])
    assert unsure(binary) == 0 and unsure(tf.fill([4], 0.5)) == 0.25
    assert float(disagreement(binary, binary)) == pytest.approx(0, abs=2e-4)
    half = disagreement(tf.constant([1.0, 0.0]), tf.constant([0.5, 0.5]))
    assert float(half) == pytest.approx(math.log(2), rel=1e-3)


def test_crops_of_an_image_are_judged_together(rng):
    gan = small_gan(margin=0.5)
    crops = images_of(rng, 4)[0]
    logits = gan.clean_critic(crops).numpy()
    standing = logits.mean(axis=(1, 2, 3), keepdims=True) - logits - 0.5
    for bag in (1, 2):
        patches = np.sort(standing.reshape(4 // bag, -1), axis=1)
        count = round(0.1 * patches.shape[1])
        expected = patches[None, :, -count:].mean(axis=2)
        np.testing.assert_allclose(gan._defective(crops, bag), expected, rtol=1e-4, atol=1e-6)
    worst = standing.max(axis=(1, 2, 3)).reshape(2, 2).argmax(axis=1)
    np.testing.assert_array_equal(gan._least_clean(crops), crops[[worst[0], 2 + worst[1]]])


def test_the_mask_weight_rises(rng):
    """With closed masks nothing changes: what is left of the loss is known."""
    batch = images_of(rng, 2)
    gan = small_gan(mask_weight=1e6, mask_warmup=4, binary_weight=0.0, agreement_weight=0.0)
    for generator in (gan.cleaner, gan.defecter):
        with_mask_logit(generator, -10.0)
    mean = 1 / (1 + math.exp(10))
    for done in (0, 1, 9):
        gan.g_optimizer.iterations.assign(done)
        loss = float(gan.step(batch, False)[0])
        assert loss == pytest.approx(min((done + 1) / 4, 1) * 3e6 * mean, rel=0.1)


def test_most_changed_by_hand():
    images = np.zeros((2, 10, 10, 2), np.float32)
    changed = images.copy()
    changed[0, 0, :3, 0] = [-0.5, 0.25, 0.1]
    assert float(most_changed(images, changed)) == pytest.approx((0.5 + 0.25) / 2 / 2)


def test_openness_by_hand():
    mask = np.zeros((2, 4, 4, 1), np.float32)
    assert float(openness(mask)) == 0
    mask[0, 0, 0] = 0.1
    assert float(openness(mask)) == pytest.approx(0.5)
    mask[1, 3, 3] = 1
    assert float(openness(mask)) == 1


def test_what_was_changed_is_defective_by_hand():
    standing = np.array([[[1.0, -2.0], [0.0, 3.0]]], np.float32)[..., None]
    mask = np.zeros((1, 8, 8, 1), np.float32)
    assert float(changed_loss(standing, mask)) == 0
    mask[:, :4, 4:] = 1  # all of the second patch, a quarter of the third
    mask[:, 4:6, :2] = 1
    expected = np.log1p(np.exp(2)) + np.log(2) / 4
    assert float(changed_loss(standing, mask)) == pytest.approx(expected / 1.26, rel=1e-5)
    scales = np.concatenate([standing, standing - 1], -1)
    expected = (expected + np.log1p(np.exp(3)) + np.log1p(np.exp(1)) / 4) / 2
    assert float(changed_loss(scales, mask)) == pytest.approx(expected / 1.26, rel=1e-5)


def test_the_critic_learns_what_the_cleaner_changed(rng):
    """First of the worst patch, then of those under the mask while it is open."""
    gan, batch = small_gan(mask_warmup=1), images_of(rng, 2)
    spoiled = gan.defecter(gan._least_clean(batch[1]))
    rest = float(gan.real_loss(*batch) + log_adversarial(gan._defective(spoiled), False) / 2)
    half_open = -math.log(19)  # masks of 1/20
    for done, logit, known in (
        (0, 0.0, 0.1), (4, 0.0, 0.5), (20, 0.0, 1), (4, half_open, 0.25), (20, -200.0, 0),
    ):  # fmt: skip
        with_mask_logit(gan.cleaner, logit)
        fake, mask = gan._clean(gan._least_clean(batch[0]))
        changed = float(changed_loss(gan._standing_out(fake) - gan.margin, mask))
        worst = float(log_adversarial(gan._defective(fake), True))
        gan.g_optimizer.iterations.assign(done)
        expected = rest + (known * changed + (1 - known) * worst) / 2
        assert float(gan.step(batch, False)[1]) == pytest.approx(expected, rel=1e-5)


def test_each_patch_is_to_be_clean(rng):
    """Closed masks change nothing: G1's loss is that of the crops as they are."""
    batch = images_of(rng, 2)
    off = dict(mask_weight=0.0, binary_weight=0.0, agreement_weight=0.0, cycle_weight=0.0)
    gan = small_gan(cleaned_share=0.5, **off)
    for generator in (gan.cleaner, gan.defecter):
        with_mask_logit(generator, -200.0)
    ng, p = (gan._least_clean(crops) for crops in batch)
    logits = gan.clean_critic(ng).numpy()
    standing = logits.mean(axis=(1, 2, 3), keepdims=True) - logits - gan.margin
    worst = np.sort(standing.reshape(1, -1))[:, -8:]  # half of 4x4
    expected = np.log1p(np.exp(worst)).sum()
    expected += float(log_adversarial(gan._defective(p), True))
    assert float(gan.step(batch, False)[2]) == pytest.approx(expected, rel=1e-4)


def test_the_identity_weight_rises_and_counts_good_images_alone(rng):
    batch = images_of(rng, 2)
    plain = small_gan(mask_warmup=2, cycle_weight=5.0)
    gan = small_gan(mask_warmup=2, cycle_weight=5.0, identity_weight=0.5)
    good = gan._least_clean(batch[1])
    change = float(most_changed(good, gan.cleaner(good)))
    change += float(most_changed(good, gan.cleaner(gan.defecter(good))))
    for done, share in ((0, 1 / 20), (9, 0.5), (30, 1)):
        for each in (plain, gan):
            each.g_optimizer.iterations.assign(done)
        more = float(gan.step(batch, False)[0] - plain.step(batch, False)[0])
        assert more == pytest.approx(share * 2.5 * change, rel=1e-3)


def test_a_step_moves_each_network(rng):
    batch = images_of(rng, 4)
    gan = small_gan()
    networks = [gan.cleaner, gan.defecter, gan.clean_critic]
    start = [network.get_weights() for network in networks]
    figures = gan.train_step(batch)
    assert list(figures) == list(AttentionGAN.METRICS)
    assert all(np.isfinite(float(value)) for value in figures.values())
    for network in networks[:2]:
        assert np.abs(network.get_layer("mask").kernel).max() > 0
    for now, then in zip(gan.clean_critic.get_weights()[:-1], start[2]):
        assert not np.array_equal(now, then)  # all share the last bias
    assert (int(gan.g_optimizer.iterations), int(gan.d_optimizer.iterations)) == (1, 1)
    first = float(gan.step(batch, False)[1])
    for _ in range(5):
        with tf.GradientTape() as tape:
            loss = gan.real_loss(*batch)
        gan.minimize("d_optimizer", loss, tape)
    assert gan.step(batch, False)[1] < first


def test_real_loss_by_hand(rng):
    gan = small_gan()
    ng, p = images_of(rng, 2)
    expected = log_adversarial(gan._defective(ng, 2), True)
    expected += log_adversarial(gan._defective(p, 2), False)
    np.testing.assert_allclose(gan.real_loss(ng, p), expected)


def test_each_scale_of_the_critic_judges_by_itself(rng):
    gan = small_gan(scales=2, margin=0.0)
    crops = images_of(rng, 4)[0]
    logits = gan.clean_critic(crops).numpy()
    assert logits.shape == (4, 4, 4, 2)
    coarse = logits[..., 1]  # a logit stands for 2x2 of the finer ones
    np.testing.assert_array_equal(coarse[:, ::2, ::2], coarse[:, 1::2, 1::2])
    below = logits.mean(axis=(1, 2), keepdims=True) - logits
    below = np.moveaxis(below, 3, 0).reshape(2, 2, -1)
    expected = np.sort(below, axis=2)[:, :, -3:].mean(axis=2)  # a tenth of 2 x 16
    np.testing.assert_allclose(gan._defective(crops, 2), expected, rtol=1e-4, atol=1e-6)


def test_the_average_follows_the_cleaner_and_cleans(rng):
    gan = small_gan(average=0.9)
    batch = images_of(rng, 4)
    start = gan.cleaner.get_weights()
    gan.train_step(batch)  # after the first step a tenth of the old one is left
    for old, new, mean in zip(start, gan.cleaner.weights, gan.averaged.weights):
        np.testing.assert_allclose(mean, 0.1 * old + 0.9 * new, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(gan(batch[0]), gan.averaged(batch[0]))
    assert not np.array_equal(gan(batch[0]), gan(batch[0], training=True))


# Settings and files -------------------------------------------------------------------------


def test_design_chooses_the_networks():
    config = dataclasses.replace(
        Config(design="attention"), **ATTENTION | dict(channels=1, width=2, critic_width=2)
    )
    gan = build_defectgan(config, 1000)
    assert isinstance(gan, AttentionGAN) and gan.candidates == config.bag == 4
    assert (gan.identity_weight, config.critic_epochs) == (0.8, 3)
    changed = build_defectgan(dataclasses.replace(config, cleaned_share=0.5), 1000)
    assert (gan.cleaned_share, changed.cleaned_share) == (0.03, 0.5)
    assert config.view.tile == 2 * config.image_size
    paper = Config(channels=1, width=2, blocks=1, critic_width=2)
    assert isinstance(build_defectgan(paper, 1000), DefectGAN) and paper.bag == 1


def test_saves_and_loads(rng, tmp_path):
    gan = small_gan(average=0.9)
    batch = images_of(rng, 2)
    for _ in range(2):
        gan.train_step(batch)
    gan.save(tmp_path / "gan.keras")
    again = keras.models.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(again(batch[0]), gan(batch[0]))
    again.run_eagerly = True
    for one in (gan, again):
        one.reset_metrics()
    figures = [{k: float(v) for k, v in one.train_step(batch).items()} for one in (gan, again)]
    assert figures[0] == figures[1]


@pytest.mark.slow
def test_the_phone_finds_what_the_server_finds(rng):
    """TFLite, and light corrected by the mean of all of an image."""
    config = Config(design="attention", image_size=16, reduce=2, flatten=WHOLE)
    generator = with_mask_logit(build_attention_generator(1, 2), 0.0)
    file = convert_generator(generator, "float32", config.view.tile)
    calibration = Calibration(0.4, 6, peak=10, share=0.3)
    image = rng.integers(0, 256, (1, 50, 70, 1)).astype(np.uint8)
    expected = build_detection_graph(Cleaner(generator, config.view), calibration)(image)
    found = build_detection(runner(file), calibration, config.view)(image)
    off = np.abs(expected["difference"] - found["difference"])
    assert off.max() <= 1 and (off > 0).mean() < 0.02
    assert (expected["mask"] != found["mask"]).numpy().mean() < 0.02
