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
