"""SavedModels in the layout TensorFlow Serving watches: `NAME/VERSION/`."""

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import keras

from keras_gans.errors import InputError

LOCK = "lock"  # in a hidden folder, as long as its maker lives


def export_saved_model(
    base: str | os.PathLike,
    track: keras.Model,
    endpoints: dict[str, tuple[Callable, list]],
    metadata: dict,
) -> Path:
    """Writes a model as the next version below `base`, complete or not at all.

    Args:
        base: folder `NAME`, made if missing; the version is the next free number in it.
        track: the model whose weights the endpoints use.
        endpoints: signature name -> (function, list of `tf.TensorSpec`). A function takes
            the tensors in that order and returns named tensors. `serving_default` is the
            server's default.
        metadata: written as JSON to `assets.extra/model.json`, which the server ignores.

    Returns:
        The version's folder.

    Raises:
        InputError: `base` cannot be written.
    """
    with output_folder(base) as (base, temporary), tempfile.TemporaryDirectory() as scratch:
        archive = keras.export.ExportArchive()
        archive.track(track)
        for name, (function, signature) in endpoints.items():
            archive.add_endpoint(name, function, signature)
        # not at once into the folder: TensorFlow writes to names in UTF-8 alone
        written = Path(scratch) / "model"
        archive.write_out(written, verbose=False)
        model = shutil.copytree(written, temporary / "model")
        extra = model / "assets.extra"
        extra.mkdir()
        text = json.dumps(metadata, indent=2, ensure_ascii=False)
        (extra / "model.json").write_text(text + "\n", encoding="utf-8")
        return _rename_to_next_version(model, base)


@contextlib.contextmanager
def output_folder(base: str | os.PathLike) -> Iterator[tuple[Path, Path]]:
    """Makes `base` and a hidden folder in it, gives both, removes the hidden one at the end.

    What is finished in the hidden folder reaches its place by a rename. What processes that
    were killed left in `base` is removed.

    Raises:
        InputError: `base` cannot be written, or an `OSError` of the body.
    """
    base = Path(base)
    try:
        base.mkdir(parents=True, exist_ok=True)
        for left in base.glob(".export-*"):
            _remove_unless_in_use(left)
        temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=base))
        try:
            with filelock.FileLock(temporary / LOCK):
                yield base, temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{base}: cannot be written ({error.strerror or error}); name another folder"
        ) from error


def _remove_unless_in_use(folder):
    """Removes a hidden folder whose maker no longer holds its lock."""
    lock = folder / LOCK
    if folder.is_symlink() or lock.is_symlink() or not lock.is_file():
        return
    with contextlib.suppress(filelock.Timeout, OSError), filelock.FileLock(lock, timeout=0):
        shutil.rmtree(folder, ignore_errors=True)


def _rename_to_next_version(model, base):
    names = (child.name for child in base.iterdir())
    numbers = [int(name) for name in names if re.fullmatch("[0-9]{1,18}", name)]
    version = max(numbers, default=0) + 1
    while True:  # another process may take the same number
        target = base / str(version)
        try:
            os.rename(model, target)
            return target
        except OSError:
            if not target.exists():
                raise
            version += 1
