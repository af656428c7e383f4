"""The tour of the house is true: its picture, its packages, its signposts."""

import re
import sys

import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import architecture

from derainbench.catalog.papers import paper_names

TOUR = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CHANGES = TOUR[TOUR.index("## Where do I change") : TOUR.index("## What a change runs again")]


def test_the_picture_shows_what_imports_what():
    assert architecture.drawn_arrows() == architecture.arrows(), "python tools/architecture.py"


def test_every_package_has_its_paragraph():
    packages = {f.parent.name for f in (ROOT / "derainbench").glob("*/__init__.py")}
    assert packages == {name for row in architecture.layers()[:-1] for name in row}
    told = set(re.findall(r"\*\*`(\w+)/`\*\*", TOUR))
    assert told == packages | set(architecture.NETWORKS)


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`((?:\w+/)+(?:[\w.]+)?)`", CHANGES))))
def test_every_signpost_leads_somewhere(place):
    assert (ROOT / "derainbench" / place.replace("NAME", "esdnet")).exists() or (
        ROOT / place
    ).exists()


LARGEST = 300
REASON = re.compile(r"More than 300 lines: \w+")


def test_no_module_is_longer_than_its_reader_can_hold():
    """At most 300 lines, or a reason in the first ones."""
    folders = ("derainbench", "esdnet", "baselines")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*.py")]
    lengths = {f: f.read_text(encoding="utf-8").splitlines() for f in files}
    long = [f for f, lines in lengths.items() if len(lines) > LARGEST]
    assert [
        f.relative_to(ROOT).as_posix()
        for f in long
        if not REASON.search("\n".join(lengths[f][:15]))
    ] == []


def test_the_harness_names_no_paper():
    """Nor do the rules of the workflow: names stand in the catalogue and in configurations."""
    names = paper_names()
    assert {"esdnet", "vlif", "spikerain"} <= set(names)
    named = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for folder in ("derainbench", "workflow/rules")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".html", ".js", ".css", ".smk")
        for line in file.read_text(encoding="utf-8").splitlines()
        if any(name in line.lower() for name in names)
    ]
    assert named == []
