"""Results as one file: what goes in, what stays behind, and what it says of itself."""

import json
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
import rocrate
from helpers import ROOT, noise, read_json, refusal, save
from invented import results

from derainbench.archive import packing
from derainbench.archive.contents import archived_files
from derainbench.archive.crate import METADATA, authors_of
from derainbench.archive.export import write_archive
from derainbench.archive.replay import replay
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256

VALIDATOR = ROOT / ".venv" / "validator" / "bin" / "python"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small folder of results with images, its configuration, and its archive."""
    folder = tmp_path_factory.mktemp("made")
    before = Path.cwd()
    os.chdir(folder)
    config = results(folder)
    out = folder / config.results
    (out / "spikes" / "esdnet" / "seed-1234").mkdir(parents=True)
    (out / "spikes" / "esdnet" / "seed-1234" / "patch.npz").write_bytes(b"pixels")
    save(out / "leaks" / "leaks.png", noise(8, 8))
    save(out / "report" / "assets" / "images" / "rain.webp", noise(8, 8))
    save(out / "papers" / "esdnet" / "figure-4.png", noise(8, 8))
    save(out / "somewhere" / "new" / "photograph.jpg", noise(8, 8))
    yield out, config, folder / "smoke.zip"
    os.chdir(before)


@pytest.fixture(scope="module")
def crate(made):
    """The archive's description of itself, by identifier, and the names of its files."""
    out, _, archive = made
    write_archive(out, archive)
    with zipfile.ZipFile(archive) as file:
        content = json.loads(file.read(METADATA))
        return {entity["@id"]: entity for entity in content["@graph"]}, set(file.namelist())


def test_no_image_of_a_data_set_is_archived(made):
    out, config, _ = made
    names = archived_files(out, config)
    pictures = {n for n in names if Path(n).suffix in (".png", ".webp", ".jpg", ".npz", ".svg")}
    assert "figures/pareto.svg" in pictures and "papers/esdnet/figure-1.svg" in pictures
    assert "data/synthetic-heavy/card.svg" in pictures
    for shown in ("images/", "strip-", "sheet", "leaks.png", "patch.npz", "figure-4", "photograph"):
        assert not [name for name in pictures if shown in name], shown
    assert not [name for name in names if name.startswith(("made/", "report/"))]


def test_scores_counts_histories_and_records_are_archived(made):
    out, config, _ = made
    names = set(archived_files(out, config))
    run = "esdnet/seed-1234"
    assert {
        *("config.json", "audit/claims.csv", "tables/quality.csv", "rated/input/photographs.csv"),
        *(f"scores/{run}/Rain200H/per_image.csv", f"energy/{run}/layers.csv"),
        *(f"runs/{run}/history.csv", f"runs/{run}/model.safetensors.provenance.json"),
    } <= names


def test_the_workflow_is_the_main_entity_and_ran(crate):
    about, names = crate
    root, workflow = about["./"], about["Snakefile"]
    assert root["mainEntity"] == {"@id": "Snakefile"} and "Snakefile" in names
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert {"@id": "workflow/rules/report.smk"} in workflow["hasPart"]
    assert about["#run"]["instrument"] == {"@id": "Snakefile"}
    assert about["#run"]["object"] == {"@id": "results/smoke/config.json"}
    assert root["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    assert about["#author-0"]["name"] == "The derainbench authors"


def test_every_file_and_every_record_has_its_place(made, crate):
    out, _, _ = made
    about, names = crate
    files = {
        i for i, e in about.items() if "File" in (t if isinstance(t := e["@type"], list) else [t])
    }
    assert files == names - {METADATA}
    records = [n for n in names if n.endswith(".provenance.json")]
    actions = {i for i, entity in about.items() if entity["@type"] == "CreateAction"}
    assert len(actions) == len(records) + 1
    assert {a["@id"] for a in about["./"]["mentions"]} == actions
    action = about["#runs/esdnet/seed-1234/model.safetensors"]
    record = read_json(out / "runs/esdnet/seed-1234/model.safetensors.provenance.json")
    assert action["description"] == record["command"] and action["endTime"] == record["time"]
    values = {about[thing["@id"]]["value"] for thing in action["object"]}
    assert values == set(record["inputs"].values())
    software = about[action["instrument"]["@id"]]
    torch = f"https://pypi.org/project/torch/{record['packages']['torch']}/"
    assert {"@id": torch} in software["softwareRequirements"]
    assert record["code"]["source_sha256"] in software["description"]


def test_an_input_that_changed_since_is_named_by_its_digest(made, tmp_path):
    out, _, _ = made
    folder = tmp_path / "smoke"
    shutil.copytree(out, folder)
    file = folder / "tables" / "quality.csv.provenance.json"
    record = read_json(file)
    scores = "scores/esdnet/seed-1234/Rain200H/per_image.csv"
    record["inputs"] = {scores: "0" * 64, "config.json": sha256(folder / "config.json")}
    file.write_text(json.dumps(record))
    write_archive(folder, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        graph = json.loads(archive.read(METADATA))["@graph"]
    [action] = [e for e in graph if e["@id"] == "#tables/quality.csv"]
    ids = [thing["@id"] for thing in action["object"]]
    assert "results/smoke/config.json" in ids and f"results/smoke/{scores}" not in ids


def test_the_same_results_give_the_same_bytes(made, crate, tmp_path):
    out, _, archive = made
    copy = tmp_path / "smoke"
    shutil.copytree(out, copy)
    for file in copy.rglob("*"):
        os.utime(file, (1, 1))
    write_archive(copy, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_what_comes_out_is_what_went_in(made, crate, tmp_path):
    out, config, archive = made
    packing.unpack(archive, tmp_path)
    for name in archived_files(out, config):
        assert (tmp_path / "results/smoke" / name).read_bytes() == (out / name).read_bytes()


def validator():
    """The Python that has roc-validator, if there is one."""
    python = Path(os.environ.get("ROCRATE_VALIDATOR", VALIDATOR))
    if not python.is_file():
        pytest.skip("no validator of RO-Crates: `make validator`")
    return python


def validated(archive):
    context = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    command = [validator(), ROOT / "tests" / "crate_validation.py", archive, context]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_validator_finds_nothing_against_it(made, crate):
    done = validated(made[2])
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_validator_finds_a_workflow_that_did_not_run(made, crate, tmp_path):
    """It can fail: the test above says something."""
    with zipfile.ZipFile(made[2]) as archive:
        contents = {name: archive.read(name).decode("latin-1") for name in archive.namelist()}
    content = json.loads(contents[METADATA])
    content["@graph"] = [e for e in content["@graph"] if e["@id"] != "#run"]
    contents[METADATA] = json.dumps(content)
    packing.pack(contents, tmp_path / "wrong.zip")
    done = validated(tmp_path / "wrong.zip")
    assert done.returncode == 1 and "mainEntity as its instrument" in done.stdout


def test_a_folder_without_results_is_refused(tmp_path, cli):
    done = cli("archive", tmp_path, "--out", tmp_path / "a.zip")
    assert "no config.json in it" in refusal(done, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_others_is_not_written_over(made, tmp_path, cli):
    mine = tmp_path / "mine.zip"
    mine.write_text("mine")
    done = cli("archive", made[0], "--out", mine)
    assert "was not made here" in refusal(done, 1)
    assert mine.read_text() == "mine"


def test_an_archive_that_was_made_here_is_made_again(made, tmp_path, cli):
    for _ in range(2):
        done = cli("archive", made[0], "--out", tmp_path / "a.zip")
        assert done.code == 0 and "a.zip: " in done.stdout


def test_authors_are_persons_or_organisations():
    citation = {
        "authors": [
            {"given-names": "A.", "family-names": "B", "orcid": "https://orcid.org/0"},
            {"name": "The lab"},
        ]
    }
    assert authors_of(citation) == (("A. B", "https://orcid.org/0", True), ("The lab", "", False))


def member(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


HOSTILE = {
    "outside": ([member("../x.csv")], "points outside the target folder"),
    "absolute": ([member("/x.csv")], "points outside the target folder"),
    "drive": ([member("C:\\x.csv")], "points outside the target folder"),
    "link": ([member("x.csv", stat.S_IFLNK | 0o777)], "is a link or a device"),
    "twice": ([member("x.csv"), member("X.csv")], "twice"),
    "both": ([member("x"), member("x/y.csv")], "both a file and a folder"),
    "unprintable": ([member("x\x1b.csv")], "no usable file name"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_archive_that_tries_something_is_refused_whole(tmp_path, cli, kind):
    members, said = HOSTILE[kind]
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("results/smoke/config.json", "{}")
        for info in members:
            file.writestr(info, "x")
    done = cli("replay", archive, "--out", tmp_path / "out")
    assert said in refusal(done, 1) and str(archive) in done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {"a.zip"}


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_what_is_no_archive_is_said_in_a_line(tmp_path, cli, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    done = cli("replay", archive, "--out", tmp_path / "out")
    assert "not a readable archive" in refusal(done, 1)


def test_an_archive_of_something_else_is_refused(tmp_path):
    packing.pack({"readme.txt": "hello"}, tmp_path / "a.zip")
    with pytest.raises(BenchError, match="holds no results"):
        replay(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
