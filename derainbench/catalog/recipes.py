"""Training recipes: named ones in ``catalog/recipes`` and in the papers' folders.

Each field can be overridden. torch is not imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from derainbench.catalog.files import matching
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import Strict, check, read_yaml
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("recipes/*.yaml", "papers/*/recipes/*.yaml")
# What data/crops.py and training/losses.py offer; both are held to these names by a test.
Augmentation = Literal["hflip", "vflip", "rot90"]
AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)
# What foundation/device.py knows, held to these names by a test.
Determinism = Literal["repeatable", "strict", "fast"]
LOSSES = ("ssim", "charbonnier", "edge", "l1", "mse", "psnr")
LENGTHS = ("epochs", "steps", "progressive")  # ways to say how long a run is: one of them


class Phase(Strict):
    """Part of a progressive run: optimiser steps with one crop side (pixels) and batch size."""

    steps: int = Field(ge=1)
    crop: int = Field(ge=16)
    batch_size: int = Field(ge=1)


class Recipe(Strict):
    """Everything that decides a training run besides model, data and seed.

    The run's length is given in one of three ways, and ``hold`` and ``milestones`` count as it
    does: epochs or steps. A run given in steps still has epochs, for they are what validation and
    checkpoints follow; its last one, and the last one of a phase, may be cut short.

    Attributes:
        epochs: passes over the training images, ``crops_per_image`` random crops of each.
        steps: steps of the optimiser instead.
        progressive: phases instead, which also say crop and batch size.
        batch_size: crops per step.
        crop: side of the square crops, pixels.
        crops_per_image: random crops of every image in one epoch.
        augment: each is done to half of the crops: "hflip", "vflip", "rot90".
        pad: enlarge images that are smaller than the crop by reflection; else they are refused.
        optimiser: "adamw", "adam" or "sgd".
        lr: base rate.
        schedule: "warmup-cosine" (epochs only; see training/schedule.py), "cosine" and "linear" down to
            ``min_lr`` after ``hold``, "multistep" by ``gamma`` at ``milestones``, "constant".
        min_lr: rate that a cosine or a line ends at.
        warmup_epochs: epochs of linear warm-up.
        hold: epochs or steps at the base rate before a cosine or a line falls.
        milestones, gamma: epochs or steps after which the rate is multiplied by gamma.
        betas, eps: of Adam and AdamW.
        momentum: of SGD.
        weight_decay: of all three: AdamW's own, or added to the gradient.
        clip_norm: longest gradient over all weights; longer ones are scaled down to it.
        amp: "bf16" runs the model, not the loss, in mixed precision; membrane potentials stay
            float32.
        tf32: let products and convolutions of float32 round their factors to 10 bits, on GPUs that can.
        channels_last: keep weights and images of convolutions with the channels of a pixel together.
        compile: train through ``torch.compile``; validation is not.
        determinism: see :data:`derainbench.foundation.device.DETERMINISM`.
        layers: what computes the layers of networks that leave a choice: "reference", as they were
            written; "exact", faster with the same numbers to the last bit; "fast", faster with the same
            numbers up to rounding.
        loss: weights of the losses of :mod:`derainbench.training.losses` that are summed;
            a name alone stands for weight 1.
        stage_weight: weight of the loss of every intermediate output of the model (``stages``)
            beside 1 for the last; at 0 only the last one counts.
        zero_first_epoch: a flaw of some released code: the first epoch trains at rate 0.
        select_on: split that chooses the best epoch; "test" is the authors' flaw.
        val_fraction: share of the training images held out when there is no ``val`` folder.
        val_crop: side of the centre crops that validation scores, pixels.
        validate_every: epochs between validations; the last epoch is always validated.
    """

    epochs: int | None = Field(None, ge=1)
    steps: int | None = Field(None, ge=1)
    progressive: list[Phase] | None = Field(None, min_length=1)
    batch_size: int | None = Field(None, ge=1)
    crop: int | None = Field(None, ge=16)
    crops_per_image: int = Field(ge=1)
    augment: list[Augmentation] = []
    pad: bool = False
    optimiser: Literal["adamw", "adam", "sgd"]
    lr: float = Field(gt=0)
    schedule: Literal["warmup-cosine", "cosine", "linear", "multistep", "constant"]
    min_lr: float = Field(ge=0)
    warmup_epochs: int = Field(ge=0)
    hold: int = Field(0, ge=0)
    milestones: list[int] = []
    gamma: float = Field(1.0, gt=0, le=1)
    betas: tuple[float, float]
    eps: float = Field(gt=0)
    momentum: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    clip_norm: float | None = Field(None, gt=0)
    amp: Literal["none", "bf16"] = "none"
    tf32: bool = False
    channels_last: bool = False
    compile: bool = False
    determinism: Determinism = "repeatable"
    layers: Literal["reference", "exact", "fast"] = "exact"
    loss: dict[str, float] = Field(min_length=1)
    stage_weight: float = Field(0.0, ge=0)
    zero_first_epoch: bool
    select_on: Literal["val", "test"]
    val_fraction: float = Field(gt=0, lt=1)
    val_crop: int = Field(ge=16)
    validate_every: int = Field(ge=1)

    @field_validator("loss", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {value: 1.0} if isinstance(value, str) else value

    @field_validator("loss")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if name not in LOSSES:
                raise ValueError(f"unknown loss '{name}'{did_you_mean(name, LOSSES)}")
            if not 0 < weight < float("inf"):
                raise ValueError(f"weight {weight} of '{name}' must be positive")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if sum(getattr(self, name) is not None for name in LENGTHS) != 1:
            raise ValueError(f"give one of {', '.join(LENGTHS)}")
        for name in ("crop", "batch_size"):
            if (getattr(self, name) is None) != (self.progressive is not None):
                raise ValueError(
                    f"{name}: needed, but not beside progressive, which says it itself"
                )
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr {self.min_lr} is above lr {self.lr}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {list(self.betas)} must lie in [0, 1)")
        if len(set(self.augment)) < len(self.augment):
            raise ValueError(f"augment {self.augment} names something twice")
        self._check_schedule()
        return self

    def _check_schedule(self) -> None:
        unit = "epochs" if self.epochs else "steps"
        match self.schedule:
            case "warmup-cosine" if self.epochs is None:
                raise ValueError("schedule warmup-cosine needs a length in epochs")
            case "warmup-cosine" if self.epochs and self.epochs <= self.warmup_epochs:
                raise ValueError(
                    f"epochs {self.epochs} must exceed warmup_epochs {self.warmup_epochs}"
                )
            case "cosine" | "linear" if self.length <= self.hold:
                raise ValueError(f"{unit} {self.length} must exceed hold {self.hold}")
            case "multistep":
                marks = self.milestones
                if not marks or marks != sorted(set(marks)) or marks[0] < 1:
                    raise ValueError(f"milestones {marks} must be rising {unit}, at least one")

    @property
    def phases(self) -> list[Phase]:
        """The run's phases if its length is given in steps, else none."""
        if self.steps:
            return [Phase(steps=self.steps, crop=self.crop, batch_size=self.batch_size)]
        return self.progressive or []

    @property
    def length(self) -> int:
        """Epochs or steps of the whole run."""
        return self.epochs or sum(phase.steps for phase in self.phases)

    @property
    def crop_sides(self) -> list[int]:
        """Every side of training crops, pixels."""
        return [self.crop] if self.crop else [phase.crop for phase in self.phases]


def load_recipe(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe by catalogue name or from a YAML file, with single fields replaced.

    A file may hold all fields, or ``base:`` a catalogue name and those that differ.

    Raises:
        BenchError: for an unknown recipe, or a misspelt or out-of-range field.
    """
    values = _read(str(name))
    source = f"recipe {name}"
    return check(Recipe, _replaced(values, overrides or {}), source)


def _read(name: str) -> dict[str, Any]:
    if is_file := Path(name).suffix in (".yaml", ".yml"):
        values = read_yaml(Path(name))
    else:
        known = {file.stem: file for file in matching(*CATALOG_FILES)}
        if name not in known:
            raise BenchError(f"unknown recipe '{name}'{did_you_mean(name, sorted(known))}")
        values = read_yaml(known[name])
    base = values.pop("base", None)
    if is_file and base and Path(base).suffix:
        raise BenchError(f"{name}: base: name a recipe of the catalogue, not file '{base}'")
    return _replaced(_read(base), values) if base else values


def _replaced(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields with some replaced; a length given in one way takes the place of any other."""
    gone = set(LENGTHS) if changes.keys() & set(LENGTHS) else set()
    if "progressive" in changes:
        gone |= {"crop", "batch_size"}
    return {k: v for k, v in values.items() if k not in gone} | dict(changes)
