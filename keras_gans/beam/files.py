"""Files wherever Beam's file systems reach: listed, fetched and stored, one at a time."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from keras_gans.data.reading import check_regular
from keras_gans.errors import InputError
from keras_gans.files import unfinished

AS_IS = {"compression_type": CompressionTypes.UNCOMPRESSED}  # whatever the suffix says


def is_local(name: str) -> bool:
    """Whether a name is one of this machine's own file system."""
    return "://" not in name


def plain(name: str) -> str:
    """A name without what does not matter: "a//b/" -> "a/b"."""
    if is_local(name):
        return os.path.normpath(name)
    scheme, _, rest = name.partition("://")
    return f"{scheme}://{'/'.join(part for part in rest.split('/') if part)}"


def check_scheme(name: str) -> None:
    """Raises `InputError` for a name that no file system of Beam's takes."""
    try:
        FileSystems.get_filesystem(name)
    except Exception as error:  # ValueError and, where a package lacks, others
        raise InputError(
            f"{name}: this Apache Beam reaches no such file system "
            f"({str(error).splitlines()[0][:120]}): gs:// takes apache-beam[gcp], s3:// "
            "apache-beam[aws]"
        ) from None


def root_of(patterns: list[str]) -> str:
    """The folder above all that patterns can match, as far as it is without a wildcard."""
    roots = []
    for pattern in patterns:
        start = min((pattern.find(each) for each in "*?[" if each in pattern), default=None)
        roots.append(pattern[:start].split("/")[:-1])
    return "/".join(os.path.commonprefix(roots))


def pattern_of(name: str) -> str:
    """A pattern; of a folder, that of all files in it."""
    folder = name.endswith("/") or (is_local(name) and os.path.isdir(name))
    return plain(f"{name}/*" if folder else name)


def matches(pattern: str, most: int | None = None) -> Iterator[str]:
    """The names that a pattern matches, all or so many: ** goes across folders, * does not."""
    if is_local(pattern):
        pattern = os.path.join(os.path.dirname(pattern) or ".", os.path.basename(pattern))
    for result in FileSystems.match([pattern], [most]):
        for found in result.metadata_list:
            yield plain(found.path)


def fetch(name: str, path: Path) -> None:
    """Copies a file to this machine, in pieces (raises `InputError` for a pipe)."""
    if is_local(name):
        check_regular(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileSystems.open(name, **AS_IS) as source, open(path, "wb") as file:
        shutil.copyfileobj(source, file, 2**20)


def store(path: Path, name: str) -> None:
    """Copies a file of this machine to a name; it appears there when it is complete."""
    folder, _, last = name.rpartition("/")
    temporary = f"{folder}/{unfinished(Path(last)).name}"
    with open(path, "rb") as file, FileSystems.create(temporary, **AS_IS) as target:
        shutil.copyfileobj(file, target, 2**20)
    FileSystems.rename([temporary], [name])
