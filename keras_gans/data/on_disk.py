"""Pictures beyond a limit of memory: kept in a temporary file, read by their places in it."""

import copy
import errno
import hashlib
import math
import os
import shutil
import tempfile
import threading
import weakref

import numpy as np

from keras_gans.errors import InputError


class OnDisk:
    """Pictures of one size in a temporary file of this process, which no other can reach.

    Indexing reads and writes as with an array of NumPy; `subset` gives some of them without
    reading. The file has no name, and is gone with the process, however that ends.

    Args:
        shape: (N, H, W, C), of uint8.

    Raises:
        InputError: the disk has no room, or fails.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, shape: tuple[int, ...]):
        # /tmp is memory on many systems
        folder = os.environ.get("TMPDIR") or ("/var/tmp" if os.path.isdir("/var/tmp") else None)
        self._folder = folder or tempfile.gettempdir()
        self._picture, self._bytes = shape[1:], math.prod(shape[1:])
        self._places = np.arange(shape[0])
        self._lock = threading.Lock()
        try:
            free, size = shutil.disk_usage(self._folder).free, math.prod(shape)
            if free < size:
                raise OSError(errno.ENOSPC, f"{size >> 20} MiB wanted, {free >> 20} MiB free")
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)
        except OSError as error:
            raise self._failed("written", error) from None
        # subsets share the lock too
        weakref.finalize(self._lock, self._file.close).atexit = False

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._places), *self._picture

    def __len__(self):
        return len(self._places)

    def __getitem__(self, chosen) -> np.ndarray:
        places = np.asarray(self._places[chosen])
        pictures = np.empty((*places.shape, *self._picture), np.uint8)
        with self._lock:
            for place, picture in zip(places.ravel(), pictures.reshape(-1, *self._picture)):
                try:
                    self._file.seek(int(place) * self._bytes)
                    if self._file.readinto(picture) != self._bytes:
                        raise OSError(errno.EIO, os.strerror(errno.EIO))
                except OSError as error:
                    raise self._failed("read", error) from None
        return pictures

    def __setitem__(self, chosen, pictures):
        places = np.ravel(self._places[chosen])
        pictures = np.ascontiguousarray(pictures, np.uint8).reshape(-1, *self._picture)
        with self._lock:
            for place, picture in zip(places, pictures, strict=True):
                try:
                    self._file.seek(int(place) * self._bytes)
                    if self._file.write(picture) != self._bytes:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                except OSError as error:
                    raise self._failed("written", error) from None

    def __array__(self, dtype=None, copy=None):
        return self[:].astype(dtype or np.uint8, copy=False)

    def subset(self, chosen) -> "OnDisk":
        """Those that a slice, or an array of indices or bools, chooses, in the same file."""
        found = copy.copy(self)
        found._places = self._places[chosen]
        return found

    def _failed(self, what, error):
        return InputError(
            f"{self._folder}: the pictures beyond --memory-limit cannot be {what} "
            f"({error.strerror}); make room, or set TMPDIR to a folder on another disk"
        )


def empty(shape: tuple[int, ...], memory_limit: int | None) -> "np.ndarray | OnDisk":
    """Room for uint8 pictures: an array, or, if they take more than so many MiB, a file."""
    size = math.prod(shape)
    if memory_limit is None or size <= memory_limit << 20:
        return np.empty(shape, np.uint8)
    pictures = OnDisk(shape)
    print(f"{size / 2**20:.0f} MiB of pictures: kept in a temporary file in {pictures._folder}")
    return pictures


def subset(pictures: "np.ndarray | OnDisk", chosen) -> "np.ndarray | OnDisk":
    """`pictures[chosen]`; of those on disk, without reading them."""
    return pictures.subset(chosen) if isinstance(pictures, OnDisk) else pictures[chosen]


def sha256(pictures: "np.ndarray | OnDisk"):
    """The hash of the values, as of `hashlib`, wherever they are."""
    if not isinstance(pictures, OnDisk):
        return hashlib.sha256(pictures)
    found = hashlib.sha256()
    for picture in pictures:
        found.update(picture)
    return found
