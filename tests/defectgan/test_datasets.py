import contextlib
import dataclasses
import io
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.defectgan import datasets
from keras_gans.defectgan.config import Config
from keras_gans.defectgan.data import Crops
from keras_gans.defectgan.datasets import (
    chosen_candidates,
    chosen_reduction,
    load,
    load_surfaces,
)
from keras_gans.errors import InputError
from tests.defectgan.fakes import trained_on


def save(path, value=100, size=(6, 8), mode="L"):
    """An image of one value, rows x columns; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size[::-1], value if mode == "L" else (value, 0, 0)).save(path)
    return path


def save_mask(path, box=(2, 3, 4, 5), size=(6, 8), value=255):
    """A mask that marks rows box[0]:box[1], columns box[2]:box[3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size, np.uint8)
    pixels[box[0] : box[1], box[2] : box[3]] = value
    Image.fromarray(pixels).save(path)
    return path


def message(folder, **kwargs):
    """The one line that loading `folder` ends with."""
    with pytest.raises(InputError) as caught:
        load_surfaces(folder, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def parts(surfaces):
    """(defective, free) for training, (defective, free) for testing."""
    counts = [
        (
            np.count_nonzero(part & surfaces.defective),
            np.count_nonzero(part & ~surfaces.defective),
        )
        for part in (surfaces.train, ~surfaces.train)
    ]
    return tuple(map(tuple, counts))


# DAGM 2007 --------------------------------------------------------------------------------


def make_dagm(folder, part="Train", free=7, defective=3):
    for number in range(free + defective):
        save(folder / part / f"{number:04}.PNG", value=number)
        if number >= free:
            save_mask(folder / part / f"Label/{number:04}_label.PNG")
    (folder / part / "Label/Labels.txt").write_text("1\n0001\t0\t0001.PNG\t0\t0\n")
    return folder


def test_dagm_without_a_test_part_draws_the_share_from_both_classes(tmp_path):
    surfaces = load_surfaces(make_dagm(tmp_path / "Class4", free=10, defective=10))
    assert (surfaces.name, len(surfaces), surfaces.channels) == ("Class4", 20, 1)
    assert parts(surfaces) == ((7, 7), (3, 3))
    assert surfaces.names[3] == "Train/0003.PNG"
    assert surfaces.types == [""] * 10 + ["Class4"] * 10
    assert surfaces.defective.tolist() == [False] * 10 + [True] * 10
    image, mask = surfaces.images[12], surfaces.masks[12]
    assert image.dtype == np.uint8 and image.shape == (6, 8, 1) and (image == 12).all()
    assert mask.dtype == bool and np.argwhere(mask).tolist() == [[2, 4]]
    assert surfaces.masks[:10] == [None] * 10


def test_dagm_keeps_its_own_test_part(tmp_path):
    folder = make_dagm(tmp_path / "Class1")
    make_dagm(folder, "Test", free=2, defective=4)
    surfaces = load_surfaces(folder)
    assert parts(surfaces) == ((3, 7), (4, 2))
    assert all(name.startswith("Train/") == train
               for name, train in zip(surfaces.names, surfaces.train))  # fmt: skip


def test_dagm_root_loads_every_class(tmp_path):
    make_dagm(tmp_path / "Class1")
    make_dagm(make_dagm(tmp_path / "Class2"), "Test")
    surfaces = load_surfaces(tmp_path)
    assert sorted(set(surfaces.types)) == ["", "Class1", "Class2"]
    assert surfaces.names[0] == "Class1/Train/0000.PNG"
    # Class1 draws 30 % of 3 and of 7, Class2 has 3 + 7 for testing
    assert parts(surfaces) == ((2 + 3, 5 + 7), (1 + 3, 2 + 7))
    (tmp_path / "Class3").mkdir()
    assert "Class3/Train: no images" in message(tmp_path)


def test_dagm_refuses(tmp_path):
    folder = make_dagm(tmp_path / "Class4")
    stray = save_mask(folder / "Train/Label/0099_label.PNG")
    assert f"{stray}: a mask without its image" in message(folder)
    stray.unlink()
    (folder / "Test").mkdir()
    assert "Test: no images" in message(folder)


# Magnetic tiles ---------------------------------------------------------------------------


@pytest.fixture
def tiles(tmp_path):
    """Four images each of two types and of none; tile 0 has the first two."""
    folder = tmp_path / "tiles"
    lines = ["image,defective,tile,split"]
    for kind in ("MT_Blowhole", "MT_Crack", "MT_Free"):
        for number in range(4):
            save(folder / kind / f"Imgs/exp{number}.jpg", size=(6 + number, 8))
            box = (0, 0, 0, 0) if kind == "MT_Free" else (2, 4, 4, 6)
            save_mask(folder / kind / f"Imgs/exp{number}.png", box, (6 + number, 8))
            part = "train" if number < 2 else "test"
            lines.append(f"{kind}/Imgs/exp{number}.jpg,1,{kind}_{number // 2},{part}")
    (folder / "split.csv").write_text("\n".join(lines))
    return folder


def test_tiles_follow_split_csv(tiles, capsys):
    surfaces = load_surfaces(tiles)
    assert capsys.readouterr() == ("", "")
    assert parts(surfaces) == ((4, 2), (4, 2))
    assert surfaces.train.tolist() == [True, True, False, False] * 3
    assert surfaces.types == ["blowhole"] * 4 + ["crack"] * 4 + [""] * 4
    assert surfaces.names[5] == "MT_Crack/Imgs/exp1.jpg"
    assert [mask is None for mask in surfaces.masks] == [False] * 8 + [True] * 4
    assert surfaces.masks[7].shape == (9, 8) and surfaces.masks[7].sum() == 4
    assert surfaces.describe() == (
        "tiles: 12 grey images, 8x6 to 8x9; training 4 defective + 2 free, "
        "testing 4 + 2; defective by type: blowhole 4, crack 4"
    )


def test_tiles_without_split_csv_say_what_that_means(tiles, capsys):
    (tiles / "split.csv").unlink()
    surfaces = load_surfaces(tiles, test_share=0.5)
    printed = capsys.readouterr().out
    assert printed.startswith("note: ") and printed.count("\n") == 1 and "same tile" in printed
    for kind in ("blowhole", "crack", ""):
        assert surfaces.train[np.array(surfaces.types) == kind].sum() == 2


def test_an_empty_mask_is_none_and_counted(tiles):
    save_mask(tiles / "MT_Crack/Imgs/exp1.png", (0, 0, 0, 0), (7, 8))
    (tiles / "MT_Blowhole/Imgs/exp0.png").unlink()
    surfaces = load_surfaces(tiles)
    assert surfaces.masks[5] is None and surfaces.masks[0] is None
    assert surfaces.defective[5] and surfaces.types[5] == "crack"
    assert surfaces.describe().endswith("; 2 defective without a mask")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("MT_Crack/Imgs/exp1.jpg", "MT_Crack/Imgs/exp9.jpg",
         "line 7: no image 'MT_Crack/Imgs/exp9.jpg'"),
        ("MT_Crack/Imgs/exp1.jpg,1,MT_Crack_0,train\n", "",
         "split.csv: no line for MT_Crack/Imgs/exp1.jpg"),
        ("MT_Crack/Imgs/exp1.jpg", "MT_Crack/Imgs/exp0.jpg",
         "a second line for MT_Crack/Imgs/exp0.jpg"),
        ("MT_Crack_0,train", "MT_Crack_0,validation", "train or test, got 'validation'"),
        ("exp1.jpg,1,MT_Crack_0", "exp1.jpg,1,MT_Crack_1", "tile 'MT_Crack_1' is in both"),
        ("tile,split", "tile,part",
         "no column split; expected: image, tile, split. Received: image"),
    ],
)  # fmt: skip
def test_split_csv_that_does_not_fit(tiles, old, new, said):
    table = tiles / "split.csv"
    assert old in table.read_text()
    table.write_text(table.read_text().replace(old, new))
    assert said in message(tiles)


def test_split_csv_that_is_no_text(tiles):
    (tiles / "split.csv").write_bytes(b"image,tile,split\n\xff\xfe\n")
    assert "split.csv: line 2: not UTF-8" in message(tiles)
    (tiles / "split.csv").write_text("")
    assert "Received: none" in message(tiles)


def test_tiles_refuse(tiles):
    save_mask(tiles / "MT_Free/Imgs/exp3.png", (0, 1, 0, 2), (9, 8))
    assert "exp3.png: 2 pixels of defect in a defect-free image" in message(tiles)
    stray = save_mask(tiles / "MT_Free/Imgs/other.png")
    assert f"{stray}: a mask without its image" in message(tiles)
    stray.unlink()
    (tiles / "MT_Fray").mkdir()
    assert "MT_Fray: no folder Imgs" in message(tiles)


# positive/ negative/ [masks/] -------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """Ten defect-free images, six scratches, four dents, two that lie in negative/ itself."""
    root = tmp_path / "workpieces"
    for number in range(10):
        save(root / f"positive/{number}.png")
    for place, count in (("scratch/", 6), ("dent/", 4), ("", 2)):
        for number in range(count):
            save(root / f"negative/{place}{number}.bmp")
    return root


def test_types_are_the_folders_names(folder):
    surfaces = load_surfaces(folder, test_share=0.5)
    assert len(surfaces) == 22
    assert [surfaces.types.count(kind) for kind in ("scratch", "dent", "defect", "")] == [
        6, 4, 2, 10,
    ]  # fmt: skip
    for kind in set(surfaces.types):
        mine = surfaces.train[np.array(surfaces.types) == kind]
        assert mine.sum() * 2 == len(mine)
    assert "12 defective without a mask" in surfaces.describe()


def test_the_split_is_a_function_of_the_seed(folder):
    first, again, other = (load_surfaces(folder, seed=seed).train for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.sum() == other.sum()
    assert load_surfaces(folder, test_share=0).train.all()


@pytest.mark.parametrize("name", ["3.png", "3_mask.png", "3_label.TIF", "3_GT.bmp", "3.jpg"])
def test_masks_have_the_images_place_and_name(folder, name):
    save_mask(folder / "masks/scratch" / name, value=255 if name.endswith("jpg") else 1)
    surfaces = load_surfaces(folder)
    masked = [i for i, mask in enumerate(surfaces.masks) if mask is not None]
    assert [surfaces.names[i] for i in masked] == ["negative/scratch/3.bmp"]
    assert np.argwhere(surfaces.masks[masked[0]]).tolist() == [[2, 4]]


def test_a_mask_belongs_to_the_negative_of_two_images_of_one_name(folder):
    save_mask(folder / "masks/1.png")
    surfaces = load_surfaces(folder)
    assert surfaces.masks[surfaces.names.index("negative/1.bmp")].sum() == 1
    assert surfaces.masks[surfaces.names.index("positive/1.png")] is None
    save_mask(folder / "masks/7.png", (0, 0, 0, 0))  # no negative/7: of positive/7, and empty
    assert sum(mask is not None for mask in load_surfaces(folder).masks) == 1
    save_mask(folder / "masks/7.png")
    assert "7.png: 1 pixels of defect in a defect-free" in message(folder)


def test_a_coloured_or_palette_mask_marks_whatever_is_not_black(folder):
    pixels = np.zeros((6, 8, 3), np.uint8)
    pixels[1, 2] = (0, 0, 9)
    path = folder / "masks/dent/0.png"
    path.parent.mkdir(parents=True)
    for mode in ("RGB", "P"):
        Image.fromarray(pixels).convert(mode, palette=Image.Palette.ADAPTIVE).save(path)
        surfaces = load_surfaces(folder)
        mask = surfaces.masks[surfaces.names.index("negative/dent/0.bmp")]
        assert np.argwhere(mask).tolist() == [[1, 2]]


def test_masks_that_do_not_fit(folder):
    mask = save_mask(folder / "masks/dent/0.png", size=(8, 6))
    said = message(folder)
    assert said.startswith(f"{mask}: a mask of 6x8 pixels for 0.bmp of 8x6")
    save_mask(mask)
    second = save_mask(folder / "masks/dent/0_mask.png")
    assert f"{second}: a second mask of" in message(folder)
    second.unlink()
    stray = save_mask(folder / "masks/scratch/9.png")
    assert f"{stray}: a mask without its image" in message(folder)
    stray.write_bytes(b"")
    stray.rename(mask)
    assert f"{mask}: " in message(folder) and "an empty file" in message(folder)


def test_parts_of_its_own(folder, tmp_path):
    root = tmp_path / "split"
    root.mkdir()
    folder.rename(root / "train")
    assert parts(load_surfaces(root, test_share=0.5)) == ((6, 5), (6, 5))  # no test/: drawn
    save(root / "test/negative/dent/0.png")
    save(root / "test/positive/0.png")
    save_mask(root / "test/masks/dent/0.png")
    surfaces = load_surfaces(root, test_share=0.5)
    assert parts(surfaces) == ((12, 10), (1, 1))
    (masked,) = [i for i, mask in enumerate(surfaces.masks) if mask is not None]
    assert surfaces.names[masked] == "test/negative/dent/0.png" and not surfaces.train[masked]

    (root / "train").rename(root / "elsewhere")
    assert "no defective image in the training part, 1 for testing" in message(root)
    (root / "elsewhere").rename(root / "train")
    (root / "test").rename(root / "elsewhere")
    save(root / "test/0.png")
    assert "test: no positive/ and no negative/" in message(root)


def test_images_too_deep_are_not_left_out_silently(folder):
    save(folder / "negative/dent/monday/0.png")
    assert "monday: images two folders below negative/" in message(folder)


# What holds for all -----------------------------------------------------------------------


def test_unknown_layouts(tmp_path):
    assert message(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such folder")
    file = save(tmp_path / "set/a.png")
    assert "a file; a folder is expected" in message(file)
    for name in "defgh":
        (tmp_path / "set" / name).mkdir()
    said = message(tmp_path / "set")
    assert "unknown layout (found: 1 images, d/, e/, f/, g/, h/);" in said
    assert "DAGM" in said and "MT_*" in said and "positive/" in said
    (tmp_path / "empty").mkdir()
    assert "found: 0 images)" in message(tmp_path / "empty")


def test_both_classes_are_needed(folder):
    for file in (folder / "positive").iterdir():
        file.unlink()
    assert "no defect-free image among 12" in message(folder)
    save(folder / "positive/a.png")
    said = message(folder, test_share=0.9)
    assert "no defect-free image in the training part, 1 for testing" in said
    (folder / "negative").rename(folder / "other")
    assert "no defective image among 1" in message(folder)
    (folder / "positive/a.png").unlink()
    assert "workpieces: no images (.jpg" in message(folder)


@pytest.mark.parametrize("share", [-0.1, 1, float("nan")])
def test_a_share_that_is_none(folder, share):
    assert "test share must be from 0 to below 1" in message(folder, test_share=share)


def test_one_name_for_two_images(folder):
    second = save(folder / "positive/3.tif")
    assert f"{second}: the same name as 3.png" in message(folder)


def test_grey_and_colour_do_not_mix(folder):
    colour = save(folder / "positive/colour.png", mode="RGB")
    grey = folder / "negative/0.bmp"
    said = message(folder)
    assert (
        "22 grey images and 1 in colour" in said and str(colour) in said and str(grey) in said
    )
    Image.fromarray(np.full((6, 8, 3), 70, np.uint8)).save(colour)  # RGB, but grey
    assert load_surfaces(folder).channels == 1


def test_colour_images(tmp_path):
    for name in ("positive/a.png", "positive/b.jpg", "negative/c.tif"):
        save(tmp_path / name, value=200, mode="RGB")
    surfaces = load_surfaces(tmp_path, test_share=0)
    assert surfaces.channels == 3 and "3 colour images, 8x6;" in surfaces.describe()
    assert surfaces.images[surfaces.names.index("positive/a.png")][0, 0].tolist() == [200, 0, 0]


def test_a_damaged_image_is_named(folder):
    path = folder / "negative/dent/2.bmp"
    path.write_bytes(path.read_bytes()[:60])
    assert message(folder).startswith(f"{path}: truncated or damaged BMP")


def test_hidden_files_and_other_suffixes_are_left_alone(folder):
    for name in ("positive/.a.png", "positive/notes.txt", "negative/.git/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert len(load_surfaces(folder)) == 22


def test_threads_leave_the_warning_filters_as_they_were(folder):
    before = list(warnings.filters)
    load_surfaces(folder)
    assert warnings.filters == before


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_on_terminals(folder, terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.redirect_stderr(stream):
        load_surfaces(folder)
    assert ("reading" in stream.getvalue()) == terminal
    assert terminal or stream.getvalue() == ""


def test_hold_out_moves_a_type_to_the_test_part(folder):
    surfaces = load_surfaces(folder)
    held = surfaces.hold_out("dent")
    dents = np.array(surfaces.types) == "dent"
    assert surfaces.train[dents].any() and not held.train[dents].any()
    np.testing.assert_array_equal(held.train[~dents], surfaces.train[~dents])
    assert held.images is surfaces.images and held.types == surfaces.types


def test_hold_out_refuses(folder):
    surfaces = load_surfaces(folder)
    for kind in ("rust", ""):
        with pytest.raises(InputError, match="there are defect, dent, scratch"):
            surfaces.hold_out(kind)
    only = surfaces.take([kind in ("", "dent") for kind in surfaces.types])
    with pytest.raises(InputError, match="without dent no defective image is left"):
        only.hold_out("dent")


# What a run is given ----------------------------------------------------------------------


def test_data_choose_channels_and_reduction(folder):
    config = Config(data=folder, channels=None, reduce=None, image_size=32, steps_per_epoch=2)
    surfaces, chosen = load(config)
    assert (chosen.channels, chosen.reduce) == (1, 1)
    assert dataclasses.replace(chosen, channels=None, reduce=None) == config
    colour, chosen = load(dataclasses.replace(config, channels=3, reduce=2))
    assert (colour.channels, chosen.channels, chosen.reduce) == (3, 3, 2)
    assert (len(colour), len(surfaces)) == (22, 22)


@pytest.mark.parametrize(
    "settings, said",
    [
        (dict(hold_out="rust"), "no defects of type 'rust'"),
        (dict(types=("rust",)), "no defects of type 'rust'"),
        (dict(types=("dent",), hold_out="dent"), "no defective image is left"),
        (dict(test_share=0), "no test images; raise --test-share"),
        (dict(reduce=7), "too small for --reduce 7"),
        (dict(epochs=2, steps_per_epoch=3, critic_warmup=6),
         "--critic-warmup must be less than the 6 steps in all. Received: 6"),
    ],
)  # fmt: skip
def test_settings_that_the_data_do_not_allow(folder, settings, said):
    with pytest.raises(InputError, match=said):
        load(Config(data=folder, **settings))


def test_without_data_surfaces_are_drawn(monkeypatch, capsys):
    monkeypatch.setattr(datasets, "BUILT_IN_IMAGES", dict(free=4, defective=8))
    surfaces, config = load(Config(channels=None, types=("blob",), flatten=4))
    assert capsys.readouterr().out.startswith("no --data: built-in surfaces")
    assert (len(surfaces), config.channels) == (4 + 2, 1)
    assert np.median(surfaces.images[0]) == 128  # flattened


def test_defects_are_drawn_where_a_local_mean_is_taken_off(folder):
    def drawn(flatten, given=None):
        return load(Config(data=folder, flatten=flatten, drawn_defects=given))[1].drawn_defects

    assert [drawn(radius) for radius in (0, 4, 16, 4096)] == [0, 1, 1, 0]
    assert (drawn(16, 0.0), drawn(0, 2.0)) == (0, 2)


def test_chosen_reduction():
    def of(*sizes, crops=True):
        images = [np.zeros((*size, 1), np.uint8) for size in sizes]
        return chosen_reduction(trained_on(images), 96, crops)

    assert of((160, 500)) == of((20, 20)) == 1
    assert of((320, 320)) == 2
    assert of((320, 400), (320, 330), (3000, 4000)) == 2
    assert of((512, 512)) == 3
    # four crops of an image are about as large as it
    images = [np.zeros((*size, 1), np.uint8) for size in ((630, 250), (80, 80), (640, 640))]
    assert [chosen_reduction(trained_on([x]), 96, True, 4) for x in images] == [2, 1, 3]
    # as many as cover the image as it is, within 4 and 16
    counts = [chosen_candidates(trained_on([x]), 96) for x in images]
    assert counts == [16, 4, 16]  # of 17.1, 0.7 and 44.4
    assert chosen_candidates(trained_on([np.zeros((300, 260, 1), np.uint8)]), 96) == 8
    factors = [chosen_reduction(trained_on([x]), 96, True, n) for x, n in zip(images, counts)]
    assert factors == [1, 1, 2]
    # whole images: the largest fits
    sizes = (512, 512), (96, 96), (97, 20), (192, 288)
    assert [of(size, crops=False) for size in sizes] == [6, 1, 2, 3]
    assert of((50, 50), (100, 193), crops=False) == 3


def test_by_default_training_sees_whole_images():
    """The paper's sizes: 512x512, of which the networks see 256x256, and the defect always."""
    image = np.zeros((512, 512, 1), np.uint8)
    image[500:508, 4:12] = 255
    surfaces = trained_on([image])
    config = Config()
    factor = chosen_reduction(surfaces, config.image_size, config.crops)
    assert factor == 2
    crops = Crops(surfaces.reduced(factor).images, config.image_size)
    for step in range(3):
        drawn = crops.draw(tf.constant(step, tf.int64), 2, [0, 0]).numpy()
        assert drawn.shape == (2, 256, 256, 1)
        assert (drawn[:, 250:254, 2:6] == 255).all() and drawn.sum() == 2 * 16 * 255
