"""Runs a rehearsal: the workflow itself, with a derived configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import yaml

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import Recipe
from derainbench.config.runs import Run
from derainbench.config.schema import Config
from derainbench.foundation.convolution_speed import convolution_speed
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json, write_text
from derainbench.foundation.owner import FORK_SERVER
from derainbench.foundation.packages import ROOT
from derainbench.models.construction import build
from derainbench.rehearsal.derivation import LEAST_MEMORY_MB, Limits, derived
from derainbench.rehearsal.measurements import FOOTPRINTS, MEASURED, gather
from derainbench.training.footprint import Footprint
from derainbench.training.measurement import training_footprint

TRIED_SIDE = 64  # pixels of the crop that memory is foreseen from
CONFIGURATION = "rehearsal.yaml"


def limits_of(memory_gb: float | None, batch: int | None, seeds: int, cores: int | None) -> Limits:
    """Limits from options; by default all cores and half of the machine's memory.

    Raises:
        BenchError: if that is less memory than the rules of the workflow ask for.
    """
    memory_mb = int(1000 * memory_gb if memory_gb else _memory() / 2e6)
    if memory_mb < LEAST_MEMORY_MB:
        raise BenchError(
            f"a rehearsal takes {LEAST_MEMORY_MB / 1000:g} GB of memory, and may have "
            f"{memory_mb / 1000:.1f}: half of this machine's, or what --memory says"
        )
    return Limits(memory_mb, batch, seeds, cores or os.cpu_count() or 1)


def _memory() -> int:
    """Bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Foresight:
    """The memory that the training of a run takes, tried once for every network and recipe.

    See :func:`~derainbench.training.measurement.training_footprint`.
    """

    def __init__(self) -> None:
        self._known: dict[str, Footprint] = {}

    def __call__(self, run: Run, recipe: Recipe) -> Footprint:
        key = json.dumps([run.network, run.kwargs, recipe.model_dump()], sort_keys=True)
        if key not in self._known:
            network = model_card(run.network).network
            multiple = network.fixed_size or network.size_multiple
            side = min(-(-TRIED_SIDE // multiple) * multiple, *recipe.crop_sides)
            model = build(run.network, **run.kwargs)
            self._known[key] = training_footprint(model, recipe, side)
        return self._known[key]


def write_configuration(config: Config, limits: Limits) -> tuple[Config, Path]:
    """Derives the rehearsal's configuration and writes it into its folder of results."""
    foresight = Foresight()
    rehearsal = derived(config, limits, foresight)
    folder = Path(rehearsal.results)
    write_json(
        folder / FOOTPRINTS,
        {n: asdict(foresight(run, config.recipe(n))) for n, run in config.runs.items()},
    )
    file = folder / CONFIGURATION
    values = rehearsal.model_dump(mode="json", exclude_none=True)
    write_text(file, yaml.safe_dump(values, sort_keys=False, width=100))
    return rehearsal, file


def run_workflow(file: Path, limits: Limits) -> int:
    """Runs every rule of the workflow with a configuration; gives Snakemake's exit status.

    A job that fails does not stop those that do not need it: one rehearsal finds all that fails. Each
    job is a process of its own, so that Snakemake measures it.
    """
    snakefile = ROOT / "Snakefile"
    if not snakefile.is_file() or find_spec("snakemake") is None:
        raise BenchError(f"{snakefile}: no such file; a rehearsal needs a checkout and Snakemake")
    arguments = ["--snakefile", snakefile, "--configfile", file, "--cores", limits.cores]
    arguments += ["--resources", f"mem_mb={limits.memory_mb}", "gpu=1", "meter=1"]
    # One training at a time: it may take all of the memory.
    arguments += ["--set-resources", f"train:mem_mb={limits.memory_mb}", "--keep-going"]
    command = [sys.executable, "-m", "derainbench.workflow.run", *map(str, arguments)]
    environment = os.environ | {FORK_SERVER: ""}
    return subprocess.run(command, env=environment, check=False).returncode


def measured(config: Config, rehearsal: Config) -> Path:
    """Writes what a rehearsal took into its folder of results; gives the file."""
    file = Path(rehearsal.results) / MEASURED
    speed = convolution_speed(prepare(rehearsal.device))
    write_json(file, gather(config, rehearsal, speed))
    return file
