"""Dry runs of the workflow, each in a fork of this process, which imports Snakemake once for all."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path

import snakemake.cli

OWN = ("derainbench", "esdnet", "baselines")


def planned(folder: Path, configuration: str) -> set[str]:
    """Rules that a run in a copy of the project would execute.

    Args:
        folder: the copy; Snakemake and the modules that are fingerprinted are its own.
        configuration: file below it.
    """
    options = ("--cores", "1", "--configfile", configuration, "--dry-run", "--quiet", "host")
    with tempfile.TemporaryFile() as file:
        process = os.fork()
        if not process:
            _become_dry_run(folder, options, file.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        file.seek(0)
        text = file.read().decode()
    assert status == 0, text
    return {line.split()[1].rstrip(":") for line in text.splitlines() if "rule " in line[:12]}


def _become_dry_run(folder: Path, options: tuple[str, ...], file: int) -> None:
    status = 1
    try:
        sys.settrace(None)  # of a measurement of coverage
        for number in (1, 2):
            os.dup2(file, number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
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
