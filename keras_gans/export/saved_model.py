"""SavedModels in the layout TensorFlow Serving watches: `NAME/VERSION/`."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.export.warmup import write_warmup
from keras_gans.files import numbered, read_json, remove_leftovers, unfinished


def export_saved_model(
    base: str | os.PathLike,
    network: keras.Model,
    endpoints: dict[str, tuple[Callable, list]],
    metadata: dict,
    resources: Sequence[tf.Module] = (),
    examples: dict[str, dict[str, np.ndarray]] | None = None,
) -> Path:
    """Writes a model as the next version below `base`, complete or not at all.

    Args:
        base: folder `NAME`, made if missing; the version is the next free number in it.
        network: the model whose weights the endpoints use. In the loaded model `weights` are
            those of `network.get_weights()`, in the same order.
        endpoints: signature name -> (function, list of `tf.TensorSpec`). A function takes
            the tensors in that order and returns named tensors. `serving_default` is the
            server's default.
        metadata: written as JSON to `assets.extra/model.json`, which the server ignores. A
            run that was killed while it exported finds what it has written by "run".
        resources: modules with lookup tables that the endpoints use.
        examples: signature name -> inputs by name, with which the server warms up: written
            to `assets.extra/tf_serving_warmup_requests`.

    Returns:
        The version's folder.

    Raises:
        InputError: `base` cannot be written.
    """
    with output_folder(base) as (base, temporary), tempfile.TemporaryDirectory() as scratch:
        newest = max(numbered(base).items(), default=(0, base))[1]
        if metadata.get("run") and metadata["run"] == _run_of(newest):
            return newest
        archive = keras.export.ExportArchive()
        # not `track`: that stores every weight of a network a second time
        archive.add_variable_collection("weights", [w.value for w in network.weights])
        for resource in resources:
            archive.track(resource)
        for name, (function, signature) in endpoints.items():
            archive.add_endpoint(name, function, signature)
        # not at once into the folder: TensorFlow writes to names in UTF-8 alone
        written = Path(scratch) / "model"
        try:
            archive.write_out(written, verbose=False)
        except tf.errors.OpError as error:  # the disk is full
            raise OSError(error.message.partition(";")[0][:200]) from None
        model = shutil.copytree(written, temporary / "model")
        extra = model / "assets.extra"
        extra.mkdir()
        text = json.dumps(metadata, indent=2, ensure_ascii=False)
        (extra / "model.json").write_text(text + "\n", encoding="utf-8")
        write_warmup(extra / "tf_serving_warmup_requests", base.name, examples or {})
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
        remove_leftovers(base.iterdir())
        temporary = unfinished(base / "export")
        temporary.mkdir()
        try:
            yield base, temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"{base}: cannot be written ({error.strerror or error}); name another folder"
        ) from error


def _run_of(version):
    try:
        return read_json(version / "assets.extra" / "model.json", dict).get("run")
    except InputError:
        return None


def _rename_to_next_version(model, base):
    version = max(numbered(base), default=0) + 1
    while True:  # another process may take the same number
        target = base / str(version)
        try:
            os.rename(model, target)
            return target
        except OSError:
            if not target.exists():
                raise
            version += 1
