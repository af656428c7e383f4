"""The baselines as tests see them: what golden values belong to which.

    python tests/networks.py FOLDER

writes ``tests/structure.json`` from the manifests in FOLDER/golden/baselines, so
that every network's structure is held to the official one where that folder is not at hand.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers import SMALL, read_json
from torch import nn

from derainbench.models.construction import build

STRUCTURE = Path(__file__).with_name("structure.json")


@dataclass(frozen=True)
class Network:
    """A network that golden values are of.

    Attributes:
        model: its name in the registry.
        kwargs: constructor arguments, where the defaults are another variant.
        method: what gives the golden ``y``: "forward", or "native" for networks that compute in
            [0,255] and whose golden ``x`` in [0,1] is taken as it is.
    """

    model: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    method: str = "forward"

    def build(self) -> nn.Module:
        return build(self.model, **self.kwargs)


_NAFNET_SIDD = {
    "enc_blk_nums": [2, 2, 4, 8],
    "middle_blk_num": 12,
    "dec_blk_nums": [2, 2, 2, 2],
}
# Name of the golden values: network.
NETWORKS = {
    "PReNet": Network("prenet"),
    "PReNet_r": Network("prenet_r"),
    "PRN": Network("prn"),
    "PRN_r": Network("prn_r"),
    "BRN": Network("brn"),
    "DDN": Network("ddn"),
    "DRSformer": Network("drsformer"),
    "DRSformer_noMEFC": Network("drsformer_nomefc"),
    "EfficientDerain": Network("efficientderain"),
    "IDT": Network("idt"),
    "MPRNet": Network("mprnet"),
    "NAFNet_width32": Network("nafnet"),
    "NAFNet_width32_SIDD": Network("nafnet", _NAFNET_SIDD),
    "RCDNet": Network("rcdnet", method="native"),
    "RCDNet_simple": Network("rcdnet_simple", method="native"),
    "RESCAN": Network("rescan"),
    "RESCAN_LSTM": Network("rescan_lstm"),
    "Restormer": Network("restormer"),
    "SPDNet": Network("spdnet", method="native"),
    "Uformer_B": Network("uformer_b"),
    "Uformer_S": Network("uformer_s"),
}


def small(name: str) -> nn.Module:
    """A small model in eval mode, the same one every time."""
    torch.manual_seed(0)
    return build(name, **SMALL.get(name, {})).eval()


def fill(model: nn.Module, name: str, manifest: Mapping[str, Any], fixture: str) -> nn.Module:
    """Fills a network by the manifest's `recipe` ("golden"), or that of its "golden_hi"."""
    strong = fixture == "golden_hi"
    gain = 3 if strong and name.startswith("RESCAN") else 1
    kept = {*manifest["fixed_keys"], *manifest["integer_keys"]}
    state = model.state_dict()
    for key in state.keys() - kept:
        shape = state[key].shape
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
        if key.endswith("running_var"):
            values = 0.5 + rng.random(shape)
        elif key.endswith("running_mean"):
            values = 0.1 * rng.standard_normal(shape)
        elif len(shape) >= 2 and not (strong and key.endswith("temperature")):
            scale = gain / np.sqrt(np.prod(shape[1:]))
            values = rng.standard_normal(shape) * (scale if strong else min(0.05, scale))
        elif key.endswith(("weight", "temperature")):
            values = 0.5 + 0.5 * rng.random(shape)
        else:
            values = 0.1 * rng.standard_normal(shape)
        state[key] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(state)  # in the model's order: of keys that share a tensor the last wins
    return model


def digest(shapes: Mapping[str, Sequence[int]]) -> str:
    """SHA-256 over lines "key [2, 3]", in order."""
    lines = (f"{key} {list(shape)}\n" for key, shape in shapes.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def structure(name: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says about a network's structure, in short."""
    network, side = NETWORKS[name], 128 if manifest["gmacs_256"] is None else 256
    return {
        "model": network.model,
        "kwargs": dict(network.kwargs),
        "parameters": manifest["n_params"],
        "size": side,
        "gmacs": manifest[f"gmacs_{side}"],
        "size_multiple": manifest["required_multiple"],
        "state_sha256": digest(manifest["state_dict"]),
    }


def main(folder: Path) -> None:
    """Writes the structure of every network."""
    known = {
        name: structure(name, read_json(folder / "golden" / "baselines" / name / "manifest.json"))
        for name in NETWORKS
    }
    STRUCTURE.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
