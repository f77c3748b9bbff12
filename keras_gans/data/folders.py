"""Folders of images, as people keep them."""

import os
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track

from keras_gans.data.images import SUFFIXES
from keras_gans.errors import InputError

AHEAD = 64  # files read before their turn; bounds the memory


def natural(name: str) -> tuple:
    """Key that sorts "2" before "10" and "b" after "A"."""
    parts = re.split(r"(\d+)", name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], name


def visible(folder: Path) -> list[Path]:
    """What a folder holds, sorted by name; without the hidden files that macOS adds.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name."""
    return [path for path in visible(folder) if os.path.isdir(path)]


def images_in(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """The images in a folder, sorted by name; there may be none."""
    found = visible(folder)
    return [path for path in found if path.suffix.lower() in suffixes and os.path.isfile(path)]


def check_data_folder(path: Path, expected: str) -> None:
    """Raises `InputError` for what is no folder; `expected` says what should be in it."""
    if not os.path.isdir(path):
        state = "a file" if os.path.exists(path) else "no such folder"
        raise InputError(f"{path}: {state}; a folder is expected with {expected}")


def inside(folder: Path, name: str, where: str, links: bool = False) -> Path:
    """The path of a file that a list names, which must lie in the list's own folder.

    Args:
        folder: what the name is relative to.
        name: as the list has it.
        where: the list's file and line, for the message.
        links: whether links may lead out of the folder: for lists that we wrote ourselves.

    Raises:
        InputError: an absolute path, one with "..", or a link that leads out of the folder.
    """
    path = folder / name
    out = Path(name).is_absolute() or ".." in Path(name).parts
    if not out and not links:
        out = not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if out:
        raise InputError(f"{where}: {name[:80]} leads out of {folder}: name files in it alone")
    return path


def list_images(paths, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Lists image files.

    Args:
        paths: a path or an iterable of paths; of a folder, its images (not those of
            folders inside it, nor hidden files) sorted by name.
        suffixes: of the files that count, in lower case; any case is found.

    Returns:
        list of `Path` in the order given, each file once.

    Raises:
        InputError: a path does not exist, a folder holds no image, a file has none of
            the `suffixes`, nothing is listed.
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    images, known = [], " ".join(suffixes)
    for path in map(Path, paths):
        if os.path.isdir(path):
            found = images_in(path, suffixes)
            if not found:
                raise InputError(f"{path}: no images in this folder ({known} are read)")
            images += found
        elif not os.path.exists(path):
            raise InputError(f"{path}: no such file or folder, or one that cannot be read")
        elif path.suffix.lower() not in suffixes:
            raise InputError(f"{path}: not an image that can be read ({known} are)")
        else:
            images.append(path)
    if not images:
        raise InputError("no image is given: name files or folders")
    once = {}
    for image in images:
        once.setdefault(image.resolve(), image)
    return list(once.values())


def in_threads(read: Callable, items: Sequence, description: str = "reading") -> Iterator:
    """Applies a function to many files, several at a time, with a bar on a terminal.

    Args:
        read: function of an item.
        items: sequence.
        description: what the bar says.

    Yields:
        results, in the order of the items. At most `AHEAD` of them wait to be taken.
    """
    console = Console(stderr=True)
    # a thread that silences warnings itself may leave it so: undone here after them all
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")
        try:
            yield from track(
                _in_order(pool, read, items), description, len(items), console=console,
                transient=True, disable=not console.is_terminal,
            )  # fmt: skip
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _in_order(pool, read, items):
    waiting = deque()
    for item in items:
        waiting.append(pool.submit(read, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
