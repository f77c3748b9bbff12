"""Files that are written completely or not at all."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_gans.data.reading import reading
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


def read_json(path: Path | str) -> Any:
    """Reads JSON.

    Raises:
        InputError: the file cannot be read, or is no JSON; NaN and infinity are none.
    """

    def refuse(constant):
        raise ValueError(constant)

    with reading(path, "JSON file"):
        return json.loads(Path(path).read_bytes(), parse_constant=refuse)


def remembered(
    path: Path,
    compute: Callable,
    digest: str | None = None,
    fits: Callable[[Any], bool] | None = None,
) -> Any:
    """What was drawn or computed once: read from a JSON file, or computed and written there.

    Args:
        path: `Path` of the file; its folder is made.
        compute: function without arguments to what JSON can hold.
        digest: of the data it is made of, str. The file keeps it.
        fits: function from a value that was read to whether it can be used; it may raise
            anything for one that cannot.

    Returns:
        the value, as JSON gives it back.

    Raises:
        InputError: what is there was made of other data, is damaged or does not fit.
    """
    if not path.exists():
        value = compute()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, value if digest is None else {"sha256": digest, "value": value})
    stored = read_json(path)
    with reading(path, "record of a run"):
        value = stored if digest is None else stored["value"]
        if digest is not None and stored["sha256"] != digest:
            raise InputError(f"{path}: made of other data; start a new run for these")
        if fits and not fits(value):
            raise ValueError(value)
    return value
