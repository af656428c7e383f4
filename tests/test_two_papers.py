"""Two papers in one catalogue: each against its own claims, and a page on which they meet."""

import re
import shutil

import pandas as pd
import pytest
from helpers import read_json
from invented import results
from second_paper import add_paper, add_results

from derainbench.audit import verdicts
from derainbench.catalog import tolerances
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.scenarios import scenarios
from derainbench.report.figures import (
    energy_figures,
    papers_meet,
    spike_figures,
    verdict_figures,
)
from derainbench.report.figures.break_even import break_even_figure
from derainbench.report.figures.papers_meet import papers_figure
from derainbench.report.figures.style import style
from derainbench.report.figures.verdicts import LOOKS
from derainbench.report.page import energy_explorer
from derainbench.report.page.papers_meet import papers_beside
from derainbench.report.page.writing import write_page
from derainbench.report.paper import artefacts
from derainbench.report.tables.papers import papers
from derainbench.report.tables.writing import BUILDERS
from derainbench.results import expected
from derainbench.results.layout import layout_of
from derainbench.results.scenarios import read_scenarios


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A configuration with results of two papers, judged; the tests leave them alone."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        add_paper(folder / "catalog", patch)
        config = add_results(results(folder))
        verdicts.write(config, layout_of(config).audit)
        shutil.rmtree(layout_of(config).papers)  # invented ones, without records
        artefacts.write(config, layout_of(config).papers)
        yield config


@pytest.fixture(scope="module")
def page(both):
    """The page of that configuration; the figure of all papers is there, whatever it shows."""
    figures = layout_of(both).figures
    shutil.copyfile(figures / "pareto.svg", figures / "papers.svg")
    return write_page(both, layout_of(both).report).read_text()


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_paper_is_judged_by_its_own_claims(both):
    claims = pd.read_csv(layout_of(both).claims)
    assert list(dict.fromkeys(claims["paper"])) == ["esdnet", "otter"]
    own = claims[claims["paper"] == "otter"].set_index("claim")
    assert set(own.index) == {"energy", "psnr", "as-many", "params-0.165M"}
    assert own.loc["params-0.165M", "verdict"] == "reproduced"
    others = claims[(claims["paper"] == "esdnet") & (claims["claim"] == "params-0.165M")]
    assert others["verdict"].tolist() == ["contradicted"]
    assert own.loc["energy", "reading"].str.contains("against the ANN counterpart").sum() == len(
        scenarios()
    )
    alone = verdicts.write(both, layout_of(both).root / "audit-of-one", ["otter"])
    assert set(alone["paper"]) == {"otter"}


def test_each_paper_is_plotted_against_its_own_claim_counterpart_and_baselines(both):
    energies = read_scenarios(both, "energy")
    with style():
        first, second = (
            legend(break_even_figure(energies, read_audited_paper(name), {}, name))
            for name in ("esdnet", "otter")
        )
    assert second == ["Otter-ANN", "RESCAN", "claimed: 30%"]
    assert first[0] == "ESDNet-ANN" and first[-1] == "claimed: 54%" and "Otter-ANN" not in first
    otter = read_audited_paper("otter")
    silent = otter.ledger.model_copy(update={"claims": otter.ledger.claims[1:]})
    with style():
        figure = break_even_figure(
            energies, otter.model_copy(update={"ledger": silent}), {"a run": 0.25}, "no claim"
        )
    assert legend(figure) == ["Otter-ANN", "RESCAN", "measured rate of a run: 0.250"]


def test_the_promised_figures_are_those_of_the_page(both):
    papers_of_config = [read_audited_paper(name) for name in both.paper_names]
    shown = [energy_figures.quality_energy_page_figure(both)]
    shown += [*energy_figures.break_even_figures(both), *energy_figures.run_figures(both)]
    assert [f.name for f in shown] == expected.energy_figures(both, papers_of_config)
    shown = [verdict_figures.papers_page_figure(both), *verdict_figures.page_figures(both)]
    assert [f.name for f in shown] == expected.verdict_figures(papers_of_config)
    shown = list(spike_figures.run_figures(both))
    assert {f.name for f in shown} == set(expected.spike_figures(both))
    titles = {f.name: f.title for f in shown}
    assert titles["membrane-potentials-otter"].endswith("(Fig. 7 of Otter's paper)")
    assert titles["membrane-potentials-esdnet"].endswith("(Fig. 2 of ESDNet's paper)")


def test_each_paper_has_a_folder_of_its_tables_and_figures(both):
    folder = layout_of(both).papers
    assert sorted(file.name for file in folder.iterdir()) == ["esdnet", "otter"]
    index = read_json(folder / "otter" / "paper.json")
    assert index["paper"] == "otter" and list(index["artefacts"]) == ["table-2", "figure-7"]
    text = (folder / "otter" / "table-2.md").read_text()
    assert "Scores (the paper's Table 2)." in text
    table = pd.read_csv(folder / "otter" / "table-2.csv")
    row = table[(table["method"] == "Otter") & (table["dataset"] == "Rain12")].iloc[0]
    assert row["published_psnr"] == 31.5 and row["in_paper"]
    assert not (table["published_psnr"] == 30).any()  # a cell of the other paper


def test_a_table_holds_the_networks_of_all_papers(both):
    frame = papers(both).frame
    table = frame[frame["run"] == ""].drop_duplicates("model").set_index("model")
    assert list(table.index) == ["esdnet", "esdnet-ann", "otter", "otter-ann"]
    assert table["parameters"].tolist() == [12811463, 12811287] * 2
    assert table.loc["esdnet", "spike_gmacs"] == pytest.approx(332.79, abs=0.01)
    assert table.loc["esdnet", "analog_gmacs"] == pytest.approx(159.51, abs=0.01)
    assert table.loc[["otter-ann", "esdnet-ann"], "spike_gmacs"].eq(0).all()
    assert table.loc[["esdnet", "otter"], "claimed_saving"].tolist() == [0.54, 0.3]
    counts = table.filter(like="claims_").loc["otter"]
    assert counts["claims_reproduced"] == 2 and counts["claims_with_several_verdicts"] == 1
    assert counts["claims_not_testable_here"] == 1 and counts.sum() == 4
    assert table.loc[["esdnet", "esdnet-ann"], "thop_parameters"].tolist() == [165911, 165735]
    assert table["smoke_psnr"].isna().all() and table["mj"].isna().all()
    assert papers(both).caption.startswith("SMOKE")


def test_the_same_table_holds_their_runs_with_both_qualities_beside_every_energy(both):
    table = papers(both)
    runs = table.frame[table.frame["run"] != ""]
    assert set(runs["run"]) == {"esdnet", "esdnet-ann", "otter"}  # otter-ann was not run
    psnr = runs.drop_duplicates("run").set_index("run")["smoke_psnr"]
    assert psnr["otter"] == psnr["esdnet"] > 10
    assert runs["mj"].notna().all() and runs["smoke_psnr"].notna().all()
    assert runs[["never_mj", "always_mj", "thop_parameters"]].isna().all(axis=None)
    # The second paper's run is the first one's: equal to it, and to nothing else.
    equals = runs.drop_duplicates("run").set_index("run")["equals"]
    assert (equals["otter"], equals["esdnet"]) == ("ESDNet (tiny)", "Otter (tiny)")
    assert equals["esdnet-ann"] == ""
    rows = table.view["Size, or run"].tolist()
    assert [rows[place] for place in table.grey] == ["ESDNet-ANN (tiny)"]
    energies = table.view.filter(like="Energy (")
    [scores] = [c for c in table.view if c.startswith("PSNR")]
    assert len(energies.columns) == len(scenarios())
    assert (energies.ne("").any(axis=1) == table.view[scores].ne("")).all()
    assert table.view.loc[[r == "full size" for r in rows], scores].eq("no scores").all()


def test_every_account_is_in_the_table_and_no_row_comes_twice(both):
    frame = papers(both).frame
    rule = tolerances.load().rule("tables/papers.csv")
    assert not frame.duplicated(rule.key).any()
    of_one = frame[(frame["model"] == "esdnet") & (frame["run"] == "")]
    energies = read_scenarios(both, "energy")
    known = energies[(energies["source"] == "structure") & (energies["model"] == "esdnet")]
    known = known[~known["reuse"] & ~known["zero_skipping"]]
    assert len(of_one) == len(known) and set(of_one["costs"]) == set(known["costs"])
    assert of_one["never_mj"].tolist() == known["fixed_mj"].tolist()
    assert of_one["always_mj"].tolist() == (known["fixed_mj"] + known["slope_mj"]).tolist()


def test_one_figure_names_every_network_and_every_run_under_every_scenario(both):
    with style():
        figure = papers_figure(both)
    words = {t.get_text() for axes in figure.axes for t in axes.get_yticklabels()}
    assert {"ESDNet", "ESDNet-ANN", "Otter", "Otter-ANN"} <= words
    assert {"ESDNet (tiny)", "ESDNet-ANN (tiny)", "Otter (tiny)"} <= words
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    for kind in ("full size, mJ", "runs, mJ"):
        assert [t for t in titles if kind in t] == [f"({s}) {kind}" for s in scenarios()]
    assert figure.get_suptitle().startswith("SMOKE")
    key = {text.get_text() for text in figure.legends[0].get_texts()}
    assert set(papers(both).frame["costs"].dropna()) <= key
    assert {f"{look[2]} {word}" for word, look in LOOKS.items()} <= key
    psnr = figure.axes[titles.index("PSNR (dB), esdnet")]
    greys = [line.get_color() == papers_meet.GREY for line in psnr.lines]
    assert greys == [False, True, False]  # esdnet, its counterpart, otter


def test_the_page_shows_verdicts_beside_each_other_and_what_is_not_stated(both, page):
    section = page.split('<section id="papers-section">')[1].split('<section id="paper-')[0]
    verdicts_of = papers_beside(both)
    assert [p.verdicts.name for p in verdicts_of] == ["esdnet", "otter"]
    for paper in verdicts_of:
        linked = re.findall(rf'href="#(claim-{paper.verdicts.name}-[^"]*)"', section)
        assert (
            len(set(linked)) == len(paper.verdicts.claims) == sum(map(len, paper.by_word.values()))
        )
        assert all(f'id="{anchor}"' in page for anchor in linked)
    assert verdicts_of[1].by_word["reproduced"] == ["as-many", "params-0.165M"]
    assert "How the 0.165 M parameters were counted." in section
    assert "Otter</strong> against ESDNet: " in section
    assert 'id="figure-papers"' in section


def test_the_page_has_a_section_per_paper_and_one_on_which_they_meet(both, page):
    anchors = re.findall(r' id="([^"]*)"', page)
    assert len(anchors) == len(set(anchors))
    assert {"claim-esdnet-params-0.165M", "claim-otter-params-0.165M"} <= set(anchors)
    assert {"verdicts-esdnet", "verdicts-otter", "paper-esdnet", "paper-otter"} <= set(anchors)
    assert {"esdnet-table-1", "otter-table-2", "papers"} <= set(anchors)
    heading = page.split('id="verdicts-otter"')[1].split("</h3>")[0]
    assert "River et al., otter" in heading and "reproduced" in heading
    side_by_side = page.split('<section id="papers-section">')[1].split('<section id="paper-')[0]
    assert "Otter-ANN" in side_by_side and "ESDNet-ANN" in side_by_side
    claimed = {n["title"]: n["claimed"] for n in energy_explorer.energy(both)["networks"]}
    assert (claimed["Otter"], claimed["ESDNet"]) == (0.3, 0.54)


def test_the_promised_tables_are_those_that_are_made():
    assert tuple(BUILDERS) == expected.TABLES


def test_a_configuration_may_name_its_papers(both):
    alone = both.model_copy(update={"papers": ["otter"]})
    assert set(papers(alone).frame["paper"]) == {"otter"}
    shown = ["break-even-otter", "cache-sensitivity-otter"]
    assert [f.name for f in energy_figures.break_even_figures(alone)] == shown
