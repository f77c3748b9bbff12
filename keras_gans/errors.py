"""Errors that a user can mend, shown as one line instead of a traceback."""

import contextlib
import functools
import sys
from collections.abc import Callable


class InputError(Exception):
    """Bad input or settings. The message is one line: the file, what was received, the mend."""


def printable(text) -> str:
    """Text on one line: line ends, other controls and bytes that are not UTF-8 as escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in str(text)
    )


def report_input_errors(main: Callable) -> Callable:
    """Wraps a command's `main`: `InputError` becomes one line on stderr and exit code 2.

    Ctrl-C ends with exit code 130. Every other exception keeps its traceback: it is a bug.
    """

    @functools.wraps(main)
    def wrapper(*args, **kwargs):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, ValueError):  # replaced by another
                stream.reconfigure(errors="backslashreplace")  # a name never ends a command
        try:
            return main(*args, **kwargs)
        except InputError as error:
            print(f"keras_gans: error: {printable(error)}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            print("keras_gans: interrupted", file=sys.stderr)
            sys.exit(130)

    return wrapper
