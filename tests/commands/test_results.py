from pathlib import Path

import pytest

from keras_gans.commands.results import check_targets
from keras_gans.errors import InputError

A, B = Path("in/a.png"), Path("in/b.png")


def test_targets_of_their_own_pass():
    check_targets([A, B], [(Path("out/a.png"), Path("out/a_mask.png")), [Path("out/b.png")]])


def test_an_input_is_not_overwritten():
    with pytest.raises(InputError, match="in/b.png: would overwrite an input: give another"):
        check_targets([A, B], [[Path("out/a.png")], [Path("out/../in/b.png")]])


def test_two_inputs_do_not_share_a_target_whatever_its_case():
    with pytest.raises(InputError, match="in/b.png and in/a.png: both .* to out/x.png: rename"):
        check_targets([A, B], [[Path("out/X.png")], [Path("out/x.png")]])


def test_every_input_needs_its_targets():
    with pytest.raises(ValueError):
        check_targets([A, B], [[Path("out/a.png")]])
