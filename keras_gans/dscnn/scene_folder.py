"""A folder of linear images and a CSV of illuminants."""

from pathlib import Path

from keras_gans.data.folders import list_images, visible
from keras_gans.data.images import read_linear
from keras_gans.data.tables import read_rows, whole_number
from keras_gans.dscnn.scenes import (
    LazyImages,
    Scenes,
    check_file,
    checked_scenes,
    folds_in_runs,
)
from keras_gans.errors import InputError

COLUMNS, OPTIONAL = ("name", "r", "g", "b"), ("fold", "camera")


def load_folder(path: Path) -> Scenes:
    """Loads linear 16-bit PNG or TIFF images and their illuminants from a CSV beside them.

    The CSV's first line names its columns: `name` (file name, with or without its
    suffix), `r`, `g`, `b` (the light's colour, any scale), and, if wanted, `fold` (0, 1,
    ...: the fold in which the image is held out) and `camera` (images of one camera share
    a colour space). Without `fold` every camera's images, sorted by name, are cut into
    three runs of equal length, so that pictures taken one after the other stay together.
    The values are linear by the layout of the set: profiles in the files are not asked.

    Args:
        path: folder with one `.csv` file.

    Returns:
        `Scenes` named after the folder, which reads an image at every access.

    Raises:
        InputError: no image, no CSV or several; unknown or missing column; image without
            label, label without image, name given twice; a colour that is not three
            positive numbers; 8-bit or truncated image. At access: all-black image.
    """
    path = Path(path)
    if not visible(path):
        raise InputError(f"{path}: the folder is empty")
    tables = sorted(path.glob("*.csv"))
    if len(tables) != 1:
        received = ", ".join(table.name for table in tables) or "none"
        raise InputError(
            f"{path}: one CSV of illuminants (columns name, r, g, b) expected, got "
            f"{received}; or the Color Checker's real_illum_568..mat, or an .npz"
        )
    images = sorted(list_images(path), key=lambda image: image.name)
    table = tables[0]
    rows = _read_labels(table, images)
    missing = [image.name for image in images if image not in rows]
    if missing:
        raise InputError(
            f"{table}: {len(rows)} labels for {len(images)} images, none for {missing[0]}: "
            "add its row or remove the image"
        )
    for image in images:
        check_file(image)

    rows = [rows[image] for image in images]
    cameras = [row.get("camera") or "camera" for row in rows]
    if "fold" in rows[0]:
        folds = [row["fold"] for row in rows]
    else:
        folds = folds_in_runs(cameras)
    illuminants = [row["illuminant"] for row in rows]
    names = [image.name for image in images]
    lazy = LazyImages(images, lambda index: read_linear(images[index]))
    return checked_scenes(path.resolve().name, lazy, illuminants, folds, cameras, names, table)


def _read_labels(table, images):
    """The CSV's rows by image: {path: {"illuminant", ["fold"], ["camera"]}}."""
    files = {}
    for image in images:
        for key in {image.name, image.stem}:
            files.setdefault(key, []).append(image)
    rows = {}
    columns, found = read_rows(table, COLUMNS, OPTIONAL)
    unknown = [name for name in columns if name not in (*COLUMNS, *OPTIONAL)]
    if unknown:
        raise InputError(
            f"{table}: columns {', '.join(COLUMNS)} expected, {' and '.join(OPTIONAL)} "
            f"allowed. Received: {unknown[0]}"
        )
    for where, row in found:
        matches = files.get(row["name"], [])
        if not matches:
            raise InputError(f"{where}: no image named {row['name']!r}: correct the name")
        if len(matches) > 1:
            both = " and ".join(image.name for image in matches)
            raise InputError(f"{where}: {row['name']!r} may be {both}: add the suffix")
        if matches[0] in rows:
            raise InputError(f"{where}: a second label for {row['name']!r}: keep one of them")
        rows[matches[0]] = _parse_row(row, where)
    return rows


def _parse_row(row, where):
    try:
        parsed = {"illuminant": [float(row[channel]) for channel in "rgb"]}
    except ValueError:
        received = ", ".join(row[channel] for channel in "rgb")
        raise InputError(f"{where}: r, g, b must be numbers, got {received}") from None
    if "fold" in row:
        parsed["fold"] = whole_number(row["fold"], "fold", where)
    return parsed | {"camera": row.get("camera", "")}
