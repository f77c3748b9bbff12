"""Errors that a user can mend, shown as one line instead of a traceback."""

import contextlib
import errno
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TextIO

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
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed: or the next file would get its number
                setattr(sys, name, open(os.devnull, "w"))
            with contextlib.suppress(AttributeError, ValueError):  # replaced by another
                getattr(sys, name).reconfigure(errors="backslashreplace")  # for odd names
        try:
            check_working_folder()
            result = main(*args, **kwargs)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            drop(sys.stdout)
            sys.exit(141)
        except OSError as error:  # of a file it would be an `InputError`
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            drop(sys.stdout)
            end, code = f"error: {error.strerror}: make room, or write elsewhere", 2
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
        with contextlib.suppress(OSError):  # nobody can be told
            print(f"keras_gans: {end}", file=sys.stderr, flush=True)
        sys.exit(code)

    return wrapper


def check_working_folder() -> None:
    """Finds out whether the working folder is still there (raises `InputError`)."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the working folder is gone: go to another one") from None


def drop(stream: TextIO) -> None:
    """What Python still holds back for a stream goes nowhere, or would fail at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
