import numpy as np
import pytest

from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.defectgan.validation import items_of, validation
from keras_gans.errors import InputError


def surfaces(items=12, exposures=3):
    """Exposures of items; every third item has a crack, the last item is for testing."""
    numbers = np.repeat(np.arange(items), exposures)
    defective = numbers % 3 == 0
    count = len(numbers)
    return Surfaces(
        name="set",
        images=[np.full((4, 4, 1), number, np.uint8) for number in range(count)],
        defective=defective,
        masks=[np.ones((4, 4), bool) if each else None for each in defective],
        types=["crack" if each else "" for each in defective],
        train=numbers < items - 1,
        names=[f"{number}.png" for number in range(count)],
    )


def write_table(folder, columns="image,tile,split"):
    lines = [f"{number}.png,tile{number // 3},x" for number in range(36)]
    name = "split.csv" if "tile" in columns else "index.csv"
    (folder / name).write_text("\n".join([columns, *lines]) + "\n")


@pytest.mark.parametrize("columns", ["image,tile,split", "name,item,split"])
def test_items_stay_together_and_test_images_are_left_out(tmp_path, columns):
    write_table(tmp_path, columns)
    assert items_of(tmp_path)["5.png"] == "tile1"
    found = validation(surfaces(), tmp_path, 0.5, seed=0)
    assert len(found) == 33 and "35.png" not in found.names
    numbers = [int(name.removesuffix(".png")) // 3 for name in found.names]
    sides = {number: set(found.train[np.equal(numbers, number)]) for number in numbers}
    assert all(len(side) == 1 for side in sides.values())
    held = [number for number, side in sides.items() if side == {False}]
    assert sum(number % 3 == 0 for number in held) == 2  # of 4 with a crack
    assert len(held) == 2 + 4  # of 7 without, rounded to the even number
    again = validation(surfaces(), tmp_path, 0.5, seed=0)
    np.testing.assert_array_equal(again.train, found.train)
    draws = {tuple(validation(surfaces(), tmp_path, 0.5, seed).train) for seed in range(5)}
    assert len(draws) > 1


def test_without_a_table_each_image_is_an_item(tmp_path):
    found = validation(surfaces(), tmp_path, 0.25, seed=1)
    assert len(found) == 33 and (~found.train).sum() == 3 + 5
    assert items_of(tmp_path) == {}
    with pytest.raises(InputError, match="both parts need defective and defect-free"):
        validation(surfaces(2), None, 0.01, seed=0)
