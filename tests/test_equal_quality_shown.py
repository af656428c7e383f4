"""No energy of measured networks is compared without both qualities: tables, figures and the page."""

import json
import re

import pandas as pd
import pytest
from invented import results as invented

from derainbench.audit.quality_energy import points
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.scenarios import scenarios
from derainbench.report.figures import energy_figures, quality_energy
from derainbench.report.page import energy_explorer
from derainbench.report.page.writing import write_page
from derainbench.report.tables.writing import BUILDERS
from derainbench.results.layout import layout_of
from derainbench.results.scenarios import plain_rows

ENERGY = re.compile(r"energy|\(m?J\)|^\([a-z]\)", re.IGNORECASE)
WITHOUT_SCORES = "No scores: structure only"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The invented results, laid out in the working directory."""
    folder = tmp_path_factory.mktemp("equal")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield invented(folder)


@pytest.fixture(scope="module")
def tables(config):
    return {name: build(config) for name, build in BUILDERS.items()}


def test_every_table_of_energies_has_the_scores_beside_them_or_says_there_are_none(tables):
    walked = []
    for name, table in tables.items():
        if not any(ENERGY.search(str(column)) for column in table.view):
            continue
        walked.append(name)
        if WITHOUT_SCORES in table.caption:
            continue
        scores = [column for column in table.view if str(column).startswith("PSNR (dB)")]
        assert scores, name
        assert any(word in " ".join([*scores, table.caption]) for word in ("esdnet", "rgb")), name
    assert {"savings", "equal_quality", "quality_energy", "complexity", "break_even"} <= {*walked}


def test_every_row_of_the_savings_has_both_scores(tables):
    view = tables["savings"].view
    for column in ("PSNR (dB), esdnet", "PSNR (dB), esdnet, baseline"):
        assert view[column].str.fullmatch(r"\d+\.\d\d").all()
    told = view["Equal quality"].str.startswith("no: ")
    assert [i for i, no in enumerate(told) if no] == sorted(tables["savings"].grey)
    frame = tables["savings"].frame
    with_saving = frame[frame["saving"].notna()]
    assert len(with_saving) and with_saving[["psnr", "psnr_baseline"]].notna().all(axis=None)


def test_every_ratio_of_the_headline_has_both_scores(tables):
    for row in tables["equal_quality"].view.to_dict("records"):
        compared = bool(row["Energy, times the ANN’s"])
        assert compared == bool(row["PSNR (dB), esdnet, ANN"]) == bool(row["Difference (dB)"])
        assert row["PSNR (dB), esdnet"]


def test_captions_of_energy_figures_speak_of_quality(config):
    shown = [energy_figures.quality_energy_page_figure(config)]
    shown += [*energy_figures.break_even_figures(config), *energy_figures.run_figures(config)]
    compared = [f for f in shown if not f.name.startswith("firing-rates")]
    assert len(shown) - len(compared) == len({run for run, *_ in config.spiking()})
    assert len(compared) >= 4
    for figure in compared:
        assert "PSNR" in figure.caption or "no scores" in figure.caption, figure.name
    [main] = [f for f in shown if f.name == "quality-energy"]
    for part in ("protocol esdnet", DEFAULT_COSTS, "every scenario", "frontier", "0.5 dB"):
        assert part in main.caption


def test_the_main_figure_has_a_panel_per_scenario_with_its_frontier(config):
    drawn = quality_energy.quality_energy_figure(config)
    panels = [axes for axes in drawn.axes if axes.get_title(loc="left")]
    assert [axes.get_title(loc="left")[:3] for axes in panels] == [f"({s})" for s in scenarios()]
    assert DEFAULT_COSTS in drawn.get_suptitle() and drawn.get_suptitle().startswith("SMOKE")
    table = plain_rows(points(config))
    table = table[table["dataset"] == config.figures.dataset]
    for axes, scenario in zip(panels, scenarios(), strict=True):
        of_scenario = table[table["scenario"] == scenario]
        best = of_scenario[of_scenario["frontier"]].sort_values("mj")
        line = next(one for one in axes.lines if one.get_drawstyle() == "steps-post")
        assert list(line.get_xdata()) == list(best["mj"])
        assert list(line.get_ydata()) == list(best["psnr"])
        marks = [one for one in axes.lines if one.get_marker() in ("o", "D")]
        assert len(marks) == len(of_scenario)
        by_look = [(m.get_marker() == "D", m.get_color() == quality_energy.GREY) for m in marks]
        assert by_look == [
            (row["spiking"], not row["equal_quality"]) for row in of_scenario.to_dict("records")
        ]
    key = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert sum(text.endswith(" dB") for text in key) == table["run"].nunique()


def test_a_figure_of_nothing_says_so(config):
    empty = config.model_copy(update={"runs": {}})
    drawn = quality_energy.quality_energy_figure(empty)
    texts = [text.get_text() for axes in drawn.axes for text in axes.texts]
    assert texts == [quality_energy.NOTHING] * len(scenarios())


def test_the_explorer_knows_both_qualities_of_measured_networks(config):
    found = energy_explorer.energy(config)["networks"]
    assert any(network["measured"] for network in found)
    for network in found:
        for baseline in network["baselines"]:
            quality = baseline["quality"]
            if not network["measured"]:
                assert quality == {"text": "no scores: structure only", "equal": None}
            elif quality.get("scored"):
                assert quality["text"].count(" dB") == 2 and "protocol esdnet" in quality["text"]
            else:
                assert quality["equal"] is False and "not scored" in quality["text"]


def test_the_page_opens_with_energies_that_stand_beside_both_qualities(config, tmp_path):
    html = write_page(config, tmp_path / "report").read_text("utf-8")
    top = html.split('id="headline-energy"')[1].split("</div>")[0]
    assert html.index('id="headline-energy"') < html.index('<details class="claim"')
    assert "dB, esdnet" in top
    for sentence in re.findall(r"[^;>]*times the energy of[^;<]*", top):
        assert sentence.count(" dB") == 2, sentence
    section = html.split('id="equal-quality"')[1].split("</section>\n\n<section")[0]
    for part in ("savings", "quality_energy"):
        of_table = html.split(f'id="{part}"')[1].split("</section>")[0]
        assert of_table.count('class="other-quality"') == len(BUILDERS[part](config).grey)
    assert "figure-quality-energy" in html or "quality-energy.svg" in section
    data = html.split('id="energy-data">')[1].split("</script>")[0]
    assert all("quality" in b for n in json.loads(data)["networks"] for b in n["baselines"])


def test_a_run_without_scores_disappears_from_every_comparison(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = invented(tmp_path)
    file = layout_of(config).per_image("nafnet", "seed-1234", "synthetic-heavy")
    file.unlink()
    table = BUILDERS["savings"](config)
    assert "no scores of nafnet/seed-1234 on synthetic-heavy" in table.caption
    assert not table.view["Baseline"].str.contains("NAFNet").any()
    hidden = table.frame[table.frame["baseline"] == "nafnet/seed-1234"]
    assert len(hidden) and hidden["saving"].isna().all()
    assert not points(config)["run"].eq("nafnet").any()
    complexity = BUILDERS["complexity"](config).view
    [score] = complexity.loc[complexity["Method"].str.contains("NAFNet"), "PSNR (dB), esdnet"]
    assert score == "no scores"
    networks = energy_explorer.energy(config)["networks"]
    measured = next(n for n in networks if n["measured"])
    [quality] = [b["quality"] for b in measured["baselines"] if "NAFNet" in b["title"]]
    assert quality["equal"] is False and quality["text"].startswith("no scores of nafnet")
    html = write_page(config, tmp_path / "report").read_text("utf-8")
    top = html.split('id="headline-energy"')[1].split("</div>")[0]
    assert "NAFNet" not in top


def test_numbers_of_the_new_tables_are_held_to_the_reference():
    from derainbench.catalog import tolerances

    rules = tolerances.load()
    for name, columns in (
        ("equal_quality", ("ratio", "psnr", "mj", "psnr_baseline")),
        ("quality_energy", ("psnr", "mj", "frontier")),
    ):
        rule = rules.rule(f"tables/{name}.csv")
        assert rule and {"run", "costs", "scenario"} <= set(rule.key)
        assert all(rules.name_of(rule, column) for column in columns)


def test_the_tables_have_one_row_per_key(tables):
    from derainbench.catalog import tolerances

    for name in ("savings", "equal_quality", "quality_energy"):
        rule, frame = tolerances.load().rule(f"tables/{name}.csv"), tables[name].frame
        assert set(rule.key) <= set(frame) and not frame.duplicated(rule.key).any()
        assert isinstance(frame, pd.DataFrame)
