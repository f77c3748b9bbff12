"""Crops out of photographs: which squares are drawn, and how they are read."""

from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.data.encoding import light_of
from keras_gans.data.folders import in_threads
from keras_gans.data.images import UPRIGHT, open_stored, photo_size
from keras_gans.data.on_disk import empty
from keras_gans.data.pixels import Pixels
from keras_gans.data.srgb import linear_to_srgb
from keras_gans.data.write import quantize
from keras_gans.errors import InputError
from keras_gans.okdgan.crops import Area, Crops

DRY = 50  # turns of drawing without a new crop, after which no more are expected


def whole_photo(
    file: Path, labels: tuple[str, ...], source: str | None = None, part: str | None = None
) -> Area:
    """A whole photo as the area."""
    size = photo_size(file)
    return Area(file, size, (0, 0, *size), labels, source, part)


def check_sizes(areas: list[Area], size: int) -> None:
    """Raises `InputError` for a photo that is too small, or a listed crop that lies outside."""
    for area in areas:
        width, height = area.photo
        x, y, side, _ = area.box
        if area.listed and (side < 1 or x + side > width or y + side > height):
            raise InputError(
                f"{area.listed}: {side}x{side} pixels at {x}, {y} are outside of the "
                f"{width}x{height} photo: mend or remove the line"
            )
        if not area.listed and min(width, height) < size:
            raise InputError(
                f"{area.file}: {width}x{height} pixels, less than a crop of {size}x{size}: "
                "remove it, or ask for smaller crops"
            )


def draw_places(
    areas: list[Area], count: int | None, size: int, side: int | None, seed: int
) -> list[tuple[Area, tuple[int, int, int]]]:
    """Draws crops, in turn from all areas, none twice.

    Args:
        areas: list of `Area`.
        count: `None` for one of each area.
        size: the least side in pixels.
        side: of the squares; `None` for 3/4 of the area's shorter side or more.
        seed: int.

    Returns:
        list of (area, (x, y, side)), in the order of the areas.
    """
    rng = np.random.default_rng(seed)
    wanted = len(areas) if count is None else count
    found, dry = {}, 0
    while len(found) < wanted and dry < DRY:
        before = len(found)
        for index in rng.permutation(len(areas)):
            area = areas[index]
            place = area.box[:3] if area.listed else _square(area, rng.random(3), size, side)
            key = index if area.listed else (area.file, *place)
            found.setdefault(key, (int(index), place))
            if len(found) == wanted:
                break
        dry = dry + 1 if len(found) == before else 0
    return [(areas[index], place) for index, place in sorted(found.values())]


def _square(area, luck, size, side):
    """(x, y, side) of a random square of an area, for three random numbers in [0, 1)."""
    lengths = area.box[2:]
    if side is None:
        shorter = min(lengths)
        least = max(size, -(-3 * shorter // 4))
        side = least + int(luck[2] * max(shorter - least + 1, 1))
    place = []
    for corner, length, limit, part in zip(area.box, lengths, area.photo, luck):
        # in the area, or, where that is too small, around its middle
        free = length - side
        first = corner + (int(part * (free + 1)) if free >= 0 else free // 2)
        place.append(min(max(first, 0), limit - side))
    return (*place, side)


def read_crops(
    chosen: list[tuple[Area, tuple[int, int, int]]],
    classes: tuple[str, ...],
    several: bool,
    path: Path,
    name: str,
    size: int,
    memory_limit: int | None = None,
) -> Crops:
    """Reads the crops that were chosen, each photo once.

    Args:
        chosen: list of (area, (x, y, side)).
        classes: tuple of names.
        several: whether a crop may have several of them.
        path: the set's folder.
        name: the set's name.
        size: side of the crops returned.
        memory_limit: MiB from which on they are kept on disk.

    Returns:
        `Crops`.
    """
    by_file = {}
    for number, (area, _) in enumerate(chosen):
        by_file.setdefault(area.file, []).append(number)
    images = empty((len(chosen), size, size, 3), memory_limit)

    def cut(file):
        places = [chosen[number][1] for number in by_file[file]]
        for number, crop in zip(by_file[file], _cut(file, places, size)):
            images[number] = crop

    for _ in in_threads(cut, list(by_file)):
        pass
    areas = [area for area, _ in chosen]
    files = tuple(area.file.relative_to(path).as_posix() for area in areas)
    parts = tuple(area.part or "" for area in areas)
    return Crops(
        name,
        classes,
        images,
        _labels(areas, classes, several),
        tuple(area.source or file for area, file in zip(areas, files)),
        np.array([place for _, place in chosen], np.int64),
        parts if any(parts) else None,
        files,
    )


def _labels(areas, classes, several):
    """int64 (N,), bool (N, K) for several classes a crop, or `None` without classes."""
    if not classes:
        return None
    table = np.array([[name in area.labels for name in classes] for area in areas])
    return table if several else table.argmax(axis=1).astype(np.int64)


def _cut(file, places, size):
    """Cuts squares out of a photo, reduces them and turns them upright.

    Args:
        file: the photo; what more than 8 bits a channel hold is told by `encoding_of`.
        places: list of (x, y, side).
        size: side of the result.

    Yields:
        uint8 (size, size, 3).
    """
    stored, orientation = open_stored(file, min(side for *_, side in places) / size)
    if isinstance(stored, Pixels):
        image = stored.image
    else:
        image = Image.fromarray(quantize(linear_to_srgb(light_of(file, stored)), np.uint8))
    width, _ = photo_size(file)
    scale = image.width / width
    for x, y, side in places:
        if side == size and scale == 1:
            crop = image.crop((x, y, x + side, y + side))
        else:
            box = tuple(scale * value for value in (x, y, x + side, y + side))
            box = (*box[:2], min(box[2], image.width), min(box[3], image.height))
            crop = image.resize((size, size), Image.Resampling.LANCZOS, box)
        if orientation in UPRIGHT:
            crop = crop.transpose(UPRIGHT[orientation])
        yield np.asarray(crop)
