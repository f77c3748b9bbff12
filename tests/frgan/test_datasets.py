import warnings

import numpy as np
import pytest
import scipy.io
import tifffile
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.frgan import svhn as svhn_files
from keras_gans.frgan.datasets import load_labelled_images
from keras_gans.frgan.labelled_images import (
    LabelledImages,
    describe,
    draw_labelled,
    wrong_labels,
)
from keras_gans.frgan.svhn import download_svhn

DIGITS = tuple("0123456789")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Sound MATLAB files are not tried in another process first, which takes half a second."""
    monkeypatch.setattr("keras_gans.data.arrays._check_elsewhere", lambda *args: None)


def save_mat(path, y=(1, 10, 3), x=None, compress=False):
    """A file in the layout of SVHN; image n is random, from seed n."""
    y = np.array(y)
    if x is None:
        x = [np.random.default_rng(n).integers(256, size=(32, 32, 3)) for n in range(len(y))]
        x = np.stack(x, axis=3).astype(np.uint8)
    y = y.astype(np.uint8)[:, None] if y.ndim == 1 else y
    scipy.io.savemat(path, {"X": x, "y": y}, do_compression=compress)


@pytest.fixture
def svhn(tmp_path):
    save_mat(tmp_path / "train_32x32.mat", compress=True)
    save_mat(tmp_path / "test_32x32.mat", y=(9, 10))
    save_mat(tmp_path / "extra_32x32.mat", y=(5, 5, 5, 5))
    return tmp_path


def save(path, value=100, size=(8, 8), mode="RGB"):
    """An image of one value, rows x columns; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = value if mode == "L" else (value,) * len(mode)
    Image.new(mode, size[::-1], value).save(path)
    return path


@pytest.fixture
def folders(tmp_path):
    path = tmp_path / "animals"
    for part, count in (("train", 2), ("test", 1)):
        for level, name in enumerate(("10", "2", "cat", "Dog")):
            for number in range(count):
                save(path / part / name / f"{number}.png", 10 * level + number)
    return path


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


# SVHN -------------------------------------------------------------------------------------


def test_svhn(svhn):
    images = load_labelled_images(svhn)
    assert images.name == "SVHN format, 3 + 2 digits" and images.classes == DIGITS
    np.testing.assert_array_equal(images.train_labels, [1, 0, 3])
    np.testing.assert_array_equal(images.test_labels, [9, 0])
    for pixels, labels in (
        (images.train_images, images.train_labels),
        (images.test_images, images.test_labels),
    ):
        assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
        assert labels.dtype == np.int64 and len(pixels) == len(labels)
        for n, image in enumerate(pixels):
            drawn = np.random.default_rng(n).integers(256, size=(32, 32, 3))
            np.testing.assert_array_equal(image, drawn)


def test_svhn_by_its_sizes(svhn, monkeypatch):
    monkeypatch.setattr(svhn_files, "SIZES", (3, 2))
    assert load_labelled_images(svhn).name == "SVHN"
    assert load_labelled_images(svhn, extra=True).name == "SVHN with 4 extra"


def test_svhn_extra_has_no_labels(svhn):
    images = load_labelled_images(svhn, extra=True)
    np.testing.assert_array_equal(images.train_labels, [1, 0, 3, -1, -1, -1, -1])
    assert images.train_images.shape == (7, 32, 32, 3) and images.train_labels.dtype == np.int64
    np.testing.assert_array_equal(images.train_images[:3], images.train_images[3:6])
    (svhn / "extra_32x32.mat").unlink()
    assert len(load_labelled_images(svhn).train_images) == 3
    text = refused(load_labelled_images, svhn, extra=True)
    assert text.startswith(f"{svhn / 'extra_32x32.mat'}: no such file: put it there from http")


def test_svhn_of_another_size(svhn):
    x = np.full((32, 32, 3, 2), 90, np.uint8)
    x[:, :, 1] = 200
    save_mat(svhn / "test_32x32.mat", y=(1, 2), x=x)
    images = load_labelled_images(svhn, image_size=24)
    assert images.train_images.shape == (3, 24, 24, 3)
    np.testing.assert_array_equal(images.test_images, np.tile([90, 200, 90], (2, 24, 24, 1)))


def test_labels_of_other_types(svhn):
    save_mat(svhn / "train_32x32.mat", y=[[1.0], [2.0], [10.0]])
    np.testing.assert_array_equal(load_labelled_images(svhn).train_labels, [1, 2, 0])


IMAGE = np.zeros((32, 32, 3, 3), np.uint8)


@pytest.mark.parametrize(
    "variables, received",
    [
        ({"y": [[1]]}, "no variable X"),
        ({"X": IMAGE}, "no variable y"),
        ({"X": IMAGE, "y": [[1], [2]]}, "2 labels y for 3 images X"),
        ({"X": IMAGE, "y": [[1], [0], [2]]}, "label 0 in y, 1 to 10 are expected"),
        ({"X": IMAGE, "y": [[1], [2], [11]]}, "label 11 in y"),
        ({"X": IMAGE, "y": [[1], [2], [1.5]]}, "label 1.5 in y"),
        ({"X": IMAGE, "y": [[1], [2], [np.nan]]}, "label nan in y"),
        ({"X": IMAGE, "y": np.ones((3, 2))}, r"y is float64 \(3, 2\), numbers \(N, 1\)"),
        ({"X": IMAGE, "y": "abc"}, "y is <U3"),
        ({"X": IMAGE[:16], "y": [[1]]}, r"X is uint8 \(16, 32, 3, 3\), uint8 \(32, 32, 3, N\)"),
        ({"X": IMAGE[..., 0], "y": [[1]]}, r"X is uint8 \(32, 32, 3\)"),
        ({"X": IMAGE / 255, "y": [[1]]}, r"X is float64 \(32, 32, 3, 3\)"),
    ],
)
def test_damaged_variables(svhn, variables, received):
    scipy.io.savemat(svhn / "test_32x32.mat", variables)
    with pytest.raises(InputError, match=f"^{svhn / 'test_32x32.mat'}: {received}.*restore"):
        load_labelled_images(svhn)


def test_damaged_files(svhn):
    path = svhn / "train_32x32.mat"
    for content in (b"", b"not a matrix", path.read_bytes()[:-500]):
        path.write_bytes(content)
        assert refused(load_labelled_images, svhn).startswith(
            f"{path}: truncated or damaged MATLAB file"
        )
    start = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(start + b"\0" * 384 + b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    assert f"{path}: a MATLAB 7.3 file (HDF5)" in refused(load_labelled_images, svhn)
    path.unlink()
    text = refused(load_labelled_images, svhn)
    assert text.startswith(f"{path}: no such file") and text.endswith(f"/{path.name}")


def test_download_svhn(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(svhn_files, "download", lambda *args: asked.append(args))
    download_svhn(tmp_path)
    names = ["train_32x32.mat", "test_32x32.mat"]
    assert [path.name for _, path, _, _ in asked] == names
    for url, path, md5, size in asked:
        assert url == f"https://ufldl.stanford.edu/housenumbers/{path.name}"
        assert path.parent == tmp_path and len(md5) == 32 and 60e6 < size < 200e6
    asked.clear()
    download_svhn(tmp_path, extra=True)
    assert [path.name for _, path, _, _ in asked] == [*names, "extra_32x32.mat"]


# Folders ----------------------------------------------------------------------------------


def test_folders(folders):
    save(folders / "unlabelled" / "a.png", 77)
    save(folders / "train" / ".cache" / "a.png")
    (folders / "train" / "cat" / "notes.txt").write_text("")
    images = load_labelled_images(folders, image_size=8)
    assert images.name == "animals" and images.classes == ("2", "10", "cat", "Dog")
    np.testing.assert_array_equal(images.train_labels, [0, 0, 1, 1, 2, 2, 3, 3, -1])
    np.testing.assert_array_equal(images.test_labels, [0, 1, 2, 3])
    assert images.train_labels.dtype == images.test_labels.dtype == np.int64
    for pixels, levels in (
        (images.train_images, [10, 11, 0, 1, 20, 21, 30, 31, 77]),
        (images.test_images, [10, 0, 20, 30]),
    ):
        expected = np.broadcast_to(np.reshape(levels, (-1, 1, 1, 1)), (len(levels), 8, 8, 3))
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, expected)


def test_pixels_of_the_right_size_stay_as_they_are(folders):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.dstack([levels, levels[::-1], levels.T])
    Image.fromarray(pixels).save(folders / "test" / "2" / "0.png")
    images = load_labelled_images(folders, image_size=16)
    np.testing.assert_array_equal(images.test_images[0], pixels)


def test_photographs_are_cut_to_the_middle_and_made_to_size(folders):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = [10, 100, 200]
    Image.fromarray(wide).save(folders / "test" / "2" / "0.png")
    Image.fromarray(wide.swapaxes(0, 1)).save(folders / "test" / "10" / "0.png")
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # finer than the result: half the light everywhere, sRGB 188
    Image.fromarray(stripes).save(folders / "test" / "cat" / "0.png")
    for size in (8, 32):
        test = load_labelled_images(folders, size).test_images
        assert test.shape == (4, size, size, 3)
        np.testing.assert_array_equal(test[:2], np.tile([10, 100, 200], (2, size, size, 1)))
        np.testing.assert_allclose(test[2, :, 2:-2], 188, atol=3)
        np.testing.assert_array_equal(test[3], 30)


def test_kinds_of_files(folders):
    folder = folders / "test"
    save(folder / "2" / "0.png", 50, mode="L")
    save(folder / "10" / "0.png", 60, mode="RGBA")
    save(folder / "cat" / "0.png").unlink()
    save(folder / "cat" / "0.JPG", 70)
    (folder / "Dog" / "0.png").unlink()
    half = np.full((8, 8, 3), 32768, np.uint16)  # half the light
    tifffile.imwrite(folder / "Dog" / "0.tif", half, photometric="rgb")
    test = load_labelled_images(folders, image_size=8).test_images
    np.testing.assert_array_equal(test[:, 0, 0, 0], [50, 60, 70, 188])
    assert (test == test[:, :1, :1, :1]).all()


def test_reading_leaves_warnings_as_they_were(folders):
    before = list(warnings.filters)
    load_labelled_images(folders)
    assert warnings.filters == before


@pytest.mark.parametrize(
    "change, where, received",
    [
        ("rm test", "test", "no such folder: put a folder per class there"),
        ("rm train", "train", "no such folder"),
        ("rm test/cat", "train/cat", "class cat is not in test/"),
        ("rm train/10", "test/10", "class 10 is not in train/"),
        ("empty train/2", "train/2", "no images in this folder"),
        ("empty unlabelled", "unlabelled", "no images in this folder"),
        ("one", "train", "one class, cat: two or more are needed"),
        ("stray", "train/a.png", "an image of no class: move it"),
        ("flat", "train", "no folders in it: sort its images"),
        ("damage", "test/Dog/0.png", "truncated or damaged PNG"),
    ],
)
def test_damaged_folders(folders, change, where, received):
    def remove(path):
        for file in sorted(path.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        path.rmdir()

    kind, _, target = change.partition(" ")
    if kind in ("rm", "empty") and (folders / target).exists():
        remove(folders / target)
    if kind == "empty":
        (folders / target).mkdir()
    for name in ("10", "2", "Dog") if kind == "one" else ():
        remove(folders / "train" / name)
        remove(folders / "test" / name)
    if kind == "flat":
        remove(folders / "train")
    if kind in ("stray", "flat"):
        save(folders / "train" / "a.png")
    if kind == "damage":
        path = folders / where
        path.write_bytes(path.read_bytes()[:45])
    text = refused(load_labelled_images, folders)
    assert text.startswith(f"{folders / where}: {received}")


def test_neither_layout(tmp_path, folders):
    text = refused(load_labelled_images, tmp_path / "gone")
    assert text.startswith(f"{tmp_path / 'gone'}: no such folder")
    for path in (tmp_path, folders / "train" / "2" / "0.png"):
        text = refused(load_labelled_images, path)
        assert text.startswith(f"{path}: ")
        assert "train_32x32.mat and test_32x32.mat" in text and "train/CLASS/" in text
    assert "extra images are SVHN's" in refused(load_labelled_images, folders, extra=True)


# Labels -----------------------------------------------------------------------------------

LABELS = np.random.default_rng(0).permutation([0] * 30 + [1] * 20 + [2] * 10 + [-1] * 40)
NAMES = ("cat", "dog", "fox")


@pytest.mark.parametrize("count, each", [(3, (1, 1, 1)), (8, (3, 3, 2)), (30, (10, 10, 10))])
def test_the_same_number_of_every_class(count, each):
    chosen = draw_labelled(LABELS, count, NAMES, seed=4)
    assert chosen.dtype == np.int64 and (np.diff(chosen) > 0).all()
    np.testing.assert_array_equal(np.bincount(LABELS[chosen]), each)


def test_all_labels():
    chosen = draw_labelled(LABELS, None, NAMES, seed=0)
    np.testing.assert_array_equal(chosen, np.flatnonzero(LABELS >= 0))


def test_a_draw_is_stable_and_holds_the_smaller_ones():
    draws = [set(draw_labelled(LABELS, count, NAMES, 4)) for count in range(3, 31)]
    assert all(small < large for small, large in zip(draws, draws[1:]))
    again = draw_labelled(LABELS, 12, ("other", "names", "here"), 4)
    assert set(again) == draws[12 - 3] != set(draw_labelled(LABELS, 12, NAMES, 5))


def test_every_image_is_drawn_equally_often():
    counts = np.zeros(100)
    for seed in range(300):
        counts[draw_labelled(LABELS, 15, NAMES, seed)] += 1
    for label, share in ((0, 5 / 30), (1, 5 / 20), (2, 5 / 10)):
        found = counts[LABELS == label] / 300
        spread = np.sqrt(share * (1 - share) / 300)
        assert found.mean() == pytest.approx(share)
        assert np.abs(found - share).max() < 4.5 * spread


@pytest.mark.parametrize(
    "count, classes, received",
    [
        (33, NAMES, "class fox: 11 labelled images asked for, there are 10"),
        (2, NAMES, "2 labels for 3 classes"),
        (0, NAMES, "0 labels for 3 classes"),
        (8, (*NAMES, "owl"), "class owl: no labelled images"),
        (None, (*NAMES, "owl"), "class owl: no labelled images"),
    ],
)
def test_more_labels_than_there_are(count, classes, received):
    assert refused(draw_labelled, LABELS, count, classes, 0).startswith(received)


@pytest.mark.parametrize("share", [0, 0.1, 0.33, 0.5, 1])
def test_wrong_labels(share):
    before = LABELS.copy()
    after = wrong_labels(LABELS, share, NAMES, seed=2)
    np.testing.assert_array_equal(LABELS, before)
    assert after.dtype == np.int64 and (after != LABELS).sum() == round(60 * share)
    np.testing.assert_array_equal(after < 0, LABELS < 0)
    assert after.max() <= 2
    np.testing.assert_array_equal(after, wrong_labels(LABELS, share, NAMES, seed=2))
    more = wrong_labels(LABELS, min(1, share + 0.2), NAMES, seed=2)
    np.testing.assert_array_equal(more[after != LABELS], after[after != LABELS])


def test_wrong_labels_are_any_of_the_others():
    labels = np.repeat(np.arange(4), 500)
    counts = np.zeros((4, 4))
    np.add.at(counts, (labels, wrong_labels(labels, 0.9, DIGITS[:4], 0)), 1)
    others = counts[~np.eye(4, dtype=bool)]
    assert np.trace(counts) == 200 and np.abs(others - 150).max() < 4.5 * np.sqrt(150)
    assert (wrong_labels(labels, 0.5, NAMES, 0) != wrong_labels(labels, 0.5, NAMES, 1)).any()


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share_of_wrong_labels(share):
    assert f"Received: {share}" in refused(wrong_labels, LABELS, share, NAMES, 0)


def test_describe():
    def described(classes):
        pixels = np.zeros((100, 16, 16, 3), np.uint8)
        return describe(LabelledImages("zoo", classes, pixels, LABELS, pixels[:7], LABELS), 12)

    assert described(NAMES) == (
        "zoo: 3 classes (cat, dog, fox), 16x16; training 12 labelled + 88 unlabelled, testing 7"
    )
    many = described(tuple(map(str, range(20))))
    assert "20 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, ..., 19), " in many
