import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from keras_gans.errors import InputError
from keras_gans.frgan.config import StudyConfig
from studies import frgan_tables as tables
from studies.frgan_tables import Variant


def settings(**changes):
    """Of a study; those that variants say themselves are of no effect."""
    said = dict(se=False, consistency=False, label_noise=0.3, supervised_only=True, seed=7)
    return StudyConfig(study="table-3", **{"seeds": (0, 1), **said, **changes})


def give(folder, variant, **result):
    path = tables.run_path(folder, variant)
    path.mkdir(parents=True)
    (path / "result.json").write_text(json.dumps(result))


def test_variants_of_every_study():
    assert [len(tables.variants(s, settings())) for s in tables.STUDIES] == [8, 16, 24, 20]
    for study in tables.STUDIES:
        made = tables.variants(study, settings())
        assert len({tables.run_path("x", v) for v in made}) == len(made)
        changes = {tuple(sorted(v.changes.items(), key=str)) for v in made}
        assert len(changes) == len(made)
        for variant in made:
            assert set(variant.changes) <= set(asdict(settings()))
            assert set(tables.FRGAN) <= set(variant.changes)
        assert [v.changes["seed"] for v in made] == sorted(v.changes["seed"] for v in made)

    table_3 = tables.variants("table-3", settings(seeds=(4,), study_labels=(50,)))
    on = {"labels": 50, "label_noise": 0.0, "seed": 4}
    assert [(v.row, v.column, v.changes) for v in table_3] == [
        ("labels only", "50",
         on | {"se": True, "consistency": False, "supervised_only": True}),
        ("FR-GAN without consistency", "50",
         on | {"se": True, "consistency": False, "supervised_only": False}),
        ("FR-GAN without SE", "50",
         on | {"se": False, "consistency": True, "supervised_only": False}),
        ("FR-GAN", "50", on | {"se": True, "consistency": True, "supervised_only": False}),
    ]  # fmt: skip
    crossed = {(v.changes["se"], v.changes["consistency"])
               for v in tables.variants("table-2", settings())}  # fmt: skip
    assert len(crossed) == 4
    figure_4 = tables.variants("figure-4", settings())
    baseline = [v.changes for v in figure_4 if v.row == "conventional GAN"]
    assert len(baseline) == 12
    assert not any(changes["se"] or changes["consistency"] for changes in baseline)
    noise = {v.changes["label_noise"] for v in tables.variants("figure-4", settings())}
    assert noise == {0, 0.1, 0.2, 0.3, 0.4, 0.5}
    assert {v.changes["labels"] for v in tables.variants("figure-4", settings())} == {None}
    with pytest.raises(ValueError, match="`study` must be one of"):
        tables.variants("table-4", settings())


def test_gan_share_is_table_3_and_a_pi_model():
    share = tables.variants("gan-share", settings())
    [pi] = [v.changes for v in share if v.row == "Pi-model, no GAN" and v.column == "500"][:1]
    assert pi["adversarial_weight"] == 0 and pi["consistency"] and not pi["supervised_only"]
    others = [variant for variant in share if variant.row != "Pi-model, no GAN"]
    assert others == tables.variants("table-3", settings())

    some = settings(rows=("FR-GAN",), seeds=(1,))
    assert [(v.row, v.column) for v in tables.variants("gan-share", some)] == [
        ("FR-GAN", "500"), ("FR-GAN", "1000")
    ]  # fmt: skip
    with pytest.raises(InputError, match="--rows of table-3 are: labels only; .*: Pi-model"):
        tables.variants("table-3", settings(rows=("FR-GAN", "Pi-model, no GAN")))


def test_table_3_is_mean_and_sample_scatter_beside_the_papers(tmp_path, capsys):
    config = settings(seeds=(0, 1, 2))
    errors = {0: 7.0, 1: 8.0, 2: 9.0}
    for variant in tables.variants("table-3", config):
        if variant.row == "FR-GAN":
            extra = 6 if variant.column == "500" else 0
            give(tmp_path, variant, test_error=errors[variant.changes["seed"]] + extra)
    give(tmp_path, Variant("labels only", "500", {"seed": 0}), test_error=40.0)

    frame = tables.collect("table-3", tmp_path)
    assert frame["column"].tolist() == ["500", *["500"] * 3, *["1000"] * 3]
    shown = tables.write("table-3", config, tmp_path, "SVHN").set_index(["row", "column"])
    assert shown.loc[("FR-GAN", "500")].tolist() == [14.0, 1.0, 3, "13.41 ± 0.20"]
    assert shown.loc[("FR-GAN", "1000")].tolist() == [8.0, 1.0, 3, "7.20 ± 0.16"]
    alone = shown.loc[("labels only", "500")]
    assert alone["n"] == 1 and np.isnan(alone["std"]) and alone["paper"] == ""
    cited = shown[shown["n"] == 0]["paper"]
    assert len(cited.loc[:, "500"]) == 3 and len(cited.loc[:, "1000"]) == 8
    assert cited[("Temporal ensembling", "1000")] == "4.42 ± 0.16"
    assert cited[("M1+M2", "1000")] == "36.02 ± 0.10"

    printed = capsys.readouterr().out
    assert "14.00 ± 1.00" in printed and "13.41 ± 0.20" in printed
    missing = [line for line in printed.splitlines() if line.startswith("missing: ")]
    assert len(missing) == 6 and "missing: labels only, 500 labels, seeds 1 2" in missing
    assert len(tables.missing("table-3", config, tmp_path)) == 24 - 7
    assert (tmp_path / "table-3.csv").read_text().count("FR-GAN,") == 6
    with Image.open(tmp_path / "table-3.png") as picture:
        assert min(picture.size) > 150
    # elsewhere the paper's figures say nothing
    assert "paper" not in tables.table("table-3", frame, "synthetic street digits")


def scores(value, images=1000, network=""):
    name = f"inception_score{network}"
    conditions = {"images": images, "splits": 10, "seed": 0, "network": network}
    return {name: value, f"{name}_std": 0.1, f"{name}_conditions": conditions}


def test_table_2_keeps_networks_and_conditions_apart(tmp_path):
    config = settings(seeds=(0,))
    absent = tables.missing("table-2", config, tmp_path)
    assert len(absent) == 5 and absent[-1] == tables.real_images(0)
    give(tmp_path, tables.real_images(0), **scores(3.0), **scores(9.0, network="_classifier"))
    for variant in tables.variants("table-2", config)[2:]:
        of_classifier = scores(8.0, 500, "_classifier")
        give(tmp_path, variant, test_error=5.0, **scores(2.5), **of_classifier)
    frame = tables.write("table-2", config, tmp_path, "SVHN")
    assert len(tables.missing("table-2", config, tmp_path)) == 2
    by_column = dict(list(frame.groupby("column")))
    assert list(by_column) == [
        "inception_score (1000 in 10 splits)",
        "inception_score_classifier (1000 in 10 splits)",
        "inception_score_classifier (500 in 10 splits)",
    ]
    ours, theirs = (frame["column"].str.contains("classifier"), frame["paper"] != "")
    assert not (ours & theirs).any()
    assert frame.loc[theirs, "paper"].tolist() == [
        *["3.24 ± 0.17", "3.02 ± 0.14", "2.95 ± 0.43"]
    ]
    assert (tmp_path / "table-2.png").exists()


def test_figure_4_is_accuracy_and_draws_what_is_there(tmp_path):
    config = settings()
    for variant in tables.variants("figure-4", config)[:-3]:
        error = 5 + 40 * variant.changes["label_noise"] + variant.changes["seed"]
        give(tmp_path, variant, test_error=error)
    frame = tables.collect("figure-4", tmp_path)
    first = frame[frame["row"] == "FR-GAN"]
    assert first["column"].tolist()[:4] == ["0", "0", "10", "10"]
    assert first["value"].tolist()[:4] == [95, 94, 91, 90]
    tables.draw("figure-4", frame, tmp_path / "figure-4.png")
    with Image.open(tmp_path / "figure-4.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_a_study_without_results_says_so(tmp_path, capsys):
    assert tables.write("figure-4", settings(), tmp_path).empty
    assert capsys.readouterr().out.count("missing: ") == 12
    assert not (tmp_path / "figure-4.png").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"test_error": null}', '{"loss": 1}'])
def test_a_broken_result_is_named(tmp_path, content):
    path = tables.run_path(tmp_path, Variant("FR-GAN", "500", {"seed": 0}))
    path.mkdir(parents=True)
    (path / "result.json").write_text(content)
    with pytest.raises(InputError, match="seed-0/result.json: not the result of a run of"):
        tables.collect("table-3", tmp_path)


def test_a_run_without_its_score_is_named(tmp_path):
    """One that was stopped between training and scoring."""
    give(tmp_path, Variant("FR-GAN", "score", {"seed": 0}), test_error=5.0)
    with pytest.raises(InputError, match="not the result of a run of table-2; remove it"):
        tables.collect("table-2", tmp_path)
