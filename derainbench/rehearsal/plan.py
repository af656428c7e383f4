"""What a configuration costs as a whole: arithmetic on what its rehearsal measured.

Pure functions. A task is one job of the workflow. Times are those of the device that rehearsed; on
other devices they are scaled by :class:`Device`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import Recipe
from derainbench.config.schema import Config
from derainbench.training.footprint import Footprint
from derainbench.training.schedule import plan_epochs

# Rules that compute on a GPU where there is one; and those whose jobs are of one run each.
ON_GPU = ("train", "evaluate", "energy", "estimators", "spikes")
OF_RUNS = (*ON_GPU, "no_reference")
UNKNOWN_IMAGES = 100  # of a test set whose size nobody recorded


@dataclass(frozen=True)
class Task:
    """One job.

    Attributes:
        rule: of the workflow.
        name: run, variant and data set.
        chain: what must be done one after the other: run and variant; empty for all others.
        seconds: on the device that rehearsed, were it idle.
        memory: bytes that it takes on a GPU; 0 where it does not run on one.
    """

    rule: str
    name: str
    chain: str
    seconds: float
    memory: float = 0.0


def tasks(config: Config, measured: Mapping[str, Any]) -> list[Task]:
    """Every job of a configuration, with the time that it takes.

    Args:
        config: at its full amount.
        measured: by its rehearsal; see :func:`~derainbench.rehearsal.measurements.gather`.
    """
    jobs = {(job["rule"], job["name"]): _seconds(job) for job in measured["jobs"]}
    start = min(s for (rule, _), s in jobs.items() if rule in ON_GPU)
    return [
        *(task for name in config.runs for task in _run_tasks(config, measured, jobs, start, name)),
        *(Task(r, n, "", s) for (r, n), s in jobs.items() if r not in OF_RUNS and r != "stand_in"),
    ]


def _run_tasks(
    config: Config,
    measured: Mapping[str, Any],
    jobs: Mapping[tuple[str, str], float],
    start: float,
    name: str,
) -> Iterable[Task]:
    run, training = config.runs[name], measured["trainings"][name]
    rehearsed = {n.split("/")[1] for (r, n) in jobs if r == "train" and n.split("/")[0] == name}
    first = min(rehearsed, default=run.variants()[0])

    def of_images(rule: str, path: str, images: int) -> float | None:
        """Seconds of a job on many images, where it was measured on one."""
        key = (rule, path)
        return None if key not in jobs else start + images * max(jobs[key] - start, 0.0)

    paired = [dataset for dataset in run.test if config.paired(dataset)]
    for variant in run.variants():
        chain = f"{name}/{variant}"
        memory = max(_footprint(training).bytes(*shape) for shape in shapes(config.recipe(name)))
        yield Task("train", chain, chain, start + training_seconds(config, name, training), memory)
        wanted = [("evaluate", f"/{d}", tested_images(config, d)) for d in run.test]
        wanted += [("energy", "", config.energy.images), ("estimators", "", config.energy.images)]
        if paired:
            pairs = config.spikes.images or tested_images(config, paired[0])
            wanted.append(("spikes", "", pairs))
        for dataset in run.test:
            if not config.paired(dataset):
                wanted.append(("no_reference", f"/{dataset}", tested_images(config, dataset)))
        for rule, suffix, images in wanted:
            seconds = of_images(rule, f"{name}/{first}{suffix}", images)
            if seconds is not None:
                yield Task(rule, f"{chain}{suffix}", chain if rule in ON_GPU else "", seconds)


def training_seconds(config: Config, name: str, training: Mapping[str, Any]) -> float:
    """Seconds that one training of a run takes: all its steps and validations.

    A step takes as long per pixel as the measured one whose crops are nearest in size; so does a
    validation.
    """
    run, recipe = config.runs[name], config.recipe(name)
    assert run.train is not None
    images = split_images(config, run.train.dataset, "train") or UNKNOWN_IMAGES
    held_out = 0
    if recipe.select_on == "val" and split_images(config, run.train.dataset, "val") is None:
        held_out = max(1, round(recipe.val_fraction * images))
    select = held_out or split_images(config, run.train.dataset, recipe.select_on) or 0
    monitored = tested_images(config, run.train.dataset) if run.train.monitor else 0
    epochs = plan_epochs(recipe, images - held_out)
    stepping = sum(
        epoch.steps * _rate(training, epoch.crop) * epoch.crop**2 * epoch.batch_size
        for epoch in epochs
    )
    validations = -(-len(epochs) // recipe.validate_every)
    per_crop = _per_pixel(training, training["validation"], "crop") * recipe.val_crop**2
    return stepping + validations * (select + monitored) * per_crop


def shapes(recipe: Recipe) -> list[tuple[int, int]]:
    """Crop side and batch size of a recipe's steps, by phase."""
    if recipe.phases:
        return [(phase.crop, phase.batch_size) for phase in recipe.phases]
    return [(recipe.crop or 0, recipe.batch_size or 0)]


def _rate(training: Mapping[str, Any], crop: int) -> float:
    """Seconds per pixel of a step with crops of one side."""
    nearest = min(training["steps"], key=lambda row: abs(row["crop"] - crop))
    return _per_pixel(training, nearest, "step")


def _per_pixel(training: Mapping[str, Any], row: Mapping[str, float], what: str) -> float:
    """Seconds per pixel of a crop; on a CPU those of its cores, which others' programs leave alone."""
    seconds = row[f"seconds_per_{what}"]
    if "peak_gpu_memory_bytes" not in training:
        seconds = min(seconds, row[f"cpu_seconds_per_{what}"] / (training["threads"] or 1))
    return seconds / (row["crop"] ** 2 * row.get("batch_size", 1))


def _seconds(job: Mapping[str, Any]) -> float:
    return min(s for s in (job["seconds"], job["cpu_seconds"]) if s is not None)


def _footprint(training: Mapping[str, Any]) -> Footprint:
    return Footprint(**training["footprint"])


def split_images(config: Config, dataset: str, split: str) -> int | None:
    """Images of a split at its full amount; None where nobody knows, or the set has no such split."""
    known = config.catalogue_name(dataset)
    if known:
        facts = dataset_entry(known).splits.get(split)
        return facts.images if facts else None
    return getattr(config.datasets[dataset], split, None)


def tested_images(config: Config, dataset: str) -> int:
    """Images of a test set, :data:`UNKNOWN_IMAGES` where nobody knows."""
    return split_images(config, dataset, "test") or UNKNOWN_IMAGES


@dataclass(frozen=True)
class Device:
    """What times are scaled to.

    Attributes:
        title: its name.
        faster: how many times as fast as the device that rehearsed, on rules of :data:`ON_GPU`.
        memory: bytes; infinity for the device that rehearsed.
    """

    title: str
    faster: float = 1.0
    memory: float = math.inf

    def seconds(self, task: Task) -> float:
        """Seconds of a task on it; what needs no GPU takes as long as on the rehearsing device."""
        return task.seconds / self.faster if task.rule in ON_GPU else task.seconds


def makespan(every: Sequence[Task], device: Device, count: int | None) -> float:
    """Seconds until all are done on several of one device, the rest of the rules apart.

    Chains (a training and all that waits for it) go to the device that is free first, the longest
    chain first; no order can be faster than the longest chain.

    Args:
        every: tasks; those without a chain are left out.
        device: all are alike.
        count: of devices; None for as many as there are chains.
    """
    lengths: dict[str, float] = {}
    for task in every:
        if task.chain:
            lengths[task.chain] = lengths.get(task.chain, 0.0) + device.seconds(task)
    if not lengths:
        return 0.0
    free = [0.0] * min(count or len(lengths), len(lengths))
    for length in sorted(lengths.values(), reverse=True):
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


def too_large(every: Iterable[Task], device: Device) -> list[str]:
    """The trainings whose memory one device does not hold, by the title of their network."""
    return list(dict.fromkeys(t.chain.split("/")[0] for t in every if t.memory > device.memory))


def by_rule(every: Iterable[Task], device: Device) -> dict[str, tuple[int, float]]:
    """Number of jobs and seconds of every rule, in the order of the tasks."""
    found: dict[str, tuple[int, float]] = {}
    for task in every:
        jobs, seconds = found.get(task.rule, (0, 0.0))
        found[task.rule] = jobs + 1, seconds + device.seconds(task)
    return found


def disk(config: Config, measured: Mapping[str, Any]) -> dict[str, float]:
    """Bytes by what takes them: data sets at most, weights, checkpoints, restored images."""
    known = dict.fromkeys(filter(None, map(config.catalogue_name, config.datasets)))
    variants = [(name, v) for name, run in config.runs.items() for v in run.variants()]
    return {
        "data sets, at most": sum(1e9 * dataset_entry(name).unpacked_gb for name in known),
        "weights": sum(measured["trainings"][name]["weights_bytes"] for name, _ in variants),
        "one checkpoint, the largest": max(
            measured["trainings"][name]["footprint"]["state"] for name in config.runs
        ),
        "restored images": sum(
            measured["images"][dataset] * tested_images(config, dataset)
            for _, _, dataset in config.evaluations()
        ),
    }


def networks(config: Config) -> dict[str, str]:
    """Title of every run's network, for people."""
    return {name: run.title or model_card(run.network).title for name, run in config.runs.items()}
