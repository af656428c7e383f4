"""A paper joins by its own files and configurations: without them everything else works as before."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from helpers import ROOT, read_json

sys.path.insert(0, str(ROOT / "tools"))
from joining import brought_files, configurations_with, listing

from derainbench.catalog.papers import paper_names, read_paper

JOINED = "spikerain"  # the last one that joined
REFERENCE = ROOT / "results" / "reference" / "smoke"
TOUR = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# Imports the whole harness, names papers and models, validates a model and audits the results.
WITHOUT = """
import importlib, json, pkgutil, sys
from pathlib import Path
import derainbench
assert Path(derainbench.__file__).is_relative_to(Path.cwd()), derainbench.__file__
found = {"modules": [m.name for m in pkgutil.walk_packages(derainbench.__path__, "derainbench.")]}
for name in found["modules"]:
    if name != "derainbench.__main__":
        importlib.import_module(name)
from derainbench.audit.verdicts import write
from derainbench.catalog.model_cards import all_cards
from derainbench.catalog.papers import paper_names
from derainbench.config.schema import parse
from derainbench.energy.conformance.validation import validate
found["papers"], found["models"] = paper_names(), list(all_cards())
settings = json.loads(Path("config.json").read_text())
config = parse(settings, "without")
found["judged"] = sorted(set(write(config, Path(config.results) / "audit")["paper"]))
found["broken"] = [r.check for r in validate("ddn", {"mid_channels": 4, "num_blocks": 2}) if r.result == "fails"]
print(json.dumps(found))
"""


def settings_without(paper: str) -> dict:
    """The configuration of the reference without the runs of a paper's networks."""
    values = read_json(REFERENCE / "config.json")
    networks = read_paper(paper).networks
    values["runs"] = {n: r for n, r in values["runs"].items() if r["model"] not in networks}
    return values


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """What is found in a copy of this project from which the paper's files were taken away."""
    copy = tmp_path_factory.mktemp("without")
    for package in ("derainbench", "esdnet", "baselines"):
        shutil.copytree(
            ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in brought_files(JOINED):
        (copy / file).unlink()
    values = settings_without(JOINED)
    shutil.copytree(REFERENCE, copy / "results" / values["name"])
    (copy / "config.json").write_text(json.dumps(values))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return copy, json.loads(done.stdout.splitlines()[-1])


def test_without_a_papers_files_the_whole_harness_works_as_before(without):
    _, found = without
    assert len(found["modules"]) > 200
    others = [name for name in paper_names() if name != JOINED]
    assert found["papers"] == found["judged"] == others and len(others) >= 2
    assert not {*read_paper(JOINED).networks} & {*found["models"]} and "vlif" in found["models"]
    assert found["broken"] == []


def test_the_other_papers_verdicts_are_the_same_without_it(without):
    copy, _ = without
    [file] = copy.glob("results/*/audit/claims.csv")
    alone = pd.read_csv(file)
    kept = pd.read_csv(REFERENCE / "audit" / "claims.csv")
    assert len(alone) == (kept["paper"] != JOINED).sum()
    # The reference holds no layers of the structure, which findings about it are read from.
    both = alone[alone["kind"] != "derived"].merge(kept, on=["paper", "claim", "reading"])
    assert len(both) > 10
    assert both["verdict_x"].tolist() == both["verdict_y"].tolist()


def test_no_code_that_is_left_names_it(without):
    copy, _ = without
    code = [f for f in copy.rglob("*") if f.suffix in (".py", ".html", ".js", ".css")]
    assert [f for f in code if JOINED in f.read_text(encoding="utf-8").lower()] == []


def test_it_brings_its_folder_its_model_and_configurations_alone():
    files = brought_files(JOINED)
    folder = f"derainbench/catalog/papers/{JOINED}/"
    assert [f for f in files if not f.startswith(folder)] == [f"baselines/{JOINED}.py"]
    assert len([f for f in files if f.startswith(folder)]) > 4
    assert "config/smoke.yaml" in configurations_with(JOINED)
    assert listing(JOINED).splitlines()[: len(files)] == files


def test_the_tour_lists_what_it_brought():
    section = TOUR.split("## A paper that joins")[1].split("\n## ")[0]
    [block] = re.findall(r"```text\n(.*?)\n```", section, re.DOTALL)
    assert block.splitlines() == brought_files(JOINED), f"python tools/joining.py {JOINED}"
