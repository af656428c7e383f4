"""What a configuration may say of its runs: models with weights, or images that others restored."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from derainbench.catalog.model_cards import known_model, recipe_of
from derainbench.config.datasets import Name, Seed, Title
from derainbench.config.paths import PathText, number_as_text
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import Strict

IMAGES = "images"  # the variant of a run that consists of images of others


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
        processes: that train together and share every batch, a GPU each where there are any.
    """

    dataset: Name
    recipe: PathText = ""
    set: Arguments = {}
    seeds: list[Seed] = Field([1234], min_length=1)
    monitor: bool = False
    processes: int = Field(1, ge=1, le=64, exclude_if=lambda processes: processes == 1)


class Ablation(Strict):
    """In what a run differs from another one, of the same model and budget, and in that alone.

    Attributes:
        of: the other run.
        part: what is varied: one of the parts that the ablation tables of the network's paper name,
            and a group of their rows. The run's title says how.
    """

    of: Name
    part: str


def _one_or_by_set(folders: Any) -> Any:
    named = list(folders.values()) if isinstance(folders, dict) else [folders]
    if folders is not None and not all(
        isinstance(name := number_as_text(folder), str) and name for folder in named
    ):
        raise ValueError("give a folder, or a mapping of test sets to folders")
    return folders


class Run(Strict):
    """What is tested on some sets: a model with weights, trained or official, or images of others.

    Attributes:
        model: of images of others: the network, as published, that restored them, if it is known.
        images: folder of restored images that others made, or one folder per test set; relative to
            the configuration's ``data_root``, or absolute.
        layers: what computes the layers in evaluation, where the network leaves a choice; default:
            exact. Of training the recipe says it.
        ablation: for runs that stand in the ablation tables and nowhere else.
    """

    model: str | None = None
    kwargs: Arguments = {}
    title: Title | None = None
    train: Training | None = None
    weights: PathText | None = None
    images: Annotated[PathText | dict[Name, PathText] | None, BeforeValidator(_one_or_by_set)] = (
        None
    )
    test: list[Name] = Field(min_length=1)
    inference: Literal["tiled", "whole"] | None = None
    quantise: Literal["round", "truncate"] | None = None
    layers: Literal["reference", "exact", "fast"] | None = None
    ablation: Ablation | None = None

    @model_validator(mode="after")
    def _complete(self) -> Run:
        if sum(origin is not None for origin in (self.train, self.weights, self.images)) != 1:
            raise ValueError("give either train or weights or images: one of them alone")
        if self.images is not None:
            self._check_images()
            return self
        if self.model is None:
            raise ValueError("model is missing; only images of others can do without")
        if self.train is None or self.train.recipe:
            return self
        try:
            recipe = recipe_of(self.model)
        except BenchError as error:
            raise ValueError(str(error)) from error
        return self.model_copy(update={"train": self.train.model_copy(update={"recipe": recipe})})

    def _check_images(self) -> None:
        for key in ("kwargs", "inference", "quantise", "layers", "ablation"):
            if getattr(self, key):
                raise ValueError(f"{key} goes with a network that is run here, not with images")
        if self.model is None and self.title is None:
            raise ValueError("images of others need a title, or the model that restored them")
        if isinstance(self.images, str) and len(self.test) > 1:
            raise ValueError("images: several test sets need a folder each: {SET: FOLDER, ..}")
        if isinstance(self.images, dict) and set(self.images) != set(self.test):
            odd = min(set(self.images) ^ set(self.test))
            raise ValueError(f"images and test must name the same sets; '{odd}' is in one alone")

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Configurations from before there were these keys stay as they were written, byte by byte.
        content: dict[str, Any] = handler(self)
        for key in ("images", "layers"):
            if getattr(self, key) is None:
                content.pop(key, None)
        return content

    @property
    def network(self) -> str:
        """The registry's name of the model; empty where nobody knows what restored the images."""
        return known_model(self.model) if self.model else ""

    @property
    def counted(self) -> bool:
        """Whether there is a network with weights, whose operations and spikes can be counted."""
        return self.images is None

    def variants(self) -> list[str]:
        """``seed-N`` for each training, ``official``, or ``images`` of others."""
        if not self.counted:
            return [IMAGES]
        return [f"seed-{s}" for s in self.train.seeds] if self.train else ["official"]

    def restored_folder(self, dataset: str) -> str:
        """The folder of images of others on a test set, as the configuration names it.

        Raises:
            ValueError: if the run restores its images here.
        """
        if self.images is None:
            raise ValueError("the run has no images of others")
        return self.images if isinstance(self.images, str) else self.images[dataset]
