"""The page of findings says what results and catalogue say, in two pages."""

import json
import re
import sys

import pandas as pd
import pytest
from helpers import ROOT, one_line

sys.path.insert(0, str(ROOT / "benchmarks"))
import findings

from derainbench.catalog.experience import Experience, read_experience
from derainbench.catalog.papers import paper_names
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import check
from derainbench.results.layout import Layout

WORDS_ON_TWO_PAGES = 950


@pytest.fixture(scope="module")
def kept():
    return findings.Findings()


def with_verdicts(kept, verdicts: pd.DataFrame):
    """The same findings with other verdicts."""
    other = findings.Findings()
    other.verdicts = verdicts
    return other


def test_the_page_is_made_from_the_results(kept):
    assert findings.PAGE.read_text("utf-8") == findings.document(kept)


def test_the_picture_is_drawn_from_the_results(kept):
    text = findings.PICTURE.read_text("utf-8")
    assert text.rstrip().endswith(findings.rows_comment(kept.rows()))
    assert text.count("<svg") == 1


def test_it_fits_on_two_pages():
    words = re.findall(r"\w[\w'.,-]*", findings.PAGE.read_text("utf-8"))
    assert len(words) <= WORDS_ON_TWO_PAGES


def test_it_has_the_parts_of_a_reproducibility_summary():
    headings = re.findall(r"^## (.*)$", findings.PAGE.read_text("utf-8"), re.MULTILINE)
    assert headings == [
        "Scope", "Methodology", "Results", "What was easy", "What was difficult",
        "Communication with the authors",
    ]  # fmt: skip


def test_every_claim_has_a_row_with_its_verdicts(kept):
    text = findings._results(kept)
    for claim in kept.paper.ledger.all():
        [row] = [line for line in text.splitlines() if line.startswith(f"| {claim.wording} ")]
        of_claim = kept.verdicts[kept.verdicts["claim"] == claim.id]
        said = row.split("|")[2]
        assert {word for word in Outcome if word in said} == set(of_claim["verdict"]), claim.id


def test_words_and_numbers_follow_the_verdicts(kept):
    table = kept.verdicts.copy()
    table.loc[table["claim"] == "params-0.165M", ["verdict", "measured"]] = ["reproduced", 166000.0]
    other = with_verdicts(kept, table)
    row = next(r for r in findings._results(other).splitlines() if "0.165 M" in r)
    assert "| reproduced " in row and "| 166,000 parameters " in row
    before, after = (
        int(re.search(r"(\d+) \*reproduced\*", findings._tally(f))[1]) for f in (kept, other)
    )
    assert after == before + 1


def test_how_much_is_decided_is_said_where_it_is_known(kept, tmp_path):
    other = findings.Findings()
    other.files = Layout(tmp_path)
    assert findings._coverage(other) == ""
    covered = {"paper": "esdnet", "decided_share": 0.412, "could_be_decided": 7}
    other.files.coverage.parent.mkdir()
    other.files.coverage.write_text(json.dumps({"papers": [covered]}))
    said = findings._coverage(other)
    assert said.startswith("By weight 41 % of the paper are decided; 7 more claims could be")


def test_savings_from_structure_alone_are_called_upper_bounds(kept):
    rows = pd.DataFrame({"measured": [0.25, -0.5], "low": ["", ""]})
    claim = next(c for c in kept.paper.ledger.claims if c.test == "energy-saving")
    assert findings._found(claim, rows) == "at most −50 % to 25 %"
    assert findings._found(claim, rows.assign(low="0.1")) == "−50 % to 25 %"


def test_scenarios_are_named_by_whom_they_compare_with():
    readings = [
        "scenario (a): x, against A",
        "scenario (b): y, against A",
        "scenario (a): x, against B",
    ]
    rows = pd.DataFrame({"reading": readings})
    assert findings._readings(rows, alone=False) == " (scenario a, b against A; a against B)"
    assert (
        findings._readings(pd.DataFrame({"reading": list("abc")}), alone=False) == " (3 readings)"
    )
    assert findings._readings(pd.DataFrame({"reading": ["a", "b"]}), alone=False) == " (a; b)"


def test_what_was_asked_of_the_authors_is_told_apart_from_what_is_open():
    remark = {"text": "Why?", "source": "issue 4"}
    none = Experience.model_validate({"easy": [], "difficult": [], "questions": [remark]})
    said = findings._communication(none)
    assert said.startswith("Nothing has been asked") and "- Why? (issue 4)" in said
    asked = remark | {"asked": "issue 99, 2030-01-01"}
    some = Experience.model_validate({"easy": [], "difficult": [], "questions": [remark, asked]})
    said = findings._communication(some)
    assert said.startswith("Asked:") and "(issue 99, 2030-01-01) No answer yet." in said
    answered = findings._communication(
        Experience.model_validate(
            {"easy": [], "difficult": [], "questions": [asked | {"answer": "Because."}]}
        )
    )
    assert "Because." in answered and "open" not in answered


def test_every_sentence_has_its_source_and_none_a_number_of_results():
    for name in paper_names():
        experience = read_experience(name)
        if experience is None:
            continue
        for remark in (*experience.easy, *experience.difficult, *experience.questions):
            assert remark.source.strip() and remark.text.endswith((".", "?"))
            assert not re.search(r"\d+[.,]\d", remark.text), remark.text
    with pytest.raises(BenchError, match="source") as error:
        check(Experience, {"easy": [{"text": "x"}], "difficult": []}, "findings.yaml")
    one_line(error.value)


def test_every_link_of_the_page_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", findings.PAGE.read_text("utf-8")):
        assert target.startswith("http") or (findings.PAGE.parent / target).exists(), target
