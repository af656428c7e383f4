"""The report without a browser: what it links, what it says is missing, how verdicts are told."""

import re
import shutil
from urllib.parse import unquote

import pandas as pd
import pytest
from helpers import read_json
from invented import PARTS, REFERENCE, results

from derainbench.catalog.claim_kinds import TESTS
from derainbench.catalog.papers import paper_names
from derainbench.catalog.scenarios import scenarios
from derainbench.catalog.verdicts import Outcome
from derainbench.report.page import energy_explorer, gaps, paper_artefacts, verdict_list
from derainbench.report.page.plot_data import option_key
from derainbench.report.page.writing import write_page


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Writes the page of the invented results, of some parts only; gives its text and folder."""
    monkeypatch.chdir(tmp_path)

    def make(*parts: str, without: tuple[str, ...] = ()) -> tuple[str, object]:
        config = results(tmp_path, parts or PARTS)
        for part in without:
            shutil.rmtree(tmp_path / config.results / part)
        folder = tmp_path / config.results / "report"
        return write_page(config, folder).read_text(), folder

    return make


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Text and folder of the page of all invented results; the tests leave it alone."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        out = folder / "results" / "smoke" / "report"
        return write_page(results(folder), out).read_text(), out


def lacks(page: str) -> list[str]:
    """The list near the top of the page."""
    top = page.split('<details class="missing">')[1].split("</details>")[0]
    return re.findall("<li>(.*?)</li>", top)


def test_the_folder_holds_all_it_shows_and_links_what_is_there(whole):
    page, folder = whole
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(targets) > 50
    for target in {unquote(t) for t in targets if t[0] != "#" and not t.startswith("data:")}:
        assert not re.match("[a-z]+:|/", target)
        assert (folder / target).exists(), target
        if not target.startswith("../"):
            assert (folder / target).is_relative_to(folder)
    shown = re.findall(r'src="([^"]*)"', page)
    assert not [s for s in shown if s.startswith("../")]  # the folder alone is enough to look at
    assert sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) < 15e6


def test_every_claim_has_its_verdicts_by_word_symbol_and_colour(whole):
    page, folder = whole
    claims = read_json(folder.parent / "audit" / "claims.json")["papers"][0]["claims"]
    for claim in claims:
        block = page.split(f'id="claim-esdnet-{claim["id"]}"')[1].split("</summary>")[0]
        for word in {v["verdict"] for v in claim["verdicts"]}:
            symbol, meaning = verdict_list.SYMBOLS[word], Outcome(word).meaning
            style = word.replace(" ", "-")
            chip = f'<span class="chip {style}" title="{meaning}">'
            assert f'{chip}<span aria-hidden="true">{symbol}</span> {word}' in block
    energy = page.split('id="claim-esdnet-energy-54"')[1].split("</summary>")[0]
    lines = re.findall(
        r'class="reading"[^>]*>\(([^<]*)\)</span> <span class="chip ([^"]*)"', energy
    )
    [claim] = [claim for claim in claims if claim["id"] == "energy-54"]
    found = {(letter, word) for letters, word in lines for letter in letters.split(", ")}
    assert found == {
        (re.match(r"scenario \((\w)\)", v["reading"])[1], v["verdict"].replace(" ", "-"))
        for v in claim["verdicts"]
    }
    assert {letter for letter, _ in found} == set(scenarios())
    assert len(lines) == len({word for _, word in found}) > 1


def test_the_page_opens_with_a_bar_per_branch_and_what_each_missing_claim_takes(made):
    page, folder = made("audit", "figures", "scores", "structure")
    opening = page.split('<section id="verdicts">')[1].split('<div class="claims">')[0]
    papers = read_json(folder.parent / "audit" / "coverage.json")["papers"]
    assert [paper["paper"] for paper in papers] == paper_names()
    bars = opening.split('<section aria-label="Coverage of ')[1:]
    for paper, section in zip(papers, bars, strict=True):
        for branch in paper["branches"]:
            bar = section.split(f">{branch['branch'].capitalize()}</span>")[1].split("</div>")[0]
            assert bar.count("<a class=") == branch["claims"]
            assert f'href="#claim-{paper["paper"]}-' in bar
            assert f">{branch['decided']} of {branch['claims']}</span>" in bar
        assert f"{paper['decided']} of {paper['claims']} claims decided" in section
    anchors = set(re.findall(r' id="([^"]*)"', page))
    assert set(re.findall(r'href="#(claim-[^"]*)"', opening)) <= anchors
    takes = opening.split('<details class="takes">')[1].split("</details>")[0]
    assert "3 seeds of the network on Rain200H (1,800 pairs), 450,000 training steps" in takes
    assert "No configuration settles it" in takes


def verdict(reading, word, measured, low=None, high=None):
    return {"reading": reading, "verdict": word, "measured": measured, "low": low, "high": high,
            "reason": f"because {measured}"}  # fmt: skip


def test_readings_that_agree_are_one_line_and_others_are_not():
    claim = {"test": "energy-saving", "unit": "share of the baseline's energy"}
    verdicts = [
        verdict("scenario (a): one, against X", "contradicted", 0.1, 0.05, 0.15),
        verdict("scenario (a): one, against Y", "contradicted", 0.2, 0.15, 0.25),
        verdict("scenario (b): two, against X", "reproduced", 0.54, 0.53, 0.55),
        verdict("scenario (b): two, against Y", "contradicted", -0.2, -0.3, -0.1),
    ]
    lines = list(verdict_list._lines(claim | {"verdicts": verdicts}))
    assert [(x.label, x.verdict, x.count, x.measured) for x in lines] == [
        ("(a)", "contradicted", 2, "10 % to 20 %"),
        ("(b)", "reproduced", 1, "54 % [53 %, 55 %]"),
        ("(b)", "contradicted", 1, "−20 % [−30 %, −10 %]"),
    ]
    words = ("contradicted", "reproduced", "contradicted", "deviates", "reproduced", "reproduced")
    more = [
        verdict(f"scenario ({x}): {x * 2}, against X", word, 0.5)
        for x, word in zip("abcdef", words, strict=True)
    ]
    found = [
        (x.label, x.verdict, x.count, x.reason)
        for x in verdict_list._lines(claim | {"verdicts": more})
    ]
    assert found == [  # more lines than fit: by verdict, which still says of which scenarios
        ("(a, c)", "contradicted", 2, "aa: because 0.5"),
        ("(b, e, f)", "reproduced", 3, "bb: because 0.5"),
        ("(d)", "deviates", 1, "dd: because 0.5"),
    ]
    many = [verdict(f"set {i}", "deviates", float(i)) for i in range(9)]
    [line] = verdict_list._lines({"test": "score", "unit": "dB", "verdicts": many})
    assert (line.label, line.count, line.measured) == ("", 9, "0 dB to 8 dB")


def test_only_scores_give_their_tables_and_a_list_of_all_else(made):
    page, _ = made("scores")
    listed = lacks(page)
    for file in ("audit/claims.json", "energy/esdnet/seed-1234/energy.json", "scenarios/energy.csv",
                 "figures/pareto.svg", "data/synthetic-heavy/dataset.json", "papers/esdnet/paper.json"):  # fmt: skip
        [line] = [x for x in listed if x.startswith(f"missing: {file}")]
        assert "made by `derainbench " in line
        assert line in page.split("</details>", 1)[1]  # and in its place
    assert "ESDNet (tiny)" in page.split('id="quality"')[1].split("</section>")[0]
    assert 'id="compare-data"' in page and 'id="pareto-data"' in page


def test_without_energy_the_scores_stay(made):
    page, _ = made(without=("energy", "scenarios"))
    counted = len(list((REFERENCE / "energy").glob("*/*/energy.json")))
    line = f"missing: energy/esdnet/seed-1234/energy.json and {counted - 1} more"
    assert any(x.startswith(line) for x in lacks(page))
    assert 'id="energy-data"' not in page
    assert "<table" in page.split('id="quality"')[1].split("</section>")[0]
    assert "<table" not in page.split('id="complexity"')[1].split("</section>")[0]


def test_without_rated_photographs_the_page_says_so(made):
    page, _ = made(without=("rated",))
    section = page.split('id="realrain"')[1].split("</section>")[0]
    assert "missing: rated/esdnet/seed-1234/photographs.csv" in section and "Empty" not in section
    assert (
        "missing: rated/esdnet/seed-1234/photographs.csv; made by `derainbench no-reference`"
        in lacks(page)
    )
    assert "photographs-0-input.webp" not in page


def test_one_run_without_scores_leaves_the_others(made):
    page, _ = made(without=("scores/nafnet",))
    quality = page.split('id="quality"')[1].split("</section>")[0]
    assert "PReNet_r" in quality and "NAFNet" not in quality
    file = "scores/nafnet/seed-1234/synthetic-heavy/per_image.csv"
    assert f"missing: {file}; made by `derainbench evaluate`" in lacks(page)


def test_limits_are_told(whole):
    page, _ = whole
    assert any(x.startswith("one seed only") for x in lacks(page))


def test_tables_name_the_files_that_they_were_computed_from(whole):
    page, _ = whole
    savings = page.split('id="savings"')[1].split("</section>")[0]
    assert "Computed from" in savings and "scenarios/savings.csv" in savings
    quality = page.split('id="quality"')[1].split("</section>")[0]
    for run in ("esdnet", "nafnet"):
        assert f"scores/{run}/seed-1234/synthetic-heavy/per_image.csv" in quality
    assert re.search(r"commit <code>[0-9a-f]{12}", quality)
    assert "derainbench tables" in quality


def test_the_papers_artefacts_are_shown_or_their_reason(whole):
    page, folder = whole
    section = page.split('<section id="paper-esdnet"')[1].split('<section id="quality-section">')[0]
    assert "x | y" in section and "missing: nothing was rated" in section
    assert "Table 1: Scores" in section and "Fig. 1: Pareto" in section
    assert (folder / "assets" / "esdnet-figure-1.svg").is_file()  # it has no PNG


def test_a_markdown_table_is_read_cell_by_cell(tmp_path):
    frame = pd.DataFrame({"a": ["1", "x|y"], "b": ["", "2"]})
    file = tmp_path / "t.md"
    file.write_text(
        "Text | with a bar.\n\n"
        + frame.map(lambda c: c.replace("|", "\\|")).to_markdown(index=False)
    )
    pd.testing.assert_frame_equal(paper_artefacts.read_markdown(file), frame, check_dtype=False)


def test_scores_of_a_seed_that_is_missing_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path, ("scores",))
    train = config.runs["esdnet"].train.model_copy(update={"seeds": [1234, 7]})
    runs = dict(config.runs) | {"esdnet": config.runs["esdnet"].model_copy(update={"train": train})}
    scored, absent = gaps.scored(config.model_copy(update={"runs": runs}))
    assert scored.runs["esdnet"].train.seeds == [1234]
    base = "results/smoke"
    assert [f.as_posix() for f in absent] == [
        f"{base}/scores/esdnet/seed-7/synthetic-heavy/per_image.csv",
        f"{base}/scores/esdnet/seed-7/Rain200H/per_image.csv",
        f"{base}/rated/esdnet/seed-7/photographs.csv",
    ]


def test_energies_of_quantised_counterparts_come_from_the_savings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = results(tmp_path, ("scenarios",))
    full = energy_explorer.energy(config)["networks"][0]
    assert (full["title"], full["claimed"]) == ("ESDNet", 0.54)
    saved = pd.read_csv("results/smoke/scenarios/savings.csv")
    of_network = saved[(saved["source"] == "structure") & (saved["name"] == "esdnet")]
    rows = of_network[of_network["baseline_bits"].notna()]
    assert full["id"] == "structure:esdnet" and len(rows)
    for row in rows.itertuples():
        key = option_key(row.scenario, row.reuse, row.zero_skipping)
        [baseline] = [b for b in full["baselines"] if b["title"] == row.baseline_title]
        fixed, slope = full["prices"][row.costs][key]
        energy = baseline["energies"][row.costs][key]
        assert fixed / energy == pytest.approx(row.fixed_share, rel=1e-7, abs=1e-12)
        if row.break_even_rate == row.break_even_rate:
            assert (energy - fixed) / slope == pytest.approx(row.break_even_rate, rel=1e-7)


def test_the_page_says_of_every_test_what_it_does():
    assert verdict_list.HOW.keys() == TESTS.keys()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8896, "88.96 %"), (0.54, "54 %"), (-1.5246, "−152.5 %"), (0.0002, "0.02 %")],
)
def test_shares_keep_the_digits_that_were_published(value, text):
    assert verdict_list.value_text(value, "share of the other network's FLOPs") == text
