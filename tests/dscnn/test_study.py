import numpy as np
import pandas as pd

from keras_gans.dscnn.config import StudyConfig
from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from studies.dscnn import cost, draw_figure_7, variants


def test_variants_change_one_thing_each_and_fit_the_scenes():
    named = variants(StudyConfig(), largest_patch=96)
    assert list(named) == [
        *["baseline", "skip connection", "standard convolutions"],
        *["patch 16", "patch 32", "patch 96"],
        *["1 modules", "2 modules", "3 modules", "5 modules"],
    ]
    printed = vars(StudyConfig())
    for name, config in list(named.items())[1:]:
        changed = [key for key, value in vars(config).items() if value != printed[key]]
        assert len(changed) == 1, name


def test_storage_of_table_4(tmp_path):
    """The paper's 0.62 and 3.56 MB hold Adam's moments: three float32 a parameter."""
    image = np.ones((64, 64, 3), np.float32)
    for separable, paper in ((True, 0.62), (False, 3.56)):
        network = build_dscnn(separable=separable)
        compile_dscnn(network, 1e-3)
        measured = cost(network, image, tmp_path)
        assert abs(measured["MB with optimizer"] - paper) < 0.25
        assert measured["MB weights"] < 0.5 * measured["MB with optimizer"]
        assert measured["ms/image"] > 0


def test_figure_7_is_drawn(tmp_path):
    names = list(variants(StudyConfig(), 64))
    frame = pd.DataFrame({"mean error, seen": 1.0, "ms/image": 2.0}, index=names)
    draw_figure_7(frame, StudyConfig(), tmp_path / "figure_7.png")
    assert (tmp_path / "figure_7.png").read_bytes().startswith(b"\x89PNG")
