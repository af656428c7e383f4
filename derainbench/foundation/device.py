"""Choosing the device, threads, and how exact and repeatable arithmetic is."""

from __future__ import annotations

import os
import re

import torch

from derainbench.foundation.errors import BenchError

MAX_THREADS = 1024  # torch starts as many as it is told, and no machine runs more
# How repeatable arithmetic is, and torch's name for it: "repeatable" takes kernels that give the same
# bits in every run wherever torch has one, and warns where it has none; "strict" refuses there; "fast"
# takes what is quickest, after trying cuDNN's kernels for every new shape.
DETERMINISM = {"repeatable": "warn", "strict": "error", "fast": "default"}


def prepare(
    device: str = "auto",
    seed: int | None = None,
    *,
    determinism: str = "repeatable",
    tf32: bool = False,
) -> torch.device:
    """Chooses a device and how torch computes on it.

    Threads follow ``OMP_NUM_THREADS``, which Snakemake sets from a rule's ``threads:``.

    Args:
        device: "auto" (a GPU where there is one), "cpu", "cuda" or "cuda:N".
        seed: seeds torch when given.
        determinism: one of :data:`DETERMINISM`.
        tf32: let a GPU compute products and convolutions of float32 in TF32. Left to itself torch does so
            for convolutions.

    Raises:
        BenchError: if the device does not exist here.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        if chosen.type not in ("cpu", "cuda"):
            raise RuntimeError(f"unsupported device type {chosen.type}")
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise BenchError(
            f"device '{device}' is not available on this machine; use cpu or auto"
        ) from error
    if threads := wanted_threads():
        torch.set_num_threads(threads)
    if seed is not None:
        torch.manual_seed(seed)
    # use_deterministic_algorithms does the same, but imports the compiler, which takes seconds.
    torch.set_deterministic_debug_mode(DETERMINISM[determinism])
    # That mode also fills fresh memory with NaN, to expose reads of it: time without a benefit here.
    # A property of a module that is replaced by a class: torch's own types do not know it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = determinism == "fast"
    if chosen.type == "cuda" and determinism != "fast":
        # cuBLAS repeats itself with workspaces of its own only; it reads this when it starts.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Not through fp32_precision, torch's newer name: after it, readers of this one fail (2.14.1).
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    # One kernel for whole layers of attention, in eval mode only: its products cannot be counted,
    # and what is counted must be what is computed.
    torch.backends.mha.set_fastpath_enabled(False)
    return chosen


def wanted_threads() -> int | None:
    """How many threads ``OMP_NUM_THREADS`` asks for; None if it is not set, or says nothing.

    As in OpenMP it may be a list, one number per level of nested regions (clusters set ``4,2``):
    the first counts. What OpenMP would ignore is ignored here.
    """
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    threads = int(first) if re.fullmatch(r"\+?[0-9]{1,6}", first) else 0
    return min(threads, MAX_THREADS) or None
