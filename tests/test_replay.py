"""What follows from scores and counts is computed again from them alone, and held to what was kept."""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers import ROOT, read_json, refusal
from invented import PARTS, REFERENCE, results

from derainbench.archive.export import write_archive
from derainbench.archive.replay import STEPS, replay

# Rules of the report's file that are no verb, or that a replay has as given.
VERB = re.compile(r"python -m derainbench ([\w-]+)")


# Without the structure, which follows from code alone: a replay counts it where it was not kept.
GIVEN = tuple(part for part in PARTS if part not in ("audit", "structure", "tables"))


# Steps whose results are compared: of others, pictures and the page, the second replay is enough.
COMPARED = ("scenarios", "audit", "tables", "figures", "paper")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Results of which all that follows was computed: the invented ones, replayed once."""
    folder = tmp_path_factory.mktemp("whole")
    before = Path.cwd()
    os.chdir(folder)
    config = results(folder, GIVEN)
    out = folder / config.results
    for part in ("gradients", "spikes"):
        shutil.copytree(REFERENCE / part, out / part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("derainbench.archive.replay.STEPS", {v: STEPS[v] for v in COMPARED})
        replay(out, folder / "made")
    yield folder / "made"
    os.chdir(before)


@pytest.fixture(scope="module")
def again(whole, tmp_path_factory):
    """How a replay of their archive compares, and what it wrote."""
    folder = tmp_path_factory.mktemp("again")
    write_archive(whole, folder / "smoke.zip")
    return replay(folder / "smoke.zip", folder / "out"), folder / "out"


def test_a_replay_of_an_archive_has_no_drift(again):
    found, out = again
    assert [str(drift) for drift in found.comparison.all_drifts()] == []
    compared = {file.file for file in found.comparison.files}
    assert {"tables/quality.csv", "tables/claims.csv", "audit/claims.csv"} <= compared
    assert {"papers/esdnet/table-1.csv", "scenarios/savings.csv"} <= compared
    pictures = [f"papers/esdnet/figure-{number}" for number in (2, 4, 5)]
    potentials = [f"figures/membrane-potentials-{run}" for run in ("esdnet", "spikerain", "vlif")]
    assert found.taken_over == [*potentials, *pictures]
    said = (out / "drift.md").read_text()
    assert "no drift" in said and f"{pictures[0]}, {pictures[1]}" in said


def test_tables_figures_verdicts_and_page_are_made(whole, again):
    _, out = again
    for file in (
        "tables/quality.md",
        "figures/pareto.svg",
        "audit/claims.json",
        "report/index.html",
    ):
        assert (out / file).is_file(), file
    for folder in ("tables", "audit", "papers/esdnet", "scenarios"):
        names = {f.name for f in (whole / folder).glob("*.csv")}
        assert names == {f.name for f in (out / folder).glob("*.csv")}, folder
    assert not list(out.rglob("images")) and not list(out.rglob("strip-*"))


def test_what_was_computed_names_what_it_was_computed_from(again):
    _, out = again
    derived = ("tables", "audit", "papers", "figures", "report")
    records = [r for part in derived for r in sorted((out / part).rglob("*.provenance.json"))]
    records += [out / "scenarios/energy.csv.provenance.json", out / "replay.provenance.json"]
    assert len(records) > 25
    assert [r.name for r in records if not read_json(r)["inputs"]] == []
    quality = read_json(out / "tables/quality.csv.provenance.json")["inputs"]
    scores = "scores/nafnet/seed-1234/synthetic-heavy/per_image.csv"
    assert {"config.json", scores} <= quality.keys()
    assert "crosscheck/crosscheck.csv" not in quality
    crosscheck = read_json(out / "tables/crosscheck.csv.provenance.json")["inputs"]
    assert "crosscheck/crosscheck.csv" in crosscheck and scores not in crosscheck
    claims = read_json(out / "audit/claims.json.provenance.json")["inputs"]
    ledger = "derainbench/catalog/papers/esdnet/claims.yaml"
    assert {ledger, "structure/models.csv", "gradients/esdnet.json"} <= claims.keys()


def test_a_number_that_was_changed_is_named(whole, again, tmp_path, cli, monkeypatch):
    folder = tmp_path / "smoke"
    shutil.copytree(whole, folder)
    file = folder / "tables" / "quality.csv"
    table = pd.read_csv(file)
    column = next(name for name in table if name.startswith("psnr_"))
    table.loc[1, column] += 0.5
    table.to_csv(file, index=False)
    shutil.copytree(again[1], tmp_path / "out")  # its own files are replaced
    monkeypatch.setattr(
        "derainbench.archive.replay.STEPS", {v: STEPS[v] for v in ("scenarios", "audit", "tables")}
    )
    done = cli("replay", folder, "--out", tmp_path / "out")
    assert done.code == 1
    assert re.search(rf"tables/quality\.csv: .*{column}: reference", done.stdout)
    assert f"| {column}" in (tmp_path / "out/drift.md").read_text()


def test_results_without_scores_say_so_and_leave_nothing(whole, tmp_path, cli):
    folder = tmp_path / "smoke"
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "scores" / "nafnet")
    done = cli("replay", folder, "--out", tmp_path / "out")
    assert done.code == 1 and done.stderr.endswith("run snakemake with this configuration first\n")
    assert "scores/nafnet/seed-1234/synthetic-heavy/per_image.csv: missing" in done.stderr
    assert not (tmp_path / "out").exists()


def test_files_of_others_stay(whole, tmp_path, cli):
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "mine.txt").write_text("mine")
    done = cli("replay", whole, "--out", tmp_path)
    assert "was not made here" in refusal(done, 1)
    assert (tmp_path / "audit" / "mine.txt").read_text() == "mine"


def test_what_is_no_archive_and_no_folder_is_refused(tmp_path, cli):
    done = cli("replay", tmp_path / "nothing.zip", "--out", tmp_path / "out")
    assert "no such archive or folder of results" in refusal(done, 1)


def test_a_replay_takes_every_step_of_the_report_in_the_order_of_the_workflow():
    rules = ROOT / "workflow" / "rules"
    verbs = VERB.findall((rules / "report.smk").read_text(encoding="utf-8"))
    assert verbs == [verb for verb in STEPS if verb != "scenarios"]
    assert "scenarios" in VERB.findall((rules / "energy.smk").read_text(encoding="utf-8"))
