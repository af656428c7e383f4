"""What the page says of a figure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageFigure:
    """A figure of the results and what is said of it on the page.

    Attributes:
        verb: that draws it.
        name: stem of its files.
        title, caption: for people.
        inputs: patterns of the result files that it was drawn from.
    """

    verb: str
    name: str
    title: str
    caption: str
    inputs: tuple[str, ...]
