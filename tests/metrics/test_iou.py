import math

import numpy as np
import pytest

from keras_gans.metrics.iou import iou


def mask(*rows):
    return np.array([[character == "x" for character in row] for row in rows])


LEFT, MIDDLE, NOTHING = mask("xx..", "xx.."), mask(".xx.", ".xx."), mask("....", "....")


def test_iou_by_hand():
    assert iou(LEFT, MIDDLE) == iou(MIDDLE, LEFT) == 2 / 6
    assert iou(LEFT, LEFT) == 1
    assert iou(LEFT, ~LEFT) == iou(NOTHING, LEFT) == iou(LEFT, NOTHING) == 0
    assert math.isnan(iou(NOTHING, NOTHING))


def test_refuses():
    with pytest.raises(ValueError, match=r"bool and of one shape. Received: uint8 \(2, 4\)"):
        iou(LEFT.astype(np.uint8) * 255, LEFT)
    with pytest.raises(ValueError, match="of one shape"):
        iou(LEFT, LEFT[:1])
