"""What the tests of the training scripts share: a run is read, waited for, killed."""

import contextlib
import functools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.training.model import StepModel
from keras_gans.training.settings import command_line

REPOSITORY = Path(__file__).parents[1]

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [f"train_{room}" for room in ("dscnn", "defectgan", "frgan", "okdgan", "text2image")]
)
PROGRAM = """
import importlib, os
from keras_gans.training.settings import command_line
script = importlib.import_module(module)
os.chdir(folder)
for stream, kind in ((1, "out"), (2, "err")):
    os.dup2(os.open(f"{name}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
script.main(command_line(script.Config, arguments))
"""


def checkpoint_values(folder):
    """All values of a run's newest checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(folder))
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names}


class Process:
    """A training script in a process of its own, in a folder; it need not import anew.

    What it prints goes to NAME.out and NAME.err in the folder.
    """

    def __init__(self, module, folder, name, *arguments):
        self.folder, self.name = folder, name
        words = " ".join(map(str, arguments)).split()
        known = {"module": module, "folder": str(folder), "name": name, "arguments": words}
        self.process = SERVER.Process(target=exec, args=(PROGRAM, known))
        self.process.start()

    def wait_for(self, condition):
        """Waits until a condition holds, which must be before the process ends."""
        until = time.monotonic() + 300
        while not condition():
            assert self.process.exitcode is None, "the run ended too early"
            assert time.monotonic() < until
            time.sleep(0.005)

    def kill(self):
        self.process.kill()
        self.process.join()

    def copy(self, run, copy):
        """Copies its run's folder as it lies on the disk now: what a SIGKILL would leave."""
        os.kill(self.process.pid, signal.SIGSTOP)
        shutil.copytree(self.folder / run, self.folder / copy)
        os.kill(self.process.pid, signal.SIGCONT)

    def finish(self):
        """Waits for its end, which must be a good one; what it has printed."""
        self.process.join()
        assert self.process.exitcode == 0, (self.folder / f"{self.name}.err").read_text()
        return (self.folder / f"{self.name}.out").read_text()


def equal_checkpoints(one, other):
    """The values of two runs' newest checkpoints, which must be the same to the bit."""
    ours, theirs = checkpoint_values(one), checkpoint_values(other)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    return theirs


def rows(path):
    """The rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_json(*parts):
    path, *names = parts
    return json.loads(path.joinpath(*names).read_text())


def sooner(module, monkeypatch):
    """Lets a script run in this process.

    Without repeatable bits: TensorFlow would keep them switched on. GANs without
    graphs: the few steps of a test are done sooner than traced.
    """
    monkeypatch.setattr(module, "set_up", lambda deterministic: None)
    compile_eager = functools.partialmethod(StepModel.compile, run_eagerly=True)
    monkeypatch.setattr(StepModel, "compile", compile_eager)


def run_here(module, folder, name, *arguments):
    """A run of few steps in this process, in a folder; it prints to NAME.out there."""
    words = " ".join(map(str, arguments)).split()
    with pytest.MonkeyPatch.context() as patch, (folder / f"{name}.out").open("w") as out:
        sooner(module, patch)
        compile_eager = functools.partialmethod(keras.Model.compile, run_eagerly=True)
        patch.setattr(keras.Model, "compile", compile_eager)
        patch.chdir(folder)
        with contextlib.redirect_stdout(out):
            module.main(command_line(module.Config, words))


def killed(module, folder, training, *arguments):
    """A run in a process, whose folder is `whole`, that was never interrupted.

    `parts`: what a SIGKILL after the first checkpoint of a training would have left of it.
    """
    process = Process(module, folder, "whole", *arguments, "--run-dir whole")
    process.wait_for((folder / "whole" / training / "checkpoints" / "checkpoint").exists)
    process.copy("whole", "parts")
    process.finish()
    return folder


class Script:
    """A script or a study in this process, as `sooner` says."""

    def __init__(self, module, config_class, monkeypatch, capsys):
        sooner(module, monkeypatch)
        self.module, self.config_class, self.capsys = module, config_class, capsys

    def settings(self, *arguments):
        """The settings that a command line gives; by default nothing is exported."""
        words = " ".join(map(str, ["--export None", *arguments])).split()
        return command_line(self.config_class, words)

    def start(self, *arguments):
        """Runs it; what it has printed."""
        self.module.main(self.settings(*arguments))
        return self.capsys.readouterr().out

    def refused(self, *arguments):
        """What it says when it ends at once."""
        with pytest.raises(SystemExit) as exit_:
            self.start(*arguments)
        assert exit_.value.code == 2
        error = self.capsys.readouterr().err
        assert error.startswith("keras_gans: error: ") and error.count("\n") == 1
        return error


def helps_at_once(*command):
    """Whether a command answers `--help` and a wrong setting without TensorFlow and Keras."""
    program = (
        "import sys, runpy\n"
        "sys.modules.update(tensorflow=None, keras=None)\n"  # an import of them now fails
        "module, *words = sys.argv[1:]\n"
        "run = runpy.run_path if module.endswith('.py') else runpy.run_module\n"
        "for argument, code in ('--help', 0), ('--seed=-1', 2):\n"
        "    sys.argv = [module, *words, argument]\n"
        "    try:\n"
        "        run(module, run_name='__main__')\n"
        "    except SystemExit as exit_:\n"
        "        assert exit_.code == code, (argument, exit_.code)\n"
        "    else:\n"
        "        assert code == 0, argument\n"
    )
    words = [sys.executable, "-c", program, *command]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return True
