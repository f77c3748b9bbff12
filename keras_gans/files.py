"""Files that are written completely or not at all."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_gans.errors import InputError


def check_folder(folder: Path | str) -> None:
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
def replacing(path: Path | str) -> Iterator[Path]:
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


def write_json(path: Path, value) -> None:
    """Writes JSON, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def remembered(path: Path, compute: Callable, digest: str | None = None) -> Any:
    """What was drawn or computed once: read from a JSON file, or computed and written there.

    Args:
        path: `Path` of the file; its folder is made.
        compute: function without arguments to what JSON can hold.
        digest: of the data it is made of, str. The file keeps it.

    Returns:
        the value, as JSON gives it back.

    Raises:
        InputError: what is there was made of other data.
    """
    if not path.exists():
        value = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value if digest is None else {"sha256": digest, "value": value})
    stored = json.loads(path.read_text())
    if digest is None:
        return stored
    if stored["sha256"] != digest:
        raise InputError(f"{path}: made of other data; start a new run for these")
    return stored["value"]
