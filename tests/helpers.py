"""Paths and small builders that several test files use."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"

_UNET = {"en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
_TRANSFORMER = {"dim": 8, "num_blocks": [1, 1, 1, 1], "heads": [1, 2, 2, 4]}
_UFORMER = {"img_size": 64, "embed_dim": 4, "depths": [1] * 9, "win_size": 4}
# Constructor arguments of every model that make it as small as it goes.
_FOUR_LISTS = {"en_num_blocks": [1] * 4, "de_num_blocks": [1] * 4}
SMALL: dict[str, dict[str, Any]] = {
    "esdnet": {"dim": 16, "T": 2, **_UNET},
    "esdnet-ann": {"dim": 16, **_UNET},
    "vlif": {"dim": 16, "T": 2, **_FOUR_LISTS},
    "vlif-ann": {"dim": 16, **_FOUR_LISTS},
    "spikerain": {"dim": 16, "T": 2, **_UNET},
    "spikerain-ann": {"dim": 16, **_UNET},
    "brn": {"recurrent_iter": 2, "channels": 4},
    "ddn": {"mid_channels": 4, "num_blocks": 2},
    "drsformer": _TRANSFORMER,
    "drsformer_nomefc": _TRANSFORMER,
    "efficientderain": {"width": 4},
    "idt": {"embed_dim": 4, "depths": [1] * 9, "num_heads": [1] * 9, "win_size": 4},
    "mprnet": {"n_feat": 8, "scale_unetfeats": 4, "scale_orsnetfeats": 4, "num_cab": 1},
    "nafnet": {"width": 4, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    **{name: {"recurrent_iter": 2} for name in ("prenet", "prenet_r", "prn", "prn_r")},
    "rcdnet": {"stage": 3, "num_M": 6, "num_Z": 4, "T": 1},
    "rcdnet_simple": {"S": 2, "num_M": 6, "num_Z": 4, "T": 1},
    **{name: {"channel": 8, "depth": 4, "stage_num": 2} for name in ("rescan", "rescan_lstm")},
    "restormer": {**_TRANSFORMER, "num_refinement_blocks": 1},
    "spdnet": {"n_feats": 4, "n_resblocks": 1},
    "uformer_b": _UFORMER,
    "uformer_s": _UFORMER,
}
# What every model card must say besides its name and network.
CARD_FACTS: dict[str, Any] = {
    "paper": {"authors": "A, B", "title": "T", "venue": "V", "year": 2020},
    "code": {"repository": "r", "licence": "MIT", "licence_source": "LICENSE"},
    "training": {"source": "s"},
    "published_note": "none",
    "weights_licence": "MIT",
    "sources": ["s"],
}


@dataclass(frozen=True)
class Done:
    """How a call of the command line ended."""

    code: int
    stdout: str
    stderr: str


def run_process(*arguments: object) -> Done:
    """Calls the command line as a process of its own, as users do."""
    command = [sys.executable, "-m", "derainbench", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A random image, uint8 [H,W,3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, image: np.ndarray) -> Path:
    """Saves an image, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, by relative path, with the digest of its bytes."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def share_within(actual: torch.Tensor, expected: np.ndarray, tolerance: float) -> float:
    """Share of elements that differ by no more than ``tolerance``."""
    assert actual.shape == expected.shape
    return float((np.abs(actual.detach().numpy() - expected) <= tolerance).mean())


def one_line(error: object) -> str:
    """The message of an error, which must be a single line."""
    text = str(error)
    assert text and "\n" not in text, f"not one line: {text!r}"
    return text


def same_state(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two state dicts hold equal tensors under equal names."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def refusal(done: Done, code: int) -> str:
    """What the command line said when it refused: exactly one line, in the agreed form."""
    assert done.code == code, done
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.endswith("\n"), done.stderr
    start = "derainbench: usage: " if code == 2 else "derainbench: error: "
    assert done.stderr.startswith(start)
    return done.stderr.removeprefix(start).strip()
