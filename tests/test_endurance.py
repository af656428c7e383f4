"""The document on endurance says what the committed runs found: kills, and a SLURM that interrupts."""

import sys

import pytest
from helpers import ROOT, read_json

sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "benchmarks"))
import ddp
import kills_page
import slurm

pytestmark = pytest.mark.skipif(
    not kills_page.REFERENCE.is_dir(),
    reason="no kill test is kept: make kills KEEP=results/reference/endurance",
)


def test_the_document_shows_the_committed_kill_test():
    for folder in kills_page.kept():
        shown = kills_page.described(folder)
        assert shown in kills_page.DOC.read_text("utf-8"), "python tools/kills_page.py"


def test_the_document_shows_the_committed_comparison_of_processes():
    assert ddp.described(ddp.OUT) in ddp.DOC.read_text("utf-8"), "python benchmarks/ddp.py --doc"


def test_two_processes_differ_from_one_by_rounding_and_not_by_their_norms():
    for found in read_json(ddp.OUT)["networks"].values():
        together, apart = (found["differences"][name] for name in (ddp.TWO, ddp.APART))
        assert together["first_loss"] < 1e-5 < apart["first_loss"]
        assert together["psnr_db"] < apart["psnr_db"]


@pytest.mark.parametrize("folder", kills_page.kept(), ids=lambda folder: folder.name)
def test_no_kill_has_changed_a_result_or_called_for_a_person(folder):
    facts = read_json(folder / "kills.json")
    assert facts["kills"] and facts["compared"]
    for name in ("different", "stuck", "lock_exceptions", "tracebacks", "leftovers"):
        assert not facts.get(name), name


def test_the_document_shows_the_committed_run_through_slurm():
    assert slurm.described() in slurm.DOC.read_text("utf-8"), "python benchmarks/slurm.py --doc"


def test_interrupted_trainings_lost_nothing():
    facts = read_json(slurm.OUT)
    assert facts["slurm"]["same_weights"] and facts["slurm"]["same_histories"]
    trainings = facts["slurm"]["trainings"].values()
    assert [job["state"] for job in trainings].count("COMPLETED") == len(slurm.SEEDS)
    assert any(int(job["restarts"]) for job in trainings)
    assert all(epochs > 0 for epochs in facts["slurm"]["resumed_after_epochs"]["preempted"])
    assert facts["plan"]["jobs"] > 1000
