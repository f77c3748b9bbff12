"""CODEBRIM (Mundt et al., CVPR 2019): its photographs with boxes, and its crops."""

import re
from pathlib import Path

from keras_gans.data.folders import images_in, visible
from keras_gans.data.tables import flag
from keras_gans.data.xml_files import read_xml
from keras_gans.errors import InputError
from keras_gans.okdgan.crops import Area
from keras_gans.okdgan.cutting import photo_size, whole_photo

# The set's names of its classes, and ours.
CLASSES = {
    "Background": "background",
    "Crack": "crack",
    "Spallation": "spallation",
    "Efflorescence": "efflorescence",
    "ExposedBars": "exposed bar",
    "CorrosionStain": "corrosion stain",
}
PHOTOS = 1590  # of the original images, as published
FOLDERS = (
    "original_dataset", "classification_dataset_balanced", "classification_dataset"
)  # fmt: skip


def list_boxes(path: Path) -> tuple[list[Area], tuple[str, ...], bool]:
    """The boxes of `annotations/*.xml`, as areas; photos without annotation have none."""
    photos = path / "images"
    if not photos.is_dir():
        raise InputError(f"{photos}: no such folder: put the photos of annotations/ there")
    files = [file for file in visible(path / "annotations") if file.suffix == ".xml"]
    if not files:
        raise InputError(f"{path / 'annotations'}: no .xml files there: add them")
    by_stem = {photo.stem: photo for photo in images_in(photos)}
    areas = []
    for file in files:
        photo = by_stem.get(file.stem)
        if photo is None:
            raise InputError(
                f"{photos / file.stem}.jpg: missing, {file.name} is its annotation: add it, or "
                "remove the annotation"
            )
        root, size = read_xml(file), photo_size(photo)
        stated = tuple(_integer(root, f"size/{each}", file) for each in ("width", "height"))
        if stated != size:
            raise InputError(
                f"{photo}: {size[0]}x{size[1]} pixels, its annotation says "
                f"{stated[0]}x{stated[1]}: restore the photo of that size"
            )
        for number, node in enumerate(root.iter("object"), start=1):
            where = f"{file}: object {number}"
            labels = _flags(node.find("Defect"), where)
            areas.append(Area(photo, size, _box(node, size, where), labels))
    return areas, tuple(CLASSES.values()), True


def list_crops(path: Path, size: int) -> tuple[list[Area], tuple[str, ...], bool]:
    """The images of `train/`, `val/` and `test/`, whole, labelled by `metadata/*.xml`.

    Those smaller than `size` are left out.
    """
    flags = {}
    for name in ("background", "defects"):
        file = path / "metadata" / f"{name}.xml"
        if not file.is_file():
            raise InputError(f"{file}: no such file: restore it from the published data set")
        for node in read_xml(file).iter("Defect"):
            image = node.get("name")
            if image is None:
                raise InputError(f"{file}: a Defect without a name: restore the file")
            flags[image] = _flags(node, f"{file}: {image}")
    areas = []
    for part in ("train", "val", "test"):
        for kind in ("background", "defects"):
            folder = path / part / kind
            for file in images_in(folder) if folder.is_dir() else ():
                if file.name not in flags:
                    raise InputError(
                        f"{file}: is not in {path / 'metadata' / kind}.xml: remove it, or "
                        "add it there"
                    )
                source = re.sub(r"_crop_\d+$", "", file.stem)
                areas.append(whole_photo(file, flags[file.name], source, part))
    areas = [area for area in areas if min(area.photo) >= size]
    if not areas:
        raise InputError(
            f"{path}: no images of {size}x{size} and more in train/, val/ and test/: restore "
            "the folders, or ask for smaller crops"
        )
    return areas, tuple(CLASSES.values()), True


def _integer(node, name, where):
    text = node.findtext(name, "").strip()
    try:
        return int(float(text) if len(text) <= 15 else "too long")
    except (ValueError, OverflowError):
        raise InputError(
            f"{where}: {name} is {text[:30] or 'missing'}, a number is expected: mend or "
            "restore the file"
        ) from None


def _box(node, size, where):
    """(x, y, width, height) of `bndbox`, without what lies beyond the photo."""
    corners = [_integer(node, f"bndbox/{each}", where) for each in ("xmin", "ymin")]
    ends = [_integer(node, f"bndbox/{each}", where) for each in ("xmax", "ymax")]
    start = [max(corner, 0) for corner in corners]
    length = [min(end, limit) - first for end, limit, first in zip(ends, size, start)]
    if min(length) <= 0:
        raise InputError(
            f"{where}: box {(*corners, *ends)} is empty or outside of the {size[0]}x{size[1]} "
            "photo: mend or remove the object"
        )
    return (*start, *length)


def _flags(node, where):
    """The classes that a `Defect` node has, as our names."""
    if node is None:
        raise InputError(f"{where}: no Defect: mend or remove the object")
    labels = []
    for child in node:
        if child.tag not in CLASSES:
            raise InputError(
                f"{where}: unknown class {child.tag}; there are: {', '.join(CLASSES)}"
            )
        if flag((child.text or "").strip(), child.tag, where):
            labels.append(CLASSES[child.tag])
    if not labels:
        raise InputError(f"{where}: no class is 1: mend or remove it")
    if len(labels) > 1 and CLASSES["Background"] in labels:
        raise InputError(f"{where}: both Background and a defect are 1: mend or remove it")
    return tuple(name for name in CLASSES.values() if name in labels)
