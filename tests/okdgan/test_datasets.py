import numpy as np
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.okdgan.codebrim import CLASSES
from keras_gans.okdgan.crop_list import save
from keras_gans.okdgan.crops import Crops, describe, single_labels, split
from keras_gans.okdgan.datasets import load_crops, load_list
from keras_gans.okdgan.synthetic import synthetic_concrete

DEFECTS = ("crack", "spallation", "efflorescence", "exposed bar", "corrosion stain")


def photo(path, width=100, height=80, seed=0, **options):
    """A photo in which no two pixels of 100 x 80 are alike; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x % 256, y % 256, np.full_like(x, seed)], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def flags(*names):
    return "".join(f"<{tag}>{int(tag in names)}</{tag}>" for tag in CLASSES)


def annotation(*objects, size=(100, 80)):
    """XML in the layout of CODEBRIM; objects are (xmin, ymin, xmax, ymax, *classes)."""
    text = "<?xml version='1.0' encoding='utf-8'?>\n<annotation><folder>images</folder>"
    text += f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    for xmin, ymin, xmax, ymax, *names in objects:
        text += (
            "<object><name>defect</name><bndbox>"
            f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
            f"</bndbox><Defect>{flags(*names)}</Defect></object>"
        )
    return text + "</annotation>"


@pytest.fixture
def codebrim(tmp_path):
    root = tmp_path / "original_dataset"
    for number in (1, 2, 3):  # the third has no annotation
        photo(root / "images" / f"image_{number}.png", seed=number)
    notes = root / "annotations"
    notes.mkdir()
    (notes / "image_1.xml").write_text(
        annotation((10, 20, 50, 60, "Crack"), (50, 0, 100, 80, "ExposedBars", "CorrosionStain"))
    )
    (notes / "image_2.xml").write_text(
        annotation((0, 0, 30, 12, "Background"), (-3, 70, 20, 99, "Spallation"))
    )
    (notes / "._image_2.xml").write_bytes(b"\0macOS")
    (root / "images" / "._image_2.png").write_bytes(b"\0macOS")
    return root


@pytest.fixture
def listed(tmp_path):
    path = tmp_path / "list"
    for name in "ab":
        photo(path / "images" / f"{name}.png", seed=ord(name))
    (path / "labels").mkdir()
    (path / "index.csv").write_text("id,split\na,train\n")
    (path / "crops16.csv").write_text(
        "id,x,y,split,cls,px\na,3,4,train,crack,1\nb,84,64,test,plain,2\na,3,4,train,crack,3\n"
        "b,0,0,test,crack,4\n"
    )
    return path


def refused(call, *args, **kwargs):
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def same(one, two):
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.places, two.places)
    if one.labels is not None:
        np.testing.assert_array_equal(one.labels, two.labels)
        assert one.labels.dtype == two.labels.dtype
    for name in ("name", "classes", "sources", "parts", "files"):
        assert getattr(one, name) == getattr(two, name)


# CODEBRIM ---------------------------------------------------------------------------------


def test_boxes_of_codebrim(codebrim):
    crops = load_crops(codebrim.parent, count=None, size=16)
    assert crops.name == "CODEBRIM format, 3 photos" and crops.classes == DEFECTS
    assert crops.files == ("images/image_1.png",) * 2 + ("images/image_2.png",)
    expected = np.zeros((3, 5), bool)
    expected[0, 0] = expected[1, [3, 4]] = expected[2, 1] = True
    np.testing.assert_array_equal(crops.labels, expected)
    assert crops.labels.dtype == bool and crops.images.shape == (3, 16, 16, 3)
    (x, y, side), (x2, y2, side2), spall = crops.places
    assert 30 <= side <= 40 and 10 <= x <= 50 - side and 20 <= y <= 60 - side
    assert 38 <= side2 <= 50 and 50 <= x2 <= 100 - side2 and 0 <= y2 <= 80 - side2
    # a box lower than a crop, and partly beyond the photo: around its middle, inside
    assert spall[2] == 16 and 0 <= spall[0] <= 4 and spall[1] == 64
    # a crop shows the square: its reduced ramps run from one side to the other
    image = crops.images[0].astype(float)
    assert image[:, 0, 0] == pytest.approx(x + side / 32 - 0.5, abs=1.6)
    assert image[0, :, 1] == pytest.approx(y + side / 32 - 0.5, abs=1.6)
    assert image[:, -1, 0] == pytest.approx(x + side - side / 32 - 0.5, abs=1.6)


def test_many_crops_of_codebrim_are_all_different(codebrim):
    crops = load_crops(codebrim, count=200, size=16)
    assert len(crops) == 200
    assert len(set(zip(crops.files, *crops.places.T.tolist()))) == 200
    again, other = (load_crops(codebrim, count=200, size=16, seed=seed) for seed in (0, 1))
    same(crops, again)
    assert (crops.places != other.places).any()


def test_classes_of_codebrim(codebrim):
    crops = load_crops(codebrim, None, 8, classes=("corrosion stain", "background"))
    assert crops.classes == ("background", "corrosion stain")
    np.testing.assert_array_equal(crops.labels, [[False, True], [True, False]])
    only = load_crops(codebrim, 20, 8, classes=("crack",))
    assert only.labels.shape == (20, 1) and only.labels.all()
    assert "no class cracks; there are: background, crack" in refused(
        load_crops, codebrim, classes=("cracks",)
    )


def test_jpeg_photos_decoded_smaller_show_the_same(tmp_path):
    y, x = np.mgrid[:640, :800]
    smooth = np.stack([x / 4, y / 4, (x + y) / 8], axis=2).astype(np.uint8)
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations").mkdir()
    Image.fromarray(smooth).save(tmp_path / "images" / "p.jpg", quality=95)
    (tmp_path / "annotations" / "p.xml").write_text(
        annotation((100, 50, 700, 600, "Crack"), size=(800, 640))
    )
    crops = load_crops(tmp_path, 3, 32)
    for (left, top, side), image in zip(crops.places, crops.images):
        box = (left, top, left + side, top + side)
        exact = Image.fromarray(smooth).resize((32, 32), Image.Resampling.BOX, box)
        assert np.abs(image - np.asarray(exact, float)).max() < 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation><", "not readable as XML"),
        (annotation((0, 0, 9, 9, "Crack"), size=(200, 160)), "its annotation says 200x160"),
        (annotation((100, 0, 120, 9, "Crack")), r"box (100, 0, 120, 9) is empty or outside"),
        (annotation((20, 9, 10, 19, "Crack")), "box (20, 9, 10, 19) is empty"),
        (annotation((0, 0, 9, 9)), "object 1: no class is 1"),
        (annotation((0, 0, 9, 9, "Crack", "Background")), "both Background and a defect"),
        (annotation((0, 0, 9, 9, "Crack")).replace("Crack", "Scale"), "unknown class Scale"),
        (annotation((0, 0, "a", 9, "Crack")), "bndbox/xmax is a, a number"),
        (annotation((0, 0, 9, 9, "Crack")).replace("Defect>", "Effect>"), "no Defect"),
        (annotation((0, 0, 9, 9, "Crack")).replace(">1<", ">yes<"), "Crack is yes, 0 or 1"),
    ],
)
def test_bad_annotations(codebrim, text, message):
    (codebrim / "annotations" / "image_2.xml").write_text(text)
    line = refused(load_crops, codebrim, size=8)
    assert message in line and "image_2" in line


def test_missing_and_damaged_photos(codebrim):
    (codebrim / "images" / "image_2.png").write_bytes(b"no image")
    assert "image_2.png: a JPEG, PNG or TIFF is expected" in refused(
        load_crops, codebrim, size=8
    )
    (codebrim / "images" / "image_2.png").unlink()
    line = refused(load_crops, codebrim, size=8)
    assert "image_2.jpg: missing, image_2.xml is its annotation" in line
    (codebrim / "images").rename(codebrim / "photos")
    assert "images: no such folder" in refused(load_crops, codebrim)


def test_photos_smaller_than_a_crop(codebrim):
    line = refused(load_crops, codebrim, size=96)
    assert "image_1.png: 100x80 pixels, less than a crop of 96x96" in line


def test_codebrims_own_crops(tmp_path):
    root = tmp_path / "classification_dataset"
    defects = ""
    for part, kind, name in (
        ("train", "defects", "image_1_crop_0000001"),
        ("train", "defects", "image_1_crop_0000002"),
        ("test", "defects", "image_2_crop_0000001"),
        ("val", "background", "image_3_crop_0000001"),
    ):
        photo(root / part / kind / f"{name}.png", 40, 30)
        if kind == "defects":
            defects += f'<Defect name="{name}.png">{flags("Crack", "Spallation")}</Defect>'
    (root / "metadata").mkdir()
    (root / "metadata" / "defects.xml").write_text(f"<Annotation>{defects}</Annotation>")
    plain = f'<Defect name="image_3_crop_0000001.png">{flags("Background")}</Defect>'
    (root / "metadata" / "background.xml").write_text(f"<Annotation>{plain}</Annotation>")
    crops = load_crops(tmp_path, None, 16)
    assert crops.name == "CODEBRIM's crops"
    assert crops.labels.sum(axis=0).tolist() == [3, 3, 0, 0, 0]
    assert crops.parts == ("train", "train", "test")
    assert crops.sources == ("image_1", "image_1", "image_2")
    save(crops, tmp_path / "list.csv")
    same(load_list(tmp_path / "list.csv", tmp_path, 16), crops)
    assert "no images of 32x32 and more" in refused(load_crops, tmp_path, None, 32)
    with_plain = load_crops(tmp_path, None, 16, classes=tuple(CLASSES.values()))
    assert len(with_plain) == 4 and set(with_plain.parts) == {"train", "val", "test"}
    photo(root / "train" / "defects" / "new.png", 40, 30)
    assert "new.png: is not in" in refused(load_crops, root, None, 16)
    (root / "metadata" / "background.xml").unlink()
    assert "background.xml: no such file" in refused(load_crops, root, None, 16)


# Lists ------------------------------------------------------------------------------------


def test_a_list_of_crops(listed):
    crops = load_crops(listed, count=None, size=16)
    assert (crops.name, crops.classes) == ("list", ("crack", "plain"))
    np.testing.assert_array_equal(crops.labels, [0, 1, 0, 0])
    assert crops.labels.dtype == np.int64
    assert crops.parts == ("train", "test", "train", "test")
    assert crops.files == crops.sources == tuple(f"images/{name}.png" for name in "abab")
    pixels = photo(listed.parent / "b.png", seed=ord("b"))
    np.testing.assert_array_equal(crops.images[1], pixels[64:80, 84:100])  # image[y:, x:]
    some = load_crops(listed, count=2, size=16)
    assert len(some) == 2 and len(load_crops(listed, count=99, size=16)) == 4
    cracks = load_crops(listed, size=16, classes=("crack",))
    assert cracks.classes == ("crack",) and len(cracks) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,x,z\na,1,2\n", "no column y; expected: x, y and, if wanted, photo"),
        ("name,x,y\na,1,2\n", "no column photo"),
        ("", "no column x"),
        ("id,x,y\n", "no crops in this list"),
        ("id,x,y\nc,1,2\n", "line 2: no photo c in"),
        ("id,x,y\na,1,2\na,1\n", "line 3: 3 cells are expected"),
        ("id,x,y\na,1,2,3\n", "line 2: 3 cells are expected"),
        ("id,x,y\na,1,-2\n", "line 2: y is '-2', a whole number"),
        ("id,x,y\na,1.5,2\n", "line 2: x is '1.5'"),
        ("id,x,y\na,85,2\n", "line 2: 16x16 pixels at 85, 2 are outside of the 100x80 photo"),
        ("id,x,y,side\na,0,0,81\n", "line 2: 81x81 pixels"),
        ("id,x,y,cls\na,0,0,\n", "line 2: no class"),
        ("photo,x,y,class:a\na,0,0,2\n", "line 2: a is 2, 0 or 1"),
    ],
)
def test_bad_lists(listed, text, message):
    (listed / "crops16.csv").write_text(text)
    line = refused(load_crops, listed, size=16)
    assert message in line and "crops16.csv: " in line


def test_which_list(listed):
    (listed / "crops32.csv").write_text("id,x,y\na,1,2\n")
    assert "which of crops16.csv, crops32.csv" in refused(load_crops, listed, size=16)
    for name in ("crops16.csv", "crops32.csv"):
        (listed / name).unlink()
    assert "index.csv: no column x" in refused(load_crops, listed, size=16)
    (listed / "index.csv").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8: save the file as UTF-8" in refused(load_crops, listed, size=16)


# Folders ----------------------------------------------------------------------------------


def test_a_folder_per_class(tmp_path):
    for seed, name in enumerate(("10 rust", "2 crack")):
        for number in range(3):
            photo(tmp_path / name / f"{number}.png", 40 + number, 30, seed=seed)
    crops = load_crops(tmp_path, count=12, size=16)
    assert crops.classes == ("2 crack", "10 rust") and crops.parts is None
    np.testing.assert_array_equal(crops.labels == 1, crops.images[:, 0, 0, 2] == 0)
    assert len(crops) == 12 and np.bincount(crops.labels).tolist() == [6, 6]
    assert crops.places[:, 2].min() >= 23 and crops.places[:, 2].max() <= 30
    fixed = load_crops(tmp_path, count=12, size=16, side=20)
    assert (fixed.places[:, 2] == 20).all()
    photo(tmp_path / "stray.png")
    assert "stray.png: a photo beside the folder 10 rust/" in refused(load_crops, tmp_path)


def test_photos_without_classes(tmp_path):
    pixels = [photo(tmp_path / f"{n}.png", 40, 30, seed=n) for n in range(3)]
    crops = load_crops(tmp_path, count=30, size=16)
    assert crops.classes == () and crops.labels is None
    assert np.unique(crops.sources, return_counts=True)[1].tolist() == [10, 10, 10]
    for image, (x, y, side), name in zip(crops.images, crops.places, crops.files):
        assert side == 16
        np.testing.assert_array_equal(image, pixels[int(name[0])][y : y + 16, x : x + 16])
    save(crops, tmp_path / "drawn.csv")
    same(load_list(tmp_path / "drawn.csv", tmp_path, 16), crops)
    assert "no classes" in describe(crops)
    assert "photos without classes" in refused(single_labels, crops)
    assert "cannot be chosen" in refused(load_crops, tmp_path, size=16, classes=("crack",))


def test_crops_that_are_there_already_come_once(tmp_path):
    for number in range(4):
        photo(tmp_path / "images" / f"{number}.png", 16, 16, seed=number)
    crops = load_crops(tmp_path, count=99, size=16)
    assert len(crops) == 4 and sorted(crops.images[:, 0, 0, 2]) == [0, 1, 2, 3]


def test_crops_are_turned_upright(tmp_path):
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = photo(tmp_path / f"{orientation}.png", 30, 20, exif=exif)
        crops = load_crops(tmp_path, 1, 16)
        x, y, side = crops.places[0]
        kept = pixels[y : y + side, x : x + side]
        turned = [
            kept, kept[:, ::-1], kept[::-1, ::-1], kept[::-1], kept.swapaxes(0, 1),
            kept[::-1].swapaxes(0, 1), kept[::-1, ::-1].swapaxes(0, 1),
            kept[:, ::-1].swapaxes(0, 1),
        ][orientation - 1]  # fmt: skip
        np.testing.assert_array_equal(crops.images[0], turned)
        (tmp_path / f"{orientation}.png").unlink()


def test_other_kinds_of_images(tmp_path):
    Image.new("L", (20, 20), 77).save(tmp_path / "grey.png")
    Image.new("RGBA", (20, 20), (1, 2, 3, 0)).save(tmp_path / "clear.png")
    Image.new("P", (20, 20), 0).save(tmp_path / "palette.png")
    Image.new("CMYK", (20, 20), 0).save(tmp_path / "print.jpg")
    crops = load_crops(tmp_path, None, 16)
    colours = dict(zip(crops.files, crops.images[:, 8, 8].tolist()))
    assert colours["grey.png"] == [77] * 3 and colours["clear.png"] == [1, 2, 3]
    assert colours["print.jpg"] == [255] * 3


def test_unusable_folders(tmp_path):
    assert "no such folder" in refused(load_crops, tmp_path / "no")
    assert "no images found; expected: images/" in refused(load_crops, tmp_path)
    (tmp_path / "file").write_text("")
    assert "file: a file; a folder is expected" in refused(load_crops, tmp_path / "file")
    for arguments in ({"count": 0}, {"size": 4}, {"seed": -1}, {"side": 20}):
        with pytest.raises(ValueError, match="Received: "):
            load_crops(tmp_path, **arguments)


# What crops are for -----------------------------------------------------------------------


def test_saving_what_was_drawn(codebrim, listed):
    for folder in (codebrim, listed):
        crops = load_crops(folder, count=20, size=16)
        file = folder / "drawn" / "crops.csv"
        file.parent.mkdir()
        save(crops, file)
        same(load_list(file, folder, 16), crops)
    assert file.read_text().splitlines()[:2] == [
        "photo,x,y,side,split,class", "images/a.png,3,4,16,train,crack"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no photos"):
        save(synthetic_concrete(5, size=32), file)
    assert "no.csv: cannot be read" in refused(load_list, listed / "no.csv", listed)


def crops_of(sources, labels=None, classes=()):
    images = np.zeros((len(sources), 8, 8, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(sources))
    return Crops("some", classes, images, labels, tuple(sources))


def test_splits_are_by_photo():
    crops = crops_of("aabbbcdeffffghij")
    for seed in range(5):
        first, second = split(crops, 0.2, seed)
        sources = [{crops.sources[i] for i in part} for part in (first, second)]
        assert len(sources[1]) == 2 and not sources[0] & sources[1]
        assert sorted([*first, *second]) == list(range(16))
    assert any((split(crops, 0.2, seed)[1][0] != second[0]) for seed in range(5))
    assert [len(set(part)) for part in split(crops_of("ab"), 0.01)] == [1, 1]
    assert "all crops are of one photo, a:" in refused(split, crops_of("aaa"), 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        split(crops, 1.0)


def test_taking_some(listed):
    crops = load_crops(listed, count=None, size=16)
    for chosen in ([3, 0], np.array([True, False, False, True])):
        some = crops.take(chosen)
        index = [3, 0] if isinstance(chosen, list) else [0, 3]
        np.testing.assert_array_equal(some.images, crops.images[index])
        assert some.parts == tuple(crops.parts[i] for i in index) and len(some) == 2
    assert crops_of("ab").take([1]).places is None


def test_one_class_each():
    labels = np.zeros((400, 3), bool)
    labels[:200, 1] = labels[200:, [0, 2]] = True
    crops = crops_of("a" * 400, labels, ("x", "y", "z"))
    single = single_labels(crops)
    assert single.dtype == np.int64 and (single[:200] == 1).all()
    assert labels[np.arange(400), single].all()
    assert 70 < np.count_nonzero(single == 2) < 130
    np.testing.assert_array_equal(single, single_labels(crops))
    assert (single != single_labels(crops, seed=1)).any()
    given = crops_of("ab", np.array([1, 0]), ("x", "y"))
    np.testing.assert_array_equal(single_labels(given), [1, 0])


def test_description():
    given = crops_of("aab", np.array([1, 0, 1]), ("x", "y"))
    assert describe(given) == "some: 3 crops of 8x8 from 2 photos; x 1, y 2"
    several = crops_of("ab", np.ones((2, 2), bool), ("x", "y"))
    assert describe(several).endswith("x 2, y 2, a crop may have several")
