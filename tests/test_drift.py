"""Results against a reference: every kind of drift is named, and nothing else."""

import csv
import json
import re
import sys

import pytest
import yaml
from helpers import ROOT, noise, one_line, refusal, save

from derainbench.audit import drift
from derainbench.catalog import tolerances
from derainbench.foundation.errors import BenchError
from derainbench.results.expected import TABLES

RULES = {
    "tolerances": {
        "score": {
            "same": {"absolute": 0.05},
            "threads": {"absolute": 0.4},
            "retrained": {"absolute": 1},
        },
        "share": {"same": {"relative": 0.01}},
        "volatile": {"same": {"ignored": True}},
        "verdict": {"same": {}, "retrained": {"ignored": True}},
    },
    "files": {
        "tables/*.csv": {
            "key": ["method"],
            "columns": {"psnr*": "score", "energy": "share", "when": "volatile", "said": "verdict"},
            "untrained": {"method": "rainy"},
        },
        "energy/*/*/energy.json": {"columns": {"mean.rate": "share"}},
        "scores/*/*/*/per_image.csv": {"key": ["image"], "columns": {"psnr": "score"}},
    },
    "ignored": ["**/*.provenance.json", "made/**"],
}
ROWS = [
    {"method": "rainy", "psnr": "12.5", "energy": "", "macs": "", "when": "1", "said": ""},
    {"method": "net", "psnr": "20.5", "energy": "3.0", "macs": "500", "when": "2", "said": "yes"},
]
SCORES = [{"image": "a.png", "psnr": "20.5"}]


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def results(folder, rows=ROWS, energy=None, scores=SCORES, weights="w"):
    """A folder of results with a table, an account and scores."""
    write_csv(folder / "tables/quality.csv", rows)
    account = energy or {"macs": 500, "mean": {"rate": 0.2}, "size": [64, 64]}
    write_json(folder / "energy/net/seed-1/energy.json", account)
    write_csv(folder / "scores/net/seed-1/rain/per_image.csv", scores)
    record = {"inputs": {"weights": weights}, "time": str(folder)}
    write_json(folder / "scores/net/seed-1/rain/per_image.csv.provenance.json", record)
    return folder


def changed(**cells):
    """The rows of the table, the network's with other cells."""
    return [ROWS[0], ROWS[1] | cells]


@pytest.fixture
def compared(tmp_path):
    """Compares a folder with a reference; gives one line per drift."""

    def call(strict=False, **other):
        reference = results(tmp_path / "a")
        found = drift.compare(
            reference,
            results(tmp_path / "b", **other),
            tolerances.Tolerances.model_validate(RULES),
            strict=strict,
        )
        return [str(d) for d in found.all_drifts()]

    return call


def test_equal_folders_have_no_drift(compared):
    assert compared() == []


QUALITY = "tables/quality.csv: method=net: "
CHANGES = {
    "number within its tolerance": ({"psnr": "20.549"}, []),
    "number beyond it": (
        {"psnr": "20.551"},
        [QUALITY + "psnr: reference 20.5, found 20.551 (tolerance 0.05)"],
    ),
    "number within a share": ({"energy": "3.029"}, []),
    "number beyond a share": (
        {"energy": "3.031"},
        [QUALITY + "energy: reference 3.0, found 3.031 (tolerance 1 %)"],
    ),
    "exact number": (
        {"macs": "501"},
        [QUALITY + "macs: reference 500, found 501 (exact)"],
    ),
    "exact number, written otherwise": ({"macs": "5.00e2"}, []),
    "text": (
        {"said": "no"},
        [QUALITY + "said: reference yes, found no (exact)"],
    ),
    "number gone": (
        {"psnr": ""},
        [QUALITY + "psnr: reference 20.5, found nothing (tolerance 0.05)"],
    ),
    "number that is none": (
        {"psnr": "nan"},
        [QUALITY + "psnr: reference 20.5, found nan (tolerance 0.05)"],
    ),
    "volatile": ({"when": "another day"}, []),
    "two": (
        {"psnr": "21", "macs": "1"},
        [
            QUALITY + "psnr: reference 20.5, found 21 (tolerance 0.05)",
            QUALITY + "macs: reference 500, found 1 (exact)",
        ],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_cell_is_named(compared, change):
    cells, expected = CHANGES[change]
    assert compared(rows=changed(**cells)) == expected


def test_cells_of_several_numbers_agree_one_by_one():
    tolerance = tolerances.Tolerance(absolute=0.01)
    assert tolerance.allows("0.1 0.2", "0.105 0.195")
    assert not tolerance.allows("0.1 0.2", "0.1 0.22")
    assert not tolerance.allows("0.1 0.2", "0.1")
    assert not tolerance.allows("1 MAC", "1.001 MAC")


def test_missing_and_extra_rows_and_columns_are_named(compared):
    assert compared(rows=[ROWS[0]]) == [
        "tables/quality.csv: method=net: reference a row, found none (missing row)"
    ]
    assert compared(rows=[*ROWS, ROWS[1] | {"method": "new"}]) == [
        "tables/quality.csv: method=new: reference none, found a row (extra row)"
    ]
    assert compared(rows=[{k: v for k, v in r.items() if k != "macs"} for r in ROWS]) == [
        "tables/quality.csv: macs: reference a column, found none (missing column)"
    ]
    assert compared(rows=[r | {"new": ""} for r in ROWS]) == [
        "tables/quality.csv: new: reference none, found a column (extra column)"
    ]


def test_a_missing_key_column_is_named_and_the_rest_is_still_compared(compared):
    renamed = [{"name": r["method"]} | {k: r[k] for k in r if k != "method"} for r in ROWS]
    lines = compared(rows=renamed, scores=[{"image": "a.png", "psnr": "1"}])
    assert lines == [
        "scores/net/seed-1/rain/per_image.csv: image=a.png: psnr: reference 20.5, found 1 "
        "(tolerance 0.05)",
        "tables/quality.csv: method: reference a column, found none (missing column)",
        "tables/quality.csv: name: reference none, found a column (extra column)",
    ]


def test_the_order_of_rows_does_not_matter_but_that_of_equal_keys_does(compared):
    assert compared(rows=ROWS[::-1]) == []
    twice = compared(rows=[*ROWS, ROWS[1]])
    assert twice == ["tables/quality.csv: method=net #2: reference none, found a row (extra row)"]


def test_json_is_compared_leaf_by_leaf(compared):
    energy = {"macs": 501, "mean": {"rate": 0.2019}, "size": [64, 65], "new": None}
    file = "energy/net/seed-1/energy.json: "
    assert compared(energy=energy) == [
        file + "new: reference none, found a column (extra column)",
        file + "macs: reference 500, found 501 (exact)",
        file + "size.1: reference 64, found 65 (exact)",
    ]


def test_temporaries_of_killed_jobs_are_no_drift(tmp_path):
    a, b = results(tmp_path / "a"), results(tmp_path / "b")
    write_csv(b / "tables/.quality.7@x-abcdefgh.csv", ROWS)
    write_csv(b / "tables/.partial-7@x-abcdefgh/quality.csv", ROWS)
    found = drift.compare(a, b, tolerances.Tolerances.model_validate(RULES))
    assert found.all_drifts() == []


def test_missing_extra_and_unruled_files_are_named(tmp_path):
    a, b = results(tmp_path / "a"), results(tmp_path / "b")
    (b / "energy/net/seed-1/energy.json").rename(b / "tables.json")
    write_csv(b / "tables/new.csv", ROWS)
    write_csv(b / "made/left.csv", ROWS)
    found = drift.compare(a, b, tolerances.Tolerances.model_validate(RULES))
    assert [str(d) for d in found.all_drifts()] == [
        "energy/net/seed-1/energy.json: reference a file, found none (missing file)",
        "tables/new.csv: reference none, found a file (extra file)",
        "tables.json: reference not compared, found not compared "
        "(no rule names this file and its key columns)",
    ]


def test_other_weights_have_wider_tolerances_unless_strict(compared):
    other = {
        "rows": [ROWS[0], ROWS[1] | {"psnr": "21.4", "said": "no"}],
        "scores": [{"image": "a.png", "psnr": "21.6"}],
        "weights": "other",
    }
    assert compared(**other) == [
        "scores/net/seed-1/rain/per_image.csv: image=a.png: psnr: reference 20.5, found 21.6 "
        "(tolerance 1)"
    ]
    assert len(compared(strict=True, **other)) == 3
    # No training enters the rainy image's score, nor the number of operations.
    rows = [ROWS[0] | {"psnr": "12.6"}, ROWS[1] | {"macs": "501"}]
    assert len(compared(rows=rows, weights="other")) == 2


TRAINED = {
    "machine": {"processor": "P", "instructions": "AVX2"},
    "threads": 1,
    "packages": {"torch": "2"},
    "device": "cpu",
    "seed": 1,
    "settings": {"epochs": 3},
    "inputs": {"data": "d"},
}


def trained(folder, best_epoch=2, psnr=(20.0, 20.1, 20.11), **record):
    """Adds the record of a training, its best epoch and its history."""
    run = folder / "runs/net/seed-1"
    write_json(run / "model.safetensors.provenance.json", TRAINED | record)
    write_json(run / "training.json", {"best_epoch": best_epoch})
    rows = [{"epoch": n, "selection_psnr_rgb": p} for n, p in enumerate(psnr)]
    write_csv(run / "history.csv", rows)
    return folder


WITH_RUNS = RULES | {
    "files": {
        **RULES["files"],
        "runs/*/*/history.csv": {"key": ["epoch"], "columns": {"selection*": "score"}},
        "runs/*/*/training.json": {"columns": {"best_epoch": "verdict"}},
    }
}


def explained(tmp_path, psnr="20.5", **record):
    """Compares two trainings whose weights differ; gives the comparison."""
    a = trained(results(tmp_path / "a"))
    b = results(tmp_path / "b", weights="other", scores=[{"image": "a.png", "psnr": psnr}])
    rules = tolerances.Tolerances.model_validate(WITH_RUNS)
    return drift.compare(a, trained(b, **record), rules)


def test_another_number_of_threads_has_a_bound_of_its_own(tmp_path):
    found = explained(tmp_path, "20.89", threads=2)
    assert found.all_drifts() == []
    assert found.notes() == [
        "Other weights than the reference's (2 threads instead of 1), held to the tolerances of "
        "another number of threads: net/seed-1"
    ]
    beyond = explained(tmp_path, "20.91", threads=2)
    assert [d.tolerance for d in beyond.all_drifts()] == ["tolerance 0.4"]
    page = drift.markdown(beyond)
    assert re.search(r"per_image.csv *\| *1 *\| *1 *\| another number of threads *\|", page)


OTHERS = {
    "processor": ({"machine": {"processor": "Q"}}, "processor Q instead of P"),
    "instructions": (
        {"machine": {"processor": "P", "instructions": "AVX512"}},
        "instructions AVX512 instead of AVX2",
    ),
    "library": ({"packages": {"torch": "3"}}, "torch 3 instead of 2"),
    "device": ({"device": "cuda"}, "device cuda instead of cpu"),
    "recipe": ({"settings": {"epochs": 4}}, "other settings"),
    "images": ({"inputs": {"data": "e"}}, "other images"),
    "nothing": ({}, "recorded as the same: other code?"),
}


@pytest.mark.parametrize(
    ("name", "threads"),
    [(name, threads) for name in OTHERS for threads in (1, 2) if (name, threads) != ("nothing", 2)],
)
def test_what_else_moves_a_training_is_named_and_held_to_the_widest(tmp_path, name, threads):
    record, reason = OTHERS[name]
    found = explained(tmp_path, "21.4", threads=threads, **record)
    assert found.all_drifts() == []
    (note,) = found.notes()
    assert reason in note and note.endswith("of another training: net/seed-1")
    assert ("2 threads instead of 1" in note) == (threads == 2)


def test_a_record_older_than_the_instructions_says_nothing_against_the_machine(tmp_path):
    found = explained(tmp_path, machine={"processor": "P"}, threads=2)
    assert [other.level for other in found.weights] == ["threads"]


def test_a_best_epoch_that_moved_is_said_with_how_close_the_epochs_were(tmp_path):
    a, b = trained(results(tmp_path / "a")), results(tmp_path / "b", weights="other")
    trained(b, best_epoch=1, psnr=(20.0, 20.13, 20.11), threads=2)
    found = drift.compare(a, b, tolerances.Tolerances.model_validate(WITH_RUNS))
    assert found.notes()[-1] == (
        "net/seed-1: best epoch 1 instead of 2: validation PSNR of both within 0.02 dB"
    )
    assert "best epoch 1 instead of 2" in drift.markdown(found)
    (b / "runs/net/seed-1/history.csv").unlink()
    found = drift.compare(a, b, tolerances.Tolerances.model_validate(WITH_RUNS))
    assert found.notes()[-1] == "net/seed-1: best epoch 1 instead of 2"


def test_the_command_says_what_it_found(cli, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(RULES))
    a, b = results(tmp_path / "a"), results(tmp_path / "b")
    done = cli("check", a, b, "--tolerances", rules, "--out", tmp_path / "fine.md")
    assert (done.code, done.stdout) == (0, "13 values in 3 files compared: no drift\n")
    assert "no drift" in (tmp_path / "fine.md").read_text()
    results(b, rows=changed(psnr="21", macs="1"), weights="other")
    done = cli("check", a, b, "--tolerances", rules, "--out", tmp_path / "drift.md")
    assert done.code == 1
    *_, note, summary = lines = done.stdout.splitlines()
    assert lines[0] == QUALITY + "macs: reference 500, found 1 (exact)"
    assert note.endswith("another training: net/seed-1")
    assert summary == "12 values in 3 files compared: 1 drift"  # one is a verdict of the weights
    text = (tmp_path / "drift.md").read_text()
    assert "macs" in text and summary in text and "net/seed-1" in text


def test_folders_without_results_end_in_one_line(cli, tmp_path):
    a = results(tmp_path / "a")
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refusal(cli("check", a, tmp_path / "none"), 1)
    assert "no results" in refusal(cli("check", tmp_path / "empty", a), 1)
    (a / "energy/net/seed-1/energy.json").write_text("{")
    assert "damaged JSON" in refusal(cli("check", a, a), 1)


MISTAKES = {
    "unknown tolerance": ("files", "no tolerance 'scor' (did you mean 'score'?)"),
    "negative": ("tolerances.score.same.absolute", "greater than or equal to 0"),
    "misspelt": ("tolerances.score.same", "unknown key (did you mean 'absolute'?)"),
    "no key": ("files", "no key: name the columns that name a row"),
    "not a number": ("tolerances.share.same.relative", "valid number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_file_is_one_line(tmp_path, mistake):
    rules = json.loads(json.dumps(RULES))
    if mistake == "unknown tolerance":
        rules["files"]["tables/*.csv"]["columns"]["psnr*"] = "scor"
    if mistake == "negative":
        rules["tolerances"]["score"]["same"]["absolute"] = -1
    if mistake == "misspelt":
        rules["tolerances"]["score"]["same"] = {"absolut": 1}
    if mistake == "no key":
        del rules["files"]["tables/*.csv"]["key"]
    if mistake == "not a number":
        rules["tolerances"]["share"]["same"]["relative"] = "much"
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules))
    with pytest.raises(BenchError) as error:
        tolerances.load(path)
    where, what = MISTAKES[mistake]
    message = one_line(error.value)
    assert message.startswith(str(path)) and where in message and what in message


def kept_by_reference(monkeypatch, folder):
    """`tools/reference.py` on a folder of results; gives the reference."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    sys.modules.pop("reference", None)
    import reference

    monkeypatch.setattr(reference, "RESULTS", folder)
    reference.keep("smoke")
    return folder / "reference" / "smoke"


def test_the_catalogue_compares_only_what_the_reference_keeps(tmp_path, monkeypatch):
    rules = tolerances.load()
    source = tmp_path / "smoke"
    files = [pattern.replace("*", "x") for pattern in rules.files]
    for file in files:
        assert not rules.is_ignored(file), file
        write_json(source / file, {"datasets": {}})
    reference = kept_by_reference(monkeypatch, tmp_path)
    kept = {f.relative_to(reference).as_posix() for f in reference.rglob("*") if f.is_file()}
    assert kept == set(files)


def test_every_table_of_the_workflow_has_a_rule():
    assert "expected.TABLES" in (ROOT / "workflow/rules/report.smk").read_text()
    assert {"quality", "crosscheck"} <= set(TABLES)
    rules = tolerances.load()
    for name in TABLES:
        file = f"tables/{name}.csv"
        assert rules.rule(file) or rules.is_ignored(file), file


@pytest.fixture
def two(tmp_path):
    """Two folders that differ, with figures."""
    a = results(tmp_path / "a")
    b = results(tmp_path / "b", rows=[*changed(psnr="21", said="<b>no</b>"), {"method": "new"}])
    for folder in (a, b):
        write_json(folder / "config.json", {"title": f"Config {folder.name}", "label": "smoke"})
        save(folder / "figures/strip.png", noise(8, 8))
    (a / "figures/pareto.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(RULES | {"ignored": [*RULES["ignored"], "config.json"]}))
    return a, b, rules


def test_two_folders_are_shown_side_by_side(cli, two, tmp_path):
    a, b, rules = two
    done = cli("report", "--diff", a, b, "--tolerances", rules, "--out", tmp_path / "out")
    assert done.code == 0, done
    page = (tmp_path / "out/diff.html").read_text()
    assert done.stdout.strip() == str(tmp_path / "out/diff.html")
    assert "SMOKE" in page and "Config a" in page and "Config b" in page
    cells = r'<td class="a number">20.5</td><td class="b number beyond">21</td>'
    assert re.search(cells + r'<td class="change beyond">\+0.5</td>', page)
    assert "&lt;b&gt;no&lt;/b&gt;" in page and "<b>no" not in page
    assert "1 of 2 matched rows differ" in page and "2 cells beyond tolerance" in page
    assert "<li>method=new</li>" in page
    assert page.count("<img") == 3 and "B: has no such figure" in page
    assert page.count("(equal)") == 1
    # Opens from disk: nothing but data inside the page is asked for.
    sources = re.findall(r'\b(?:src|href|srcset|action)="([^"]*)"', page)
    assert sources and all(s.startswith(("data:", "#")) for s in sources)
    assert not re.search(r"<(script|link|iframe)|@import|url\(", page)
    assert (tmp_path / "out/diff.html.provenance.json").is_file()


def test_a_folder_beside_itself_has_no_drift(cli, two, tmp_path):
    a, _, rules = two
    assert cli("report", "--diff", a, a, "--tolerances", rules, "--out", tmp_path).code == 0
    page = (tmp_path / "diff.html").read_text()
    assert "no drift" in page and 'class="change' not in page


def test_report_takes_either_a_configuration_or_two_folders(cli, tmp_path):
    assert "--config or --diff" in refusal(cli("report", "--out", tmp_path / "out"), 2)
    both = ("--config", "x", "--diff", tmp_path, tmp_path)
    assert "--config or --diff" in refusal(cli("report", *both, "--out", tmp_path / "out"), 2)
