"""Copies of the project for tests that change its files or run its workflow."""

import shutil
from functools import cache
from pathlib import Path

import torch
from helpers import ROOT, SMALL, noise

from derainbench.metrics.scorer import score_all
from derainbench.models.construction import build
from esdnet.fast import TRAINABLE, take_roads

PARTS = (
    "Snakefile",
    "environment.yml",
    "workflow",
    "profiles",
    "config",
    "derainbench",
    "esdnet",
    "baselines",
)


def copy_of_project(folder: Path) -> Path:
    """What the workflow needs, in a folder that is made if there is none; gives the folder."""
    _compile_loops()
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    return folder


@cache
def _compile_loops() -> None:
    """Compiled code is kept beside the sources and copied with them: else every copy compiles anew."""
    score_all(noise(32, 32), noise(32, 32, seed=1))
    network = build("esdnet", **SMALL["esdnet"])
    take_roads(network, TRAINABLE)
    network(torch.rand(1, 3, 16, 16)).mean().backward()
