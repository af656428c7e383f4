"""Every record names what a result was computed from, and nobody has to remember that."""

import json

import pytest
from helpers import ROOT, SMALL, read_json

from derainbench.catalog.costs import cost_tables
from derainbench.catalog.files import CATALOG
from derainbench.energy.model_structure import write_structure
from derainbench.foundation import provenance, reads
from derainbench.foundation.files import sha256
from derainbench.models.construction import build
from derainbench.results.reading import read_json as read_result
from derainbench.results.reading import read_table
from derainbench.training.gradient_reach import write_gradient_reach


@pytest.fixture
def results(tmp_path):
    """A folder of results with two tables."""
    folder = tmp_path / "results" / "tiny"
    (folder / "scores").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    for name in ("a", "b"):
        (folder / "scores" / f"{name}.csv").write_text(f"x\n{name}\n")
    return folder


def inputs(file):
    provenance.write_record(file)
    return read_json(file.with_name(file.name + ".provenance.json"))["inputs"]


def test_a_record_names_the_files_that_were_read_by_their_place_among_the_results(results):
    read_table(results / "scores" / "a.csv")
    read_result(results / "config.json")
    assert inputs(results / "out.csv") == {
        "config.json": sha256(results / "config.json"),
        "scores/a.csv": sha256(results / "scores" / "a.csv"),
    }


def test_a_table_does_not_name_what_only_another_one_was_computed_from(results):
    read_result(results / "config.json")
    for name in ("a", "b"):
        with reads.recording():
            read_table(results / "scores" / f"{name}.csv")
            named = inputs(results / f"{name}.csv")
            assert named.keys() == {"config.json", f"scores/{name}.csv"}
    assert inputs(results / "index.html").keys() == {"config.json", "scores/a.csv", "scores/b.csv"}


def test_a_table_that_was_read_before_counts_again(results):
    """Tables are kept between reads; what they are computed from is not forgotten for that."""
    for _ in range(2):
        with reads.as_a_process():
            read_table(results / "scores" / "a.csv")
            assert [file.name for file in reads.read_here()] == ["a.csv"]


def test_what_the_catalogue_keeps_between_calls_counts_again():
    for _ in range(2):
        with reads.as_a_process():
            cost_tables()
            assert reads.read_here() == [CATALOG / "costs.yaml"]


def test_a_file_that_changed_gets_another_digest(results):
    file = results / "scores" / "a.csv"
    read_table(file)
    before = inputs(results / "out.csv")["scores/a.csv"]
    file.write_text("x\nchanged\n")
    assert inputs(results / "out.csv")["scores/a.csv"] == sha256(file) != before


def test_files_of_two_folders_of_results_keep_apart(results, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("config.json", "scores/a.csv"):
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_text("x\n")
    for folder in (results, other):
        read_table(folder / "scores" / "a.csv")
    assert len(inputs(results / "out.csv")) == 2


def test_a_result_out_of_nothing_gets_no_record(tmp_path):
    with pytest.raises(ValueError, match=r"out\.csv: no inputs are given"):
        provenance.write_record(tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_what_is_computed_from_code_alone_names_that_code(tmp_path):
    write_gradient_reach("esdnet", SMALL["esdnet"], tmp_path / "g.json")
    named = read_json(tmp_path / "g.json.provenance.json")["inputs"]
    card = "derainbench/catalog/papers/esdnet/models/esdnet.yaml"
    assert {"esdnet/network.py", "esdnet/blocks.py", card} <= named.keys()
    assert named["esdnet/network.py"] == sha256(ROOT / "esdnet" / "network.py")


def test_the_structure_of_a_model_names_its_code_and_card(tmp_path):
    write_structure(tmp_path / "s", 64, "prn_r")
    named = read_json(tmp_path / "s" / "models.csv.provenance.json")["inputs"]
    assert {"baselines/prenet.py", "derainbench/catalog/models/prn_r.yaml"} <= named.keys()
    assert "esdnet/network.py" not in named


def test_libraries_are_no_source_of_a_network():
    build("esdnet", **SMALL["esdnet"])
    places = [file.resolve() for file in reads.read_here()]
    assert places and all(place.is_relative_to(ROOT) for place in places)
    assert not any("site-packages" in place.parts for place in places)


RECORDS = sorted((ROOT / "results" / "reference").rglob("*.provenance.json"))


@pytest.mark.parametrize("folder", sorted({r.relative_to(ROOT).parts[2] for r in RECORDS}))
def test_every_record_that_is_kept_names_what_it_was_computed_from(folder):
    kept = [r for r in RECORDS if r.relative_to(ROOT).parts[2] == folder]
    without = [
        r.relative_to(ROOT).as_posix()
        for r in kept
        if not json.loads(r.read_text("utf-8")).get("inputs")
    ]
    assert without == []


def test_a_block_that_has_read_nothing_ends_itself_and_no_other(results):
    with reads.as_a_process():
        read_table(results / "scores" / "b.csv")
        with reads.recording() as outer:
            with reads.recording():
                pass
            read_table(results / "scores" / "a.csv")
    assert list(outer) == [results / "scores" / "a.csv"]
