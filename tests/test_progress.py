"""A step that takes long says how far it is; one that does not says nothing."""

import numpy as np
import torch

from derainbench.catalog.card_format import Tiling
from derainbench.evaluation.inference import restore_tiled
from derainbench.foundation import progress
from derainbench.foundation.progress import Reporter, show_part

TILING = Tiling(side=16, overlap=4)


def seconds(monkeypatch, *times: float) -> None:
    """Sets what the clock shows, one look after the other; then it stands still."""
    left = list(times)
    monkeypatch.setattr(
        progress.time, "monotonic", lambda: left.pop(0) if len(left) > 1 else left[0]
    )


def test_parts_of_a_long_step_are_said_now_and_then(monkeypatch, capsys):
    seconds(monkeypatch, 0, 1, 10, 11)
    with Reporter("derain", 1):
        for done in (1, 2, 3):  # after 1, 10 and 11 seconds
            show_part(done, 8, "tile")
    assert capsys.readouterr().err == "derain: 0/1, tile 2/8, 30 s to go\n"
    show_part(1, 2, "tile")
    assert capsys.readouterr().err == ""


def test_a_large_image_shows_how_many_of_its_tiles_are_done(monkeypatch, capsys):
    image = torch.rand(3, 64, 64)
    with Reporter("derain", 1):
        restore_tiled(lambda x: x, image, TILING)
    assert capsys.readouterr().err == ""
    times = iter(np.arange(0, 1000, 10.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    with Reporter("derain", 1):
        restore_tiled(lambda x: x, image, TILING)
    said = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[1] for line in said] == [
        "tile 8/25",
        "tile 16/25",
        "tile 24/25",
        "tile 25/25",
    ]
