import dataclasses

import numpy as np
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.text2image.captioned_images import CaptionedImages, describe
from keras_gans.text2image.datasets import load_captioned_images


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def save(path, level=100, size=(8, 8)):
    """An image of one grey level, rows x columns; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (level,) * 3).save(path, quality=100)
    return path


def write(path, *lines, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + end, encoding="utf-8")
    return path


@pytest.fixture
def pairs(tmp_path):
    """Ten images, a to j, of levels 0 to 90, with two captions each."""
    for number, name in enumerate("abcdefghij"):
        save(tmp_path / "pets" / f"{name}.png", 10 * number)
        animal = ("cat", "dog")[number % 2]
        write(tmp_path / "pets" / f"{name}.txt", f"A {animal} .", f"number {number}")
    return tmp_path / "pets"


@pytest.fixture
def flickr(tmp_path):
    """Six images with two captions each, and all three lists of them that there may be."""
    folder, lines = tmp_path / "flickr", []
    for number in range(6):
        save(folder / "Images" / f"{number}.jpg", 40 * number)
        lines += [f"{number}.jpg#0\tA dog , number {number} .", f"{number}.jpg#1\tIt runs ."]
    write(folder / "Flickr8k.token.txt", *lines)
    write(
        folder / "index.csv", "image,split,tags", "0.jpg,train,dog;Big", "1.jpg,test,dog",
        "2.jpg,train,", "3.jpg,val,dog", "4.jpg,test,cat", "5.jpg,train,dog; red",
    )  # fmt: skip
    return folder


def save_classes(folder, layout, names, images=2):
    """`images` images per class; the caption of image i of class c is "a c i"."""
    for c, name in enumerate(names):
        for i in range(images):
            stem = f"image_{c:02}{i}"
            if layout == "oxford":
                save(folder / "jpg" / f"{stem}.jpg", 10 * c)
            else:
                save(folder / "images" / name / f"{stem}.jpg", 10 * c)
            write(folder / "text_c10" / name / f"{stem}.txt", f"a {c} {i}", "a flower")
    return folder


def class_of(images, number):
    return int(images.captions[number][0].split()[1])


def parts_of_classes(images):
    parts = {}
    for number, part in enumerate(images.split):
        parts.setdefault(class_of(images, number), set()).add(str(part))
    return parts


# NAME.jpg and NAME.txt --------------------------------------------------------------------


def test_pairs(pairs):
    save(pairs / "café.JPG", 200, size=(20, 60))
    (pairs / "café.txt").write_bytes("\ufeffUne fleur très jaune\r\n花。\r\n\r\n".encode())
    save(pairs / ".hidden.png")
    images = load_captioned_images(pairs, image_size=8)
    assert images.name == "pets" and len(images) == 11
    assert images.files == (*(f"{name}.png" for name in "abc"), "café.JPG",
                            *(f"{name}.png" for name in "defghij"))  # fmt: skip
    assert images.captions[1] == ("A dog .", "number 1")
    assert images.captions[3] == ("Une fleur très jaune", "花。")
    levels = [0, 10, 20, 200, *range(30, 100, 10)]
    assert images.images.dtype == np.uint8
    np.testing.assert_array_equal(
        images.images, np.broadcast_to(np.reshape(levels, (-1, 1, 1, 1)), (11, 8, 8, 3))
    )
    assert sorted(images.split) == ["test"] + ["train"] * 10


def test_a_split_is_a_function_of_names_and_seed(pairs):
    first = load_captioned_images(pairs, image_size=8, seed=1)
    again = load_captioned_images(pairs, image_size=8, seed=1)
    np.testing.assert_array_equal(first.split, again.split)
    seeds = [load_captioned_images(pairs, image_size=8, seed=seed).split for seed in range(6)]
    assert len({tuple(split) for split in seeds}) > 1
    with_index = write(pairs / "index.csv", "image,split", *(
        f"{name}.png,{'test' if name in 'ce' else 'train'}" for name in "abcdefghij"
    ))  # fmt: skip
    assert with_index.exists()
    split = load_captioned_images(pairs, image_size=8).split
    np.testing.assert_array_equal(np.flatnonzero(split == "test"), [2, 4])


def test_a_tag_is_a_word_of_a_caption(pairs):
    whole = load_captioned_images(pairs, image_size=8, seed=2)
    [held_out] = whole.take(whole.split == "test").captions
    animal = "cat" if "cat" in held_out[0] else "dog"
    images = load_captioned_images(pairs, image_size=8, seed=2, tag=animal.upper())
    assert images.name == f"pets, {animal.upper()}" and len(images) == 5
    same = [whole.files.index(file) for file in images.files]
    np.testing.assert_array_equal(images.split, whole.split[same])
    text = refused(load_captioned_images, pairs, seed=2, tag="dogs")
    assert text.startswith(f"{pairs}: no image has the tag 'dogs': try another, such as ")
    assert "dog" in text.split("such as ")[1].split(", ")
    assert "a word of the captions" in refused(load_captioned_images, pairs, tag="a dog")
    text = refused(
        load_captioned_images, pairs, seed=2, tag={"cat": "dog", "dog": "cat"}[animal]
    )
    assert text.startswith(f"{pairs}: no test images with the tag")


@pytest.mark.parametrize(
    "change, where, received",
    [
        (lambda f: (f / "c.txt").unlink(), "c.png", "no captions of it: add "),
        (lambda f: (f / "c.png").unlink(), "c.txt", "captions of no image: add the image"),
        (lambda f: save(f / "c.jpg"), "c.png", "its captions would be those of "),
        (lambda f: write(f / "c.txt", "", end=""), "c.txt", "empty: write a caption a line"),
        (lambda f: write(f / "c.txt", "\n \n"), "c.txt", "empty: write a caption a line"),
        (
            lambda f: write(f / "c.txt", "a", "", "b"),
            "c.txt",
            "line 2: a caption without a word",
        ),
        (
            lambda f: write(f / "c.txt", "a", " . !"),
            "c.txt",
            "line 2: a caption without a word",
        ),
        (lambda f: (f / "c.txt").write_bytes(b"one\ncaf\xe9\n"), "c.txt", "line 2: not UTF-8"),
        (
            lambda f: (f / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n1"),
            "c.png",
            "truncated or dam",
        ),
        (
            lambda f: (f / "c.png").write_bytes(b"GIF"),
            "c.png",
            "a JPEG, PNG or TIFF is expected",
        ),
    ],
)
def test_damaged_pairs(pairs, change, where, received):
    change(pairs)
    text = refused(load_captioned_images, pairs)
    assert text.startswith(f"{pairs / where}: {received}")


def test_no_layout(tmp_path):
    text = refused(load_captioned_images, tmp_path / "gone")
    assert text.startswith(f"{tmp_path / 'gone'}: no such folder") and "text_c10" in text
    write(tmp_path / "a.txt", "a dog")
    assert ": a file; a folder is" in refused(load_captioned_images, tmp_path / "a.txt")
    assert "unknown layout; expected: jpg/" in refused(load_captioned_images, tmp_path)
    path = save(tmp_path / "a.png")
    assert refused(load_captioned_images, tmp_path).startswith(f"{path}: the only image")


# Flickr -----------------------------------------------------------------------------------


def test_flickr(flickr):
    write(flickr / "Flickr8k.lemma.token.txt", "not read")
    images = load_captioned_images(flickr, image_size=8)
    assert images.name == "flickr"
    assert images.files == tuple(f"Images/{number}.jpg" for number in (0, 1, 2, 4, 5))
    assert images.split.tolist() == ["train", "test", "train", "test", "train"]
    np.testing.assert_allclose(images.images[:, 0, 0, 0], [0, 40, 80, 160, 200], atol=1)
    assert images.captions[3] == ("A dog , number 4 .", "It runs .")


def test_flickr_tags_are_those_of_the_index(flickr):
    images = load_captioned_images(flickr, image_size=8, tag="dog")
    assert images.name == "flickr, dog"
    assert [file[-5] for file in images.files] == ["0", "1", "5"]
    text = refused(load_captioned_images, flickr, tag="runs")
    assert text.startswith(f"{flickr / INDEX}: no image has the tag 'runs': try another, such ")
    assert text.endswith("such as dog, big, cat, red")
    text = refused(load_captioned_images, flickr, tag="red")
    assert text == f"{flickr}: no test images with the tag red: add some, or split anew"
    write(flickr / "index.csv", "image,split", *(f"{n}.jpg,{p}" for n, p in enumerate(
        ["train", "test", "train", "test", "test", "train"])))  # fmt: skip
    assert len(load_captioned_images(flickr, image_size=8, tag="RUNS")) == 6


def test_flickr_lists_of_parts(flickr):
    (flickr / "index.csv").unlink()
    (flickr / "Images").rename(flickr / "Flicker8k_Dataset")
    write(flickr / "Flickr_8k.trainImages.txt", "5.jpg", "0.jpg")
    write(flickr / "Flickr_8k.devImages.txt", "1.jpg")
    path = write(flickr / "Flickr_8k.testImages.txt", "2.jpg")
    images = load_captioned_images(flickr, image_size=8)
    assert [file[-5] for file in images.files] == ["0", "2", "5"]
    assert images.split.tolist() == ["train", "test", "train"]
    write(path, "2.jpg", "7.jpg")
    assert (
        refused(load_captioned_images, flickr) == f"{path}: line 2: no image 7.jpg: remove it"
    )
    write(path, "2.jpg", "5.jpg")
    assert "line 2: 5.jpg is one to train on" in refused(load_captioned_images, flickr)
    path.unlink()
    assert refused(load_captioned_images, flickr).startswith(f"{path}: cannot be read")


@pytest.mark.parametrize("name", ["results.csv", "results_20130124.token", "captions.txt"])
def test_flickr_kinds_of_lists(flickr, name):
    (flickr / "index.csv").unlink()
    (flickr / "Flickr8k.token.txt").unlink()
    inner = flickr / "flickr30k_images"
    inner.mkdir()
    (flickr / "Images").rename(inner / "flickr30k_images")  # as an archive of it unpacks
    if name == "results.csv":
        lines = [f"{n}.jpg| {i}| A dog , | {n}{i} ." for n in range(6) for i in range(2)]
        lines = ["image_name| comment_number| comment", *lines]
        lines[4] = "1.jpg| 1   A dog , | 11 ."  # as one line of the published file
        folder = inner
    elif name == "captions.txt":
        lines = [f'{n}.jpg,"A ""dog"" , | {n}{i} ."' for n in range(6) for i in range(2)]
        lines = ["image,caption", *lines]
        folder = flickr
    else:
        lines = [f"{n}.jpg#{i}\tA dog , | {n}{i} ." for n in range(6) for i in range(2)]
        folder = flickr
    write(folder / name, *lines)
    images = load_captioned_images(flickr, image_size=8)
    for number, captions in enumerate(images.captions):
        expected = (f"A dog , | {number}0 .", f"A dog , | {number}1 .")
        assert tuple(caption.replace('"', "") for caption in captions) == expected
    assert len(images) == 6 and np.count_nonzero(images.split == "test") == 1


def change_line(flickr, number, line, name="Flickr8k.token.txt"):
    lines = (flickr / name).read_text().splitlines()
    lines[number - 1 : number] = [] if line is None else [line]
    write(flickr / name, *lines)


INDEX = "index.csv"


@pytest.mark.parametrize(
    "line, received",
    [
        ("1.jpg A dog", "NAME.jpg#0, a tab and a caption is expected"),
        ("", "NAME.jpg#0, a tab"),
        ("7.jpg#0\tA dog", "no image 7.jpg in "),
        ("0.jpg#1\tA dog", "caption 1 of 0.jpg is in line 2 already: remove one"),
        ("1.jpg#0\t . ", "a caption without a word"),
    ],
)
def test_flickr_damaged_lines(flickr, line, received):
    change_line(flickr, 3, line)
    text = refused(load_captioned_images, flickr)
    assert text.startswith(f"{flickr / 'Flickr8k.token.txt'}: line 3: {received}")


def test_flickr_image_that_is_lost(flickr):
    change_line(flickr, 12, "5.jpg#1\tIt runs .\n2258277193_586949ec62.jpg.1#0\tA man .")
    assert len(load_captioned_images(flickr, image_size=8)) == 5


def test_flickr_mismatches(flickr):
    save(flickr / "Images" / "6.jpg")
    text = refused(load_captioned_images, flickr)
    assert text.startswith(f"{flickr / 'Images' / '6.jpg'}: no caption of it in {flickr}")
    (flickr / "Images" / "6.jpg").unlink()
    other = write(flickr / "results.csv", "image_name| comment_number| comment")
    text = refused(load_captioned_images, flickr)
    assert text == f"{other}: captions, as Flickr8k.token.txt has: keep one of them"


@pytest.mark.parametrize(
    "number, line, received",
    [
        (1, "name,split,tags", "no column image; expected: image"),
        (3, "9.jpg,test,dog", "line 3: no image 9.jpg: remove the line"),
        (3, "0.jpg,test,dog", "line 3: a second line of 0.jpg: remove the line"),
        (3, "1.jpg,tset,dog", "line 3: split 'tset': train, test or val is expected"),
        (3, "1.jpg,test", "line 3: 3 cells are expected"),
        (3, "1.jpg,test,dog,cat", "line 3: 3 cells are expected"),
        (3, None, "no line of 1.jpg: add it"),
    ],
)
def test_flickr_damaged_index(flickr, number, line, received):
    change_line(flickr, number, line, INDEX)
    assert refused(load_captioned_images, flickr).startswith(f"{flickr / INDEX}: {received}")


# Oxford flowers and CUB -------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["oxford", "cub"])
def test_classes_are_in_one_part(tmp_path, layout):
    names = [f"class_{c:05}" for c in range(10)]
    folder = save_classes(tmp_path / layout, layout, names)
    write(folder / "text_c10" / "class_00000.h5", "not read")
    images = load_captioned_images(folder, image_size=8, seed=5)
    assert images.name == layout and len(images) == 20
    for number in range(20):
        assert images.images[number, 0, 0, 0] == pytest.approx(
            10 * class_of(images, number), abs=1
        )
        assert images.captions[number][1] == "a flower"
    parts = parts_of_classes(images)
    test = {c for c, part in parts.items() if part == {"test"}}
    assert len(test) == 2 and all(parts[c] == {"train"} for c in set(range(10)) - test)
    np.testing.assert_array_equal(
        images.split, load_captioned_images(folder, image_size=8, seed=5).split
    )
    splits = {
        tuple(load_captioned_images(folder, image_size=8, seed=seed).split) for seed in range(4)
    }
    assert len(splits) > 1


def test_published_lists_of_classes(tmp_path):
    folder = save_classes(tmp_path, "cub", ["001.A", "002.B", "003.C", "004.D"])
    (folder / "text_c10").rename(folder / "text")
    train = write(folder / "trainclasses.txt", "004.D", "001.A")
    write(folder / "text" / "valclasses.txt", "003.C")
    text = refused(load_captioned_images, folder)
    assert text.startswith(f"{train}: without testclasses.txt: add it")
    test = write(folder / "testclasses.txt", "002.B", "009.Z")
    parts = parts_of_classes(load_captioned_images(folder, image_size=8))
    assert parts == {0: {"train"}, 1: {"test"}, 2: {"train"}, 3: {"train"}}
    write(test, "002.B", "001.A")
    text = refused(load_captioned_images, folder)
    assert text.startswith(f"{test}: line 2: class 001.A is one to train on")
    write(test, "009.Z")
    text = refused(load_captioned_images, folder)
    assert text.startswith(f"{test}: class 002.B is neither there nor in trainclasses.txt")


@pytest.mark.parametrize("layout", ["oxford", "cub"])
def test_damaged_classes(tmp_path, layout):
    folder = save_classes(tmp_path, layout, ["b", "c"])
    images = folder / ("jpg" if layout == "oxford" else "images/c")
    extra = save(images / "image_9.jpg")
    text = refused(load_captioned_images, folder)
    where = folder / "text_c10" / ("CLASS" if layout == "oxford" else "c") / "image_9.txt"
    assert text == f"{extra}: no captions of it: add {where}, or remove it"
    extra.unlink()
    extra = write(folder / "text_c10" / "c" / "image_9.txt", "a flower")
    assert refused(load_captioned_images, folder).startswith(f"{extra}: captions of no image")
    extra.unlink()
    if layout == "oxford":
        extra = write(folder / "text_c10" / "c" / "image_000.txt", "a flower")
        text = refused(load_captioned_images, folder)
        assert text.startswith(f"{extra}: captions of an image that ") and "/b/" in text
    for path in (folder / "text_c10").rglob("*.txt"):
        path.unlink()
    assert "no captions of it" in refused(load_captioned_images, folder)
    for path in (folder / "text_c10").iterdir():
        path.rmdir()
    assert "a folder per class is expected" in refused(load_captioned_images, folder)


def test_one_class_cannot_be_split(tmp_path):
    folder = save_classes(tmp_path, "oxford", ["rose"])
    assert "one class, rose: two are needed" in refused(load_captioned_images, folder)


# CaptionedImages --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Coloured(CaptionedImages):
    colours: np.ndarray


def coloured():
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
    captions = (("a b",), ("c", "a B d"), ("a",))
    split = np.array(["train", "test", "train"])
    return Coloured("set", images, captions, split, ("x", "y", "z"), np.array([7, 8, 9]))


@pytest.mark.parametrize("selection", [[2, 1], np.array([False, True, True]), slice(1, None)])
def test_take(selection):
    chosen = [2, 1] if isinstance(selection, list) else [1, 2]
    taken = coloured().take(selection)
    assert type(taken) is Coloured and taken.name == "set" and len(taken) == 2
    np.testing.assert_array_equal(taken.images[:, 0, 0, 0], chosen)
    np.testing.assert_array_equal(taken.colours, [7 + i for i in chosen])
    assert taken.files == tuple("xyz"[i] for i in chosen)
    assert taken.captions == tuple(coloured().captions[i] for i in chosen)


def test_sentences():
    captions, owners = coloured().sentences()
    assert captions == ["a b", "c", "a B d", "a"] and owners.dtype == np.int64
    np.testing.assert_array_equal(owners, [0, 1, 1, 2])


def test_describe():
    assert describe(coloured()) == (
        "set: 3 images, 4x4, 2 for training, 1 for testing; 4 captions of 1.8 words, "
        "4 different words"
    )
