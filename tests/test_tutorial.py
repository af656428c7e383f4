"""The tutorial, followed: its files put where it says, its commands run one after another."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT
from project_copies import copy_of_project

TEXT = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """A copy of the project in which the tutorial was followed, and what its commands printed."""
    folder = copy_of_project(tmp_path_factory.mktemp("tutorial"))
    for name, content in re.findall(
        r'^```\w+ title="([^"]+)"\n(.*?)^```$', TEXT, re.DOTALL | re.MULTILINE
    ):
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    commands = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    assert commands[:2] == ["make .venv/.installed", ". .venv/bin/activate"]  # as CI did
    module = f"{sys.executable} -m"
    printed = {}
    for command in commands[2:]:
        call = command.replace("derainbench ", f"{module} derainbench ")
        done = subprocess.run(
            ["bash", "-c", call],
            cwd=folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed[command] = done.stdout + done.stderr
    return folder, printed


@pytest.mark.slow
def test_every_command_does_what_the_page_says(followed):
    folder, printed = followed
    assert (folder / "results/mine/report/index.html").is_file()
    assert "my-snn" in printed["cat results/mine/tables/quality.md"]
    compared = folder / "restored" / "compared"
    assert len(list(compared.iterdir())) == 4
    run = next(text for command, text in printed.items() if "reproduce" in command)
    assert "Report: results/mine/report/index.html" in run


@pytest.mark.slow
def test_the_claims_have_the_verdicts_that_the_page_tells(followed):
    folder, _ = followed
    claims = pd.read_csv(folder / "results/mine/audit/claims.csv")
    assert set(claims["paper"]) == {"my-paper"}
    small = claims[claims["claim"] == "small"]
    assert small["verdict"].tolist() == ["reproduced"]
    assert claims[claims["claim"] == "saving"]["reading"].str.startswith("scenario").all()
