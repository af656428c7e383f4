"""How much of a paper is decided and what the rest takes: cases that can be counted by hand."""

import pandas as pd
import pytest
from helpers import read_json
from judging import SMALL, TRAIN, Results

from derainbench.audit.case import Verdict
from derainbench.audit.coverage import State, coverage, document, state_of, summary
from derainbench.audit.verdicts import write
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.claim_kinds import TESTS
from derainbench.catalog.verdicts import Outcome
from derainbench.report.page import coverage_bars
from derainbench.report.tables.coverage import coverage as coverage_table
from derainbench.report.tables.coverage import sentence
from derainbench.results.layout import layout_of
from derainbench.workflow.verdict_summary import verdict_summary

PAPER = read_audited_paper("esdnet")
WORDS = {"r": Outcome.REPRODUCED, "d": Outcome.DEVIATES, "c": Outcome.CONTRADICTED,
         "u": Outcome.UNDECIDED, "n": Outcome.NOT_TESTABLE}  # fmt: skip


def readings(claim: str, letters: str, more: int | None = None) -> list[Verdict]:
    """One verdict per letter; a capital is of a scaled-down network."""
    return [
        Verdict(claim, WORDS[x.lower()], "why", scaled_down=x.isupper(), more_seeds=more)
        for x in letters
    ]


@pytest.mark.parametrize(
    ("letters", "state"),
    [
        ("r", State.DECIDED),
        ("rdc", State.DECIDED),
        ("rR", State.SCALED_DOWN),
        ("D", State.SCALED_DOWN),
        ("ru", State.PARTLY),
        ("Rn", State.PARTLY),
        ("u", State.OPEN),
        ("un", State.OPEN),
        ("", State.OPEN),
    ],
)
def test_a_claim_is_decided_if_every_reading_is(letters, state):
    assert state_of(readings("x", letters)) == state


def judged(**letters: str) -> list[Verdict]:
    """Verdicts on all claims: those named, by ids with _ for -, and "not testable" on the others."""
    named = {key.replace("_", "-"): value for key, value in letters.items()}
    return [v for c in PAPER.ledger.all() for v in readings(c.id, named.get(c.id, "n"))]


def test_counts_and_shares_follow_the_tree():
    verdicts = judged(energy_54="rcnn", direct_training="r", rain_spikes="R", mau_helps="u")
    found = document(PAPER, verdicts, "study")
    assert (found["claims"], found["decided"], found["scaled_down"]) == (15, 1, 1)
    assert (found["partly"], found["open"]) == (1, 12)
    # Two explain other claims: no configuration decides them. One is decided.
    assert found["could_be_decided"] == 15 - 1 - 2
    # Branches weigh a quarter each; energy-54 is 3 of 5 of its own, half of its readings decided.
    assert found["decided_share"] == pytest.approx(0.25 * 3 / 5 / 2 + 0.25 / 3, abs=1e-6)
    energy, mechanism = found["branches"][1:3]
    assert (energy["branch"], energy["decided_share"]) == ("energy", pytest.approx(0.3))
    assert (mechanism["claims"], mechanism["decided"]) == (3, 1)
    assert mechanism["decided_share"] == pytest.approx(1 / 3, abs=1e-6)
    assert sum(b["share"] for b in found["branches"]) == pytest.approx(1)
    assert sentence(found) == (
        "1 of 15 claims decided (16 % by weight), 1 in part, 1 on scaled-down networks alone; "
        "12 could still be"
    )


def test_everything_decided_leaves_nothing_to_do():
    everything = {c.id: "r" for c in PAPER.ledger.all()}
    verdicts = [v for claim, letters in everything.items() for v in readings(claim, letters)]
    claims = coverage(PAPER, verdicts, "paper")
    assert all(claim.need is None for claim in claims)
    counts = summary(claims)
    assert (counts["decided_share"], counts["could_be_decided"]) == (1, 0)


def needs(label="smoke", seconds=None, **letters: str):
    claims = coverage(PAPER, judged(**letters), label, seconds)
    return {claim.claim: claim.need for claim in claims}


def test_a_missing_score_takes_the_papers_training_on_its_set():
    need = needs()["rain200h-psnr-main"]
    assert (need.configuration, need.networks, need.more_seeds) == ("paper", 1, 3)
    assert (need.dataset, need.training_images, need.test_images) == ("Rain200H", 1800, 200)
    # 1000 epochs of 1800 / 12 = 150 steps, three times.
    assert (need.training_steps, need.gpu_hours, need.data_gb) == (450_000, None, 4)
    assert need.takes == (
        "a paper configuration: 3 seeds of the network on Rain200H (1,800 pairs), 450,000 training "
        "steps; Rain200H whole (its 200 test images; at most 4 GB unpacked)"
    )


def test_claims_on_two_networks_take_both_trainings():
    found = needs()
    for claim, beside in (
        ("comparable", "the network and an ANN"),
        ("energy-54", "the network and its ANN counterpart"),
        ("mau-helps", "the network and itself without the part"),
    ):
        need = found[claim]
        assert (need.networks, need.training_steps) == (2, 900_000)
        assert f"3 seeds each of {beside} on Rain200L" in need.takes


def test_gpu_hours_stand_where_a_step_was_measured():
    need = needs(seconds=0.08)["rain200l-retrained"]
    assert need.gpu_hours == pytest.approx(450_000 * 0.08 / 3600)
    assert "about 10 GPU hours" in need.takes and "steps" not in need.takes


def test_what_explains_and_what_needs_no_training_say_so():
    found = needs()
    for claim in ("rain200h-30-against-29", "selection-on-test"):
        assert found[claim].takes.startswith("no configuration settles it")
    assert {c.test for c in PAPER.ledger.all() if found[c.id].takes.startswith("no config")} == set(
        name for name, test in TESTS.items() if test.explains
    )
    assert found["analog-share"].takes == "no training: why"
    assert found["analog-share"].configuration == "smoke"


@pytest.mark.parametrize(
    ("letters", "more", "seeds"),
    [("u", 4, 4), ("u", None, 0), ("U", 4, 3), ("n", None, 3)],
    ids=["further seeds", "images are missing", "of a small network", "nothing yet"],
)
def test_seeds_that_are_there_count_if_they_are_the_papers(letters, more, seeds):
    verdicts = readings("rain200h-psnr-main", letters, more)
    [need] = [c.need for c in coverage(PAPER, verdicts, "paper") if c.claim == verdicts[0].claim]
    assert (need.more_seeds, need.training_steps) == (seeds, seeds * 150_000)
    assert ("seed" in need.takes) == bool(seeds) and "Rain200H whole" in need.takes


@pytest.fixture
def audited(tmp_path, monkeypatch):
    """A configuration whose verdicts are written: one seed of a small network was scored."""
    monkeypatch.chdir(tmp_path)
    results = Results(tmp_path)
    baseline = {"model": "prn_r", "train": TRAIN, "test": ["rain"]}
    every_paper = results.config("study", SMALL, good=baseline)
    config = every_paper.model_copy(update={"papers": ["esdnet"]})
    results.scores("own", [30, 31, 33])
    results.scores("good", [30, 31, 32.5])
    results.write("structure/models.csv", [{"model": "esdnet", "parameters": 12_811_463}])
    write(config, layout_of(config).audit)
    return config


def test_the_files_table_page_and_summary_say_the_same(audited):
    kept = read_json(layout_of(audited).coverage)
    assert (kept["configuration"], kept["label"]) == ("tiny", "study")
    [paper] = kept["papers"]
    assert (paper["decided"], paper["open"]) == (2, 13)  # parameters, and the schedule
    table = coverage_table(audited)
    assert table.frame["claim"].tolist() == [  # branch by branch
        c.id for claims in PAPER.ledger.branches().values() for c in claims
    ]
    assert table.frame["share"].sum() == pytest.approx(1, abs=1e-4)
    assert len(table.view) == 15 and "2 of 15 claims decided" in table.caption
    params = table.frame.set_index("claim").loc["params-0.165M"]
    assert (params["state"], params["takes"]) == ("decided", "")
    [bars] = coverage_bars.paper_coverage(audited)
    assert [b.count for b in bars.branches] == ["0 of 5", "1 of 4", "0 of 3", "1 of 3"]
    accuracy = bars.branches[0].segments
    assert sum(s.weight for s in accuracy) == pytest.approx(100, abs=0.5)
    assert {s.claim: s.style for s in accuracy}["rain200h-30-against-29"] == "beyond"
    assert sum(len(claims) for _, claims in bars.missing) == 13
    lines = verdict_summary(layout_of(audited).page, layout_of(audited).claims)
    assert lines[-1] == (
        "Decided of esdnet: 2 of 15 claims, 13% by weight; 11 more could be: tables/coverage.md"
    )


def test_the_claims_say_how_many_seeds_are_missing_and_of_what_size_the_network_is(audited):
    claims = pd.read_csv(layout_of(audited).claims).set_index("claim")
    found = claims.loc["comparable"]
    assert (found["verdict"], found["more_seeds"], found["scaled_down"]) == ("undecided", 2, True)
    assert found["branch"] == "accuracy"
