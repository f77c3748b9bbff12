import numpy as np
import pytest

from keras_gans.dscnn.protocols import parts_to_hold_out
from keras_gans.dscnn.scenes import Scenes, joined
from keras_gans.errors import InputError


def scenes_of(name, cameras, folds):
    count = len(cameras)
    return Scenes(
        name,
        [np.full((1, 1, 3), index, np.float32) for index in range(count)],
        np.full((count, 3), 3**-0.5, np.float32),
        np.array(folds),
        np.array(cameras),
        np.full(count, name),
        [f"{index}.png" for index in range(count)],
    )


ONE = scenes_of("one", ["a", "b", "b", "a"], [0, 1, 2, 0])
TWO = scenes_of("two", ["c", "c", "c"], [0, 0, 1])


def test_sets_are_joined_in_their_order():
    both = joined([ONE, TWO])
    assert both.name == "one + two" and len(both) == 7
    assert both.names[3:5] == ["one/3.png", "two/0.png"]
    assert both.sets.tolist() == ["one"] * 4 + ["two"] * 3
    assert [both.images[index].max() for index in (3, 4, 6)] == [3, 0, 2]
    assert both.take([5, 1]).cameras.tolist() == ["c", "b"]
    assert joined([ONE]) is ONE
    with pytest.raises(InputError, match="two sets of one name among one, one"):
        joined([ONE, ONE])


def held_out(scenes, protocol, measured=True):
    parts = parts_to_hold_out(scenes, protocol, measured)
    for known, unknown in parts.values():
        assert not set(known) & set(unknown)
    return {name: unknown.tolist() for name, (_, unknown) in parts.items()}


def test_what_is_held_out():
    both = joined([ONE, TWO])
    assert held_out(both, "held-out") == {
        "fold-0": [0, 3, 4, 5], "fold-1": [1, 6], "fold-2": [2]
    }  # fmt: skip
    assert held_out(both, "unseen-camera") == {"unseen-0": [0, 1, 2, 3], "unseen-1": [4, 5, 6]}
    assert held_out(ONE, "unseen-camera") == {"unseen-0": [0, 3], "unseen-1": [1, 2]}
    assert held_out(TWO, "unseen-camera") == {}  # a camera alone


def test_photos_keep_a_fold_for_choices():
    ((known, unknown),) = parts_to_hold_out(ONE, "held-out", measured=False).values()
    assert known.tolist() == [0, 3] and unknown.tolist() == [1]
