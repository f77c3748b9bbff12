"""The boundary around every parser of a file: whatever it raises becomes one line."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from keras_gans.errors import InputError

# What parsers say of a valid file that they do not know how to read.
UNSUPPORTED = (
    "not implemented",
    "unsupported",
    "not supported",
    "imagecodecs",
    "encrypted",
    "cannot handle",
    "unknown pixel mode",
)


class Unsupported(Exception):
    """A valid file of a form that is not read; the message names the form and the mend."""


@contextlib.contextmanager
def reading(path: Path | str, kind: str) -> Iterator[None]:
    """Turns any exception of a parser into an `InputError` that names the file.

    Around the parser's call alone: our own code does not belong in its body.

    Args:
        path: the file.
        kind: what it should be, such as "PNG" or "list of captions".

    Raises:
        InputError: in one of four forms: it cannot be opened, it is too large for the memory,
            it is of a form that is not read, it is damaged. A body's own `InputError` stays.
    """
    check_regular(path)
    try:
        yield
    except InputError:
        raise
    except MemoryError:
        raise InputError(
            f"{path}: too large for the memory there is: make it smaller"
        ) from None
    except Unsupported as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # a parser raises nearly every type there is
        if isinstance(error, OSError) and error.errno in errno.errorcode:
            raise InputError(f"{path}: cannot be read ({os.strerror(error.errno)})") from None
        if _is_of_another_form(error):
            form = " ".join(str(error).split())[:120] or type(error).__name__
            raise InputError(
                f"{path}: a {kind} of a form that is not read ({form}): save it in another"
            ) from None
        raise InputError(
            f"{path}: truncated or damaged {kind}: copy it again or leave it out"
        ) from None


def _is_of_another_form(error):
    """Whether a parser says that it does not know this form, not that the file is damaged."""
    if isinstance(error, TypeError):  # "'<' not supported between": a damaged file's values
        return False
    # zipfile and Pillow raise NotImplementedError for methods that they have no code for
    says_so = any(word in str(error).lower() for word in UNSUPPORTED)
    return says_so or isinstance(error, NotImplementedError)


def check_regular(path: Path | str) -> None:
    """Finds out whether a path is a regular file, without opening it.

    A pipe or a device may never end, or change something when it is opened.

    Raises:
        InputError: missing, or no regular file.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise InputError(f"{path}: {what}, where a file is needed")
