"""The critic of the attention design learns alone, until it tells the classes apart (ours)."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from keras_gans.defectgan.attention import AttentionGAN
from keras_gans.defectgan.build import compile_defectgan
from keras_gans.defectgan.config import Config
from keras_gans.training.fit import fit
from keras_gans.training.model import StepModel
from keras_gans.training.schedule import Schedule

LEARNED = 0.75 * 2 * math.log(2)  # loss on real images; of a critic that guesses, 2 log 2
LONGEST = 5  # times the least number of epochs


class CriticAlone(StepModel):
    """The critic of an `AttentionGAN`, trained on real images alone."""

    METRICS = ("critic_loss",)

    def __init__(self, gan: AttentionGAN, **kwargs):
        super().__init__(**kwargs)
        self.gan = gan

    @property
    def trained(self):
        return {"g_optimizer": [self.gan.clean_critic]}

    def images_in(self, batch):
        return self.gan.images_in(batch)

    def step(self, batch, training):
        with tf.GradientTape() as tape:
            loss = self.gan.real_loss(*batch[:2])
        if training:
            self.minimize("g_optimizer", loss, tape)
        return (loss,)


def warm_up(
    folder: Path, gan: AttentionGAN, batch: Callable, schedule: Schedule, config: Config
) -> int:
    """Trains the critic until its loss on real images over an epoch is below `LEARNED`.

    How long that takes differs from set to set, and by chance: small marks among much that is
    sharp take three times as long as dark spots. Generators that begin before close their
    masks.

    Args:
        folder: of this training, see `fit`; one that was stopped goes on.
        gan: its critic is trained. It is compiled anew: its critic's optimizer goes on, at the
            rate of the steps that follow.
        batch: see `fit`.
        schedule: of what follows; these epochs are as long.
        config: complete settings, with the least number of epochs; `LONGEST` times as many are
            the most.

    Returns:
        steps that were done.
    """
    critic, epochs, steps = CriticAlone(gan), config.critic_epochs, schedule.steps
    compile_defectgan(gan, config, steps, LONGEST * epochs * schedule.steps_per_epoch)
    critic.compile(gan.d_optimizer, jit_compile=gan.jit_compile)
    fit(folder, critic, batch, replace(schedule, epochs=epochs))  # mends the log, if need be
    done = max(epochs, len(_losses(folder)))
    while _losses(folder)[-1] >= LEARNED and done < LONGEST * epochs:
        done += 1
        fit(folder, critic, batch, replace(schedule, epochs=done))
    if _losses(folder)[-1] >= LEARNED:
        print(
            f"\nwarning after {done} epochs: the critic hardly tells defective from "
            "defect-free images; look whether they are sorted, or add more of them"
        )
    done *= schedule.steps_per_epoch
    compile_defectgan(gan, config, steps, done)
    for new, old in zip(gan.d_optimizer.variables, critic.g_optimizer.variables, strict=True):
        new.assign(old)
    return done


def _losses(folder):
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [row.get("critic_loss", math.inf) for row in rows]
