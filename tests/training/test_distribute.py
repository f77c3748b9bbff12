"""Replicas and workers against one device with the same global batch."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.dscnn.config import Config
from keras_gans.errors import InputError
from keras_gans.training import distribute
from keras_gans.training.run_folder import comparable
from keras_gans.training.schedule import Schedule
from tests.runs import REPOSITORY, checkpoint_values, equal_checkpoints, rows
from tests.training.replica_runs import FIVE, layers_on_shares, train


def cluster(count):
    """The environments of workers on this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    tasks = [{"type": "worker", "index": number} for number in range(count)]
    return [{"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})}
            for task in tasks]  # fmt: skip


def run(*arguments, environment=(), folder=REPOSITORY):
    """A process of Python, with what it prints."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | dict(environment),
    )  # fmt: skip


def finish(*processes, code=0):
    """What each prints, (stdout, stderr), when all have ended as expected."""
    printed = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [code] * len(processes), printed
    return printed


def assert_near(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        value = np.asarray(value, "float64")
        most = 1e-5 * max(1.0, np.abs(value).max(initial=0))
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=most, err_msg=name)


@pytest.fixture(scope="module")
def alone():
    """The function `train`, which remembers."""
    known = {}

    def get(*names):
        for name in names:
            if name not in known:
                known[name] = train(name)
        return {key: value for name in names for key, value in known[name].items()}

    return get


@pytest.mark.slow
def test_two_replicas_train_as_one_device(alone, tmp_path):
    """And, asserted by the program, all replicas have the same variables to the bit."""
    process = run("-m", "tests.training.replica_runs", tmp_path / "two.npz", 2, "eager", *FIVE)
    expected = alone(*FIVE)
    whole = layers_on_shares()
    finish(process)
    found = dict(np.load(tmp_path / "two.npz"))
    assert_near({name: found[name] for name in expected}, expected)

    for name, value in whole.items():
        kind, what, *_ = name.split()
        tight = 1e-4 if what == "slope" else 1e-5
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tight, err_msg=name)
        if what.startswith("moving"):
            np.testing.assert_array_equal(found[name], found[f"{kind} {what} 1"])


def test_the_environment():
    workers, chief = ["a:1", "b:1"], {"chief": ["c:1"], "worker": ["a:1", "b:1"]}
    for given, number, count in (
        ({"cluster": {"worker": workers}, "task": {"type": "worker", "index": 1}}, 1, 2),
        ({"cluster": chief, "task": {"type": "worker", "index": 1}}, 2, 3),
        ({"cluster": chief, "task": {"type": "chief", "index": 0}}, 0, 3),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TF_CONFIG", json.dumps(given))
            assert distribute._cluster()[1:] == (number, count)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_an_environment_of_one(given, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", given)
    assert distribute._cluster() is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{", "not as docs/scale.md has it: {"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "not as docs/scale.md has it"),
        ('{"cluster": {"worker": 2}, "task": {"type": "worker", "index": 0}}', "not as docs"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
         "worker 2 of 2"),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
         "chief and worker are all that train"),
    ],
)  # fmt: skip
def test_a_bad_environment(given, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(InputError, match=message):
        distribute._cluster()


def test_replicas_beside_workers_are_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(2)[0]["TF_CONFIG"])
    with pytest.raises(InputError, match="--replicas is for one process"):
        distribute.start(Config(replicas=2))


def test_a_batch_that_cannot_be_shared(monkeypatch):
    strategy = tf.distribute.get_strategy()
    monkeypatch.setattr(distribute, "_team", distribute.Team(strategy))
    monkeypatch.setattr(distribute.Team, "size", 3)
    with pytest.raises(InputError, match="multiple of the replicas, 3. Received: 4"):
        distribute.agree(None, None, Schedule(4, 1, 1), 0)


def test_the_digest_tells_data_apart():
    def digest(change=0.0):
        values = np.zeros((300, 4), np.float32)
        values[299, 3] = change
        data = tf.constant(values)
        return distribute.data_digest(lambda step: tf.gather(data, step))

    assert digest() == digest() and digest() != digest(1e-7)


def test_what_workers_compare(tmp_path):
    ours, theirs = (comparable(Config(data=(tmp_path / name,), replicas=n)) for name, n in
                    (("a", 1), ("b", 2)))  # fmt: skip
    assert ours == theirs and ours["seed"] == 0 and "tensorflow" in ours
    assert comparable(Config(batch_size=64)) != ours


# Processes ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("how", ["workers", "replicas"])
def test_graphs_of_replicas_train_as_one_device(how, alone, tmp_path):
    """Two workers on 127.0.0.1; four replicas of one process."""
    program = "-m", "tests.training.replica_runs", tmp_path / "found.npz"
    names = FIVE if how == "workers" else ("sagan", "dscnn")
    if how == "workers":
        processes = [run(*program, 1, "graph", *names, environment=e) for e in cluster(2)]
    else:
        processes = [run(*program, 4, "graph", *names)]
    expected = alone(*names)
    finish(*processes)
    assert_near(dict(np.load(tmp_path / "found.npz")), expected)


@pytest.fixture
def scenes(tmp_path):
    """Random scenes, as an .npz and, with one other value, as another."""
    random = np.random.default_rng(0)
    lights = random.uniform(0.3, 1, (24, 3))
    images = (lights[:, None, None] * random.uniform(0.2, 1, (24, 16, 16, 3))).astype("float32")
    for name in ("scenes", "other"):
        np.savez(
            tmp_path / f"{name}.npz", images=images, illuminants=lights, fold=np.arange(24) % 2,
            camera=np.array(["a"] * 24), names=np.array([f"image{i}" for i in range(24)]),
        )  # fmt: skip
        images[3] *= 0.9
    return tmp_path


def script(folder, *arguments, data="scenes", environment=()):
    words = (
        f"{REPOSITORY}/train_dscnn.py --data {data}.npz --patch-size 16 --modules 1 "
        "--patches 96 --batch-size 16 --validation-share 0.25 --augment --protocols paper "
        "--epochs 12 --run-dir run --export None"
    )
    return run(*words.split(), *arguments, environment=environment, folder=folder)


def temporary(folder):
    """Of the environments, with a temporary folder to look into."""
    (folder / "tmp").mkdir(exist_ok=True)
    return {"TMPDIR": str(folder / "tmp")}


@pytest.mark.slow
def test_workers_that_differ_are_refused(scenes):
    first, second = cluster(2)
    pair = script(scenes, environment=first), script(scenes, "--seed=1", environment=second)
    for _, error in finish(*pair, code=2):
        assert error == (
            "keras_gans: error: worker 1 has other settings than worker 0 (seed is 1, there "
            "0); give all workers the same\n"
        )
    assert not (scenes / "run").exists()

    first, second = cluster(2)
    second |= temporary(scenes)
    pair = script(scenes, environment=first), script(scenes, data="other", environment=second)
    for _, error in finish(*pair, code=2):
        assert error.startswith("keras_gans: error: worker 1 has other data than worker 0 (SHA")
    assert not (scenes / "run").exists() and not [*(scenes / "tmp").iterdir()]


@pytest.mark.slow
def test_a_killed_worker_and_how_it_goes_on(scenes):
    log = scenes / "run" / "paper" / "metrics.jsonl"
    first, second = cluster(2)
    chief, worker = (script(scenes, environment=each) for each in (first, second))
    until = time.monotonic() + 300
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert chief.poll() is None and time.monotonic() < until
        time.sleep(0.01)
    worker.kill()
    [(_, error)] = finish(chief, code=2)
    assert error.count("\n") == 1 and "another worker has ended" in error
    finish(worker, code=-9)
    done = len(rows(log))
    assert 3 <= done < 12
    for count in (1, 4):  # copies of the run, before its own end changes it
        target = scenes / f"on-{count}"
        target.mkdir()
        subprocess.run(["cp", "-r", scenes / "run", scenes / "scenes.npz", target], check=True)
    first, second = (each | temporary(scenes) for each in cluster(2))
    pair = [script(scenes, "--resume", environment=each) for each in (first, second)]
    (output, _), (silent, _) = finish(*pair)
    assert f"going on after epoch {done}" in output and "epoch" not in silent.lower()
    assert not [*(scenes / "tmp").glob("keras_gans-*")]
    names = {path.name for path in scenes.iterdir()}
    assert names == {"run", "scenes.npz", "other.npz", "on-1", "on-4", "tmp"}

    processes = [script(scenes / f"on-{n}", "--resume", f"--replicas={n}") for n in (1, 4)]
    finish(*processes)
    names = ("run", "on-1/run", "on-4/run")
    theirs, *others = (checkpoint_values(scenes / n / "paper" / "checkpoints") for n in names)
    logs = [rows(scenes / name / "paper" / "metrics.jsonl") for name in names]
    for ours in others:
        assert ours.keys() == theirs.keys()
    for log in logs:
        assert [row["epoch"] for row in log] == [*range(1, 13)]
        assert log[:done] == logs[0][:done]
        assert log[done]["loss"] == pytest.approx(logs[0][done]["loss"], rel=0.01)


@pytest.mark.slow
def test_workers_whose_pictures_are_in_memory_and_on_disk(tmp_path):
    """The second reads its share from a file, and the training ends with the same bits."""
    random = np.random.default_rng(0)
    for part, kind, number in itertools.product(("train", "test"), ("bolt", "nut"), range(6)):
        path = tmp_path / "images" / part / kind / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), "u1")).save(path)
    words = (
        f"{REPOSITORY}/train_frgan.py --data images --image-size 16 --width 2 --latent 3 "
        "--generator-width 2 --labels 6 --batch-size 4 --epochs 2 --steps-per-epoch 3 "
        "--no-baseline --export None"
    )
    for name, limit in (("memory", "None"), ("disk", "0")):
        limits = (["--memory-limit", "None"], ["--memory-limit", limit])
        finish(*(
            run(*words.split(), "--run-dir", name, *each, environment=task, folder=tmp_path)
            for each, task in zip(limits, cluster(2))
        ))  # fmt: skip
    equal_checkpoints(*(tmp_path / name / "frgan/checkpoints" for name in ("memory", "disk")))
