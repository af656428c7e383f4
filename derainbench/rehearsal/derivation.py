"""The configuration of a rehearsal: everything at full size but the amount.

Networks, recipes, losses, image sizes, test sets and every rule are the rehearsed configuration's.
Less: images (generated stand-ins), training steps, seeds, and crops per step where memory or the
caller allows no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import Phase, Recipe
from derainbench.config.runs import Run
from derainbench.config.schema import Config, parse
from derainbench.foundation.errors import BenchError
from derainbench.training.footprint import Footprint

PREFIX = "rehearsal-"
TRAIN_IMAGES = 2  # one to train on, one that is held out and validated on
STEPS = (
    2  # of a training, or of the first phase of one: the first sets kernels up, the second counts
)
BASE_BYTES = 1.5e9  # of a process that has loaded torch and a network
WORKING_SPACE = 1.3  # what kernels and gradients take beside what autograd keeps
LEAST_MEMORY_MB = 8000  # the most that a rule of the workflow asks for


@dataclass(frozen=True)
class Limits:
    """How much a rehearsal may take.

    Attributes:
        memory_mb: of all its jobs together.
        batch: most crops per step; None for the recipe's own.
        seeds: most seeds of a run.
        cores: CPU cores.
    """

    memory_mb: int
    batch: int | None
    seeds: int
    cores: int

    @property
    def training_bytes(self) -> float:
        """What a training may keep in memory for its backward pass."""
        return (1e6 * self.memory_mb - BASE_BYTES) / WORKING_SPACE


Foresee = Callable[[Run, Recipe], Footprint]


def derived(config: Config, limits: Limits, foresee: Foresee) -> Config:
    """The configuration of a rehearsal of another one.

    Args:
        config: to be rehearsed.
        limits: of memory, crops per step, seeds and cores.
        foresee: gives the memory that the training of a run takes.

    Raises:
        BenchError: for runs that take images or weights of others, and for sets that are none of the
            catalogue: for those there are no stand-ins.
    """
    footprints = _footprints(config, foresee)
    values = config.model_dump(mode="json", exclude_none=True)
    values |= {
        "name": PREFIX + config.name,
        "label": "rehearsal",
        "title": f"Rehearsal of: {config.title}",
        "datasets": {name: _set(config, name) for name in config.datasets},
        "runs": {name: _run(config, name, limits, footprints[name]) for name in config.runs},
        "threads": {
            "train": min(limits.cores, config.threads.train),
            "infer": min(limits.cores, config.threads.infer),
        },
        "workers": min(config.workers, int(limits.cores > 2)),
    }
    values["energy"]["images"] = values["spikes"]["images"] = values["figures"]["strip_images"] = 1
    for key in ("data_root", "weights_root"):
        values.pop(key, None)
    return parse(values, f"rehearsal of {config.name}")


def _set(config: Config, name: str) -> dict[str, Any]:
    dataset, known = config.datasets[name], config.catalogue_name(name)
    if known:
        return {"kind": "stand-in", "name": dataset_entry(known).name, "train": TRAIN_IMAGES}
    if dataset.kind == "folder":
        raise BenchError(
            f"datasets.{name}: there is no stand-in for a folder of one's own; say which set of the "
            "catalogue it is (catalogue: NAME), or leave it out"
        )
    values = dataset.model_dump(mode="json", exclude_none=True)
    if dataset.kind == "synthetic":
        values |= {"train": TRAIN_IMAGES, "val": 1, "test": 1}
    return values


def _footprints(config: Config, foresee: Foresee) -> dict[str, Footprint]:
    """What a training of every run takes: of those by one budget the most, so that they stay alike."""
    found: dict[str, tuple[str, Footprint]] = {}
    for name, run in config.runs.items():
        if run.train is None:
            raise BenchError(
                f"runs.{name}: a rehearsal has no {'weights' if run.weights else 'images'} of others; "
                "only runs that are trained can be rehearsed"
            )
        recipe = config.recipe(name)
        found[name] = recipe.model_dump_json(), foresee(run, recipe)
    most: dict[str, Footprint] = {}
    for budget, own in found.values():
        other = most.get(budget, own)
        most[budget] = Footprint(max(own.state, other.state), max(own.per_pixel, other.per_pixel))
    return {name: most[budget] for name, (budget, _) in found.items()}


def _run(config: Config, name: str, limits: Limits, footprint: Footprint) -> dict[str, Any]:
    run = config.runs[name]
    assert run.train is not None
    changes = shortened(run, config.recipe(name), limits, footprint)
    values = run.model_dump(mode="json", exclude_none=True)
    values["train"]["set"] = run.train.set | changes
    values["train"]["seeds"] = run.train.seeds[: limits.seeds]
    values["train"].pop("processes", None)  # what is measured is what one process takes
    return values


def shortened(run: Run, recipe: Recipe, limits: Limits, footprint: Footprint) -> dict[str, Any]:
    """The fields of a recipe that make a few steps of it: each epoch is one step."""
    network = model_card(run.network).network
    phases = recipe.phases or [
        Phase(steps=1, crop=recipe.crop or 0, batch_size=recipe.batch_size or 0)
    ]
    shapes = [
        fitting(phase, limits, footprint, network.size_multiple, network.fixed_size)
        for phase in phases
    ]
    most = max(batch for _, batch in shapes)
    # One training image gives all crops of a step.
    changes: dict[str, Any] = {"crops_per_image": most, "validate_every": STEPS}
    if recipe.progressive:
        changes["progressive"] = [
            {"steps": 1 if number else STEPS, "crop": crop, "batch_size": batch}
            for number, (crop, batch) in enumerate(shapes)
        ]
    else:
        (crop, batch), length = shapes[0], "steps" if recipe.steps else "epochs"
        changes |= {length: STEPS, "crop": crop, "batch_size": batch}
    return changes | {
        "hold": min(recipe.hold, 1),
        "warmup_epochs": min(recipe.warmup_epochs, STEPS - 1),
    }


def fitting(
    phase: Phase, limits: Limits, footprint: Footprint, multiple: int, fixed: int | None
) -> tuple[int, int]:
    """Crop side and batch size of a step that memory holds: fewer crops first, then smaller ones.

    Args:
        phase: crop and batch size of the recipe.
        limits: of memory and of crops per step.
        footprint: of the training.
        multiple: what the network's sides must be a multiple of.
        fixed: the only side that the network takes, if there is one.

    Raises:
        BenchError: if not even one crop of the smallest side fits.
    """
    room = limits.training_bytes - footprint.state
    holds = int(room / (footprint.per_pixel * phase.crop**2)) if room > 0 else 0
    batch = min(phase.batch_size, limits.batch or phase.batch_size, max(holds, 1))
    if holds >= 1:
        return phase.crop, batch
    side = int((max(room, 0) / footprint.per_pixel) ** 0.5) // multiple * multiple
    if side < 16 or fixed:
        needed = (footprint.bytes(fixed or 16, 1) * WORKING_SPACE + BASE_BYTES) / 1e6
        raise BenchError(f"one training crop takes about {needed:,.0f} MB: raise --memory")
    return side, 1
