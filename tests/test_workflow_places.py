"""The workflow from other folders, and with odd characters in every path."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers import ROOT, noise, read_json, save
from project_copies import copy_of_project

ODD = "o dd [1] 'q\" $HOME & ü; #x %s"
CONFIG = {
    "name": "year-2024",
    "label": "smoke",
    "title": "A {title} in $braces",
    "datasets": {"mine": {"kind": "folder", "path": ODD}, "Rain12": {"kind": "catalogue"}},
    "runs": {"run": {"model": "prn_r", "weights": f"{ODD}.pth", "test": ["mine"]}},
    "figures": {"dataset": "mine"},
}


def snakemake(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def shell_commands() -> list[str]:
    text = "\n".join(p.read_text() for p in sorted((ROOT / "workflow/rules").glob("*.smk")))
    blocks = re.findall(r'^    shell:\n((?: {8}["\'].*\n?)+)', text, re.MULTILINE)
    assert len(blocks) == text.count("    shell:\n") > 20
    return blocks


# Words of the configuration that its checks allow no odd characters in, numbers, and arguments
# that were quoted one by one where they were put together.
PLAIN = {
    *("wildcards.entry", "wildcards.seed", "threads"),
    *(f"params.{name}" for name in ("model", "models", "papers", "device", "monitor", "workers")),
    *(
        f"params.{name}"
        for name in (
            "size",
            "images",
            "threshold",
            "splits",
            "files",
            "facts",
            "threads",
            "processes",
        )
    ),
    *(f"params.{name}" for name in ("kwargs", "arguments", "overrides", "folders")),
    *(f"params.plan.{name}" for name in ("rain", "size", "seed", "train", "val", "test")),
}


def test_every_path_in_a_shell_command_is_quoted():
    for command in shell_commands():
        for name, mark in re.findall(r"\{([\w.]+)(:q)?\}", command):
            assert mark or name in PLAIN, (name, command)
        for before in re.findall(r"(.)\$\(dirname", command):
            assert before == '"', command


def test_a_key_on_the_command_line_changes_the_default_configuration(tmp_path):
    code, said = snakemake(
        tmp_path / "else where",
        *("-s", str(ROOT / "Snakefile"), "--dry-run", "--config", "name=mine"),
    )
    assert code == 0, said
    assert "results/mine/report/index.html" in said
    assert "results/smoke/" not in said


def test_braces_are_refused_in_one_line(tmp_path):
    brace = copy_of_project(tmp_path / "a{b}")
    code, said = snakemake(tmp_path, "-s", str(brace / "Snakefile"), "--dry-run")
    assert code != 0
    assert f"\n{brace}: cannot work in a folder with '{{' in its path; move it\n" in said
    code, said = snakemake(ROOT, "--dry-run", "-d", str(tmp_path), "--config", "data_root=x{y}")
    assert code != 0
    assert "\nconfiguration: data_root: Snakemake takes braces" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_odd_characters_may_stand_in_every_path(tmp_path, prn_weights):
    """Repository, working folder, configuration, data and weights; another project in the way."""
    clone, home, work = (
        copy_of_project(tmp_path / f"clone {ODD}"),
        tmp_path / "home",
        tmp_path / ODD,
    )
    for side in ("input", "target"):
        for i in range(2):
            save(home / "da ta" / ODD / "test" / side / f"{i}.png", noise(32, 32, seed=i))
    (home / "weights").mkdir()
    shutil.copy(prn_weights, home / "weights" / f"{ODD}.pth")
    (work / "derainbench").mkdir(parents=True)
    (work / "derainbench" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    roots = {"data_root": "~/da ta//", "weights_root": "~/weights"}
    (tmp_path / "c f.yaml").write_text(yaml.safe_dump(CONFIG | roots))
    results = "results/year-2024/"
    targets = [
        *("data/mine/images.csv", "config.json"),
        "scores/run/official/mine/per_image.csv",
    ]
    arguments = (
        *(results + target for target in targets),
        *("-s", str(clone / "Snakefile"), "--configfile", str(tmp_path / "c f.yaml")),
    )
    code, said = snakemake(work, *arguments, HOME=str(home))
    assert code == 0, said
    assert (work / results / "scores/run/official/mine/images/0.png").is_file()
    config = read_json(work / results / "config.json")
    assert config["data_root"] == f"{home}/da ta"
    assert config["title"] == "A {title} in $braces"
    code, said = snakemake(work, *arguments, HOME=str(home))
    assert "Nothing to be done" in said
