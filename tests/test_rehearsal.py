"""A rehearsal is the configuration at full size, in a folder and under a label of its own."""

import json
import os

import pytest
import torch
from helpers import ROOT
from judging import TRAIN, Results, judged
from torch import nn

from derainbench.audit.case import Case
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.catalog.recipes import Phase, load_recipe
from derainbench.catalog.verdicts import Outcome
from derainbench.config.checks import check_files
from derainbench.config.schema import load, parse
from derainbench.data.acquisition.request import Wanted
from derainbench.data.generation.stand_in import make_stand_in
from derainbench.data.images import image_size
from derainbench.data.pairs import read_split
from derainbench.data.verify import verify
from derainbench.foundation.errors import BenchError
from derainbench.foundation.owner import FORK_SERVER
from derainbench.rehearsal import running
from derainbench.rehearsal.derivation import Limits, derived, fitting
from derainbench.report.figures.marking import marked
from derainbench.report.tables.table import OWN_COLUMNS, captioned
from derainbench.training.footprint import Footprint
from derainbench.training.measurement import training_footprint
from derainbench.training.schedule import plan_epochs
from derainbench.workflow import fork_server

ROOMY = Limits(memory_mb=10**9, batch=None, seeds=1, cores=2)
PAPER = read_audited_paper("esdnet")
CLAIM = next(claim for claim in PAPER.ledger.all() if claim.id == "comparable")
COUNTS = {"train": 2, "val": 1, "test": 1}


@pytest.fixture(scope="module")
def paper():
    return load(ROOT / "config" / "paper.yaml")


@pytest.fixture(scope="module")
def rehearsal(paper):
    return derived(paper, ROOMY, lambda run, recipe: Footprint(0, 1))


def test_a_rehearsal_keeps_everything_but_the_amount(paper, rehearsal):
    assert list(rehearsal.runs) == list(paper.runs)
    for name, run in rehearsal.runs.items():
        own, recipe, whole = paper.runs[name], rehearsal.recipe(name), paper.recipe(name)
        kept = ("model", "kwargs", "test", "inference", "quantise", "ablation")
        assert all(getattr(run, key) == getattr(own, key) for key in kept)
        assert (run.train.dataset, run.train.monitor) == (own.train.dataset, own.train.monitor)
        amount = {"epochs", "steps", "progressive", "crops_per_image", "validate_every"}
        amount |= {"hold", "warmup_epochs"}
        assert recipe.model_dump(exclude=amount) == whole.model_dump(exclude=amount)
        assert [(p.crop, p.batch_size) for p in recipe.phases] == [
            (p.crop, p.batch_size) for p in whole.phases
        ]
    assert rehearsal.spikes.size == paper.spikes.size
    assert rehearsal.energy.size == paper.energy.size and rehearsal.crosscheck == paper.crosscheck


def test_every_training_of_a_rehearsal_is_a_step_or_two_of_every_shape(rehearsal):
    for name in rehearsal.runs:
        epochs = plan_epochs(rehearsal.recipe(name), images=1)
        phases = len(rehearsal.recipe(name).progressive or [1])
        assert len(epochs) == phases + 1 and all(epoch.steps == 1 for epoch in epochs)


def test_a_rehearsal_lies_apart_and_fetches_nothing(paper, rehearsal):
    assert rehearsal.results == "results/rehearsal-paper" and rehearsal.label == "rehearsal"
    assert {dataset.kind for dataset in rehearsal.datasets.values()} == {"stand-in"}
    assert all(
        rehearsal.dataset_folder(d).startswith("results/rehearsal-paper")
        for d in rehearsal.datasets
    )
    assert all(rehearsal.catalogue_name(d) == paper.catalogue_name(d) for d in paper.datasets)
    check_files(rehearsal)


def test_a_rehearsal_trains_by_one_process(paper):
    name, run = next(iter(paper.runs.items()))
    several = run.model_copy(update={"train": run.train.model_copy(update={"processes": 4})})
    config = paper.model_copy(update={"runs": paper.runs | {name: several}})
    assert (
        derived(config, ROOMY, lambda run, recipe: Footprint(0, 1)).runs[name].train.processes == 1
    )


def test_jobs_of_a_rehearsal_are_processes_that_snakemake_can_measure(monkeypatch, tmp_path):
    """Of a fork, which is the child of a server, it would note neither memory nor processor time."""
    started = {}
    monkeypatch.setenv(FORK_SERVER, "of a run around this one")
    monkeypatch.setattr(
        running.subprocess, "run", lambda *_, env, **__: started.update(env) or Ended
    )
    assert running.run_workflow(tmp_path / "rehearsal.yaml", Limits(16000, 1, 1, 2)) == 0
    monkeypatch.setattr(os, "environ", started)
    with fork_server.serving() as forks:
        assert started[FORK_SERVER] == "" and forks == {}


class Ended:
    returncode = 0


def test_runs_that_are_not_trained_cannot_be_rehearsed():
    config = load(ROOT / "config" / "real.yaml")
    with pytest.raises(BenchError, match=r"^runs.prenet-rain200h: a rehearsal has no weights"):
        derived(config, ROOMY, lambda run, recipe: Footprint(0, 1))
    trained = {k: run for k, run in config.runs.items() if run.train}
    with pytest.raises(BenchError, match=r"^datasets.RealRain: there is no stand-in"):
        derived(config.model_copy(update={"runs": trained}), ROOMY, lambda r, _: Footprint(0, 1))


@pytest.mark.parametrize(
    ("crops", "most", "expected"),
    [(100.5, None, (64, 12)), (5.5, None, (64, 5)), (100.5, 2, (64, 2)), (0.26, None, (32, 1))],
)
def test_memory_takes_crops_away_first_and_then_makes_them_smaller(crops, most, expected):
    footprint = Footprint(state=0, per_pixel=1e6)
    limits = Limits(memory_mb=int(1500 + 1.3 * crops * 64**2), batch=most, seeds=1, cores=1)
    phase = Phase(steps=9, crop=64, batch_size=12)
    assert fitting(phase, limits, footprint, multiple=8, fixed=None) == expected
    if expected[0] < phase.crop:
        with pytest.raises(BenchError, match="raise --memory"):
            fitting(phase, limits, footprint, multiple=8, fixed=64)


def test_the_memory_of_a_training_by_hand():
    """Kept: the image, what the first layer gives after ReLU, the output for the loss, the target."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))
    weights = (3 * 9 + 1) * 8 + (8 + 1) * 3
    found = training_footprint(network, load_recipe("ddn"), crop=16)
    assert found.state == 4 * weights * 3  # weight, gradient, one moment of SGD
    assert found.per_pixel == 4 * (3 + 8 + 3)
    assert found.bytes(10, 2) == found.state + 2 * 100 * found.per_pixel
    adam = training_footprint(network, load_recipe("common"), crop=16)
    assert adam.state == 4 * weights * 4
    assert next(network.parameters()).device == torch.device("meta")


@pytest.mark.parametrize("name", ["Rain200H", "Rain100L", "Rain1200", "RW-Data", "Rain12"])
def test_a_stand_in_has_the_layout_of_its_set_and_is_never_taken_for_it(name, tmp_path):
    entry = dataset_entry(name)
    wanted = Wanted(entry, tmp_path, subset=True, accept=True)
    make_stand_in(wanted, COUNTS, seed=1)
    for split, facts in entry.splits.items():
        read = read_split(tmp_path / name / split, need_target=entry.kind == "paired")
        assert len(read.pairs) == COUNTS[split]
        size = image_size(read.pairs[0].input)
        assert size in (facts.sizes or [facts.usual_size or (321, 481)])
        if entry.naming:
            assert read.pairs[0].input.stem == entry.naming.input.format(n=1)
    assert verify(tmp_path / name, entry, stand_in=True)["status"] == "stand-in"
    assert verify(tmp_path / name, entry)["status"] == (
        "deviates" if name != "RW-Data" else "complete"
    )
    with pytest.raises(BenchError, match="replaces nothing"):
        make_stand_in(wanted, COUNTS, seed=1)


def test_a_stand_in_that_the_workflow_deleted_in_part_is_made_anew(tmp_path):
    wanted = Wanted(dataset_entry("Rain12"), tmp_path, subset=True, accept=True)
    make_stand_in(wanted, COUNTS, seed=1)
    (wanted.folder / "dataset.json").unlink()
    make_stand_in(wanted, COUNTS, seed=1)
    assert (wanted.folder / "dataset.json").is_file()


def test_stand_ins_are_for_rehearsals_alone(rehearsal):
    values = json.loads(rehearsal.model_dump_json(exclude_none=True))
    with pytest.raises(BenchError, match="stand-ins are for rehearsals"):
        parse(values | {"label": "paper"}, "mine")


def test_numbers_of_a_rehearsal_are_marked_and_have_columns_of_their_own(rehearsal):
    assert captioned(rehearsal, "scores").startswith("REHEARSAL (")
    assert marked(rehearsal, "PSNR").startswith("REHEARSAL: ")
    assert len(set(OWN_COLUMNS.values())) == len(OWN_COLUMNS)
    assert not rehearsal.comparable


def test_a_rehearsal_decides_nothing_that_takes_a_training(tmp_path, monkeypatch):
    """The test runs as for the paper's own configuration, though steps are fewer; then it is void."""
    monkeypatch.chdir(tmp_path)
    results = Results(tmp_path)
    few = {"recipe": "esdnet", "seeds": [1, 2, 3], "set": {"epochs": 4}}
    for seed in (1, 2, 3):
        results.scores("own", [30 + seed / 100, 31, 33], seed)
    results.scores("good", [30, 31, 32.5])
    found = {}
    for label, changes in (("paper", {}), ("rehearsal", few)):
        own = {"model": "esdnet", "kwargs": {}, "train": TRAIN | {"seeds": [1, 2, 3]} | changes}
        good = {"model": "prn_r", "train": TRAIN | changes | {"seeds": [1]}, "test": ["rain"]}
        runs = {"own": own | {"test": ["rain"]}, "good": good}
        [found[label]] = judged(results.config(label=label, **runs), "comparable")
    assert found["paper"].verdict == Outcome.REPRODUCED and not found["paper"].scaled_down
    void = found["rehearsal"]
    assert (void.verdict, void.measured, void.low) == (Outcome.NOT_TESTABLE, None, None)
    assert void.reason.startswith("a rehearsal: ") and void.evidence == found["paper"].evidence
    assert Case(CLAIM, PAPER, results.config(label="rehearsal", **runs)).speaks_for_paper(
        results.config(label="rehearsal", **runs).runs["own"]
    )


def test_runs_of_one_budget_stay_alike_where_memory_tells_them_apart(paper):
    """An ablation may differ from its base in one thing alone, and counterparts are trained alike."""

    def foresee(run, recipe):
        return Footprint(0, 100 if run.kwargs.get("T") == 6 else 1)

    limits = Limits(
        memory_mb=1500 + int(1.3 * 5 * 100 * 64**2 / 1e6 + 1), batch=None, seeds=2, cores=2
    )
    found = derived(paper, limits, foresee)
    by_esdnets = [r.train.set for r in found.runs.values() if r.train.recipe == "esdnet"]
    assert len(by_esdnets) == 17 and all(changes == by_esdnets[0] for changes in by_esdnets)
    assert by_esdnets[0]["batch_size"] < 12
    assert len(found.runs["esdnet-rain200l"].train.seeds) == 2
