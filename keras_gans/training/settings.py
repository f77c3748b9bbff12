"""A script's settings: a dataclass, its command line, and the limits at its fields.

No TensorFlow is imported here, so that `--help` and a wrong setting are answered at once.
"""

from dataclasses import dataclass, is_dataclass, replace
from typing import Annotated, Literal, TypeVar, get_type_hints

import tyro
from tyro.conf import arg

from keras_gans.errors import InputError, report_input_errors

Config = TypeVar("Config")


@dataclass(frozen=True)
class Within:
    """Limits of a setting, both included: `width: Annotated[int, Within(1, 1024)] = 64`."""

    low: float
    high: float


# settings that all scripts have
Precision = Annotated[
    Literal["float32", "bfloat16", "float16"],
    arg(
        help="What the networks compute in while they train; weights, losses and last layers "
        "stay float32, and so does what is measured and exported. bfloat16 is for GPUs and for "
        "processors with AVX512_BF16 or AMX, float16 for GPUs."
    ),
]
Replicas = Annotated[
    int,
    Within(1, 64),
    arg(
        help="To try a distributed training out: replicas on this machine's CPU. Several GPUs, "
        "TF_CONFIG and Slurm make replicas without it, see docs/scale.md; BATCH_SIZE is that "
        "of all together."
    ),
]


def check_limits(config, prefix: str = "") -> None:
    """Finds numbers beyond their `Within`, also in tuples and in dataclasses inside.

    Args:
        config: dataclass; fields that are `None` pass.
        prefix: of the argument's name, in dataclasses inside.

    Raises:
        InputError: naming the argument, its limits and what was received.
    """
    for name, hint in get_type_hints(type(config), include_extras=True).items():
        value = getattr(config, name)
        argument = f"{prefix}{name.replace('_', '-')}"
        if is_dataclass(value):
            check_limits(value, f"{argument}.")
        values = value if isinstance(value, tuple) else [] if value is None else [value]
        limits = [each for each in getattr(hint, "__metadata__", ()) if type(each) is Within]
        for limit in limits:
            if not all(limit.low <= each <= limit.high for each in values):
                raise InputError(
                    f"--{argument} must be from {limit.low} to {limit.high}. Received: {value}"
                )


def parse(config_class: type[Config], args: list[str] | None = None) -> Config:
    """The settings on the command line, over those of the preset that they ask for.

    Args:
        config_class: dataclass with `preset()`, a dict of other defaults, and `check()`, which
            raises `InputError` for settings that do not go together.
        args: list of str; by default those of this process.

    Returns:
        the checked `config_class`.

    Raises:
        InputError: a number beyond its `Within`, or as `check`.
    """
    config = tyro.cli(config_class, args=args)
    config = tyro.cli(config_class, args=args, default=replace(config, **config.preset()))
    check_limits(config)
    config.check()
    return config


command_line = report_input_errors(parse)
"""`parse` for a script: what is wrong is said in one line, with exit code 2."""
