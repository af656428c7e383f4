"""Model cards: how every network is built and run here, and where it is from.

A card is a YAML file named after its model: in ``catalog/models/``, in the ``models/`` folder of a
paper, or in the package of somebody else, who names it by an entry point of the group
``derainbench.models`` (docs/models.md). No network is imported here. A fact that nobody has found
stays empty; every card names the sources of the others.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib import metadata
from pathlib import Path
from typing import Any

from derainbench.catalog.card_format import ModelCard
from derainbench.catalog.files import matching, read_yaml
from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import check
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("papers/*/models/*.yaml", "models/*.yaml")  # papers' networks come first
ENTRY_POINTS = "derainbench.models"


def card_files() -> dict[str, Path]:
    """The card file of every model by name: papers' networks, then the others, then outside ones.

    Raises:
        BenchError: if two files are cards of one name, or an outside package lacks its card.
    """
    found: dict[str, Path] = {}
    here = [file for pattern in CATALOG_FILES for file in matching(pattern)]
    for name, file in [*((file.stem, file) for file in here), *outside_cards()]:
        if name in found:
            raise BenchError(f"{found[name]} and {file}: two cards of one model; rename one")
        found[name] = file
    return found


@functools.cache  # what is installed does not change while a process runs, and to ask takes its time
def outside_cards() -> list[tuple[str, Path]]:
    """Names and card files that installed packages offer by entry points."""
    found = []
    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        try:
            spec = importlib.util.find_spec(point.module)
        except Exception:  # a package above it runs, and may raise anything
            spec = None
        origin = spec.origin if spec else None
        file = Path(origin).parent / f"{point.name}.yaml" if origin else None
        if file is None or not file.is_file():
            raise BenchError(
                f"entry point {point.name} = {point.value}: no card {point.name}.yaml beside that "
                f"package's __init__.py; add it, or uninstall the package"
            )
        found.append((point.name, file))
    return found


def model_names() -> list[str]:
    """Names of all models, the papers' own networks first."""
    return list(card_files())


def known_model(name: str) -> str:
    """The registry's spelling of a model name; case and ``-``/``_`` do not matter.

    Raises:
        BenchError: for an unknown name.
    """
    return _known_among(model_names(), name)


def _known_among(names: list[str], name: str) -> str:
    for known in names:
        if known.replace("-", "_").lower() == name.lower().replace("-", "_"):
            return known
    raise BenchError(f"unknown model '{name}'{did_you_mean(name.lower(), names)}")


def model_card(name: str) -> ModelCard:
    """The card of a model; case and ``-``/``_`` do not matter.

    Raises:
        BenchError: for an unknown model, or a card that is not as described.
    """
    files = card_files()  # once: to look for them takes most of the time
    return _card_in(files[_known_among(list(files), name)])


def recipe_of(name: str) -> str:
    """The recipe that a model is trained by unless another one is named.

    Raises:
        BenchError: for an unknown model, or one whose card names no recipe.
    """
    card = model_card(name)
    if card.training.recipe is None:
        raise BenchError(f"model '{card.name}': its card names no recipe; name one")
    return card.training.recipe


def all_cards() -> dict[str, ModelCard]:
    """Every card by model name, in the order of :func:`model_names`."""
    return {name: _card_in(file) for name, file in card_files().items()}


def _card_in(file: Path) -> ModelCard:
    return _parsed(file, file.stat().st_mtime_ns)


@reads.cache
def _parsed(file: Path, _modified: int) -> ModelCard:
    return parse_card(read_yaml(file), file.name)


def parse_card(values: Any, file: str) -> ModelCard:
    """Checks a card's content.

    Raises:
        BenchError: in one line that names the file and the key.
    """
    card = check(ModelCard, values, file)
    if file != f"{card.name}.yaml":
        raise BenchError(f"{file}: name: is '{card.name}'; the file must be {card.name}.yaml")
    return card
