"""The Snakemake workflow: end to end on a miniature configuration, and what reruns after an edit."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dry_runs import planned
from helpers import noise, read_json, save
from project_copies import copy_of_project

from derainbench.catalog.model_cards import model_card, model_names
from derainbench.foundation import source_graph
from derainbench.workflow import fingerprints
from derainbench.workflow.fingerprints import verb_modules

ROOT = Path(__file__).resolve().parent.parent
MINI = {
    "name": "mini",
    "papers": ["esdnet"],
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
    "spikes": {"size": 64},
    "figures": {"dataset": "rain", "strip_images": 1},
}


def snakemake(
    folder: Path, *arguments: str, traces: Path | None = None
) -> subprocess.CompletedProcess:
    """Runs the workflow; with ``traces`` its jobs note there what they import and read."""
    traced = {}
    if traces:
        traces.mkdir()
        traced = {"DERAINBENCH_TRACES": str(traces), "PYTHONPATH": str(ROOT / "tests" / "tracing")}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | traced,
        capture_output=True,
        text=True,
    )


def by_forks(folder: Path, *arguments: str) -> str:
    """Runs the workflow as a user does, its jobs as forks of one process; gives the log, if any."""
    command = [sys.executable, "-m", "derainbench.workflow", "--cores", "1", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    logs = re.findall(r"^Whole log: (.+)$", done.stdout, re.MULTILINE)
    return Path(logs[-1]).read_text() if logs else done.stdout


def derainbench(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "derainbench", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def worked_example(folder: Path) -> dict:
    """Puts the files of docs/adding-a-paper.md into a copy of the project; gives its runs."""
    text = (ROOT / "docs" / "adding-a-paper.md").read_text("utf-8")
    files = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', text, re.DOTALL | re.MULTILINE))
    assert len(files) == 7
    runs = yaml.safe_load(files.pop("config"))
    own = "derainbench/catalog/papers/example-snn/"
    assert [name for name in files if not name.startswith(own)] == ["baselines/example_snn.py"]
    for name, content in files.items():
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return runs


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the project in which the miniature configuration has been run."""
    folder = copy_of_project(tmp_path_factory.mktemp("checkout"))
    second = worked_example(folder)
    mini = MINI | {"runs": MINI["runs"] | second, "papers": ["esdnet", "example-snn"]}
    (folder / "config" / "mini.yaml").write_text(yaml.safe_dump(mini))
    done = snakemake(folder, "--configfile", "config/mini.yaml", traces=folder / "traces")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_a_second_paper_needs_files_of_its_own_alone(checkout):
    results = checkout / "results" / "mini"
    claims = pd.read_csv(results / "audit" / "claims.csv")
    own = claims[claims["paper"] == "example-snn"].set_index("claim")
    assert set(claims["paper"]) == {"esdnet", "example-snn"}
    assert (results / "papers/example-snn/figure-1.svg").stat().st_size > 1000
    assert "Example-SNN" in (results / "papers/example-snn/table-2.md").read_text()
    assert "claimed: 50%" in (results / "figures/break-even-example-snn.svg").read_text()
    assert "claimed: 54%" in (results / "figures/break-even-esdnet.svg").read_text()
    assert (own.loc["params", "verdict"], own.loc["params", "measured"]) == ("reproduced", 443)
    assert own.loc["comparable", "verdict"] == "not testable here"  # generated rain
    energy = own.loc[["energy"]]
    assert energy["reading"].str.startswith("scenario").all()
    assert energy["reading"].str.contains("Example-ANN|counterpart").any()
    savings = pd.read_csv(results / "tables" / "savings.csv")
    assert {"Example-ANN", "Example-ANN, 2 bits"} <= set(
        savings.loc[savings["name"].str.startswith("example/"), "baseline_title"]
    )
    spikes = read_json(results / "spikes" / "example" / "seed-1234" / "spikes.json")
    assert spikes["comparisons"]
    assert "Two Spiking Layers" in derainbench(checkout, "models", "example-snn")


@pytest.mark.slow
def test_everything_is_made_and_marked_as_smoke(checkout):
    results = checkout / "results" / "mini"
    for table in ("quality", "comparison", "complexity", "savings"):
        assert "SMOKE" in (results / "tables" / f"{table}.md").read_text()
        assert "SMOKE" in (results / "tables" / f"{table}.tex").read_text()
        assert "configuration" in (results / "tables" / f"{table}.csv").read_text()
    for kind in ("pdf", "png", "svg"):
        assert (results / "figures" / f"pareto.{kind}").stat().st_size > 1000
    claims = pd.read_csv(results / "audit" / "claims.csv")
    assert {"contradicted", "reproduced", "not testable here"} <= set(claims["verdict"])
    energy = ("break-even-esdnet", "energy-by-block-tiny", "firing-rates-tiny")
    for figure in ("membrane-potentials-tiny", "rain-spikes-tiny", *energy):
        assert (results / "figures" / f"{figure}.svg").stat().st_size > 1000
    paper = read_json(results / "papers/esdnet/paper.json")["artefacts"]
    assert [name for name, fact in paper.items() if "reason" in fact] == ["figure-5"]
    page = (results / "report" / "index.html").read_text()
    assert "SMOKE" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "")
    record = json.loads(
        (results / "runs/tiny/seed-1234/model.safetensors.provenance.json").read_text()
    )
    assert record["seed"] == 1234
    assert record["packages"]["torch"]
    records = sorted(results.rglob("*.provenance.json"))
    assert len(records) > 40
    assert [r.relative_to(results).as_posix() for r in records if not read_json(r)["inputs"]] == []


@pytest.mark.slow
def test_a_second_run_does_nothing(checkout):
    assert planned(checkout, "config/mini.yaml") == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("taken", "rule"),
    [
        ("runs/tiny/seed-1234/model.safetensors", "train"),
        ("scores/tiny/seed-1234/rain/per_image.csv", "evaluate"),
        ("energy/tiny/seed-1234/energy.json", "energy"),
        ("tables/quality.csv", "tables"),
    ],
)
def test_what_a_job_that_failed_took_away_is_made_again(checkout, taken, rule, tmp_path):
    file = checkout / "results" / "mini" / taken
    file.rename(tmp_path / "kept")
    try:
        assert rule in planned(checkout, "config/mini.yaml")
    finally:
        (tmp_path / "kept").rename(file)
    assert planned(checkout, "config/mini.yaml") == set()


@pytest.mark.slow
def test_a_clock_that_jumped_back_reruns_nothing_and_stops_nothing(checkout):
    results = checkout / "results" / "mini"
    target = "results/mini/scores/tiny/seed-1234/rain/per_image.csv"
    scores = checkout / target
    before, ahead = scores.read_bytes(), time.time() + 3600
    for file in (results / "runs").rglob("*"):
        os.utime(file, (ahead, ahead))
    assert planned(checkout, "config/mini.yaml") == set()
    scores.unlink()
    for file in (results / "runs").rglob("*"):
        os.utime(file, (ahead, ahead))
    done = snakemake(checkout, "--configfile", "config/mini.yaml", "--", target)
    assert done.returncode == 0, done.stderr
    assert scores.read_bytes() == before
    assert planned(checkout, "config/mini.yaml") == set()


@pytest.mark.slow
def test_results_are_held_to_the_reference(checkout):
    results, reference = (checkout / "results" / part for part in ("mini", "reference/mini"))
    shutil.copytree(results, reference)
    arguments = ("check", "--configfile", "config/mini.yaml")
    done = snakemake(checkout, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": no drift" in (results / "logs/check.log").read_text()
    table = reference / "structure/models.csv"
    table.write_text(table.read_text().replace("12811463", "12811464"))
    done = snakemake(checkout, *arguments)
    assert done.returncode != 0
    named = "structure/models.csv: model=esdnet: parameters: reference 12811464, found 12811463"
    assert named in (results / "logs/check.log").read_text()
    assert "12811464" in (results / "drift.md").read_text()


def is_job(trace: dict) -> bool:
    """Whether a process was the call of a rule; Snakemake imports our command line and checks by it."""
    called = trace["arguments"] and not trace["arguments"][0].startswith(("-", "config"))
    return bool(called) and "derainbench.cli" in trace["modules"]


def verb_of(arguments: list[str]) -> str:
    """``["data", "verify", "x"]`` is a call of ``data verify``."""
    return " ".join(arguments[: 2 if arguments[0] in ("data", "weights", "config") else 1])


@pytest.mark.slow
def test_nothing_that_a_job_imports_or_reads_is_outside_its_fingerprint(checkout):
    """Every job of the run above against what decides its verb's result, by the import graph."""
    catalog = f"{checkout}/derainbench/catalog/"
    seen = set()
    for file in (checkout / "traces").iterdir():
        trace = read_json(file)
        if not is_job(trace):
            continue
        verb = verb_of(trace["arguments"])
        seen.add(verb)
        roots = set(verb_modules(verb))
        for name, value in zip(trace["arguments"], trace["arguments"][1:], strict=False):
            if name == "--model" and not value.startswith("example"):
                roots.add(model_card(value).network.module)
        if fingerprints.BUILDING in source_graph.modules_behind(roots):
            # Verbs that are not about one model may build any.
            roots |= {model_card(name).network.module for name in model_names()}
        known = source_graph.modules_behind(roots)
        glue = ("derainbench.cli", "derainbench.__main__", "baselines.example_snn")
        unknown = {m for m in trace["modules"] if not m.startswith(glue)}
        assert unknown - known - source_graph.NEUTRAL.keys() == set(), verb
        patterns = source_graph.catalog_patterns(known).values()
        read = {Path(f.removeprefix(catalog)) for f in trace["files"] if f.startswith(catalog)}
        declared = [p for several in patterns for p in several]
        assert [f for f in read if not any(f.match(p) for p in declared)] == [], verb
    assert {"train", "evaluate", "energy", "audit", "tables", "report", "data verify"} <= seen


@pytest.mark.slow
def test_stages_that_need_no_network_start_none(checkout):
    with_torch = set()
    for file in (checkout / "traces").iterdir():
        trace = read_json(file)
        if trace["torch"] and is_job(trace):
            with_torch.add(verb_of(trace["arguments"]))
    stages = {"train", "evaluate", "energy", "spikes", "estimators", "crosscheck", "sensitivity"}
    assert with_torch <= stages | {"structure", "gradients"}


def rules_by_module(checkout: Path) -> dict[str, set[str]]:
    """The rules whose jobs imported a module, as the jobs of the run above saw it."""
    called = re.compile(r"^rule (\w+):|python -m derainbench ([a-z-]+(?: [a-z]+)?)", re.MULTILINE)
    rule_of, rule = {}, ""
    for file in sorted((checkout / "workflow" / "rules").glob("*.smk")):
        for name, verb in called.findall(file.read_text()):
            rule = name or rule
            if verb:
                rule_of[verb_of(verb.split())] = rule
    rules: dict[str, set[str]] = {}
    for file in (checkout / "traces").iterdir():
        trace = read_json(file)
        if is_job(trace):
            for module in trace["modules"]:
                rules.setdefault(module, set()).add(rule_of[verb_of(trace["arguments"])])
    return rules


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("DERAIN_FULL") != "1", reason="20 minutes: set DERAIN_FULL=1")
def test_an_edit_of_any_module_reruns_every_job_that_imported_it(checkout):
    """Each module in turn, by what jobs were seen to import, not by what the graph says."""
    glue = ("derainbench.cli", "derainbench.__main__")
    stale = {}
    for module, rules in rules_by_module(checkout).items():
        if module in source_graph.NEUTRAL or module.startswith(glue):
            continue
        file = checkout.joinpath(*module.split("."))
        file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
        before = file.read_text()
        try:
            file.write_text(before + "\n# edited\n")
            missed = rules - planned(checkout, "config/mini.yaml")
        finally:
            file.write_text(before)
        if missed:
            stale[module] = sorted(missed)
    assert stale == {}


EDITS = [
    (
        "derainbench/report/figures/pareto.py",
        {"figures", "papers", "page"},
        {"train", "evaluate", "tables"},
    ),
    ("derainbench/training/losses.py", {"train", "evaluate", "tables"}, {"synthesise", "verify"}),
    ("derainbench/metrics/full_reference.py", {"evaluate", "verify", "tables"}, {"train"}),
    ("derainbench/data/pairs.py", {"train", "evaluate", "verify"}, {"structure"}),
    ("esdnet/blocks.py", {"train", "evaluate", "energy", "sensitivity"}, {"synthesise"}),
    ("baselines/prenet.py", {"structure", "crosscheck"}, {"train", "evaluate", "energy"}),
    ("baselines/uformer.py", {"structure"}, {"crosscheck", "sensitivity", "energy"}),
    (
        "derainbench/energy/counter.py",
        {"energy", "structure", "scenarios", "tables"},
        {"train", "evaluate"},
    ),
    (
        "derainbench/energy/comparison.py",
        {"scenarios", "sensitivity"},
        {"energy", "structure", "crosscheck"},
    ),
    ("derainbench/energy/estimators/folding.py", {"estimators"}, {"train", "energy"}),
    ("derainbench/energy/spikes/statistics.py", {"spikes", "spike_figures"}, {"train", "energy"}),
    ("derainbench/report/figures/spikes_by_depth.py", {"spike_figures"}, {"spikes", "tables"}),
    ("derainbench/foundation/progress.py", set(), {"train", "evaluate", "page"}),
    ("derainbench/cli/options.py", set(), {"train", "evaluate", "page"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("edited", "reruns", "spares"), EDITS, ids=[name for name, *_ in EDITS])
def test_an_edit_reruns_what_depends_on_it(checkout, edited, reruns, spares):
    file = checkout / edited
    before = file.read_text()
    try:
        file.write_text(before + "\n# edited\n")
        plan = planned(checkout, "config/mini.yaml")
    finally:
        file.write_text(before)
    assert reruns <= plan
    assert not spares & plan
    if not reruns:
        assert plan == set()


PAPER = "derainbench/catalog/papers/esdnet"
ENTRIES = [
    (
        "derainbench/catalog/costs.yaml",
        ("mac: 4.6", "mac: 4.7"),
        {"scenarios"},
        {"energy", "structure", "crosscheck"},
    ),
    (
        "derainbench/catalog/operators.yaml",
        ("add: 4, multiply: 3", "add: 4, multiply: 2"),
        {"sensitivity", "energy"},
        {"train", "spikes"},
    ),
    (
        f"{PAPER}/claims.yaml",
        ("tolerance: 0.02", "tolerance: 0.03"),
        {"audit", "tables"},
        {"scenarios", "structure", "energy"},
    ),
    # What a run uses of a card or a recipe has not changed: it sets its epochs itself.
    (
        f"{PAPER}/models/esdnet.yaml",
        ("licence: none stated", "licence: MIT"),
        {"structure"},
        {"train", "evaluate"},
    ),
    (f"{PAPER}/recipes/esdnet.yaml", ("epochs: 1000", "epochs: 900"), set(), {"train", "evaluate"}),
    (
        f"{PAPER}/recipes/esdnet.yaml",
        ("weight_decay: 0.01", "weight_decay: 0.02"),
        {"train", "evaluate"},
        {"synthesise"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edited", "change", "reruns", "spares"), ENTRIES, ids=[f"{e[0]}-{e[1][1]}" for e in ENTRIES]
)
def test_another_entry_of_the_catalogue_reruns_what_reads_it(
    checkout, edited, change, reruns, spares
):
    file = checkout / edited
    before = file.read_text()
    try:
        file.write_text(before.replace(*change, 1))
        assert file.read_text() != before
        plan = planned(checkout, "config/mini.yaml")
    finally:
        file.write_text(before)
    assert reruns <= plan
    assert not spares & plan


@pytest.mark.slow
def test_comments_in_the_catalogue_rerun_nothing(checkout):
    files = list((checkout / "derainbench/catalog").rglob("*.yaml"))
    before = {file: file.read_text() for file in files}
    try:
        for file, text in before.items():
            file.write_text(f"# A remark.\n{text}")
        assert planned(checkout, "config/mini.yaml") == set()
    finally:
        for file, text in before.items():
            file.write_text(text)


def numbers(results: Path) -> dict[str, bytes]:
    """The tables of a results folder by name, the times that trainings took apart."""
    return {
        file.relative_to(results).as_posix(): file.read_bytes()
        for file in results.rglob("*.csv")
        if file.name != "history.csv"
    }


@pytest.mark.slow
def test_one_run_after_an_edit_gives_what_a_run_from_nothing_gives(checkout, tmp_path):
    """Another PSNR: every score, table and verdict follows, and then nothing is left to do."""
    folder = shutil.copytree(checkout, tmp_path / "edited")
    file, results = folder / "derainbench/metrics/full_reference.py", folder / "results/mini"
    before, old = file.read_text(), numbers(results)
    edited = before.replace("10 * float(np.log10(", "1 + 10 * float(np.log10(")
    assert edited != before
    file.write_text(edited)
    arguments = ("--configfile", "config/mini.yaml")
    by_forks(folder, *arguments)
    assert planned(folder, "config/mini.yaml") == set()
    once = numbers(results)
    scores = "scores/tiny/seed-1234/rain/per_image.csv"
    first = checkout / "results/mini"
    shift = pd.read_csv(results / scores)["psnr"] - pd.read_csv(first / scores)["psnr"]
    assert shift.to_numpy() == pytest.approx(1)
    assert {"tables/quality.csv", "data/rain/images.csv"} <= {
        name for name in old if old[name] != once[name]
    }
    # From nothing: all that computes a PSNR, and what follows from it.
    log = by_forks(folder, *arguments, "--forcerun", "verify", "evaluate")
    assert all(f"rule {name}:" in log for name in ("verify", "evaluate", "tables", "page"))
    assert numbers(results) == once


@pytest.mark.slow
def test_images_of_a_users_folder_decide_what_runs(checkout, tmp_path):
    """The folder's own time says nothing of an image that was replaced in it."""
    made, data = checkout / "results/mini/made/rain", tmp_path / "data"
    shutil.copytree(made, data / "mine")
    weights = checkout / "results/mini/runs/tiny/seed-1234/model.safetensors"
    config = MINI | {
        "name": "mine",
        "data_root": str(data),
        "weights_root": str(weights.parent),
        "datasets": {"mine": {"kind": "folder"}},
        "runs": {
            "tiny": {
                "model": "esdnet",
                "kwargs": MINI["runs"]["tiny"]["kwargs"],
                "weights": weights.name,
                "test": ["mine"],
            }
        },
        "figures": {"dataset": "mine", "strip_images": 1},
    }
    (checkout / "config" / "mine.yaml").write_text(yaml.safe_dump(config))
    scores = "results/mine/scores/tiny/official/mine/per_image.csv"
    arguments = (scores, "results/mine/leaks/leaks.json", "--configfile", "config/mine.yaml")
    image = data / "mine/test/input"

    def run() -> str:
        return by_forks(checkout, *arguments)

    def replace() -> None:
        save(min(image.iterdir()), noise(64, 64))
        os.utime(image.parent.parent, (1, 1))

    def add() -> None:
        for side in ("input", "target"):
            save(data / "mine/test" / side / "new.png", noise(64, 64, seed=len(side)))

    run()
    for change in (replace, add):
        before = (checkout / scores).read_bytes()
        change()
        said = run()
        assert "rule evaluate:" in said and "rule verify:" in said
        assert (checkout / scores).read_bytes() != before
    for file in (data / "mine").rglob("*"):
        os.utime(file)
    assert "Nothing to be done" in run()


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


@pytest.fixture
def served(tmp_path):
    """A folder that a local server offers, and its address."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "www")
    (tmp_path / "www").mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / "www", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
def test_sets_of_the_catalogue_are_fetched_verified_and_audited(checkout, served, tmp_path):
    www, address = served
    for split, numbers in (("train", range(3)), ("test", range(2, 4))):  # number 2 is in both
        for i in numbers:
            clean = noise(64, 80, seed=i) // 2
            save(tmp_path / "x" / split / "norain" / f"norain-{i}.png", clean)
            save(tmp_path / "x" / split / "rain" / f"norain-{i}x2.png", clean + 9)
    shutil.make_archive(www / "tiny", "zip", tmp_path / "x")
    entry = {
        "name": "TinyRain",
        "title": "Tiny",
        "citation": "none",
        "licence": "none",
        "splits": {"train": {"images": 3}, "test": {"images": 2, "rain_model": "additive"}},
        "unpacked_gb": 0.1,
        "mirrors": [
            {"kind": "http", "url": f"{address}/gone.zip"},
            {"kind": "http", "url": f"{address}/tiny.zip"},
        ],
        "sources": ["tests"],
    }
    (checkout / "derainbench/catalog/datasets/tiny.yaml").write_text(yaml.safe_dump(entry))
    rest = {"kind": "recomposited", "layers": "TinyRain", "clean": "TinyRain"}
    config = MINI | {
        "name": "fetched",
        "data_root": str(tmp_path / "data"),
        "datasets": MINI["datasets"] | {"TinyRain": {"kind": "catalogue"}, "more": rest},
    }
    (checkout / "config" / "fetched.yaml").write_text(yaml.safe_dump(config))
    target = "results/fetched/leaks/leaks.json"
    done = snakemake(checkout, "--configfile", "config/fetched.yaml", "--keep-going", target)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = read_json(checkout / "results/fetched/data/TinyRain/dataset.json")
    assert facts["status"] == "complete"
    assert read_json(tmp_path / "data/data.lock.json").keys() == {f"{address}/tiny.zip"}
    counts = read_json(checkout / target)["comparisons"]
    found = {(c["train_set"], c["test_set"]): (c["exact"], c["near"]) for c in counts}
    assert found["TinyRain", "TinyRain"] == (1, 0)
    assert found["more", "TinyRain"] == (0, 1)  # its "photographs" are the rainy images
    assert found["rain", "TinyRain"] == (0, 0)
    again = snakemake(checkout, "--configfile", "config/fetched.yaml", "--keep-going", target)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.slow
def test_a_set_that_nobody_serves_stops_the_run_with_the_way_by_hand(checkout, tmp_path):
    config = MINI | {
        "name": "byhand",
        "data_root": str(tmp_path / "data"),
        "datasets": MINI["datasets"] | {"Rain100L": {"kind": "catalogue"}},
    }
    (checkout / "config" / "byhand.yaml").write_text(yaml.safe_dump(config))
    target = "results/byhand/data/Rain100L/dataset.json"
    done = snakemake(checkout, "--configfile", "config/byhand.yaml", "--keep-going", target)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "derainbench data add Rain100L FILE_OR_FOLDER" in said
    assert "https://pan.baidu.com/s/1J0q6Mrno9aMCsaWZUtmbkg" in said


def test_the_paper_configuration_is_planned_from_nothing(tmp_path):
    done = snakemake(
        ROOT,
        *("--configfile", "config/paper.yaml", "--config", f"data_root={tmp_path / 'data'}"),
        *("--directory", str(tmp_path), "--dry-run"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout + done.stderr
    for rule in ("fetch", "train", "evaluate", "no_reference", "energy", "papers", "page"):
        assert f"rule {rule}:" in text, rule
