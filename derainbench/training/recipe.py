"""Training recipes: named ones in ``catalog/recipes``, each field overridable."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.errors import BenchError
from derainbench.settings import check, read_yaml
from derainbench.suggest import did_you_mean


class Recipe(BaseModel):
    """Everything that decides a training run besides model, data and seed.

    Attributes:
        epochs: passes over the training images, ``crops_per_image`` random crops of each.
        batch_size: crops per step.
        crop: side of the square crops, pixels.
        crops_per_image: random crops of every image in one epoch (the authors: 1).
        lr: base rate of AdamW, reached after warm-up.
        min_lr: rate that the cosine ends at.
        warmup_epochs: epochs of linear warm-up.
        betas, eps, weight_decay: of AdamW.
        loss: "ssim" is 1 - SSIM, "l1" the mean absolute error.
        zero_first_epoch: the authors' flaw: the first epoch trains at rate 0.
        select_on: split that chooses the best epoch; "test" is the authors' flaw.
        val_fraction: share of the training images held out when there is no ``val`` folder.
        val_crop: side of the centre crops that validation scores, pixels.
        validate_every: epochs between validations; the last epoch is always validated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    crop: int = Field(ge=16)
    crops_per_image: int = Field(ge=1)
    lr: float = Field(gt=0)
    min_lr: float = Field(ge=0)
    warmup_epochs: int = Field(ge=0)
    betas: tuple[float, float]
    eps: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    loss: Literal["ssim", "l1"]
    zero_first_epoch: bool
    select_on: Literal["val", "test"]
    val_fraction: float = Field(gt=0, lt=1)
    val_crop: int = Field(ge=16)
    validate_every: int = Field(ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr {self.min_lr} is above lr {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {list(self.betas)} must lie in [0, 1)")
        if self.epochs <= self.warmup_epochs:
            raise ValueError(f"epochs {self.epochs} must exceed warmup_epochs {self.warmup_epochs}")
        return self


def load_recipe(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by catalogue name or from a YAML file, with single fields replaced.

    A file may hold all fields, or ``base:`` a catalogue name and those that differ.

    Raises:
        BenchError: for an unknown recipe, or a misspelt or out-of-range field.
    """
    values = _read(str(name))
    source = f"recipe {name}"
    return check(Recipe, {**values, **(overrides or {})}, source)


def _read(name: str) -> dict[str, Any]:
    folder = resources.files("derainbench.catalog").joinpath("recipes")
    if Path(name).suffix in (".yaml", ".yml"):
        values = read_yaml(Path(name))
        base = values.pop("base", None)
        if base and Path(base).suffix:
            raise BenchError(f"{name}: base: name a recipe of the catalogue, not file '{base}'")
        return {**(_read(base) if base else {}), **values}
    known = sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(".yaml"))
    if name not in known:
        raise BenchError(f"unknown recipe '{name}'{did_you_mean(name, known)}")
    return yaml.safe_load(folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
