"""A training step in bfloat16 and float16 as a ratio to float32, in every room.

    python -m benchmarks.precision        about 10 minutes on 2 cores

Networks and batches are those of the built-in runs. The precisions take turns; the fastest
step of each counts.
"""

import math
import time
from dataclasses import dataclass, replace

from keras_gans.training.device import set_up

import keras
import numpy as np
import tensorflow as tf
import tyro

import train_defectgan
import train_dscnn
import train_frgan
import train_okdgan
import train_text2image
from benchmarks.common import new_table, open_console
from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.frgan.model import FRGAN
from keras_gans.training.precision import POLICIES, built_in
from keras_gans.training.settings import parse

PRECISIONS = ("float32", *POLICIES)
RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Config:
    """Times a step in each precision; prints a table."""

    turns: int = 5
    """Steps of each precision."""


def images(*shape):
    return tf.constant(RNG.uniform(-0.9, 0.9, shape), tf.float32)


def settings(script):
    return parse(script.Config, ["--export", "None"])


def compiled(gan):
    gan.compile(*(keras.optimizers.Adam(1e-4, 0.5) for _ in gan.trained), jit_compile=False)
    return gan


def dscnn():
    config = settings(train_dscnn)
    network = build_dscnn(config.patch_size, config.modules, encoding=config.encoding)
    compile_dscnn(network, 1e-3)
    patches = images(config.batch_size, config.patch_size, config.patch_size, 3)
    return network, (patches / 2 + 0.5, images(config.batch_size, 3) + 1)


def defectgan():
    config = replace(settings(train_defectgan), channels=1)
    gan = train_defectgan.build_defectgan(config, 1000)
    gan.critic_warmup = 0
    crops = config.batch_size * config.candidates, config.image_size, config.image_size, 1
    return gan, (images(*crops), images(*crops))


def fr_gan():
    config, classes = settings(train_frgan), 10
    size, count = config.image_size, config.batch_size
    generator = frgan.build_generator(size, 3, config.generator_width, config.latent)
    discriminator = frgan.build_discriminator(size, 3, classes, config.width)
    gan = FRGAN(generator, discriminator, average=config.average)
    labelled = images(count, size, size, 3), tf.range(count) % classes
    return compiled(gan), (labelled, images(2, count, size, size, 3))


def okdgan():
    config = settings(train_okdgan)
    batch = config.schedule().batch_size, config.image_size, config.image_size, 3
    return compiled(train_okdgan.build_students(config, ())), images(*batch)


def text2image():
    config = settings(train_text2image)
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


def main(config):
    console = open_console("tensorflow", "keras")
    set_up(deterministic=False)
    table = new_table("step", "float32, s", *(f"{name}, ratio" for name in POLICIES))
    for name, room in ROOMS.items():
        steps = {}
        for precision in PRECISIONS:
            model, batch = built_in(precision, room)
            steps[precision] = tf.function(model.train_step), batch
        best = dict.fromkeys(PRECISIONS, math.inf)
        for _ in range(config.turns + 1):  # the first traces
            for precision, (step, batch) in steps.items():
                start = time.perf_counter()
                step(batch)
                best[precision] = min(best[precision], time.perf_counter() - start)
        ratios = (f"{best[half] / best['float32']:.1f}" for half in POLICIES)
        table.add_row(name, f"{best['float32']:.2f}", *ratios)
    console.print(table)


if __name__ == "__main__":
    main(tyro.cli(Config))
