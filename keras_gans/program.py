"""What the scripts import before all else; `interrupts` comes first here, and acts at once."""

from keras_gans import interrupts
from keras_gans.errors import report_input_errors
from keras_gans.training.settings import command_line

__all__ = ["command_line", "interrupts", "report_input_errors"]
