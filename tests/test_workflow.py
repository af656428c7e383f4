"""The Snakemake workflow: end to end on a miniature configuration, and what reruns after an edit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "Snakefile",
    "environment.yml",
    "workflow",
    "profiles",
    "config",
    "derainbench",
    "esdnet",
    "baselines",
)
MINI = {
    "name": "mini",
    "label": "smoke",
    "title": "Miniature",
    "datasets": {
        "rain": {"kind": "synthetic", "rain": "heavy", "size": 64, "train": 4, "val": 1, "test": 2}
    },
    "runs": {
        "tiny": {
            "model": "esdnet",
            "kwargs": {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]},
            "train": {
                "dataset": "rain",
                "set": {
                    "epochs": 1,
                    "warmup_epochs": 0,
                    "batch_size": 2,
                    "crop": 16,
                    "val_crop": 32,
                },
            },
            "test": ["rain"],
        }
    },
    "energy": {"size": 64, "images": 1},
    "figures": {"dataset": "rain", "strip_images": 1},
}


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )


def planned(folder: Path) -> set[str]:
    """Rules that a dry run would execute."""
    done = snakemake(folder, "--configfile", "config/mini.yaml", "--dry-run", "--quiet", "host")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    return {line.split()[1].rstrip(":") for line in text.splitlines() if "rule " in line[:12]}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the project in which the miniature configuration has been run."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / part)
    (folder / "config" / "mini.yaml").write_text(yaml.safe_dump(MINI))
    done = snakemake(folder, "--configfile", "config/mini.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_everything_is_made_and_marked_as_smoke(checkout):
    results = checkout / "results" / "mini"
    for table in ("quality", "comparison", "complexity", "structure"):
        assert "SMOKE" in (results / "tables" / f"{table}.md").read_text()
        assert "SMOKE" in (results / "tables" / f"{table}.tex").read_text()
        assert "configuration" in (results / "tables" / f"{table}.csv").read_text()
    for kind in ("pdf", "png", "svg"):
        assert (results / "figures" / f"pareto.{kind}").stat().st_size > 1000
    page = (results / "report" / "index.html").read_text()
    assert "SMOKE" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "")
    record = json.loads(
        (results / "runs/tiny/seed-1234/model.safetensors.provenance.json").read_text()
    )
    assert record["seed"] == 1234
    assert record["packages"]["torch"]


@pytest.mark.slow
def test_a_second_run_does_nothing(checkout):
    assert planned(checkout) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "reruns", "spares"),
    [
        ("derainbench/report/figures.py", {"figures", "page"}, {"train", "evaluate", "tables"}),
        ("derainbench/training/losses.py", {"train", "evaluate", "tables"}, {"synthesise"}),
        ("esdnet/blocks.py", {"train", "evaluate", "energy"}, {"synthesise"}),
        ("baselines/prenet.py", set(), {"train", "evaluate", "energy"}),
        ("derainbench/energy/counting.py", {"energy", "tables"}, {"train", "evaluate"}),
    ],
)
def test_an_edit_reruns_what_depends_on_it(checkout, edited, reruns, spares):
    file = checkout / edited
    before, stamp = file.read_text(), file.stat()
    try:
        file.write_text(before + "\n# edited\n")
        plan = planned(checkout)
    finally:
        file.write_text(before)
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert reruns <= plan
    assert not spares & plan


@pytest.mark.slow
def test_a_misspelt_key_stops_the_run_with_one_line(checkout):
    wrong = {**MINI, "figurs": {}}
    (checkout / "config" / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    done = snakemake(checkout, "--configfile", "config/wrong.yaml", "--dry-run")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "\nconfiguration: figurs: unknown key (did you mean 'figures'?)\n" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_snakemake_makes_its_own_report(checkout):
    done = snakemake(
        checkout, "--configfile", "config/mini.yaml", "--report", "snakemake-report.html"
    )
    assert done.returncode == 0, done.stderr
    assert (checkout / "snakemake-report.html").stat().st_size > 10_000
