"""Dry runs of the workflow, each in a fork of a process that has imported Snakemake once for all.

Forks of the tests' own process would hang: the import graph is read by threads, which no fork takes along.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

OWN = ("derainbench", "esdnet", "baselines")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["snakemake.cli", "dry_runs"])


def planned(folder: Path, configuration: str) -> set[str]:
    """Rules that a run in a copy of the project would execute.

    Args:
        folder: the copy; Snakemake and the modules that are fingerprinted are its own.
        configuration: file below it.
    """
    output = folder / "dry-run.txt"
    options = ("--cores", "1", "--configfile", configuration, "--dry-run", "--quiet", "host")
    process = _FORKS.Process(target=_dry_run, args=(folder, options, output))
    process.start()
    process.join()
    text = output.read_text()
    output.unlink()
    assert process.exitcode == 0, text
    return {line.split()[1].rstrip(":") for line in text.splitlines() if "rule " in line[:12]}


def _dry_run(folder: Path, options: tuple[str, ...], output: Path) -> None:
    import snakemake.cli

    status = 1
    with output.open("w") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        os.chdir(folder)
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
            del sys.modules[name]  # they are those of the tests, not of the copy
        importlib.invalidate_caches()
        snakemake.cli.main([*options])
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
