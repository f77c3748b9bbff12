import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from keras_gans.commands import results
from keras_gans.commands.results import check_targets, in_parallel
from keras_gans.errors import InputError
from keras_gans.files import check_folder

A, B = Path("in/a.png"), Path("in/b.png")
ROOT = Path(__file__).resolve().parents[2]


def test_targets_of_their_own_pass():
    check_targets([A, B], [(Path("out/a.png"), Path("out/a_mask.png")), [Path("out/b.png")]])


def test_an_input_is_not_overwritten():
    with pytest.raises(InputError, match="in/b.png: would overwrite an input: give another"):
        check_targets([A, B], [[Path("out/a.png")], [Path("out/../in/b.png")]])


def test_two_inputs_do_not_share_a_target_whatever_its_case():
    with pytest.raises(InputError, match="in/b.png and in/a.png: both .* to out/x.png: rename"):
        check_targets([A, B], [[Path("out/X.png")], [Path("out/x.png")]])


def test_a_result_does_not_meet_a_folder(tmp_path):
    (tmp_path / "b_map.png").mkdir()
    with pytest.raises(InputError, match="b_map.png: a folder, where a result goes: move it"):
        check_targets([A, B], [[tmp_path / "a.png"], [tmp_path / "b_map.png"]])
    with pytest.raises(InputError, match="b_map.png: a folder, where a result goes: move it"):
        check_folder(tmp_path, "a.csv", "b_map.png")
    check_folder(tmp_path, "a.csv")
    check_folder(tmp_path / "new", "b_map.png")


def test_every_input_needs_its_targets():
    with pytest.raises(ValueError):
        check_targets([A, B], [[Path("out/a.png")]])


def test_pictures_at_a_time_are_bounded_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(results, "cores", lambda: 4)
    monkeypatch.setattr(results, "PIXELS_AT_ONCE", 100)
    lock, running, most = threading.Lock(), [], []

    def work(item):
        with lock:
            running.append(item)
            most.append(sum(running))
        time.sleep(0.002 * (item % 3))
        with lock:
            running.remove(item)
        return -item

    sizes = [10, 60, 50, 40, 500, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
    assert list(in_parallel(work, sizes, sizes)) == [-size for size in sizes]
    assert max(most) == 500 and sorted(most)[-2] <= 100  # the one that is too large goes alone
    assert list(in_parallel(work, [], [])) == []


def test_the_first_error_ends_the_work():
    seen = []

    def work(item):
        seen.append(item)
        if item == 2:
            raise InputError("no")

    with pytest.raises(InputError, match="no"):
        list(in_parallel(work, list(range(1000)), [1] * 1000))
    assert len(seen) < 100


@pytest.mark.parametrize("closed", ["", ">&-", "2>&-", ">&- 2>&-"])
def test_streams_may_be_closed(tmp_path, closed):
    """1 would mean that there is a defect."""
    command = f"{sys.executable} -m keras_gans generate --count 1 --out"
    assert _shell(f"{command} {tmp_path / 'made'} {closed}").returncode == 0
    assert _shell(f"{command} {tmp_path / 'none'} --label x {closed}").returncode == 2


def test_a_full_disk_and_a_folder_that_is_gone_take_one_line(tmp_path):
    command = f"{sys.executable} -m keras_gans generate --count 1 --out {tmp_path / 'made'}"
    done = _shell(f"{command} > /dev/full")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "No space left on device: make room" in done.stderr
    gone = tmp_path / "gone"
    done = _shell(f"mkdir {gone} && cd {gone} && rmdir {gone} && {command}", PYTHONPATH=ROOT)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "the working folder is gone" in done.stderr


def _shell(line, **environment):
    return subprocess.run(
        line, shell=True, cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {name: str(value) for name, value in environment.items()},
    )  # fmt: skip


@pytest.mark.parametrize("command", [["-m", "keras_gans"], ["train_dscnn.py"]])
def test_nobody_reads_any_more(command):
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` does
    done = subprocess.run(
        [sys.executable, *command, "--help"],
        stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
