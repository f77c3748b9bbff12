"""Errors that a user can mend, shown as one line instead of a traceback."""

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable

TRAINING = 'pip install "keras_gans[train]"'


class InputError(Exception):
    """Bad input or settings. The message is one line: the file, what was received, the mend."""


class OutputError(InputError):
    """Results cannot be written. The run that would write them can be resumed."""


def printable(text) -> str:
    """Text on one line: line ends, other controls and bytes that are not UTF-8 as escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in str(text)
    )


class Terminated(BaseException):
    """SIGTERM: a cluster wants the machine back."""


def _terminate(*_):
    raise Terminated


def not_installed(error: ModuleNotFoundError) -> str:
    """What to say of a missing package; "" if it is our own code that is missing."""
    if (error.name or "keras_gans").partition(".")[0] == "keras_gans":
        return ""
    return f"error: this needs {error.name}, which comes with {TRAINING}"


def report_input_errors(main: Callable) -> Callable:
    """Wraps a command's `main`: `InputError` becomes one line on stderr and exit code 2.

    Ctrl-C ends with exit code 130, SIGTERM with 143; what a run has saved stays. Where nobody
    reads stdout any more, as after `| head`, it ends in silence with 141, as SIGPIPE would end
    it. Every other exception keeps its traceback: it is a bug.
    """

    @functools.wraps(main)
    def wrapper(*args, **kwargs):
        main_thread = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, _terminate) if main_thread else None
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, ValueError):  # replaced by another
                stream.reconfigure(errors="backslashreplace")  # a name never ends a command
        try:
            result = main(*args, **kwargs)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # what Python still holds back would fail once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except InputError as error:
            end, code = f"error: {printable(error)}", 2
        except ModuleNotFoundError as error:
            if not (end := not_installed(error)):
                raise
            code = 2
        except KeyboardInterrupt:
            end, code = "interrupted", 130
        except Terminated:
            end, code = "terminated", 143
        finally:
            if main_thread:
                signal.signal(signal.SIGTERM, before)
        print(f"keras_gans: {end}", file=sys.stderr)
        sys.exit(code)

    return wrapper
