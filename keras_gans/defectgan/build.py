"""The networks that settings ask for, in one compiled model."""

from keras_gans.training.device import xla

import keras

from keras_gans.defectgan.attention import (
    AttentionGAN,
    build_attention_generator,
    build_pooled_discriminator,
)
from keras_gans.defectgan.config import WARMUP_RATE, Config
from keras_gans.defectgan.image_pool import ImagePool
from keras_gans.defectgan.model import DefectGAN
from keras_gans.defectgan.networks import DISCRIMINATORS, build_generator
from keras_gans.defectgan.schedules import TwoPhases


def build_defectgan(config: Config, steps: int) -> DefectGAN | AttentionGAN:
    """The networks of `config.design`, their weights drawn from its seed, compiled.

    Args:
        config: complete settings.
        steps: of the whole training, for the learning rates.
    """
    keras.utils.set_random_seed(config.seed)
    gan = (_attention if config.design == "attention" else _paper)(config)
    compile_defectgan(gan, config, steps - config.critic_warmup, config.critic_warmup)
    return gan


def compile_defectgan(
    gan: DefectGAN | AttentionGAN, config: Config, steps: int, warmup: int
) -> None:
    """Gives networks new optimizers, for so many steps of the critics alone and of all."""
    g_rate = TwoPhases(config.learning_rate, steps)
    d_rate = TwoPhases(config.critic_rate, steps, warmup, WARMUP_RATE)
    gan.compile(
        keras.optimizers.Adam(g_rate, beta_1=0.5),
        keras.optimizers.Adam(d_rate, beta_1=0.5),
        jit_compile=xla(),
    )


def _paper(config):
    channels, size = config.channels, config.image_size
    pools = [ImagePool((size, size, channels), config.pool, config.seed + i) for i in (0, 1)]
    generators = [
        build_generator(channels, config.width, config.blocks, residual=config.residual)
        for _ in range(2)
    ]
    build_critic = DISCRIMINATORS[config.critic]
    critics = [build_critic(channels, config.critic_width) for _ in range(2)]
    return DefectGAN(
        *generators,
        *critics,
        adversarial=config.adversarial,
        cycle_weight=config.cycle_weight,
        identity_weight=config.identity_weight,
        change_weight=config.change_weight,
        pools=pools if config.pool else None,
        candidates=config.candidates,
        patch_share=config.patch_share,
        margin=config.margin,
        weak_labels=config.weak_labels,
        critic_warmup=config.critic_warmup,
    )


def _attention(config):
    return AttentionGAN(
        *(build_attention_generator(config.channels, config.width) for _ in range(2)),
        build_pooled_discriminator(
            config.channels, config.critic_width, scales=config.critic_scales
        ),
        candidates=config.candidates,
        patch_share=config.patch_share,
        cleaned_share=config.cleaned_share,
        margin=config.margin or 0.0,
        cycle_weight=config.cycle_weight,
        mask_weight=config.mask_weight,
        binary_weight=config.binary_weight,
        agreement_weight=config.agreement_weight,
        identity_weight=config.identity_weight,
        mask_warmup=config.mask_warmup,
        average=config.average,
    )
