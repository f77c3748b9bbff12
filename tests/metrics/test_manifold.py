import numpy as np
import pytest

from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.metrics.manifold import manifold_figures


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 8)).astype(np.float32)
    return real, (rng.normal(size=(50, 8)) * 0.8 + 0.3).astype(np.float32)


def test_values_of_other_libraries(features):
    """prdc 0.2 (density and coverage, k = 5) and torch-fidelity 0.4 (the others, k = 3)."""
    figures = manifold_figures(*features)
    expected = {"precision": 0.94, "recall": 0.5333333, "density": 1.7, "coverage": 0.9333333}
    assert figures == pytest.approx(expected, abs=1e-6)
    assert frechet_distance(*features) == pytest.approx(1.9311377, abs=1e-6)
    real, fake = features
    assert kid(real[:50], fake)[0] == pytest.approx(0.3508756, abs=1e-6)


def test_torch_fidelity_where_it_is_installed(features):
    torch = pytest.importorskip("torch")
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = map(torch.from_numpy, features)
    options = dict(prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False, verbose=False)
    expected = prc.prc_features_to_metric(fake, real, **options)
    figures = manifold_figures(*features)
    for name in ("precision", "recall"):
        assert figures[name] == pytest.approx(expected[name], abs=1e-6)


def test_equal_far_and_collapsed_sets(features, monkeypatch):
    real, fake = features
    equal = manifold_figures(real, real)
    assert [equal[name] for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert not any(manifold_figures(real, real + 100).values())
    collapsed = manifold_figures(real, np.repeat(real[:1], 50, axis=0) + 1e-3)
    assert collapsed["precision"] == 1 and collapsed["recall"] == 0
    assert collapsed["coverage"] < 0.2
    whole = manifold_figures(real, fake)
    monkeypatch.setattr("keras_gans.metrics.manifold.BLOCK", 7)
    assert manifold_figures(real, fake) == pytest.approx(whole)


def test_bad_input(features):
    real, fake = features
    for wrong, text in (
        (real[:, :3], r"\(N, D\)"), (real[:5], "More than 5"), (real * np.nan, "NaN"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            manifold_figures(wrong, fake)
