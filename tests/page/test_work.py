"""What the page does, without Gradio and without a browser."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.__main__ import main
from keras_gans.errors import InputError
from keras_gans.page import examples, work


def test_the_page_corrects_photos_as_the_command_does(photo, balanced, tmp_path):
    before, after, local_map, row = work.white_balance(photo, tmp_path)
    expected, out = balanced
    assert row["illuminant"] == expected["illuminant"]
    for name in (photo.name, f"{photo.stem}_map.png"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()
    with Image.open(photo) as image:
        np.testing.assert_array_equal(before, np.asarray(image))
    assert after.shape == before.shape and local_map.size == (480, 320)


def test_linear_photos_are_brightened_for_the_screen(tmp_path):
    from keras_gans.data.write import write_png

    rng = np.random.default_rng(0)
    write_png(tmp_path / "raw.png", rng.integers(0, 6000, (70, 2600, 3)).astype(np.uint16))
    (tmp_path / "out").mkdir()
    before, after, _, row = work.white_balance(tmp_path / "raw.png", tmp_path / "out")
    assert row["kind"] == "linear" and before.shape == (34, work.PREVIEW, 3)
    assert np.percentile(after, 99) == pytest.approx(243, abs=4)  # 0.9, as sRGB
    assert row["width"] == 2600


def test_camera_raw_is_shown_as_shot_and_developed(tmp_path):
    pytest.importorskip("rawpy", reason="camera raw needs the extra 'raw'")
    from tests.data.dng import D65, TO_CAMERA, write_dng

    grey = np.full((192, 288, 1), 0.2)
    path = write_dng(tmp_path / "a.dng", grey * (TO_CAMERA @ D65), orientation=6)
    (tmp_path / "out").mkdir()
    before, after, _, row = work.white_balance(path, tmp_path / "out")
    assert row["kind"] == "raw" and row["corrected"].endswith("a.tiff")
    assert before.shape == (144, 96, 3) and after.shape == (288, 192, 3)
    assert np.ptp(before.mean(axis=(0, 1))) < 2  # the camera's own white balance is right
    assert work.told(row) == "Taken for camera raw, by its kind of file."


def test_the_models_own_threshold_finds_what_the_command_finds(tmp_path):
    *scratched, sound = examples.surfaces(tmp_path)
    for path in (scratched[0], sound):
        surface = work.surface(path)
        score, mask, boxes = keras_gans.detect(Image.open(path))
        found, found_boxes = surface.found(surface.detector.limit)
        assert surface.difference.max() == score and found_boxes == boxes
        np.testing.assert_array_equal(found, mask)
        assert bool(boxes) == (path != sound)


def test_the_slider_moves_the_mask_the_overlay_and_the_histogram(tmp_path):
    surface = work.surface(examples.surfaces(tmp_path)[0])
    limit, highest = surface.detector.limit, float(surface.difference.max())
    areas = [surface.found(level)[0].sum() for level in (0, limit / 2, limit, highest)]
    assert areas == sorted(areas, reverse=True) and areas[1] > areas[2] > areas[3] == 0
    none = surface.overlay(highest)
    assert none.shape == (480, 480, 3) and (none == none[..., :1]).all()  # grey
    assert (surface.overlay(limit) != none).any()

    def red(threshold):
        page = surface.histogram(threshold).astype(int)
        return (page[..., 0] - page[..., 2] > 100).sum()

    assert red(0) > red(limit) > red(surface.top) == 0 and surface.top > highest


def test_pictures_that_cannot_be_used_are_told_in_a_line(tmp_path):
    Image.new("L", (3000, 2000)).save(tmp_path / "large.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match="3000 x 2000 pixels, too large for the page"):
        work.surface(tmp_path / "large.png")
    for function in (work.surface, work.classify):
        with pytest.raises(InputError, match=r"text\.png"):
            function(tmp_path / "text.png")
    with pytest.raises(InputError, match="1 to 100 images"):
        work.generate(0, 0)
    with pytest.raises(InputError, match="empty sentence"):
        work.draw(" ")


def test_classes_images_and_flowers(shipped, tmp_path):
    for name in ("frgan-classifier", "frgan-generator", "text2image"):
        shipped(name)
    path = examples.digits(tmp_path)[0]
    image, classes = work.classify(path)
    [label], probabilities = keras_gans.classify([Image.open(path)])
    assert max(classes, key=classes.get) == label and image.shape == (480, 480, 3)
    np.testing.assert_allclose(list(classes.values()), probabilities[0])
    grid = work.generate(4, 5)
    np.testing.assert_array_equal(grid[:64:2, :64:2], keras_gans.generate(1, 5)[0])
    picture, strip, notes = work.draw("a pink flower with unheard petals")
    assert picture.shape == (480, 480, 3) and strip.shape[1] > 5 * 96
    assert len(notes) == 1 and notes[0].endswith("does not know: unheard")


def test_without_gradio_the_command_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "keras_gans.page.app", raising=False)
    with pytest.raises(SystemExit) as stopped:
        main(["page"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and error.count("\n") == 1
    assert error.endswith('pip install "keras_gans[page]"\n')


def test_examples_need_no_package_beyond_the_commands():
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'scipy', 'skimage', 'matplotlib', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "import pathlib, tempfile\n"
        "from keras_gans.page import examples\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    folder = pathlib.Path(folder)\n"
        "    print(len(examples.photos(folder)), len(examples.surfaces(folder)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "4 4\n", done.stderr
