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
