"""What decides the result of a verb: code, files of the catalogue, libraries.

A fingerprint is a parameter of the verb's rule, so that Snakemake runs the rule again when it
changes, in the same run. It follows from imports alone: those inside the verb's function, and all
that these modules import. Where a verb builds networks, their code belongs to it; of model cards and
recipes only what the run uses, so that another licence retrains nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperGroup

from derainbench.catalog import model_cards, recipes
from derainbench.catalog.files import CATALOG, matching, read_yaml
from derainbench.catalog.model_cards import all_cards, model_card
from derainbench.foundation.source_graph import (
    catalog_patterns,
    libraries_behind,
    modules_behind,
    source_files,
)

# Whoever imports this module builds networks by name.
BUILDING = "derainbench.models.construction"


def fingerprint(
    verb: str,
    *,
    models: Collection[str] | None = None,
    recipe: recipes.Recipe | None = None,
) -> dict[str, str]:
    """What decides a verb's result besides its arguments and inputs.

    Args:
        verb: as on the command line, such as ``"train"`` or ``"data verify"``.
        models: those that it is about; default: all, if it builds networks at all.
        recipe: that it trains by.

    Returns:
        Short digests of code, catalogue, cards and recipe, and the libraries' versions; empty parts
        are left out.

    Raises:
        ValueError: for an unknown verb.
        BenchError: for an unknown model.
    """
    modules = set(modules_behind(verb_modules(verb)))
    parts = {}
    if BUILDING in modules:
        cards = [model_card(name) for name in models] if models else list(all_cards().values())
        modules |= modules_behind(card.network.module for card in cards)
        if models:
            parts["cards"] = _digest_of_values(
                {c.name: [c.network.model_dump(), c.spiking, c.counterpart_of] for c in cards}
            )
    patterns = catalog_patterns(modules)
    if models:
        patterns.pop(model_cards.__name__, None)
    if recipe:
        patterns.pop(recipes.__name__, None)
        parts["recipe"] = _digest_of_values(recipe.model_dump())
    parts["code"] = _digest_of_files(source_files(modules))
    files = matching(*(pattern for several in patterns.values() for pattern in several))
    if files:
        parts["catalog"] = _digest_of_files(files)
    libraries = libraries_behind(modules)
    parts["libraries"] = ", ".join(f"{name} {version}" for name, version in libraries.items())
    return parts


def verb_modules(verb: str) -> frozenset[str]:
    """The modules of this project that a verb's function imports when it is called.

    Raises:
        ValueError: for an unknown verb.
    """
    command: Any = _commands()
    for part in verb.split():
        if part not in getattr(command, "commands", {}):
            raise ValueError(f"no verb '{verb}'")
        command = command.commands[part]
    function = inspect.unwrap(command.callback)
    return _imported_by(function.__module__, function.__name__)


def all_verbs() -> list[str]:
    """Every verb, as :func:`verb_modules` takes it."""
    return list(_verbs_of(_commands(), ()))


def _verbs_of(command: Any, names: tuple[str, ...]) -> Iterable[str]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from _verbs_of(inner, (*names, name))
    if names and not hasattr(command, "commands"):
        yield " ".join(names)


@functools.cache
def _commands() -> TyperGroup:
    from derainbench.cli import app

    return typer.main.get_group(app)


@functools.cache
def _imported_by(module: str, name: str) -> frozenset[str]:
    """What a function imports, and the functions of its module that it calls."""
    tree = _tree(module)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    waiting, seen, found = [name], set(), set()
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for node in ast.walk(functions[current]):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= set(_modules_named(node))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                waiting += [node.func.id] if node.func.id in functions else []
    return frozenset(found)


def _modules_named(node: ast.ImportFrom) -> Iterable[str]:
    """``from a.b import c`` names the module a.b.c if there is one, else a.b."""
    for alias in node.names:
        whole = f"{node.module}.{alias.name}"
        yield whole if _is_module(whole) else str(node.module)


@functools.cache
def _is_module(name: str) -> bool:
    try:
        return bool(source_files([name])[0].is_file())
    except ValueError:
        return False


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(source_files([module])[0].read_text(encoding="utf-8"))


def _digest_of_values(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of_files(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for file in sorted(files):
        name = file.relative_to(CATALOG.parent.parent) if _is_ours(file) else file.name
        total.update(f"{name} {_file_digest(file, file.stat().st_mtime_ns)}\n".encode())
    return total.hexdigest()[:16]


def _is_ours(file: Path) -> bool:
    return file.is_relative_to(CATALOG.parent.parent)


@functools.cache
def _file_digest(file: Path, _modified: int) -> str:
    """Of a file of the catalogue by what it says: comments and layout of YAML are left out."""
    if file.suffix == ".yaml":
        return _digest_of_values(read_yaml(file))
    return hashlib.sha256(file.read_bytes()).hexdigest()
