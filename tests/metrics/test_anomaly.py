import numpy as np
import pytest
from scipy.stats import rankdata

from keras_gans.metrics.anomaly import f1, false_alarm_rate, pixel_figures


@pytest.fixture(scope="module")
def scored():
    """Maps with ties; masks of two regions, one with a diagonal step, none, a corner."""
    rng = np.random.default_rng(0)
    maps = np.round(rng.random((4, 24, 30)) * 40) / 40
    masks = np.zeros((4, 24, 30), bool)
    masks[0, 3:9, 4:12] = masks[0, 15:17, 20:29] = masks[1, 10:20, 10:14] = True
    masks[1, 20, 14] = masks[3, 0:2, 0:2] = True
    maps[masks] += 0.35 * rng.random(masks.sum()).round(1)
    return maps.astype(np.float32), masks


def as_lists(maps, masks):
    return list(maps), [mask if mask.any() else None for mask in masks]


def test_values_of_anomalib(scored):
    """anomalib 2.7's AUPRO, and torchmetrics 1.9's BinaryAUROC and BinaryF1Score beneath it."""
    figures = pixel_figures(*as_lists(*scored))
    expected = {"pixel_auroc": 0.6666113138198853, "aupro": 0.29713350534439087}
    assert figures == pytest.approx(expected, abs=1e-6)
    assert pixel_figures(*as_lists(*scored), 0.05)["aupro"] == pytest.approx(
        0.15356075763702393, abs=1e-6
    )
    maps, masks = scored
    found = maps > 0.9
    value = f1((found & masks).sum(), found.sum(), masks.sum())
    assert value == pytest.approx(0.1614583283662796, abs=1e-7)


def test_properties(scored):
    maps, masks = scored
    ranks = rankdata(maps).reshape(maps.shape)
    bad, good = masks.sum(), (~masks).sum()
    by_ranks = (ranks[masks].sum() - bad * (bad + 1) / 2) / bad / good
    figures = pixel_figures(*as_lists(maps, masks))
    assert figures["pixel_auroc"] == pytest.approx(by_ranks, rel=1e-9)
    # only the order of the levels counts
    assert pixel_figures(*as_lists(ranks, masks)) == pytest.approx(figures)
    perfect = pixel_figures(*as_lists(masks.astype(np.float32), masks))
    assert perfect == pytest.approx({"pixel_auroc": 1.0, "aupro": 1.0})
    assert pixel_figures(*as_lists(0 * maps, masks), 1)["aupro"] == pytest.approx(0.5)
    # each region counts as much, whatever its size
    half = np.zeros_like(maps)
    half[0, 15:17, 20:29] = 1
    assert pixel_figures(*as_lists(half, masks), 0.1)["aupro"] == pytest.approx(
        1 / 4 + 3 / 4 * 0.1 / 2, abs=1e-3
    )


def test_nothing_to_find(scored):
    maps, _ = scored
    figures = pixel_figures(list(maps), [None] * 4)
    assert np.isnan([*figures.values()]).all()
    assert np.isnan(f1(0, 0, 0))
    with pytest.raises(ValueError, match="limit"):
        pixel_figures([], [], 0)
    with pytest.raises(ValueError, match="maps must be"):
        pixel_figures([maps[0] * np.nan], [None])


def test_false_alarms_at_a_recall():
    scores = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2.5, 7])
    defective = np.arange(14) < 10
    assert false_alarm_rate(scores, defective, 0.9) == 2 / 4  # from 2 on
    assert false_alarm_rate(scores, defective, 1.0) == 3 / 4
    assert false_alarm_rate(scores, defective, 0.3) == 0
    assert np.isnan(false_alarm_rate(scores[:10], defective[:10], 0.9))
    with pytest.raises(ValueError, match="recall"):
        false_alarm_rate(scores, defective, 0)


def test_masks_may_be_numbers_and_all_may_be_lists(scored):
    maps, masks = scored
    expected = pixel_figures(*as_lists(maps, masks))
    for levels in (masks.astype(int), 255 * masks.astype(np.uint8), masks.tolist()):
        assert pixel_figures(maps.tolist(), list(levels)) == pytest.approx(expected)


def test_what_is_refused(scored):
    maps, masks = scored
    for bad in ((maps[0, :5], masks[0]), (maps[0, ..., None], None)):
        with pytest.raises(ValueError, match="Received: "):
            pixel_figures(*([each] for each in bad))
    for scores in ([0.1, np.nan, 0.9], [0.1, 0.9], np.zeros((3, 1))):
        with pytest.raises(ValueError, match="`scores` must be numbers"):
            false_alarm_rate(scores, [False, False, True], 1.0)
