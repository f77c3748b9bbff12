import numpy as np
import pytest

from keras_gans.defectgan.surfaces import Surfaces, reduced
from keras_gans.errors import InputError


def surfaces(channels):
    rng = np.random.default_rng(0)
    shapes = [(4, 6), (5, 3), (2, 2)]
    return Surfaces(
        name="hand-made",
        images=[rng.integers(0, 256, (*shape, channels), np.uint8) for shape in shapes],
        defective=np.array([True, False, True]),
        masks=[np.ones((4, 6), bool), None, None],
        types=["scratch", "", "stain"],
        train=np.array([True, True, False]),
        names=["a.png", "b.png", "c.png"],
    )


@pytest.mark.parametrize(
    "selection, chosen",
    [
        ([2, 0], [2, 0]),
        (np.array([True, False, True]), [0, 2]),
        (np.flatnonzero([0, 1, 0]), [1]),
        ([], []),
    ],
)
def test_take(selection, chosen):
    whole = surfaces(1)
    part = whole.take(np.asarray(selection, None if len(selection) else int))
    assert len(part) == len(chosen)
    assert part.name == "hand-made"
    assert part.defective.dtype == part.train.dtype == bool
    for ours, theirs in enumerate(chosen):
        for field in ("images", "defective", "masks", "types", "train", "names"):
            assert getattr(part, field)[ours] is getattr(whole, field)[theirs] or (
                getattr(part, field)[ours] == getattr(whole, field)[theirs]
            )
    assert len(whole) == 3


def test_with_channels():
    grey, colour = surfaces(1), surfaces(3)
    assert (grey.channels, colour.channels) == (1, 3)
    assert grey.with_channels(1) is grey
    assert colour.with_channels(3) is colour

    repeated = grey.with_channels(3)
    assert repeated.channels == 3 and grey.channels == 1
    for three, one in zip(repeated.images, grey.images, strict=True):
        assert three.dtype == np.uint8
        for channel in range(3):
            np.testing.assert_array_equal(three[..., channel], one[..., 0])
    assert repeated.masks is grey.masks and repeated.names == grey.names

    with pytest.raises(InputError, match="hand-made: images in colour.*--channels 3"):
        colour.with_channels(1)


def test_reduced_by_hand():
    image = np.uint8([[0, 2, 10, 10, 9], [4, 6, 10, 14, 9], [9, 9, 9, 9, 9]])
    np.testing.assert_array_equal(reduced(image[..., None], 2)[..., 0], [[3, 11]])
    np.testing.assert_array_equal(reduced(image[..., None], 1)[..., 0], image)
    colour = np.stack([image, 2 * image], axis=-1)
    np.testing.assert_array_equal(reduced(colour, 2), [[[3, 6], [11, 22]]])


def test_reduced_surfaces():
    whole = surfaces(3)
    whole.masks[:] = [np.zeros((4, 6), bool), None, np.zeros((2, 2), bool)]
    whole.masks[0][1, :4] = whole.masks[0][0, 0] = True
    whole.masks[2][0, 0] = True
    small = whole.reduced(2)
    assert whole.reduced(1) is whole
    assert [image.shape for image in small.images] == [(2, 3, 3), (2, 1, 3), (1, 1, 3)]
    assert all(image.dtype == np.uint8 for image in small.images)
    means = reduced(whole.images[0], 2)
    assert np.abs(small.images[0] - means).max() <= 0.5
    # half of a square is enough; a mask of which nothing is left is missing
    np.testing.assert_array_equal(small.masks[0], [[True, True, False], [False] * 3])
    assert small.masks[0].dtype == bool
    assert small.masks[1:] == [None, None]
    assert small.names == whole.names and len(small) == len(whole) == 3


def test_spread():
    count = 100
    chosen = np.arange(count) % 2 == 1
    whole = Surfaces(
        "s", [np.zeros((2, 2, 1), np.uint8)] * count, chosen, [None] * count, [""] * count,
        np.arange(count) >= 50, [str(number) for number in range(count)],
    )  # fmt: skip
    assert whole.spread(60, defective=True).names == [str(n) for n in range(1, 100, 2)]
    few = [int(name) for name in whole.spread(5, defective=True).names]
    assert len(few) == 5 and few[0] == 1 and few[-1] == 99 and all(n % 2 for n in few)
    some = [int(name) for name in whole.spread(7, defective=False, train=True).names]
    assert len(some) == 7 and min(some) == 50 and not any(n % 2 for n in some)
    assert len(whole.spread(60, masked=True)) == 0


def test_by_label():
    ng, p = surfaces(1).by_label()
    assert [len(images) for images in (ng, p)] == [2, 1]
    np.testing.assert_array_equal(p[0], surfaces(1).images[1])
