import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan import warm_up as module
from keras_gans.defectgan.attention import (
    AttentionGAN,
    build_attention_generator,
    build_pooled_discriminator,
)
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.warm_up import LEARNED, CriticAlone, warm_up
from keras_gans.training.distribute import state_of
from keras_gans.training.schedule import Schedule

SCHEDULE = Schedule(2, 4, 100)


def settings(epochs):
    return Config(design="attention", critic_epochs=epochs, critic_learning_rate=1e-4)


def small_gan():
    keras.utils.set_random_seed(0)
    generators = (build_attention_generator(1, 2) for _ in range(2))
    gan = AttentionGAN(*generators, build_pooled_discriminator(1, 4), candidates=2)
    gan.compile(*(keras.optimizers.Adam() for _ in range(2)))
    return gan


def batches(mark):
    """Noise; in defective images with a spot of so much."""

    def batch(step):
        key = tf.stack([tf.cast(step, tf.int64), 0])
        images = tf.random.stateless_normal([2, 4, 16, 16, 1], key, stddev=0.05)
        spot = tf.pad(tf.fill([1, 4, 4, 1], float(mark)), [[0, 0], [4, 8], [4, 8], [0, 0]])
        return images[0] + spot, images[1]

    return batch


def losses(folder):
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(row)["critic_loss"] for row in rows]


def test_goes_on_until_the_critic_tells_them_apart(tmp_path):
    gan = small_gan()
    before = gan.clean_critic.get_weights(), gan.cleaner.get_weights()
    steps = warm_up(tmp_path / "critic", gan, batches(0.8), SCHEDULE, settings(20))
    found = losses(tmp_path / "critic")
    assert 20 <= len(found) < 100 and found[-1] < LEARNED < found[0]
    assert all(loss >= LEARNED for loss in found[19:-1])
    assert not np.array_equal(gan.clean_critic.get_weights()[0], before[0][0])
    for now, then in zip(gan.cleaner.get_weights(), before[1]):
        np.testing.assert_array_equal(now, then)
    assert int(gan.d_optimizer.iterations) == steps == 4 * len(found)
    assert int(gan.g_optimizer.iterations) == 0
    assert float(gan.d_optimizer.learning_rate) == pytest.approx(1e-4)  # no longer WARMUP_RATE
    assert max(np.abs(moment).max() for moment in gan.d_optimizer.variables[2:]) > 0


def test_gives_up_with_a_warning_and_goes_on_from_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 2)
    gan, again = small_gan(), small_gan()
    warm_up(
        tmp_path / "critic", gan, batches(0), SCHEDULE, settings(2)
    )  # nothing to be learned
    assert "warning after 4 epochs: the critic hardly tells" in capsys.readouterr().out
    assert len(losses(tmp_path / "critic")) == 4
    warm_up(tmp_path / "critic", again, batches(0), SCHEDULE, settings(2))
    assert len(losses(tmp_path / "critic")) == 4
    for one, other in zip(gan.clean_critic.get_weights(), again.clean_critic.get_weights()):
        np.testing.assert_array_equal(one, other)


def test_a_run_that_was_stopped_ends_like_another(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LEARNED", 0.0)
    monkeypatch.setattr(module, "LONGEST", 3)
    whole, stopped, resumed = (small_gan() for _ in range(3))
    warm_up(tmp_path / "whole" / "critic", whole, batches(0.5), SCHEDULE, settings(1))
    monkeypatch.setattr(module, "LONGEST", 2)
    warm_up(tmp_path / "other" / "critic", stopped, batches(0.5), SCHEDULE, settings(1))
    monkeypatch.setattr(module, "LONGEST", 3)
    warm_up(tmp_path / "other" / "critic", resumed, batches(0.5), SCHEDULE, settings(1))
    assert losses(tmp_path / "whole" / "critic") == pytest.approx(
        losses(tmp_path / "other" / "critic"), rel=1e-5
    )
    for one, other in zip(whole.clean_critic.weights, resumed.clean_critic.weights):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_critic_that_guesses_is_above_the_limit():
    gan = small_gan()
    for weight in gan.clean_critic.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    gan.margin = 0.0
    ng, p = batches(0.5)(tf.constant(0, tf.int64))
    loss = float(gan.real_loss(ng, p))
    assert loss == pytest.approx(2 * math.log(2)) and loss > LEARNED


def test_a_copy_for_another_replica_learns_the_same():
    critic = CriticAlone(small_gan())
    critic.compile(critic.gan.d_optimizer)
    copy = CriticAlone.from_config(critic.get_config())
    copy.compile_from_config(critic.get_compile_config())
    for ours, theirs in zip(state_of(copy), state_of(critic), strict=True):
        ours.assign(theirs)
    batch = batches(0.5)(tf.constant(0, tf.int64))
    figures = [float(each.train_step(batch)["critic_loss"]) for each in (critic, copy)]
    assert figures[0] == pytest.approx(figures[1], rel=1e-6)
    for one, other in zip(critic.gan.clean_critic.weights, copy.gan.clean_critic.weights):
        np.testing.assert_allclose(one, other, atol=1e-6)
