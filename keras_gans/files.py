"""Files that are written completely or not at all."""

import contextlib
import os
from pathlib import Path

from keras_gans.errors import InputError


def check_folder(folder):
    """Finds out whether files can be written in a folder, or it can be made; makes nothing.

    Raises:
        InputError: if not.
    """
    folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, where a folder is needed; name another folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: this folder is not writable; name another folder")


@contextlib.contextmanager
def replacing(path):
    """Gives a name beside `path` to write to; it takes the place of `path` at the end.

    On failure nothing is left of it, and what was at `path` stays.

    Raises:
        InputError: for an `OSError` of the body or the move.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)
