"""Real photographs with known lights: the three layouts that can be trained on; and photos
of unknown light, on which lights are put.

`load_scenes` looks at what lies at a path and reads the reprocessed Color Checker, an
`.npz` of small images, or a folder of linear images with a CSV of illuminants. All labels
and the start and end of every image file are checked here, before any training; pixels
are read when an image is asked for.
"""

import csv
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
import tifffile
from PIL import Image, ImageDraw

from keras_gans.data.images import bit_depth, list_images, read_linear, read_png16, read_srgb
from keras_gans.data.squares import area_average
from keras_gans.dscnn.scenes import Scenes
from keras_gans.errors import InputError

# Values of the two cameras in the Color Checker's 12-bit PNGs. Black levels: Shi & Funt's
# page of the set. White level: the value at which both saturate, as measured by Barron &
# Tsai's FFCC (github.com/google/ffcc, GehlerShiSensor.m); 4095 is never reached.
BLACK_LEVELS = {"Canon1D": 0, "Canon5D": 129}
WHITE_LEVEL = 3692

CSV_COLUMNS = ("name", "r", "g", "b", "fold", "camera")


def load_scenes(path):
    """Loads a set of scenes, in whichever of the three layouts it is.

    - A folder with `real_illum_568..mat`: see `load_color_checker`.
    - An `.npz` file, or a folder that holds one and no CSV: see `load_npz`.
    - Any other folder: see `load_folder`.

    Args:
        path: the folder or file.

    Returns:
        `Scenes`.

    Raises:
        InputError: nothing there, or what the layout's own loader finds.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file():
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path}: a folder or an .npz file is expected")
        return load_npz(path)
    if _find(path, "real_illum*.mat") or _find(path, "*_macbeth.txt"):
        return load_color_checker(path)
    archives = sorted(path.glob("*.npz"))
    if len(archives) == 1 and not any(path.glob("*.csv")):
        return load_npz(archives[0])
    return load_folder(path)


# Reprocessed Color Checker --------------------------------------------------------------


def load_color_checker(path):
    """Loads the reprocessed Color Checker (Shi & Funt, 2010, after Gehler et al., 2008).

    The layout is the published one; sub-folders, such as
    `cs/chroma/data/canon_dataset/568_dataset/png/`, may be named in any way:

    - `8D5U*.png` (Canon 1D) and `IMG_*.png` (Canon 5D): 12-bit linear values in 16 bits.
    - `real_illum_568..mat`: `real_rgb` (N, 3) in the order of the sorted file names.
    - `NAME_macbeth.txt` for every image, from Gehler's page: width and height of the frame
      that the coordinates refer to (the raw file, about twice the PNG), then the four
      outer corners of the colour chart, then those of its patches (not read).
    - `threefoldCVsplit.mat`, from Gehler's page, if it is there: the three folds that
      papers use. Without it every camera's images, sorted by name, are cut into three
      runs, so that pictures of one place stay in one fold; that is our reading.

    Images are (value - black level) / (3692 - black level), clipped to [0, 1], with the
    chart's outline filled with zeros.

    Args:
        path: folder.

    Returns:
        `Scenes` named "reprocessed Color Checker", which reads an image at every access.

    Raises:
        InputError: label file missing, unreadable or of another length than there are
            images; image twice, truncated, not 16-bit; chart file missing or damaged;
            folds that do not hold every image once; zero or NaN illuminant. At access:
            all-black image, chart file that belongs to a picture lying the other way.
    """
    path = Path(path)
    found = _find(path, "8D5U*.png") + _find(path, "IMG_*.png")
    images = sorted(found, key=lambda image: image.stem)
    if not images:
        raise InputError(f"{path}: no 8D5U*.png or IMG_*.png: unpack the set's images there")
    _check_unique([image.stem for image in images], images)

    labels = _only(path, "real_illum*.mat", "the ground truth, real_illum_568..mat")
    illuminants = _mat_variables(labels, "real_rgb")["real_rgb"]
    if illuminants.shape[1:] != (3,) or illuminants.dtype.kind not in "fiu":
        raise InputError(
            f"{labels}: numbers real_rgb (N, 3) expected, got {illuminants.dtype} "
            f"{illuminants.shape}: restore the published file"
        )
    if len(illuminants) != len(images):
        raise InputError(
            f"{labels}: {len(illuminants)} illuminants for {len(images)} images in {path}: "
            "they are matched by the order of the names, so the set must be complete"
        )

    files = {file.name: file for file in _find(path, "*_macbeth.txt")}
    charts = []
    for image in images:
        name = f"{image.stem}_macbeth.txt"
        if name not in files:
            raise InputError(f"{image}: no {name} with its chart's corners under {path}")
        charts.append(_read_chart(files[name]))
    for image in images:
        _check_file(image)

    names = [image.stem for image in images]
    cameras = ["Canon1D" if name.startswith("8D5U") else "Canon5D" for name in names]
    splits = _find(path, "threefoldCVsplit.mat")
    folds = _published_folds(splits[0], names) if splits else _folds_in_runs(cameras)

    def read(index):
        raw = read_png16(images[index])
        return _color_checker_image(images[index], raw, cameras[index], charts[index])

    name, lazy = "reprocessed Color Checker", _Images(images, read)
    return _scenes(name, lazy, illuminants, folds, cameras, names, labels)


def _color_checker_image(path, raw, camera, chart):
    """Black level, white level and chart: uint16 (H, W, 3) to float32 in [0, 1]."""
    (frame_width, frame_height), corners = chart
    height, width = raw.shape[:2]
    if (frame_width > frame_height) != (width > height):
        raise InputError(
            f"{path}: {width} x {height} pixels, but its _macbeth.txt is for a picture of "
            f"{frame_width:.0f} x {frame_height:.0f}: take both from the published set"
        )
    black = BLACK_LEVELS[camera]
    image = np.clip((raw.astype(np.float32) - black) / (WHITE_LEVEL - black), 0, 1)

    # The file gives the corners in rows (top left, top right, bottom left, bottom right);
    # sorted by their angle around the middle they go around the chart.
    corners = corners * (width / frame_width, height / frame_height)
    offsets = corners - corners.mean(axis=0)
    around = corners[np.argsort(np.arctan2(offsets[:, 1], offsets[:, 0]))]
    mask = Image.new("L", (width, height))
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in around.tolist()], fill=1)
    image[np.asarray(mask) == 1] = 0
    return image


def _read_chart(path):
    """((width, height), corners (4, 2)) from the first five lines of a chart file."""
    try:
        lines = path.read_text().splitlines()[:5]
        numbers = np.array([[float(number) for number in line.split()] for line in lines])
    except (OSError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (5, 2) or not np.isfinite(numbers).all() or (numbers[0] <= 0).any():
        raise InputError(
            f"{path}: width and height, then the chart's corners, two numbers a line, "
            "expected: restore the published file"
        )
    return numbers[0], numbers[1:]


def _published_folds(path, names):
    """Fold of every name, from `te_split` (three lists of positions, from 1) and, where the
    file has it, `Xfiles` (the names that the positions count)."""
    variables = _mat_variables(path, "te_split")
    try:
        order = names
        if "Xfiles" in variables:
            files = [str(np.ravel(entry["name"])[0]) for entry in variables["Xfiles"].ravel()]
            order = [file.rsplit(".", 1)[0] for file in files]
        folds = {}
        for fold, positions in enumerate(variables["te_split"].ravel()):
            for position in np.ravel(positions):
                if folds.setdefault(order[int(position) - 1], fold) != fold:
                    raise ValueError
        return [folds[name] for name in names]
    except (KeyError, IndexError, ValueError, TypeError):
        raise InputError(
            f"{path}: te_split does not hold every image in exactly one fold: restore the "
            "published file or remove it"
        ) from None


# Small images in one file ---------------------------------------------------------------


def load_npz(path):
    """Loads small linear images from one `.npz` file.

    Args:
        path: file with the arrays `images` float (N, H, W, 3), linear, in [0, 1];
            `illuminants` (N, 3); `fold` int (N,); `camera` str (N,); `names` str (N,).
            Others, such as `sideways`, are not read.

    Returns:
        `Scenes` named after the file.

    Raises:
        InputError: damaged file, missing array, wrong shape or type, NaN or values outside
            [0, 1] in an image, all-black image, name given twice, zero or NaN illuminant.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, KeyError, AttributeError, TypeError,
            zipfile.BadZipFile, zlib.error):  # fmt: skip
        raise InputError(f"{path}: not an .npz file, or a damaged one") from None

    kinds = {"images": "f", "illuminants": "fiu", "fold": "iu", "camera": "U", "names": "U"}
    missing = [key for key in kinds if key not in arrays]
    if missing:
        has = ", ".join(arrays) or "nothing"
        raise InputError(f"{path}: no array {', '.join(missing)} (the file has {has})")
    count = len(np.atleast_1d(arrays["names"]))
    shapes = {"images": (count, None, None, 3), "illuminants": (count, 3)}
    for key, kind in kinds.items():
        array, shape = arrays[key], shapes.get(key, (count,))
        fits = array.ndim == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, array.shape)
        )
        if not fits or array.dtype.kind not in kind:
            expected = str(shape).replace("None", "any")
            raise InputError(
                f"{path}: {key} must be {_KIND_NAMES[kind]} {expected} for {count} names, "
                f"got {array.dtype} {array.shape}"
            )

    names = arrays["names"].tolist()
    _check_unique(names, [path] * count)
    for name, image in zip(names, arrays["images"]):
        if not (image.min(initial=0) >= 0 and image.max(initial=0) <= 1):  # NaN fails too
            raise InputError(
                f"{path}: image {name} has NaN or values outside [0, 1]: divide it by the "
                "white level"
            )
        if not image.any():
            raise InputError(f"{path}: image {name} is all black: leave it out")
    images = arrays["images"].astype(np.float32, copy=False)
    folds, cameras = arrays["fold"], arrays["camera"]
    return _scenes(path.stem, images, arrays["illuminants"], folds, cameras, names, path)


_KIND_NAMES = {"f": "float", "fiu": "a number array", "iu": "integer", "U": "text"}


# Any folder with a CSV ------------------------------------------------------------------


def load_folder(path):
    """Loads linear 16-bit PNG or TIFF images and their illuminants from a CSV beside them.

    The CSV's first line names its columns: `name` (file name, with or without its
    suffix), `r`, `g`, `b` (the light's colour, any scale), and, if wanted, `fold` (0, 1,
    ...: the fold in which the image is held out) and `camera` (images of one camera share
    a colour space). Without `fold` every camera's images, sorted by name, are cut into
    three runs of equal length, so that pictures taken one after the other stay together.

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
    if not any(path.iterdir()):
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
        _check_file(image)

    rows = [rows[image] for image in images]
    cameras = [row.get("camera") or "camera" for row in rows]
    if "fold" in rows[0]:
        folds = [row["fold"] for row in rows]
    else:
        folds = _folds_in_runs(cameras)
    illuminants = [row["illuminant"] for row in rows]
    names = [image.name for image in images]
    lazy = _Images(images, lambda index: read_linear(images[index]))
    return _scenes(path.resolve().name, lazy, illuminants, folds, cameras, names, table)


def _read_labels(table, images):
    """The CSV's rows by image: {path: {"illuminant", ["fold"], ["camera"]}}."""
    files = {}
    for image in images:
        for key in {image.name, image.stem}:
            files.setdefault(key, []).append(image)
    rows = {}
    for number, row in _csv_rows(table):
        where = f"{table}, line {number}"
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


def _csv_rows(table):
    """(line number, {column: text}) of every row that is not empty."""
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            columns = [column.strip().lower() for column in next(reader, [])]
            rows = [(reader.line_num, [c.strip() for c in row]) for row in reader if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read as CSV in UTF-8 ({error})") from None
    required = CSV_COLUMNS[:4]
    unknown = [column for column in columns if column not in CSV_COLUMNS]
    if unknown or len(set(columns)) < len(columns) or not set(required) <= set(columns):
        raise InputError(
            f"{table}: columns {', '.join(required)} expected, fold and camera allowed, "
            f"got {', '.join(columns) or 'none'}"
        )
    for number, row in rows:
        if len(row) != len(columns):
            raise InputError(
                f"{table}, line {number}: {len(columns)} cells expected "
                f"({', '.join(columns)}), got {len(row)}"
            )
    return [(number, dict(zip(columns, row))) for number, row in rows]


def _parse_row(row, where):
    try:
        parsed = {"illuminant": [float(row[channel]) for channel in "rgb"]}
    except ValueError:
        received = ", ".join(row[channel] for channel in "rgb")
        raise InputError(f"{where}: r, g, b must be numbers, got {received}") from None
    if "fold" in row:
        if not row["fold"].isdecimal():
            raise InputError(f"{where}: fold must be 0, 1, 2, ..., got {row['fold']!r}")
        parsed["fold"] = int(row["fold"])
    return parsed | {"camera": row.get("camera", "")}


# Ordinary photographs ------------------------------------------------------------------


def load_photos(path, size=64, seed=0):
    """Makes scenes of ordinary photographs by putting colour casts on them.

    For white-balancing finished photographs (8-bit, sRGB), whose colours are no camera's
    raw ones: there the light of a good picture is white. Every photo is taken to be well
    balanced, averaged to `size` x `size` and multiplied by a cast, which is the light to be
    found: a random amount from blue to orange, with a little green or magenta; a quarter of
    the photos keep none. Photos that are held out are brightened and clipped as well, since
    the colour of a clipped highlight would give the cast away. (All of this is ours.)

    Args:
        path: folder of 8-bit photos; grey ones are left out.
        size: side of the thumbnails in pixels.
        seed: int; the casts are a function of it.

    Returns:
        `Scenes` named after the folder. The last fifth of the photos, by name, is fold 1,
        the rest fold 0.

    Raises:
        InputError: no photos, fewer than ten in colour; a photo that cannot be read, is
            smaller than `size` or deeper than 8 bits.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: a folder of photos is expected")
    rng = np.random.default_rng(seed)
    thumbnails, names = [], []
    for file in list_images(path):
        photo = read_srgb(file)
        if min(photo.shape[:2]) < size:
            raise InputError(
                f"{file}: {photo.shape[1]} x {photo.shape[0]} pixels, at least {size} x {size} "
                "are needed: leave it out"
            )
        small = area_average(photo, size, size)
        if np.ptp(small, axis=-1).mean() > 0.005:
            thumbnails.append(small / small.max())
            names.append(file.name)
    if len(names) < 10:
        raise InputError(f"{path}: {len(names)} photos in colour, at least 10 are needed")
    folds = (np.arange(len(names)) >= len(names) * 4 // 5).astype(int)
    casts = _casts(rng, len(names))
    images = np.stack(thumbnails) * (casts / casts.max(axis=1, keepdims=True))[:, None, None]
    for index in np.flatnonzero(folds):
        brightest = casts[index].max() / casts[index].min() * 1.2
        images[index] = np.minimum(images[index] * brightest ** rng.uniform(), 1)
    images = images.astype(np.float32)
    return _scenes(
        path.absolute().name, images, casts, folds, ["sRGB"] * len(names), names, path
    )


def _casts(rng, count):
    """Colours of lights around sRGB's white: (count, 3), unit norm."""
    warmth = rng.uniform(-0.45, 0.6, (count, 1)) * [1.0, 0.1, -1.1]
    tint = rng.normal(0, 0.06, (count, 1)) * [-0.5, 1.0, -0.5]
    casts = np.exp(np.where(rng.random((count, 1)) < 0.25, 0, warmth + tint))
    return casts / np.linalg.norm(casts, axis=1, keepdims=True)


# What the layouts share -----------------------------------------------------------------


class _Images(Sequence):
    """Images that are read from their files at every access."""

    def __init__(self, paths, read):
        self.paths = paths
        self.read = read

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = self.read(index)
        if not image.any():
            raise InputError(f"{self.paths[index]}: all black: leave it and its label out")
        return image


def _find(path, pattern):
    """Files under a folder at any depth, without what macOS leaves in archives."""
    return sorted(
        file
        for file in path.rglob(pattern)
        if not file.name.startswith(".") and "__MACOSX" not in file.parts
    )


def _only(path, pattern, what):
    files = _find(path, pattern)
    if len(files) != 1:
        received = ", ".join(map(str, files)) or "none"
        raise InputError(f"{path}: one file with {what}, expected, got {received}")
    return files[0]


def _mat_variables(path, name):
    """The variables of a MATLAB file, `name` among them."""
    try:
        variables = scipy.io.loadmat(path)
    except Exception:  # scipy raises nearly every type there is on a damaged file
        raise InputError(
            f"{path}: not a readable MATLAB file: restore the published one"
        ) from None
    if name not in variables:
        raise InputError(f"{path}: no variable {name}: restore the published file")
    return variables


def _check_file(path):
    """Depth from the header, and that the file's end is there: both without decoding."""
    if bit_depth(path) < 16:
        raise InputError(
            f"{path}: an 8-bit image, linear 16-bit is expected: develop it again from the "
            "raw file as 16-bit linear RGB (PNG or TIFF)"
        )
    with open(path, "rb") as file:
        is_png = file.read(4) == b"\x89PNG"
        size = file.seek(0, 2)
        file.seek(max(0, size - 4096))
        complete = b"IEND\xaeB`\x82" in file.read()
    if not is_png:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            ends = [start + n for start, n in zip(page.dataoffsets, page.databytecounts)]
            complete = max(ends, default=size + 1) <= size
    if not complete:
        raise InputError(f"{path}: truncated: replace it by a sound copy or leave it out")


def _check_unique(names, sources):
    seen = {}
    for name, source in zip(names, sources):
        if name in seen:
            raise InputError(f"{source}: a second image named {name} (the first: {seen[name]})")
        seen[name] = source


def _folds_in_runs(cameras, folds=3):
    """Cuts every camera's scenes, in their order, into runs of equal length."""
    cameras = np.asarray(cameras)
    result = np.zeros(len(cameras), int)
    for camera in np.unique(cameras):
        mine = np.flatnonzero(cameras == camera)
        result[mine] = np.arange(len(mine)) * folds // len(mine)
    return result


def _scenes(name, images, illuminants, folds, cameras, names, source):
    """The checked set; `source` is the file that an error about labels names."""
    illuminants = np.asarray(illuminants, np.float64)
    bad = np.flatnonzero(~(np.isfinite(illuminants) & (illuminants > 0)).all(axis=1))
    if len(bad):
        colour = ", ".join(f"{value:g}" for value in illuminants[bad[0]])
        raise InputError(
            f"{source}: the illuminant of {names[bad[0]]} is ({colour}), every channel "
            "must be positive and finite: correct it or leave the image out"
        )
    if len(np.unique(folds)) < 2:
        raise InputError(
            f"{source}: {len(names)} image(s) in {len(np.unique(folds))} fold(s), at "
            "least two folds are needed to test on images held out"
        )
    illuminants = illuminants / np.linalg.norm(illuminants, axis=1, keepdims=True)
    return Scenes(
        name=name,
        images=images,
        illuminants=illuminants.astype(np.float32),
        folds=np.asarray(folds, int),
        cameras=np.asarray(cameras, str),
        names=list(names),
    )
