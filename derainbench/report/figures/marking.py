"""Titles of figures that say if their numbers are of smoke or of a rehearsal."""

from __future__ import annotations

from derainbench.config.schema import Config


def marked(config: Config, title: str) -> str:
    """A title that starts with the label, in capitals, where numbers have no scientific content."""
    return title if config.comparable else f"{config.label.upper()}: {title}"
