"""The claims of a paper are checked when they are read; mistakes are named in one line."""

import pytest
from helpers import one_line

from derainbench.audit import ledger
from derainbench.audit.ledger import Ledger
from derainbench.audit.verdicts import TESTS
from derainbench.errors import BenchError
from derainbench.settings import check

CLAIM = {"id": "x", "wording": "w", "source": "s", "kind": "abstract", "test": "schedule"}


def refused(**changes) -> str:
    with pytest.raises(BenchError) as error:
        check(Ledger, {"model": "esdnet", "claims": [CLAIM | changes]}, "x.yaml")
    return one_line(error.value)


def test_the_ledger_of_the_paper_names_every_known_claim():
    book = ledger.load("esdnet")
    assert {c.id for c in book.claims} == {
        "energy-54", "params-0.165M", "comparable", "rain200h-psnr-main", "rain200h-psnr-ablation",
        "rain200h-30-against-29",
        "rain200l-retrained", "direct-training", "rain-spikes", "mau-helps",
    }  # fmt: skip
    assert {c.id for c in book.findings} == {
        "analog-share", "analog-against-twin", "zero-first-epoch", "selection-on-test",
        "no-released-library",
    }  # fmt: skip
    assert (book.model, book.twin) == ("esdnet", "esdnet-ann")


def test_every_test_of_a_ledger_can_be_run():
    assert set(TESTS) == set(ledger.TESTS)


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
        (
            {"test": "analog-ratio", "published": 1},
            "claim 'x': test 'analog-ratio' needs 'twin'",
        ),
        ({"speaks": ["real"]}, "x.yaml: claims.0.speaks.0: Input should be 'smoke'"),
        ({"tolerence": 1}, "x.yaml: claims.0.tolerence: unknown key (did you mean 'tolerance'?)"),
    ],
)
def test_mistakes_are_named(changes, message):
    assert message in refused(**changes)


def test_ids_are_unique_and_models_known():
    with pytest.raises(BenchError, match="two claims have the id 'x'"):
        check(Ledger, {"model": "esdnet", "claims": [CLAIM, CLAIM]}, "x.yaml")
    with pytest.raises(BenchError, match=r"unknown model 'esdnot'.*'esdnet'"):
        check(Ledger, {"model": "esdnot", "claims": [CLAIM]}, "x.yaml")
    with pytest.raises(BenchError, match="no ledger 'nobody'; there are: esdnet"):
        ledger.load("nobody")


@pytest.mark.parametrize(
    ("relative", "measured", "meets"),
    [(False, 105, True), (False, 105.1, False), (True, 600, True), (True, 601, False)],
)
def test_a_tolerance_is_absolute_or_a_share(relative, measured, meets):
    book = {"published": 100, "tolerance": 5, "relative": relative}
    found = check(Ledger, {"model": "esdnet", "claims": [CLAIM | book]}, "x.yaml").claims[0]
    assert found.within(measured) is meets
