from dataclasses import dataclass, field
from typing import Annotated

import pytest

from keras_gans.errors import InputError
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Within, command_line, parse


@dataclass(frozen=True)
class Inner:
    share: Annotated[float, Within(0, 1)] = 0.5


@dataclass(frozen=True)
class Config:
    small: bool = False
    width: Annotated[int, Within(1, 100)] = 64
    clip: Annotated[float | None, Within(0, 1)] = None
    seeds: Annotated[tuple[int, ...], Within(0, 9)] = (0, 1)
    inner: Inner = field(default_factory=Inner)

    def preset(self):
        return {"width": 8, "clip": 0.5} if self.small else {}

    def check(self):
        if self.width == 13:
            raise InputError("13")


def test_preset_gives_way_to_what_is_asked_for():
    assert parse(Config, []) == Config()
    assert parse(Config, ["--small"]) == Config(True, 8, 0.5)
    assert parse(Config, ["--small", "--width", "9"]).width == 9


@pytest.mark.parametrize(
    "args, message",
    [
        (["--width", "0"], "--width must be from 1 to 100. Received: 0"),
        (["--clip", "nan"], "--clip must be from 0 to 1. Received: nan"),
        (["--seeds", "3", "10"], r"--seeds must be from 0 to 9. Received: \(3, 10\)"),
        (["--inner.share", "2"], "--inner.share must be from 0 to 1. Received: 2.0"),
        (["--width", "13"], "13"),
    ],
)
def test_limits(args, message, capsys):
    with pytest.raises(InputError, match=message):
        parse(Config, args)
    with pytest.raises(SystemExit, match="2"):
        command_line(Config, args)
    assert capsys.readouterr().err.count("\n") == 1


def test_schedule_counts_steps():
    assert Schedule(batch_size=5, steps_per_epoch=20, epochs=3).steps == 60
