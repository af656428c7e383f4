"""The document on endurance says what the committed kill test found."""

import sys

import pytest
from helpers import ROOT, read_json

sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "benchmarks"))
import ddp
import killtest

pytestmark = pytest.mark.skipif(
    not killtest.REFERENCE.is_dir(),
    reason="no kill test is kept: make kills KEEP=results/reference/endurance",
)


def test_the_document_shows_the_committed_kill_test():
    shown = killtest.described(killtest.REFERENCE)
    assert shown in killtest.DOC.read_text("utf-8"), "python tools/killtest.py --doc"


def test_the_document_shows_the_committed_comparison_of_processes():
    assert ddp.described(ddp.OUT) in ddp.DOC.read_text("utf-8"), "python benchmarks/ddp.py --doc"


def test_two_processes_differ_from_one_by_rounding_and_not_by_their_norms():
    for found in read_json(ddp.OUT)["networks"].values():
        together, apart = (found["differences"][name] for name in (ddp.TWO, ddp.APART))
        assert together["first_loss"] < 1e-5 < apart["first_loss"]
        assert together["psnr_db"] < apart["psnr_db"]


def test_no_kill_has_changed_a_result_or_called_for_a_person():
    facts = read_json(killtest.REFERENCE / "kills.json")
    assert facts["kills"] and facts["compared"]
    for name in ("different", "stuck", "lock_exceptions", "tracebacks", "leftovers"):
        assert not facts.get(name), name
