"""What records say of a GPU that computed: its name, its libraries, and by which kernels.

Nothing is imported here: a process that computed on a GPU has torch and spikingjelly loaded.
"""

from __future__ import annotations

import sys
from typing import Any


def accelerator(device: str | None) -> dict[str, Any] | None:
    """Facts of the GPU that a result was computed on; None for a CPU.

    Args:
        device: torch's name for it, such as "cuda:0".

    Returns:
        ``name``; versions of ``cuda`` and ``cudnn``; whether float32 may be rounded to ``tf32``;
        ``deterministic``, torch's mode ("default", "warn" or "error"); and :func:`neuron_kernels`.
    """
    torch = sys.modules.get("torch")
    if torch is None or not (device or "").startswith("cuda"):
        return None
    return {
        "name": torch.cuda.get_device_name(device),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "tf32": torch.backends.cudnn.allow_tf32,
        "deterministic": ("default", "warn", "error")[torch.get_deterministic_debug_mode()],
        "neuron_kernels": neuron_kernels(),
    }


def neuron_kernels() -> dict[str, list[str]]:
    """The kernels that spikingjelly has chosen for neurons on GPUs in this process, by operator.

    It chooses by itself, when a neuron first computes on a GPU: its own CUDA extension if that was
    built, else Triton, else plain torch; and plain torch for inputs that no kernel takes. It says so
    in its log alone, so this reads what it keeps (spikingjelly 2.0.0, ``_ops/selection.py``).

    Returns:
        By operator, such as "sj_lif": what ran, and why nothing faster did.
    """
    found = {}
    for name, module in sorted(sys.modules.items()):
        if not name.startswith("spikingjelly._ops."):
            continue
        selection = getattr(module, "_selection", None)
        if selection is None:
            continue
        ran = [
            f"torch: {key[1]}" if chosen is None else _described(chosen)
            for key, chosen in selection._selections.items()
        ]
        ran += [f"{_described(c)}, compiled" for c in selection._compiled_selections.values()]
        if ran:
            found[selection._namespace] = ran
    return found


def _described(chosen: Any) -> str:
    reasons = [f"{name}: {reason.split('. ')[0]}" for name, reason in chosen.unavailable.items()]
    return f"{chosen.name} (not {'; not '.join(reasons)})" if reasons else chosen.name
