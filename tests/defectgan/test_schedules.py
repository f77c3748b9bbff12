import keras
import numpy as np
import tensorflow as tf

from keras_gans.defectgan.schedules import TwoPhases


def test_two_phases_by_hand():
    rate = TwoPhases(2e-4, 100)
    steps = [0, 1, 49, 50, 75, 99, 100, 150]
    expected = [2e-4, 2e-4, 2e-4, 2e-4, 1e-4, 4e-6, 0, 0]
    np.testing.assert_allclose([rate(step) for step in steps], expected, atol=1e-9)

    rate = TwoPhases(2e-4, 100, warmup=40, warmup_rate=1e-3)
    steps = [0, 39, 40, 90, 115, 140]
    expected = [1e-3, 1e-3, 2e-4, 2e-4, 1e-4, 0]
    np.testing.assert_allclose([rate(step) for step in steps], expected, atol=1e-9)


def test_two_phases_in_an_optimizer_and_its_config():
    schedule = TwoPhases(2.0, 4, warmup=1, warmup_rate=8.0)
    again = TwoPhases.from_config(schedule.get_config())
    assert vars(again) == vars(schedule)
    optimizer = keras.optimizers.SGD(schedule)
    weight = keras.Variable(0.0)
    steps = []
    for _ in range(6):
        before = float(weight.value)
        optimizer.apply([tf.constant(1.0)], [weight])
        steps.append(before - float(weight.value))
    assert steps == [8, 2, 2, 2, 1, 0]
