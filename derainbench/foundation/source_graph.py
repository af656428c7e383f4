"""Which source files decide what a module computes: its own, and those of all that it imports.

The import graph is read off the source (https://grimp.readthedocs.io), imports inside functions
included; nothing is imported for it. A new module is noticed as soon as something imports it.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import grimp

from derainbench.foundation.packages import own_packages

# Modules that no number depends on, with the reason. They, and what only they import, are left out.
NEUTRAL = {
    "derainbench": "holds the version's number",
    "derainbench.foundation": "holds nothing",
    "derainbench.foundation.accelerator": "which GPU and kernels a record names",
    "derainbench.foundation.errors": "one kind of exception",
    "derainbench.foundation.suggestions": "the wording of messages",
    "derainbench.foundation.progress": "progress bars",
    "derainbench.foundation.freed_memory": "where freed memory goes, not what is computed in it",
    "derainbench.foundation.files": "how files are written and hashed, not what is in them",
    "derainbench.foundation.outputs": "which files may be replaced, not what is in them",
    "derainbench.foundation.locks": "who may write, not what",
    "derainbench.foundation.owner": "when a job ends, not what it computes",
    "derainbench.foundation.packages": "the names of packages",
    "derainbench.foundation.provenance": "the records beside results",
    "derainbench.foundation.reads": "which files were read, not what is in them",
    "derainbench.foundation.seeds": "the largest seed that is taken, not what follows from one",
    "derainbench.foundation.stopping": "how a process ends, not what it computes",
    "derainbench.foundation.stop_requests": "when a process stops, not what it computes",
    "derainbench.foundation.source_graph": "what is computed again, not what is computed",
    "derainbench.training.parallel": "holds nothing",
    "derainbench.training.parallel.launching": "how processes start, not what they compute",
    "derainbench.workflow": "holds nothing",
    "derainbench.workflow.fork_call": "which process a job runs in, not what it computes",
    "derainbench.workflow.fork_server": "which process a job runs in, not what it computes",
}


def modules_behind(roots: Iterable[str]) -> frozenset[str]:
    """Modules of this project, or of outside models, that decide what some modules compute.

    Args:
        roots: dotted names of modules.

    Returns:
        The roots and all that they import, directly or not, with the packages that they lie in;
        modules of :data:`NEUTRAL` apart.

    Raises:
        ValueError: for a module that does not exist.
    """
    roots = frozenset(roots)
    graph = _graph(_top_levels(roots))
    found: set[str] = set()
    waiting = [*roots]
    while waiting:
        module = waiting.pop()
        if module in found or module in NEUTRAL:
            continue
        if module not in graph.modules:
            raise ValueError(f"no module {module}")
        if graph.is_module_squashed(module):  # a library
            continue
        found.add(module)
        waiting += graph.find_modules_directly_imported_by(module)
        package = module.rpartition(".")[0]
        waiting += [package] if package else []  # its __init__ runs first
    return frozenset(found)


def libraries_behind(modules: Iterable[str]) -> dict[str, str]:
    """Installed libraries that some modules import themselves, and their versions."""
    modules = frozenset(modules)
    graph = _graph(_top_levels(modules))
    imported = {
        other
        for module in modules
        for other in graph.find_modules_directly_imported_by(module)
        if graph.is_module_squashed(other)
    }
    return dict(sorted(library for package in imported for library in _installed(package)))


def source_files(modules: Iterable[str]) -> list[Path]:
    """The files of modules, sorted."""
    return sorted(_file_of(module) for module in modules)


def catalog_patterns(modules: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What modules declare as ``CATALOG_FILES``, by module: the files of the catalogue they read."""
    found = {}
    for module in sorted(modules):
        file = _file_of(module)
        if patterns := _declared(file, file.stat().st_mtime_ns):
            found[module] = patterns
    return found


@cache
def _declared(file: Path, _modified: int) -> tuple[str, ...]:
    constants: dict[str, tuple[str, ...]] = {}
    text = file.read_text(encoding="utf-8")
    if "CATALOG_FILES" not in text:
        return ()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                constants[node.targets[0].id] = _strings(node.value, constants)
            except (ValueError, KeyError):
                continue
    return constants.get("CATALOG_FILES", ())


def _strings(node: ast.expr, constants: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A tuple of strings, written out or put together from such constants above it."""
    if isinstance(node, ast.Name):
        return constants[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _strings(node.left, constants) + _strings(node.right, constants)
    value = ast.literal_eval(node)
    if not isinstance(value, tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("not strings")
    return value


def _top_levels(modules: Iterable[str]) -> tuple[str, ...]:
    """The packages whose source is looked at: this project's, then those of outside models."""
    others = {module.partition(".")[0] for module in modules} - set(own_packages())
    return (*own_packages(), *sorted(others))


@cache
def _graph(packages: tuple[str, ...]) -> grimp.ImportGraph:
    return grimp.build_graph(
        *packages,
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


@cache
def _installed(package: str) -> tuple[tuple[str, str], ...]:
    """Names and versions of the distributions that install a package."""
    return tuple((d.name, d.version) for d in _distributions().get(package, ()))


@cache
def _distributions() -> dict[str, list[metadata.Distribution]]:
    """By the packages that they install; :func:`importlib.metadata.packages_distributions` says
    the same, but reads every list of files as paths, which takes most of a dry run.
    """
    installed: dict[str, list[metadata.Distribution]] = {}
    for distribution in metadata.distributions():
        files = (distribution.read_text("RECORD") or "").splitlines()
        declared = (distribution.read_text("top_level.txt") or "").split()
        for package in {*declared, *(file.split("/", 1)[0].split(",", 1)[0] for file in files)}:
            installed.setdefault(package.removesuffix(".py"), []).append(distribution)
    return installed


@cache
def _file_of(module: str) -> Path:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        raise ValueError(f"no module {module}")
    path = Path(spec.origin).parent.joinpath(*rest)
    package = path / "__init__.py"
    return package if package.is_file() else path.with_suffix(".py")
