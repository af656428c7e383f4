"""The command line's processes keep the memory that they free."""

import os
import platform
import subprocess
import sys

import pytest

from derainbench.foundation.freed_memory import SWITCH

# What a process does after the command line has started in it: arrays of 40 MB that come and go.
FAULTS = """
import contextlib, resource, sys
import numpy as np
from derainbench.__main__ import main

sys.argv = ["derainbench", "--version"]
with contextlib.suppress(SystemExit):
    main()
np.ones(10 * 2**20, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(10 * 2**20, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
# numpy asks for huge pages, which hide how often pages are asked for.
PLAIN = {"NUMPY_MADVISE_HUGEPAGE": "0"}


def faults(**environment: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS],
        env=os.environ | PLAIN | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_that_was_freed_is_used_again_unless_that_is_switched_off():
    pages = 40 * 2**20 // os.sysconf("SC_PAGE_SIZE")
    assert faults() < pages
    assert faults(**{SWITCH: "0"}) > 10 * pages


def test_another_c_library_is_left_as_it_is(monkeypatch):
    from derainbench.foundation import freed_memory

    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda _: object())
    assert not freed_memory.keep_freed_memory()
