"""What the tests of the training scripts share: a run is read, waited for, killed."""

import json
import subprocess
import time

import tensorflow as tf


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
