"""On which data a run's weights were trained, as far as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from derainbench.catalog.model_cards import model_card
from derainbench.results.runs import RunVariant

if TYPE_CHECKING:
    from derainbench.config.schema import Config

UNKNOWN = ""


def training_set(config: Config, entry: RunVariant) -> str:
    """The set that a run's weights were trained on, so that equal names mean equal data.

    A set that may be a part of the catalogue's is another one than the whole: it has ``, part``
    behind its name. Official weights were trained on the whole set that their card names.

    Returns:
        A name, or :data:`UNKNOWN` where the card does not list the weights or says no set, and for
        images of others.
    """
    if entry.spec.train:
        name = entry.spec.train.dataset
        known = config.catalogue_name(name)
        part = known and getattr(config.datasets[name], "subset", False)
        return f"{known or name}{', part' * bool(part)}"
    if entry.spec.weights is None:
        return UNKNOWN
    files = model_card(entry.spec.network).weights
    named = (file.dataset for file in files if file.name == entry.spec.weights)
    return next(named, None) or UNKNOWN
