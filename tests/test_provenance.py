"""Beside every result lies a record of what made it."""

import shutil
import subprocess

from helpers import ROOT, read_json

from derainbench import __version__
from derainbench.foundation import provenance


def test_a_record_says_what_where_and_when(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/anywhere/derainbench/__main__.py", "score", "--out", "a b"])
    provenance.write_record(
        tmp_path / "a.csv", inputs={"data": "abc"}, settings={"lr": 1}, device="cpu", seed=3
    )
    record = read_json(tmp_path / "a.csv.provenance.json")
    assert record["derainbench"] == __version__
    assert (record["inputs"], record["settings"]) == ({"data": "abc"}, {"lr": 1})
    assert (record["device"], record["seed"]) == ("cpu", 3)
    assert record["machine"]["cores"] >= 1 and record["machine"]["processor"]
    assert all(record["packages"][name] for name in provenance.PACKAGES)
    assert record["command"] == "derainbench score --out 'a b'"
    assert record["time"].endswith("+00:00")


def test_the_code_is_identified_by_commit_and_digest():
    version = provenance.code_version.__wrapped__()
    assert len(version["source_sha256"]) == 64
    if (ROOT / ".git").exists():
        head = subprocess.run(
            ["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        assert version["commit"] == head.stdout.strip()


def test_without_git_the_digest_remains(monkeypatch, tmp_path):
    version = provenance.code_version.__wrapped__()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.code_version.__wrapped__() == {
        "source_sha256": version["source_sha256"],
        "commit": None,
        "modified": None,
    }


def test_a_copy_inside_another_repository_does_not_take_its_commit(monkeypatch, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a stranger's"]):
        subprocess.run([*git, *arguments], check=True)
    inside = tmp_path / "copy"
    shutil.copytree(ROOT / "esdnet", inside / "esdnet")
    monkeypatch.setattr(provenance, "ROOT", inside)
    monkeypatch.setattr(provenance, "own_packages", lambda: ("esdnet",))
    version = provenance.code_version.__wrapped__()
    assert (version["commit"], version["modified"]) == (None, None)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert len(provenance.code_version.__wrapped__()["commit"]) == 40


def test_a_key_follows_content_and_not_order():
    key = provenance.key_of({"a": 1, "b": [2, 3]})
    assert len(key) == 16
    assert key == provenance.key_of({"b": [2, 3], "a": 1})
    assert key != provenance.key_of({"a": 1, "b": [3, 2]})
