"""What a configuration may say of its runs: models with weights, trained or official."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from derainbench.catalog.model_cards import recipe_of
from derainbench.config.datasets import Name, Seed, Title
from derainbench.config.paths import PathText
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import Strict


def _written_as_json(values: dict[str, Any]) -> dict[str, Any]:
    """Arguments as the rules hand them on, which is in JSON.

    Raises:
        ValueError: for a day, a number that is not finite, and the like.
    """
    try:
        json.dumps(values, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"holds a value that is none of JSON ({error})") from error
    return values


Arguments = Annotated[dict[str, Any], AfterValidator(_written_as_json)]


class Training(Strict):
    """How a run's weights are trained.

    Attributes:
        recipe: a name of the catalogue or a YAML file; default: the one on the model's card.
        monitor: score the test split in every validation too, without selecting on it.
    """

    dataset: Name
    recipe: PathText = ""
    set: Arguments = {}
    seeds: list[Seed] = Field([1234], min_length=1)
    monitor: bool = False


class Ablation(Strict):
    """In what a run differs from another one, of the same model and budget, and in that alone.

    Attributes:
        of: the other run.
        part: what is varied: one of the parts that the ablation tables of the network's paper name,
            and a group of their rows. The run's title says how.
    """

    of: Name
    part: str


class Run(Strict):
    """A model with weights, trained or official, and the sets that it is tested on.

    Attributes:
        ablation: for runs that stand in the ablation tables and nowhere else.
    """

    model: str
    kwargs: Arguments = {}
    title: Title | None = None
    train: Training | None = None
    weights: PathText | None = None
    test: list[Name] = Field(min_length=1)
    inference: Literal["tiled", "whole"] | None = None
    quantise: Literal["round", "truncate"] | None = None
    ablation: Ablation | None = None

    @model_validator(mode="after")
    def _complete(self) -> Run:
        if (self.train is None) == (self.weights is None):
            raise ValueError("give either train or weights: one of them, not both")
        if self.train is None or self.train.recipe:
            return self
        try:
            recipe = recipe_of(self.model)
        except BenchError as error:
            raise ValueError(str(error)) from error
        return self.model_copy(update={"train": self.train.model_copy(update={"recipe": recipe})})

    def variants(self) -> list[str]:
        """``seed-N`` for each training, or ``official``."""
        return [f"seed-{s}" for s in self.train.seeds] if self.train else ["official"]
