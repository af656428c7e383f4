"""What a job of a rule asks a scheduler for: ``catalog/resources.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from derainbench.catalog.files import read_yaml
from derainbench.foundation.settings import Strict, check

CATALOG_FILES = ("resources.yaml",)

Positive = Annotated[int, Field(gt=0)]


class JobResources(Strict):
    """What a rule's job asks for.

    Attributes:
        mem_mb: memory of the first attempt, MB.
        minutes: time by the label of a configuration.
        resumes: whether an attempt goes on after what the one before it did.
    """

    mem_mb: Positive
    minutes: dict[str, Positive]
    resumes: bool = False

    def memory(self, attempt: int) -> int:
        """MB on an attempt, the first one being 1: half of the first's more on every further one."""
        return self.mem_mb * (1 + attempt) // 2

    def time(self, label: str, attempt: int) -> int:
        """Minutes on an attempt: the whole time once more, unless the attempt resumes.

        Raises:
            KeyError: for a label that no configuration has.
        """
        return self.minutes[label] * (1 if self.resumes else attempt)


class _File(Strict):
    source: str
    rules: dict[str, JobResources]


def job_resources() -> dict[str, JobResources]:
    """What a job asks for, by the name of its rule.

    Raises:
        BenchError: if the file is not as described, in one line.
    """
    return check(_File, read_yaml(CATALOG_FILES[0]), CATALOG_FILES[0]).rules
