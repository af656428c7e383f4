"""The record beside every result: what made it, from what, where and when."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from derainbench import __version__
from derainbench.foundation import reads
from derainbench.foundation.accelerator import accelerator
from derainbench.foundation.files import (
    RECORD_SUFFIX,
    STAGE_PREFIX,
    digest_of,
    sha256,
    write_json,
)
from derainbench.foundation.packages import ROOT, own_packages

PACKAGES = (
    "torch",
    "torchvision",
    "spikingjelly",
    "numba",
    "numpy",
    "pandas",
    "scikit-image",
    "pyiqa",
    "thop",
    "ptflops",
    "zeus",
    "matplotlib",
    "seaborn",
    "snakemake",
    "pillow",
)


def record(
    *,
    inputs: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    device: str | None = None,
    seed: int | None = None,
    measured: Mapping[str, Any] | None = None,
    processes: Mapping[int, int] | None = None,
) -> dict[str, Any]:
    """A provenance record of the present process.

    Args:
        inputs: digests of what was read, by a name for it.
        settings: the configuration in force.
        device: torch device that computed.
        seed: the run's seed.
        measured: time and memory that it took, where somebody looked.
        processes: of a training: how many epochs were computed by this many processes together.
    """
    return {
        "derainbench": __version__,
        "code": code_version(),
        "packages": package_versions(),
        "python": platform.python_version(),
        "machine": {
            "system": platform.platform(),
            "processor": processor(),
            "instructions": _instructions(),
            "cores": os.cpu_count(),
        },
        "device": device,
        "accelerator": accelerator(device),
        "threads": _threads(),
        **({"processes": dict(processes)} if processes else {}),
        "seed": seed,
        "settings": dict(settings or {}),
        "inputs": dict(inputs or {}),
        **({"measured": dict(measured)} if measured else {}),
        "command": shlex.join([_program(), *sys.argv[1:]]),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def write_record(
    output: Path, *others: Path, inputs: Mapping[str, str] | None = None, **kwargs: Any
) -> None:
    """Writes the record of ``output`` beside it, as ``<output>.provenance.json``.

    It holds the SHA-256 of the output, and of ``others`` made with it in the same folder:
    :mod:`derainbench.foundation.outputs` knows by them what was made here.

    Args:
        output: the result.
        others: further ones.
        inputs: digests of what it was computed from, by a name for it; default: of every file that
            was read for it, see :mod:`derainbench.foundation.reads`.
        kwargs: see :func:`record`.

    Raises:
        ValueError: if nothing was read for it and no inputs are given: a result out of nothing.
    """
    inputs = inputs or digests_of_reads(output)
    if not inputs:
        raise ValueError(f"{output.name}: no inputs are given for its record, and none were read")
    made = {file.name: sha256(file) for file in (output, *others) if file.is_file()}
    content = record(inputs=inputs, **kwargs) | {"outputs": made}
    write_json(output.with_name(output.name + RECORD_SUFFIX), content)


def digests_of_reads(output: Path) -> dict[str, str]:
    """SHA-256 of the files read for a result, what was made with it in one folder apart."""
    in_stage = output.parent.name.startswith(STAGE_PREFIX)
    files = [
        file
        for file in reads.read_here()
        if file != output and not (in_stage and file.is_relative_to(output.parent))
    ]
    named = sorted(reads.names(files).items())
    return {name: _digest(file, *_state(file)) for name, file in named}


def _state(file: Path) -> tuple[int, int]:
    facts = file.stat()
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=4096)  # tables share most of what they are computed from
def _digest(file: Path, _modified: int, _size: int) -> str:
    return sha256(file)


def _program() -> str:
    name = Path(sys.argv[0]).name
    return "derainbench" if name == "__main__.py" else name


@cache
def code_version() -> dict[str, Any]:
    """Git commit and cleanness where there is a checkout, and a digest of the source always."""
    packages = own_packages()
    files = [f for p in packages for f in (ROOT / p).rglob("*") if f.suffix in (".py", ".yaml")]
    version: dict[str, Any] = {"source_sha256": digest_of(files, ROOT)}
    commit: str | None = None
    modified: bool | None = None
    try:
        # A copy without .git may lie in somebody else's repository, whose commit says nothing of it.
        if Path(_git("rev-parse", "--show-toplevel")).samefile(ROOT):
            commit = _git("rev-parse", "HEAD")
            modified = bool(_git("status", "--porcelain", "--", *packages))
    except (OSError, subprocess.CalledProcessError):
        pass  # no checkout, or no git: the digest still identifies the code
    return version | {"commit": commit, "modified": modified}


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def _instructions() -> str | None:
    """The vector instructions that torch uses (AVX2, AVX512): sums round differently with others.

    Virtual machines give processors of several generations one name.
    """
    torch = sys.modules.get("torch")
    return torch.backends.cpu.get_cpu_capability() if torch else None


def source_digest(files: Iterable[Path]) -> str:
    """SHA-256 over source files of this project."""
    return digest_of(files, ROOT)


def key_of(content: Mapping[str, Any]) -> str:
    """A short stable name for a mapping: the start of the SHA-256 of its sorted JSON."""
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
