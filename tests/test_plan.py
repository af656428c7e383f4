"""What a configuration costs, from made-up measurements, to be followed on paper."""

import json
import math

import pytest
from helpers import ROOT, one_line

from derainbench.catalog.gpus import gpus
from derainbench.config.schema import load, parse
from derainbench.foundation.errors import BenchError
from derainbench.rehearsal import plan
from derainbench.rehearsal.measurements import jobs, read_measured
from derainbench.rehearsal.page import document
from derainbench.rehearsal.plan import Device, Task

KEPT = ROOT / "benchmarks" / "rehearsal-paper.json"
# 20 training images make 4 steps of at most 6 crops, in each of 4 epochs.
CONFIG = {
    "name": "mine",
    "label": "study",
    "title": "Mine",
    "datasets": {"rain": {"kind": "synthetic", "rain": "heavy", "train": 20, "val": 5, "test": 10}},
    "runs": {
        "own": {
            "model": "esdnet",
            "train": {
                "dataset": "rain",
                "recipe": "esdnet",
                "seeds": [1, 2],
                "monitor": True,
                "set": {
                    "epochs": 4,
                    "batch_size": 6,
                    "crop": 32,
                    "val_crop": 64,
                    "validate_every": 3,
                },
            },
            "test": ["rain"],
        }
    },
    "energy": {"images": 4},
    "spikes": {"images": 3},
    "figures": {"dataset": "rain"},
}


def job(rule: str, name: str, seconds: float) -> dict:
    """A job that was kept waiting: its processor time is what counts."""
    return {
        "rule": rule,
        "name": name,
        "seconds": 9 * seconds,
        "cpu_seconds": seconds,
        "memory_mb": 1,
    }


MEASURED = {
    "configuration": "mine",
    "jobs": [
        job("train", "own/seed-1", 50.0),
        job("evaluate", "own/seed-1/rain", 12.0),
        job("energy", "own/seed-1", 5.0),
        job("spikes", "own/seed-1", 2.0),  # the quickest: what Python takes to start
        job("tables", "", 7.0),
    ],
    "trainings": {
        "own": {
            # 0.01 s for one crop of 16x16, by two threads that took 0.02 s: at most 0.01 s idle.
            "steps": [
                {"crop": 16, "batch_size": 1, "seconds_per_step": 9.0, "cpu_seconds_per_step": 0.02}
            ],
            "validation": {"crop": 32, "seconds_per_crop": 9.0, "cpu_seconds_per_crop": 0.01},
            "threads": 2,
            "peak_memory_bytes": 1,
            "footprint": {"state": 1000, "per_pixel": 10.0},
            "weights_bytes": 250,
        }
    },
    "images": {"rain": 3000},
}


@pytest.fixture
def config():
    return parse(CONFIG, "test")


def test_a_training_costs_its_steps_and_its_validations(config):
    """20 images train, for there is a val split: 4 steps of 6 x 32^2 in each epoch, 0.01 s per 16^2.

    Validated after epochs 3 and 4: 5 crops, and 10 that are monitored, of 64^2 at 0.005 s per 32^2.
    """
    steps = 4 * 4 * 6 * (32 / 16) ** 2 * 0.01
    validations = 2 * (5 + 10) * (64 / 32) ** 2 * 0.005
    found = plan.training_seconds(config, "own", MEASURED["trainings"]["own"])
    assert found == pytest.approx(steps + validations)


def test_every_job_of_every_seed_is_counted(config):
    found = plan.tasks(config, MEASURED)
    seconds = {(t.rule, t.name): t.seconds for t in found}
    training = plan.training_seconds(config, "own", MEASURED["trainings"]["own"])
    for seed in (1, 2):
        assert seconds["train", f"own/seed-{seed}"] == 2 + training
        assert seconds["evaluate", f"own/seed-{seed}/rain"] == 2 + 10 * 10
        assert seconds["energy", f"own/seed-{seed}"] == 2 + 4 * 3
        assert seconds["spikes", f"own/seed-{seed}"] == 2
    assert seconds["tables", ""] == 7 and len(found) == 9
    [memory] = {t.memory for t in found if t.rule == "train"}
    assert memory == 1000 + 10 * 32**2 * 6


def test_longest_chains_go_first_and_bound_everything():
    """3 and 3 and 2, 2, 2: on two devices 3+2+2 beside 3+2 is the rule's, 3+3 beside 2+2+2 the best."""
    lengths = {"a": 3, "b": 3, "c": 2, "d": 2, "e": 2}
    tasks = [Task("train", name, name, float(s)) for name, s in lengths.items()]
    tasks.append(Task("tables", "", "", 100.0))
    here = Device("here")
    assert [plan.makespan(tasks, here, n) for n in (1, 2, 5, None)] == [12, 7, 3, 3]
    assert plan.makespan([*tasks, Task("evaluate", "a", "a", 9.0)], here, None) == 12
    assert plan.makespan([], here, 4) == 0


def test_a_faster_device_speeds_up_what_runs_on_it_alone():
    tasks = [Task("train", "a/1", "a/1", 10.0, 5e9), Task("tables", "", "", 10.0)]
    card = Device("card", faster=5, memory=4e9)
    assert plan.by_rule(tasks, card) == {"train": (1, 2.0), "tables": (1, 10.0)}
    assert plan.too_large(tasks, card) == ["a"] and plan.too_large(tasks, Device("here")) == []


def test_disk_is_summed_over_seeds_and_images(config):
    assert plan.disk(config, MEASURED) == {
        "data sets, at most": 0,
        "weights": 2 * 250,
        "one checkpoint, the largest": 1000,
        "restored images": 2 * 10 * 3000,
    }


def test_benchmark_files_are_read_with_their_gaps(tmp_path):
    header = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, row in {"tables": "1.5\t0\tNA\t-", "train/own/seed-1": "2\t0\t100.5\t3.5"}.items():
        file = tmp_path / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(header + row + "\n")
    assert jobs(tmp_path) == [
        {"rule": "tables", "name": "", "seconds": 1.5, "cpu_seconds": None, "memory_mb": None},
        {
            "rule": "train",
            "name": "own/seed-1",
            "seconds": 2,
            "cpu_seconds": 3.5,
            "memory_mb": 100.5,
        },
    ]
    with pytest.raises(BenchError, match="holds no benchmark files"):
        jobs(tmp_path / "train" / "own" / "nothing")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"configuration": "other"}, "is no rehearsal of 'mine'"),
        ([], "is no rehearsal of 'mine'"),
        ({"configuration": "mine", "trainings": {}}, "does not know run 'own'"),
    ],
)
def test_a_plan_from_another_rehearsal_is_refused(config, tmp_path, content, reason):
    file = tmp_path / "measured.json"
    file.write_text(json.dumps(content))
    with pytest.raises(BenchError) as refused:
        read_measured(config, file)
    assert reason in one_line(refused.value)


def test_cards_say_where_their_numbers_are_from():
    assert all(card.source and math.isfinite(card.tflops) for card in gpus().cards)


@pytest.mark.skipif(not KEPT.is_file(), reason="no rehearsal of the paper's configuration is kept")
def test_the_page_on_costs_is_made_from_the_kept_rehearsal():
    config = load(ROOT / "config" / "paper.yaml")
    text = document(config, read_measured(config, KEPT))
    assert (ROOT / "docs" / "cost.md").read_text("utf-8") == text
