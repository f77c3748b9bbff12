"""Training of the paper's baselines, on the crops and with the seed of DefectGAN."""

from pathlib import Path

import keras
import numpy as np

from keras_gans.defectgan.cam import build_cam, compile_cam
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.data import labelled_batches
from keras_gans.defectgan.detectors import Detector, best_cut, cam_detector, segnet_detector
from keras_gans.defectgan.segnet import build_segnet, class_weights, compile_segnet
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.training.fit import fit
from keras_gans.training.precision import computing_in, in_float32
from keras_gans.training.schedule import Schedule

EPOCHS = 10


def train(
    config: Config, folder: Path, surfaces: Surfaces, training: Surfaces
) -> list[Detector]:
    """Trains SegNet, where there are masks, and CAM; goes on where they stopped.

    Args:
        config: settings.
        folder: the run's.
        surfaces: all images, as they are.
        training: the training images, reduced.
    """
    arguments = config, folder, surfaces, training
    return [*segnet_detectors(*arguments), *cam_detectors(*arguments)]


def segnet_detectors(
    config: Config, folder: Path, surfaces: Surfaces, training: Surfaces
) -> list[Detector]:
    """SegNet, trained; an empty list where there are no masks. See `train`."""
    if not training.masked.any():
        print("\nno masks in the training part: SegNet is left out")
        return []
    network = train_segnet(config, folder / "segnet", training)
    stride = 2**config.segnet_stages
    shown = surfaces.spread(60, train=True, masked=True).reduced(config.reduce)
    cut = best_cut(network, stride, shown)
    return [segnet_detector(network, stride, config.reduce, cut)]


def cam_detectors(
    config: Config, folder: Path, surfaces: Surfaces, training: Surfaces
) -> list[Detector]:
    """CAM, trained; see `train`."""
    network = train_cam(config, folder / "cam", training)
    return [cam_detector(network, reduce=config.reduce)]


def train_segnet(config: Config, folder: Path, training: Surfaces) -> keras.Model:
    """SegNet on the masks of the training images."""
    training = training.take(~training.defective | training.masked)
    masks = [np.zeros(image.shape[:2], bool) if mask is None else mask
             for image, mask in zip(training.images, training.masks)]  # fmt: skip
    keras.utils.set_random_seed(config.seed)
    with computing_in(config.precision):
        network = build_segnet(config.channels, config.baseline_width, config.segnet_stages)
    rate, steps = config.baseline_learning_rate, config.segnet_steps
    compile_segnet(network, rate, steps, class_weights(masks))
    multiple = 2**config.segnet_stages
    size = -(-config.image_size // multiple) * multiple
    batch = labelled_batches(
        training, size, config.baseline_batch_size, config.seed, config.mirror, config.relight,
        masks=True,
    )  # fmt: skip
    fit(folder, network, batch, _schedule(config, steps))
    return in_float32(network)


def train_cam(config: Config, folder: Path, training: Surfaces) -> keras.Model:
    """CAM on the labels of the training images, as whole as memory lets them be."""
    keras.utils.set_random_seed(config.seed)
    with computing_in(config.precision):
        network = build_cam(config.channels, config.baseline_width, config.cam_stages)
    compile_cam(network, config.baseline_learning_rate, config.cam_steps)
    largest = max(max(image.shape[:2]) for image in training.images)
    size = min(2 * config.image_size, largest)
    batch = labelled_batches(
        training, size, config.baseline_batch_size, config.seed, config.mirror, config.relight
    )
    fit(folder, network, batch, _schedule(config, config.cam_steps))
    return in_float32(network)


def _schedule(config, steps):
    return Schedule(config.baseline_batch_size, -(-steps // EPOCHS), EPOCHS)
