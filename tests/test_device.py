"""How many threads torch is given: what clusters put into the environment is understood."""

import pytest
import torch

from derainbench.foundation.device import MAX_THREADS, prepare, wanted_threads


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        *(("1", 1), ("3", 3), (" 2 ", 2), ("+2", 2), ("4,2", 4), ("4, 2,1", 4), ("2,", 2)),
        ("999999", MAX_THREADS),
        *((text, None) for text in ("", ",", "0", "-1", "x", "1.5", "2 3", "0x2", "²", "9" * 5000)),
    ],
)
def test_the_environment_says_how_many_threads(text, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert wanted_threads() == threads


@pytest.mark.parametrize(("text", "threads"), [("2,1", 2), ("many", 1)])
def test_torch_gets_as_many(text, threads, monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        prepare("cpu")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
