import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from keras_gans.defectgan.config import ATTENTION, BUILT_IN, REDUCED, Config
from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError
from keras_gans.training.settings import check_limits, parse
from tests.defectgan.fakes import trained_on


def test_the_defaults_are_the_papers():
    config = parse(Config, ["--data", "x"])
    assert (config.channels, config.image_size, config.reduce) == (3, 256, None)
    assert not config.crops
    assert (config.width, config.blocks, config.critic_width) == (64, 9, 64)
    assert (config.adversarial, config.cycle_weight) == ("log", 10)
    assert (config.batch_size, config.epochs, config.learning_rate) == (1, 200, 2e-4)
    assert (config.candidates, config.patch_share, config.pool) == (1, 1, 0)
    assert not (config.residual or config.weak_labels or config.critic_warmup)
    assert not (config.identity_weight or config.change_weight)
    assert (config.critic, config.margin, config.flatten) == ("patch", None, 0)
    assert config.design == "paper" and not config.guided
    assert config.critic_rate == 2e-4
    assert config.view == View(256, reduce=None, flatten=0)


@pytest.mark.parametrize(
    "arguments, preset",
    [
        ("--data x --reduced", REDUCED),
        ("--data x --design attention", ATTENTION),
        ("", BUILT_IN),
    ],
)
def test_what_is_given_goes_before_the_presets(arguments, preset):
    config = parse(Config, arguments.split())
    assert {name: getattr(config, name) for name in preset} == preset
    given = "--width 5 --candidates 1 --no-weak-labels --reduce 3 --calibration.reach 7"
    config = parse(Config, [*arguments.split(), *given.split()])
    assert (config.width, config.candidates, config.weak_labels) == (5, 1, False)
    assert config.blocks == preset.get("blocks", 9) and config.reduce == 3
    rule = preset.get("calibration", CalibrationRule())
    assert config.calibration == dataclasses.replace(rule, reach=7)


@pytest.mark.parametrize("preset", [REDUCED, ATTENTION, BUILT_IN])
def test_presets_leave_steps_for_the_generators(preset):
    config = dataclasses.replace(Config(), **preset)
    check_limits(config)
    assert config.critic_warmup < config.epochs * config.steps_per_epoch


def test_an_epoch_shows_each_image_of_the_larger_class_once():
    image = np.zeros((2, 2, 1), np.uint8)
    training = trained_on([image] * 7, [image] * 4)
    schedule = Config(batch_size=2, epochs=3).schedule(training)
    assert (schedule.batch_size, schedule.steps_per_epoch, schedule.steps) == (2, 4, 12)
    assert Config(steps_per_epoch=9).schedule(training).steps_per_epoch == 9


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--image-size 30", "--image-size must be from 32 to 4096. Received: 30"),
        ("--image-size 34", "--image-size must be a multiple of 4. Received: 34"),
        ("--data x --reduced --image-size 34", "must be a multiple of 4. Received: 34"),
        ("--baseline-batch-size 3", "--baseline-batch-size must be a multiple"),
        ("--flatten -1", "--flatten must be from 0 to 4096. Received: -1"),
        ("--margin -1", "--margin must be from 0 to 100. Received: -1.0"),
        ("--patch-share 0", "--patch-share must be from 1e-06 to 1"),
        ("--learning-rate nan", "--learning-rate must be"),
        ("--test-share 0.95", "--test-share must be from 0 to 0.9"),
        ("--segnet-stages 6", "--segnet-stages must be from 1 to 5"),
        ("--calibration.quantile 5", "quantile must be above 0 and at most 1"),
        ("--calibration.reach 101", "reach must be from 0 to 100"),
        ("--export setup.cfg", "a file, where a folder is needed"),
    ],
)
def test_limits(arguments, message):
    with pytest.raises(InputError, match=message):
        parse(Config, arguments.split())


def test_help_needs_no_tensorflow():
    code = """
import sys
sys.modules.update(tensorflow=None, keras=None)  # an import of them now fails
from keras_gans.defectgan.config import Config
from keras_gans.training.settings import command_line
command_line(Config, ["--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--calibration.quantile" in done.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "--image-size 100 --critic-scales 3",
            "must be a multiple of 16 for --critic-scales 3",
        ),
        ("--critic-warmup 9", "--critic-warmup for the other. Received: --critic-warmup"),
    ],
)
def test_what_attention_does_not_take(arguments, message):
    with pytest.raises(InputError, match=message):
        parse(Config, ["--data", "x", "--design", "attention", *arguments.split()])


def test_critic_epochs_are_for_attention():
    with pytest.raises(InputError, match="for --design attention.*Received: --critic-epochs"):
        parse(Config, ["--data", "x", "--critic-epochs", "2"])
