"""SavedModels in the layout TensorFlow Serving watches: `NAME/VERSION/`."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import keras

from keras_gans.errors import InputError


def export_saved_model(base, track, endpoints, metadata):
    """Writes a model as the next version below `base`.

    The version appears complete or not at all: a server that watches `base` never sees half
    of it.

    Args:
        base: folder `NAME`, made if missing; the version is the next free number in it.
        track: `keras.Model` whose weights the endpoints use.
        endpoints: dict signature name -> (function, list of `tf.TensorSpec`). A function
            takes the tensors in that order and returns a dict of tensors. The server's
            default is `serving_default`.
        metadata: what can be written as JSON; lies in `assets.extra/model.json`, which the
            server ignores.

    Returns:
        `Path` of the version's folder.

    Raises:
        InputError: if `base` cannot be written.
    """
    with output_folder(base) as (base, temporary):
        archive = keras.export.ExportArchive()
        archive.track(track)
        for name, (function, signature) in endpoints.items():
            archive.add_endpoint(name, function, signature)
        model = temporary / "model"
        archive.write_out(model, verbose=False)
        extra = model / "assets.extra"
        extra.mkdir()
        text = json.dumps(metadata, indent=2, ensure_ascii=False)
        (extra / "model.json").write_text(text + "\n", encoding="utf-8")
        return _rename_to_next_version(model, base)


@contextlib.contextmanager
def output_folder(base):
    """Makes `base` and a hidden folder in it, gives both as `Path`, removes the hidden one.

    What is finished in the hidden folder reaches its place by a rename.

    Raises:
        InputError: if `base` cannot be written; also for an `OSError` of the body.
    """
    base = Path(base)
    try:
        base.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".export-", dir=base))
        try:
            yield base, temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{base}: cannot be written ({error.strerror or error}); name another folder"
        ) from error


def _rename_to_next_version(model, base):
    numbers = [int(child.name) for child in base.iterdir() if child.name.isdigit()]
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
