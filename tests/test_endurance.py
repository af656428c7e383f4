"""The document on endurance says what the committed kill test found."""

import sys

import pytest
from helpers import ROOT, read_json

sys.path.insert(0, str(ROOT / "tools"))
import killtest

pytestmark = pytest.mark.skipif(
    not killtest.REFERENCE.is_dir(),
    reason="no kill test is kept: make kills KEEP=results/reference/endurance",
)


def test_the_document_shows_the_committed_kill_test():
    shown = killtest.described(killtest.REFERENCE)
    assert shown in killtest.DOC.read_text("utf-8"), "python tools/killtest.py --doc"


def test_no_kill_has_changed_a_result_or_called_for_a_person():
    facts = read_json(killtest.REFERENCE / "kills.json")
    assert facts["kills"] and facts["compared"]
    for name in ("different", "stuck", "lock_exceptions", "tracebacks", "leftovers"):
        assert not facts.get(name), name
