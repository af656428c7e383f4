"""Says which files a paper of the catalogue brings: all that has to be added for it to join.

python tools/joining.py PAPER

Its folder of the catalogue; the modules that its networks are built of and no other network is; the
configurations in which they are run. A test takes these away and sees that all else works without
them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from derainbench.catalog.files import CATALOG
from derainbench.catalog.model_cards import all_cards
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.foundation.documents import document_text, parse_yaml
from derainbench.foundation.source_graph import modules_behind, source_files

ROOT = Path(__file__).resolve().parent.parent


def brought_files(paper: str) -> list[str]:
    """The files that a paper brings, its own alone, relative to the checkout.

    Raises:
        BenchError: for an unknown paper.
    """
    networks = read_paper(paper).networks
    cards = all_cards()
    own = modules_behind(cards[name].network.module for name in networks)
    others = modules_behind(c.network.module for n, c in cards.items() if n not in networks)
    modules = source_files(sorted(own - others))
    folder = (CATALOG / "papers" / paper).rglob("*")
    files = [file for file in (*folder, *modules) if file.is_file()]
    return sorted(file.relative_to(ROOT).as_posix() for file in files)


def configurations_with(paper: str) -> dict[str, list[str]]:
    """The runs of a paper's networks by configuration, relative to the checkout."""
    networks = read_paper(paper).networks
    found = {}
    for file in sorted((ROOT / "config").glob("*.yaml")):
        runs = parse_yaml(document_text(file))["runs"]
        named = [name for name, run in runs.items() if run.get("model") in networks]
        if named:
            found[file.relative_to(ROOT).as_posix()] = named
    return found


def listing(paper: str) -> str:
    """Both, a line each."""
    runs = (
        f"{file} (runs {', '.join(names)})" for file, names in configurations_with(paper).items()
    )
    return "\n".join([*brought_files(paper), *runs])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paper", choices=paper_names())
    print(listing(parser.parse_args().paper))
