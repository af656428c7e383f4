"""Which source files decide which result; models by name. Nothing heavy is imported here.

Snakemake gives a rule the files of its stage as inputs, so that editing the training code
retrains and editing a plot does not.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from baselines import registry
from derainbench.errors import BenchError
from derainbench.suggest import did_you_mean

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent
ESDNET = "esdnet"

_READING = ("data/images.py", "data/pairs.py", "data/crops.py")
# With models.py: where a model's name and its weight file lead.
_WEIGHTS = ("baselines/registry.py", "esdnet/weights.py")
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
    "energy": (
        "energy/account.py",
        "energy/counting.py",
        "energy/scenarios.py",
        "catalog/operators.yaml",
        "device.py",
        "models.py",
        *_READING,
    ),
    "scenarios": (
        "audit/energy.py",
        "audit/statistics.py",
        "energy/account.py",
        "energy/counting.py",
        "energy/scenarios.py",
        "catalog/costs.yaml",
        "catalog/scenarios.yaml",
        "report/collect.py",
    ),
    "estimators": (
        "energy/estimat*.py",
        "energy/folding.py",
        "energy/account.py",
        "energy/counting.py",
        "energy/scenarios.py",
        "catalog/operators.yaml",
        "catalog/costs.yaml",
        "catalog/scenarios.yaml",
        "device.py",
        "models.py",
        *_READING,
    ),
    "crosscheck": (
        "energy/crosscheck.py",
        "energy/counters.py",
        "energy/differences.py",
        "energy/counting.py",
        "models.py",
        "baselines/*.py",
        "esdnet/*.py",
    ),
    "spikes": (
        "energy/spikes.py",
        "audit/spikerates.py",
        "audit/statistics.py",
        "device.py",
        "models.py",
        *_READING,
    ),
    "energy_figures": (
        "report/energy.py",
        "report/collect.py",
        "report/style.py",
        "energy/scenarios.py",
        "catalog/costs.yaml",
        "catalog/scenarios.yaml",
    ),
    "spike_figures": ("report/spikes.py", "report/collect.py", "report/style.py"),
    "joules": ("energy/joules.py", "energy/power.py", "device.py", "models.py"),
    "rate": ("evaluation/noreference.py", "data/images.py"),
    "structure": (
        "report/structure.py",
        "energy/counting.py",
        "energy/account.py",
        "catalog/operators.yaml",
        "models.py",
        "cards.py",
        "catalog/models/*.yaml",
        "baselines/*.py",
        "esdnet/*.py",
    ),
    "audit": (
        "audit/ledger.py",
        "audit/verdicts.py",
        "audit/case.py",
        "audit/claims_*.py",
        "audit/selection.py",
        "audit/statistics.py",
        "catalog/claims/*.yaml",
        "energy/scenarios.py",
        "report/collect.py",
        "training/schedule.py",
    ),
    "tables": (
        "report/claims.py",
        "report/collect.py",
        "report/cells.py",
        "report/tables.py",
        "report/energy.py",
        "energy/scenarios.py",
        "catalog/costs.yaml",
        "catalog/scenarios.yaml",
        "report/realrain.py",
        "report/statistics.py",
        "audit/scores.py",
        "audit/selection.py",
        "audit/statistics.py",
        "data/catalogue.py",
        "catalog/datasets/*.yaml",
        "published.py",
        "catalog/published/*.csv",
    ),
    "figures": (
        "report/collect.py",
        "report/figures.py",
        "report/style.py",
        "published.py",
        "catalog/published_points/*.csv",
    ),
    "paper": (
        "report/paper*.py",
        "report/ablations.py",
        "report/architecture*.py",
        "report/cells.py",
        "report/collect.py",
        "report/energy.py",
        "report/figures.py",
        "report/realrain.py",
        "report/style.py",
        "report/tables.py",
        "audit/ledger.py",
        "audit/scores.py",
        "audit/statistics.py",
        "cards.py",
        "energy/account.py",
        "energy/counting.py",
        "energy/scenarios.py",
        "catalog/paper.yaml",
        "catalog/claims/*.yaml",
        "catalog/costs.yaml",
        "catalog/datasets/*.yaml",
        "catalog/models/*.yaml",
        "published.py",
        "catalog/published/*.csv",
        "catalog/published_points/*.csv",
        "catalog/scenarios.yaml",
        "models.py",
        "esdnet/*.py",
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


def is_spiking(name: str) -> bool:
    """Whether a model computes with spikes, as its fact card says."""
    return bool(_facts(name).get("spiking"))


def twin_of(name: str) -> str | None:
    """The spiking model whose topology an ANN shares, as its fact card says."""
    return _facts(name).get("twin_of")


def _facts(name: str) -> dict[str, Any]:
    file = PACKAGE / "catalog" / "models" / f"{known_model(name)}.yaml"
    return _read_facts(file, file.stat().st_mtime_ns) if file.is_file() else {}


@cache
def _read_facts(file: Path, _changed: int) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def of_model(name: str) -> list[Path]:
    """The files that decide what a model computes, its own first.

    Not the registry, though every baseline imports it: it decides how models are used.
    """
    known = known_model(name)
    if known == ESDNET:
        return _esdnet_files()
    files = [registry.index()[known]]
    for file in files:  # what these import joins them while they are gone through
        files += [f for f in _imported(file) if f not in files and f.stem != "registry"]
    return files


def _esdnet_files() -> list[Path]:
    return sorted((ROOT / "esdnet").glob("*.py"))


def _imported(file: Path) -> list[Path]:
    """Baselines and files of ESDNet that a baseline imports; nothing is imported here."""
    files: list[Path] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        for package, *modules in _imported_names(node):
            if package == "esdnet":
                files += _esdnet_files()
            elif package == "baselines" and modules:
                files.append(file.parent / f"{modules[0]}.py")
    return [f for f in dict.fromkeys(files) if f.is_file()]


def _imported_names(node: ast.AST) -> list[list[str]]:
    """What a statement imports, dotted names split: ``from a import b`` gives ``[[a, b]]``."""
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        package = ("baselines",) if node.level else ()
        module = (node.module,) if node.module else ()
        names = [".".join((*package, *module, alias.name)) for alias in node.names]
    return [name.split(".") for name in names]


def of_stage(stage: str) -> list[Path]:
    """The files, models apart, that decide what a stage writes."""
    patterns = _STAGES[stage] + (_WEIGHTS if "models.py" in _STAGES[stage] else ())
    return list(dict.fromkeys(file for pattern in patterns for file in _matching(pattern)))


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
