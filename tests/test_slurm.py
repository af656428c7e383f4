"""Jobs that go through a real SLURM, and what a cluster's profile asks it for."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from helpers import ROOT
from test_workflow import MINI

from derainbench.catalog.job_resources import job_resources

sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "benchmarks"))
import slurm as benchmark
import slurm_node

PROFILE = ROOT / "profiles" / "slurm"
PLUGIN = "snakemake_executor_plugin_slurm"
RULES = "".join(file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))


def test_every_job_that_is_submitted_asks_for_memory_and_time():
    everything = set(re.findall(r"^rule (\w+):", RULES, re.MULTILINE))
    local = {
        name
        for block in re.findall(r"^localrules:\n((?:    .+\n)+)", RULES, re.MULTILINE)
        for name in re.findall(r"\w+", block)
    }
    without_job = {name for name in everything if name.startswith("all_")}
    assert set(job_resources()) == everything - local - without_job
    assert {name: name for name in job_resources()} == {
        rule.split(":")[0]: name
        for rule in re.split(r"^rule ", RULES, flags=re.MULTILINE)[1:]
        for name in re.findall(r'\*\*needs\("(\w+)"\)', rule)
    }
    for asked in job_resources().values():
        assert set(asked.minutes) == {"smoke", "study", "paper"}


def test_a_further_attempt_asks_for_more_but_for_time_that_it_does_not_need():
    trained, evaluated = job_resources()["train"], job_resources()["evaluate"]
    assert [trained.memory(n) for n in (1, 2, 3)] == [16000, 24000, 32000]
    assert [trained.time("paper", n) for n in (1, 2, 3)] == [1440] * 3  # it goes on where it was
    assert [evaluated.time("paper", n) for n in (1, 2, 3)] == [480, 960, 1440]


def test_a_training_of_three_processes_asks_for_three_times_as_much(tmp_path):
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip(f"{PLUGIN} is not installed: docs/cluster.md")
    run = MINI["runs"]["tiny"]
    several = run | {"train": run["train"] | {"processes": 3}}
    (tmp_path / "several.yaml").write_text(json.dumps(MINI | {"runs": {"tiny": several}}))
    plan = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", tmp_path),
            *("--workflow-profile", PROFILE, "--configfile", tmp_path / "several.yaml"),
            *("--cores", "8", "-n", "--", "results/mini/runs/tiny/seed-1234/model.safetensors"),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    job = re.search(r"rule train:.*?\n\n", plan.stdout + plan.stderr, re.DOTALL)[0]
    assert "threads: 3\n" in job and " --processes 3 " in job
    assert f"mem_mb={3 * job_resources()['train'].memory(1)}," in job
    assert re.search(r"\bgpu=3\b", job) and "slurm_partition=gpu" in job


def test_the_profile_asks_for_gpus_where_rules_can_use_one():
    profile = yaml.safe_load((PROFILE / "profile.yaml").read_text())
    with_gpu = {
        rule.split(":")[0]
        for rule in re.split(r"^rule ", RULES, flags=re.MULTILINE)[1:]
        if "gpu=GPU" in rule
    }
    asked = profile["set-resources"]
    assert {rule for rule, resources in asked.items() if resources["gpu"] == 1} == with_gpu


@pytest.fixture
def slurm():
    """The environment of a SLURM of one node, started for the test."""
    if importlib.util.find_spec(PLUGIN) is None:
        pytest.skip(f"{PLUGIN} is not installed: docs/cluster.md")
    try:
        with slurm_node.slurm_node() as environment:
            yield environment
    except slurm_node.Unavailable as error:
        pytest.skip(f"no SLURM here: {error}")


def test_a_job_goes_through_slurm_with_what_its_rule_asks_for(slurm, tmp_path):
    (tmp_path / "mini.yaml").write_text(json.dumps(MINI))
    made = "results/mini/made/rain/dataset.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", tmp_path),
            *("--workflow-profile", PROFILE, "--configfile", tmp_path / "mini.yaml"),
            *("--slurm-no-account", "--slurm-status-command", "squeue"),
            *("--slurm-init-seconds-before-status-checks", "1", "--retries", "0", "--", made),
        ],
        env=slurm | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / made).is_file()
    job = subprocess.run(
        ["scontrol", "show", "job", "1"], env=slurm, capture_output=True, text=True, check=True
    ).stdout
    facts = dict(part.split("=", 1) for part in job.split() if "=" in part)
    asked = job_resources()["synthesise"]
    assert facts["JobState"] == "COMPLETED" and facts["Partition"] == "cpu"
    assert facts["TimeLimit"] == f"00:{asked.time('smoke', 1)}:00" and facts["Requeue"] == "1"
    assert facts["MinMemoryNode"] in (f"{asked.memory(1)}M", f"{asked.memory(1) / 1000:g}G")
    assert os.path.samefile(facts["WorkDir"], tmp_path)


def test_a_thousand_jobs_of_the_papers_configuration_are_planned_in_seconds(tmp_path):
    planned = benchmark.plan(tmp_path)
    assert planned["jobs"] > 1000
    assert planned["cpu_seconds"] < 30  # a quiet core of today takes a third of it
