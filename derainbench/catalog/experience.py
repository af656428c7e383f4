"""What reproducing a paper was like: sentences that somebody wrote, each with its source.

``papers/NAME/findings.yaml``; a summary of the findings adds what the results say.
"""

from __future__ import annotations

from pydantic import Field

from derainbench.catalog.files import matching, read_yaml
from derainbench.foundation.settings import Strict, check

CATALOG_FILES = ("papers/*/findings.yaml",)


class Remark(Strict):
    """A sentence, and where it can be checked."""

    text: str = Field(min_length=1)
    source: str = Field(min_length=1)


class Question(Remark):
    """What the sources leave open.

    Attributes:
        asked: when and where the authors were asked; empty if they were not.
        answer: theirs, with its source.
    """

    asked: str = ""
    answer: str = ""


class Experience(Strict):
    """What was easy, what was difficult, what is asked of the authors."""

    easy: tuple[Remark, ...]
    difficult: tuple[Remark, ...]
    questions: tuple[Question, ...] = ()


def read_experience(paper: str) -> Experience | None:
    """What is written of a paper; None if nothing is.

    Raises:
        BenchError: for a mistake in the file, in one line.
    """
    file = f"papers/{paper}/findings.yaml"
    return check(Experience, read_yaml(file), file) if matching(file) else None
