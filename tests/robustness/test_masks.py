"""Masks of every kind in every layout: the true share, or a line that names the file."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_gans.defectgan.datasets import load_surfaces
from keras_gans.defectgan.masks import read_mask
from keras_gans.errors import InputError

SIZE = 96
TRUE = np.zeros((SIZE, SIZE), bool)
TRUE[30:50, 40:60] = True
SHARE = TRUE.mean()  # 0.0434
WHITE = TRUE * np.uint8(255)


def resized(method):
    large = Image.fromarray(np.repeat(np.repeat(WHITE, 10, axis=0), 10, axis=1))
    return np.asarray(large.resize((SIZE, SIZE), method))


def as_jpeg(quality):
    content = io.BytesIO()
    Image.fromarray(WHITE).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content))


def with_strip(mask, level):
    """A mask with a third level in a strip at its top."""
    mask = mask.copy()
    mask[:10] = level
    return mask


EXACT = {
    "0 and 255": WHITE,
    "0 and 1": TRUE * np.uint8(1),
    "1 and 255": np.where(TRUE, 255, 1),
    "0 and 128": TRUE * np.uint8(128),
    "60 and 200": np.where(TRUE, 200, 60),
    "box": resized(Image.Resampling.BOX),
    "bilinear": resized(Image.Resampling.BILINEAR),
    "bicubic": resized(Image.Resampling.BICUBIC),
    "lanczos": resized(Image.Resampling.LANCZOS),
    "noise of JPEG 30": as_jpeg(30),
    "noise of JPEG 75": as_jpeg(75),
    "noise of JPEG 95": as_jpeg(95),
}
NOTED = {
    "inverted": (255 - WHITE, 1 - SHARE, "more than half is marked"),
    "inverted, 0 and 1": (1 - TRUE * np.uint8(1), 1 - SHARE, "more than half is marked"),
    "0, 1 and 255": (with_strip(WHITE, 1), SHARE, "a third level"),
    "0, 254 and 255": (with_strip(WHITE, 254), SHARE + 10 / SIZE, "a third level"),
    "all 255": (np.full((SIZE, SIZE), 255), 1, "more than half is marked"),
}
REFUSED = {
    "0, 1 and 2": with_strip(TRUE * np.uint8(1), 2),
    "0, 127 and 255": with_strip(WHITE, 127),
    "noise": np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)),
    "a ramp": np.mgrid[:SIZE, :SIZE][0] * 2,
    "nearly black": np.random.default_rng(0).integers(0, 4, (SIZE, SIZE)),
}

# Where the layouts have an image without defect, one with, and its mask.
LAYOUTS = {
    "DAGM": ("Train/1.png", "Train/2.png", "Train/Label/2_label.png"),
    "DAGM's classes": ("Class1/Train/1.png", "Class1/Train/2.png", "Class1/Train/Label/2.png"),
    "tiles": ("MT_Free/Imgs/1.jpg", "MT_Crack/Imgs/2.jpg", "MT_Crack/Imgs/2.png"),
    "sorted": ("positive/1.png", "negative/scratch/2.png", "masks/scratch/2_gt.png"),
    "in parts": ("train/positive/1.png", "train/negative/2.png", "train/masks/2.png"),
}


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


@pytest.fixture(params=LAYOUTS)
def place(request, tmp_path):
    """A set without its one mask: (folder, where the mask belongs)."""
    free, defective, mask = LAYOUTS[request.param]
    for path in (free, defective):
        save(tmp_path / path, np.full((SIZE, SIZE), 90))
    if request.param == "in parts":
        for path in (free, defective):
            save(tmp_path / path.replace("train/", "test/"), np.full((SIZE, SIZE), 90))
    return tmp_path, tmp_path / mask


def share(folder):
    """The share of the one mask that there is."""
    (mask,) = [mask for mask in load_surfaces(folder, test_share=0).masks if mask is not None]
    return mask.mean()


@pytest.mark.parametrize("kind", EXACT)
def test_the_true_share(place, kind, capsys):
    folder, path = place
    save(path, EXACT[kind])
    assert share(folder) == pytest.approx(SHARE, abs=0.002)
    assert str(path) not in capsys.readouterr().out


@pytest.mark.parametrize("kind", NOTED)
def test_a_note_names_the_file(place, kind, capsys):
    folder, path = place
    pixels, expected, note = NOTED[kind]
    save(path, pixels)
    assert share(folder) == pytest.approx(expected, abs=0.002)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if str(path) in line]
    assert line.startswith(f"note: {path}: ") and note in line


@pytest.mark.parametrize("kind", REFUSED)
def test_no_mask_of_two_levels(place, kind):
    folder, path = place
    save(path, REFUSED[kind])
    with pytest.raises(InputError, match=f"^{path}: no mask of two levels, it has [0-9]+ "):
        load_surfaces(folder, test_share=0)


@pytest.mark.parametrize("level, noted", [(0, False), (1, True)])
def test_a_mask_of_one_level_marks_nothing(place, level, noted, capsys):
    folder, path = place
    save(path, np.full((SIZE, SIZE), level))
    assert load_surfaces(folder, test_share=0).masks == [None] * (
        4 if "train" in path.parts else 2
    )
    assert (f"note: {path}: one level" in capsys.readouterr().out) == noted


@pytest.mark.parametrize("quality", [10, 30, 50, 75, 90, 100])
def test_masks_that_are_jpeg(tmp_path, quality):
    mask, note = read_mask(save(tmp_path / "a.jpg", WHITE, quality=quality))
    assert mask.mean() == pytest.approx(SHARE, abs=0.002) and not note


def test_thin_lines_keep_their_share(tmp_path):
    line = np.zeros((960, 960), np.uint8)
    for row in range(960):
        line[row, 200 + row // 3 : 212 + row // 3] = 255
    small = Image.fromarray(line).resize((240, 240), Image.Resampling.BILINEAR)
    mask, _ = read_mask(save(tmp_path / "a.png", small))
    assert mask.mean() == pytest.approx((line > 0).mean(), abs=0.0005)


def test_a_line_for_many_masks(tmp_path, capsys):
    for number in range(6):
        save(tmp_path / f"positive/{number}.png", np.full((SIZE, SIZE), 90))
        save(tmp_path / f"negative/{number}.png", np.full((SIZE, SIZE), 90))
        save(tmp_path / f"masks/{number}.png", 255 - WHITE)
    load_surfaces(tmp_path)
    output = capsys.readouterr().out
    first = tmp_path / "masks/0.png"
    assert output.count("\n") == 1 and f"note: {first} (and 5 more): more than half" in output
