import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.metrics.features import Extractor
from keras_gans.text2image.datasets import load_captioned_images
from studies import flower_captions, text2image_flowers
from studies.flower_captions import CaptionConfig, flower_colours, sentences
from studies.text2image_flowers import (
    FlowersConfig,
    against_other_kinds,
    agreement,
    colours_as_asked,
    twins,
)
from tests.runs import Script

COLOURS = {
    "white": (240, 240, 235), "yellow": (250, 215, 30), "red": (200, 20, 30),
    "purple": (130, 60, 150), "dark": (60, 40, 25),
}  # fmt: skip


def flower(petals, centre=None, size=32, shift=0):
    """A disc of petals on a green lawn, and a disc on it."""
    image = np.full((size, size, 3), (90, 130, 50), np.uint8)
    rows, columns = np.indices((size, size)) - (size - 1) / 2 - shift
    distance = np.hypot(rows, columns)
    image[distance < 0.32 * size] = COLOURS[petals]
    if centre:
        image[distance < 0.12 * size] = COLOURS[centre]
    return image


@pytest.mark.parametrize("petals", ["white", "yellow", "red", "purple"])
@pytest.mark.parametrize("centre", ["yellow", "dark", ""])
@pytest.mark.parametrize("shift", [0, 4])
def test_colours_of_drawn_flowers(petals, centre, shift):
    if petals != centre:
        assert flower_colours(flower(petals, centre, shift=shift)) == (petals, centre)


def test_nothing_is_said_of_a_lawn_or_of_the_sky():
    lawn, sky = np.full((2, 32, 32, 3), (90, 130, 50), np.uint8)
    lawn[::2] += 20
    sky[:] = 240
    sky[20:, ::3] = (60, 90, 40)
    assert flower_colours(lawn) == flower_colours(sky) == ("", "")


def test_sentences_say_what_is_known_in_many_ways():
    rng = np.random.default_rng(0)
    said = [text for _ in range(40) for text in sentences("tulip", "orange", "dark", rng)]
    assert len(set(said)) == len(flower_captions.BOTH) + len(flower_captions.ONE)
    assert all("tulip" in text and "orange" in text and "a orange" not in text for text in said)
    for known in (("red", ""), ("", "")):
        texts = sentences("rose", *known, rng)
        assert len(set(texts)) == 5 and all("rose" in text for text in texts)
        assert all((known[0] in text) and "centre" not in text for text in texts)


def caption_flowers(folder):
    """What the script makes of a few flowers: 8 to train and 4 to test on, of two kinds."""
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        for kind, colours in (("roses", ("red",)), ("daisy", ("white", "yellow"))):
            (folder / "photos" / part / kind).mkdir(parents=True)
            for number in numbers:
                image = Image.fromarray(flower(*colours, size=48, shift=number))
                image.save(folder / "photos" / part / kind / f"{number}.png")
    flower_captions.main(CaptionConfig(folder / "photos", folder / "made", image_size=32))
    return folder / "made"


@pytest.fixture
def captioned(tmp_path, capsys):
    made = caption_flowers(tmp_path)
    assert "12 photographs with sentences" in capsys.readouterr().out
    return made


def test_the_words_are_those_of_the_pictures_that_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(flower_captions, "flower_colours", lambda image: (str(image.sum()), ""))
    made = caption_flowers(tmp_path)
    for row in pd.read_csv(made / "index.csv").itertuples():
        with Image.open(made / row.image) as image:
            assert row.petals == np.asarray(image).sum()


def test_the_folder_is_one_to_train_on(captioned):
    images = load_captioned_images(captioned, 32)
    assert np.bincount(images.split == "train").tolist() == [4, 8]
    words = text2image_flowers.words_of(captioned, images.files)
    expected = pd.DataFrame(
        [("daisy", "white", "yellow")] * 6 + [("rose", "red", "")] * 6, columns=words.columns
    )
    pd.testing.assert_frame_equal(words, expected)
    assert all(len(captions) == 5 for captions in images.captions)
    for captions, kind in zip(images.captions, words.kind, strict=True):
        assert all(kind in text for text in captions)


def test_bad_input_of_the_script(captioned, capsys):
    with pytest.raises(InputError, match="is there already; name a new folder"):
        CaptionConfig(captioned, captioned).check()
    folder, out = captioned.parent / "photos", captioned.parent / "other"
    shutil.copy(folder / "train/daisy/1.png", folder / "test/daisy")
    with pytest.raises(SystemExit):
        flower_captions.main(CaptionConfig(folder, out))
    error = capsys.readouterr().err
    assert "test/daisy/1.png: another photograph would be daisy-1.jpg" in error
    assert not out.exists()


# Figures ------------------------------------------------------------------------------------


def test_agreement_and_chance():
    found = np.array(["red", "red", "white", "white"])
    figures = agreement(found, found, "petals", 0)
    assert figures["petals"] == 100 and figures["petals_captions"] == 4
    assert agreement(found, np.array(["red"] * 4), "kind", 0)["kind_chance"] == 50


def test_photographs_show_what_was_said_of_them():
    pictures = np.stack([flower("white", "yellow"), flower("red"), flower("purple", "dark")])
    asked = pd.DataFrame(
        [("white", "yellow"), ("red", ""), ("yellow", "dark")], columns=["petals", "centre"]
    )
    captions = pd.Series(["a white daisy with a yellow centre", "a red rose", "the middle is"])
    figures = colours_as_asked(pictures, captions, asked, 0)
    assert figures["petals"] == pytest.approx(200 / 3)
    assert (figures["centre"], figures["centre_captions"]) == (100, 2)


def test_nearer_to_their_own_photograph_than_to_one_of_another_kind():
    photos, kinds = np.float32([[0], [1], [10], [11]]), np.array(["a", "a", "b", "b"])
    owners = np.arange(4)
    figures = against_other_kinds(photos / 2 + 3, owners, photos, kinds, 0)
    assert figures == {"nearer_kind": 100, "diversity": pytest.approx(0.5)}
    swapped = against_other_kinds(photos[::-1], owners, photos, kinds, 0)
    assert swapped["nearer_kind"] == 0


def test_twins_have_the_same_words_as_far_as_there_are_some():
    known = pd.DataFrame(
        [("a", "red", ""), ("b", "red", "dark"), ("b", "red", ""), ("b", "pink", "")]
    )
    asked = known.iloc[[1, 2]]
    assert twins(asked, known, 0).tolist() == [1, 2]
    asked = pd.DataFrame([("a", "pink", ""), ("b", "red", "yellow")])
    assert {tuple(twins(asked, known, seed)) for seed in range(20)} == {(0, 1), (0, 2)}


@pytest.mark.slow
def test_the_study_trains_and_measures(captioned, tmp_path, monkeypatch, capsys):
    def features(images):
        return images.astype(np.float32).mean(axis=(1, 2)) / 255

    eyes = Extractor("colours", "0", features)
    monkeypatch.setattr(text2image_flowers, "eyes_extractor", lambda: eyes)
    monkeypatch.setattr("keras_gans.text2image.evaluate.eyes_extractor", lambda: eyes)
    script = Script(text2image_flowers, FlowersConfig, monkeypatch, capsys)
    output = script.start(
        f"--data {captioned} --photographs --image-size 16 --width 2 --filters 2",
        "--vector-size 4 --batch-size 2 --epochs 1 --steps-per-epoch 2 --word2vec-epochs 1",
        f"--run-dir {tmp_path}/run",
    )
    assert "20 captions kept from training" in output
    figures = pd.read_json(tmp_path / "run" / "result.json", typ="series")
    assert figures["kind_of_photographs"] == 100 and 0 <= figures["kind"] <= 100
    assert 0 <= figures["nearer_kind_colours"] <= 100 and figures["steps"] == 2
    for name in ("pictures.png", "words.png", "network.keras"):
        assert (tmp_path / "run" / name).stat().st_size > 500

    script.start(f"--data {captioned} --image-size 16 --twins --run-dir {tmp_path}/twins")
    figures = pd.read_json(tmp_path / "twins" / "result.json", typ="series")
    assert figures["kind"] == 100 and figures["petals"] > 90 and figures["steps"] == 0
    assert not (tmp_path / "twins" / "network.keras").exists()


def test_bad_input_of_the_study(tmp_path, monkeypatch, capsys):
    script = Script(text2image_flowers, FlowersConfig, monkeypatch, capsys)
    assert "must be a folder of studies.flower_captions" in script.refused(f"--data {tmp_path}")
