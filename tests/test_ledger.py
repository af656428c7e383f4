"""The papers of the catalogue are checked when they are read; mistakes are named in one line."""

import shutil
from typing import get_args

import pytest
import yaml
from helpers import one_line

from derainbench.audit.verdicts import TESTS
from derainbench.catalog import claim_kinds, files
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.ledger import Ledger
from derainbench.catalog.papers import ablated_parts, called, paper_names
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import check

CLAIM = {"id": "x", "wording": "w", "source": "s", "kind": "abstract", "test": "schedule"}


@pytest.fixture
def paper_of(tmp_path, monkeypatch):
    """Writes a paper into a copy of the catalogue; gives its name."""
    shutil.copytree(files.CATALOG, tmp_path / "catalog")
    monkeypatch.setattr(files, "CATALOG", tmp_path / "catalog")

    def write(claims: list[dict], **facts: object) -> str:
        folder = tmp_path / "catalog" / "papers" / "invented"
        folder.mkdir()
        facts = {"network": "esdnet", "method": "Invented"} | facts
        (folder / "paper.yaml").write_text(yaml.safe_dump(facts))
        (folder / "claims.yaml").write_text(yaml.safe_dump({"claims": claims}))
        return folder.name

    return write


def refused(**changes) -> str:
    with pytest.raises(BenchError) as error:
        check(Ledger, {"claims": [CLAIM | changes]}, "x.yaml")
    return one_line(error.value)


def test_the_ledger_of_the_first_paper_names_every_known_claim():
    paper = read_audited_paper("esdnet")
    assert {c.id for c in paper.ledger.claims} == {
        "energy-54", "params-0.165M", "comparable", "rain200h-psnr-main", "rain200h-psnr-ablation",
        "rain200h-30-against-29",
        "rain200l-retrained", "direct-training", "rain-spikes", "mau-helps",
    }  # fmt: skip
    assert {c.id for c in paper.ledger.findings} == {
        "analog-share", "analog-against-counterpart", "zero-first-epoch", "selection-on-test",
        "no-released-library",
    }  # fmt: skip
    assert paper.networks == ("esdnet", "esdnet-ann")
    assert paper.claimed_saving == 0.54


def test_every_test_of_a_ledger_can_be_run():
    assert set(TESTS) == set(claim_kinds.TESTS) == set(get_args(claim_kinds.TestName))


def test_a_verdict_is_one_of_five_words():
    words = ["reproduced", "deviates", "contradicted", "undecided", "not testable here"]
    assert [str(outcome) for outcome in Outcome] == words
    assert all(outcome.meaning for outcome in Outcome)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rumour"}, "x.yaml: claims.0.kind: Input should be 'abstract'"),
        ({"test": "guess"}, "x.yaml: claims.0.test: Input should be 'parameters'"),
        ({"test": "score", "published": 30}, "test 'score' needs 'dataset'"),
        ({"test": "score", "dataset": "Rain12"}, "test 'score' needs 'published'"),
        ({"test": "ablation"}, "test 'ablation' needs 'without'"),
        (
            {"test": "comparable"},
            "test 'comparable' takes trained networks: 'speaks' without smoke",
        ),
        ({"test": "analog-macs"}, "test 'analog-macs' needs 'published'"),
        ({"speaks": ["real"]}, "x.yaml: claims.0.speaks.0: Input should be 'smoke'"),
        ({"branch": "speed"}, "x.yaml: claims.0.branch: Input should be 'accuracy'"),
        ({"weight": 0}, "x.yaml: claims.0.weight: Input should be greater than 0"),
        ({"tolerence": 1}, "x.yaml: claims.0.tolerence: unknown key (did you mean 'tolerance'?)"),
    ],
)
def test_mistakes_in_a_ledger_are_named(changes, message):
    assert message in refused(**changes)


def test_ids_are_unique():
    with pytest.raises(BenchError, match="two claims have the id 'x'"):
        check(Ledger, {"claims": [CLAIM, CLAIM]}, "x.yaml")


def test_a_claim_belongs_to_a_branch_and_weighs_one_unless_it_says_otherwise():
    claims = [CLAIM, CLAIM | {"id": "y", "branch": "mechanism", "weight": 2}]
    first, second = check(Ledger, {"claims": claims}, "x.yaml").claims
    assert (first.branch, first.weight) == ("code", 1)  # of its test
    assert (second.branch, second.weight) == ("mechanism", 2)
    assert {test.branch for test in claim_kinds.TESTS.values()} == set(claim_kinds.BRANCHES)


def test_shares_multiply_along_the_tree():
    """Code weighs 3 of 4, and its two claims 1 and 2; accuracy 1 of 4; empty branches nothing."""
    claims = [
        CLAIM,
        CLAIM | {"id": "y", "weight": 2},
        CLAIM | {"id": "z", "branch": "accuracy", "weight": 7},
    ]
    tree = {"claims": claims, "weights": {"code": 3, "mechanism": 9}}
    shares = check(Ledger, tree, "x.yaml").shares()
    assert shares == pytest.approx({"x": 3 / 4 / 3, "y": 3 / 4 * 2 / 3, "z": 1 / 4})
    assert sum(shares.values()) == pytest.approx(1)


def test_the_tree_of_the_first_paper_has_four_branches_of_equal_weight():
    own = read_audited_paper("esdnet").ledger
    shares = own.shares()
    assert list(own.branches()) == ["accuracy", "energy", "mechanism", "code"]
    for claims in own.branches().values():
        assert sum(shares[claim.id] for claim in claims) == pytest.approx(1 / 4)
    assert shares["energy-54"] == pytest.approx(3 / 5 / 4)
    assert shares["analog-share"] == pytest.approx(0.5 / 5 / 4)


@pytest.mark.parametrize(
    ("claim", "facts", "message"),
    [
        ({"test": "analog-ratio", "published": 1}, {}, "test 'analog-ratio' needs 'counterpart'"),
        ({}, {"network": "esdnot"}, "unknown model 'esdnot' (did you mean 'esdnet'?)"),
        ({}, {"baselines": ["prenot"]}, "unknown model 'prenot' (did you mean 'prenet'?)"),
        (
            {},
            {
                "artefacts": {"table-1": {"kind": "scores", "title": "t"}},
                "cells": [{"artefact": "table-1", "claim": "y"}],
            },
            "no claim 'y'",
        ),
        ({}, {"cells": [{"artefact": "table-1", "claim": "x"}]}, "no artefact 'table-1'"),
        (
            {},
            {"artefacts": {"figure-1": {"kind": "scores", "title": "t"}}},
            "figure-1: a scores is called table-N",
        ),
        ({}, {"sets": ["Rain12"]}, "invented/paper.yaml: sets: unknown key"),
    ],
)
def test_mistakes_in_a_paper_are_named(paper_of, claim, facts, message):
    name = paper_of([CLAIM | claim], **facts)
    with pytest.raises(BenchError) as error:
        read_audited_paper(name)
    assert message in one_line(error.value) and "invented/paper.yaml" in str(error.value)


def test_a_paper_needs_neither_artefacts_nor_a_counterpart(paper_of):
    paper = read_audited_paper(paper_of([CLAIM]))
    assert paper.networks == ("esdnet",)
    assert (paper.claimed_saving, paper.artefacts, paper.known_cells("table-1")) == (None, {}, [])
    assert {"esdnet", "invented"} <= set(paper_names())


def test_an_unknown_paper_is_refused_with_a_suggestion():
    with pytest.raises(BenchError, match=r"unknown paper 'esdnot' \(did you mean 'esdnet'\?\)"):
        read_audited_paper("esdnot")


def test_artefacts_are_called_as_papers_call_them():
    assert [called(name) for name in ("table-1", "figure-12")] == ["Table 1", "Fig. 12"]


def test_the_parts_that_ablations_vary_are_those_of_the_networks_paper():
    parts = ["MAU", "FRB", "shortcut", "normalisation", "time steps", "threshold"]
    assert ablated_parts("esdnet") == parts
    assert ablated_parts("prenet") == []


@pytest.mark.parametrize(
    ("relative", "measured", "meets"),
    [(False, 105, True), (False, 105.1, False), (True, 600, True), (True, 601, False)],
)
def test_a_tolerance_is_absolute_or_a_share(relative, measured, meets):
    numbers = {"published": 100, "tolerance": 5, "relative": relative}
    claim = check(Ledger, {"claims": [CLAIM | numbers]}, "x.yaml").claims[0]
    assert claim.within(measured) is meets
