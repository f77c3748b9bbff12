import os
import resource
import shutil
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from PIL import Image

from keras_gans.data.on_disk import OnDisk, empty, sha256, subset
from keras_gans.errors import InputError
from tests.runs import REPOSITORY


def some(count=10):
    return np.random.default_rng(0).integers(0, 256, (count, 3, 4, 3), np.uint8)


def stored(pictures):
    found = OnDisk(pictures.shape)
    found[:] = pictures
    return found


@pytest.mark.parametrize(
    "chosen",
    [
        3,
        -1,
        slice(None),
        slice(7, 2, -2),
        slice(0, 0),
        [5, 1, 5],
        np.array([[0, 9], [4, 4]]),
        np.arange(10) % 3 == 0,
    ],
)
def test_they_are_indexed_as_an_array_is(chosen):
    pictures = some()
    kept = stored(pictures)
    assert kept.shape == pictures.shape and len(kept) == 10 and kept.dtype == pictures.dtype
    np.testing.assert_array_equal(kept[chosen], pictures[chosen])
    pictures[chosen] = kept[chosen] = 255 - pictures[chosen]
    np.testing.assert_array_equal(np.asarray(kept), pictures)
    if isinstance(chosen, int):
        return
    few = subset(subset(kept, slice(1, None)), [0, 2, 3])
    np.testing.assert_array_equal(few[[2, 0]], pictures[1:][[0, 2, 3]][[2, 0]])
    assert isinstance(few, OnDisk) and few.shape == (3, 3, 4, 3)


def test_out_of_range():
    kept = stored(some())
    for wrong in (10, [0, -11]):
        with pytest.raises(IndexError):
            kept[wrong]


def test_a_subset_reads_nothing(monkeypatch):
    kept = stored(some())
    monkeypatch.setattr(OnDisk, "__getitem__", None)
    assert len(subset(subset(kept, slice(5)), [1, 2])) == 2


def test_hashes_do_not_depend_on_where_pictures_are():
    pictures = some()
    assert sha256(stored(pictures)).digest() == sha256(pictures).digest()
    few = subset(stored(pictures), slice(2, 5))
    assert sha256(few).digest() == sha256(pictures[2:5]).digest()


def test_the_limit(capsys):
    shape = (4, 512, 512, 1)  # 1 MiB
    for limit in (None, 1):
        assert isinstance(empty(shape, limit), np.ndarray)
    assert capsys.readouterr().out == ""
    assert isinstance(empty(shape, 0), OnDisk)
    assert capsys.readouterr().out.startswith("1 MiB of pictures: kept in a temporary file in ")


def test_nothing_is_left_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    kept = stored(some())
    assert not [*tmp_path.iterdir()] and kept[0].any()


# Disks that fail ----------------------------------------------------------------------------


def test_too_little_room_is_said_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    usage = namedtuple("usage", "free")(3 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    message = (
        rf"{tmp_path}: .* cannot be written \(7 MiB wanted, 3 MiB free\); make room, or set"
    )
    with pytest.raises(InputError, match=message):
        OnDisk((10, 512, 512, 3))
    OnDisk((3, 512, 512, 3))


def test_a_missing_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"none: .* cannot be written \(No such file"):
        OnDisk((1, 2, 2, 3))


def test_a_disk_that_fills_up():
    kept, unlimited = OnDisk((10, 32, 32, 3)), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
        with pytest.raises(
            InputError, match=r"cannot be written \((File too|No space).*TMPDIR"
        ):
            kept[:] = np.zeros(kept.shape, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)


def test_a_file_that_was_cut():
    kept = stored(some())
    os.truncate(kept._file.fileno(), 5 * 3 * 4 * 3)
    assert kept[4].shape == (3, 4, 3)
    with pytest.raises(InputError, match=r"cannot be read \(Input/output error\)"):
        kept[4:6]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_set(tmp_path):
    """Crops of 256 MiB with a limit of 32, a tenth of them, and all of them in memory."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 500, 500, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")

    def memory(count, limit):
        program = [sys.executable, "-m", "tests.data.memory_run"]
        words = [*program, str(tmp_path), str(count), str(limit)]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return int(done.stdout.splitlines()[-1])

    few, many, in_memory = memory(546, 0), memory(5460, 32), memory(5460, 1000)
    assert many < few + 64 and many + 256 < in_memory, (few, many, in_memory)
