import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from keras_gans.errors import InputError
from keras_gans.frgan import synthetic
from keras_gans.frgan.synthetic import FONTS, TEST_FONTS, synthetic_digits


@pytest.fixture(scope="module")
def digits():
    return synthetic_digits(train=2005, test=500, seed=3)


def test_what_the_set_is(digits):
    assert digits.name == "synthetic street digits"
    assert digits.classes == tuple("0123456789")
    for images, labels, count in (
        (digits.train_images, digits.train_labels, 2005),
        (digits.test_images, digits.test_labels, 500),
    ):
        assert images.shape == (count, 32, 32, 3) and images.dtype == np.uint8
        assert labels.shape == (count,) and labels.dtype == np.int64
        more = np.arange(10) < count % 10
        np.testing.assert_array_equal(np.bincount(labels), count // 10 + more)
        assert (np.diff(labels) < 0).sum() > count / 4  # not in order
        assert 80 < images.mean() < 170 and images.std() > 30


def test_it_is_a_function_of_the_seed():
    first, again, other = (synthetic_digits(30, 20, seed) for seed in (1, 1, 2))
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
        assert (getattr(first, name) != getattr(other, name)).any()


def test_no_image_comes_twice(digits):
    images = [*digits.train_images, *digits.test_images]
    assert len({image.tobytes() for image in images}) == 2505


def test_some_fonts_are_in_the_test_part_alone(monkeypatch):
    used, draw = [], synthetic._number
    monkeypatch.setattr(synthetic, "_number", lambda *args: used.append(args[0]) or draw(*args))
    synthetic_digits(400, 10)
    assert set(used[:-20]) == set(FONTS)
    used.clear()
    synthetic_digits(10, 400)
    assert set(used[20:]) == {*FONTS, *TEST_FONTS} and not set(FONTS) & set(TEST_FONTS)


def test_paint_differs_from_the_wall():
    rng = np.random.default_rng(0)
    paint, wall, contrast = synthetic._colours(rng, 2000)
    difference = (paint - wall) @ synthetic.LUMA
    np.testing.assert_allclose(np.abs(difference), contrast)
    assert contrast.min() >= 80 and 0.4 < (difference > 0).mean() < 0.6
    levels = paint @ synthetic.LUMA
    assert 4.9 < levels.min() and levels.max() < 250.1


def test_the_digit_in_the_middle_is_the_label():
    """Strokes alone, without light, noise and blur, lie where the plain digit has them."""
    labels = np.arange(200) % 10
    strokes, edges = synthetic._coverage(np.random.default_rng(0), labels, FONTS, 32)
    assert strokes.dtype == np.float32 and strokes.min() == 0 and strokes.max() == 1
    assert (edges >= strokes - 0.01).all() and (edges.sum((1, 2)) > strokes.sum((1, 2))).all()
    means = np.stack([strokes[labels == k].mean(axis=0) for k in range(10)])
    likeness = np.corrcoef(strokes.reshape(200, -1), means.reshape(10, -1))[:200, 200:]
    assert (likeness.argmax(axis=1) == labels).mean() > 0.7


def test_digits_of_one_class_resemble_each_other(digits):
    """Nearest neighbours know them, once colour and light are out of the way."""

    def normal(images):  # grey, of the same mean and contrast; below also as a negative
        grey = images.mean(axis=-1)[:, ::2, 4:28:2].reshape(len(images), -1)
        grey = grey - grey.mean(axis=1, keepdims=True)
        return grey / grey.std(axis=1, keepdims=True)

    train, test = normal(digits.train_images), normal(digits.test_images)
    neighbours = KNeighborsClassifier(5)
    neighbours.fit(np.concatenate([train, -train]), np.tile(digits.train_labels, 2))
    assert neighbours.score(test, digits.test_labels) > 0.9


@pytest.mark.parametrize("size", [16, 48])
def test_sizes(size):
    assert synthetic_digits(10, 10, size=size).test_images.shape == (10, size, size, 3)


@pytest.mark.parametrize(
    "settings, received",
    [
        (dict(train=9), "at least 10 training images are needed. Received: 9"),
        (dict(test=0), "at least 10 test images are needed. Received: 0"),
        (dict(size=15), "size is 16 to 128. Received: 15"),
        (dict(seed=-1), "seed must not be negative. Received: -1"),
    ],
)
def test_bad_settings(settings, received):
    with pytest.raises(InputError, match=f"^synthetic street digits: {received}$"):
        synthetic_digits(**settings)
