"""A training step of every room: the models and batches of the built-in runs.

Each function of `ROOMS` takes arguments of its script, such as "--width", "32", and returns
(model, batch): `model.train_step(batch)` is a step.
"""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

import train_defectgan
import train_dscnn
import train_frgan
import train_okdgan
import train_text2image
from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.frgan.model import FRGAN
from keras_gans.training.settings import parse

RNG = np.random.default_rng(0)


def images(*shape):
    return tf.constant(RNG.uniform(-0.9, 0.9, shape), tf.float32)


def settings(script, wishes):
    return parse(script.Config, ["--export", "None", *wishes])


def compiled(gan):
    gan.compile(*(keras.optimizers.Adam(1e-4, 0.5) for _ in gan.trained), jit_compile=False)
    return gan


def dscnn(*wishes):
    config = settings(train_dscnn, wishes)
    network = build_dscnn(config.patch_size, config.modules, encoding=config.encoding)
    compile_dscnn(network, 1e-3)
    patches = images(config.batch_size, config.patch_size, config.patch_size, 3)
    return network, (patches / 2 + 0.5, images(config.batch_size, 3) + 1)


def defectgan(*wishes):
    config = replace(settings(train_defectgan, wishes), channels=1)
    gan = train_defectgan.build_defectgan(config, 1000)
    gan.critic_warmup = 0
    crops = config.batch_size * config.candidates, config.image_size, config.image_size, 1
    return gan, (images(*crops), images(*crops))


def fr_gan(*wishes):
    config, classes = settings(train_frgan, wishes), 10
    size, count = config.image_size, config.batch_size
    generator = frgan.build_generator(size, 3, config.generator_width, config.latent)
    discriminator = frgan.build_discriminator(size, 3, classes, config.width)
    gan = FRGAN(generator, discriminator, average=config.average)
    labelled = images(count, size, size, 3), tf.range(count) % classes
    return compiled(gan), (labelled, images(2, count, size, size, 3))


def okdgan(*wishes):
    config = settings(train_okdgan, wishes)
    batch = config.schedule().batch_size, config.image_size, config.image_size, 3
    return compiled(train_okdgan.build_students(config, ())), images(*batch)


def text2image(*wishes):
    config = settings(train_text2image, wishes)
    count, words, size = config.batch_size, config.words, config.image_size
    lengths = RNG.integers(4, min(12, words) + 1, count)
    mask = tf.constant(np.arange(words) >= words - lengths[:, None])
    reals = images(count, size, size, 3), images(count, words - 1, size, size, 3)
    gan = compiled(train_text2image.build_model(config))
    return gan, ((images(count, words, config.vector_size), mask), reals)


ROOMS = {
    "train_dscnn.py": dscnn,
    "train_frgan.py": fr_gan,
    "train_okdgan.py, students": okdgan,
    "train_text2image.py": text2image,
    "train_defectgan.py, after the warm-up": defectgan,
}
