"""Files that are written completely or not at all."""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from keras_gans.data.reading import reading
from keras_gans.errors import InputError


def check_folder(folder: Path | str, *names: str) -> None:
    """Finds out whether files can be written in a folder, or it can be made; makes nothing.

    What a killed process left there is removed.

    Args:
        folder: `Path` or str.
        *names: of files to be written there.

    Raises:
        InputError: if not; or a folder has one of the names.
    """
    asked = folder = Path(folder).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, where a folder is needed; name another folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{folder}: this folder is not writable; name another folder")
    for name in names:
        if (asked / name).is_dir():
            raise InputError(f"{asked / name}: a folder, where a result goes: move it away")
    if folder == asked:
        remove_leftovers(folder.iterdir())


def unfinished(path: Path) -> Path:
    """A hidden name beside `path`, of this process alone, for what is being written.

    `remove_leftovers` knows such names.
    """
    name = os.fsencode(path.name)
    name = path.name if len(name) < 160 else hashlib.sha256(name).hexdigest()
    return path.with_name(f".{name}.{_machine()}-{os.getpid()}.part")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Removes those files and folders that a killed process was writing.

    They are named as by `unfinished`. What another process is writing stays; so does what
    another machine has written to within a day.
    """
    for path in paths:
        match = re.fullmatch(r"\..+\.(\w*)-([0-9]+)\.part", path.name, re.DOTALL)
        if not match and not re.fullmatch(r"\..+\.[0-9]+\.part|\.export-\w{8}", path.name):
            continue  # the second are those of version 0.1
        with contextlib.suppress(OSError):
            if match and _may_be_writing(*match.groups(), path.lstat().st_mtime):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _machine():
    return re.sub(r"\W", "", platform.node())[:40]


def _may_be_writing(machine, process, written):
    if machine != _machine():
        return time.time() - written < 24 * 3600
    if int(process) == os.getpid():  # in a container every process may have this number
        return False
    if os.name != "posix":  # nothing there asks without harm
        return time.time() - written < 3600
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def numbered(folder: Path) -> dict[int, Path]:
    """The folders in `folder` whose names are plain numbers, as TensorFlow Serving counts."""
    try:
        children = list(folder.iterdir())
    except (OSError, ValueError):  # no folder, or none that can be read
        return {}
    return {
        int(child.name): child
        for child in children
        if re.fullmatch("[0-9]{1,18}", child.name) and os.path.isdir(child)
    }


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Gives a name beside `path` to write to; it takes the place of `path` at the end.

    On failure nothing is left of it, and what was at `path` stays.

    Raises:
        InputError: for an `OSError` of the body or the move.
    """
    path = Path(path)
    temporary = unfinished(path)
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


def read_json(path: Path | str, kind: type | None = None) -> Any:
    """Reads JSON, in any of its encodings.

    Args:
        path: the file.
        kind: what it must hold, such as `dict`; by default anything.

    Raises:
        InputError: the file cannot be read, is no JSON, or holds something else.
    """
    with reading(path, "JSON file"):
        value = json.loads(Path(path).read_bytes())
        if kind and not isinstance(value, kind):
            raise TypeError
    return value


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
