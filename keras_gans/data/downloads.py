"""Files from the web, whole and unchanged or not at all."""

import hashlib
import http.client
import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from keras_gans.data.reading import check_regular
from keras_gans.errors import InputError

TIMEOUT = 30  # seconds without a byte
BLOCK = 1 << 18  # bytes read at a time
LARGEST = 1 << 36  # bytes of a file of which neither we nor the server know the size


def download(url: str, path: str | os.PathLike, checksum: str, size: int | None = None) -> Path:
    """Fetches a file over http or https, unless it is there already; gives its path.

    What has arrived is in `NAME.part`, from where the next call goes on after an interruption
    if the server knows HTTP ranges. Only a file with the right checksum gets its name. No more
    is read than `size`, or than the server says. A progress bar is shown on stderr.

    Args:
        url: address of the file.
        path: where to put it; folders are made.
        checksum: its MD5 or SHA-256, as hex digits.
        size: its length in bytes, if known.

    Raises:
        InputError: not reachable, refused, cut off, another checksum or size; sent on to
            another protocol; a file with another checksum at `path`; not writable.
        ValueError: a checksum of another length.
    """
    path, checksum = Path(path), checksum.lower()
    kind = {32: "MD5", 64: "SHA-256"}.get(len(checksum))
    if kind is None:
        raise ValueError(f"A checksum has 32 or 64 hex digits. Received: {checksum!r}")
    by_hand = f"or fetch it by hand and put it at {path}"
    part = path.with_name(path.name + ".part")
    try:
        if part.is_symlink():
            part.unlink()  # what it leads to is not ours to write
        for each in (path, part):
            if os.path.lexists(each):
                check_regular(each)
        if path.exists():
            if _checksum(path, kind) == checksum:
                return path
            raise InputError(
                f"{path}: another file than {url} (its {kind} is not {checksum}): move it away"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        if size is None or not part.exists() or part.stat().st_size != size:
            _fetch(url, part, size, by_hand)
        received = _checksum(part, kind)
        if received == checksum:
            os.replace(part, path)
            return path
        part.unlink()
    except OSError as error:
        name = error.filename or part
        raise InputError(f"{name}: cannot be written or read ({error.strerror})") from None
    raise InputError(
        f"{part}: damaged on its way from {url} ({kind} {received}, expected {checksum}) and "
        f"removed: try again {by_hand}"
    )


def _checksum(path, kind):
    method = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[kind]
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: method(usedforsecurity=False)).hexdigest()


def _fetch(url, part, size, by_hand):
    """Completes the file `part`, or begins it anew where the server knows no ranges."""
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have > size:
        have = 0
    opener = urllib.request.build_opener(_WebAlone)
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        _check_protocol(url, url)
        response = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing: the checksum tells
        raise InputError(
            f"{url}: HTTP {error.code} {error.reason}: try again later, {by_hand}"
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        reason = getattr(reason, "strerror", None) or reason
        raise InputError(
            f"{url}: not reachable ({reason}): look after the connection, {by_hand}"
        ) from None
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        length = response.headers.get("Content-Length", "")
        known = length.isascii() and length.isdecimal() and len(length) <= 15
        total = have + int(length) if known else size
        if size is not None and total != size:
            raise InputError(
                f"{url}: {total} bytes are offered, {size} are expected: it is another file "
                f"now, or something between answers instead; try again later, {by_hand}"
            )
        received = _store(response, part, have, total)
    if received > (total or LARGEST):
        part.unlink()
        raise InputError(
            f"{url}: more than the {total or LARGEST} bytes expected arrive: it is another "
            f"file now; try again later, {by_hand}"
        )
    if total is not None and received < total:
        raise InputError(
            f"{url}: the connection broke after {received} of {total} bytes: try again, it "
            f"goes on from there, {by_hand}"
        )


def _store(response, part, have, total):
    """Appends to `part` (writes it anew if `have` is 0) what arrives; the length then.

    It ends a block after `total`.
    """
    progress = Progress(
        TextColumn(part.stem),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with open(part, "ab" if have else "wb") as file, progress:
        task = progress.add_task("", total=total, completed=have)
        while have <= (total or LARGEST) and (block := _read(response)):
            file.write(block)
            have += len(block)
            progress.update(task, completed=have)
    return have


def _read(response):
    """The next bytes, none at the end or when the connection breaks."""
    try:
        return response.read(BLOCK)
    except (OSError, ValueError, http.client.HTTPException):
        return b""


class _WebAlone(urllib.request.HTTPRedirectHandler):
    """Follows a server to http and https alone, and from https to https alone."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        try:
            _check_protocol(newurl, req.full_url)
        except InputError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_protocol(url, before):
    allowed = ("https",) if before.startswith("https:") else ("http", "https")
    if urllib.parse.urlsplit(url).scheme.lower() not in allowed:
        raise InputError(f"{before}: sent on to {url[:80]}, which is no {allowed[0]} address")
