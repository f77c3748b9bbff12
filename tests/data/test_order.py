import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.order import endless_order, spread


def order(count, passes, seed=(3, 1)):
    positions = tf.range(count * passes, dtype=tf.int64)
    return endless_order(positions, count, list(seed)).numpy().reshape(passes, count)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_each_pass_draws_every_item_once(count):
    passes = order(count, 6)
    assert passes.dtype == np.int64
    np.testing.assert_array_equal(np.sort(passes, axis=1), [range(count)] * 6)


def test_passes_and_seeds_have_orders_of_their_own():
    drawn = [order(20, 5), order(20, 5, (3, 2)), order(20, 5, (4, 1))]
    assert len({tuple(one) for passes in drawn for one in passes}) == 15


def test_all_orders_of_few_items_are_drawn():
    orders, counts = np.unique(order(3, 1200), axis=0, return_counts=True)
    assert len(orders) == 6 and counts.min() > 140 and counts.max() < 260


def test_an_index_depends_on_its_position_alone():
    whole = order(7, 4).ravel()
    np.testing.assert_array_equal(order(7, 4).ravel(), whole)
    part = endless_order(tf.constant([[20, 3], [0, 20]], tf.int64), 7, [3, 1])
    np.testing.assert_array_equal(part, whole[[[20, 3], [0, 20]]])

    @tf.function
    def batch(step):
        return endless_order(step * 4 + tf.range(4, dtype=tf.int64), 7, [3, 1])

    np.testing.assert_array_equal(batch(tf.constant(2, tf.int64)), whole[8:12])


def test_spread():
    assert spread(7, 200).tolist() == list(range(7))
    few = spread(1000, 5)
    assert few.tolist() == [0, 249, 499, 749, 999]
