import numpy as np
import pytest
import tensorflow as tf

from keras_gans.defectgan.image_pool import ImagePool


def through(pool, numbers):
    """Puts images known by their number through a pool; gives the numbers that come out."""
    images = np.float32(numbers)[:, None, None, None] * np.ones((1, 2, 2, 1), np.float32)
    out = pool(images).numpy()
    assert out.shape == images.shape
    assert (out == out[:, :1, :1]).all()
    return out[:, 0, 0, 0].astype(int).tolist()


def test_pool_fills_then_swaps_half_of_the_time():
    pool = ImagePool((2, 2, 1), size=4, seed=5)
    assert through(pool, [1, 2, 3]) == [1, 2, 3]
    assert through(pool, [4]) == [4]
    held, places = [1, 2, 3, 4], []
    for number in range(5, 205, 4):
        numbers = list(range(number, number + 4))
        for came, left in zip(numbers, through(pool, numbers), strict=True):
            if left != came:
                place = held.index(left)  # the other half comes out as it went in
                held[place] = came
                places.append(place)
        assert pool.images.numpy()[:, 0, 0, 0].tolist() == held
    assert 75 < len(places) < 125
    assert np.bincount(places, minlength=4).min() > 10


@pytest.mark.parametrize("length", [12, None])
def test_pool_in_a_graph(length):
    numbers = list(range(1, 13))
    pools = [ImagePool((2, 2, 1), 3, seed=0) for _ in range(2)]
    signature = [tf.TensorSpec((length, 2, 2, 1))]
    traced = tf.function(pools[1], signature, jit_compile=False)
    assert through(traced, numbers) == through(pools[0], numbers)
    np.testing.assert_array_equal(pools[1].images, pools[0].images)


def test_pool_is_a_function_of_its_seed():
    numbers = list(range(1, 41))
    whole = through(ImagePool((2, 2, 1), 3, seed=0), numbers)
    parts = ImagePool((2, 2, 1), 3, seed=0)
    assert through(parts, numbers[:17]) + through(parts, numbers[17:]) == whole
    assert through(ImagePool((2, 2, 1), 3, seed=1), numbers) != whole
