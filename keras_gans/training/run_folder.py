"""A run is a folder: its settings, its figures, its pictures, its checkpoints."""

import dataclasses
import json
import platform
import shutil
from pathlib import Path
from typing import get_args, get_type_hints

import filelock

from keras_gans import machine
from keras_gans.errors import InputError
from keras_gans.files import write_json

# where things lie and what is allowed, not what is computed
NOT_SETTINGS = ("resume", "run_dir", "export", "trust_vectors")


class RunFolder:
    """The folder of one run, held by this process alone until it ends.

    A new run gets `runs/<script>/<nnn>/`, or the folder its user names. With `resume` the
    newest run (or the folder named) is opened again, if its settings are the same. A context
    manager: it lets the folder go at its end (a killed process lets go by itself).

    Args:
        script: name of the train script, such as `"train_dscnn"`.
        config: the script's dataclass of settings; its fields `run_dir` (`Path` or `None`)
            and `resume` (bool) say which folder.
        root: where numbered folders are made.

    Attributes:
        path: the folder.

    Raises:
        InputError: if the folder exists already (new run), does not exist or was made with
            other settings (resume), is in use by another process, or cannot be written.
    """

    def __init__(self, script, config, root="runs"):
        settings = to_json(config)
        self.path = config.run_dir
        try:
            if config.resume:
                self.path = self.path or newest(Path(root) / script)
                self._check(settings)
                self._lock()
            else:
                self.path = self._make(Path(root) / script)
                self._lock()
                write_json(
                    self.path / "config.json",
                    {"settings": settings, "environment": environment()},
                )
        except OSError as error:
            raise InputError(
                f"{error.filename or self.path}: cannot be written ({error.strerror}); choose "
                "another folder with --run-dir"
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        self._held.release()
        # bad input found after the folder was made, before anything was trained
        if error is InputError and not any(self.path.rglob("checkpoints/checkpoint")):
            shutil.rmtree(self.path)

    def _make(self, parent):
        if self.path is not None:
            if self.path.exists():
                raise InputError(
                    f"{self.path}: exists already; go on with it by --resume, or name another "
                    "--run-dir"
                )
            self.path.mkdir(parents=True)
            return self.path
        parent.mkdir(parents=True, exist_ok=True)
        numbers = [int(child.name) for child in parent.iterdir() if child.name.isdigit()]
        number = max(numbers, default=0) + 1
        while True:  # another process may take the same number
            path = parent / f"{number:03d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1

    def _lock(self):
        self._held = filelock.FileLock(self.path / "lock")
        try:
            self._held.acquire(timeout=0)
        except filelock.Timeout:
            raise InputError(
                f"{self.path}: another process is training in this folder; wait for it, or "
                "name another --run-dir"
            ) from None

    def _check(self, settings):
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such run; start it without --resume")
        path = self.path / "config.json"
        try:
            recorded = json.loads(path.read_text())
            before = recorded["settings"]
        except (OSError, ValueError, KeyError):
            raise InputError(
                f"{path}: not the settings of a run; start it without --resume"
            ) from None
        changed = [
            f"--{key.replace('_', '-')} was {before.get(key)}, now {settings.get(key)}"
            for key in sorted({*before, *settings})
            if before.get(key) != settings.get(key)
        ]
        if changed:
            raise InputError(
                f"{self.path}: made with other settings ({'; '.join(changed)}); give the same "
                "ones, or start a new run without --resume"
            )
        if recorded.get("environment") != environment():
            print(f"note: {self.path} was begun on another machine or with other versions; "
                  "its last bits may differ from those of an uninterrupted run")  # fmt: skip


def newest(parent: Path) -> Path:
    """The newest numbered run below `parent` (raises `InputError` if there is none)."""
    runs = [p for p in parent.iterdir() if p.name.isdigit()] if parent.is_dir() else []
    if not runs:
        raise InputError(f"{parent}: no run to resume; start one without --resume")
    return max(runs, key=lambda path: int(path.name))


def environment() -> dict:
    """What the bits of a run depend on beside its settings."""
    import keras
    import tensorflow as tf

    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "cores": machine.cores(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "onednn": machine.onednn(),
    }


def to_json(config) -> dict:
    """The settings of a config dataclass as JSON values, without `NOT_SETTINGS`."""
    values = dataclasses.asdict(config)
    for key in NOT_SETTINGS:
        values.pop(key, None)
    return json.loads(json.dumps(values, default=str))


def model_card(config, trained_on: str, figures: dict, **more) -> dict:
    """What an exported model tells of itself, as a dict for its `model.json`.

    Args:
        config: the script's dataclass; its paths are left out, they are of this machine.
        trained_on: str, the data.
        figures: dict, what was measured.
        **more: further entries.
    """
    hints = get_type_hints(type(config))
    paths = {name for name, hint in hints.items() if Path in (hint, *get_args(hint))}
    settings = {name: value for name, value in to_json(config).items() if name not in paths}
    return {"trained_on": trained_on, "test_figures": figures, "settings": settings, **more}
