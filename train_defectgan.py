"""DefectGAN: defect masks of surfaces, learned from the labels of whole images.

Niu et al., "DefectGAN: Weakly-Supervised Defect Detection using Generative Adversarial
Network", 2019.

    python train_defectgan.py                           built-in surfaces, 8 minutes on 2 cores
    python train_defectgan.py --data DIR --reduced      your surfaces, small networks, for CPUs
    python train_defectgan.py --data DIR --design attention  real surfaces, for CPUs
    python train_defectgan.py --data DIR                the paper's networks, for GPUs

DIR is DAGM 2007, the magnetic tiles, or has the folders positive/ (defect-free), negative/ and
[masks/], which serve to measure, and to train SegNet; see docs/defectgan.md. Defaults are the
paper's. Every setting stands in keras_gans/defectgan/config.py.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.defectgan.config import Config

if __name__ == "__main__":  # before TensorFlow is imported: it takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up, start

from keras_gans.defectgan import baselines, datasets, report
from keras_gans.defectgan.build import build_defectgan
from keras_gans.defectgan.calibration import calibrate
from keras_gans.defectgan.callbacks import CleaningMonitor
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.cleaning import cleaning_distance
from keras_gans.defectgan.data import unpaired_batches
from keras_gans.defectgan.detectors import defectgan_detector
from keras_gans.defectgan.drawn_defects import with_drawn_defects
from keras_gans.defectgan.evaluate import run_detectors
from keras_gans.defectgan.export import compare_defectgan, export_defectgan
from keras_gans.defectgan.networks import build_guided_generator
from keras_gans.defectgan.warm_up import warm_up
from keras_gans.export.parity import print_parity
from keras_gans.training.fit import fit
from keras_gans.training.precision import built_in, in_float32
from keras_gans.training.run_folder import RunFolder


def train_defectgan(config, folder, surfaces, training):
    """Trains DefectGAN; goes on where the run stopped. Returns the model."""
    schedule = config.schedule(training)
    gan = built_in(config.precision, build_defectgan, config, schedule.steps)
    defective, good = training.by_label()
    drawn = round(config.drawn_defects * len(defective))
    batch = unpaired_batches(
        defective + with_drawn_defects(good, drawn, 2 * config.image_size, config.seed),
        good,
        config.image_size,
        config.batch_size * config.candidates,
        config.seed,
        config.mirror,
        config.relight,
        config.bag,
    )
    monitor = CleaningMonitor(surfaces, config.view, folder / "samples", config.calibration)
    done = 0
    if config.critic_epochs:
        done = warm_up(folder / "critic", gan, batch, schedule, config)
    fit(folder / "defectgan", gan, lambda step: batch(step + done), schedule, [monitor])
    return gan


def cleaner_of(config, gan):
    """What cleans images when used: G1, alone or guided by D_P."""
    generator = in_float32(gan.averaged)
    if config.guided:
        generator = build_guided_generator(generator, in_float32(gan.clean_critic))
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
        f"TFLite, one thread, the generator on a tile of {config.view.tile}x"
        f"{config.view.tile} pixels; distance from the Keras model",
        "grey levels",
    )
    return [saved_model]


@report_input_errors
def main(config):
    start(config)
    surfaces, config = datasets.load(config)
    with RunFolder("train_defectgan", config) as run:
        print(f"run: {run.path}")
        set_up(config.deterministic)
        training = surfaces.take(surfaces.train).reduced(config.reduce)

        gan = train_defectgan(config, run.path, surfaces, training)
        others = (
            baselines.train(config, run.path, surfaces, training) if config.baselines else []
        )
        cleaner = cleaner_of(config, gan)
        calibration = calibrate(cleaner, surfaces, config.calibration)
        print(f"\ncalibrated on defect-free training images: {calibration}")
        measured = run_detectors([defectgan_detector(cleaner, calibration), *others], surfaces)
        cleaning = cleaning_distance(surfaces, cleaner)
        limit = calibration.limit
        figures = report.write(run.path, config, surfaces, measured, cleaning, limit)
        run.export(export, surfaces, training, cleaner, calibration, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main(config)
