"""Titles of figures that say if their numbers are of the smoke configuration."""

from __future__ import annotations

from derainbench.config.schema import Config


def marked(config: Config, title: str) -> str:
    """A title that starts with SMOKE where the numbers have no scientific content."""
    return f"SMOKE: {title}" if config.label == "smoke" else title
