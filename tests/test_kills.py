"""A training that is killed thirty times gives the bytes of one that was left alone."""

import os
import random
import signal
import time
import traceback

import pandas as pd
import pytest
from helpers import tree

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation.stop_requests import EXIT_STATUS, Stopped
from derainbench.training import loop

KILLS = 30
FIELDS = {
    "epochs": 12,
    "warmup_epochs": 1,
    "batch_size": 2,
    "crop": 16,
    "val_crop": 16,
    "validate_every": 3,
}


@pytest.mark.slow
def test_thirty_kills_change_no_byte(paired_set, tmp_path):
    data = paired_set(splits={"train": 4, "val": 2}, size=(20, 24))

    said = tmp_path / "said.txt"

    def train(out: str, checkpoints: str) -> None:
        loop.train(
            model_name="prn_r",
            model_kwargs={"recurrent_iter": 1},
            data=data,
            recipe=load_recipe("esdnet", FIELDS),
            seed=7,
            out=tmp_path / out,
            device="cpu",
            checkpoint_folder=str(tmp_path / checkpoints),
        )

    def forked() -> int:
        """Trains in a process of its own; gives its number."""
        process = os.fork()
        if not process:
            try:
                os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
                train("killed", "killed-checkpoints")
                os._exit(0)
            except Stopped:
                os._exit(EXIT_STATUS)
            finally:  # of an error
                traceback.print_exc()
                os._exit(1)
        return process

    began = time.monotonic()
    train("whole", "checkpoints")
    length, draw, kills, rounds = time.monotonic() - began, random.Random(0), 0, 0
    expected = results(tmp_path / "whole")
    while kills < KILLS:
        process = forked()
        time.sleep(draw.uniform(0, length / 2))
        os.kill(process, draw.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP]))
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        # Killed, or stopped when told to, or ended before.
        assert status in (0, EXIT_STATUS) or status < 0, said.read_text()
        kills += status != 0
        if status == 0:
            rounds += 1
            assert results(tmp_path / "killed") == expected
    train("killed", "killed-checkpoints")
    assert results(tmp_path / "killed") == expected
    assert list((tmp_path / "killed-checkpoints").glob("*")) == []


def results(out) -> dict[str, str]:
    """Digest of the weights, and the history without its times."""
    rows = pd.read_csv(out / "history.csv", dtype=str).drop(columns="seconds")
    return {"weights": tree(out)["model.safetensors"], "history": rows.to_csv()}
