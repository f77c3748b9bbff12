"""DefectGAN: defect masks of surfaces, learned from the labels of whole images.

Niu et al., "DefectGAN: Weakly-Supervised Defect Detection using Generative Adversarial
Network", 2019.

    python train_defectgan.py                           built-in surfaces, 8 minutes on 2 cores
    python train_defectgan.py --data DIR --reduced      your surfaces, small networks, for CPUs
    python train_defectgan.py --data DIR --small-marks  marks of some pixels on large images
    python train_defectgan.py --data DIR                the paper's networks, for GPUs

DIR is DAGM 2007, the magnetic tiles, or has the folders positive/ (defect-free), negative/ and
[masks/], which serve to measure, and to train SegNet; see docs/defectgan.md. Defaults are the
paper's. Every setting stands in keras_gans/defectgan/config.py.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.defectgan.config import WARMUP_RATE, Config

if __name__ == "__main__":  # before TensorFlow is imported: it takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up, xla

import keras

from keras_gans.defectgan import baselines, datasets, report
from keras_gans.defectgan.calibration import calibrate
from keras_gans.defectgan.callbacks import CleaningMonitor
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.cleaning import cleaning_distance
from keras_gans.defectgan.data import unpaired_batches
from keras_gans.defectgan.detectors import defectgan_detector
from keras_gans.defectgan.evaluate import run_detectors
from keras_gans.defectgan.export import compare_defectgan, export_defectgan
from keras_gans.defectgan.image_pool import ImagePool
from keras_gans.defectgan.model import DefectGAN
from keras_gans.defectgan.networks import (
    DISCRIMINATORS,
    build_generator,
    build_guided_generator,
)
from keras_gans.defectgan.schedules import TwoPhases
from keras_gans.defectgan.tiles import cut_tiles
from keras_gans.export.parity import print_parity
from keras_gans.training.fit import fit
from keras_gans.training.precision import built_in, in_float32
from keras_gans.training.run_folder import RunFolder


def build_defectgan(config, steps):
    """The four networks in one compiled model."""
    keras.utils.set_random_seed(config.seed)
    channels, size, warmup = config.channels, config.image_size, config.critic_warmup
    pools = [ImagePool((size, size, channels), config.pool, config.seed + i) for i in (0, 1)]
    generators = [
        build_generator(channels, config.width, config.blocks, residual=config.residual)
        for _ in range(2)
    ]
    build_critic = DISCRIMINATORS[config.critic]
    critics = [build_critic(channels, config.critic_width) for _ in range(2)]
    gan = DefectGAN(
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
        critic_warmup=warmup,
    )
    g_rate = TwoPhases(config.learning_rate, steps - warmup)
    d_rate = TwoPhases(config.critic_rate, steps - warmup, warmup, WARMUP_RATE)
    gan.compile(
        keras.optimizers.Adam(g_rate, beta_1=0.5),
        keras.optimizers.Adam(d_rate, beta_1=0.5),
        jit_compile=xla(),
    )
    return gan


def train_defectgan(config, folder, surfaces, training):
    """Trains DefectGAN; goes on where the run stopped. Returns the model."""
    schedule = config.schedule(training)
    gan = built_in(config.precision, build_defectgan, config, schedule.steps)
    ng, p = training.by_label()
    crops = config.batch_size * config.candidates
    batch = unpaired_batches(
        ng, p, config.image_size, crops, config.seed, config.mirror, config.relight
    )
    monitor = CleaningMonitor(surfaces, config.view, folder / "samples", config.calibration)
    fit(folder / "defectgan", gan, batch, schedule, [monitor])
    gan.cleaner, gan.clean_critic = in_float32(gan.cleaner), in_float32(gan.clean_critic)
    return gan


def cleaner_of(config, gan, training):
    """What cleans images when used: G1, alone or guided by D_P."""
    generator = gan.cleaner
    if config.guided:
        tiles = cut_tiles(training.spread(60, defective=True).images, config.image_size)
        generator = build_guided_generator(generator, gan.clean_critic, tiles)
    return Cleaner(generator, config.view)


def export(run, surfaces, training, cleaner, calibration, figures):
    """Writes SavedModel and TFLite files; prints what they cost and how far they drift."""
    config = run.config
    base = config.export / ("defectgan" if config.data else "defectgan-synthetic")
    card = run.model_card(f"{surfaces.name}, {len(training)} images", figures)
    images = training.spread(80).images
    paths = export_defectgan(cleaner, calibration, base, card, images[::2])
    saved_model = paths.pop("saved_model")
    print_parity(
        compare_defectgan(cleaner.generator, paths, images[1::2][:20]),
        f"TFLite, one thread, the generator on a tile of {config.image_size}x"
        f"{config.image_size} pixels; distance from the Keras model",
        "grey levels",
    )
    return [saved_model]


@report_input_errors
def main(config):
    surfaces, config = datasets.load(config)
    with RunFolder("train_defectgan", config) as run:
        print(f"run: {run.path}")
        set_up(config.deterministic)
        training = surfaces.take(surfaces.train).reduced(config.reduce)

        gan = train_defectgan(config, run.path, surfaces, training)
        others = (
            baselines.train(config, run.path, surfaces, training) if config.baselines else []
        )
        cleaner = cleaner_of(config, gan, training)
        calibration = calibrate(cleaner, surfaces, config.calibration)
        print(f"\ncalibrated on defect-free training images: {calibration}")
        measured = run_detectors([defectgan_detector(cleaner, calibration), *others], surfaces)
        cleaning = cleaning_distance(surfaces, cleaner)
        figures = report.write(run.path, config, surfaces, measured, cleaning)
        run.export(export, surfaces, training, cleaner, calibration, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main(config)
