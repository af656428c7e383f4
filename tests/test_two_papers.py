"""Two papers in one catalogue: each against its own claims, and a page on which they meet."""

import re
import shutil

import pandas as pd
import pytest
from helpers import read_json
from invented import results
from second_paper import add_paper, add_results

from derainbench.audit import verdicts
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.scenarios import scenarios
from derainbench.report.figures import energy_figures, spike_figures, verdict_figures
from derainbench.report.figures.break_even import break_even_figure
from derainbench.report.figures.style import style
from derainbench.report.page import energy_explorer
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


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_each_paper_is_judged_by_its_own_claims(both):
    claims = pd.read_csv(layout_of(both).claims)
    assert list(dict.fromkeys(claims["paper"])) == ["esdnet", "otter"]
    own = claims[claims["paper"] == "otter"].set_index("claim")
    assert set(own.index) == {"energy", "psnr", "params-0.165M"}
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
    shown = list(verdict_figures.page_figures(both))
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
    table = papers(both).frame.set_index("model")
    assert list(table.index) == ["esdnet", "esdnet-ann", "otter", "otter-ann"]
    assert table["parameters"].tolist() == [12811463, 12811287] * 2
    assert table.loc["esdnet", "spike_gmacs"] == pytest.approx(332.79, abs=0.01)
    assert table.loc["esdnet", "analog_gmacs"] == pytest.approx(159.51, abs=0.01)
    assert table.loc[["otter-ann", "esdnet-ann"], "spike_gmacs"].eq(0).all()
    assert table.loc[["esdnet", "otter"], "claimed_saving"].tolist() == [0.54, 0.3]
    counts = table.filter(like="claims_").loc["otter"]
    assert counts["claims_reproduced"] == counts["claims_with_several_verdicts"] == 1
    assert counts["claims_not_testable_here"] == 1 and counts.sum() == 3
    assert table.loc["otter", "smoke_psnr"] == table.loc["esdnet", "smoke_psnr"] > 10
    assert table.loc["otter", "run_title"] == "Otter (tiny)"
    assert table.loc["otter-ann", "run"] == ""
    assert papers(both).caption.startswith("SMOKE")


def test_the_page_has_a_section_per_paper_and_one_on_which_they_meet(both):
    page = write_page(both, layout_of(both).report).read_text()
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
