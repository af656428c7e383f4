"""Which source files decide which result; models by name. Nothing heavy is imported here.

Snakemake gives a rule the files of its stage as inputs, so that editing the training code
retrains and editing a plot does not.
"""

from __future__ import annotations

import ast
from pathlib import Path

import yaml

from baselines import registry
from derainbench.errors import BenchError
from derainbench.suggest import did_you_mean

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
ESDNET = "esdnet"

_READING = ("data/images.py", "data/pairs.py", "data/crops.py")
_STAGES = {
    "synthesise": ("data/synthesise.py", "data/rain.py", "data/images.py", "catalog/rain.yaml"),
    "recomposite": ("data/recomposite.py", *_READING),
    "verify": (
        "data/verify.py",
        "data/pixels.py",
        "data/catalogue.py",
        "data/images.py",
        "data/pairs.py",
        "evaluation/protocols.py",
        "catalog/datasets/*.yaml",
        "catalog/digests/*.csv",
    ),
    "data_card": ("report/cards.py", "report/style.py"),
    "leaks": ("data/leaks.py", "report/leaks.py", "report/style.py"),
    "train": ("training/*.py", "device.py", *_READING),
    "evaluate": ("evaluation/*.py", "device.py", "models.py", *_READING),
    "energy": ("energy/*.py", "catalog/costs.yaml", "device.py", "models.py", *_READING),
    "rate": ("evaluation/noreference.py", "data/images.py"),
    "structure": (
        "report/structure.py",
        "energy/counting.py",
        "energy/account.py",
        "models.py",
        "cards.py",
        "catalog/models/*.yaml",
        "baselines/*.py",
        "esdnet/*.py",
    ),
    "tables": (
        "report/collect.py",
        "report/cells.py",
        "report/tables.py",
        "report/realrain.py",
        "audit/statistics.py",
        "catalog/published.csv",
    ),
    "figures": (
        "report/collect.py",
        "report/figures.py",
        "report/style.py",
        "catalog/published_points.csv",
    ),
    "report": ("report/*.py", "report/templates/*"),
}


def model_names() -> list[str]:
    """Names of all models, ESDNet first."""
    return [ESDNET, *registry.index()]


def known_model(name: str) -> str:
    """The registry's spelling of a model name; case and ``-``/``_`` do not matter.

    Raises:
        BenchError: for an unknown name.
    """
    for known in model_names():
        if known.replace("-", "_") == name.lower().replace("-", "_"):
            return known
    raise BenchError(f"unknown model '{name}'{did_you_mean(name.lower(), model_names())}")


def of_model(name: str) -> list[Path]:
    """The files that define a model."""
    esdnet_files = sorted((ROOT / "esdnet").glob("*.py"))
    known = known_model(name)
    if known == ESDNET:
        return esdnet_files
    file = registry.index()[known]
    return [file, *(esdnet_files if _imports_esdnet(file) else [])]


def _imports_esdnet(file: Path) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith("esdnet")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    )


def of_stage(stage: str) -> list[Path]:
    """The files, models apart, that decide what a stage writes."""
    return [file for pattern in _STAGES[stage] for file in _matching(pattern)]


def _matching(pattern: str) -> list[Path]:
    base = ROOT if pattern.startswith(("baselines/", "esdnet/")) else PACKAGE
    return sorted(base.glob(pattern))


def of_recipe(name: str) -> list[Path]:
    """The files that a recipe is read from: its own and that of its base."""
    folder = PACKAGE / "catalog" / "recipes"
    file = Path(name) if Path(name).suffix in (".yaml", ".yml") else folder / f"{name}.yaml"
    if not file.is_file():
        return []  # the check of the configuration says what is wrong
    base = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("base")
    return [file, *(of_recipe(base) if base else [])]


def of_training(model: str) -> list[Path]:
    """The files that decide what training a model yields."""
    return of_stage("train") + of_model(model)
