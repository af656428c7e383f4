"""The tables of a paper from invented results: numbers by hand, columns kept apart."""

import numpy as np
import pandas as pd
import pytest
from helpers import read_json
from made_paper import made_results, scenario_files

from derainbench.catalog import tolerances
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.papers import FIGURE_KINDS, TABLE_KINDS
from derainbench.report.paper import artefacts
from derainbench.report.tables.latex import long_latex
from derainbench.report.tables.table import Table
from derainbench.results.layout import layout_of
from derainbench.results.runs import counterpart_run, run_variants

PAPER = read_audited_paper("esdnet")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes scores and counts of the configuration; gives the configuration."""
    monkeypatch.chdir(tmp_path)
    return made_results


def tables(config) -> dict[str, Table]:
    return {table.name: table for table in artefacts.tables(config, PAPER)}


def tables_shown(config, name: str) -> list[dict[str, str]]:
    return tables(config)[name].view.to_dict("records")


def rows(table: Table, **keys) -> pd.DataFrame:
    return table.frame[np.logical_and.reduce([table.frame[k] == v for k, v in keys.items()])]


def test_differences_stand_where_protocol_and_data_set_agree(made):
    table = tables(made())["table-1"]
    prenet = rows(table, dataset="Rain200H", method="PReNet")
    told = prenet[prenet["source"].str.contains("RecDerain")].iloc[0]
    assert (told["published_psnr"], told["stated_protocol"]) == (29.36, "matlab-double")
    assert told["reproduced_psnr"] == pytest.approx(29.5)
    assert told["difference_psnr"] == pytest.approx(0.14)
    assert told["low"] < 0.14 < told["high"]  # 8 images of 200
    own = rows(table, dataset="Rain200H", method="ESDNet").iloc[0]
    assert (own["published_psnr"], own["protocol"]) == (30, "esdnet")
    assert own["reproduced_psnr"] == pytest.approx(28.1)
    assert own["std_over_seeds"] == pytest.approx(0.2 / 2**0.5)
    assert np.isnan(own["difference_psnr"]) and "protocol" in own["difference_reason"]
    assert table.view["Images"].str.contains("8 of 200").any()


def test_a_users_own_training_is_no_published_score(made):
    row = rows(tables(made())["table-1"], dataset="Rain200L", method="ESDNet").iloc[0]
    assert (row["third_party_psnr"], row["third_party_ssim"]) == (38.3531, 0.9843)
    assert np.isnan(row["published_psnr"]) and row["published_reason"].startswith("not transcribed")
    assert row["reproduced_reason"] == "data set not in this configuration"


@pytest.mark.parametrize("label", ["smoke", "study", "paper", "rehearsal"])
def test_published_and_own_numbers_never_share_a_column(made, label):
    config = made(label)
    scenario_files()
    before = tables(config)
    assert list(before) == [f"table-{i}" for i in range(1, 6)]
    own = {"smoke": "smoke", "study": "study", "paper": "reproduced", "rehearsal": "rehearsal"}
    foreign = tuple(f"{name}_{what}" for name in own.values() for what in ("psnr", "mean", "gsops"))
    after = tables(made(label, better=1.5))
    for name, table in before.items():
        old, new = table.frame, after[name].frame
        changed = [c for c in old if not old[c].equals(new[c])]
        assert not [c for c in changed if c.startswith(("published", "third_party"))]
        assert all(c.startswith(own[label]) for c in old if c.startswith(foreign))
        for heading in table.view:
            if label != "paper" and heading.lower().startswith(
                ("smoke", "reproduced", "rehearsal")
            ):
                assert "not comparable" in heading or "scaled-down" in heading
        assert table.caption.startswith("SMOKE") == (label == "smoke")
        assert table.caption.startswith("REHEARSAL") == (label == "rehearsal")
    old, new = (t["table-1"].frame[f"{own[label]}_psnr"].dropna() for t in (before, after))
    assert len(old) and (new - old).round(9).eq(1.5).all()
    if label in ("smoke", "rehearsal"):
        assert before["table-1"].frame["difference_psnr"].isna().all()


def test_every_row_with_an_empty_cell_says_why(made):
    config = made()
    scenario_files()
    for name, table in tables(config).items():
        if table.view.empty:
            continue
        published = [c for c in table.view if "ublished" in c and "Difference" not in c]
        empty = (table.view[published] == "").any(axis=1)
        assert (table.view.loc[empty, "Empty because"] != "").all(), name


def test_an_ablation_by_hand(made):
    found = tables(made())
    assert found["table-5"].frame.empty and "Empty" in found["table-5"].caption
    base, plain = (row for _, row in found["table-4"].frame.iterrows())
    assert (base["variant"], base["published_psnr"]) == ("ESDNet", 29)
    assert (plain["part"], plain["variant"], plain["seeds"]) == ("FRB", "without FRB", 1)
    assert plain["change"] == pytest.approx(27.6 - 28.1)
    assert (plain["low"], plain["high"]) == (pytest.approx(-0.5), pytest.approx(-0.5))
    assert plain["base_std"] == pytest.approx(0.2 / 2**0.5)
    # t = 0.5 / (0.1414 sqrt(1 + 1/2)) = 2.887 with one degree of freedom: p = 2 atan(1/t) / pi
    assert plain["p"] == pytest.approx(2 / np.pi * np.arctan(3**0.5 / 5)) == plain["p_holm"]


def test_the_counterpart_has_what_either_sets_and_the_budget_if_there_are_several(made):
    config = made()

    def runs(**changes):
        kwargs = {"kwargs": changes.pop("network", {})}
        network = config.runs["esdnet"].model_copy(update=kwargs)
        counterparts = {
            name: config.runs["counterpart"].model_copy(update=change)
            for name, change in changes.items()
        }
        alone = config.model_copy(update={"runs": {"esdnet": network} | counterparts})
        chosen = counterpart_run(alone, run_variants(alone)[0])
        return chosen and chosen.run

    assert runs(same={}) == "same"
    assert runs(same={"kwargs": {"dim": 48}}) == "same"  # the default
    assert runs(network={"dim": 16}, same={}) is None
    assert runs(network={"v_threshold": 0.05}, same={}) == "same"  # it has no threshold
    longer = config.runs["counterpart"].train.model_copy(update={"set": {"epochs": 9}})
    assert runs(longer={"train": longer}, same={}) == "same"
    assert runs(longer={"train": longer}) == "longer"


def test_costs_by_hand(made):
    config = made()
    scenario_files()
    table = tables(config)["table-3"]
    full, run = (row for _, row in rows(table, method="ESDNet").iterrows())
    assert (full["published_parameters"], full["full_size_parameters"]) == (165000, 12811463)
    assert full["difference_parameters"] == 12811463 - 165000
    assert run["reproduced_energy_mj_b"] == pytest.approx(5.5)
    assert (run["published_saving"], run["reproduced_saving_b"]) == (0.54, pytest.approx(-0.25))
    assert (run["psnr"], run["psnr_counterpart"]) == (pytest.approx(28.1), 29)
    assert pd.isna(run["difference_saving_b"])  # 0.9 dB apart: compared with nothing
    shown = next(
        row for row in tables_shown(config, "table-3") if "28.10 against 29.00" in str(row)
    )
    assert any(str(cell).startswith("(none, -25 %") for cell in shown.values())
    assert "not of equal quality" in shown["Empty because"]
    assert (run["reproduced_gsops"], run["reproduced_firing_rate"]) == (0.4, 0.2)
    assert rows(table, method="PReNet")["full_size_energy_mj_a"].iloc[0] == 70


def test_the_measured_saving_is_held_against_the_published_one_at_equal_quality_alone(made):
    config = made()
    scenario_files()
    for seed in (1, 2):
        file = layout_of(config).per_image("counterpart", f"seed-{seed}", "Rain200H")
        scores = pd.read_csv(file)
        scores["psnr"] -= 0.5  # 28.5 dB, 0.4 above the network's
        scores.to_csv(file, index=False)
    _, run = (row for _, row in rows(tables(config)["table-3"], method="ESDNet").iterrows())
    assert run["psnr_counterpart"] == pytest.approx(28.5)
    assert run["difference_saving_b"] == pytest.approx(-0.79)
    file = layout_of(config).per_image("counterpart", "seed-2", "Rain200H")
    file.unlink()
    [reason] = [
        row["Empty because"]
        for row in tables_shown(config, "table-3")
        if "no scores of counterpart" in row["Empty because"]
    ]
    assert "saving: no scores of counterpart/seed-1 on Rain200H" in reason


def test_what_is_missing_is_named_and_the_rest_is_written(made, tmp_path):
    config, out = made(), tmp_path / "papers" / "esdnet"
    out.mkdir(parents=True)
    (out / "figure-5.svg").write_text("of an earlier call")
    missing = artefacts.write_paper(config, PAPER, out)
    content = read_json(out / "paper.json")["artefacts"]
    assert list(content) == list(PAPER.artefacts)
    assert set(missing) == {"table-3", *(f"figure-{i}" for i in range(1, 6))}
    assert "structure" in missing["figure-3"] and "pareto" in missing["figure-1"]
    assert "no photographs of real rain" in missing["figure-5"]
    assert not (out / "figure-5.svg").exists()
    for name, fact in content.items():
        assert ("reason" in fact) == (name in missing) != bool(fact["files"])
        assert all((out / file).is_file() for file in fact["files"])
    assert (out / "table-1.csv.provenance.json").is_file()


def test_every_artefact_can_be_made_whatever_its_kind():
    assert tuple(artefacts.TABLES) == TABLE_KINDS and tuple(artefacts.FIGURES) == FIGURE_KINDS


def test_every_table_of_a_paper_has_a_rule_and_its_key_names_rows(made):
    config = made()
    scenario_files()
    rules = tolerances.load()
    for name, table in tables(config).items():
        rule = rules.rule(f"papers/esdnet/{name}.csv")
        assert rule and set(rule.key) <= set(table.frame), name
        assert not table.frame.duplicated(rule.key).any(), name
    assert rules.rule("papers/esdnet/paper.json")
    assert rules.rule("papers/nobody/table-1.csv") is None


def test_latex_is_escaped():
    view = pd.DataFrame({"Part & name": ["a_b 5 %"], "Empty because": ["#1"]})
    text = long_latex(Table("table-9", "50 % of a_b & #", view, view), "tab:made")
    assert r"Part \& name" in text and r"a\_b 5 \%" in text and r"\#1" in text
    assert r"\caption{50 \% of a\_b \& \#}" in text
    assert text.count("{") == text.count("}")
