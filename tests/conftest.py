"""Fixtures that several test files share."""

from __future__ import annotations

import os

from derainbench.foundation import reads
from derainbench.models.construction import build
from derainbench.models.weights import weight_metadata

# Before torch is imported: parallel test processes must not fight over the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_server import BadServer, serving, stand_in_for_google
from helpers import Done, noise, save
from safetensors.torch import save_file

# In the background of a shell without job control (`make test &`) interrupts are ignored, and would be by
# the processes that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = ("test_tutorial.py", "test_replay.py", "test_workflow.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin: as the last ones they would run alone."""
    items.sort(key=lambda item: -LONG.index(item.path.name) if item.path.name in LONG else 1)


@pytest.fixture(autouse=True)
def private_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or leaves a checkpoint in the working directory."""
    monkeypatch.setenv("DERAINBENCH_CHECKPOINTS", str(tmp_path / "checkpoints"))


@pytest.fixture(autouse=True)
def own_reads() -> Iterator[None]:
    """What other tests of this process have read is no input of this one's results."""
    with reads.as_a_process():
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden values, real images and official weights that is not in the project."""
    folder = os.environ.get("DERAIN_SHARED")
    if not folder:
        pytest.skip("DERAIN_SHARED is not set: no folder with golden/, data/ and weights/")
    if not Path(folder).is_dir():
        pytest.skip(f"DERAIN_SHARED names no folder: {folder}")
    return Path(folder)


@pytest.fixture
def paired_set(tmp_path: Path) -> Callable[..., Path]:
    """Builds a set of small random images; its folder holds one folder per split."""

    def build(
        name: str = "set",
        splits: dict[str, int] | None = None,
        size: tuple[int, int] = (24, 32),
        target: bool = True,
    ) -> Path:
        folder = tmp_path / name
        for number, (split, count) in enumerate((splits or {"test": 2}).items()):
            for i in range(count):
                clean = noise(*size, seed=100 * number + i)
                rain = noise(*size, seed=1000 + 100 * number + i)[..., :1] // 4
                rainy = np.clip(clean.astype(int) + rain, 0, 255).astype(np.uint8)
                save(folder / split / "input" / f"{i:02d}.png", rainy)
                if target:
                    save(folder / split / "target" / f"{i:02d}.png", clean)
        return folder

    return build


@pytest.fixture(scope="session")
def prn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the smallest network (``prn_r``, one stage), which name their model."""
    path = tmp_path_factory.mktemp("weights") / "prn_r.safetensors"
    kwargs = {"recurrent_iter": 1}
    torch.manual_seed(0)
    state = build("prn_r", **kwargs).state_dict()
    save_file(state, path, metadata=weight_metadata({"model": "prn_r", "kwargs": kwargs}))
    return path


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Calls the command line in this process."""
    from derainbench.cli import main

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["derainbench", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BadServer]:
    """A server on this machine that misbehaves as told; no proxy stands before it."""
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as server:
        yield server


@pytest.fixture
def google(
    server: BadServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[BadServer]:
    """The server in Google Drive's place; at the end the home folder is still empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    # gdown named it when it was imported.
    cookies = str(home / ".cache" / "gdown" / "cookies.txt")
    monkeypatch.setattr(sys.modules["gdown.download"], "DEFAULT_COOKIES_FILE", cookies)
    stand_in_for_google(server, monkeypatch)
    yield server
    assert list(home.iterdir()) == []
