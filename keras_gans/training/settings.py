"""Checks of settings that every train script makes before anything is loaded or written."""

from keras_gans.errors import InputError


def check_limits(config, limits):
    """Finds numbers out of range.

    Args:
        config: the script's dataclass.
        limits: dict field -> (lowest, highest); fields that are `None` pass.

    Raises:
        InputError: naming the argument, its limits and what was received.
    """
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if value is not None and not low <= value <= high:
            raise InputError(
                f"--{name.replace('_', '-')} must be from {low} to {high}. Received: {value}"
            )
