"""A run is a folder: its settings, its figures, its pictures, its checkpoints."""

import dataclasses
import hashlib
import json
import platform
import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import filelock

from keras_gans import machine
from keras_gans.errors import InputError
from keras_gans.files import numbered, read_json, remove_leftovers, write_json

# where things lie and what is allowed, not what is computed
NOT_SETTINGS = ("resume", "run_dir", "export", "trust_vectors", "replicas", "memory_limit")


class RunFolder:
    """The folder of one run, held by this process alone until it ends.

    A new run gets `runs/<script>/<nnn>/`, or the folder its user names. With `resume` the
    newest run (or the folder named) is opened again, if its settings are the same. A context
    manager: it lets the folder go at its end (a killed process lets go by itself). In a
    training by several processes that is the chief's; the others have a temporary one each,
    which is removed at the end.

    Args:
        script: name of the train script, such as `"train_dscnn"`.
        config: the script's dataclass of settings; its fields `run_dir` (`Path` or `None`)
            and `resume` (bool) say which folder.
        root: where numbered folders are made.

    Attributes:
        path: the folder.
        config: as given.

    Raises:
        InputError: if the folder exists already (new run), does not exist or was made with
            other settings (resume), is in use by another process, or cannot be written.
    """

    def __init__(self, script, config, root="runs"):
        from keras_gans.training.distribute import is_chief

        settings = to_json(config)
        self.config = config
        self.path = config.run_dir
        self._follows = not is_chief()
        try:
            if self._follows:
                self._follow(Path(root) / script, settings)
            elif config.resume:
                self.path = self.path or newest(Path(root) / script)
                self._check(settings)
                self._lock()
                remove_leftovers(self.path.rglob(".*.part"))
            else:
                self.path = self._make(Path(root) / script)
                self._lock()
                self._write(settings)
        except OSError as error:
            raise InputError(
                f"{error.filename or self.path}: cannot be written ({error.strerror}); choose "
                "another folder with --run-dir"
            ) from error

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if self._follows:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        self._held.release()
        # bad input found after this process made the folder, before anything was trained
        trained = any(self.path.rglob("checkpoints/checkpoint"))
        if error is InputError and not self.config.resume and not trained:
            shutil.rmtree(self.path)

    def export(self, write: Callable[..., Sequence[Path]], *trained) -> None:
        """Exports what was trained, if `--export` asks for it and it is not done yet.

        Args:
            write: function of this run and `trained` that writes the models, and returns the
                folders of their SavedModels.
            *trained: what it needs.
        """
        if self.config.export is None or self._follows:
            return
        done = self.path / "exported.json"
        folders = [Path(str(each)) for each in read_json(done, list)] if done.exists() else []
        asked = self.config.export.resolve()
        if folders and all(each.is_dir() and asked in each.parents for each in folders):
            print("exported before:", *folders)
            return
        folders = write(self, *trained)
        print("SavedModel:", *folders)
        write_json(done, [str(folder.resolve()) for folder in folders])

    def model_card(self, trained_on: str, figures: dict, **more) -> dict:
        """What an exported model tells of itself, as a dict for its `model.json`.

        Args:
            trained_on: str, the data.
            figures: dict, what was measured.
            **more: further entries.
        """
        hints = get_type_hints(type(self.config))  # paths are of this machine: left out
        paths = {name for name, hint in hints.items() if Path in (hint, *get_args(hint))}
        settings = to_json(self.config)
        return {
            "trained_on": trained_on,
            "test_figures": figures,
            "settings": {name: settings[name] for name in settings if name not in paths},
            "run": read_json(self.path / "config.json", dict).get("run"),
            **more,
        }

    def _make(self, parent):
        if self.path is not None:
            if self.path.exists():
                run = (self.path / "config.json").exists()
                mend = "; go on with it by --resume, or" if run else " and is no run;"
                raise InputError(f"{self.path}: exists already{mend} name another --run-dir")
            self.path.mkdir(parents=True)
            return self.path
        parent.mkdir(parents=True, exist_ok=True)
        number = max(numbered(parent), default=0) + 1
        while True:  # another process may take the same number
            path = parent / f"{number:03d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1

    def _write(self, settings):
        known = {"settings": settings, "environment": environment(), "run": uuid.uuid4().hex}
        write_json(self.path / "config.json", known)

    def _follow(self, parent, settings):
        """A folder for a while, with what the run had stored for its going on."""
        folder = Path(tempfile.mkdtemp(prefix="keras_gans-"))
        if self.config.resume:
            self.path = self.path or newest(parent)
            self._check(settings)
            left = shutil.ignore_patterns("checkpoints", "samples", "tensorboard", "lock", ".*")
            shutil.copytree(self.path, folder, ignore=left, dirs_exist_ok=True)
        self.path = folder
        if not self.config.resume:
            self._write(settings)

    def _lock(self):
        path = self.path / "lock"
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(f"{path}: not the lock of a run; remove it")
        self._held = filelock.FileLock(path)
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
        if not path.exists():
            raise InputError(f"{self.path}: not a run; name one, or start without --resume")
        recorded = read_json(path, dict)
        before = recorded.get("settings")
        if not isinstance(before, dict):
            raise InputError(f"{path}: not the settings of a run; start it without --resume")
        changed = [
            f"--{key.replace('_', '-')} was {before.get(key)!s:.60}, now {settings.get(key)}"
            for key in sorted({*before, *settings})
            if before.get(key) != settings.get(key)
        ]
        if changed:
            raise InputError(
                f"{self.path}: made with other settings ({'; '.join(changed)[:500]}); give the "
                "same ones, or start a new run without --resume"
            )
        if recorded.get("environment") != environment():
            print(f"note: {self.path} was begun on another machine or with other versions; "
                  "its last bits may differ from those of an uninterrupted run")  # fmt: skip


def newest(parent: Path) -> Path:
    """The newest numbered run below `parent` (raises `InputError` if there is none)."""
    runs = numbered(parent)
    if not runs:
        raise InputError(f"{parent}: no run to resume; start one without --resume")
    return runs[max(runs)]


def fingerprint(folder: Path) -> str:
    """What the checkpoints of a training are known by: its run's settings and its name.

    Args:
        folder: of the training, inside a run's folder. Outside one, the name alone counts.

    Raises:
        InputError: the run's config.json is damaged.
    """
    run = next((each for each in folder.parents if (each / "config.json").is_file()), None)
    settings = read_json(run / "config.json", dict).get("settings") if run else None
    name = folder.relative_to(run).as_posix() if run else folder.name
    return hashlib.sha256(json.dumps([settings, name], sort_keys=True).encode()).hexdigest()


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


def comparable(config) -> dict:
    """What all processes of a training must have alike: settings but for paths, versions."""
    paths = {
        name for name, hint in get_type_hints(type(config)).items() if Path in _parts(hint)
    }
    known = {name: value for name, value in to_json(config).items() if name not in paths}
    return known | {name: environment()[name] for name in ("tensorflow", "keras")}


def _parts(hint):
    return hint, *(part for each in get_args(hint) for part in _parts(each))


def to_json(config) -> dict:
    """The settings of a config dataclass as JSON values, without `NOT_SETTINGS`."""
    values = dataclasses.asdict(config)
    for key in NOT_SETTINGS:
        values.pop(key, None)
    return json.loads(json.dumps(values, default=str))
