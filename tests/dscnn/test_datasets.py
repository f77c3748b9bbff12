import struct
import zlib

import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from keras_gans.dscnn.datasets import load_photos, load_scenes
from keras_gans.errors import InputError
from keras_gans.metrics.angular import angular_errors


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Sound MATLAB files are not tried in another process first, which takes half a second."""
    monkeypatch.setattr("keras_gans.data.arrays._check_elsewhere", lambda *args: None)


def write_png(path, pixels):
    """A PNG of 8 or 16 bits, written by hand so that the readers are tested against it."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    height, width = pixels.shape[:2]
    bits = pixels.dtype.itemsize * 8
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in pixels)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def constant(value, size=(40, 60)):
    return np.full((*size, 3), value, np.uint16)


def message(path):
    """The one line that loading `path` ends with."""
    with pytest.raises(InputError) as caught:
        load_scenes(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Color Checker --------------------------------------------------------------------------

NAMES = ["8D5U5524", "8D5U5525", "8D5U5526", "IMG_0281", "IMG_0282", "IMG_0283"]

# Frame of the raw file, twice the PNG's 60 x 40; corners in the published order.
CHART = "120 80\n20 20\n60 20\n20 40\n60 40\n" + "1.5 2.5\n" * 96


@pytest.fixture
def color_checker(tmp_path):
    """Six constant images of value 1000 + 100 i in the published folders."""
    folder = tmp_path / "shi_gehler"
    pngs = folder / "cs/chroma/data/canon_dataset/568_dataset/png"
    (folder / "coordinates").mkdir(parents=True)
    pngs.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        write_png(pngs / f"{name}.png", constant(1000 + 100 * i))
        (folder / f"coordinates/{name}_macbeth.txt").write_text(CHART)
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX/._IMG_0281.png").write_bytes(b"resource fork")
    labels = [[1.0, 2.0, 3.0 + i] for i in range(6)]
    scipy.io.savemat(folder / "real_illum_568..mat", {"real_rgb": labels}, appendmat=False)
    return folder


def png_of(folder, name):
    return next(folder.rglob(f"{name}.png"))


def test_color_checker_reads_names_cameras_and_labels_in_name_order(color_checker):
    scenes = load_scenes(color_checker)
    assert scenes.name == "reprocessed Color Checker"
    assert scenes.names == NAMES
    assert scenes.cameras.tolist() == ["Canon1D"] * 3 + ["Canon5D"] * 3
    assert scenes.illuminants.dtype == np.float32
    expected = np.array([1, 2, 8]) / np.sqrt(1 + 4 + 64)
    np.testing.assert_allclose(scenes.illuminants[5], expected, rtol=1e-6)


def test_color_checker_subtracts_black_and_scales_by_white(color_checker):
    write_png(png_of(color_checker, "IMG_0282"), constant(100))
    write_png(png_of(color_checker, "IMG_0283"), constant(4095))
    images = load_scenes(color_checker).images
    assert images[0].dtype == np.float32 and images[0].shape == (40, 60, 3)
    # By hand: Canon 1D 1000 / 3692, Canon 5D (1300 - 129) / (3692 - 129).
    np.testing.assert_allclose(images[0][0, 0], 0.27085590, rtol=1e-6)
    np.testing.assert_allclose(images[3][0, 0], 0.32865563, rtol=1e-6)
    np.testing.assert_array_equal(images[5][0, 0], 1)
    with pytest.raises(InputError, match="IMG_0282.png: all black"):
        images[4]


def test_color_checker_blanks_the_chart_at_scaled_corners(color_checker):
    blank = load_scenes(color_checker).images[0].max(axis=-1) == 0
    # Corners (20, 20) to (60, 40) of 120 x 80 are (10, 10) to (30, 20) of 60 x 40.
    expected = np.zeros((40, 60), bool)
    expected[10:21, 10:31] = True
    np.testing.assert_array_equal(blank, expected)


def test_color_checker_refuses_a_chart_of_the_other_orientation(color_checker):
    chart = color_checker / "coordinates/8D5U5524_macbeth.txt"
    chart.write_text(CHART.replace("120 80", "80 120"))
    with pytest.raises(InputError, match="8D5U5524.png: 60 x 40 pixels, but"):
        load_scenes(color_checker).images[0]


def test_color_checker_cuts_each_camera_in_three_runs(color_checker):
    assert load_scenes(color_checker).folds.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("with_names", [True, False])
def test_color_checker_takes_the_published_folds(color_checker, with_names):
    order = [5, 4, 3, 2, 1, 0] if with_names else [0, 1, 2, 3, 4, 5]
    split = np.empty((1, 3), object)
    for fold, members in enumerate([[0, 1, 2], [5], [3, 4]]):
        split[0, fold] = np.array([[order.index(i) + 1 for i in members]])
    variables = {"te_split": split}
    if with_names:
        listed = [(f"{NAMES[i]}.tif",) for i in order]
        variables["Xfiles"] = np.array(listed, [("name", object)])
    scipy.io.savemat(color_checker / "threefoldCVsplit.mat", variables)
    assert load_scenes(color_checker).folds.tolist() == [0, 0, 0, 2, 2, 1]

    split[0, 1] = np.array([[order.index(0) + 1]])  # IMG_0283 nowhere, 8D5U5524 twice
    scipy.io.savemat(color_checker / "threefoldCVsplit.mat", variables)
    assert "threefoldCVsplit.mat: te_split does not hold" in message(color_checker)


def test_color_checker_needs_as_many_labels_as_images(color_checker):
    png_of(color_checker, "IMG_0282").unlink()
    text = message(color_checker)
    assert "real_illum_568..mat: 6 illuminants for 5 images" in text
    write_png(color_checker / "IMG_0282.png", constant(5))
    write_png(color_checker / "IMG_0299.png", constant(5))
    (color_checker / "IMG_0299_macbeth.txt").write_text(CHART)
    assert "real_illum_568..mat: 6 illuminants for 7 images" in message(color_checker)


def test_color_checker_names_the_file_that_is_wrong(color_checker):
    write_png(color_checker / "IMG_0281.png", constant(5))
    assert "a second image named IMG_0281" in message(color_checker)
    (color_checker / "IMG_0281.png").unlink()

    chart = color_checker / "coordinates/IMG_0283_macbeth.txt"
    chart.write_text("120 80\n20 x\n")
    assert "IMG_0283_macbeth.txt: width and height" in message(color_checker)
    chart.unlink()
    assert "IMG_0283.png: no IMG_0283_macbeth.txt" in message(color_checker)
    chart.write_text(CHART)

    image = png_of(color_checker, "8D5U5526")
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    assert "8D5U5526.png: truncated" in message(color_checker)
    write_png(image, constant(5).astype(np.uint8))
    assert "8D5U5526.png: an 8-bit image" in message(color_checker)
    image.write_bytes(whole)

    labels = color_checker / "real_illum_568..mat"
    labels.write_bytes(b"not a matrix")
    assert "real_illum_568..mat: truncated or damaged MATLAB file" in message(color_checker)
    scipy.io.savemat(labels, {"other": 1}, appendmat=False)
    assert "real_illum_568..mat: no variable real_rgb" in message(color_checker)
    scipy.io.savemat(labels, {"real_rgb": [1.0, 2.0]}, appendmat=False)
    assert "real_illum_568..mat: numbers real_rgb (N, 3)" in message(color_checker)
    illuminants = np.ones((6, 3))
    illuminants[4, 1] = np.nan
    scipy.io.savemat(labels, {"real_rgb": illuminants}, appendmat=False)
    assert "the illuminant of IMG_0282 is (1, nan, 1)" in message(color_checker)
    labels.unlink()
    assert "one file with the ground truth, real_illum_568..mat" in message(color_checker)


# One .npz -------------------------------------------------------------------------------


@pytest.fixture
def arrays():
    return {
        "images": np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32),
        "illuminants": np.array([[1.0, 2, 2]] * 3 + [[0.3, 0.4, 0.3]]),
        "fold": np.array([0, 1, 0, 1], np.int8),
        "camera": np.array(["Canon1D", "Canon1D", "Canon5D", "Canon5D"]),
        "names": np.array(["8D5U1", "8D5U2", "IMG_1", "IMG_2"]),
        "sideways": np.zeros(4, bool),
    }


def test_npz(tmp_path, arrays):
    path = tmp_path / "small.npz"
    np.savez(path, **arrays)
    for where in (path, tmp_path):
        scenes = load_scenes(where)
        assert scenes.name == "small" and len(scenes) == 4
        np.testing.assert_array_equal(scenes.images[2], arrays["images"][2])
        np.testing.assert_allclose(scenes.illuminants[0], [1 / 3, 2 / 3, 2 / 3], rtol=1e-6)
        assert scenes.folds.tolist() == [0, 1, 0, 1]
        assert scenes.cameras.tolist() == arrays["camera"].tolist()
        assert scenes.names == arrays["names"].tolist()


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("fold", None, "no array fold (the file has images,"),
        (
            "images",
            np.zeros((4, 8, 8)),
            "images must be float (4, any, any, 3) for 4 names",
        ),
        ("images", np.ones((4, 8, 8, 3), int), "images must be float"),
        ("images", np.ones((3, 8, 8, 3)), "got float64 (3, 8, 8, 3)"),
        ("images", np.full((4, 8, 8, 3), np.nan), "image 8D5U1 has NaN"),
        ("images", np.full((4, 8, 8, 3), 2.0), "image 8D5U1 has NaN or values outside"),
        ("images", np.zeros((4, 8, 8, 3)), "image 8D5U1 is all black"),
        ("illuminants", np.ones((3, 3)), "illuminants must be a number array (4, 3)"),
        ("illuminants", -np.ones((4, 3)), "the illuminant of 8D5U1 is (-1, -1, -1)"),
        ("fold", np.zeros(4, int), "4 image(s) in 1 fold(s)"),
        ("names", np.array(["a", "b", "c", "a"]), "a second image named a"),
    ],
)
def test_npz_bad_input(tmp_path, arrays, key, value, expected):
    path = tmp_path / "small.npz"
    arrays[key] = value
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    text = message(path)
    assert text.startswith(f"{path}: ") and expected in text


def test_npz_damaged(tmp_path, arrays):
    path = tmp_path / "small.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    assert message(path).startswith(f"{path}: truncated or damaged .npz file")
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:900])
    assert message(path).startswith(f"{path}: truncated or damaged .npz file")


# A folder and its CSV -------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Three images and their labels, not in the order of names."""
    folder = tmp_path / "photos"
    folder.mkdir()
    write_png(folder / "a.png", constant(65535 // 5))
    write_png(folder / "b.png", constant(65535))
    tifffile.imwrite(folder / "c.tif", constant(65535 // 3), photometric="rgb")
    label(folder, "c,1,1,1", "a.png,3,12,4", "b.png,1,2,2")
    return folder


def label(folder, *rows, columns="name,r,g,b"):
    (folder / "light.csv").write_text("\n".join([columns, *rows]) + "\n")


def test_folder(folder):
    scenes = load_scenes(folder)
    assert scenes.name == "photos"
    assert scenes.names == ["a.png", "b.png", "c.tif"]
    assert scenes.folds.tolist() == [0, 1, 2]
    assert len(set(scenes.cameras)) == 1
    np.testing.assert_allclose(scenes.illuminants[0], np.array([3, 12, 4]) / 13, rtol=1e-6)
    np.testing.assert_allclose(
        [image[0, 0, 0] for image in scenes.images], [1 / 5, 1, 1 / 3], rtol=1e-6
    )


def test_folder_with_folds_and_cameras(folder):
    rows = "a,1,1,1,1,X", "b,1,1,1,0,Y", "", "c,1,1,1,1,Y"
    label(folder, *rows, columns="\ufeffName, r,g,b,fold,camera")
    scenes = load_scenes(folder)
    assert scenes.folds.tolist() == [1, 0, 1]
    assert scenes.cameras.tolist() == ["X", "Y", "Y"]


def test_folder_all_black_image_is_named_when_it_is_read(folder):
    write_png(folder / "b.png", constant(0))
    with pytest.raises(InputError, match="b.png: all black"):
        load_scenes(folder).images[1]


@pytest.mark.parametrize(
    "rows, expected",
    [
        (["a,1,1,1", "b,1,1,1"], "light.csv: 2 labels for 3 images, none for c.tif"),
        (["a,1,1,1", "b,1,1,1", "c,1,1,1", "d,1,1,1"], "line 5: no image named 'd'"),
        (["a,1,1,1", "b,1,1,1", "a.png,1,1,1"], "line 4: a second label for 'a.png'"),
        (["a,1,0,1", "b,1,1,1", "c,1,1,1"], "the illuminant of a.png is (1, 0, 1)"),
        (["a,1,1,1", "b,1,nan,1", "c,1,1,1"], "the illuminant of b.png is (1, nan, 1)"),
        (["a,1,1,1", "b,1,1,1", "c,1,inf,1"], "the illuminant of c.tif is (1, inf, 1)"),
        (["a,1,1,1", "b,1,-1,1", "c,1,1,1"], "the illuminant of b.png is (1, -1, 1)"),
        (["a,1,red,1"], "line 2: r, g, b must be numbers, got 1, red, 1"),
        (["a,1,1"], "line 2: 4 cells are expected (name, r, g, b), these are 3"),
    ],
)
def test_folder_bad_labels(folder, rows, expected):
    label(folder, *rows)
    text = message(folder)
    assert text.startswith(str(folder / "light.csv")) and expected in text


def test_folder_bad_columns(folder):
    label(folder, columns="file,r,g,b")
    assert "light.csv: no column name; expected: name, r, g, b" in message(folder)
    label(folder, columns="name,r,g,b,folds")
    assert "Received: folds" in message(folder)
    label(folder, "a,1,1,1,x", columns="name,r,g,b,fold")
    assert "line 2: fold is 'x', a whole number is expected" in message(folder)
    label(folder, *(f"{name},1,1,1,0" for name in "abc"), columns="name,r,g,b,fold")
    assert "3 image(s) in 1 fold(s)" in message(folder)
    (folder / "light.csv").write_bytes(b"\xff\xfe\x00")
    assert "light.csv: line 1: not UTF-8" in message(folder)


def test_folder_ambiguous_name(folder):
    write_png(folder / "c.png", constant(9))
    assert "'c' may be c.png and c.tif: add the suffix" in message(folder)


def test_folder_bad_files(folder):
    for name in ("a.png", "c.tif"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-40])
        assert f"{name}: truncated" in message(folder)
        (folder / name).write_bytes(whole)
    write_png(folder / "a.png", constant(9).astype(np.uint8))
    assert "a.png: an 8-bit image" in message(folder)


def test_missing_empty_and_unlabelled(tmp_path, folder):
    assert message(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'}: no such file or folder"
    assert "a folder or an .npz file is expected" in message(folder / "a.png")
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == f"{tmp_path / 'empty'}: the folder is empty"
    (folder / "second.csv").write_text("name\n")
    assert "got light.csv, second.csv" in message(folder)
    (folder / "second.csv").unlink()
    (folder / "light.csv").unlink()
    assert "got none" in message(folder)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/light.csv").write_text("name,r,g,b\n")
    assert "labels: no images in this folder" in message(tmp_path / "labels")


# Ordinary photographs -------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_gans.dscnn.photo_casts.AT_LEAST", 1)
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        blocks = rng.integers(20, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(folder / f"{number:02}.png")
    return folder


def test_photos_and_their_folds(photos, monkeypatch):
    monkeypatch.setattr("keras_gans.dscnn.photo_casts.AT_LEAST", 81)
    scenes = load_photos(photos, size=16, seed=0, renderings=3)
    assert scenes.name == "photos"
    # a small folder is rendered more often
    assert np.bincount(scenes.folds).tolist() == [14 * 5, 4 * 2, 2 * 2]
    assert len(scenes) == len(scenes.images) == 82
    assert scenes.names[0] == "00.png (1)" and scenes.names[-1] == "19.png (2)"
    image = scenes.images[0]
    assert (image.shape, image.dtype, image.max()) == ((16, 16, 3), np.float32, 1)
    spread = angular_errors(scenes.illuminants, [[1, 1, 1]])
    assert 0.2 < (spread < 1e-3).mean() < 0.45
    assert spread.max() > 10


def test_the_light_of_photos_is_what_turned_their_colours(photos):
    scenes = load_photos(photos, size=16, seed=0, renderings=1)
    pairs = [image.mean(axis=(0, 1)) for image in scenes.images]
    turned = angular_errors(pairs, scenes.illuminants)
    assert turned.mean() < 8 < angular_errors(pairs, [[1, 1, 1]]).mean()  # random colours


def test_several_folders_of_photos(photos, tmp_path):
    other = tmp_path / "more" / "deep"
    other.mkdir(parents=True)
    for file in sorted(photos.iterdir())[:10]:
        (other / file.name).write_bytes(file.read_bytes())
    scenes = load_photos([photos, tmp_path / "more"], 16, renderings=1)
    assert scenes.name == "photos+more"
    assert np.bincount(scenes.folds).tolist() == [14 + 7, 4 + 2, 2 + 1]


def test_renderings_are_a_function_of_the_seed(photos):
    first, again, other = (load_photos(photos, 16, seed, renderings=1) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images.levels, again.images.levels)
    np.testing.assert_array_equal(first.illuminants, again.illuminants)
    assert not np.array_equal(first.illuminants, other.illuminants)


def test_camera_scenes_are_white_balanced_and_rendered(tmp_path, monkeypatch):
    """Grey scenes under lights of their own: what is left of colour is the cast put on."""
    monkeypatch.setattr("keras_gans.dscnn.photo_casts.AT_LEAST", 1)
    rng = np.random.default_rng(0)
    lights = rng.uniform(0.3, 1, (12, 3))
    grey = rng.uniform(0.05, 0.4, (12, 16, 16, 1))
    np.savez(
        tmp_path / "cameras.npz",
        images=(grey * lights[:, None, None]).astype(np.float32),
        illuminants=lights,
        fold=np.arange(12) // 4,
        camera=np.array(["a"] * 12),
        names=np.array([f"image{i}" for i in range(12)]),
    )
    scenes = load_photos(tmp_path / "cameras.npz", 16, renderings=3)
    assert np.bincount(scenes.folds).tolist() == [8 * 3, 4 * 2]
    colours = [image.mean(axis=(0, 1)) for image in scenes.images]
    errors = angular_errors(colours, scenes.illuminants)
    assert np.median(errors) < 3 < np.median(angular_errors(colours, [[1, 1, 1]]))


def test_photos_that_cannot_serve(photos, tmp_path):
    grey = Image.new("L", (64, 64), 90)
    grey.save(photos / "grey.png")
    names = load_photos(photos, 16, renderings=1).names
    assert not any("grey" in name for name in names)
    with pytest.raises(InputError, match="00.png: 96 x 64 pixels, at least 80 x 80"):
        load_photos(photos, 80)
    with pytest.raises(InputError, match="a folder of photos is expected"):
        load_photos(photos / "00.png")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none: no images in this folder"):
        load_photos(tmp_path / "none")
    for file in sorted(photos.glob("*.png"))[:15]:
        file.unlink()
    with pytest.raises(InputError, match="5 photos in colour, at least 10"):
        load_photos(photos, 16, renderings=1)
