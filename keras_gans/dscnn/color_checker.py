"""The reprocessed Color Checker (Shi and Funt, 2010, after Gehler et al., 2008)."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_gans.data.arrays import read_mat
from keras_gans.data.images import read_png16
from keras_gans.data.reading import reading
from keras_gans.data.tables import read_lines
from keras_gans.dscnn.scenes import (
    LazyImages,
    Scenes,
    check_file,
    check_unique,
    checked_scenes,
    find_files,
    folds_in_runs,
    only_file,
)
from keras_gans.errors import InputError

# Values of the two cameras in the Color Checker's 12-bit PNGs. Black levels: Shi & Funt's
# page of the set. White level: the value at which both saturate, as measured by Barron &
# Tsai's FFCC (github.com/google/ffcc, GehlerShiSensor.m); 4095 is never reached.
BLACK_LEVELS = {"Canon1D": 0, "Canon5D": 129}

WHITE_LEVEL = 3692


def load_color_checker(path: Path) -> Scenes:
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
    found = find_files(path, "8D5U*.png") + find_files(path, "IMG_*.png")
    images = sorted(found, key=lambda image: image.stem)
    if not images:
        raise InputError(f"{path}: no 8D5U*.png or IMG_*.png: unpack the set's images there")
    check_unique([image.stem for image in images], images)

    labels = only_file(path, "real_illum*.mat", "the ground truth, real_illum_568..mat")
    illuminants = read_mat(labels, ["real_rgb"])["real_rgb"]
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

    files = {file.name: file for file in find_files(path, "*_macbeth.txt")}
    charts = []
    for image in images:
        name = f"{image.stem}_macbeth.txt"
        if name not in files:
            raise InputError(f"{image}: no {name} with its chart's corners under {path}")
        charts.append(_read_chart(files[name]))
    for image in images:
        check_file(image)

    names = [image.stem for image in images]
    cameras = ["Canon1D" if name.startswith("8D5U") else "Canon5D" for name in names]
    splits = find_files(path, "threefoldCVsplit.mat")
    folds = _published_folds(splits[0], names) if splits else folds_in_runs(cameras)

    def read(index):
        raw = read_png16(images[index])
        return _color_checker_image(images[index], raw, cameras[index], charts[index])

    name, lazy = "reprocessed Color Checker", LazyImages(images, read)
    return checked_scenes(name, lazy, illuminants, folds, cameras, names, labels)


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
    lines = read_lines(path)[:5]
    try:
        numbers = np.array([[float(number) for number in line.split()] for line in lines])
    except ValueError:
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
    variables = read_mat(path, ["te_split"], ["Xfiles"])
    order = names
    with reading(path, "list of folds"):
        if "Xfiles" in variables:
            files = [str(np.ravel(entry["name"])[0]) for entry in variables["Xfiles"].ravel()]
            order = [file.rsplit(".", 1)[0] for file in files]
        lists = [np.asarray(each).ravel() for each in variables["te_split"].ravel()]
    folds = {}
    for fold, positions in enumerate(lists):
        within = np.isin(positions, np.arange(1, len(order) + 1))
        if not within.all():
            raise InputError(
                f"{path}: te_split has the position {str(positions[~within][0])[:30]}, whole "
                f"numbers from 1 to {len(order)} are expected: add 1 to all if they begin at 0"
            )
        for position in positions:
            name = order[int(position) - 1]
            if folds.setdefault(name, fold) != fold:
                raise InputError(_not_folds(path))
    if not set(names) <= folds.keys():
        raise InputError(_not_folds(path))
    return [folds[name] for name in names]


def _not_folds(path):
    return (
        f"{path}: te_split does not hold every image in exactly one fold: restore the "
        "published file or remove it"
    )
