"""What the tests of the training scripts share: a run is read, waited for, killed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from keras_gans.training.settings import command_line

REPOSITORY = Path(__file__).parents[1]


def checkpoint_values(folder):
    """All values of a run's newest checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(folder))
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names}


def wait_for(condition, process):
    """Waits until a condition holds, which must be before the process ends."""
    until = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)


def kill_when(condition, command, folder):
    """Starts a command in a folder, and kills it as soon as a condition holds."""
    quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with subprocess.Popen(command, cwd=folder, **quiet) as process:
        wait_for(condition, process)
        process.kill()


def rows(path):
    """The rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_json(*parts):
    path, *names = parts
    return json.loads(path.joinpath(*names).read_text())


class Script:
    """A script or a study in this process.

    Without repeatable bits: TensorFlow would keep them switched on.
    """

    def __init__(self, module, config_class, monkeypatch, capsys):
        monkeypatch.setattr(module, "set_up", lambda deterministic: None)
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
        "module, sys.argv = sys.argv[1], sys.argv[1:]\n"
        "run = runpy.run_path if module.endswith('.py') else runpy.run_module\n"
        "run(module, run_name='__main__')\n"
    )
    for argument, code in (("--help", 0), ("--seed=-1", 2)):
        words = [sys.executable, "-c", program, *command, argument]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    return True
