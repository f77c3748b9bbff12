"""A small real training: it must find lights of scenes that it has never seen."""

import keras
import numpy as np

from keras_gans.data.pipeline import step_dataset
from keras_gans.dscnn.config import Augmentation
from keras_gans.dscnn.data import draw_patches, training_batches
from keras_gans.dscnn.estimate import estimate_images
from keras_gans.dscnn.model import compile_dscnn, cosine_schedule, paper_schedule
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.dscnn.synthetic import synthetic_scenes
from keras_gans.metrics.angular import angular_errors


def test_a_small_training_learns():
    scenes = synthetic_scenes(160, size=(64, 64), seed=1)
    trained, tested = np.arange(120), np.arange(120, 160)
    steps = 75
    keras.utils.set_random_seed(0)
    network = build_dscnn(32, modules=2, encoding="gamma")
    compile_dscnn(network, cosine_schedule(1e-2, steps))
    patches = draw_patches(scenes, trained, 480, 32, seed=0)
    batch = training_batches(patches, 16, 0, Augmentation())
    network.fit(step_dataset(batch, 0, steps), verbose=0, shuffle=False)
    estimates, maps = estimate_images(network, scenes.take(tested).images)
    truth = scenes.illuminants[tested]
    errors = angular_errors(truth, estimates).mean()
    constant = angular_errors(truth, scenes.illuminants[trained].mean(axis=0)[None]).mean()
    assert maps[0].shape == (2, 2, 3)
    assert errors < 0.7 * constant, (errors, constant)


def test_the_papers_rates_change_with_the_step():
    """200 epochs of 3 steps: the first step of epoch 50 (from 0) has the second rate."""
    rates = paper_schedule(1e-3, 600)
    found = [float(rates(step)) for step in (0, 149, 150, 449, 450, 599)]
    np.testing.assert_allclose(found, [1e-3, 1e-3, 1e-4, 1e-4, 5e-5, 5e-5])
