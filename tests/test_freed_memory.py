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


# An image in tiles, eight together, and what a training step makes of a network.
VALUES = """
import hashlib
import torch
from derainbench.evaluation.inference import restore_tiled
from derainbench.foundation.freed_memory import keep_freed_memory
from derainbench.models.construction import build
from derainbench.catalog.model_cards import model_card

keep_freed_memory()
torch.manual_seed(0)
network = build("esdnet", dim=16, en_num_blocks=[1, 1, 1], de_num_blocks=[1, 1, 1])
image = torch.rand(3, 160, 240)
network(image[None, :, :64, :64]).square().mean().backward()
tiling = model_card("esdnet").network.tiling
with torch.no_grad():
    restored = restore_tiled(network.eval(), image, tiling)
numbers = [restored, *(parameter.grad for parameter in network.parameters())]
print(hashlib.sha256(b"".join(t.numpy().tobytes() for t in numbers)).hexdigest())
"""


def printed(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | PLAIN | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()[-1]


def faults(**environment: str) -> int:
    return int(printed(FAULTS, **environment))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_memory_that_was_freed_is_used_again_unless_that_is_switched_off():
    pages = 40 * 2**20 // os.sysconf("SC_PAGE_SIZE")
    assert faults() < pages
    assert faults(**{SWITCH: "0"}) > 10 * pages


def test_kept_memory_changes_no_bit():
    assert printed(VALUES) == printed(VALUES, **{SWITCH: "0"})


def test_another_c_library_is_left_as_it_is(monkeypatch):
    from derainbench.foundation import freed_memory

    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda _: object())
    assert not freed_memory.keep_freed_memory()
