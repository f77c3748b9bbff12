"""A model's README: what it does, on what it was trained, its figures, limits and files."""

from collections.abc import Iterable
from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from keras_gans.export.flatbuffer import metadata as facts_of
from keras_gans.files import replacing

FIGURES = ("test_figures", "held_out_errors_degrees")  # of a description
CARD = "README.md"


def write_card(version: Path, description: dict, files: Iterable[Path]) -> Path:
    """Writes `README.md` beside a SavedModel's version.

    Args:
        version: the SavedModel's folder.
        description: what its `model.json` holds; of it `trained_on`, `license`, `limits` (a
            list of sentences) and the `FIGURES` are told.
        files: the TFLite files, see `flatbuffer.metadata`.

    Raises:
        InputError: the folder cannot be written.
    """
    facts = {path.name: (path, facts_of(path)) for path in files}
    tasks = dict.fromkeys(about["task"] for _, about in facts.values())
    trained_on = description.get("trained_on", "data that is not told")
    limits = description.get("limits", ["Measured on no other data than is named here."])
    lines = [f"# {version.parent.name}, version {version.name}", "", *tasks, ""]
    lines += [f"- Trained on: {trained_on}"]
    lines += [f"- Licence: {description['license']}"] if "license" in description else []
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in limits), ""]
    for name in FIGURES:
        if name in description:
            title = name.replace("_", " ")
            rows = [(key.replace("_", " "), value) for key, value in description[name].items()]
            lines += ["## Figures", "", *_table((title, "value"), rows), ""]
    lines += ["## Files", ""]
    rows = [
        (
            name,
            f"{path.stat().st_size / 1000:.0f}",
            _ends(about, "inputs"),
            _ends(about, "outputs"),
        )
        for name, (path, about) in facts.items()
    ]
    lines += [*_table(("file", "kB", "takes", "gives"), rows), ""]
    if (version / "saved_model.pb").exists():
        lines += [f"`{version.name}/` is a SavedModel. Its signatures:", ""]
        lines += [*_table(("signature", "takes", "gives"), _signatures(version)), ""]
    with replacing(version.parent / CARD) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return version.parent / CARD


def _table(head, rows):
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in rows:
        cells = (f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row)
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _ends(about, kind):
    return "; ".join(
        f"`{name}` {each['type']} ({_sizes(each['shape'])}), {each['values']}"
        for name, each in about[kind].items()
    )


def _sizes(shape):
    return ", ".join("any" if size is None else str(size) for size in shape)


def _signatures(version):
    model = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    for name, signature in sorted(model.meta_graphs[0].signature_def.items()):
        if not name.startswith("__"):
            yield (
                f"`{name}`",
                *(
                    ", ".join(f"`{end}`" for end in sorted(ends))
                    for ends in (signature.inputs, signature.outputs)
                ),
            )
